//! The rows of one sorter that are on disk: an LSM tree whose order of keys is the order of the sorter.
//!
//! | part of a key | bytes | |
//! | --- | --- | --- |
//! | number | 8, big-endian | which table, and which time it is followed |
//! | commit-ts, start-ts | 8 each, big-endian | |
//! | kind | 1 | delete 1, update 2, insert 3 (`spec/tikv-cdc-protocol.md §7`) |
//! | raw key | the rest | |
//!
//! The tree is used without fjall around it: rows are written in order, as files of their own, and need not outlive the
//! process, so that there is neither a journal nor a memtable. Rows that were given out are not deleted one by one: files
//! of nothing else are dropped, merging leaves such rows out, and the folder goes when all have been given out.

use std::{
    collections::HashMap,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use lsm_tree::{
    AbstractTree, AnyTree, Cache, Config, DescriptorTable, Guard, SeqNo, SequenceNumberCounter,
    compaction::{CompactionFilter, Factory, ItemAccessor, Leveled, Verdict, filter::Context},
    config::{BlockSizePolicy, FilterPolicy, PinningPolicy},
};

use super::{Error, folder::Place, table::Rows};
use crate::model::{ChangeKind, Op, RawKv, Ts};

/// Blocks are read one after the other: large ones are fewer seeks.
const BLOCK_BYTES: u32 = 16 << 10;
/// Open files.
const FILES: usize = 64;
/// Files that may lie over one another before they are merged.
const RUNS: u8 = 8;
/// The size of merged files, and so of what is dropped at once.
const FILE_BYTES: u64 = 16 << 20;
/// Whether files can be dropped is looked at after as many bytes were given out.
const TRIM_BYTES: usize = 64 << 20;
/// Number, timestamps and kind.
const HEAD: usize = 25;

/// Which rows are not needed any more: by number, up to which key rows were given out. A number that is missing is
/// that of a table that is forgotten.
#[derive(Debug, Default)]
struct Given(RwLock<HashMap<u64, Vec<u8>>>);

/// The rows on disk. Everything here blocks.
pub(super) struct Store {
    /// Dropped before its place.
    tree: Option<Tree>,
    place: Place,
    cache_bytes: u64,
    given: Arc<Given>,
    given_bytes: usize,
}

struct Tree {
    tree: AnyTree,
    visible: SequenceNumberCounter,
}

/// Where reading goes on.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Which table.
    pub(super) number: u64,
    /// The last row given out.
    pub(super) behind: Option<Position>,
}

/// A row's place in the order of its table.
#[derive(Clone, Debug)]
pub(super) struct Position {
    commit_ts: Ts,
    start_ts: Ts,
    kind: ChangeKind,
    key: Bytes,
}

impl From<&RawKv> for Position {
    fn from(row: &RawKv) -> Self {
        Self {
            commit_ts: row.commit_ts,
            start_ts: row.start_ts,
            kind: row.kind(),
            key: row.key.clone(),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.place)
            .field("open", &self.tree.is_some())
            .finish()
    }
}

impl Store {
    /// A store that opens when it is first written, and keeps about `cache_bytes` of what was read.
    pub(super) fn new(place: Place, cache_bytes: u64) -> Self {
        Self {
            tree: None,
            place,
            cache_bytes,
            given: Arc::default(),
            given_bytes: 0,
        }
    }

    /// Where rows go.
    #[cfg(test)]
    pub(super) fn path(&self) -> &std::path::Path {
        self.place.path()
    }

    /// Writes rows.
    pub(super) fn write(&mut self, mut rows: Vec<(u64, Rows)>) -> Result<(), Error> {
        rows.sort_unstable_by_key(|(number, _)| *number);
        if self.tree.is_none() {
            self.tree = Some(self.open().map_err(|error| self.failed("open", error))?);
        }
        for (number, _) in &rows {
            self.given.map_mut().entry(*number).or_default();
        }
        self.write_to_tree(rows)
            .and_then(|()| self.merge())
            .map_err(|error| self.failed("write to", error))
    }

    fn write_to_tree(&self, rows: Vec<(u64, Rows)>) -> lsm_tree::Result<()> {
        let Some(Tree { tree, .. }) = &self.tree else {
            return Ok(());
        };
        let mut ingestion = tree.ingestion()?;
        for (number, rows) in rows {
            for row in rows.into_rows() {
                ingestion.write(
                    encode_key(number, &Position::from(&row)),
                    encode_value(&row),
                )?;
            }
        }
        ingestion.finish()
    }

