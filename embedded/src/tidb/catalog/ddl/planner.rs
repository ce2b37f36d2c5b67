//! Builds the transactions of jobs: queueing, the worker's steps, and the move to the history.

use super::super::model::{
    Action, AffectedOption, DbInfo, HistoryInfo, Job, JobState, SchemaDiff, SchemaState, TableInfo,
    TraceInfo, Tree, lower_case,
};
use super::super::plan::{Plan, QueuedJob, RowCount, Write, start_of};
use super::super::{Catalog, DdlError, Session, TidbVersion};

/// A plan in the making. Ids and schema versions are taken from here, never from the catalog.
pub(crate) struct Planner<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) session: &'a Session,
    /// The statement as typed.
    pub(crate) query: &'a str,
    pub(crate) plan: Plan,
    /// The statement as TiDB itself writes it into the job, where it is not the one typed.
    pub(crate) rewritten: Option<String>,
    /// Writes that go with the next change of the schema.
    pub(crate) also: Vec<Write>,
    last_id: i64,
    schema_version: i64,
    jobs_finished: u64,
    /// Ids were taken that no transaction has recorded yet.
    ids_pending: bool,
}

/// Which object a job works on.
pub(crate) struct Subject<'a> {
    pub(crate) db_id: i64,
    /// Name of the database.
    pub(crate) db: &'a str,
    pub(crate) table_id: i64,
    /// Name of the table, empty for none.
    pub(crate) table: &'a str,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(catalog: &'a Catalog, session: &'a Session, query: &'a str) -> Self {
        Self {
            catalog,
            session,
            query,
            plan: Plan {
                version: Some(catalog.version()),
                ..Plan::default()
            },
            rewritten: None,
            also: vec![],
            last_id: catalog.last_global_id(),
            schema_version: catalog.schema_version(),
            jobs_finished: catalog.jobs_finished(),
            ids_pending: false,
        }
    }

    pub(crate) fn version(&self) -> TidbVersion {
        self.catalog.version()
    }

    /// Whether jobs and tables have the members of 8.5.
    pub(crate) fn modern(&self) -> bool {
        self.version() >= TidbVersion::V8_5
    }

    /// The last schema version made.
    pub(crate) fn schema_version(&self) -> i64 {
        self.schema_version
    }

    /// The next id for a database, table or job.
    pub(crate) fn new_id(&mut self) -> i64 {
        self.last_id += 1;
        self.ids_pending = true;
        self.last_id
    }

    /// Records the ids that were taken since the job was queued.
    pub(crate) fn take_ids(&mut self) -> Write {
        self.ids_pending = false;
        Write::GlobalId(self.last_id)
    }

    /// A difference between two schema versions, at a new version.
    pub(crate) fn diff(&mut self, action: Action, db_id: i64, table_id: i64) -> SchemaDiff {
        self.schema_version += 1;
        SchemaDiff {
            version: self.schema_version,
            action,
            schema_id: db_id,
            table_id,
            sub_action_types: None,
            old_table_id: 0,
            old_schema_id: 0,
            regenerate_schema_map: self.modern().then_some(false),
            affected_options: None,
        }
    }

    /// Further tables of a difference.
    pub(crate) fn affected(table_id: i64, db_id: i64, old_db_id: i64) -> AffectedOption {
        AffectedOption {
            schema_id: db_id,
            table_id,
            old_table_id: table_id,
            old_schema_id: old_db_id,
        }
    }

    /// The transaction that comes next.
    pub(crate) fn next_step(&self) -> usize {
        self.plan.steps.len()
    }

    /// Queues a job: takes its id and writes it.
    pub(crate) fn enqueue(
        &mut self,
        action: Action,
        subject: &Subject<'_>,
        args: Tree,
    ) -> QueuedJob {
        if self.ids_pending && !self.modern() {
            // 4.0 takes the ids of objects in a transaction of their own.
            self.plan.steps.push(vec![Write::GlobalId(self.last_id)]);
        }
        let id = self.new_id();
        QueuedJob {
            job: self.job(id, action, subject, args),
            schema_ids: subject.db_id.to_string(),
            table_ids: match subject.table_id {
                0 => String::new(),
                id => id.to_string(),
            },
            reorg: false,
        }
    }

    /// Writes a job for the first time.
    pub(crate) fn submit(&mut self, queued: &mut QueuedJob) {
        let step = self.next_step();
        queued.job.start_ts = start_of(step);
        self.plan.steps.push(vec![
            Write::GlobalId(self.last_id),
            Write::Job(Box::new(queued.clone())),
        ]);
        self.ids_pending = false;
        if let Some(ts) = &mut queued.job.real_start_ts {
            *ts = start_of(step + 1);
        }
    }

    /// The job, or its part, tells from the transaction `from` on how many rows were worked on before the one `before`.
    pub(crate) fn count_rows(&mut self, before: usize, from: usize, part: Option<usize>) {
        self.plan.counts.push(RowCount { before, from, part });
    }

    /// One step of the worker: the schema's writes, and the job as it is after them.
    pub(crate) fn step(&mut self, queued: &QueuedJob, mut writes: Vec<Write>) {
        writes.push(Write::Job(Box::new(queued.clone())));
        self.plan.steps.push(writes);
    }

    /// An intermediate step of the worker: the job runs, its object is in `state`.
    pub(crate) fn running(
        &mut self,
        queued: &mut QueuedJob,
        state: SchemaState,
        writes: Vec<Write>,
    ) {
        queued.job.state = JobState::Running;
        queued.job.schema_state = state;
        self.step(queued, writes);
    }

    /// The worker's last step and the move to the history.
    pub(crate) fn done(
        &mut self,
        mut queued: QueuedJob,
        state: SchemaState,
        mut writes: Vec<Write>,
    ) {
        writes.append(&mut self.also);
        queued.job.state = JobState::Done;
        queued.job.schema_state = state;
        self.end(queued, JobState::Synced, writes);
    }

    /// The last step of a job that was rolled back, and its move to the history.
    pub(crate) fn rolled_back(&mut self, mut queued: QueuedJob, writes: Vec<Write>) {
        queued.job.state = JobState::RollbackDone;
        queued.job.schema_state = SchemaState::None;
        self.end(queued, JobState::RollbackDone, writes);
    }

    /// What is planned goes not into the plan, and no version or job counts.
    pub(crate) fn aside(&mut self, plan: impl FnOnce(&mut Self)) -> Vec<Vec<Write>> {
        let (schema_version, jobs_finished) = (self.schema_version, self.jobs_finished);
        let from = self.plan.steps.len();
        plan(self);
        (self.schema_version, self.jobs_finished) = (schema_version, jobs_finished);
        self.plan.steps.split_off(from)
    }

    fn end(&mut self, mut queued: QueuedJob, state: JobState, writes: Vec<Write>) {
        queued.job.binlog.schema_version = self.schema_version;
        self.step(&queued, writes);

        self.jobs_finished += 1;
        let job = &mut queued.job;
        job.state = state;
        job.binlog.finished_ts = start_of(self.plan.steps.len());
        if job.seq_num.is_some() {
            job.seq_num = Some(self.jobs_finished);
        }
        if !keeps_args(job.action) {
            job.raw_args = Tree::Null;
        }
        self.plan
            .steps
            .push(vec![Write::Finished(Box::new(queued))]);
    }

    fn job(&self, id: i64, action: Action, subject: &Subject<'_>, args: Tree) -> Job {
        let modern = self.modern();
        Job {
            id,
            action,
            schema_id: subject.db_id,
            table_id: subject.table_id,
            schema_name: lower_case(subject.db),
            table_name: modern.then(|| lower_case(subject.table)),
            state: if modern {
                JobState::Queueing
            } else {
                JobState::None
            },
            warning: modern.then_some(Tree::Null),
            err: Tree::Null,
            err_count: 0,
            row_count: 0,
            raw_args: args,
            schema_state: SchemaState::None,
            snapshot_ver: 0,
            real_start_ts: modern.then_some(0),
            start_ts: 0,
            dependency_id: 0,
            query: self.rewritten.as_deref().unwrap_or(self.query).to_owned(),
            binlog: HistoryInfo {
                multiple_table_infos: modern.then_some(None),
                ..HistoryInfo::default()
            },
            version: if modern { 2 } else { 1 },
            reorg_meta: Tree::Null,
            multi_schema_info: modern.then_some(None),
            priority: 0,
            seq_num: modern.then_some(0),
            charset: modern.then(String::new),
            collate: modern.then(String::new),
            involving_schema_info: vec![],
            admin_operator: modern.then_some(0),
            trace_info: modern.then(|| TraceInfo {
                connection_id: self.session.connection_id,
                session_alias: String::new(),
            }),
            bdr_role: modern.then(String::new),
            cdc_write_source: modern.then_some(0),
            local_mode: modern.then_some(false),
            sql_mode: modern.then_some(self.session.sql_mode),
        }
    }

    /// A statement that the embedded TiDB does not serve.
    pub(crate) fn unsupported(&self, what: impl Into<String>) -> DdlError {
        unsupported(self.query, what)
    }

    /// A note for the client.
    pub(crate) fn note(&mut self, error: DdlError) -> Result<(), DdlError> {
        self.warn("Note", error)
    }

    /// A warning or note for the client.
    pub(crate) fn warn(&mut self, level: &'static str, error: DdlError) -> Result<(), DdlError> {
        match error {
            DdlError::Sql { code, message } => {
                self.plan.warnings.push(super::super::Warning {
                    level,
                    code,
                    message,
                });
                Ok(())
            }
            other => Err(other),
        }
    }

    /// `update_timestamp` of a table that the next transaction writes.
    pub(crate) fn touch(&self, table: &mut TableInfo) {
        if table.state == SchemaState::Public {
            table.update_timestamp = start_of(self.next_step());
        }
        if let Some(revision) = &mut table.revision {
            *revision += 1;
        }
    }
}

