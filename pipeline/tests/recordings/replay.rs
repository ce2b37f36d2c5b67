//! One recording through the stages.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use pipeline::{
    codec::{
        canal_json::{Encoded, Encoder},
        dispatch::{DispatchRule, Dispatcher},
    },
    coded::{Code, Coded},
    compat::Compat,
    model::RawKv,
    mount::{RowEvent, key},
    schema::{DDL_JOB_TABLE_ID, DdlEvent, SchemaError, SchemaStorage, TableInfo},
};

use crate::{
    canonical::canonical,
    compare::{self, Out, Sent, table_of},
    expected,
    feed::Feed,
    load::{self, Message, Step, readable},
    meta, partitions,
    report::Report,
};

/// Where messages are stored; [`canonical`] makes it of each recorded place.
const LOCATION: &str = "file:///claim/00000000-0000-0000-0000-000000000000.json";

/// The recorded topics have this many partitions, and the default rule.
const PARTITIONS: u32 = 3;

/// The changes of one transaction in one table's rows of one physical id.
pub(crate) type Txn<'a> = (Arc<TableInfo>, Vec<&'a RawKv>);

pub(crate) fn replay(version: &str, name: &str, compat: Compat) -> Report {
    let (header, steps) = load::recording(version, name);
    let report = Report {
        name: name.to_owned(),
        ..Report::default()
    };
    let mut feeds = Vec::new();
    for (pipeline, spec) in &header.pipelines {
        feeds.push(Feed::new(pipeline, spec, compat));
    }
    let mut replay = Replay {
        storage: meta::before(&steps, compat).load(compat),
        compat,
        plain: Feed::new("default", &load::PipelineSpec::default(), compat),
        report,
    };
    for step in &steps {
        if let Some(reason) = expected::ends(version, name, step.step) {
            *replay.report.out_of_scope.entry(reason).or_default() += 1;
            break;
        }
        replay.step(step, &mut feeds);
    }
    replay.report
}

struct Replay {
    storage: SchemaStorage,
    compat: Compat,
    /// A changefeed with default options, for partitions.
    plain: Feed,
    report: Report,
}

impl Replay {
    fn step(&mut self, step: &Step, feeds: &mut [Feed]) {
        let ddls = self.ddls(step);
        let rows = step.kv.iter().filter(|kv| kv.written_by_ddl.is_null());
        let kvs: Vec<RawKv> = rows.map(load::KeyValue::raw).collect();
        let txns = self.txns(&kvs);
        for feed in feeds {
            let recorded = step
                .cdc
                .get(&feed.name)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if feed.ended {
                assert!(recorded.is_empty(), "{} goes on after its end", feed.name);
                continue;
            }
            let (mut ddl_messages, row_messages): (Vec<&Message>, Vec<&Message>) = recorded
                .iter()
                .filter(|message| !expected::is_nothing(message))
                .partition(|message| message.is_ddl());
            feed.ended = ddl_messages.iter().any(|message| message.error.is_some());
            let mut sent = send_ddls(feed, &ddls);
            if self.compat == Compat::V6_5 {
                // The tables of one RENAME come in any order.
                sent.sort();
                ddl_messages.sort_by_key(|message| message.value.as_deref().map(canonical));
            }
            compare::messages(&mut self.report, step, &feed.name, &sent, &ddl_messages);
            self.compare_rows(step, feed, &txns, &row_messages);
            assert_stored(step, &mut feed.stored);
        }
        partitions::compare(&mut self.report, step, &txns, &self.plain);
    }

    /// The statement's jobs through the schema.
    fn ddls(&mut self, step: &Step) -> Result<Vec<DdlEvent>, SchemaError> {
        let jobs = step
            .ddl_jobs
            .iter()
            .filter(|job| job.table == "tidb_ddl_job")
            .filter_map(load::JobRow::raw);
        let listed = step
            .kv
            .iter()
            .filter(|kv| meta::is_job(kv))
            .map(load::KeyValue::raw);
        let mut last = 0;
        for kv in jobs.chain(listed) {
            last = last.max(kv.commit_ts);
            self.storage.on_kv(&kv)?;
        }
        self.storage.on_resolved(last)
    }

