use super::CiStr;
use serde::{Deserialize, Serialize};

/// When a table's rows expire (`docs/spec/tidb-schema.md §3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtlInfo {
    /// The column that they expire by.
    pub column: CiStr,
    /// How long after that, as an expression.
    pub interval_expr: String,
    /// Its unit, by TiDB's number.
    pub interval_time_unit: u8,
    /// Whether the server removes them.
    pub enable: bool,
    /// How often it looks.
    pub job_interval: String,
}
