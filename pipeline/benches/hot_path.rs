//! Decoding and encoding of every recorded row of TiDB v8.4, and the frontier of a span of many regions.

#![allow(missing_docs)]

#[allow(dead_code)]
#[path = "../tests/recordings/load.rs"]
mod load;
#[allow(dead_code)]
#[path = "../tests/recordings/meta.rs"]
mod meta;

use std::{hint::black_box, sync::Arc};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use pipeline::{
    codec::canal_json::{Config, Encoded, Encoder},
    compat::Compat,
    frontier::Frontier,
    model::{RawKv, Span},
    mount::{Mounter, RowEvent, SplitRule, TextRules},
    schema::{DDL_JOB_TABLE_ID, TableInfo},
};

const COMPAT: Compat = Compat::V8_5;

/// Recorded rows, each with the schema of its moment.
fn rows() -> Vec<(Arc<TableInfo>, RawKv)> {
    let mut rows = Vec::new();
    for name in load::names("v8.4") {
        let (_, steps) = load::recording("v8.4", &name);
        let mut storage = meta::before(&steps, COMPAT).load(COMPAT);
        for step in &steps {
            let jobs = step
                .ddl_jobs
                .iter()
                .filter(|job| job.table == "tidb_ddl_job");
            let mut last = 0;
            for kv in jobs.filter_map(load::JobRow::raw) {
                last = last.max(kv.commit_ts);
                storage.on_kv(&kv).expect("a job");
            }
            if storage.on_resolved(last).is_err() {
                // A statement that ends changefeeds, as recorded.
                break;
            }
            let written = step.kv.iter().filter(|kv| kv.written_by_ddl.is_null());
            rows.extend(written.map(load::KeyValue::raw).filter_map(|kv| {
                let table = storage.table_of_row(&kv)?;
                (table.id != DDL_JOB_TABLE_ID).then_some((table, kv))
            }));
        }
    }
    rows
}

fn of_rows(criterion: &mut Criterion) {
    let text = TextRules {
        time_zone: TimeZone::UTC,
        release: COMPAT.into(),
    };
    let mounter = Mounter {
        text: text.clone(),
        split: SplitRule::new(COMPAT.into(), false),
    };
    let mut rows = rows();
    rows.retain(|(table, kv)| matches!(mounter.mount(kv, table), Ok(Some(_))));
    let mut group = criterion.benchmark_group("recorded rows");
    group.throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("decode", |bench| {
        bench.iter(|| {
            for (table, kv) in &rows {
                black_box(mounter.mount(kv, table).expect("a row"));
            }
        });
    });
    let events: Vec<RowEvent<'_>> = rows
        .iter()
        .filter_map(|(table, kv)| mounter.mount(kv, table).expect("a row"))
        .collect();
    let mut encoder = Encoder::new(Config::new(COMPAT), text);
    let mut out = Vec::new();
    let mut bytes = 0;
    for event in &events {
        out.clear();
        let encoded = encoder.encode_row(event, 0, &mut out);
        assert_eq!(encoded.expect("a message"), Encoded::Whole);
        bytes += out.len();
    }
    group.bench_function("encode", |bench| {
        bench.iter(|| {
            for event in &events {
                out.clear();
                let encoded = encoder.encode_row(black_box(event), 0, &mut out);
                assert_eq!(encoded.expect("a message"), Encoded::Whole);
            }
        });
    });
    println!("{} rows, {bytes} bytes of messages", rows.len());
    group.finish();
}

fn of_regions(criterion: &mut Criterion) {
    const REGIONS: u32 = 100_000;
    let key = |n: u32| match n {
        REGIONS => Bytes::new(),
        n => Bytes::copy_from_slice(&n.to_be_bytes()),
    };
    let spans: Vec<Span> = (0..REGIONS)
        // Not in key order, as regions answer.
        .map(|n| (n * 7919) % REGIONS)
        .map(|n| Span::new(key(n), key(n + 1)))
        .collect();
    let mut frontier = Frontier::new(Span::new(key(0), Bytes::new()), 1);
    let mut ts = 1;
    let mut group = criterion.benchmark_group("frontier of 100,000 regions");
    group.throughput(Throughput::Elements(u64::from(REGIONS)));
    group.sample_size(10);
    group.bench_function("forward each", |bench| {
        bench.iter(|| {
            ts += 1;
            for span in &spans {
                frontier.forward(span, ts);
            }
            assert_eq!(frontier.resolved_ts(), ts);
        });
    });
    group.finish();
}

criterion_group!(benches, of_rows, of_regions);
criterion_main!(benches);
