use super::{CiStr, Opaque, SchemaState};
use crate::tidb::catalog::TidbVersion;
use serde::{Deserialize, Serialize};

/// How rows are given to partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum PartitionType {
    /// Not at all: what a reorganisation makes of a table whose partitions go.
    #[default]
    None,
    /// By upper bounds.
    Range,
    /// By a number's remainder.
    Hash,
    /// By lists of values.
    List,
    /// By a hash of columns.
    Key,
    /// MariaDB's history of rows, which TiDB reads and refuses.
    SystemTime,
}

impl PartitionType {
    /// As TiDB prints it.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Range => "RANGE",
            Self::Hash => "HASH",
            Self::List => "LIST",
            Self::Key => "KEY",
            Self::SystemTime => "SYSTEM_TIME",
        }
    }

    /// Whether partitions are only counted, HASH and KEY.
    pub fn is_hashed(self) -> bool {
        matches!(self, Self::Hash | Self::Key)
    }
}

impl From<PartitionType> for u8 {
    fn from(kind: PartitionType) -> u8 {
        kind as u8
    }
}

impl TryFrom<u8> for PartitionType {
    type Error = String;

    fn try_from(code: u8) -> Result<Self, String> {
        Ok(match code {
            0 => Self::None,
            1 => Self::Range,
            2 => Self::Hash,
            3 => Self::List,
            4 => Self::Key,
            5 => Self::SystemTime,
            other => return Err(format!("partition type {other}, expected 0 to 5")),
        })
    }
}

/// A partition: rows and index entries are kept under its own id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionDefinition {
    /// The physical table's id, unique as a table's.
    pub id: i64,
    /// Its name.
    pub name: CiStr,
    /// Upper bounds of RANGE, as SQL texts; MAXVALUE for none.
    pub less_than: Option<Vec<String>>,
    /// Values of LIST, as SQL texts; DEFAULT for all others. Since 5.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub in_values: Option<Option<Vec<Vec<String>>>>,
    /// Its placement policy. Since 5.3.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub policy_ref_info: Option<Opaque>,
    /// COMMENT.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

impl PartitionDefinition {
    /// A partition of HASH or KEY, without id.
    pub fn new(version: TidbVersion, name: CiStr) -> Self {
        let modern = version >= TidbVersion::V8_5;
        Self {
            id: 0,
            name,
            less_than: None,
            in_values: modern.then_some(None),
            policy_ref_info: modern.then_some(None),
            comment: String::new(),
        }
    }

    /// Values of LIST.
    pub fn values(&self) -> &[Vec<String>] {
        self.in_values
            .as_ref()
            .and_then(Option::as_deref)
            .unwrap_or_default()
    }

    /// Whether it takes all values that no other partition of a LIST names.
    pub fn is_default(&self) -> bool {
        self.values().iter().any(
            |value| matches!(value.as_slice(), [one] if one.eq_ignore_ascii_case(DEFAULT_VALUE)),
        )
    }
}

/// Stands for the values that no partition of a LIST names.
pub const DEFAULT_VALUE: &str = "DEFAULT";
/// The upper bound above all values.
pub const MAX_VALUE: &str = "MAXVALUE";

/// The partitions of a table (`docs/spec/tidb-schema.md §3.4`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionInfo {
    /// The method.
    #[serde(rename = "type")]
    pub kind: PartitionType,
    /// The expression, in TiDB's own spelling; empty for COLUMNS and KEY.
    pub expr: String,
    /// The columns of COLUMNS and KEY.
    pub columns: Option<Vec<CiStr>>,
    /// Whether the table is partitioned.
    pub enable: bool,
    /// KEY was written without columns. Since 7.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_empty_columns: Option<bool>,
    /// The partitions, in order.
    #[serde(
        deserialize_with = "super::null_list",
        serialize_with = "super::list_or_null"
    )]
    pub definitions: Vec<PartitionDefinition>,
    /// Partitions on their way in.
    #[serde(
        default,
        deserialize_with = "super::null_list",
        serialize_with = "super::list_or_null"
    )]
    pub adding_definitions: Vec<PartitionDefinition>,
    /// Partitions on their way out. Since 5.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub dropping_definitions: Option<Option<Vec<PartitionDefinition>>>,
    /// Since 5.0.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub states: Option<Opaque>,
    /// The number of partitions as they were first made.
    pub num: u64,
    /// How far a reorganisation is. Since 7.x, as all that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddl_state: Option<SchemaState>,
    /// The table's id after a reorganisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_table_id: Option<i64>,
    /// The method after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddl_type: Option<PartitionType>,
    /// The expression after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddl_expr: Option<String>,
    /// The columns after it.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub ddl_columns: Option<Option<Vec<CiStr>>>,
    /// Indexes that become global or local.
    #[serde(
        default,
        deserialize_with = "super::present",
        skip_serializing_if = "Option::is_none"
    )]
    pub ddl_update_indexes: Option<Opaque>,
}

impl PartitionInfo {
    /// No partitions yet.
    pub fn new(version: TidbVersion, kind: PartitionType) -> Self {
        let modern = version >= TidbVersion::V8_5;
        Self {
            kind,
            expr: String::new(),
            columns: None,
            enable: true,
            is_empty_columns: modern.then_some(false),
            definitions: vec![],
            adding_definitions: vec![],
            dropping_definitions: modern.then_some(None),
            states: modern.then_some(None),
            num: 0,
            ddl_state: modern.then_some(SchemaState::None),
            new_table_id: modern.then_some(0),
            ddl_type: modern.then_some(PartitionType::None),
            ddl_expr: modern.then(String::new),
            ddl_columns: modern.then_some(None),
            ddl_update_indexes: modern.then_some(None),
        }
    }

    /// The columns of COLUMNS and KEY.
    pub fn columns(&self) -> &[CiStr] {
        self.columns.as_deref().unwrap_or_default()
    }

    /// A partition's place by its name in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.definitions.iter().position(|d| d.name.is(name))
    }

    /// The ids of the partitions.
    pub fn ids(&self) -> Vec<i64> {
        self.definitions.iter().map(|d| d.id).collect()
    }
}
