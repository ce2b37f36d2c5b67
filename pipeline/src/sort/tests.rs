mod spilling;

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use tokio::time::timeout;

use super::*;
use crate::{model::Op, upstream::FeedEvent};

fn row(key: &str, start_ts: Ts, commit_ts: Ts, kind: &str) -> RawKv {
    let (op, value, old_value) = match kind {
        "delete" => (Op::Delete, "", "o"),
        "update" => (Op::Put, "v", "o"),
        _ => (Op::Put, "v", ""),
    };
    RawKv {
        op,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: value.into(),
        old_value: old_value.into(),
        start_ts,
        commit_ts,
    }
}

/// A sorter with a folder.
struct Sorting {
    sorter: Sorter,
    dir: tempfile::TempDir,
}

impl Deref for Sorting {
    type Target = Sorter;

    fn deref(&self) -> &Sorter {
        &self.sorter
    }
}

impl DerefMut for Sorting {
    fn deref_mut(&mut self) -> &mut Sorter {
        &mut self.sorter
    }
}

fn sorter(quota: usize, tables: &[TableId]) -> Sorting {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let sorter = Sorter::new(quota, folder.place("test"));
    assert!(
        tables
            .iter()
            .all(|&table| sorter.state.add(table, 0).is_some())
    );
    Sorting { sorter, dir }
}

async fn bring(sorter: &Sorter, table: TableId, rows: Vec<RawKv>, resolved: Option<Ts>) {
    let events = rows
        .into_iter()
        .map(FeedEvent::Kv)
        .chain(resolved.map(FeedEvent::Resolved))
        .collect();
    pump::take_in(&sorter.state, sorter.state.followed(table), events)
        .await
        .unwrap();
}

