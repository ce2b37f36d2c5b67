use super::{CiStr, SchemaState};
use serde::{Deserialize, Serialize};

/// A placement policy as a table or database names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: CiStr,
}

/// A placement policy, as it is kept under `Policies`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as the options of the statement")]
pub struct PolicyInfo {
    pub primary_region: String,
    pub regions: String,
    pub learners: u64,
    pub followers: u64,
    pub voters: u64,
    pub schedule: String,
    pub constraints: String,
    pub leader_constraints: String,
    pub learner_constraints: String,
    pub follower_constraints: String,
    pub voter_constraints: String,
    pub survival_preferences: String,
    /// From a counter of its own.
    pub id: i64,
    pub name: CiStr,
    /// How far it is on its way in or out.
    pub state: SchemaState,
}
