//! Rows that do not fit into memory.

use std::{collections::BTreeSet, fs, path::Path};

use super::*;
use crate::model::ChangeKind;

/// A sorter that has room for about `rows` rows in memory.
fn small(rows: usize, tables: &[TableId]) -> Sorting {
    sorter(2 * rows * row("00000", 1, 2, "insert").size(), tables)
}

/// Files of rows on disk.
fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| match entry.file_type().unwrap().is_dir() {
            true => files(&entry.path()),
            false => usize::from(entry.file_name() != "LOCK"),
        })
        .sum()
}

async fn all(sorter: &mut Sorter, part: usize) -> Vec<(TableId, RawKv)> {
    let mut all = Vec::new();
    loop {
        let taken = sorter.take(|_| Ts::MAX, part).await.unwrap();
        if taken.rows.is_empty() {
            return all;
        }
        all.extend(taken.rows);
    }
}

#[tokio::test]
async fn what_is_not_complete_goes_to_disk_and_comes_back_in_order() {
    let mut sorter = small(100, &[1]);
    let rows: Vec<_> = (0..1000_u64)
        .map(|i| {
            let at = i * 7919 % 1000;
            row(&format!("{at:05}"), at, 2000 + at, "insert")
        })
        .collect();
    let mut most = 0;
    for some in rows.chunks(10) {
        bring(&sorter, 1, some.to_vec(), None).await;
        most = most.max(sorter.held());
    }
    let one = rows[0].size();
    assert!(most <= 110 * one, "{most} bytes, {} rows", most / one);
    assert!(files(sorter.dir.path()) > 0);
    assert!(taken(&mut sorter, Ts::MAX).await.is_empty());
    bring(&sorter, 1, vec![], Some(2499)).await;
    let first = all(&mut sorter, 20 * one).await;
    bring(&sorter, 1, vec![row("x", 1, 2600, "delete")], Some(5000)).await;
    let second = all(&mut sorter, usize::MAX).await;
    assert_eq!((first.len(), second.len()), (500, 501));
    let mut expected = rows;
    expected.push(row("x", 1, 2600, "delete"));
    expected.sort_by_key(|row| (row.commit_ts, row.start_ts));
    let got: Vec<_> = first
        .into_iter()
        .chain(second)
        .map(|(_, row)| row)
        .collect();
    assert_eq!(got, expected);
    assert_eq!((sorter.held(), files(sorter.dir.path())), (0, 0));
}

/// What the task makes of a part of a transaction whose updates of even keys change a key: messages, and what is put back.
fn messages_of(part: &[(TableId, RawKv)]) -> (Vec<String>, Vec<RawKv>) {
    let (mut messages, mut held): (Vec<_>, Vec<RawKv>) = (Vec::new(), Vec::new());
    for (_, change) in part {
        let key = String::from_utf8_lossy(&change.key).into_owned();
        match change.kind() {
            ChangeKind::Update if change.key[4] % 2 == 0 => {
                messages.push(format!("delete {key}"));
                held.push(RawKv {
                    old_value: Bytes::new(),
                    ..change.clone()
                });
            }
            ChangeKind::Insert => {
                let inserts = held.drain(..).map(|held| held.key);
                messages.extend(inserts.map(|key| format!("insert {}", key.escape_ascii())));
                messages.push(format!("insert {key}"));
            }
            _ => messages.push(format!("update {key}")),
        }
    }
    (messages, held)
}

#[tokio::test]
async fn a_large_transaction_comes_in_parts_and_what_is_put_back_among_its_inserts() {
    for room in [100_000, 50] {
        let mut sorter = small(room, &[1, 2]);
        let one = row("00000", 1, 2, "insert").size();
        let changes = (0..300).map(|i| i * 7 % 300).map(|i| {
            let kind = if i < 150 { "update" } else { "insert" };
            row(&format!("{i:05}"), 5, 9, kind)
        });
        for some in changes.collect::<Vec<_>>().chunks(10) {
            bring(&sorter, 1, some.to_vec(), None).await;
        }
        bring(&sorter, 1, vec![row("after", 7, 10, "insert")], Some(20)).await;
        let others = vec![row("first", 3, 8, "insert"), row("other", 5, 9, "insert")];
        bring(&sorter, 2, others, Some(20)).await;
        let (mut messages, mut ends) = (Vec::new(), Vec::new());
        loop {
            let taken = sorter.take(|_| Ts::MAX, 40 * one).await.unwrap();
            if taken.rows.is_empty() {
                break;
            }
            ends.push((taken.continues, taken.goes_on));
            let (some, later) = messages_of(&taken.rows);
            messages.extend(some);
            sorter.put_back(1, later).await.unwrap();
        }
        assert_eq!(ends[0], (false, true), "room {room}");
        assert!(
            ends[1..8].iter().all(|end| *end == (true, true)),
            "{ends:?}"
        );
        assert!(ends.contains(&(true, false)), "room {room}: {ends:?}");
        assert_eq!(messages.remove(0), "insert first", "room {room}");
        let last = messages.split_off(messages.len() - 2);
        assert_eq!(last, ["insert other", "insert after"], "room {room}");
        let inserts = messages
            .iter()
            .position(|message| message.starts_with("insert"));
        assert_eq!(
            inserts,
            Some(150),
            "inserts come behind all deletes: {messages:?}"
        );
        messages.sort_unstable();
        let (even, odd) = ((0..150).step_by(2), (1..150).step_by(2));
        let mut expected: Vec<String> = even.clone().map(|i| format!("delete {i:05}")).collect();
        expected.extend(even.chain(150..300).map(|i| format!("insert {i:05}")));
        expected.extend(odd.map(|i| format!("update {i:05}")));
        assert_eq!(messages, expected, "room {room}");
    }
}

