//! Recordings through a whole running task: a cluster in memory commits what was recorded, at the recorded timestamps,
//! and what arrives in Kafka must be the recorded messages, each table's in order.

mod broker;
mod claims;
mod large;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use jiff::tz::TimeZone;
use pipeline::{
    changefeed::task::{self, Config, End, Progress, Spec},
    coded::{Code, Coded},
    compat::Compat,
    config::{file, legacy::LegacyConfig, replica::ReplicaConfig},
    meters::FeedMeters,
    model::{Op, RawKv},
    sort::Folder,
    upstream::Upstream,
};
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    mocking::MockCluster,
};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::broker::Broker;
use crate::{
    canonical::canonical,
    compare::table_of,
    expected::ends,
    fake::Cluster,
    load::{self, Step},
    meta,
};

const TOPIC: &str = "whole";
const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// When the changes are committed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Before the task begins: it finds them by scanning.
    Before,
    /// While it runs, a resolved-ts after each statement.
    Live,
    /// While it runs, one resolved-ts behind all of them.
    LiveAtOnce,
}

/// The changes of all statements by commit-ts, with whether a reorganisation made them: those are not told.
fn changes(steps: &[Step]) -> Vec<(RawKv, bool)> {
    let jobs = steps
        .iter()
        .flat_map(|step| &step.ddl_jobs)
        .filter(|job| job.table == "tidb_ddl_job")
        .filter_map(load::JobRow::raw)
        .map(|job| (job, false));
    let rows = steps
        .iter()
        .flat_map(|step| &step.kv)
        .map(|kv| (kv.raw(), !kv.written_by_ddl.is_null()));
    let mut all: Vec<_> = jobs.chain(rows).collect();
    all.sort_by_key(|(kv, _)| (kv.commit_ts, kv.start_ts));
    all
}

/// Where [`read`] puts watermarks.
const WATERMARKS: &str = "watermarks";

/// A message with its record key, which may be null.
type Record = (Option<String>, String);

/// Reads all partitions of the topic from their beginning.
fn consumer(brokers: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "whole")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(TOPIC, partition, Offset::Beginning)
            .expect("a partition");
    }
    consumer.assign(&list).expect("an assignment");
    consumer
}

/// Messages of a topic by table, in the order of their partition.
fn read(brokers: &str, count: u64) -> BTreeMap<String, Vec<Record>> {
    let consumer = consumer(brokers);
    let mut tables: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for at in 0..count {
        let message = consumer
            .poll(PATIENCE)
            .unwrap_or_else(|| panic!("no message {at} of {count}"))
            .expect("a message");
        let text = std::str::from_utf8(message.payload().unwrap_or_default()).expect("UTF-8");
        let kind = if text.contains("\"isDdl\":true") {
            "DDL of "
        } else {
            ""
        };
        let watermark = text.contains("\"type\":\"TIDB_WATERMARK\"");
        let key = message
            .key()
            .map(|key| String::from_utf8(key.to_vec()).expect("UTF-8"));
        let place = match watermark {
            true => WATERMARKS.to_owned(),
            false => format!("{kind}{}", table_of(text)),
        };
        tables
            .entry(place)
            .or_default()
            .push((key, canonical(text)));
    }
    tables
}

/// Whose recordings, and which of the recorded changefeeds.
#[derive(Debug, Clone, Copy)]
struct Generation {
    version: &'static str,
    compat: Compat,
    changefeed: &'static str,
    /// The rest of the sink URI; v4.0 and v6.5 were recorded with one partition.
    parameters: &'static str,
    /// The changefeed's file.
    file: &'static str,
    /// Where messages are stored that are too large, instead of in the recorded machine's folder.
    claims: &'static str,
}

/// Where messages were stored that are too large.
const CLAIMS: &str = "file:///claim";

