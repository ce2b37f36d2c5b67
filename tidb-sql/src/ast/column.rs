//! Definitions of columns.

use super::{Clustering, ColumnName, DataType, Expr, Reference};

/// A column with its type and options.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: ColumnName,
    /// Its type.
    pub data_type: DataType,
    /// What else is said about it, in order.
    pub options: Vec<ColumnOption>,
}

/// `AUTO_RANDOM(shard, range)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoRandom {
    /// Bits of the shard.
    pub shard_bits: Option<u64>,
    /// Bits of the whole id.
    pub range_bits: Option<u64>,
}

/// Something said about a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnOption {
    /// `PRIMARY KEY`.
    PrimaryKey {
        /// CLUSTERED or NONCLUSTERED.
        clustering: Clustering,
        /// GLOBAL.
        global: bool,
    },
    /// `UNIQUE KEY`.
    Unique {
        /// GLOBAL.
        global: bool,
    },
    /// `NOT NULL`.
    NotNull,
    /// `NULL`.
    Null,
    /// `AUTO_INCREMENT`.
    AutoIncrement,
    /// `AUTO_RANDOM`.
    AutoRandom(AutoRandom),
    /// `DEFAULT`.
    Default(Expr),
    /// `ON UPDATE CURRENT_TIMESTAMP`.
    OnUpdate(Expr),
    /// `COMMENT`.
    Comment(String),
    /// `[GENERATED ALWAYS] AS (…)`.
    Generated {
        /// The expression.
        expr: Expr,
        /// STORED, else VIRTUAL.
        stored: bool,
    },
    /// `REFERENCES …`, which TiDB ignores here.
    References(Reference),
    /// `COLLATE`, with the collation's canonical name.
    Collate(String),
    /// `CHECK (…)`.
    Check {
        /// Its name.
        name: Option<String>,
        /// The condition.
        expr: Expr,
        /// Whether it is ENFORCED.
        enforced: bool,
    },
    /// `COLUMN_FORMAT`, which TiDB ignores.
    Format(&'static str),
    /// `STORAGE`, which TiDB ignores.
    Storage(&'static str),
}
