use super::{DbInfo, SchemaState, TableInfo, Tree};
use serde::{Serialize, Serializer};

/// What a DDL job does (`docs/spec/tidb-schema.md §6.2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "named as the statements they come from")]
pub enum Action {
    CreateSchema = 1,
    DropSchema = 2,
    CreateTable = 3,
    DropTable = 4,
    AddColumn = 5,
    DropColumn = 6,
    AddIndex = 7,
    DropIndex = 8,
    TruncateTable = 11,
    ModifyColumn = 12,
    RebaseAutoId = 13,
    AddForeignKey = 9,
    DropForeignKey = 10,
    RenameTable = 14,
    SetDefaultValue = 15,
    ModifyTableComment = 17,
    RenameIndex = 18,
    AddTablePartition = 19,
    DropTablePartition = 20,
    CreateView = 21,
    ModifyTableCharset = 22,
    TruncateTablePartition = 23,
    DropView = 24,
    RecoverTable = 25,
    ModifySchemaCharset = 26,
    AddPrimaryKey = 32,
    DropPrimaryKey = 33,
    CreateSequence = 34,
    AlterSequence = 35,
    DropSequence = 36,
    AlterIndexVisibility = 41,
    ExchangeTablePartition = 42,
    RenameTables = 47,
    CreatePlacementPolicy = 51,
    AlterPlacementPolicy = 52,
    DropPlacementPolicy = 53,
    ModifySchemaPlacement = 55,
    AlterTablePlacement = 56,
    AlterCacheTable = 57,
    AlterNoCacheTable = 59,
    MultiSchemaChange = 61,
    ReorganizePartition = 64,
    AlterTtlInfo = 65,
    AlterTtlRemove = 67,
    AlterTablePartitioning = 71,
    RemovePartitioning = 72,
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u8(*self as u8)
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "TiDB's own names")]
pub enum JobState {
    None = 0,
    Running = 1,
    Rollingback = 2,
    RollbackDone = 3,
    Done = 4,
    Cancelled = 5,
    Synced = 6,
    Cancelling = 7,
    Queueing = 8,
}

impl Serialize for JobState {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u8(*self as u8)
    }
}

/// What a finished job did to the schema.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct HistoryInfo {
    /// The schema version it ended at.
    #[serde(rename = "SchemaVersion")]
    pub schema_version: i64,
    /// The database, for jobs on one.
    #[serde(rename = "DBInfo")]
    pub db_info: Option<Box<DbInfo>>,
    /// The table, for jobs on one.
    #[serde(rename = "TableInfo")]
    pub table_info: Option<Box<TableInfo>>,
    /// Start TSO of the transaction that moved the job to the history; 0 before.
    #[serde(rename = "FinishedTS")]
    pub finished_ts: u64,
    /// All tables of RENAME TABLES. Since 5.0.
    #[serde(rename = "MultipleTableInfos", skip_serializing_if = "Option::is_none")]
    pub multiple_table_infos: Option<Option<Vec<TableInfo>>>,
}

/// Who asked for the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceInfo {
    /// The session's connection id.
    pub connection_id: u64,
    /// `tidb_session_alias`.
    pub session_alias: String,
}

/// A database, table or placement policy that a job touches beside its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InvolvingSchema {
    /// Database, lower case.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub database: String,
    /// Table, lower case; `*` for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// Placement policy, lower case.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub policy: String,
    /// 0 exclusive, 1 shared.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: u8,
}

fn is_zero(n: &u8) -> bool {
    *n == 0
}

impl InvolvingSchema {
    /// A table, exclusively.
    pub(crate) fn table(database: &str, table: &str) -> Self {
        Self {
            database: database.to_owned(),
            table: table.to_owned(),
            ..Self::default()
        }
    }

    /// A placement policy, exclusively.
    pub(crate) fn policy(name: &str) -> Self {
        Self {
            policy: name.to_owned(),
            ..Self::default()
        }
    }

    /// The same, together with others.
    pub(crate) fn shared(self) -> Self {
        Self { mode: 1, ..self }
    }
}

