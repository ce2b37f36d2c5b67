use super::{CiStr, FieldType, Opaque, SchemaState, Tp};
use crate::tidb::catalog::TidbVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The columns that a generated column reads.
pub type GeneratedDependences = Option<BTreeMap<String, BTreeMap<String, ()>>>;

/// Version of the structure: TIMESTAMP defaults are in UTC.
const CURRENT_VERSION: u64 = 2;

/// The default of a column that is given the time of the statement.
pub(crate) const NOW: &str = "CURRENT_TIMESTAMP";

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
    /// A column of a type, nullable and without a default, in no state and place yet.
    pub fn new(version: TidbVersion, name: CiStr, field_type: FieldType) -> Self {
        Self {
            field_type,
            version: CURRENT_VERSION,
            ..Self::only_named(version, name)
        }
    }

    /// Nothing but a name: how a job names a column that it drops.
    pub(crate) fn only_named(version: TidbVersion, name: CiStr) -> Self {
        let modern = version >= TidbVersion::V8_5;
        Self {
            id: 0,
            name,
            offset: 0,
            origin_default: None,
            origin_default_bit: modern.then_some(None),
            default: None,
            default_bit: None,
            default_is_expr: false,
            generated_expr_string: String::new(),
            generated_stored: false,
            dependences: None,
            field_type: FieldType::new(version, Tp::Unspecified),
            state: SchemaState::None,
            comment: String::new(),
            hidden: false,
            change_state_info: modern.then_some(None),
            version: 0,
        }
    }

    /// Whether the column is computed from others.
    pub fn is_generated(&self) -> bool {
        !self.generated_expr_string.is_empty()
    }

    /// Whether the column is computed and not stored.
    pub fn is_virtual(&self) -> bool {
        self.is_generated() && !self.generated_stored
    }

    /// Whether the default is the time of the statement.
    pub(crate) fn defaults_to_now(&self) -> bool {
        matches!(self.field_type.tp, Tp::Timestamp | Tp::Datetime)
            && self.default.as_deref() == Some(NOW)
    }

    /// Whether old rows that lack the column, and new ones that leave it out, both have NULL.
    pub fn defaults_to_null(&self) -> bool {
        self.default.is_none()
            && self.origin_default.is_none()
            && self.default_bit.is_none()
            && self.origin_default_bit.iter().flatten().next().is_none()
    }
}
