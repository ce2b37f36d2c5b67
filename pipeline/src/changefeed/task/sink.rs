//! From rows and DDL statements to messages handed to Kafka.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use super::{Config, Spec, integrity::Integrity};
use crate::{
    changefeed::{
        fit::{check_columns, rule_of},
        spread::tables::Tables,
    },
    codec::{
        canal_json::{self, ColumnSelector, Encoded, Encoder, LargeRows},
        dispatch::Dispatcher,
    },
    coded::{Code, Coded},
    compat::{Compat, Release},
    config::{
        dispatch::{ColumnSelectors, DispatchRules},
        kafka::Identity,
        uri::SinkUri,
    },
    filter::{RowFilters, Scope},
    meters::FeedMeters,
    model::{RawKv, Ts},
    mount::{Mounter, RowEvent, SplitRule, TextRules},
    schema::{DdlEvent, TableInfo},
    sink::{
        claims::Claims,
        kafka::{
            cluster::Cluster,
            deliveries::Mark,
            producer::Producer,
            settle::{Settled, ensure_topic},
        },
        prepare::{Connect, Prepared, prepare, prepare_legacy},
    },
};

/// The most that waits for Kafka in bytes: more does not make it faster.
const MAX_QUEUE: usize = 16 << 20;
/// How often partitions of topics are counted, as in TiCDC.
const RECOUNT: Duration = Duration::from_secs(600);

/// Where rows of one version of a table go.
#[derive(Debug)]
struct Route {
    /// [`TableInfo::version`] that it was made for.
    version: Ts,
    topic: Arc<str>,
    partitions: u32,
    dispatcher: Dispatcher,
}

/// Which rows of one version of a table are left out.
#[derive(Debug)]
struct Kept {
    /// [`TableInfo::version`] that it was made for.
    version: Ts,
    filters: Option<RowFilters>,
}

/// An open sink.
#[derive(Debug)]
pub(super) struct Sink<C> {
    release: Release,
    producer: Producer,
    cluster: C,
    settled: Settled,
    rules: DispatchRules,
    columns: Option<ColumnSelectors>,
    integrity: Option<Integrity>,
    mounter: Mounter,
    encoder: Encoder,
    /// There with [`LargeRows::ClaimCheck`].
    claims: Option<Claims>,
    /// Partitions of the topics in use.
    topics: HashMap<Arc<str>, u32>,
    /// When they were counted.
    counted: Instant,
    /// By logical table id.
    routes: HashMap<i64, Route>,
    /// By logical table id.
    kept: HashMap<i64, Kept>,
    buffer: Vec<u8>,
    meters: FeedMeters,
}

/// `sink.column-selectors` as the encoder asks for them.
#[derive(Debug)]
struct Selected(ColumnSelectors);

impl ColumnSelector for Selected {
    fn selects(&self, table: &TableInfo, column: usize) -> bool {
        self.0
            .selects(&table.schema, &table.name, &table.columns[column].name)
    }
}

impl<C: Cluster> Sink<C> {
    /// Checks the sink of `spec` against its cluster and opens it.
    ///
    /// # Errors
    /// Those of [`prepare`] and [`Producer::new`].
    pub(super) async fn open<K: Connect<Cluster = C>>(
        kafka: &K,
        spec: &Spec,
    ) -> Result<Self, Coded> {
        let uri = SinkUri::parse(&spec.sink_uri)
            .map_err(|error| Coded::new(Code::ErrSinkURIInvalid, error.to_string()))?;
        let identity = Identity {
            capture: &spec.capture,
            namespace: &spec.namespace,
            changefeed: &spec.id,
        };
        let prepared = match &spec.config {
            Config::Modern(config) => {
                prepare(kafka, &uri, config, spec.release.compat(), identity).await?
            }
            Config::Legacy(config) => {
                // What this writes back was stored when the changefeed was created.
                let mut config = config.as_ref().clone();
                prepare_legacy(kafka, &uri, &mut config, |_, _| (), identity).await?
            }
        };
        Self::new(spec, prepared)
    }