    /// The statement's rows by transaction and physical table, in the order in which the sorter gives them.
    fn txns<'a>(&self, kvs: &'a [RawKv]) -> Vec<Txn<'a>> {
        let mut groups: BTreeMap<(u64, u64, i64), Vec<&RawKv>> = BTreeMap::new();
        for kv in kvs {
            if let Ok(Some((id, _))) = key::decode_row_key(&kv.key) {
                groups
                    .entry((kv.commit_ts, kv.start_ts, id))
                    .or_default()
                    .push(kv);
            }
        }
        let sorted = groups.into_values().map(|mut rows| {
            rows.sort_by(|a, b| (a.kind(), &a.key).cmp(&(b.kind(), &b.key)));
            rows
        });
        sorted
            .filter_map(|rows| Some((self.storage.table_of_row(rows[0])?, rows)))
            .filter(|(table, _)| table.id != DDL_JOB_TABLE_ID)
            .collect()
    }

    fn compare_rows(
        &mut self,
        step: &Step,
        feed: &mut Feed,
        txns: &[Txn<'_>],
        recorded: &[&Message],
    ) {
        let mut theirs: BTreeMap<String, Vec<&Message>> = BTreeMap::new();
        for message in recorded {
            theirs.entry(message.table()).or_default().push(message);
        }
        // Partitions of a table are sent side by side; older sorters keep no order within a transaction.
        let mut unordered = self.compat < Compat::V8_5;
        let mut ours: BTreeMap<String, Vec<Sent>> = BTreeMap::new();
        for (table, rows) in txns {
            if !feed.scope.takes_table(table) {
                continue;
            }
            unordered |= table.partitioned;
            for sent in send_rows(feed, table, rows) {
                let name = sent
                    .as_ref()
                    .map(|sent| table_of(&sent.value))
                    .unwrap_or_default();
                ours.entry(name).or_default().push(sent);
            }
        }
        for table in theirs.keys() {
            ours.entry(table.clone()).or_default();
        }
        for (table, mut ours) in ours {
            let mut theirs = theirs.remove(&table).unwrap_or_default();
            if unordered {
                ours.sort();
                theirs.sort_by_key(|message| message.value.as_deref().map(canonical));
            }
            compare::messages(&mut self.report, step, &feed.name, &ours, &theirs);
        }
    }
}

fn send_ddls(feed: &Feed, ddls: &Result<Vec<DdlEvent>, SchemaError>) -> Vec<Sent> {
    let events = match ddls {
        Ok(events) => events,
        Err(error) => return vec![Err(error.to_string())],
    };
    let mut sent = Vec::new();
    for event in events {
        match feed.scope.takes_ddl(event) {
            Ok(false) => {}
            // Words of its own in a recording, without a code.
            Err(error) if error.code() == Code::ErrOwnerUnknown => {
                sent.push(Err(error.message().to_owned()));
            }
            Err(error) => sent.push(Err(error.to_string())),
            Ok(true) => {
                let mut out = Vec::new();
                let encoded = feed.encoder.encode_ddl(event, 0, &mut out);
                let message = encoded.map(|()| Out {
                    value: readable(&out),
                    partition: None,
                    key: None,
                });
                sent.push(message.map_err(|error| error.to_string()));
            }
        }
    }
    sent
}

fn send_rows(feed: &mut Feed, table: &TableInfo, rows: &[&RawKv]) -> Vec<Sent> {
    let filters = feed.scope.row_filters(table);
    let keep = |event: &RowEvent<'_>| match &filters {
        Some(filters) => filters.drop_row(event).map(|drop| !drop),
        None => Ok::<_, Coded>(true),
    };
    let mounted = feed.mounter.mount_txn_of(rows.iter().copied(), table, keep);
    let events = match mounted {
        Ok(events) => events,
        Err(error) => return vec![Err(error.to_string())],
    };
    let dispatcher = Dispatcher::new(&DispatchRule::Table, table).expect("a rule without names");
    let mut sent = Vec::new();
    for event in &events {
        let partition = dispatcher
            .partition(event, &feed.mounter.text, PARTITIONS)
            .expect("a partition");
        let mut out = Vec::new();
        let encoded = feed.encoder.encode_row(event, 0, &mut out);
        if let Some(with_row_keys) = &mut feed.with_row_keys {
            assert_row_key(with_row_keys, event, &out);
        }
        let encoded = encoded.and_then(|encoded| match encoded {
            Encoded::Whole => Ok(()),
            Encoded::TooLarge => {
                feed.stored.push(readable(&out));
                out.clear();
                feed.encoder.encode_claim(event, LOCATION, 0, &mut out)
            }
        });
        let message = encoded.map(|()| Out {
            value: readable(&out),
            partition: Some(partition),
            key: feed.encoder.row_key(),
        });
        sent.push(message.map_err(|error| error.to_string()));
    }
    sent
}

/// `output-row-key` adds the row's key and nothing else (`spec/canal-json.md §11`).
fn assert_row_key(encoder: &mut Encoder, event: &RowEvent<'_>, without: &[u8]) {
    let mut with = Vec::new();
    let encoded = encoder.encode_row(event, 0, &mut with);
    assert_eq!(encoded.expect("a message"), Encoded::Whole);
    let key = BASE64_STANDARD.encode(event.key);
    let member = format!(",\"rowkey\":\"{key}\"}}}}");
    let without = std::str::from_utf8(without).expect("UTF-8");
    let expected = without.strip_suffix("}}").expect("`_tidb`").to_owned() + &member;
    assert_eq!(String::from_utf8(with).expect("UTF-8"), expected);
}

/// What is stored is what a topic without such a limit has.
fn assert_stored(step: &Step, stored: &mut Vec<String>) {
    let whole = step.cdc.get("tidb-extension").map(Vec::as_slice);
    for value in stored.drain(..) {
        let value = canonical(&value);
        assert!(
            whole.unwrap_or_default().iter().any(|message| message
                .value
                .as_deref()
                .map(canonical)
                .as_ref()
                == Some(&value)),
            "step {}: {value}",
            step.step
        );
    }
}