    /// The rows behind the cursor, about `bytes` of them and at least one, and whether they are all there are.
    pub(super) fn read(
        &mut self,
        cursor: &Cursor,
        bytes: usize,
    ) -> Result<(Vec<RawKv>, bool), Error> {
        let Some(Tree { tree, visible }) = &self.tree else {
            return Ok((Vec::new(), true));
        };
        let start = match &cursor.behind {
            Some(position) => Bound::Excluded(encode_key(cursor.number, position)),
            None => Bound::Included(cursor.number.to_be_bytes().to_vec()),
        };
        let end = Bound::Excluded((cursor.number + 1).to_be_bytes().to_vec());
        let (mut rows, mut size, mut all) = (Vec::new(), 0, true);
        for guard in tree.range((start, end), visible.get(), None) {
            if size >= bytes && !rows.is_empty() {
                all = false;
                break;
            }
            let (key, value) = guard
                .into_inner()
                .map_err(|error| self.failed("read", error))?;
            let row = decode(&key.into(), &value.into()).ok_or_else(|| Error::Corrupt {
                path: self.place.path().to_owned(),
            })?;
            size += row.size();
            rows.push(row);
        }
        self.given(cursor, size)?;
        Ok((rows, all))
    }

    /// Notes that rows up to the cursor were given out, and drops files of nothing else now and then.
    fn given(&mut self, cursor: &Cursor, bytes: usize) -> Result<(), Error> {
        self.given_bytes += bytes;
        let Some(position) = &cursor.behind else {
            return Ok(());
        };
        let upto = encode_key(cursor.number, position);
        if self.given_bytes >= TRIM_BYTES {
            self.given_bytes = 0;
            self.drop_files(Bound::Included(upto.clone()), cursor.number)?;
        }
        self.given.map_mut().insert(cursor.number, upto);
        Ok(())
    }

    /// The rows of tables that are forgotten are not needed any more.
    pub(super) fn forget(&mut self, numbers: &[u64]) -> Result<(), Error> {
        for &number in numbers {
            if self.given.map_mut().remove(&number).is_some() {
                let next = (number + 1).to_be_bytes().to_vec();
                self.drop_files(Bound::Excluded(next), number)?;
            }
        }
        Ok(())
    }

    fn drop_files(&self, upto: Bound<Vec<u8>>, number: u64) -> Result<(), Error> {
        let Some(Tree { tree, .. }) = &self.tree else {
            return Ok(());
        };
        let from = Bound::Included(number.to_be_bytes().to_vec());
        tree.drop_range((from, upto))
            .and_then(|()| self.merge())
            .map_err(|error| self.failed("clear", error))
    }

    /// Removes all rows, and the folder with them.
    pub(super) fn clear(&mut self) -> Result<(), Error> {
        self.tree = None;
        self.given.map_mut().clear();
        self.given_bytes = 0;
        self.place.empty()
    }

    fn open(&self) -> lsm_tree::Result<Tree> {
        let (written, visible) = (
            SequenceNumberCounter::default(),
            SequenceNumberCounter::default(),
        );
        let tree = Config::new(self.place.path(), written, visible.clone())
            .use_cache(Arc::new(Cache::with_capacity_bytes(self.cache_bytes)))
            .use_descriptor_table(Some(Arc::new(DescriptorTable::new(FILES))))
            .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
            // Nothing is ever looked up by its key.
            .filter_policy(FilterPolicy::disabled())
            .index_block_pinning_policy(PinningPolicy::all(false))
            .index_block_partitioning_policy(PinningPolicy::all(true))
            .with_compaction_filter_factory(Some(Arc::new(NotGiven(Arc::clone(&self.given)))))
            .open()?;
        Ok(Tree { tree, visible })
    }

    /// Merges files while too many lie over one another.
    fn merge(&self) -> lsm_tree::Result<()> {
        let Some(Tree { tree, visible }) = &self.tree else {
            return Ok(());
        };
        let strategy = Arc::new(
            Leveled::default()
                .with_l0_threshold(RUNS)
                .with_table_target_size(FILE_BYTES),
        );
        // Nobody reads an older state: this is the only user, and it holds no iterator.
        let seen: SeqNo = visible.get();
        // The levels below are only looked at when the first has been tended to.
        for _ in 0..2 {
            tree.compact(strategy.clone(), seen)?;
        }
        Ok(())
    }

