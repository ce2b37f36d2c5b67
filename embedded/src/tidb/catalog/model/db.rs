use super::{CiStr, PolicyRef, SchemaState};
use crate::tidb::catalog::TidbVersion;
use serde::{Deserialize, Serialize};

/// Go prints an embedded empty struct as `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Empty {}

/// A database (`docs/spec/tidb-schema.md §2`). Its tables are kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbInfo {
    /// Unique among all databases, tables and jobs.
    pub id: i64,
    /// Its name.
    #[serde(rename = "db_name")]
    pub name: CiStr,
    /// Default character set of its tables.
    pub charset: String,
    /// Default collation of its tables.
    pub collate: String,
    /// Since 6.x.
    #[serde(
        rename = "Deprecated",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub deprecated: Option<Empty>,
    /// How far it is on its way in or out.
    pub state: SchemaState,
    /// Since 5.3.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub policy_ref_info: Option<Option<PolicyRef>>,
}

impl DbInfo {
    /// A database in no state yet.
    pub fn new(
        version: TidbVersion,
        id: i64,
        name: CiStr,
        charset: String,
        collate: String,
    ) -> Self {
        let modern = version >= TidbVersion::V8_5;
        Self {
            id,
            name,
            charset,
            collate,
            deprecated: modern.then_some(Empty {}),
            state: SchemaState::None,
            policy_ref_info: modern.then_some(None),
        }
    }
}
