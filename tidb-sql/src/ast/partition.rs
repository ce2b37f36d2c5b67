//! Partitions.

use super::{ColumnName, Expr, TableOption, TimeUnit};

/// How rows are given to partitions.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionMethod {
    /// `HASH (expr)`.
    Hash {
        /// LINEAR.
        linear: bool,
        /// The expression.
        expr: Expr,
    },
    /// `KEY (columns)`.
    Key {
        /// LINEAR.
        linear: bool,
        /// ALGORITHM.
        algorithm: Option<u64>,
        /// The columns.
        columns: Vec<ColumnName>,
    },
    /// `RANGE (expr)`.
    Range(Expr),
    /// `RANGE COLUMNS (columns)`.
    RangeColumns(Vec<ColumnName>),
    /// `LIST (expr)`.
    List(Expr),
    /// `LIST COLUMNS (columns)`.
    ListColumns(Vec<ColumnName>),
}

/// `INTERVAL (…) FIRST PARTITION LESS THAN (…) …`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionInterval {
    /// The width.
    pub expr: Expr,
    /// Its unit, for times.
    pub unit: Option<TimeUnit>,
    /// FIRST PARTITION LESS THAN.
    pub first: Option<Expr>,
    /// LAST PARTITION LESS THAN.
    pub last: Option<Expr>,
    /// NULL PARTITION.
    pub null: bool,
    /// MAXVALUE PARTITION.
    pub maxvalue: bool,
}

/// `PARTITION BY …`.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionBy {
    /// The method.
    pub method: PartitionMethod,
    /// INTERVAL, of RANGE.
    pub interval: Option<PartitionInterval>,
    /// PARTITIONS; 1 for HASH and KEY without.
    pub count: Option<u64>,
    /// SUBPARTITION BY with its number.
    pub sub: Option<(PartitionMethod, Option<u64>)>,
    /// The partitions, if they are listed.
    pub definitions: Vec<PartitionDef>,
    /// UPDATE INDEXES: names with whether they become GLOBAL.
    pub update_indexes: Vec<(String, bool)>,
}

/// Which values are in a partition.
#[derive(Debug, Clone, PartialEq)]
pub enum PartitionValues {
    /// Nothing is said: HASH and KEY.
    None,
    /// `VALUES LESS THAN (…)`.
    LessThan(Vec<Expr>),
    /// `VALUES IN (…)`; each value is a list.
    In(Vec<Vec<Expr>>),
    /// `DEFAULT`.
    Default,
}

/// A partition.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionDef {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: PartitionValues,
    /// Its options, in order.
    pub options: Vec<TableOption>,
    /// Its subpartitions.
    pub sub: Vec<SubPartitionDef>,
}

/// A subpartition.
#[derive(Debug, Clone, PartialEq)]
pub struct SubPartitionDef {
    /// Its name.
    pub name: String,
    /// Its options, in order.
    pub options: Vec<TableOption>,
}
