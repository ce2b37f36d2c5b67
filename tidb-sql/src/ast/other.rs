//! Views, sequences, placement policies, recovery.

use super::{Query, TableName};

/// Who a view runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// CURRENT_USER.
    Current,
    /// `'name'@'host'`.
    Named {
        /// The user.
        name: String,
        /// The host, `%` for any.
        host: String,
    },
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// OR REPLACE.
    pub or_replace: bool,
    /// ALGORITHM: UNDEFINED, MERGE, TEMPTABLE.
    pub algorithm: &'static str,
    /// DEFINER.
    pub definer: User,
    /// SQL SECURITY INVOKER, else DEFINER.
    pub invoker: bool,
    /// Its name.
    pub name: TableName,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// The query.
    pub query: Query,
    /// WITH LOCAL CHECK OPTION; CASCADED is the default and not written.
    pub local_check: bool,
}

/// An option of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum SequenceOption {
    Increment(i64),
    Start(i64),
    MinValue(i64),
    NoMinValue,
    MaxValue(i64),
    NoMaxValue,
    Cache(i64),
    NoCache,
    Cycle,
    NoCycle,
    Restart,
    RestartWith(i64),
}

/// `RECOVER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recover {
    /// By its name, with the number of jobs to go back.
    Table(TableName, Option<u64>),
    /// `BY JOB n`.
    Job(u64),
}

/// An option of a placement policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacementOption {
    /// One that has a number, with its name: FOLLOWERS, VOTERS, LEARNERS.
    Number(&'static str, u64),
    /// One that has a string, with its name: PRIMARY_REGION, REGIONS, CONSTRAINTS and the like.
    Text(&'static str, String),
}