/// A part of a multi-schema change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubJob {
    /// What it does.
    #[serde(rename = "type")]
    pub action: Action,
    /// Its arguments.
    pub raw_args: Tree,
    /// How far its object is.
    pub schema_state: SchemaState,
    /// Snapshot of a reorganisation.
    pub snapshot_ver: u64,
    /// Start TSO of its first step.
    pub real_start_ts: u64,
    /// Whether it can still be undone.
    pub revertible: bool,
    /// How far it is.
    pub state: JobState,
    /// Rows touched by a reorganisation.
    pub row_count: i64,
    /// Its warning.
    pub warning: Tree,
    /// The schema version it last made.
    pub schema_version: i64,
    /// How a reorganisation works.
    pub reorg_tp: u8,
    /// Whether a reorganisation uses cloud storage.
    pub use_cloud: bool,
}

/// A multi-schema change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MultiSchemaInfo {
    /// Its parts.
    pub sub_jobs: Vec<SubJob>,
    /// Whether it can still be undone.
    pub revertible: bool,
    /// Where it is.
    pub seq: i32,
}

/// A DDL job (`docs/spec/tidb-schema.md §6.1`). Members that 4.0 lacks are `None` there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Unique among all databases, tables and jobs.
    pub id: i64,
    /// What it does.
    #[serde(rename = "type")]
    pub action: Action,
    /// The database.
    pub schema_id: i64,
    /// The table, 0 for none.
    pub table_id: i64,
    /// The database's name, lower case.
    pub schema_name: String,
    /// The table's name, lower case. Since 6.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_name: Option<String>,
    /// How far it is.
    pub state: JobState,
    /// Since 5.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<Tree>,
    /// Why it failed.
    pub err: Tree,
    /// How often it failed.
    pub err_count: i64,
    /// Rows touched by a reorganisation.
    pub row_count: i64,
    /// Arguments; their shape depends on action and release.
    pub raw_args: Tree,
    /// How far the object is.
    pub schema_state: SchemaState,
    /// Snapshot of a reorganisation.
    pub snapshot_ver: u64,
    /// Start TSO of its first step. Since 6.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub real_start_ts: Option<u64>,
    /// TSO when it was queued.
    pub start_ts: u64,
    /// A job it waits for.
    pub dependency_id: i64,
    /// The statement as typed.
    pub query: String,
    /// What it did.
    pub binlog: HistoryInfo,
    /// Form of the arguments.
    pub version: u8,
    /// How a reorganisation works.
    pub reorg_meta: Tree,
    /// Since 6.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_schema_info: Option<Option<MultiSchemaInfo>>,
    /// 1 for index jobs of newer releases.
    pub priority: u8,
    /// Order in the history. Since 6.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq_num: Option<u64>,
    /// Connection character set, for index jobs. Since 6.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Connection collation, for index jobs. Since 6.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collate: Option<String>,
    /// What else it touches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub involving_schema_info: Vec<InvolvingSchema>,
    /// Since 7.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_operator: Option<u8>,
    /// Since 7.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_info: Option<TraceInfo>,
    /// Since 7.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bdr_role: Option<String>,
    /// Since 7.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdc_write_source: Option<u64>,
    /// Since 8.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_mode: Option<bool>,
    /// Since 8.x: bits of the session's `sql_mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql_mode: Option<u64>,
}

impl Job {
    /// Tells how many rows were worked on: by the job, or by one of its parts.
    pub(crate) fn count_rows(&mut self, part: Option<usize>, rows: i64) {
        let Some(part) = part else {
            self.row_count = rows;
            return;
        };
        let parts = self.multi_schema_info.iter_mut().flatten();
        if let Some(sub) = parts.flat_map(|info| &mut info.sub_jobs).nth(part) {
            sub.row_count = rows;
        }
    }
}

/// What changed at a schema version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemaDiff {
    /// The version.
    pub version: i64,
    /// The action.
    #[serde(rename = "type")]
    pub action: Action,
    /// The database.
    pub schema_id: i64,
    /// The table.
    pub table_id: i64,
    /// Actions of a multi-schema change, as Go prints bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_action_types: Option<String>,
    /// The table's id before.
    pub old_table_id: i64,
    /// The database before.
    pub old_schema_id: i64,
    /// Always false. Since 6.x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regenerate_schema_map: Option<bool>,
    /// Further tables.
    pub affected_options: Option<Vec<AffectedOption>>,
}

/// A further table of a [`SchemaDiff`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AffectedOption {
    /// The database.
    pub schema_id: i64,
    /// The table.
    pub table_id: i64,
    /// The table's id before.
    pub old_table_id: i64,
    /// The database before.
    pub old_schema_id: i64,
}
