//! The loop of a changefeed's task.
//!
//! One barrier holds all tables: the commit-ts of the next DDL statement, or how far the stream of DDL jobs is complete.
//! Rows up to the barrier go out in commit order; once all of them are acknowledged the statement at the barrier goes
//! out, tables come and go with it, and the next barrier holds (`spec/tikv-cdc-protocol.md §7`). With tables spread over
//! captures every task stands at the same barriers: only one of them sends the statement, when all have come to it.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Config, End, Progress, Role, Spec, jobs::Jobs, sink::Sink};
use crate::{
    changefeed::{capture::Fence, clock::lag_seconds, snapshot::schema_at, spread::tables::Tables},
    coded::Coded,
    filter::Scope,
    meters::FeedMeters,
    model::{RawKv, Span, Ts},
    mount::key,
    schema::{DdlEvent, SchemaStorage, TableInfo},
    sink::{
        kafka::{cluster::Cluster, deliveries::Mark},
        prepare::Connect,
    },
    sort::{Sorter, TableId, Taken},
    upstream::Upstream,
};

/// Bytes of rows taken from the sorter at once.
const BATCH: usize = 1 << 20;
/// What part of the memory quota may wait for the sorter, shared by the tables that there are at the start, and what part may
/// be of transactions that are open.
const FEED_PART: usize = 8;
/// The least that may wait of one table.
const LEAST_FEED: usize = 64 << 10;
/// How long a stopped task waits for what it handed over.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// The pace of watermarks.
const WATERMARK_EVERY: Duration = Duration::from_secs(1);
/// How much of the schema's past is kept behind the checkpoint, as a TSO difference: rows that come again need it.
const SCHEMA_PAST: Ts = 60_000 << crate::model::LOGICAL_BITS;

/// A running changefeed.
#[derive(Debug)]
pub(super) struct Task<'a, C> {
    role: &'a mut Role,
    upstream: Upstream,
    meters: FeedMeters,
    scope: Scope,
    schema: SchemaStorage,
    jobs: Jobs,
    /// Statements that have not gone out, by commit-ts.
    ddls: VecDeque<DdlEvent>,
    sorter: Sorter,
    /// How much of a table may wait for the sorter.
    feed_bytes: usize,
    /// Tables of the changefeed, on whichever capture.
    tables: Tables,
    /// Physical ids followed here.
    followed: HashSet<TableId>,
    sink: Sink<C>,
    fence: Fence,
    target_ts: Option<Ts>,
    /// Everything up to here has been handed over.
    sent_ts: Ts,
    /// Timestamps up to which everything is acknowledged once their mark and all before it are.
    marks: VecDeque<(Ts, Mark)>,
    /// Everything of the tables here up to this is acknowledged.
    checkpoint_ts: Ts,
    progress: watch::Sender<Progress>,
    watermark: (Instant, Ts),
}

