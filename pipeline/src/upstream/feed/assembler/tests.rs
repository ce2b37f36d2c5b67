//! The assembly rules one by one; the recordings of a real store are in `recordings`.

mod recordings;

use bytes::Bytes;
use proptest::prelude::*;
use proto::cdcpb::event::{LogType, Row, row::OpType};

use super::*;
use crate::upstream::feed::open::Room;

const PUT: OpType = OpType::Put;
const DELETE: OpType = OpType::Delete;

fn row(kind: LogType, op: OpType, key: &str, start_ts: Ts, commit_ts: Ts) -> Row {
    Row {
        r#type: kind as i32,
        op_type: op as i32,
        key: Bytes::copy_from_slice(key.as_bytes()),
        start_ts,
        commit_ts,
        ..Default::default()
    }
}

fn prewrite(key: &str, start_ts: Ts, value: &'static str, old: &'static str) -> Row {
    let op = if value.is_empty() { DELETE } else { PUT };
    Row {
        value: value.into(),
        old_value: old.into(),
        ..row(LogType::Prewrite, op, key, start_ts, 0)
    }
}

fn commit(key: &str, start_ts: Ts, commit_ts: Ts) -> Row {
    row(LogType::Commit, PUT, key, start_ts, commit_ts)
}

fn committed(
    key: &str,
    start_ts: Ts,
    commit_ts: Ts,
    value: &'static str,
    old: &'static str,
) -> Row {
    Row {
        value: value.into(),
        old_value: old.into(),
        ..row(LogType::Committed, PUT, key, start_ts, commit_ts)
    }
}

fn initialized() -> Row {
    row(LogType::Initialized, OpType::Unknown, "", 0, 0)
}

/// An assembler over everything, for a subscription from `start_ts`.
fn assembler(start_ts: Ts) -> Assembler {
    let part = Room::new(usize::MAX).part();
    Assembler::new(Span::new("", ""), start_ts, start_ts, part)
}

/// What comes out as `key:value<old@start..commit`, in order.
fn feed(assembler: &mut Assembler, rows: Vec<Row>) -> Result<Vec<String>, AssemblyError> {
    let mut out = Vec::new();
    assembler.rows(rows, &mut out)?;
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(out
        .iter()
        .map(|kv| {
            format!(
                "{}:{}<{}@{}..{}",
                text(&kv.key),
                text(&kv.value),
                text(&kv.old_value),
                kv.start_ts,
                kv.commit_ts
            )
        })
        .collect())
}

fn live(start_ts: Ts) -> Assembler {
    let mut assembler = assembler(start_ts);
    feed(&mut assembler, vec![initialized()]).unwrap();
    assembler
}

#[test]
fn the_value_comes_from_the_prewrite() {
    let mut a = live(0);
    let rows = vec![prewrite("k", 1, "new", "old"), commit("k", 1, 2)];
    assert_eq!(feed(&mut a, rows).unwrap(), ["k:new<old@1..2"]);
    assert!(a.prewrites.is_empty());
}

#[test]
fn a_prewrite_may_repeat_and_a_heartbeat_has_no_value() {
    let mut a = live(0);
    let rows = vec![
        prewrite("k", 1, "v", "o"),
        prewrite("k", 1, "v", "o"),
        prewrite("k", 1, "", ""),
        commit("k", 1, 2),
    ];
    assert_eq!(feed(&mut a, rows).unwrap(), ["k:v<o@1..2"]);
}

#[test]
fn a_later_generation_wins_and_an_earlier_one_does_not() {
    let mut a = live(0);
    let generation = |value, generation| Row {
        generation,
        ..prewrite("k", 1, value, "o")
    };
    let rows = vec![
        generation("one", 1),
        generation("two", 2),
        generation("late", 1),
        commit("k", 1, 2),
    ];
    assert_eq!(feed(&mut a, rows).unwrap(), ["k:two<o@1..2"]);
}

#[test]
fn before_the_scan_ends_a_commit_may_wait_for_its_prewrite() {
    let mut a = assembler(0);
    assert!(feed(&mut a, vec![commit("k", 1, 2)]).unwrap().is_empty());
    assert_eq!(
        feed(&mut a, vec![prewrite("k", 1, "v", ""), initialized()]).unwrap(),
        ["k:v<@1..2"]
    );
}

#[test]
fn before_the_scan_ends_only_a_value_is_certain() {
    let mut a = assembler(0);
    // A delete, or the heartbeat of a lock whose value is still to come.
    let rows = vec![prewrite("k", 1, "", "o"), commit("k", 1, 2)];
    assert!(feed(&mut a, rows).unwrap().is_empty());
    let rows = vec![
        Row {
            generation: 1,
            ..prewrite("l", 1, "g1", "")
        },
        commit("l", 1, 2),
    ];
    assert!(feed(&mut a, rows).unwrap().is_empty());
    let rows = vec![
        Row {
            generation: 2,
            ..prewrite("l", 1, "g2", "")
        },
        initialized(),
    ];
    assert_eq!(feed(&mut a, rows).unwrap(), ["k:<o@1..2", "l:g2<@1..2"]);
}

