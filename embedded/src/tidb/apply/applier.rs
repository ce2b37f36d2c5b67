//! The task that applies the binlog.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::accounts::is_about_accounts;
use super::backfill;
use super::binlog::BinlogError;
use super::binlog::event::{Event, TableMap};
use super::binlog::stream::BinlogStream;
use super::effect::NetEffect;
use super::handle::{Abandoned, ApplyHandle, Desk, Progress, Request, connect};
use super::own::is_about_own;
use super::record::{INTENT_KEY, Intent, encode};
use super::reorganize;
use super::rewrite;
use super::sequence::SequenceMapping;
use super::table::{TableMapping, full_name};
use super::writer::{Changes, Writer};
use super::{ApplyError, Gtid};
use crate::client::Change;
use crate::tidb::catalog::{Catalog, Mutation, Plan, TableInfo};
use crate::tidb::codec::keys::table_prefix;
use crate::tidb::partition::Partitioning;
use crate::tidb::wire::WireError;

/// Events read ahead of the writer.
const READ_AHEAD: usize = 1024;
/// Pause before the stream is opened again after it broke while MariaDB runs.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// Databases that are MariaDB's or the front's own: their rows are not TiDB's.
const OWN_DATABASES: [&str; 4] = ["mysql", "sys", "performance_schema", "information_schema"];

/// Reads the binlog in order and commits to TiKV.
#[derive(Debug)]
pub struct Applier {
    socket: PathBuf,
    writer: Writer,
    catalog: Catalog,
    /// Since it was last reported.
    catalog_changed: bool,
    pending: Option<Pending>,
    group: Option<Group>,
    tables: HashMap<u64, Mapped>,
    /// The partitions of tables by the table's id, as long as its description is the same.
    partitions: HashMap<i64, (Arc<TableInfo>, Option<Arc<Partitioning>>)>,
    desk: Desk,
}

/// A DDL statement under way.
#[derive(Debug)]
struct Pending {
    intent: Intent,
    plan: Plan,
}

/// What a table of the binlog is.
#[derive(Debug)]
enum Mapped {
    Table(Box<TableMapping>),
    Sequence(SequenceMapping),
    /// None of TiDB's.
    Own,
}

/// What has come of the transaction that is being read.
#[derive(Debug)]
struct Group {
    gtid: Gtid,
    standalone: bool,
    effect: NetEffect,
    /// The last value that was taken of sequences, by their ids.
    sequences: BTreeMap<i64, i64>,
}

impl Applier {
    /// An applier that goes on after the writer's position, with the schema as of it, and maybe a DDL statement under
    /// way.
    pub fn new(
        socket: &Path,
        writer: Writer,
        catalog: Catalog,
        pending: Option<(Intent, Plan)>,
    ) -> (Self, ApplyHandle) {
        let (handle, desk) = connect(Progress {
            gtid: writer.gtid(),
            catalog: Arc::new(catalog.clone()),
        });
        let applier = Self {
            socket: socket.to_owned(),
            writer,
            catalog,
            catalog_changed: false,
            pending: pending.map(|(intent, plan)| Pending { intent, plan }),
            group: None,
            tables: HashMap::new(),
            partitions: HashMap::new(),
            desk,
        };
        (applier, handle)
    }