impl<'a, C: Cluster> Task<'a, C> {
    /// Opens the sink, reads the schema at the checkpoint and follows its tables.
    pub(super) async fn open<K: Connect<Cluster = C>>(
        kafka: &K,
        spec: Spec,
        upstream: Upstream,
        role: &'a mut Role,
        progress: watch::Sender<Progress>,
    ) -> Result<Self, Coded> {
        let scope = match &spec.config {
            Config::Modern(config) => {
                Scope::new(config, spec.release.compat(), spec.time_zone.clone())?
            }
            Config::Legacy(config) => Scope::legacy(config)?,
        };
        let quota = spec.memory_quota();
        if let Config::Modern(config) = &spec.config
            && config.memory_quota < quota as u64
        {
            tracing::warn!(
                changefeed = spec.id,
                asked = config.memory_quota,
                quota,
                "memory-quota is below the least that works and is raised"
            );
        }
        spec.meters
            .quota
            .set(i64::try_from(quota).unwrap_or(i64::MAX));
        let upstream = upstream.of_changefeed(spec.meters.clone(), quota / FEED_PART);
        let mut sink = Sink::open(kafka, &spec).await?;
        let checkpoint = spec.checkpoint_ts;
        let schema_ts = checkpoint - Ts::from(spec.ddl_at_checkpoint && checkpoint > 0);
        let schema = schema_at(&upstream, schema_ts, spec.release.compat()).await?;
        let mut taken: Vec<_> = schema
            .tables(schema_ts)
            .into_iter()
            .filter(|table| scope.takes_table(table))
            .collect();
        let mut tables = Tables::default();
        for table in &taken {
            for id in &table.physical_ids {
                tables.set(*id, Some(table.id));
            }
        }
        role.begin(checkpoint, spec.ddl_at_checkpoint, &tables)
            .await?;
        for table in &taken {
            if role.leads() || role.has(table.id) {
                sink.admit(table).await?;
            }
        }
        taken.retain(|table| role.has(table.id));
        let mut task = Self {
            jobs: Jobs::follow(&upstream, schema_ts, spec.release.compat()),
            sorter: Sorter::new(quota, spec.sort_folder.place(&spec.id)),
            feed_bytes: (quota / FEED_PART / taken.len().max(1)).max(LEAST_FEED),
            role,
            upstream,
            meters: spec.meters,
            scope,
            schema,
            ddls: VecDeque::new(),
            tables,
            followed: HashSet::new(),
            sink,
            fence: spec.fence.clone(),
            target_ts: spec.target_ts.filter(|ts| *ts > 0),
            sent_ts: checkpoint,
            marks: VecDeque::new(),
            checkpoint_ts: checkpoint,
            progress,
            watermark: (Instant::now(), checkpoint),
        };
        for table in taken {
            for id in &table.physical_ids {
                task.follow(*id, checkpoint)?;
            }
        }
        tracing::info!(
            changefeed = spec.id,
            checkpoint,
            tables = task.followed.len(),
            "the changefeed runs"
        );
        task.tell_tables();
        task.report();
        Ok(task)
    }