const V8_4: Generation = Generation {
    version: "v8.4",
    compat: Compat::V8_5,
    changefeed: "default",
    parameters: "",
    file: "",
    claims: CLAIMS,
};
const V6_5: Generation = Generation {
    version: "v6.5",
    compat: Compat::V6_5,
    changefeed: "default",
    parameters: "&partition-num=1",
    file: "",
    claims: CLAIMS,
};
const V4_0: Generation = Generation {
    version: "v4.0",
    compat: Compat::V4_0_9,
    changefeed: "old-value",
    parameters: "&partition-num=1",
    file: "enable-old-value = true\n",
    claims: CLAIMS,
};
/// The further changefeeds.
const OTHERS: [Generation; 9] = [
    Generation {
        changefeed: "tidb-extension",
        parameters: "&enable-tidb-extension=true",
        ..V8_4
    },
    Generation {
        changefeed: "content-compatible",
        parameters: "&content-compatible=true",
        ..V8_4
    },
    Generation {
        changefeed: "only-updated-columns",
        parameters: "&only-output-updated-columns=true",
        ..V8_4
    },
    Generation {
        changefeed: "delete-only-handle-keys",
        parameters: "&enable-tidb-extension=true",
        file: "[sink]\ndelete-only-output-handle-key-columns=true\n",
        ..V8_4
    },
    Generation {
        changefeed: "force-replicate",
        parameters: "&enable-tidb-extension=true",
        file: "force-replicate=true\n",
        ..V8_4
    },
    Generation {
        changefeed: "raw-change-event",
        parameters: "&enable-tidb-extension=true",
        file: "[sink.kafka-config]\noutput-raw-change-event=true\n",
        ..V8_4
    },
    Generation {
        changefeed: "tidb-extension",
        parameters: "&partition-num=1&enable-tidb-extension=true",
        ..V6_5
    },
    Generation {
        changefeed: "force-replicate",
        file: "force-replicate=true\n",
        ..V6_5
    },
    Generation {
        changefeed: "force-replicate",
        file: "enable-old-value = true\nforce-replicate = true\n",
        ..V4_0
    },
];

impl Generation {
    /// The changefeed's configuration.
    fn config(self) -> Config {
        if self.compat == Compat::V4_0_9 {
            let base = LegacyConfig::default();
            let config = file::parse(self.file, "old.toml", &base, self.compat).expect("a file");
            return Config::Legacy(Box::new(config));
        }
        let text = self.file.replace(CLAIMS, self.claims);
        let base = ReplicaConfig::defaults(self.compat);
        let mut config: ReplicaConfig =
            file::parse(&text, "changefeed.toml", &base, self.compat).expect("a file");
        config.sink.protocol = Some("canal-json".to_owned());
        Config::Modern(Box::new(config))
    }

    /// The changefeed from `begin` on, which sorts below `dir`.
    fn spec(self, brokers: &str, begin: u64, dir: &Path) -> Spec {
        Spec {
            namespace: "default".to_owned(),
            id: "whole".to_owned(),
            capture: "127.0.0.1:8300".to_owned(),
            release: self.compat.into(),
            sink_uri: format!(
                "kafka://{brokers}/{TOPIC}?protocol=canal-json{}",
                self.parameters
            ),
            config: self.config(),
            checkpoint_ts: begin,
            ddl_at_checkpoint: false,
            target_ts: None,
            time_zone: TimeZone::UTC,
            sort_folder: Folder::open(dir).expect("a folder to sort in"),
            meters: FeedMeters::default(),
            fence: pipeline::changefeed::capture::Fence::default(),
        }
    }

    /// Messages as they can be compared: v4.0.9 keeps no order within a transaction, and partitions of a table are sent
    /// side by side.
    fn comparable(self, name: &str, messages: &mut [Record]) {
        if self.compat == Compat::V4_0_9 || name == "partition" {
            messages.sort_by_cached_key(|message| (commit(&message.1), message.clone()));
        }
    }
}

/// Commits the metadata of before a recording, just before `begin`.
fn metadata(cluster: &Cluster, steps: &[Step], generation: Generation, begin: u64) {
    for (key, value) in meta::before(steps, generation.compat).pairs() {
        let change = RawKv {
            op: Op::Put,
            key: key.clone(),
            value: value.clone(),
            old_value: Default::default(),
            start_ts: begin - 2,
            commit_ts: begin - 1,
        };
        cluster.commit(&change, false);
    }
}

/// A task that runs.
struct Running {
    /// Lives as long as the task.
    kafka: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
    seen: watch::Receiver<Progress>,
    stop: CancellationToken,
    task: JoinHandle<Result<End, Coded>>,
    /// Where it sorts.
    dir: TempDir,
}

impl Running {
    /// A changefeed on the cluster from `begin` on, with what `adjust` makes of it.
    async fn start(
        cluster: &Cluster,
        generation: Generation,
        begin: u64,
        adjust: impl FnOnce(&mut Spec),
    ) -> Self {
        let kafka = MockCluster::new(1).expect("a broker");
        kafka.create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
        let upstream = Upstream::connect(&cluster.pd()).await.expect("PD");
        let (progress, seen) = watch::channel(Progress::default());
        let stop = CancellationToken::new();
        let dir = tempfile::tempdir().expect("a folder");
        let mut spec = generation.spec(&kafka.bootstrap_servers(), begin, dir.path());
        adjust(&mut spec);
        let ended = stop.clone();
        let task =
            tokio::spawn(
                async move { task::run_on(&Broker, spec, upstream, progress, ended).await },
            );
        Self {
            kafka,
            seen,
            stop,
            task,
            dir,
        }
    }
}

