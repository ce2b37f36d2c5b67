//! DDL statements reduced to what is served. Reading one from the parser's tree refuses everything else by name.

use tidb_sql::ast::{
    Expr, PartitionBy, PartitionDef, PartitionNames, PlacementOption, Query, SequenceOption, User,
};

pub(crate) use super::default::DefaultValue;
pub(crate) use super::types::TypeSpec;
pub(crate) use crate::tidb::catalog::ddl::Position;
pub(crate) use crate::tidb::catalog::generated::Generated;

/// A table's name, with its database if that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) database: Option<String>,
    pub(crate) table: String,
}

/// CHARACTER SET and COLLATE clauses.
#[derive(Debug, Clone, Default)]
pub(crate) struct CharsetClause {
    pub(crate) charset: Option<String>,
    pub(crate) collate: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Statement {
    CreateDatabase {
        name: String,
        if_not_exists: bool,
        options: DatabaseOptions,
    },
    AlterDatabase {
        name: Option<String>,
        options: DatabaseOptions,
    },
    DropDatabase {
        name: String,
        if_exists: bool,
    },
    CreateTable(Box<CreateTable>),
    CreateTableLike {
        name: TableName,
        source: TableName,
        if_not_exists: bool,
    },
    DropTable {
        names: Vec<TableName>,
        if_exists: bool,
    },
    CreateView(Box<View>),
    DropView {
        names: Vec<TableName>,
        if_exists: bool,
    },
    CreateSequence {
        name: TableName,
        if_not_exists: bool,
        options: Vec<SequenceOption>,
        comment: String,
    },
    AlterSequence {
        name: TableName,
        if_exists: bool,
        options: Vec<SequenceOption>,
    },
    DropSequence {
        names: Vec<TableName>,
        if_exists: bool,
    },
    CreatePolicy {
        name: String,
        or_replace: bool,
        if_not_exists: bool,
        options: Vec<PlacementOption>,
    },
    AlterPolicy {
        name: String,
        if_exists: bool,
        options: Vec<PlacementOption>,
    },
    DropPolicy {
        name: String,
        if_exists: bool,
    },
    TruncateTable(TableName),
    RecoverTable {
        source: RecoverSource,
        to: Option<String>,
    },
    RenameTable(Vec<(TableName, TableName)>),
    AlterTable {
        name: TableName,
        changes: Vec<Change>,
    },
    CreateIndex {
        table: TableName,
        index: IndexDef,
        if_not_exists: bool,
    },
    DropIndex {
        table: TableName,
        index: String,
        if_exists: bool,
    },
}

/// What RECOVER TABLE or FLASHBACK TABLE brings back.
#[derive(Debug, Clone)]
pub(crate) enum RecoverSource {
    /// `RECOVER TABLE t`.
    Recover(TableName),
    /// `RECOVER TABLE BY JOB n`.
    Job(u64),
    /// `FLASHBACK TABLE t`.
    Flashback(TableName),
}

/// What is said of a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct DatabaseOptions {
    pub(crate) charset: CharsetClause,
    /// PLACEMENT POLICY.
    pub(crate) placement: Option<String>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) name: TableName,
    pub(crate) or_replace: bool,
    pub(crate) algorithm: &'static str,
    pub(crate) definer: User,
    pub(crate) invoker: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Query,
    pub(crate) local_check: bool,
}

/// `CREATE TABLE` with its own columns.
#[derive(Debug, Clone)]
pub(crate) struct CreateTable {
    pub(crate) name: TableName,
    pub(crate) if_not_exists: bool,
    /// TEMPORARY: the session's own. 4.0 reads it and makes a table like any other.
    pub(crate) temporary: bool,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) indexes: Vec<IndexDef>,
    pub(crate) foreign_keys: Vec<ForeignKeyDef>,
    /// What is read and not made, with a warning.
    pub(crate) ignored: Vec<Ignored>,
    pub(crate) options: TableOptions,
    pub(crate) partition: Option<PartitionBy>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct TableOptions {
    pub(crate) charset: CharsetClause,
    pub(crate) comment: Option<String>,
    pub(crate) auto_increment: Option<u64>,
    pub(crate) auto_random_base: Option<u64>,
    pub(crate) auto_id_cache: Option<u64>,
    pub(crate) shard_row_id_bits: Option<u64>,
    pub(crate) pre_split_regions: Option<u64>,
    pub(crate) ttl: TtlOptions,
    /// PLACEMENT POLICY.
    pub(crate) placement: Option<String>,
}

/// TTL and what goes with it.
#[derive(Debug, Clone, Default)]
pub(crate) struct TtlOptions {
    pub(crate) expires: Option<Expires>,
    pub(crate) enable: Option<bool>,
    pub(crate) job_interval: Option<String>,
}

/// `TTL = column + INTERVAL n unit`.
#[derive(Debug, Clone)]
pub(crate) struct Expires {
    pub(crate) column: String,
    /// As TiDB writes it.
    pub(crate) interval: String,
    pub(crate) unit: &'static str,
}