    fn new(spec: &Spec, prepared: Prepared<C>) -> Result<Self, Coded> {
        let Prepared {
            cluster,
            settled,
            dispatch,
            columns,
            claims,
        } = prepared;
        let queue = queue_bytes(spec.memory_quota());
        let producer = Producer::new(&settled, spec.release.compat(), queue, spec.meters.clone())?;
        let text = TextRules {
            time_zone: spec.time_zone.clone(),
            release: spec.release,
        };
        let options = &settled.encoder;
        let config = canal_json::Config {
            release: spec.release,
            // Older ones do not know it and pass it over.
            enable_tidb_extension: options.enable_tidb_extension
                && !spec.release.has_first_dialect(),
            content_compatible: options.content_compatible,
            // The same.
            output_row_key: options.output_row_key && spec.release.compat() >= Compat::V8_5,
            only_output_updated_columns: options.only_output_updated_columns,
            delete_only_output_handle_key_columns: options.delete_only_handle_key_columns,
            columns: columns
                .clone()
                .map(|columns| Arc::new(Selected(columns)) as Arc<dyn ColumnSelector>),
            // The older ones leave the check to the broker.
            max_message_bytes: match spec.release.compat() >= Compat::V8_5 {
                true => options.max_message_bytes,
                false => usize::MAX,
            },
            large_rows: match settled.large.rows {
                LargeRows::ClaimCheck if claims.is_none() => LargeRows::Refuse,
                rows => rows,
            },
            compression: settled.large.compression,
        };
        let topics = [(Arc::from(settled.topic.as_str()), settled.partitions)];
        Ok(Self {
            release: spec.release,
            producer,
            cluster,
            rules: dispatch,
            columns,
            integrity: Integrity::new(spec),
            mounter: Mounter {
                split: SplitRule::new(spec.release, options.output_raw_change_event),
                text: text.clone(),
            },
            encoder: Encoder::new(config, text),
            claims,
            topics: topics.into(),
            counted: Instant::now(),
            routes: HashMap::new(),
            kept: HashMap::new(),
            buffer: Vec::new(),
            meters: spec.meters.clone(),
            settled,
        })
    }

    /// Checks that the rules about topics, partitions and columns fit the table.
    ///
    /// # Errors
    /// `ErrDispatcherFailed`, `ErrColumnSelectorFailed`, `ErrKafkaCreateTopic`.
    pub(super) async fn admit(&mut self, table: &TableInfo) -> Result<(), Coded> {
        if let Some(columns) = &self.columns {
            let rule = self.rules.of(&table.schema, &table.name);
            check_columns(columns, &rule.partitioning, table)?;
        }
        self.route(table).await
    }

    /// Makes sure that there is a route for this version of the table.
    async fn route(&mut self, table: &TableInfo) -> Result<(), Coded> {
        if self.counted.elapsed() >= RECOUNT {
            self.recount().await;
        }
        if let Some(route) = self.routes.get(&table.id)
            && route.version == table.version
        {
            return Ok(());
        }
        let rule = self.rules.of(&table.schema, &table.name);
        let dispatcher = Dispatcher::new(&rule_of(&rule.partitioning), table)?;
        let topic = match &rule.topic {
            Some(expression) => expression.topic(&table.schema, &table.name),
            None => self.settled.topic.clone(),
        };
        let (topic, partitions) = self.topic(&topic).await?;
        let route = Route {
            version: table.version,
            topic,
            partitions,
            dispatcher,
        };
        self.routes.insert(table.id, route);
        Ok(())
    }