/// A task that runs over a recording.
struct Started {
    cluster: Cluster,
    running: Running,
    steps: Vec<Step>,
    /// The last commit-ts.
    last: u64,
}

impl Started {
    async fn new(generation: Generation, name: &str, moment: Moment) -> Self {
        let (header, steps) = load::recording(generation.version, name);
        if let Some(spec) = header.pipelines.get(generation.changefeed) {
            let bare = |text: &str| text.replace(' ', "");
            assert_eq!(bare(&spec.config), bare(generation.file), "{name}");
            let asked = spec.sink_uri.split_once("canal-json").map(|(_, more)| more);
            let asked = asked.unwrap_or(&spec.parameters);
            assert!(generation.parameters.ends_with(asked), "{name}: {asked}");
        }
        let changes = changes(&steps);
        let first = changes.iter().map(|(change, _)| change.start_ts).min();
        let first = first.expect("a change");
        let last = changes.last().expect("a change").0.commit_ts;
        let begin = first - 10;
        let cluster = Cluster::start().await;
        metadata(&cluster, &steps, generation, begin);
        if matches!(moment, Moment::Before) {
            for (change, silent) in &changes {
                cluster.commit(change, *silent);
            }
        }

        let running = Running::start(&cluster, generation, begin, |_| ()).await;
        if !matches!(moment, Moment::Before) {
            // What the task does not follow yet it finds by scanning; either way it must come.
            let mut commits = changes.iter().peekable();
            while let Some((change, silent)) = commits.next() {
                cluster.commit(change, *silent);
                let next = commits.peek().map(|(next, _)| next.commit_ts);
                let complete = next.is_none_or(|next| next > change.commit_ts);
                if matches!(moment, Moment::Live) && complete {
                    cluster.resolve(change.commit_ts);
                    tokio::task::yield_now().await;
                }
            }
        }
        Self {
            cluster,
            running,
            steps,
            last,
        }
    }
}

async fn run(generation: Generation, name: &str, moment: Moment) {
    let Started {
        cluster,
        mut running,
        steps,
        last,
    } = Started::new(generation, name, moment).await;
    let (brokers, seen) = (running.kafka.bootstrap_servers(), &mut running.seen);
    // Tables that come with a DDL are followed later and hear of the next resolved-ts only: tell it until all have.
    let reached = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while seen.borrow_and_update().checkpoint_ts <= last {
            pace.tick().await;
            cluster.resolve(last + 1);
        }
    };
    tokio::select! {
        ended = &mut running.task => panic!("{name}: the task ended: {ended:?}"),
        waited = tokio::time::timeout(PATIENCE, reached) => {
            assert!(waited.is_ok(), "{name}: {:?}, not {last}", running.seen.borrow());
        }
    }
    running.stop.cancel();
    let end = running.task.await.expect("no panic").expect("no error");
    assert_eq!(end, End::Stopped);

    let recorded = recorded(&steps, generation);
    let count: usize = recorded.values().map(Vec::len).sum();
    let sent = running.seen.borrow().messages;
    let mut ours = tokio::task::spawn_blocking(move || read(&brokers, sent))
        .await
        .expect("messages");
    // How many come depends on the pace; statements were recorded without.
    let watermarks = ours.remove(WATERMARKS).unwrap_or_default();
    let extended = generation.parameters.contains("enable-tidb-extension");
    assert_eq!(!watermarks.is_empty(), extended, "{name}: {watermarks:?}");
    assert!(watermarks.iter().all(|(key, _)| key.is_none()));
    assert_eq!(sent, (count + watermarks.len()) as u64, "{name}: messages");
    for (table, mut messages) in recorded {
        let mut ours = ours.get(&table).cloned().unwrap_or_default();
        generation.comparable(name, &mut ours);
        generation.comparable(name, &mut messages);
        assert_eq!(ours, messages, "{name}: {table}");
    }
}