#[test]
fn an_early_commit_that_the_scan_brought_as_committed_comes_once() {
    let mut a = assembler(0);
    let rows = vec![
        commit("k", 1, 2),
        committed("k", 1, 2, "v", ""),
        initialized(),
    ];
    assert_eq!(feed(&mut a, rows).unwrap(), ["k:v<@1..2"]);
}

#[test]
fn after_the_scan_a_commit_without_prewrite_asks_for_a_rescan() {
    let error = feed(&mut live(0), vec![commit("k", 1, 2)]).unwrap_err();
    assert!(
        matches!(
            error,
            AssemblyError::PrewriteMissing {
                start_ts: 1,
                commit_ts: 2,
                ..
            }
        ) && error.heals_by_rescan()
    );
}

#[test]
fn a_rollback_ends_its_prewrite_and_has_no_value() {
    let mark = |key, start_ts| Row {
        value: "p".into(),
        ..row(LogType::Rollback, OpType::Unknown, key, start_ts, 0)
    };
    let mut a = live(0);
    let rows = vec![
        prewrite("k", 1, "v", ""),
        mark("k", 1),
        mark("never-written", 7),
    ];
    assert!(feed(&mut a, rows).unwrap().is_empty());
    assert!(a.prewrites.is_empty());
    let mut a = assembler(0);
    let rows = vec![mark("k", 1), prewrite("k", 1, "v", ""), initialized()];
    assert!(feed(&mut a, rows).unwrap().is_empty());
    assert!(a.prewrites.is_empty());
}

