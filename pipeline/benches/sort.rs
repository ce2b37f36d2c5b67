//! How fast rows go through the sorter: kept in memory, and by way of the disk.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pipeline::{
    model::{Op, RawKv, Span, Ts},
    sort::{Folder, Sorter},
    upstream::{FeedEvent, Subscription},
};

const ROWS: u64 = 100_000;
/// Rows that come together, as a store's message has them.
const BATCH: usize = 1000;
/// What the changefeed's task takes at once.
const PART: usize = 1 << 20;

/// Rows of five columns in key order, as a scan brings them; commit-ts go up and down, ten rows have the same.
fn batches(tables: i64) -> Vec<(i64, Vec<FeedEvent>)> {
    let rows = ROWS / tables as u64;
    let row = |table: i64, number: u64| RawKv {
        op: Op::Put,
        key: [
            &b"t"[..],
            &table.to_be_bytes(),
            b"_r",
            &number.to_be_bytes(),
        ]
        .concat()
        .into(),
        value: vec![number as u8; 48].into(),
        old_value: Default::default(),
        start_ts: 2 + (number * 7919 % rows) / 10 * 10,
        commit_ts: 5 + (number * 7919 % rows) / 10 * 10,
    };
    let mut all = Vec::new();
    for table in 0..tables {
        let rows: Vec<_> = (0..rows).map(|number| row(table, number)).collect();
        for some in rows.chunks(BATCH) {
            all.push((table, some.iter().cloned().map(FeedEvent::Kv).collect()));
        }
    }
    all.extend((0..tables).map(|table| (table, vec![FeedEvent::Resolved(10 * ROWS)])));
    all
}

async fn through(mut sorter: Sorter, tables: i64, batches: Vec<(i64, Vec<FeedEvent>)>) {
    let mut feeds = Vec::new();
    for table in 0..tables {
        let (feed, subscription) = Subscription::by_hand(Span::new("", ""));
        sorter.follow(table, 1, subscription).expect("a new table");
        feeds.push(feed);
    }
    let bring = async {
        for (table, batch) in batches {
            feeds[table as usize]
                .send(Ok(batch.into()))
                .await
                .expect("a sorter");
        }
    };
    let take = async {
        let mut count = 0;
        let mut last: Ts = 0;
        while count < ROWS {
            let taken = sorter.take(|_| Ts::MAX, PART).await.expect("rows");
            let rows = taken.rows;
            if rows.is_empty() {
                sorter.changed().await;
            }
            for (_, row) in &rows {
                assert!(tables > 1 || row.commit_ts >= last, "in order");
                last = row.commit_ts;
            }
            count += rows.len() as u64;
        }
    };
    tokio::join!(bring, take);
}

fn sort(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(dir.path()).expect("a folder to sort in");
    let mut group = c.benchmark_group("sort");
    group.throughput(Throughput::Elements(ROWS)).sample_size(20);
    // 100,000 rows are some 20 MB.
    for (way, quota) in [("in memory", 1 << 30), ("by way of the disk", 4 << 20)] {
        for tables in [1, 50] {
            group.bench_function(format!("{way}, {tables} tables"), |b| {
                b.iter_batched(
                    || (batches(tables), Sorter::new(quota, folder.place("bench"))),
                    |(batches, sorter)| runtime.block_on(through(sorter, tables, batches)),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, sort);
criterion_main!(benches);
