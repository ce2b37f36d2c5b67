//! CREATE TABLE.

use super::{ColumnDef, Constraint, PartitionBy, TableName, TableOption};

/// How long a table's rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporary {
    /// Until they are deleted.
    #[default]
    No,
    /// TEMPORARY: while the session lasts.
    Session,
    /// GLOBAL TEMPORARY: the table stays, its rows are each session's own.
    Global,
}

/// `CREATE TABLE` with columns of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTable {
    /// TEMPORARY or GLOBAL TEMPORARY.
    pub temporary: Temporary,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Its name.
    pub name: TableName,
    /// Its columns, in order.
    pub columns: Vec<ColumnDef>,
    /// Its keys and checks, in order.
    pub constraints: Vec<Constraint>,
    /// Its options, in order.
    pub options: Vec<TableOption>,
    /// Its partitions.
    pub partition: Option<PartitionBy>,
    /// `ON COMMIT DELETE ROWS` (true) or `PRESERVE ROWS`; of GLOBAL TEMPORARY tables.
    pub on_commit_delete: Option<bool>,
    /// The query whose rows it is made from, with what to do about duplicates: TiDB reads it and refuses it.
    pub select: Option<Box<(Duplicates, super::Query)>>,
}

/// What happens to a row of a query whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// An error.
    Error,
    /// IGNORE: the first stays.
    Ignore,
    /// REPLACE: the last stays.
    Replace,
}