    fn failed(&self, act: &'static str, source: lsm_tree::Error) -> Error {
        let path = self.place.path().to_owned();
        match source {
            lsm_tree::Error::Io(source) => Error::Folder {
                path,
                source: Arc::new(source),
            },
            source => Error::Store {
                act,
                path,
                source: Arc::new(source),
            },
        }
    }
}

impl Given {
    fn map_mut(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<u64, Vec<u8>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves rows that are not needed any more out of merged files.
struct NotGiven(Arc<Given>);

/// What is not needed as of the beginning of one merge.
struct Snapshot(HashMap<u64, Vec<u8>>);

impl Factory for NotGiven {
    fn name(&self) -> &'static str {
        "given out"
    }

    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        let given = self.0.0.read().unwrap_or_else(PoisonError::into_inner);
        Box::new(Snapshot(given.clone()))
    }
}

impl CompactionFilter for Snapshot {
    fn filter_item(&mut self, item: ItemAccessor<'_>, _: &Context) -> lsm_tree::Result<Verdict> {
        let key: &[u8] = item.key();
        let number = key.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let upto = number.and_then(|number| self.0.get(&number));
        // An older copy that shows again is below what was given out as well.
        Ok(match upto {
            Some(upto) if key > upto.as_slice() => Verdict::Keep,
            _ => Verdict::Destroy,
        })
    }
}

fn encode_key(number: u64, position: &Position) -> Vec<u8> {
    let mut key = Vec::with_capacity(HEAD + position.key.len());
    key.extend(number.to_be_bytes());
    key.extend(position.commit_ts.to_be_bytes());
    key.extend(position.start_ts.to_be_bytes());
    key.push(match position.kind {
        ChangeKind::Delete => 1,
        ChangeKind::Update => 2,
        ChangeKind::Insert => 3,
    });
    key.extend_from_slice(&position.key);
    key
}

/// Instead of an old value, which an insert has none of.
const REST: &[u8] = b"r";

/// The length of the value, the value, the old value or [`REST`].
fn encode_value(row: &RawKv) -> Vec<u8> {
    let old_value = match row.op {
        Op::Rest => REST,
        Op::Put | Op::Delete => &row.old_value,
    };
    let mut value = Vec::with_capacity(8 + row.value.len() + old_value.len());
    value.extend((row.value.len() as u64).to_be_bytes());
    value.extend_from_slice(&row.value);
    value.extend_from_slice(old_value);
    value
}

/// The row of an entry; nothing if it is none that was written here.
fn decode(key: &Bytes, value: &Bytes) -> Option<RawKv> {
    let number = |at: usize| Some(u64::from_be_bytes(*key.get(at..)?.first_chunk()?));
    let length = usize::try_from(u64::from_be_bytes(*value.first_chunk()?)).ok()?;
    let old_at = length.checked_add(8).filter(|at| *at <= value.len())?;
    let old_value = value.slice(old_at..);
    let (op, old_value) = match (key.get(HEAD - 1)?, &*old_value) {
        (1, _) => (Op::Delete, old_value),
        (3, REST) => (Op::Rest, Bytes::new()),
        (2 | 3, _) => (Op::Put, old_value),
        _ => return None,
    };
    Some(RawKv {
        op,
        commit_ts: number(8)?,
        start_ts: number(16)?,
        key: key.slice(HEAD..),
        value: value.slice(8..old_at),
        old_value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        for (op, value, old_value) in [
            (Op::Put, "v", ""),
            (Op::Put, "v", "o"),
            (Op::Put, "v", "r"),
            (Op::Rest, "v", ""),
            (Op::Delete, "", "o"),
            (Op::Delete, "", ""),
        ] {
            let row = RawKv {
                op,
                key: Bytes::from_static(b"k"),
                value: value.into(),
                old_value: old_value.into(),
                start_ts: 1,
                commit_ts: 2,
            };
            let position = Position::from(&row);
            let (key, value) = (encode_key(7, &position), encode_value(&row));
            assert_eq!(decode(&key.into(), &value.into()), Some(row));
        }
    }
}
