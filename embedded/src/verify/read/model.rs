//! TiDB's descriptions of tables (`docs/spec/tidb-schema.md §3`), as far as their rows need them.

use serde::{Deserialize, Deserializer};

/// Column types by their number (`§3.2`).
pub mod tp {
    #![allow(missing_docs)]
    pub const TINY: u8 = 1;
    pub const SHORT: u8 = 2;
    pub const LONG: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const TIMESTAMP: u8 = 7;
    pub const LONG_LONG: u8 = 8;
    pub const INT24: u8 = 9;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const YEAR: u8 = 13;
    pub const VARCHAR: u8 = 15;
    pub const BIT: u8 = 16;
    pub const JSON: u8 = 245;
    pub const DECIMAL: u8 = 246;
    pub const ENUM: u8 = 247;
    pub const SET: u8 = 248;
    pub const TINY_BLOB: u8 = 249;
    pub const MEDIUM_BLOB: u8 = 250;
    pub const LONG_BLOB: u8 = 251;
    pub const BLOB: u8 = 252;
    pub const VAR_STRING: u8 = 253;
    pub const STRING: u8 = 254;
}

/// Flags of columns (`§3.2`).
pub mod flag {
    #![allow(missing_docs)]
    pub const NOT_NULL: u64 = 1;
    pub const PRIMARY: u64 = 1 << 1;
    pub const UNSIGNED: u64 = 1 << 5;
    pub const AUTO_INCREMENT: u64 = 1 << 9;
}

/// Public: what statements see.
const PUBLIC: u8 = 5;
/// The structure version from which AUTO_INCREMENT may have a counter of its own.
const SEPARATE_COUNTERS: u16 = 5;

/// Takes `null` for the value that stands for nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A name in both spellings.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Name {
    /// As it was given.
    #[serde(rename = "O")]
    pub original: String,
    /// In lower case.
    #[serde(rename = "L")]
    pub lower: String,
}

/// A table.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Table {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: Name,
    /// Columns by offset.
    #[serde(rename = "cols", deserialize_with = "or_default")]
    pub columns: Vec<Column>,
    /// Indexes.
    #[serde(rename = "index_info", deserialize_with = "or_default")]
    pub indexes: Vec<Index>,
    /// How far it has come.
    pub state: u8,
    /// The one integer column of the primary key is the handle.
    pub pk_is_handle: bool,
    /// The columns of the primary key are the handle. None in 4.0.
    pub is_common_handle: Option<bool>,
    /// 1 where only what a key lost is kept beside it.
    pub common_handle_version: u16,
    /// AUTO_ID_CACHE.
    pub auto_id_cache: i64,
    /// The greatest column id so far.
    pub max_col_id: i64,
    /// The greatest index id so far.
    pub max_idx_id: i64,
    /// The database it came from.
    pub old_schema_id: i64,
    /// SHARD_ROW_ID_BITS.
    #[serde(rename = "ShardRowIDBits")]
    pub shard_row_id_bits: u32,
    /// The most that those were.
    pub max_shard_row_id_bits: u32,
    /// AUTO_RANDOM's shard bits.
    pub auto_random_bits: u32,
    /// AUTO_RANDOM's range.
    pub auto_random_range_bits: u32,
    /// Partitions.
    pub partition: Option<Partitioning>,
    /// Set for views.
    pub view: Option<serde::de::IgnoredAny>,
    /// Set for sequences.
    pub sequence: Option<Sequence>,
    /// Of this structure.
    pub version: u16,
}

/// A column.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Column {
    /// Its id in rows.
    pub id: i64,
    /// Its name.
    pub name: Name,
    /// What rows have that are older than it.
    pub origin_default: Option<String>,
    /// The same in base64, for BIT.
    pub origin_default_bit: Option<String>,
    /// The expression of a generated column.
    pub generated_expr_string: String,
    /// Whether its values are kept.
    pub generated_stored: bool,
    /// Whether it stands for the expression of an index.
    pub hidden: bool,
    /// How far it has come.
    pub state: u8,
    /// Its type.
    #[serde(rename = "type")]
    pub field_type: FieldType,
}

/// A type.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FieldType {
    /// Number of the type, see [`tp`].
    pub tp: u8,
    /// See [`flag`].
    pub flag: u64,
    /// Length.
    pub flen: i64,
    /// Digits of the fraction.
    pub decimal: i64,
    /// Character set.
    pub charset: String,
    /// Collation.
    pub collate: String,
    /// Members of ENUM and SET.
    #[serde(deserialize_with = "or_default")]
    pub elems: Vec<String>,
}

/// An index.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Index {
    /// Its id.
    pub id: i64,
    /// Its name.
    #[serde(rename = "idx_name")]
    pub name: Name,
    /// Its columns.
    #[serde(rename = "idx_cols")]
    pub parts: Vec<Part>,
    /// How far it has come.
    pub state: u8,
    /// UNIQUE.
    pub is_unique: bool,
    /// PRIMARY.
    pub is_primary: bool,
    /// Over all partitions.
    pub is_global: bool,
}

/// A column of an index.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Part {
    /// The column's.
    pub offset: usize,
    /// Of the prefix; -1 is all.
    pub length: i64,
}

