use super::{CiStr, FieldType, Opaque, SchemaState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The columns that a generated column reads.
pub type GeneratedDependences = Option<BTreeMap<String, BTreeMap<String, ()>>>;

/// A column (`docs/spec/tidb-schema.md §3.1`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Never reused within its table; the id inside row values.
    pub id: i64,
    /// Its name.
    pub name: CiStr,
    /// Its place in the table's columns.
    pub offset: usize,
    /// What rows written before the column was added have; none is NULL.
    pub origin_default: Option<String>,
    /// The same for BIT, as base64 of its bytes. Since late 4.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub origin_default_bit: Option<Option<String>>,
    /// The DEFAULT, as text.
    pub default: Option<String>,
    /// The same for BIT, as base64 of its bytes.
    pub default_bit: Option<String>,
    /// Whether the default is an expression.
    pub default_is_expr: bool,
    /// The expression of a generated column, else empty.
    pub generated_expr_string: String,
    /// STORED rather than VIRTUAL.
    pub generated_stored: bool,
    /// Columns it is generated from.
    pub dependences: GeneratedDependences,
    /// Its type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// How far it is on its way in or out.
    pub state: SchemaState,
    /// COMMENT.
    pub comment: String,
    /// Made for an expression index.
    pub hidden: bool,
    /// Since 5.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub change_state_info: Option<Opaque>,
    /// Version of this structure: TIMESTAMP defaults are UTC from 1 on.
    pub version: u64,
}

impl ColumnInfo {
    /// Whether the column is computed from others.
    pub fn is_generated(&self) -> bool {
        !self.generated_expr_string.is_empty()
    }

    /// Whether the column is computed and not stored.
    pub fn is_virtual(&self) -> bool {
        self.is_generated() && !self.generated_stored
    }

    /// Whether old rows that lack the column, and new ones that leave it out, both have NULL.
    pub fn defaults_to_null(&self) -> bool {
        self.default.is_none()
            && self.origin_default.is_none()
            && self.default_bit.is_none()
            && self.origin_default_bit.iter().flatten().next().is_none()
    }
}