#[tokio::test]
async fn a_table_that_is_followed_again_has_nothing_of_before() {
    let mut sorter = small(5, &[1, 2]);
    let rows = |from: u64| (from..from + 20).map(|i| row(&format!("{i:05}"), 1, 2 + i, "insert"));
    for row in rows(0) {
        bring(&sorter, 1, vec![row], None).await;
    }
    sorter.forget(1);
    assert_eq!(sorter.held(), 0);
    assert!(sorter.state.add(1, 0).is_some());
    for row in rows(100) {
        bring(&sorter, 1, vec![row], None).await;
    }
    bring(&sorter, 1, vec![], Some(1000)).await;
    bring(&sorter, 2, vec![], Some(1000)).await;
    let got = all(&mut sorter, 300).await;
    assert_eq!(got, rows(100).map(|row| (1, row)).collect::<Vec<_>>());
    assert_eq!(files(sorter.dir.path()), 0);
}

#[tokio::test]
async fn many_tables_share_what_may_be_read_ahead() {
    let tables: Vec<TableId> = (0..200).collect();
    let mut sorter = small(300, &tables);
    for commit_ts in 2..12 {
        for &table in &tables {
            let rows = vec![row(&format!("{table:05}"), 1, commit_ts, "insert")];
            bring(&sorter, table, rows, None).await;
        }
    }
    for &table in &tables {
        bring(&sorter, table, vec![], Some(100)).await;
    }
    let mut count = 0;
    let mut last = (0, 0);
    let one = row("00000", 1, 2, "insert").size();
    loop {
        let taken = sorter.take(|_| Ts::MAX, 100 * one).await.unwrap();
        assert!(sorter.held() <= 900 * one, "{} rows", sorter.held() / one);
        for (table, row) in &taken.rows {
            assert!((row.commit_ts, *table) > last);
            last = (row.commit_ts, *table);
        }
        count += taken.rows.len();
        if taken.rows.is_empty() {
            break;
        }
    }
    assert_eq!(count, 2000);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_fails_the_sorter() {
    let mut sorter = small(5, &[1]);
    // Where the rows would go is a file.
    fs::write(sorter.state.disk.path().await, "").unwrap();
    let rows = (0..20)
        .map(|i| row(&format!("{i:05}"), 1, 2, "insert"))
        .map(FeedEvent::Kv);
    let error = pump::take_in(
        &sorter.state,
        sorter.state.followed(1),
        rows.clone().take(5).collect(),
    )
    .await;
    assert!(error.is_ok());
    let error = pump::take_in(&sorter.state, sorter.state.followed(1), rows.collect())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("tmp/sorter/test-1") && text.contains("expected a folder"),
        "{text}"
    );
    let error = sorter.take(|_| Ts::MAX, 1).await.unwrap_err();
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    let coded = crate::coded::Coded::from(error);
    assert_eq!(coded.code(), crate::coded::Code::ErrLevelDBSorterError);
}