/// The recorded messages of the changefeed with default options, by table.
fn recorded(steps: &[Step], generation: Generation) -> BTreeMap<String, Vec<Record>> {
    let keys = (generation.compat == Compat::V8_5).then(keys_in_topics);
    let mut tables: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for message in steps
        .iter()
        .filter_map(|step| step.cdc.get(generation.changefeed))
        .flatten()
    {
        let text = message
            .value
            .as_deref()
            .unwrap_or_else(|| panic!("an error is recorded: {:?}", message.error));
        let kind = if message.is_ddl() { "DDL of " } else { "" };
        let key = match (&message.key, &keys) {
            (Some(key), _) => key.clone(),
            (None, Some(keys)) => keys[usize::from(message.is_ddl())].clone(),
            (None, None) => panic!("no key is recorded"),
        };
        tables
            .entry(format!("{kind}{}", message.table()))
            .or_default()
            .push((key, canonical(text)));
    }
    tables
}

/// The record keys of rows and of all other messages of v8.4.0, whose recordings of statements are without.
fn keys_in_topics() -> [Option<String>; 2] {
    let mut keys: [BTreeSet<Option<String>>; 2] = Default::default();
    for message in load::topics() {
        let value = message.value.as_deref().expect("a value");
        let row = !message.is_ddl() && !value.contains("\"TIDB_WATERMARK\"");
        keys[usize::from(!row)].insert(message.key.expect("keys are recorded"));
    }
    keys.map(|keys| {
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys.into_iter().next().expect("one")
    })
}

/// Runs a recording whose changefeed fails, and gives the error.
async fn fail(name: &str) -> Coded {
    let started = Started::new(V8_4, name, Moment::Live).await;
    let Started {
        cluster,
        running,
        last,
        ..
    } = started;
    let told = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        loop {
            pace.tick().await;
            cluster.resolve(last + 1);
        }
    };
    tokio::select! {
        ended = running.task => ended.expect("no panic").expect_err("an error"),
        waited = tokio::time::timeout(PATIENCE, told) => panic!("{name}: it goes on: {waited:?}"),
    }
}

/// The commit time of a message.
fn commit(message: &str) -> u64 {
    let message: serde_json::Value = serde_json::from_str(message).expect("JSON");
    message["es"].as_u64().expect("a number")
}

/// Whether the recorded changefeed got through.
fn succeeded(generation: Generation, name: &str) -> bool {
    let (_, steps) = load::recording(generation.version, name);
    let ended = |step: &Step| ends(generation.version, name, step.step).is_some();
    let mut messages = steps
        .iter()
        .filter_map(|step| step.cdc.get(generation.changefeed))
        .flatten();
    messages.all(|message| message.error.is_none()) && !steps.iter().any(ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_live_arrives_as_recorded() {
    all(V8_4, 20).await;
}

/// Runs every recording that the changefeed got through.
async fn all(generation: Generation, least: usize) {
    let names = load::names(generation.version);
    let names: Vec<_> = names
        .iter()
        .filter(|name| succeeded(generation, name))
        .collect();
    assert!(names.len() > least, "only {names:?} can be compared");
    for name in names {
        run(generation, name, Moment::Live).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_v6_5_told_arrives_as_recorded() {
    all(V6_5, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_changefeeds_arrive_as_recorded() {
    for generation in OTHERS {
        for name in ["keys", "partition", "txn-and-ddl"] {
            println!("{} {} {name}", generation.version, generation.changefeed);
            run(generation, name, Moment::Live).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_before_arrives_as_recorded() {
    for name in ["article", "dml", "keys", "ddl-table", "txn-and-ddl"] {
        run(V8_4, name, Moment::Before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_and_rows_that_become_complete_together_arrive_as_recorded() {
    for name in ["article", "ddl-column-index", "ddl-table", "txn-and-ddl"] {
        run(V8_4, name, Moment::LiveAtOnce).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_dialect_arrives_as_recorded() {
    all(V4_0, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changefeeds_fail_as_recorded() {
    for (name, code, words) in [
        (
            "ddl-ineligible-drop-pk",
            Code::ErrOwnerUnknown,
            "An eligible table become ineligible after DDL: [alter table n drop primary key]",
        ),
        (
            "ddl-ineligible-drop-uk",
            Code::ErrOwnerUnknown,
            "An eligible table become ineligible after DDL: [alter table n drop index ua]",
        ),
        (
            "ddl-rename-cycle",
            Code::ErrHandleDDLFailed,
            "handle ddl failed, query: rename table a to tmpname, b to a, tmpname to b",
        ),
    ] {
        let error = fail(name).await;
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.message().contains(words), "{name}: {error}");
    }
}