/// The longest part of a statement that an error repeats.
const SHOWN: usize = 120;

pub(crate) fn unsupported(query: &str, what: impl Into<String>) -> DdlError {
    let mut statement: String = query.chars().take(SHOWN).collect();
    if statement.len() < query.len() {
        statement.push('…');
    }
    DdlError::Unsupported {
        what: what.into(),
        statement,
    }
}

/// Whether the history keeps a job's arguments: those from which the garbage collector learns what data to remove,
/// or not to remove.
fn keeps_args(action: Action) -> bool {
    matches!(
        action,
        Action::DropSchema
            | Action::DropTable
            | Action::TruncateTable
            | Action::RecoverTable
            | Action::AddIndex
            | Action::AddPrimaryKey
            | Action::DropIndex
            | Action::DropPrimaryKey
            | Action::DropColumn
            | Action::ModifyColumn
            | Action::MultiSchemaChange
            | Action::DropTablePartition
            | Action::TruncateTablePartition
            | Action::ReorganizePartition
            | Action::AlterTablePartitioning
            | Action::RemovePartitioning
    )
}

/// A database as the subject of a job.
pub(crate) fn on_db(db: &DbInfo) -> Subject<'_> {
    Subject {
        db_id: db.id,
        db: &db.name.o,
        table_id: 0,
        table: "",
    }
}

/// A table as the subject of a job.
pub(crate) fn on_table<'a>(db: &'a DbInfo, table: &'a TableInfo) -> Subject<'a> {
    Subject {
        db_id: db.id,
        db: &db.name.o,
        table_id: table.id,
        table: &table.name.o,
    }
}

/// Ids as the job table lists them: each once, in the order of their texts.
pub(crate) fn id_list(ids: impl IntoIterator<Item = i64>) -> String {
    let mut texts: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.join(",")
}