/// A sequence.
#[derive(Debug, Clone, Deserialize)]
pub struct Sequence {
    /// START.
    #[serde(rename = "sequence_start")]
    pub start: i64,
    /// CYCLE.
    #[serde(rename = "sequence_cycle")]
    pub cycle: bool,
    /// MINVALUE.
    #[serde(rename = "sequence_min_value")]
    pub min: i64,
    /// MAXVALUE.
    #[serde(rename = "sequence_max_value")]
    pub max: i64,
    /// INCREMENT.
    #[serde(rename = "sequence_increment")]
    pub increment: i64,
}

/// Partitions.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Partitioning {
    /// Whether there are any.
    pub enable: bool,
    /// Each of them.
    #[serde(deserialize_with = "or_default")]
    pub definitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Partition {
    /// Its rows are under this id.
    pub id: i64,
    /// Its name.
    pub name: Name,
}

impl Table {
    /// Whether keys hold sort keys: not in 4.0.
    pub fn new_collations(&self) -> bool {
        self.is_common_handle.is_some()
    }

    /// Whether it has rows of its own.
    pub fn has_rows(&self) -> bool {
        self.view.is_none() && self.sequence.is_none()
    }

    /// Its partitions; none if it is in one piece.
    pub fn partitions(&self) -> &[Partition] {
        match &self.partition {
            Some(partition) if partition.enable => &partition.definitions,
            _ => &[],
        }
    }

    /// The ids that its rows are under.
    pub fn physical_ids(&self) -> Vec<i64> {
        match self.partitions() {
            [] => vec![self.id],
            partitions => partitions.iter().map(|p| p.id).collect(),
        }
    }

    /// The place of the column that is the handle.
    pub fn handle_column(&self) -> Option<usize> {
        let is_handle = |c: &Column| self.pk_is_handle && c.field_type.has(flag::PRIMARY);
        self.columns.iter().position(is_handle)
    }

    /// The index whose columns are the handle.
    pub fn clustered(&self) -> Option<&Index> {
        let primary = self.indexes.iter().find(|i| i.is_primary);
        primary.filter(|_| self.is_common_handle == Some(true))
    }

    /// The indexes that statements see.
    pub fn public_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|i| i.state == PUBLIC)
    }

    /// The indexes that have entries: of a clustered one the rows are.
    pub fn written_indexes(&self) -> impl Iterator<Item = &Index> {
        let clustered = self.clustered().map(|i| i.id);
        self.public_indexes()
            .filter(move |i| Some(i.id) != clustered)
    }

    /// Whether rows are told apart by `_tidb_rowid`.
    pub fn has_row_id(&self) -> bool {
        self.handle_column().is_none() && self.clustered().is_none()
    }

    /// Whether AUTO_INCREMENT has a counter of its own.
    pub fn separate_counters(&self) -> bool {
        self.version >= SEPARATE_COUNTERS && self.auto_id_cache == 1
    }
}

impl Column {
    /// Whether it is computed.
    pub fn is_generated(&self) -> bool {
        !self.generated_expr_string.is_empty()
    }

    /// Whether it is in no row.
    pub fn is_virtual(&self) -> bool {
        self.is_generated() && !self.generated_stored
    }

    /// Whether statements see it.
    pub fn is_public(&self) -> bool {
        self.state == PUBLIC
    }
}

impl FieldType {
    /// Whether a flag is set.
    pub fn has(&self, flag: u64) -> bool {
        self.flag & flag != 0
    }

    /// Whether it is an integer.
    pub fn is_integer(&self) -> bool {
        matches!(
            self.tp,
            tp::TINY | tp::SHORT | tp::LONG | tp::LONG_LONG | tp::INT24
        )
    }

    /// Whether it is a string, of characters or bytes.
    pub fn is_string(&self) -> bool {
        matches!(self.tp, tp::VARCHAR | tp::TINY_BLOB..=tp::STRING)
    }

    /// Whether it is a string of characters.
    pub fn is_text(&self) -> bool {
        self.is_string() && self.charset != "binary"
    }

    /// Whether a sort key under its collation is the string itself, without trailing spaces if the collation pads: so it is not
    /// under `gbk_bin` (`row-and-key-codecs.md §9`).
    pub fn is_bin(&self) -> bool {
        matches!(
            self.collate.as_str(),
            "binary" | "ascii_bin" | "latin1_bin" | "utf8_bin" | "utf8mb4_bin" | "utf8mb4_0900_bin"
        )
    }

    /// Whether it is DATE, DATETIME or TIMESTAMP.
    pub fn is_calendar(&self) -> bool {
        matches!(self.tp, tp::DATE | tp::DATETIME | tp::TIMESTAMP)
    }

    /// Digits of the fraction of a time or decimal.
    pub fn fraction(&self) -> usize {
        usize::try_from(self.decimal).unwrap_or(0)
    }

    /// Whether a key holds less than the string, so that the string is kept beside it (`row-and-key-codecs.md §3`).
    pub fn needs_restored(&self) -> bool {
        self.is_text()
            && self.collate != "utf8mb4_0900_bin"
            && (!self.is_bin() || matches!(self.tp, tp::VARCHAR | tp::VAR_STRING))
    }
}