#[tokio::test]
async fn rows_that_are_gone_from_the_disk_fail_the_sorter() {
    let mut sorter = small(5, &[1]);
    for i in 0..20 {
        bring(
            &sorter,
            1,
            vec![row(&format!("{i:05}"), 1, 2, "insert")],
            None,
        )
        .await;
    }
    fn cut(dir: &Path) {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
            match entry.file_type().unwrap().is_dir() {
                true => cut(&entry.path()),
                false => fs::File::options()
                    .write(true)
                    .open(entry.path())
                    .unwrap()
                    .set_len(0)
                    .unwrap(),
            }
        }
    }
    cut(&sorter.state.disk.path().await);
    bring(&sorter, 1, vec![], Some(5)).await;
    let error = sorter.take(|_| Ts::MAX, usize::MAX).await.unwrap_err();
    assert!(
        matches!(error, Error::Folder { .. } | Error::Store { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_is_one_processs_and_empty_at_its_start_and_end() {
    let dir = tempfile::tempdir().unwrap();
    let left = dir.path().join("tmp/sorter/left-7/tables");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("1"), "x").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert_eq!(files(dir.path()), 0);
    let second = Folder::open(dir.path()).unwrap_err();
    assert!(matches!(second, Error::FolderInUse { .. }), "{second}");
    let sorter = Sorter::new(100, folder.place("a/../b"));
    assert!(sorter.state.add(1, 0).is_some());
    for i in 0..20 {
        bring(
            &sorter,
            1,
            vec![row(&format!("{i:05}"), 1, 2, "insert")],
            None,
        )
        .await;
    }
    let place = sorter.state.disk.path().await;
    assert_eq!(place, dir.path().join("tmp/sorter/a_.._b-1"));
    assert!(files(&place) > 0);
    drop((sorter, folder));
    let gone = async {
        while place.exists() || Folder::open(dir.path()).is_err() {
            tokio::task::yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), gone).await;
    assert!(waited.is_ok(), "{} is still there", place.display());
}

/// What may happen to a sorter.
#[derive(Debug, Clone)]
enum Act {
    /// Rows of a table: key, how far above what is complete, kind.
    Rows(TableId, Vec<(u8, u64, usize)>),
    /// The rows that came last come again.
    Again,
    Resolve(TableId, u64),
    Take(usize),
    Forget(TableId),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let rows = prop::collection::vec((0u8..20, 1u64..40, 0usize..3), 1..30);
    let act = prop_oneof![
        5 => (0i64..3, rows).prop_map(|(table, rows)| Act::Rows(table, rows)),
        1 => Just(Act::Again),
        3 => (0i64..3, 0u64..30).prop_map(|(table, by)| Act::Resolve(table, by)),
        3 => (1usize..5000).prop_map(Act::Take),
        1 => (0i64..3).prop_map(Act::Forget),
    ];
    prop::collection::vec(act, 1..60)
}

/// Where two lists part.
fn assert_same(got: &[Key], expected: &[Key]) {
    let same = got
        .iter()
        .zip(expected)
        .take_while(|(got, expected)| got == expected)
        .count();
    assert_eq!(
        got.get(same),
        expected.get(same),
        "row {same} of {}, not {}",
        got.len(),
        expected.len()
    );
}

type Key = (Ts, Ts, TableId, ChangeKind, Bytes);

fn key(table: TableId, row: &RawKv) -> Key {
    (
        row.commit_ts,
        row.start_ts,
        table,
        row.kind(),
        row.key.clone(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However much goes by way of the disk: exactly what a sorted list gives, taken as parts of any size.
    #[test]
    fn as_a_sorted_list(acts in acts(), room in 1usize..60) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut sorter = small(room, &[0, 1, 2]);
            let mut list: BTreeSet<Key> = BTreeSet::new();
            let mut resolved = [0; 3];
            let mut last = None;
            for act in acts.into_iter().chain((0..3).map(|t| Act::Resolve(t, 100))).chain([Act::Take(700)]) {
                match act {
                    Act::Rows(table, rows) => {
                        let from = resolved[table as usize];
                        let kinds = ["delete", "update", "insert"];
                        let rows: Vec<_> = rows.into_iter().map(|(key, above, kind)| {
                            row(&format!("{key:05}"), from + above - 1, from + above, kinds[kind])
                        }).collect();
                        last = Some((table, rows));
                    }
                    Act::Again => {}
                    Act::Resolve(table, by) => {
                        resolved[table as usize] += by;
                        bring(&sorter, table, vec![], Some(resolved[table as usize])).await;
                        // What came before is not told again once it is complete.
                        last = None;
                        continue;
                    }
                    Act::Take(part) => {
                        let complete = |(commit_ts, _, table, ..): &Key| *commit_ts <= resolved[*table as usize];
                        let expected: Vec<Key> = list.iter().filter(|key| complete(key)).cloned().collect();
                        let got = all(&mut sorter, part).await;
                        let got: Vec<Key> = got.iter().map(|(table, row)| key(*table, row)).collect();
                        assert_same(&got, &expected);
                        list.retain(|key| !complete(key));
                        continue;
                    }
                    Act::Forget(table) => {
                        sorter.forget(table);
                        list.retain(|(_, _, of, ..)| *of != table);
                        assert!(sorter.state.add(table, resolved[table as usize]).is_some());
                        last = None;
                        continue;
                    }
                }
                let Some((table, rows)) = &last else { continue };
                list.extend(rows.iter().map(|row| key(*table, row)));
                // A feed waits while rows can be taken: take them as the task would.
                let mut put = Box::pin(bring_owned(sorter.state.clone(), *table, rows.clone()));
                loop {
                    let waits = timeout(Duration::from_millis(20), &mut put).await.is_err();
                    if !waits { break }
                    let expected: Vec<Key> = list.iter().filter(|(commit_ts, _, of, ..)| *commit_ts <= resolved[*of as usize]).cloned().collect();
                    let got = all(&mut sorter, 1000).await;
                    let got: Vec<Key> = got.iter().map(|(table, row)| key(*table, row)).collect();
                    assert_same(&got, &expected);
                    list.retain(|(commit_ts, _, of, ..)| *commit_ts > resolved[*of as usize]);
                }
            }
            assert_eq!(sorter.held(), 0);
            assert!(list.is_empty());
            assert_eq!(files(sorter.dir.path()), 0);
        });
    }
}

async fn bring_owned(state: std::sync::Arc<State>, table: TableId, rows: Vec<RawKv>) {
    let events = rows.into_iter().map(FeedEvent::Kv).collect();
    pump::take_in(&state, state.followed(table), events)
        .await
        .unwrap();
}
