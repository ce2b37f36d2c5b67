//! ALTER TABLE.

use super::{
    ColumnDef, ColumnName, Constraint, Expr, PartitionBy, PartitionDef, StatsValue, TableName,
    TableOption,
};

/// `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub name: TableName,
    /// The changes, in order.
    pub specs: Vec<AlterSpec>,
}

/// Where a column goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Position {
    /// Nothing is said.
    #[default]
    Unspecified,
    /// FIRST.
    First,
    /// AFTER a column.
    After(ColumnName),
}

/// A column and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The column.
    pub column: ColumnDef,
    /// Where.
    pub position: Position,
}

/// A change of an index's visibility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexChange {
    /// The index.
    pub name: String,
    /// VISIBLE, else INVISIBLE.
    pub visible: bool,
}

/// Partitions by name, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionNames {
    /// ALL.
    All,
    /// These.
    Names(Vec<String>),
}

/// What is done with partitions as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // SQL's own names
pub enum PartitionTask {
    Truncate,
    Check,
    Optimize,
    Repair,
    Rebuild,
    ImportTablespace,
    DiscardTablespace,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AlterSpec {
    /// Table options that stand together.
    Options(Vec<TableOption>),
    /// ADD COLUMN, one without parentheses.
    AddColumn {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// The column.
        placed: Placed,
    },
    /// `ADD COLUMN (…)`.
    AddColumns {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// The columns.
        columns: Vec<ColumnDef>,
        /// Keys and checks among them.
        constraints: Vec<Constraint>,
    },
    /// ADD a key or a check.
    AddConstraint(Constraint),
    /// DROP COLUMN.
    DropColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// The column.
        name: ColumnName,
    },
    /// DROP PRIMARY KEY.
    DropPrimaryKey,
    /// DROP INDEX.
    DropIndex {
        /// IF EXISTS.
        if_exists: bool,
        /// The index.
        name: String,
    },
    /// DROP FOREIGN KEY.
    DropForeignKey {
        /// IF EXISTS.
        if_exists: bool,
        /// The foreign key.
        name: String,
    },
    /// DROP CHECK, or DROP CONSTRAINT.
    DropCheck(String),
    /// ALTER CHECK.
    AlterCheck {
        /// The check.
        name: String,
        /// ENFORCED.
        enforced: bool,
    },
    /// MODIFY COLUMN.
    ModifyColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// The column as it is to be.
        placed: Placed,
    },
    /// CHANGE COLUMN.
    ChangeColumn {
        /// IF EXISTS.
        if_exists: bool,
        /// The column.
        old: ColumnName,
        /// The column as it is to be.
        placed: Placed,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// The column.
        from: ColumnName,
        /// Its new name.
        to: ColumnName,
    },
    /// ALTER COLUMN … SET DEFAULT.
    SetDefault {
        /// The column.
        column: ColumnName,
        /// Its default.
        value: Expr,
    },
    /// ALTER COLUMN … DROP DEFAULT.
    DropDefault(ColumnName),
    /// RENAME TO.
    Rename(TableName),
    /// RENAME INDEX.
    RenameIndex {
        /// The index.
        from: String,
        /// Its new name.
        to: String,
    },
    /// ALTER INDEX … VISIBLE or INVISIBLE.
    AlterIndex(IndexChange),
    /// ORDER BY, with whether each is DESC.
    OrderBy(Vec<(ColumnName, bool)>),
    /// ALGORITHM.
    Algorithm(&'static str),
    /// LOCK.
    Lock(&'static str),
    /// FORCE.
    Force,
    /// READ WRITE, else READ ONLY.
    Writable(bool),
    /// ENABLE KEYS, else DISABLE KEYS.
    Keys(bool),
    /// WITH VALIDATION, else WITHOUT VALIDATION.
    Validation(bool),
    /// IMPORT TABLESPACE, else DISCARD TABLESPACE.
    Tablespace(bool),
    /// SECONDARY_LOAD, else SECONDARY_UNLOAD.
    Secondary(bool),
    /// CACHE, else NOCACHE.
    Cache(bool),
    /// SET TIFLASH REPLICA.
    TiFlashReplica {
        /// How many.
        count: u64,
        /// LOCATION LABELS.
        labels: Vec<String>,
    },
    /// ATTRIBUTES, of the table or of a partition.
    Attributes {
        /// The partition.
        partition: Option<String>,
        /// The attributes.
        value: StatsValue,
    },
    /// STATS_OPTIONS.
    StatsOptions(StatsValue),
    /// ADD STATS_EXTENDED.
    AddStatistics {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// Their name.
        name: String,
        /// CARDINALITY, DEPENDENCY, CORRELATION.
        kind: &'static str,
        /// The columns.
        columns: Vec<ColumnName>,
    },
    /// DROP STATS_EXTENDED.
    DropStatistics {
        /// IF EXISTS.
        if_exists: bool,
        /// Their name.
        name: String,
    },
    /// REMOVE TTL.
    RemoveTtl,
    /// PARTITION BY.
    PartitionBy(Box<PartitionBy>),
    /// REMOVE PARTITIONING.
    RemovePartitioning,
    /// ADD PARTITION.
    AddPartitions {
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// NO_WRITE_TO_BINLOG.
        no_binlog: bool,
        /// The partitions.
        definitions: Vec<PartitionDef>,
        /// PARTITIONS n instead of them.
        count: Option<u64>,
    },
    /// FIRST PARTITION LESS THAN.
    FirstPartition {
        /// The bound.
        bound: Expr,
        /// MERGE in front of it.
        merge: bool,
    },
    /// LAST PARTITION LESS THAN.
    LastPartition {
        /// The bound.
        bound: Expr,
        /// NO_WRITE_TO_BINLOG.
        no_binlog: bool,
    },
    /// SPLIT MAXVALUE PARTITION LESS THAN.
    SplitMaxvalue(Expr),
    /// PARTITION p with options: placement.
    PartitionOptions {
        /// The partition.
        name: String,
        /// Its options.
        options: Vec<TableOption>,
    },
    /// COALESCE PARTITION.
    Coalesce {
        /// NO_WRITE_TO_BINLOG.
        no_binlog: bool,
        /// By how many.
        count: u64,
    },
    /// DROP PARTITION.
    DropPartitions {
        /// IF EXISTS.
        if_exists: bool,
        /// The partitions.
        names: Vec<String>,
    },
    /// TRUNCATE PARTITION and its like.
    Partitions {
        /// What is done.
        task: PartitionTask,
        /// NO_WRITE_TO_BINLOG.
        no_binlog: bool,
        /// With which.
        names: PartitionNames,
    },
    /// REORGANIZE PARTITION.
    Reorganize {
        /// NO_WRITE_TO_BINLOG.
        no_binlog: bool,
        /// These; none for all, without INTO.
        names: Vec<String>,
        /// Into these.
        into: Vec<PartitionDef>,
    },
    /// EXCHANGE PARTITION.
    Exchange {
        /// The partition.
        partition: String,
        /// The table.
        table: TableName,
        /// WITH VALIDATION, which is the default.
        validation: bool,
    },
}