    /// Takes up what topics have been given since they were counted, as TiCDC since v5 does (`spec/sink-uri.md §2`): not the
    /// default topic, of which those partitions are used that were settled on. Failing that, next time.
    async fn recount(&mut self) {
        self.counted = Instant::now();
        if self.release.compat() == Compat::V4_0_9 || self.topics.len() < 2 {
            return;
        }
        let patience = self.settled.connection.request_timeout();
        let now = match self.producer.partitions(patience).await {
            Ok(now) => now,
            Err(error) => {
                tracing::warn!(%error, "the partitions of topics cannot be counted");
                return;
            }
        };
        for (topic, partitions) in &mut self.topics {
            if let Some(count) = now.get(&**topic)
                && count != partitions
                && **topic != *self.settled.topic
            {
                tracing::info!(%topic, old = partitions, new = count, "update topic partition number");
                *partitions = *count;
                self.routes.retain(|_, route| route.topic != *topic);
            }
        }
    }

    /// A topic, made if it is missing, with its number of partitions.
    async fn topic(&mut self, name: &str) -> Result<(Arc<str>, u32), Coded> {
        if let Some((name, partitions)) = self.topics.get_key_value(name) {
            return Ok((Arc::clone(name), *partitions));
        }
        let failed = |error| Coded::wrap(Code::ErrKafkaCreateTopic, error);
        let used = u32::try_from(self.settled.new_partitions)
            .unwrap_or(1)
            .max(1);
        let existing = self.cluster.partitions(name).await.map_err(failed)?;
        let partitions = match existing {
            Some(partitions) => partitions,
            None => {
                let Settled {
                    new_partitions,
                    replication_factor,
                    auto_create,
                    ..
                } = self.settled;
                ensure_topic(
                    &self.cluster,
                    name,
                    new_partitions,
                    replication_factor,
                    auto_create,
                )
                .await?;
                used
            }
        };
        let name: Arc<str> = Arc::from(name);
        self.topics.insert(Arc::clone(&name), partitions);
        Ok((name, partitions))
    }