    /// Applies until `stop` is cancelled or something cannot be applied.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), ApplyError> {
        self.resume_plan().await?;
        loop {
            let (events, mut incoming) = mpsc::channel(READ_AHEAD);
            let reader = tokio::spawn(read(self.socket.clone(), self.writer.gtid(), events));
            let ended = self.apply_stream(&mut incoming, &stop).await;
            reader.abort();
            match ended? {
                None => return Ok(()),
                Some(
                    error @ (BinlogError::Wire(WireError::Io { .. } | WireError::Closed { .. })
                    | BinlogError::Ended),
                ) => {
                    // MariaDB's own end is noticed elsewhere; a connection alone may be opened again.
                    tracing::warn!(%error, "the binlog's stream broke; opening it again");
                    self.group = None;
                    self.tables.clear();
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = tokio::time::sleep(REOPEN_PAUSE) => {}
                    }
                }
                Some(error) => return Err(error.into()),
            }
        }
    }

    /// Applies what comes; none when told to stop, else why the stream ended.
    async fn apply_stream(
        &mut self,
        incoming: &mut mpsc::Receiver<Result<Event, BinlogError>>,
        stop: &CancellationToken,
    ) -> Result<Option<BinlogError>, ApplyError> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    self.writer.drain().await?;
                    return Ok(None);
                }
                Some(request) = self.desk.requests.recv() => self.answer(request).await?,
                error = self.writer.failed() => return Err(error),
                event = incoming.recv() => match event {
                    None => return Ok(Some(BinlogError::Ended)),
                    Some(Err(error)) => return Ok(Some(error)),
                    Some(Ok(event)) => {
                        // A commit is not broken off half-way by a stop: it would only be done again.
                        self.apply(event).await?;
                    }
                },
            }
        }
    }

    async fn apply(&mut self, event: Event) -> Result<(), ApplyError> {
        match event {
            Event::Begin { gtid, standalone } => {
                self.group = Some(Group {
                    gtid,
                    standalone,
                    effect: NetEffect::default(),
                    sequences: BTreeMap::new(),
                });
            }
            Event::Table(map) => {
                let mapping = self.mapping(&map)?;
                self.tables.insert(map.id, mapping);
            }
            Event::Rows(rows) => {
                let mapping = self
                    .tables
                    .get(&rows.table_id)
                    .ok_or(BinlogError::UnknownTable { id: rows.table_id })?;
                let group = self.group.as_mut().ok_or_else(|| outside("rows"))?;
                match mapping {
                    Mapped::Table(mapping) => mapping.apply(&rows, &mut group.effect)?,
                    Mapped::Sequence(mapping) => group.sequences.extend([mapping.taken(&rows)?]),
                    Mapped::Own => {}
                }
            }
            Event::Commit => {
                let group = self.group.take().ok_or_else(|| outside("commit"))?;
                self.commit_rows(group).await?;
            }
            Event::Query { sql, .. } => self.query(sql).await?,
            Event::Other => {}
        }
        Ok(())
    }

    fn mapping(&mut self, map: &TableMap) -> Result<Mapped, ApplyError> {
        if OWN_DATABASES.contains(&map.schema.as_str()) {
            return Ok(Mapped::Own);
        }
        let info =
            self.catalog
                .table(&map.schema, &map.table)
                .ok_or_else(|| ApplyError::NoTable {
                    table: full_name(map),
                })?;
        if let Some(sequence) = &info.sequence {
            let mapping = SequenceMapping::new(map, info.id, sequence);
            return Ok(Mapped::Sequence(mapping));
        }
        let info = Arc::clone(info);
        let partitions = self.partitions_of(&info)?;
        let mapping = TableMapping::new(map.clone(), info, partitions)?;
        Ok(Mapped::Table(Box::new(mapping)))
    }

    /// A table's partitions. They are read once for each description: every statement describes its tables again.
    fn partitions_of(
        &mut self,
        info: &Arc<TableInfo>,
    ) -> Result<Option<Arc<Partitioning>>, ApplyError> {
        if let Some((known, partitions)) = self.partitions.get(&info.id)
            && Arc::ptr_eq(known, info)
        {
            return Ok(partitions.clone());
        }
        let partitions = Partitioning::of(info)?.map(Arc::new);
        let entry = (Arc::clone(info), partitions.clone());
        self.partitions.insert(info.id, entry);
        Ok(partitions)
    }

    async fn query(&mut self, sql: String) -> Result<(), ApplyError> {
        let group = self
            .group
            .as_ref()
            .ok_or_else(|| outside(&format!("statement {sql:?}")))?;
        if group.standalone {
            let gtid = group.gtid;
            self.group = None;
            return self.statement(gtid, sql).await;
        }
        let word = sql.split_ascii_whitespace().next().unwrap_or_default();
        match word.to_ascii_uppercase().as_str() {
            // MariaDB takes what was rolled back to a savepoint out of the binlog itself.
            "BEGIN" | "SAVEPOINT" | "RELEASE" => Ok(()),
            "COMMIT" => {
                let group = self.group.take().ok_or_else(|| outside("commit"))?;
                self.commit_rows(group).await
            }
            _ => Err(BinlogError::Unexpected {
                what: format!("statement {sql:?} within a transaction"),
            }
            .into()),
        }
    }

    async fn commit_rows(&mut self, group: Group) -> Result<(), ApplyError> {
        let mut counters = self.counters(&group.effect);
        let taken = group.sequences.iter();
        counters.extend(taken.filter_map(|(id, last)| self.catalog.take_sequence(*id, *last)));
        let mut changes = group.effect.into_changes(self.catalog.version());
        changes.extend(to_changes(&counters));
        if !counters.is_empty() {
            self.catalog.apply(&counters)?;
            self.catalog_changed = true;
        }
        let (gtid, keys) = (group.gtid, changes.len());
        let report = self.reporter(gtid);
        self.writer
            .submit(gtid, changes, move |commit_ts| {
                tracing::debug!(%gtid, keys, commit_ts, "applied");
                report();
            })
            .await
    }

    /// The ranges of counters that are taken with these rows.
    fn counters(&self, effect: &NetEffect) -> Vec<Mutation> {
        let taken = effect.counted().filter_map(|(table_id, counter, used)| {
            let (db, table) = self.catalog.table_by_id(table_id)?;
            db.take_range(table, counter, used)
        });
        taken.collect()
    }

    /// A statement on its own: one of the DDL statement under way.
    async fn statement(&mut self, gtid: Gtid, sql: String) -> Result<(), ApplyError> {
        // Row events number their tables anew after a DDL statement.
        self.tables.clear();
        if is_about_accounts(&sql) || is_about_own(&sql) {
            // MariaDB keeps users and privileges, and what the front needs; TiKV only gets to know that they were read.
            self.writer.commit(gtid, |_| Ok(Changes::new())).await?;
            self.report();
            return Ok(());
        }
        let Some(mut pending) = self.pending.take() else {
            return Err(ApplyError::Unannounced { gtid, sql });
        };
        pending.intent.seen += 1;
        if pending.intent.seen < pending.intent.statements {
            self.writer
                .commit(gtid, |_| put_intent(&pending.intent, Changes::new()))
                .await?;
            self.pending = Some(pending);
        } else {
            self.carry_out(gtid, pending).await?;
        }
        self.report();
        Ok(())
    }

    /// Commits the transactions of a plan, from the first that is not yet committed on. Each one that is not the last
    /// keeps the intent, with its progress; the last one clears it and moves the position to `gtid`.
    async fn carry_out(&mut self, gtid: Gtid, pending: Pending) -> Result<(), ApplyError> {
        let Pending {
            mut intent,
            mut plan,
        } = pending;
        let before = self.writer.gtid();
        let known: BTreeSet<i64> = self.catalog.physical_ids().collect();
        while intent.starts.len() < plan.len() {
            let step = intent.starts.len();
            let last = step + 1 == plan.len();
            for rows in plan.moves_before(step) {
                let moved = reorganize::move_rows(&mut self.writer, &self.socket, &rows).await?;
                intent.rows.insert(step, moved);
            }
            for rows in plan.rewrites_before(step) {
                let written = rewrite::write(&mut self.writer, &rows).await?;
                intent.rows.insert(step, written);
            }
            // What the step will write, but for its start TSO and counts.
            let preview = plan.transaction(&[&intent.starts[..], &[0]].concat())?;
            if let Some(filled) =
                backfill::fill(&mut self.writer, &self.socket, &self.catalog, &preview).await?
            {
                // The indexes of a column that is changed have no count of their own.
                intent.rows.entry(step).or_insert(filled);
            }
            for (before, rows) in &intent.rows {
                plan.count_rows(*before, *rows);
            }
            let mut mutations = Vec::new();
            let commit_ts = self
                .writer
                .commit(if last { gtid } else { before }, |start_ts| {
                    intent.starts.truncate(step);
                    intent.starts.push(start_ts);
                    mutations = plan.transaction(&intent.starts)?;
                    let changes = to_changes(&mutations);
                    if last {
                        Ok(clear_intent(changes))
                    } else {
                        put_intent(&intent, changes)
                    }
                })
                .await?;
            self.catalog.apply(&mutations)?;
            self.catalog_changed = true;
            tracing::debug!(
                step,
                of = plan.len(),
                commit_ts,
                sql = intent.sql,
                "applied"
            );
        }
        if plan.is_empty() {
            self.writer
                .commit(gtid, |_| Ok(clear_intent(Changes::new())))
                .await?;
        }
        self.split_regions(&known).await;
        let catalog = &self.catalog;
        self.partitions
            .retain(|id, _| catalog.table_by_id(*id).is_some());
        Ok(())
    }

    /// Gives each table and partition that is not among the `known` ones a region of its own, as TiDB does (its
    /// `split-table`). Readers count on it: the range of a table's region has a start. A table works without, and so TiDB
    /// only logs a failure.
    async fn split_regions(&self, known: &BTreeSet<i64>) {
        let new = self.catalog.physical_ids().filter(|id| !known.contains(id));
        let keys = new.map(|id| Bytes::from(table_prefix(id))).collect();
        if let Err(error) = self.writer.client().split_at(keys).await {
            tracing::warn!(%error, "new tables or partitions have no regions of their own");
        }
    }

    /// Goes on with a plan that was interrupted after MariaDB had done its part, or that MariaDB has no part in.
    async fn resume_plan(&mut self) -> Result<(), ApplyError> {
        let begun = |p: &Pending| p.intent.statements == 0;
        if let Some(pending) = self.pending.take_if(|p| begun(p)) {
            self.carry_out(self.writer.gtid(), pending).await?;
            self.report();
        }
        Ok(())
    }

    async fn answer(&mut self, request: Request) -> Result<(), ApplyError> {
        match request {
            Request::Begin {
                mut intent,
                plan,
                reply,
            } => {
                if let Some(left) = &self.pending {
                    return Err(ApplyError::HalfDone {
                        sql: left.intent.sql.clone(),
                        why: "its connection ended before its outcome was known".to_owned(),
                    });
                }
                self.writer
                    .commit(self.writer.gtid(), |start_ts| {
                        intent.schema_ts = start_ts;
                        put_intent(&intent, Changes::new())
                    })
                    .await?;
                self.pending = Some(Pending {
                    intent: *intent,
                    plan: *plan,
                });
                self.resume_plan().await?;
                // The front may have gone; then the statement is never sent, and recovery or the next one drops it.
                let _ = reply.send(());
            }
            Request::Fail { why } => {
                let sql = self.pending.take().map(|p| p.intent.sql);
                return Err(ApplyError::HalfDone {
                    sql: sql.unwrap_or_default(),
                    why,
                });
            }
            Request::Seen { reply } => {
                // Who asked may be gone.
                let _ = reply.send(self.pending.as_ref().map(|pending| pending.intent.seen));
            }
            Request::Abandon { reply } => {
                let outcome = match self.pending.take() {
                    None => Abandoned::Done,
                    Some(pending) if pending.intent.seen > 0 => {
                        let seen = pending.intent.seen;
                        self.pending = Some(pending);
                        Abandoned::Partly { seen }
                    }
                    Some(_) => {
                        self.writer
                            .commit(self.writer.gtid(), |_| Ok(clear_intent(Changes::new())))
                            .await?;
                        Abandoned::Dropped
                    }
                };
                let _ = reply.send(outcome);
            }
        }
        Ok(())
    }

    fn report(&mut self) {
        self.reporter(self.writer.gtid())();
    }

    /// What tells of the schema as it is now, once `gtid` is committed.
    fn reporter(&mut self, gtid: Gtid) -> impl FnOnce() + Send + 'static {
        let catalog = self.catalog_changed.then(|| Arc::new(self.catalog.clone()));
        self.catalog_changed = false;
        let progress = self.desk.progress.clone();
        move || {
            progress.send_modify(|progress| {
                progress.gtid = gtid;
                if let Some(catalog) = catalog {
                    progress.catalog = catalog;
                }
            });
        }
    }
}

