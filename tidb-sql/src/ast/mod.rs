//! Statements as trees. Names and strings hold their values, without quotes and escapes.

mod alter;
mod column;
mod create;
mod data_type;
mod expr;
mod key;
mod option;
mod other;
mod partition;
mod query;

pub use alter::{
    AlterSpec, AlterTable, IndexChange, PartitionNames, PartitionTask, Placed, Position,
};
pub use column::{AutoRandom, ColumnDef, ColumnOption};
pub use create::{CreateTable, Duplicates, Temporary};
pub use data_type::{DataType, TypeKind};
pub use expr::{
    BinaryOp, CaseArm, CastStyle, CastType, Expr, Frame, FrameBound, Function, Literal, TimeUnit,
    Truth, UnaryOp, Window, WindowSpec,
};
pub use key::{
    Clustering, Constraint, CreateIndex, ForeignKey, IndexKind, IndexLocks, IndexOptions,
    IndexPart, IndexType, Match, Reference, ReferenceAction, TableKey,
};
pub use option::{DatabaseOption, StatsValue, TableOption};
pub use other::{CreateView, PlacementOption, Recover, SequenceOption, User};
pub use partition::{
    PartitionBy, PartitionDef, PartitionInterval, PartitionMethod, PartitionValues, SubPartitionDef,
};
pub use query::{
    CommonTable, IndexHint, Join, JoinKind, Limit, Lock, OrderBy, Query, QueryBody, Select,
    SelectItem, SetOperator, TableRef,
};

/// A table's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The database, if it is given.
    pub schema: Option<String>,
    /// The table.
    pub name: String,
}

/// A column's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnName {
    /// The database, if it is given.
    pub schema: Option<String>,
    /// The table, if it is given.
    pub table: Option<String>,
    /// The column.
    pub name: String,
}

/// A DDL statement.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Statement {
    /// `CREATE DATABASE`.
    CreateDatabase {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Its name.
        name: String,
        /// Its options, in order.
        options: Vec<DatabaseOption>,
    },
    /// `ALTER DATABASE`.
    AlterDatabase {
        /// Its name; none for the session's.
        name: Option<String>,
        /// The new options, in order.
        options: Vec<DatabaseOption>,
    },
    /// `DROP DATABASE`.
    DropDatabase {
        /// IF EXISTS.
        if_exists: bool,
        /// Its name.
        name: String,
    },
    /// `FLASHBACK DATABASE`.
    FlashbackDatabase {
        /// The dropped database.
        name: String,
        /// Its new name.
        to: Option<String>,
    },
    /// `CREATE TABLE` with columns of its own.
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE … LIKE`.
    CreateTableLike {
        /// Kept for the session or for all of them.
        temporary: Temporary,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// The new table.
        name: TableName,
        /// The table that it is like.
        source: TableName,
    },
    /// `DROP TABLE`.
    DropTable {
        /// DROP [GLOBAL] TEMPORARY TABLE.
        temporary: Temporary,
        /// IF EXISTS.
        if_exists: bool,
        /// The tables.
        names: Vec<TableName>,
    },
    /// `TRUNCATE TABLE`.
    TruncateTable(TableName),
    /// `RENAME TABLE a TO b, …`.
    RenameTable(Vec<(TableName, TableName)>),
    /// `ALTER TABLE`.
    AlterTable(AlterTable),
    /// `CREATE INDEX`.
    CreateIndex(Box<CreateIndex>),
    /// `DROP INDEX`.
    DropIndex {
        /// IF EXISTS.
        if_exists: bool,
        /// The index.
        name: String,
        /// Its table.
        table: TableName,
        /// ALGORITHM and LOCK.
        locks: IndexLocks,
    },
    /// `CREATE VIEW`.
    CreateView(Box<CreateView>),
    /// `DROP VIEW`.
    DropView {
        /// IF EXISTS.
        if_exists: bool,
        /// The views.
        names: Vec<TableName>,
    },
    /// `CREATE SEQUENCE`.
    CreateSequence {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Its name.
        name: TableName,
        /// Its options, in order.
        options: Vec<SequenceOption>,
        /// Its table options, in order.
        table_options: Vec<TableOption>,
    },
    /// `ALTER SEQUENCE`.
    AlterSequence {
        /// IF EXISTS.
        if_exists: bool,
        /// Its name.
        name: TableName,
        /// The new options, in order.
        options: Vec<SequenceOption>,
    },
    /// `DROP SEQUENCE`.
    DropSequence {
        /// IF EXISTS.
        if_exists: bool,
        /// The sequences.
        names: Vec<TableName>,
    },
    /// `RECOVER TABLE`.
    RecoverTable(Recover),
    /// `FLASHBACK TABLE`.
    FlashbackTable {
        /// The dropped or truncated table.
        name: TableName,
        /// Its new name.
        to: Option<String>,
    },
    /// `CREATE PLACEMENT POLICY`.
    CreatePlacementPolicy {
        /// OR REPLACE.
        or_replace: bool,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Its name.
        name: String,
        /// Its options, in order.
        options: Vec<PlacementOption>,
    },
    /// `ALTER PLACEMENT POLICY`.
    AlterPlacementPolicy {
        /// IF EXISTS.
        if_exists: bool,
        /// Its name.
        name: String,
        /// The new options, in order.
        options: Vec<PlacementOption>,
    },
    /// `DROP PLACEMENT POLICY`.
    DropPlacementPolicy {
        /// IF EXISTS.
        if_exists: bool,
        /// Its name.
        name: String,
    },
}
