use super::{CiStr, SchemaState};
use serde::{Deserialize, Serialize};

/// A foreign key (`docs/spec/tidb-schema.md §3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKeyInfo {
    /// Never reused within its table; 0 in 4.0.
    pub id: i64,
    /// Its name.
    pub fk_name: CiStr,
    /// The database of the table it refers to. Since 6.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ref_schema: Option<CiStr>,
    /// The table it refers to.
    pub ref_table: CiStr,
    /// The columns there.
    pub ref_cols: Vec<CiStr>,
    /// Its own columns.
    pub cols: Vec<CiStr>,
    /// ON DELETE: 0 not said, 1 RESTRICT, 2 CASCADE, 3 SET NULL, 4 NO ACTION, 5 SET DEFAULT.
    pub on_delete: u8,
    /// ON UPDATE.
    pub on_update: u8,
    /// How far it is on its way in or out.
    pub state: SchemaState,
    /// 1: it is checked. Since 6.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u8>,
}
