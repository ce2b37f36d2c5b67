//! TiDB's metadata documents, as tolerant as Go reads them: unknown members are skipped, missing ones and
//! `null` leave the zero value (spec/tidb-schema.md §1–§3).

use serde::{Deserialize, Deserializer, de::IgnoredAny};

/// Deserialises a member that may be `null`: Go leaves the zero value then.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A case-insensitive name: `{"O":"Original","L":"original"}`, in very old documents just the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CiStr {
    /// As the user wrote it: what goes out.
    pub original: String,
    /// In lower case: what is compared.
    pub lower: String,
}

impl From<&str> for CiStr {
    fn from(name: &str) -> Self {
        CiStr {
            original: name.to_owned(),
            lower: name.to_lowercase(),
        }
    }
}

impl<'de> Deserialize<'de> for CiStr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = CiStr;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name as {\"O\":…,\"L\":…}")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<CiStr, E> {
                Ok(CiStr::from(name))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<CiStr, A::Error> {
                let mut name = CiStr::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "O" => {
                            name.original = map.next_value::<Option<String>>()?.unwrap_or_default()
                        }
                        "L" => name.lower = map.next_value::<Option<String>>()?.unwrap_or_default(),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(name)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The state of a database, table, column or index that everybody sees.
pub const STATE_PUBLIC: u8 = 5;

/// A database: hash `DBs`, field `DB:{id}`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DbInfo {
    /// Its id, from the cluster-wide allocator.
    #[serde(deserialize_with = "nullable")]
    pub id: i64,
    /// Its name.
    #[serde(rename = "db_name", deserialize_with = "nullable")]
    pub name: CiStr,
    /// [`STATE_PUBLIC`] when usable.
    #[serde(deserialize_with = "nullable")]
    pub state: u8,
}

/// A table: hash `DB:{schema id}`, field `Table:{id}`; also inside DDL jobs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TableModel {
    /// The logical id; partitions have their own.
    #[serde(deserialize_with = "nullable")]
    pub id: i64,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: CiStr,
    /// Columns by offset, hidden and non-public ones included.
    #[serde(deserialize_with = "nullable")]
    pub cols: Vec<ColumnModel>,
    /// Indexes, the primary one included unless it is the integer handle.
    #[serde(deserialize_with = "nullable")]
    pub index_info: Vec<IndexModel>,
    /// [`STATE_PUBLIC`] when usable.
    #[serde(deserialize_with = "nullable")]
    pub state: u8,
    /// The integer primary key is the row's handle.
    #[serde(deserialize_with = "nullable")]
    pub pk_is_handle: bool,
    /// The primary key's columns are the row's handle.
    #[serde(deserialize_with = "nullable")]
    pub is_common_handle: bool,
    /// 1: the handle's strings are sort keys of new collations.
    #[serde(deserialize_with = "nullable")]
    pub common_handle_version: u16,
    /// Start TSO of the transaction that wrote this document.
    #[serde(deserialize_with = "nullable")]
    pub update_timestamp: u64,
    /// Set for partitioned tables, sometimes with `enable` false.
    pub partition: Option<PartitionModel>,
    /// Set for views.
    pub view: Option<IgnoredAny>,
    /// Set for sequences.
    pub sequence: Option<IgnoredAny>,
}

/// A column of a [`TableModel`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ColumnModel {
    /// The id used inside row values; never given twice in a table.
    #[serde(deserialize_with = "nullable")]
    pub id: i64,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: CiStr,
    /// Position in `cols`.
    #[serde(deserialize_with = "nullable")]
    pub offset: usize,
    /// What rows hold that were written before the column was added.
    pub origin_default: Option<serde_json::Value>,
    /// The bytes of `origin_default` for BIT, base64.
    pub origin_default_bit: Option<String>,
    /// The current DEFAULT.
    pub default: Option<serde_json::Value>,
    /// The bytes of `default` for BIT, base64.
    pub default_bit: Option<String>,
    /// The expression of a generated column, or empty.
    #[serde(deserialize_with = "nullable")]
    pub generated_expr_string: String,
    /// A generated column is stored in the row.
    #[serde(deserialize_with = "nullable")]
    pub generated_stored: bool,
    /// Its type.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub field_type: FieldType,
    /// [`STATE_PUBLIC`] when everybody sees it.
    #[serde(deserialize_with = "nullable")]
    pub state: u8,
    /// Belongs to an expression index.
    #[serde(deserialize_with = "nullable")]
    pub hidden: bool,
}

/// A column's type (spec/tidb-schema.md §3.2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FieldType {
    /// MySQL's type code; see [`super::field`].
    #[serde(rename = "Tp", deserialize_with = "nullable")]
    pub tp: u8,
    /// Flag bits; see [`super::field`].
    #[serde(rename = "Flag", deserialize_with = "nullable")]
    pub flag: u64,
    /// Display width, number of characters, precision; −1 unspecified.
    #[serde(rename = "Flen", deserialize_with = "nullable")]
    pub flen: i64,
    /// Scale, fractional digits of seconds; −1 unspecified.
    #[serde(rename = "Decimal", deserialize_with = "nullable")]
    pub decimal: i64,
    /// `binary` makes a string type a binary one.
    #[serde(rename = "Charset", deserialize_with = "nullable")]
    pub charset: String,
    /// The collation.
    #[serde(rename = "Collate", deserialize_with = "nullable")]
    pub collate: String,
    /// Members of ENUM and SET.
    #[serde(rename = "Elems", deserialize_with = "nullable")]
    pub elems: Vec<String>,
}

/// An index of a [`TableModel`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct IndexModel {
    /// Its id, unique in the table.
    #[serde(deserialize_with = "nullable")]
    pub id: i64,
    /// Its name.
    #[serde(rename = "idx_name", deserialize_with = "nullable")]
    pub name: CiStr,
    /// Its columns in key order.
    #[serde(rename = "idx_cols", deserialize_with = "nullable")]
    pub columns: Vec<IndexColumnModel>,
    /// [`STATE_PUBLIC`] when usable.
    #[serde(deserialize_with = "nullable")]
    pub state: u8,
    /// UNIQUE.
    #[serde(rename = "is_unique", deserialize_with = "nullable")]
    pub unique: bool,
    /// PRIMARY KEY.
    #[serde(rename = "is_primary", deserialize_with = "nullable")]
    pub primary: bool,
}

/// A column of an [`IndexModel`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct IndexColumnModel {
    /// Offset of the column in the table.
    #[serde(deserialize_with = "nullable")]
    pub offset: usize,
    /// Length of the prefix that is indexed, in characters; −1 the whole column.
    #[serde(deserialize_with = "nullable")]
    pub length: i64,
}

/// The partitions of a [`TableModel`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartitionModel {
    /// Whether the table is in fact partitioned.
    #[serde(deserialize_with = "nullable")]
    pub enable: bool,
    /// The partitions, each with a physical id.
    #[serde(deserialize_with = "nullable")]
    pub definitions: Vec<PartitionDefinition>,
}

/// One partition.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PartitionDefinition {
    /// The physical id that its rows' keys carry.
    #[serde(deserialize_with = "nullable")]
    pub id: i64,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: CiStr,
}

/// The text of a default value, which TiDB keeps as a JSON string (numbers occur in old documents).
pub fn default_text(value: &Option<serde_json::Value>) -> Option<String> {
    match value {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}