    /// Works until there is a reason to end; then others end too.
    pub(super) async fn run(&mut self, stop: CancellationToken) -> Result<End, Coded> {
        let end = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(End::Stopped),
                end = self.step() => match end {
                    Ok(None) => {}
                    Ok(Some(end)) => break Ok(end),
                    Err(error) => break Err(error),
                }
            }
        };
        self.role.dismiss().await;
        if !matches!(end, Ok(End::Finished)) {
            self.settle().await;
        }
        self.role.gone().await;
        self.report();
        end
    }

    /// Waits for a moment for what was handed over, so that less is sent again later.
    async fn settle(&mut self) {
        let acknowledged = async {
            while let Some((_, mark)) = self.marks.front() {
                self.sink.acknowledged_up_to(mark).await?;
                self.reap();
            }
            Ok::<_, Coded>(())
        };
        match tokio::time::timeout(STOP_GRACE, acknowledged).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "stopped with messages that are not acknowledged")
            }
            Err(_) => tracing::warn!("stopped with messages that are not acknowledged"),
        }
    }

    /// Does what can be done now, or waits until there is something.
    async fn step(&mut self) -> Result<Option<End>, Coded> {
        if self.role.catch_up()? {
            self.report();
        }
        self.role.certain().await?;
        let barrier = self.barrier();
        let complete = self
            .sorter
            .resolved_ts()
            .map_or(barrier, |ts| ts.min(barrier));
        let taken = self.sorter.take(|_| barrier, BATCH).await?;
        if let Some((_, last)) = taken.rows.last() {
            let rows = taken.rows.len();
            self.meters.sorted.inc_by(rows as u64);
            self.meters.batch.observe(rows as f64);
            // What is complete comes in commit order. The last transaction may go on, or what has the same commit-ts.
            let sent = complete.min(last.commit_ts - 1);
            self.fence.pass().await;
            self.send(&taken, complete).await?;
            match taken.continues {
                // The rest of a transaction goes before what has become complete since it was cut: nothing is known of that.
                true => self.reap(),
                false => self.sent(sent),
            }
            return Ok(None);
        }
        self.sent(complete);
        let ddl = self.ddls.front().map(|ddl| ddl.commit_ts);
        if let Some(at) = ddl.filter(|at| *at <= complete) {
            self.acknowledged().await?;
            if self.role.may_pass(at) {
                self.ddl(at).await?;
                return Ok(None);
            }
        } else if let Some(target) = self.target_ts.filter(|target| complete >= *target) {
            self.acknowledged().await?;
            if self.role.may_pass(target) {
                return Ok(Some(End::Finished));
            }
        }
        self.watermark(false).await?;
        self.wait().await?;
        Ok(None)
    }

    /// Rows above this have to wait.
    fn barrier(&self) -> Ts {
        let barrier = match self.ddls.front() {
            Some(ddl) => ddl.commit_ts,
            None => self.schema.resolved_ts(),
        };
        self.target_ts.map_or(barrier, |target| barrier.min(target))
    }

    /// Waits until rows, resolved-ts, DDL jobs or acknowledgements come.
    async fn wait(&mut self) -> Result<(), Coded> {
        let acknowledged = async {
            match self.marks.front() {
                Some((_, mark)) => self.sink.acknowledged_up_to(mark).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.sorter.changed() => {}
            changes = self.jobs.next() => self.jobs_came(changes?)?,
            acknowledged = acknowledged => acknowledged?,
            () = self.role.changed() => {}
        }
        self.reap();
        Ok(())
    }

    fn jobs_came(&mut self, changes: Vec<RawKv>) -> Result<(), Coded> {
        for change in &changes {
            self.schema.on_kv(change)?;
        }
        let events = self.schema.on_resolved(self.jobs.resolved_ts())?;
        self.ddls.extend(events);
        self.report();
        Ok(())
    }

    /// Hands over rows in their order, transaction by transaction; a large one in parts. All tables are complete up to
    /// `complete`.
    async fn send(&mut self, taken: &Taken, complete: Ts) -> Result<(), Coded> {
        let same = |a: &(TableId, RawKv), b: &(TableId, RawKv)| {
            (a.0, a.1.start_ts, a.1.commit_ts) == (b.0, b.1.start_ts, b.1.commit_ts)
        };
        let mut transactions = taken.rows.chunk_by(same).peekable();
        while let Some(transaction) = transactions.next() {
            let Some((id, first)) = transaction.first() else {
                continue;
            };
            if self.scope.ignores(first.start_ts) {
                continue;
            }
            // Rows that come for a table that is gone are nobody's.
            let Some(table) = self.schema.table_of_row(first) else {
                tracing::debug!(table = id, commit_ts = first.commit_ts, "a row of no table");
                continue;
            };
            let changes = transaction.iter().map(|(_, change)| change);
            let part = taken.continues || (taken.goes_on && transactions.peek().is_none());
            let sent = self.sink.rows(&self.scope, &table, changes, part).await;
            if sent.is_err() && !taken.continues {
                // what comes before the row that cannot be sent need not be sent again
                self.sent(complete.min(first.commit_ts - 1));
            }
            let later = sent?;
            if !later.is_empty() {
                self.sorter.put_back(*id, later).await?;
            }
        }
        Ok(())
    }

    /// Everything up to `ts` has been handed over.
    fn sent(&mut self, ts: Ts) {
        if ts > self.sent_ts {
            self.sent_ts = ts;
            self.marks.push_back((ts, self.sink.mark()));
        }
        self.reap();
    }

    /// Moves the checkpoint past what is acknowledged.
    fn reap(&mut self) {
        let mut moved = false;
        while let Some((ts, mark)) = self.marks.front()
            && mark.is_acknowledged()
        {
            self.checkpoint_ts = self.checkpoint_ts.max(*ts);
            moved = true;
            if let Some(took) = mark.age() {
                self.meters.send_seconds.observe(took.as_secs_f64());
                self.meters.flush_lag.observe(lag_seconds(*ts));
            }
            self.marks.pop_front();
        }
        if moved {
            self.report();
        }
    }

    /// Tells how far everything is, here and on other captures.
    fn report(&self) {
        let resolved = self.schema.resolved_ts();
        let resolved = self
            .sorter
            .resolved_ts()
            .map_or(resolved, |ts| ts.min(resolved))
            .min(self.role.resolved_ts());
        let checkpoint = self.checkpoint_ts.min(self.role.checkpoint_ts());
        let barrier = self.barrier();
        let messages = self.sink.acknowledged() + self.role.messages();
        let held = i64::try_from(self.sorter.held()).unwrap_or(i64::MAX);
        self.meters.sorting_memory.set(held);
        let open = i64::try_from(self.upstream.open_bytes()).unwrap_or(i64::MAX);
        self.meters.used.set(held.saturating_add(open));
        self.progress.send_modify(|progress| {
            progress.checkpoint_ts = progress.checkpoint_ts.max(checkpoint);
            progress.resolved_ts = progress.resolved_ts.max(resolved);
            progress.barrier_ts = barrier;
            progress.messages = messages;
        });
    }

    /// Tells which tables there are, and which capture has them.
    fn tell_tables(&self) {
        let followed = i64::try_from(self.followed.len()).unwrap_or(i64::MAX);
        self.meters.tables.set(followed);
        self.progress.send_modify(|progress| {
            progress.tables = self.tables.physical();
            if let Role::Lead(lead) = &*self.role {
                progress.shares = lead.shares(&self.tables);
            }
        });
    }

    /// Waits until all that was handed over is acknowledged.
    async fn acknowledged(&mut self) -> Result<(), Coded> {
        while let Some((_, mark)) = self.marks.front() {
            self.sink.acknowledged_up_to(mark).await?;
            self.reap();
        }
        Ok(())
    }

    /// Sends the statements of the DDL job at the barrier, if that is for this task to do; tables come and go with it.
    async fn ddl(&mut self, at: Ts) -> Result<(), Coded> {
        let mut touched = Vec::new();
        let (begun, mut sent) = (Instant::now(), 0);
        self.fence.pass().await;
        // They stand at the barrier until they are acknowledged: a task that ends before tells that they have to be sent again.
        let events = self.ddls.iter().take_while(|ddl| ddl.commit_ts == at);
        let count = events.clone().count();
        for event in events {
            if self.role.leads() && self.scope.takes_ddl(event)? {
                self.sink.ddl(event).await?;
                sent += 1;
                tracing::info!(
                    job = event.job_id,
                    commit_ts = at,
                    query = event.query,
                    "DDL sent"
                );
            }
            let infos = event.info.iter().chain(&event.pre_info);
            touched.extend(infos.flat_map(|info| info.physical_ids.iter().copied()));
            touched.extend(event.created.iter().chain(&event.dropped));
        }
        // Not to be mistaken for acknowledged before Kafka says so.
        self.marks.push_back((at, self.sink.mark()));
        self.acknowledged().await?;
        self.ddls.drain(..count);
        if sent > 0 {
            self.meters.ddls.inc_by(sent);
            self.meters
                .ddl_seconds
                .observe(begun.elapsed().as_secs_f64());
        }
        for id in &touched {
            let logical = self.taken(*id, at).map(|table| table.id);
            if let Some(gone) = self.tables.set(*id, logical) {
                self.sink.forget(gone);
            }
        }
        self.role.release(at, &self.tables).await?;
        for id in touched {
            self.reconsider(id, at).await?;
        }
        self.tell_tables();
        self.watermark(true).await?;
        self.schema.gc(at.saturating_sub(SCHEMA_PAST));
        self.report();
        Ok(())
    }

    /// A table at `ts`, if its rows are replicated.
    fn taken(&self, id: TableId, ts: Ts) -> Option<Arc<TableInfo>> {
        let table = self.schema.table(id, ts);
        table.filter(|table| self.scope.takes_table(table))
    }

    /// Follows a table, or no longer, according to the schema at `ts`.
    async fn reconsider(&mut self, id: TableId, ts: Ts) -> Result<(), Coded> {
        let table = self.taken(id, ts);
        let own = table.as_ref().is_some_and(|table| self.role.has(table.id));
        if let Some(table) = table.filter(|_| own || self.role.leads()) {
            self.sink.admit(&table).await?;
        }
        match (own, self.followed.contains(&id)) {
            (true, false) => self.follow(id, ts),
            (false, true) => {
                self.sorter.forget(id);
                self.followed.remove(&id);
                Ok(())
            }
            (true, true) | (false, false) => Ok(()),
        }
    }

    fn follow(&mut self, id: TableId, from: Ts) -> Result<(), Coded> {
        let (start, end) = key::row_range(id);
        let span = Span::new(start, end);
        let feed = self.upstream.subscribe_within(span, from, self.feed_bytes);
        self.sorter.follow(id, from, feed)?;
        self.followed.insert(id);
        Ok(())
    }

    /// Sends a watermark if one is due.
    async fn watermark(&mut self, after_ddl: bool) -> Result<(), Coded> {
        let checkpoint = self.progress.borrow().checkpoint_ts;
        let (last, ts) = self.watermark;
        let due = checkpoint > ts && last.elapsed() >= WATERMARK_EVERY;
        if self.role.leads() && self.sink.has_watermarks() && (after_ddl || due) {
            self.watermark = (Instant::now(), checkpoint);
            self.fence.pass().await;
            self.sink.watermark(checkpoint, &self.tables).await?;
        }
        Ok(())
    }
}