    /// Hands over the messages of one transaction's changes in one table, all of them or a `part`, but for those that `scope`
    /// leaves out. Of a part, gives back what has to come among the inserts of the transaction. A message that is too large
    /// is stored before what names its place goes out.
    ///
    /// # Errors
    /// `ErrMessageTooLarge`, `ErrProcessorUnknown` if it cannot be stored, `ErrKafkaAsyncSendMessage`, those of
    /// [`admit`](Self::admit) if the table has changed, those of [`RowFilters::drop_row`] and [`Integrity::check`].
    pub(super) async fn rows<'a>(
        &mut self,
        scope: &Scope,
        table: &'a TableInfo,
        changes: impl IntoIterator<Item = &'a RawKv>,
        part: bool,
    ) -> Result<Vec<RawKv>, Coded> {
        let changes: Vec<&RawKv> = changes.into_iter().collect();
        if let Some(integrity) = &self.integrity {
            for change in &changes {
                integrity.check(change, table)?;
            }
        }
        self.route(table).await?;
        let Some(route) = self.routes.get(&table.id) else {
            return Ok(Vec::new());
        };
        let kept = self.kept.entry(table.id);
        let kept = kept.and_modify(|kept| kept.renew(scope, table));
        let kept = kept.or_insert_with(|| Kept::new(scope, table));
        let keep = |event: &RowEvent<'_>| match &kept.filters {
            Some(filters) => filters.drop_row(event).map(|drop| !drop),
            None => Ok(true),
        };
        let (events, later) = match part {
            true => self.mounter.mount_part_of(changes, table, keep)?,
            false => (self.mounter.mount_txn_of(changes, table, keep)?, Vec::new()),
        };
        self.meters
            .mounted
            .add(i64::try_from(events.len()).unwrap_or(i64::MAX));
        self.meters.rows.add(events.len());
        for event in events {
            let partition =
                route
                    .dispatcher
                    .partition(&event, &self.mounter.text, route.partitions)?;
            self.buffer.clear();
            let encoded = self
                .encoder
                .encode_row(&event, now_ms(), &mut self.buffer)?;
            if let (Encoded::TooLarge, Some(claims)) = (encoded, &self.claims) {
                let location = claims.store(&self.buffer).await?;
                self.buffer.clear();
                self.encoder
                    .encode_claim(&event, &location, now_ms(), &mut self.buffer)?;
            }
            self.producer
                .send(
                    &route.topic,
                    partition,
                    self.encoder.row_key(),
                    &self.buffer,
                )
                .await?;
        }
        Ok(later)
    }

    /// Hands over the message of a DDL statement: to partition 0, in old releases to each (`spec/canal-json.md §0`).
    ///
    /// # Errors
    /// `ErrKafkaAsyncSendMessage`; `ErrOwnerUnknown` if the statement cannot be restored.
    pub(super) async fn ddl(&mut self, event: &DdlEvent) -> Result<(), Coded> {
        let name = match (&event.pre_info, event.table.as_str()) {
            (Some(before), _) => Some((before.schema.as_str(), before.name.as_str())),
            (None, "") => None,
            (None, table) => Some((event.schema.as_str(), table)),
        };
        let topic = name
            .and_then(|(schema, table)| {
                Some((self.rules.of(schema, table).topic.as_ref()?, schema, table))
            })
            .map_or_else(
                || self.settled.topic.clone(),
                |(expression, schema, table)| expression.topic(schema, table),
            );
        let (topic, partitions) = self.topic(&topic).await?;
        self.buffer.clear();
        self.encoder.encode_ddl(event, now_ms(), &mut self.buffer)?;
        let last = match self.release.broadcasts_ddl() {
            true => partitions,
            false => 1,
        };
        for partition in 0..last {
            self.producer
                .send(&topic, partition, None, &self.buffer)
                .await?;
        }
        Ok(())
    }

    /// Whether watermarks are sent.
    pub(super) fn has_watermarks(&self) -> bool {
        self.encoder.config().enable_tidb_extension
    }

    /// Hands over a watermark to every partition of the topics of these tables, and of the default topic if there are
    /// none (`spec/canal-json.md §11`).
    ///
    /// # Errors
    /// `ErrKafkaAsyncSendMessage`.
    pub(super) async fn watermark(&mut self, ts: Ts, tables: &Tables) -> Result<(), Coded> {
        self.buffer.clear();
        self.encoder
            .encode_watermark(ts, now_ms(), &mut self.buffer)?;
        let mut topics: BTreeSet<&Arc<str>> = self
            .routes
            .iter()
            .filter(|(id, _)| tables.includes(**id))
            .map(|(_, route)| &route.topic)
            .collect();
        topics.extend(
            self.topics
                .keys()
                .filter(|name| ***name == *self.settled.topic),
        );
        for topic in topics {
            for partition in 0..self.topics.get(topic).copied().unwrap_or(1) {
                self.producer
                    .send(topic, partition, None, &self.buffer)
                    .await?;
            }
        }
        Ok(())
    }

    /// Forgets a table that is gone.
    pub(super) fn forget(&mut self, table: i64) {
        self.routes.remove(&table);
        self.kept.remove(&table);
    }

    /// See [`Producer::mark`].
    pub(super) fn mark(&self) -> Mark {
        self.producer.mark()
    }

    /// See [`Producer::acknowledged_up_to`].
    pub(super) async fn acknowledged_up_to(&self, mark: &Mark) -> Result<(), Coded> {
        self.producer.acknowledged_up_to(mark).await
    }

    /// See [`Producer::acknowledged`].
    pub(super) fn acknowledged(&self) -> u64 {
        self.producer.acknowledged()
    }
}

impl Kept {
    fn new(scope: &Scope, table: &TableInfo) -> Self {
        Self {
            version: table.version,
            filters: scope.row_filters(table),
        }
    }

    fn renew(&mut self, scope: &Scope, table: &TableInfo) {
        if self.version != table.version {
            *self = Self::new(scope, table);
        }
    }
}

/// Bytes of messages that may wait for Kafka, a part of the changefeed's memory quota.
fn queue_bytes(quota: usize) -> usize {
    (quota / 4).min(MAX_QUEUE)
}

/// The wall clock, milliseconds since 1970 UTC.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