/// What a PRIMARY KEY says about being clustered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Clustering {
    #[default]
    Unspecified,
    Clustered,
    NonClustered,
}

#[derive(Debug, Clone)]
pub(crate) struct ColumnDef {
    pub(crate) name: String,
    pub(crate) spec: TypeSpec,
    /// NULL or NOT NULL, if said.
    pub(crate) not_null: Option<bool>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) auto_increment: bool,
    /// AUTO_RANDOM's bits of the shard and of the whole value, 0 for none given.
    pub(crate) auto_random: Option<(u64, u64)>,
    pub(crate) primary: Option<Clustering>,
    pub(crate) unique: bool,
    pub(crate) on_update_now: bool,
    pub(crate) comment: Option<String>,
    pub(crate) generated: Option<Generated>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexKind {
    Primary(Clustering),
    Unique,
    Plain,
}

#[derive(Debug, Clone)]
pub(crate) struct IndexDef {
    pub(crate) kind: IndexKind,
    /// None for a name of TiDB's choice.
    pub(crate) name: Option<String>,
    /// Columns with their prefix length.
    pub(crate) columns: Vec<(String, Option<u64>)>,
    /// Which of those are expressions: their names come with the hidden columns that are made for them.
    pub(crate) expressions: Vec<(usize, Expr)>,
    pub(crate) comment: Option<String>,
    pub(crate) invisible: bool,
    /// `USING`: 1 BTREE, 2 HASH, 3 RTREE.
    pub(crate) index_type: Option<u8>,
    /// Whether any index option was given: 4.0's jobs tell none from the default ones.
    pub(crate) has_options: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ForeignKeyDef {
    /// None for a name of TiDB's choice.
    pub(crate) name: Option<String>,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) ref_table: TableName,
    pub(crate) ref_columns: Vec<String>,
    /// By TiDB's number: 0 not said, 1 RESTRICT, 2 CASCADE, 3 SET NULL, 4 NO ACTION, 5 SET DEFAULT.
    pub(crate) on_delete: u8,
    pub(crate) on_update: u8,
}

/// What TiDB reads and does not make, and says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// CHECK constraints, while `tidb_enable_check_constraint` is off.
    Check,
    /// FULLTEXT indexes.
    FullText,
    /// ORDER BY of a table that has a clustered key.
    OrderBy,
}

/// A constraint of a statement.
pub(crate) enum Constraint {
    Index(IndexDef),
    ForeignKey(ForeignKeyDef),
    Ignored(Ignored),
}

/// One change of ALTER TABLE.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    AddColumn {
        column: ColumnDef,
        position: Position,
        if_not_exists: bool,
    },
    DropColumn {
        name: String,
        if_exists: bool,
    },
    /// MODIFY and CHANGE.
    ModifyColumn {
        old: String,
        column: ColumnDef,
        position: Position,
        if_exists: bool,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    SetDefault {
        column: String,
        /// None for DROP DEFAULT.
        value: Option<DefaultValue>,
    },
    AddIndex {
        index: IndexDef,
        if_not_exists: bool,
    },
    DropIndex {
        name: String,
        if_exists: bool,
    },
    DropPrimaryKey,
    RenameIndex {
        from: String,
        to: String,
    },
    Visibility {
        index: String,
        invisible: bool,
    },
    AddForeignKey(ForeignKeyDef),
    DropForeignKey {
        name: String,
        if_exists: bool,
    },
    ShardRowIdBits(u64),
    /// CACHE and NOCACHE.
    Cache(bool),
    Placement(String),
    Ttl(TtlOptions),
    RemoveTtl,
    Ignored(Ignored),
    Rename(TableName),
    Comment(String),
    /// The table's default, and with CONVERT TO its columns too.
    Charset {
        clause: CharsetClause,
        convert: bool,
    },
    AutoIncrement {
        /// The next value.
        base: u64,
        /// FORCE: lower than values that were taken.
        force: bool,
    },
    Partition(Box<PartitionChange>),
    /// What TiDB accepts and ignores: ENGINE, ALGORITHM, LOCK, ORDER BY and the like.
    Nothing,
}

/// A change of a table's partitions.
#[derive(Debug, Clone)]
pub(crate) enum PartitionChange {
    Add {
        definitions: Vec<PartitionDef>,
        /// PARTITIONS n, of HASH and KEY.
        count: Option<u64>,
        if_not_exists: bool,
    },
    Drop {
        names: Vec<String>,
        if_exists: bool,
    },
    Truncate(PartitionNames),
    Coalesce(u64),
    Reorganize {
        names: Vec<String>,
        into: Vec<PartitionDef>,
    },
    Exchange {
        partition: String,
        table: TableName,
        validation: bool,
    },
    By(Box<PartitionBy>),
    Remove,
    /// FIRST PARTITION LESS THAN: drops those before.
    First(Expr),
    /// LAST PARTITION LESS THAN: adds those up to it.
    Last(Expr),
    /// CHECK, OPTIMIZE, REPAIR, REBUILD and the like, which TiDB reads and refuses.
    Refused(&'static str),
}