async fn taken(sorter: &mut Sorter, limit: Ts) -> Vec<(TableId, Ts, String)> {
    let taken = sorter.take(|_| limit, usize::MAX).await.unwrap();
    taken
        .rows
        .into_iter()
        .map(|(table, kv)| {
            (
                table,
                kv.commit_ts,
                String::from_utf8(kv.key.to_vec()).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn rows_come_in_commit_order_up_to_what_is_complete() {
    let mut sorter = sorter(1 << 20, &[1, 2]);
    let rows = vec![
        row("c", 4, 9, "insert"),
        row("b", 3, 5, "insert"),
        row("a", 3, 5, "insert"),
        row("z", 3, 5, "delete"),
        row("y", 3, 5, "update"),
        row("x", 2, 5, "insert"),
    ];
    bring(&sorter, 1, rows, Some(8)).await;
    bring(
        &sorter,
        2,
        vec![row("k", 2, 4, "insert"), row("l", 6, 7, "insert")],
        Some(6),
    )
    .await;
    assert_eq!(
        (
            sorter.resolved_ts(),
            sorter.table_resolved_ts(1),
            sorter.table_resolved_ts(3)
        ),
        (Some(6), Some(8), None)
    );
    let order = ["k", "x", "z", "y", "a", "b"];
    let keys = |rows: Vec<(TableId, Ts, String)>| {
        rows.into_iter().map(|(.., key)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys(taken(&mut sorter, Ts::MAX).await), order);
    assert!(taken(&mut sorter, Ts::MAX).await.is_empty());
    bring(&sorter, 2, vec![], Some(20)).await;
    bring(&sorter, 1, vec![], Some(20)).await;
    assert_eq!(
        keys(taken(&mut sorter, 8).await),
        ["l"],
        "the limit holds rows back"
    );
    assert_eq!(keys(taken(&mut sorter, 9).await), ["c"]);
    assert_eq!(sorter.held(), 0);
}

#[tokio::test]
async fn what_comes_twice_goes_once() {
    let mut sorter = sorter(1 << 20, &[1]);
    bring(
        &sorter,
        1,
        vec![row("a", 1, 2, "insert"), row("a", 1, 2, "insert")],
        None,
    )
    .await;
    bring(&sorter, 1, vec![row("a", 1, 2, "insert")], Some(3)).await;
    assert_eq!(taken(&mut sorter, Ts::MAX).await.len(), 1);
    assert_eq!(sorter.held(), 0);
}

#[tokio::test]
async fn a_part_is_whole_transactions_of_about_the_size_asked_for() {
    let mut sorter = sorter(1 << 20, &[1]);
    let rows: Vec<_> = (0..100)
        .map(|i| row(&format!("{i:02}"), i / 10, 100 + i / 10, "insert"))
        .collect();
    let size = rows[0].size();
    bring(&sorter, 1, rows, Some(200)).await;
    let part = sorter.take(|_| Ts::MAX, 15 * size).await.unwrap();
    assert_eq!((part.rows.len(), part.goes_on), (20, false));
    assert_eq!(sorter.held(), 80 * size);
}

#[tokio::test]
async fn a_table_that_is_forgotten_leaves_nothing() {
    let mut sorter = sorter(1 << 20, &[1, 2]);
    bring(&sorter, 1, vec![row("a", 1, 2, "insert")], Some(3)).await;
    bring(&sorter, 2, vec![], Some(9)).await;
    let before = sorter.state.followed(1);
    sorter.forget(1);
    assert_eq!((sorter.held(), sorter.resolved_ts()), (0, Some(9)));
    // What was on its way when it was forgotten is nobody's, not even when the table is followed again.
    let events = || {
        vec![
            FeedEvent::Kv(row("b", 4, 5, "insert")),
            FeedEvent::Resolved(20),
        ]
    };
    pump::take_in(&sorter.state, before, events())
        .await
        .unwrap();
    assert!(sorter.state.add(1, 7).is_some());
    pump::take_in(&sorter.state, before, events())
        .await
        .unwrap();
    sorter.state.fail_feed(before, Error::BrokeOff);
    assert_eq!((sorter.held(), sorter.resolved_ts()), (0, Some(7)));
    assert!(taken(&mut sorter, Ts::MAX).await.is_empty());
}

/// Whether the future is still not done when everything that can happen has happened.
async fn waits<T>(future: impl Future<Output = T> + Unpin) -> bool {
    timeout(Duration::from_millis(50), future).await.is_err()
}

#[tokio::test]
async fn feeds_wait_for_the_reader_from_half_the_quota_on() {
    let one = row("a", 1, 2, "insert").size();
    let mut sorter = sorter(4 * one, &[1]);
    bring(
        &sorter,
        1,
        vec![row("a", 1, 2, "insert"), row("b", 1, 2, "insert")],
        Some(3),
    )
    .await;
    let state = sorter.state.clone();
    let mut feed = Box::pin(state.put(state.followed(1), vec![row("c", 4, 5, "insert")]));
    assert!(waits(&mut feed).await);
    assert_eq!(taken(&mut sorter, Ts::MAX).await.len(), 2);
    timeout(Duration::from_secs(5), feed)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sorter.held(), one);
}

#[tokio::test]
async fn a_reader_that_wants_all_tables_complete_does_not_wait_for_ever() {
    let one = row("a", 1, 2, "insert").size();
    let mut sorter = sorter(8 * one, &[1, 2]);
    bring(
        &sorter,
        1,
        (0..4)
            .map(|i| row(&i.to_string(), 1, 2, "insert"))
            .collect(),
        Some(3),
    )
    .await;
    let state = sorter.state.clone();
    // Table 1 is complete, but the reader waits for table 2.
    let mut behind = Box::pin(state.put(state.followed(2), vec![row("k", 1, 2, "insert")]));
    assert!(
        waits(&mut behind).await,
        "the reader may yet take the rows of table 1"
    );
    let all = sorter.resolved_ts().unwrap();
    assert!(taken(&mut sorter, all).await.is_empty());
    timeout(Duration::from_secs(5), behind)
        .await
        .unwrap()
        .unwrap();
    let held = sorter.held();
    assert!(
        held <= 4 * one,
        "{held} bytes: rows of table 1 make room on disk"
    );
    bring(&sorter, 2, vec![], Some(3)).await;
    assert_eq!(taken(&mut sorter, 3).await.len(), 5);
    assert_eq!(sorter.held(), 0);
}

#[tokio::test]
async fn the_reader_hears_of_changes() {
    let mut sorter = sorter(1 << 20, &[1]);
    assert!(waits(Box::pin(sorter.changed())).await);
    bring(&sorter, 1, vec![], Some(3)).await;
    timeout(Duration::from_secs(5), sorter.changed())
        .await
        .unwrap();
    assert!(waits(Box::pin(sorter.changed())).await);
}

proptest! {
    /// However rows and resolved-ts arrive: every row once, in order for each table, none above what was complete.
    #[test]
    fn every_row_once_and_in_order(
        rows in prop::collection::vec((0i64..3, 0u8..6, 1u64..50, 0u8..3), 0..80),
        cuts in prop::collection::vec(1u64..60, 1..8),
        part in 1usize..2000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut sorter = sorter(1 << 20, &[0, 1, 2]);
            let kinds = ["delete", "update", "insert"];
            let mut expected: Vec<(TableId, RawKv)> = rows
                .iter()
                .map(|&(table, key, commit_ts, kind)| (table, row(&key.to_string(), commit_ts - 1, commit_ts, kinds[kind as usize])))
                .collect();
            let mut got = Vec::new();
            let mut last = 0;
            let mut cuts = cuts;
            cuts.sort();
            cuts.push(60);
            for cut in cuts {
                for table in 0..3 {
                    // Later rows may come early, never the other way round.
                    let due = expected.iter().filter(|(t, kv)| *t == table && kv.commit_ts > last && (kv.commit_ts <= cut || kv.key[0] % 2 == 0));
                    bring(&sorter, table, due.map(|(_, kv)| kv.clone()).collect(), Some(cut)).await;
                }
                loop {
                    let taken = sorter.take(|_| Ts::MAX, part).await.unwrap().rows;
                    if taken.is_empty() {
                        break;
                    }
                    assert!(taken.iter().all(|(_, kv)| kv.commit_ts > last && kv.commit_ts <= cut));
                    got.extend(taken);
                }
                last = cut;
            }
            let rank = |(table, kv): &(TableId, RawKv)| (kv.commit_ts, kv.start_ts, *table, kv.kind(), kv.key.clone());
            expected.sort_by_key(rank);
            expected.dedup();
            assert_eq!(got, expected);
            assert_eq!(sorter.held(), 0);
        });
    }
}
