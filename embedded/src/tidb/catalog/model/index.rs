use super::{CiStr, Opaque, SchemaState};
use serde::{Deserialize, Serialize};

/// A column of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// The column's name.
    pub name: CiStr,
    /// Its offset in the table.
    pub offset: usize,
    /// Prefix length in characters (bytes if binary); -1 for the whole column.
    pub length: i64,
}

/// An index (`docs/spec/tidb-schema.md §3.3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexInfo {
    /// Never reused within its table.
    pub id: i64,
    /// Its name.
    #[serde(rename = "idx_name")]
    pub name: CiStr,
    /// Empty in practice.
    pub tbl_name: CiStr,
    /// Its columns in key order.
    #[serde(rename = "idx_cols")]
    pub columns: Vec<IndexColumn>,
    /// How far it is on its way in or out.
    pub state: SchemaState,
    /// Since 6.5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_state: Option<u8>,
    /// COMMENT.
    pub comment: String,
    /// 1 BTREE, 2 HASH, 3 RTREE.
    pub index_type: u8,
    /// UNIQUE.
    pub is_unique: bool,
    /// The primary key.
    pub is_primary: bool,
    /// INVISIBLE.
    pub is_invisible: bool,
    /// Since 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_global: Option<bool>,
    /// Since 6.6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mv_index: Option<bool>,
    /// Since 8.4.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub vector_index: Option<Opaque>,
}