#[test]
fn what_the_subscription_does_not_want_is_matched_and_dropped() {
    let mut a = live(10);
    assert!(
        feed(&mut a, vec![prewrite("k", 1, "v", ""), commit("k", 1, 10)])
            .unwrap()
            .is_empty()
    );
    assert!(a.prewrites.is_empty());
    assert!(
        feed(&mut a, vec![committed("k", 1, 9, "v", "")])
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        feed(&mut a, vec![committed("k", 1, 11, "v", "")])
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn nothing_comes_at_or_below_a_resolved_ts() {
    let mut a = live(10);
    assert_eq!(a.resolve(20), Some(20));
    let late = |error: AssemblyError| {
        matches!(
            error,
            AssemblyError::BelowResolved {
                resolved_ts: 20,
                ..
            }
        )
    };
    assert!(late(
        feed(&mut a, vec![committed("k", 1, 20, "v", "")]).unwrap_err()
    ));
    assert!(late(
        feed(&mut a, vec![prewrite("k", 1, "v", ""), commit("k", 1, 15)]).unwrap_err()
    ));
    // A pessimistic transaction writes its locks late: its start-ts may be far below.
    assert_eq!(
        feed(&mut a, vec![prewrite("k", 2, "v", ""), commit("k", 2, 21)])
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_resolved_ts_counts_after_the_scan_and_forwards_only() {
    let mut a = assembler(10);
    assert_eq!(a.resolve(30), None);
    feed(&mut a, vec![initialized()]).unwrap();
    assert_eq!(a.resolve(5), None, "an open lock older than the checkpoint");
    assert_eq!(
        (
            a.resolve(20),
            a.resolve(20),
            a.resolve(19),
            a.resolve_ts_now()
        ),
        (Some(20), None, None, 20)
    );
}

impl Assembler {
    fn resolve_ts_now(&self) -> Ts {
        self.resolved_ts()
    }
}

#[test]
fn keys_outside_the_range_are_dropped() {
    let part = Room::new(usize::MAX).part();
    let mut a = Assembler::new(keys::encode_span(&Span::new("c", "f")), 0, 0, part);
    let rows = vec![
        committed("b", 1, 2, "v", ""),
        committed("c", 1, 2, "v", ""),
        committed("f", 1, 2, "v", ""),
        prewrite("x", 3, "v", ""),
        initialized(),
        commit("x", 3, 4),
    ];
    assert_eq!(feed(&mut a, rows).unwrap(), ["c:v<@1..2"]);
    assert!(a.prewrites.is_empty());
}

#[test]
fn the_all_zero_row_is_nothing_and_nonsense_is_refused() {
    let mut a = live(0);
    assert!(feed(&mut a, vec![Row::default()]).unwrap().is_empty());
    let nonsense = [
        Row {
            r#type: 99,
            ..committed("k", 1, 2, "v", "")
        },
        Row {
            r#type: 0,
            ..committed("k", 1, 2, "v", "")
        },
        Row {
            op_type: 0,
            ..committed("k", 1, 2, "v", "")
        },
        Row {
            op_type: 7,
            ..committed("k", 1, 2, "v", "")
        },
        committed("k", 2, 2, "v", ""),
    ];
    for row in nonsense {
        let error = feed(&mut a, vec![row.clone()]).unwrap_err();
        assert!(
            matches!(error, AssemblyError::Malformed { .. }) && !error.heals_by_rescan(),
            "{row:?}"
        );
    }
}

/// What happens to one key, as the store's log has it.
#[derive(Clone, Debug)]
struct Txn {
    key: u8,
    start_ts: Ts,
    /// None: rolled back. Locks come right after `start_ts`.
    commit_ts: Option<Ts>,
    delete: bool,
}

fn txns() -> impl Strategy<Value = Vec<Txn>> {
    prop::collection::vec((0u8..4, any::<bool>(), 0u8..5), 1..30).prop_map(|steps| {
        let mut ts = 10;
        let mut next = || {
            ts += 1;
            ts
        };
        steps
            .into_iter()
            .map(|(key, delete, outcome)| Txn {
                key,
                delete,
                start_ts: next(),
                commit_ts: (outcome > 0).then(&mut next),
            })
            .collect()
    })
}

/// What the rows that wait take.
fn counted(a: &Assembler) -> usize {
    let prewrites = a.prewrites.iter().map(|((_, key), row)| row.bytes(key));
    let commits = a.early_commits.iter().map(open::size_of);
    let rollbacks = a
        .early_rollbacks
        .iter()
        .map(|(_, key)| open::size(key, &[], &[]));
    prewrites.chain(commits).chain(rollbacks).sum()
}

proptest! {
    /// Wherever the scan's snapshot falls among the live rows, and however its rows lie between them, all that was
    /// committed after the checkpoint comes.
    #[test]
    fn scan_and_live_rows_interleave_as_they_like(
        txns in txns(), joined in 0usize..60, seen in 0usize..60, checkpoint in 9u64..80, order in any::<u64>(),
    ) {
        // The log: a prewrite and its end each are a step.
        let mut log = Vec::new();
        for txn in &txns {
            let key = format!("k{}", txn.key);
            let value = if txn.delete { "" } else { "v" };
            let op = if txn.delete { DELETE } else { PUT };
            log.push((prewrite(&key, txn.start_ts, value, "o"), None));
            log.push(match txn.commit_ts {
                Some(at) => {
                    let version = Row { value: value.into(), old_value: "o".into(), ..row(LogType::Committed, op, &key, txn.start_ts, at) };
                    (Row { op_type: op as i32, ..commit(&key, txn.start_ts, at) }, Some(version))
                }
                None => (row(LogType::Rollback, OpType::Unknown, &key, txn.start_ts, 0), None),
            });
        }
        // The store watches from `joined` on and takes the snapshot of the scan at `seen` or later.
        let joined = joined.min(log.len());
        let seen = seen.clamp(joined, log.len());
        let mut scan: Vec<Row> = log[..seen].iter().rev().filter_map(|(_, version)| version.clone()).filter(|row| row.commit_ts > checkpoint).collect();
        if seen % 2 == 1 {
            scan.push(log[seen - 1].0.clone());
        }
        let mut live = log.iter().enumerate().skip(joined).map(|(at, (row, _))| (at, row.clone())).peekable();
        let mut scan = scan.into_iter().chain([initialized()]).peekable();
        let mut a = assembler(checkpoint);
        let mut out = Vec::new();
        let mut coin = order | 1;
        while live.peek().is_some() || scan.peek().is_some() {
            coin = coin.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            // What happened before the snapshot was taken is told before the scan ends.
            let ends = scan.peek().is_some_and(|row| row.r#type == LogType::Initialized as i32);
            let first = ends && live.peek().is_some_and(|(at, _)| *at < seen);
            let from_live = live.peek().is_some() && (scan.peek().is_none() || first || coin % 2 == 0);
            let next = if from_live { live.next().map(|(_, row)| row) } else { scan.next() };
            a.rows(next.into_iter().collect(), &mut out).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(a.open_bytes(), counted(&a));
        }
        let mut got: Vec<_> = out.iter().map(|kv| (kv.commit_ts, kv.start_ts, kv.key.clone(), kv.op, kv.value.clone(), kv.old_value.clone())).collect();
        got.sort_by_key(|row| row.0);
        got.dedup();
        let mut expected: Vec<_> = txns.iter().filter_map(|txn| {
            let commit_ts = txn.commit_ts.filter(|at| *at > checkpoint)?;
            let op = if txn.delete { Op::Delete } else { Op::Put };
            let value = Bytes::from_static(if txn.delete { b"" } else { b"v" });
            Some((commit_ts, txn.start_ts, Bytes::from(format!("k{}", txn.key)), op, value, Bytes::from_static(b"o")))
        }).collect();
        expected.sort_by_key(|row| row.0);
        // Live rows below the checkpoint are dropped; those above it that the store had before it began to watch are in the scan.
        prop_assert_eq!(got, expected);
    }
}