async fn read(socket: PathBuf, after: Gtid, events: mpsc::Sender<Result<Event, BinlogError>>) {
    let mut stream = match BinlogStream::open(&socket, after).await {
        Ok(stream) => stream,
        Err(error) => {
            // The receiver is gone only when the applier is.
            let _ = events.send(Err(error)).await;
            return;
        }
    };
    loop {
        let event = stream.next().await;
        let failed = event.is_err();
        if events.send(event).await.is_err() || failed {
            return;
        }
    }
}

fn to_changes(mutations: &[Mutation]) -> Changes {
    mutations
        .iter()
        .map(|mutation| match mutation {
            Mutation::Put { key, value } => (
                Bytes::copy_from_slice(key),
                Change::Put(Bytes::copy_from_slice(value)),
            ),
            Mutation::Delete { key } => (Bytes::copy_from_slice(key), Change::Delete),
        })
        .collect::<BTreeMap<_, _>>()
}

fn put_intent(intent: &Intent, mut changes: Changes) -> Result<Changes, ApplyError> {
    changes.insert(Bytes::from_static(INTENT_KEY), Change::Put(encode(intent)?));
    Ok(changes)
}

fn clear_intent(mut changes: Changes) -> Changes {
    changes.insert(Bytes::from_static(INTENT_KEY), Change::Delete);
    changes
}

fn outside(what: &str) -> ApplyError {
    BinlogError::Unexpected {
        what: format!("{what} outside a transaction"),
    }
    .into()
}
