//! From the recorded rows, the index entries that their changes make; held to the recorded entries.

use std::collections::{BTreeMap, HashMap};

use super::rows::Tables;
use super::{KeyValue, Statement};
use crate::report::Verdict;
use embedded::tidb::catalog::TableInfo;
use embedded::tidb::catalog::model::IndexInfo;
use embedded::tidb::codec::{CodecError, Datum, Handle, index, keys, origin, row};

/// `t`, a table id, `_i`, an index id.
const INDEX_PREFIX: usize = 19;

/// The rows as recorded so far.
#[derive(Default)]
pub(crate) struct Entries {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A row under the table's description.
struct Known {
    handle: Handle,
    values: Vec<Datum>,
}

/// What is expected of a key: its value, or none if it goes.
type Expected = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Entries {
    /// Compares the entries that a statement wrote with those that its changes of rows make.
    pub(crate) fn compare(
        &mut self,
        tables: &Tables,
        statement: &Statement,
    ) -> Vec<(String, Verdict)> {
        let mut written: HashMap<i64, Vec<KeyValue>> = HashMap::new();
        let mut changed: HashMap<i64, Vec<KeyValue>> = HashMap::new();
        let mut filled: HashMap<i64, Vec<KeyValue>> = HashMap::new();
        let mut out = vec![];
        for kv in statement.kv() {
            let Some(id) = table_id(&kv.key) else {
                continue;
            };
            match (is_entry(&kv.key), kv.written_by_ddl) {
                (true, false) => written.entry(id).or_default().push(kv),
                (true, true) => filled.entry(id).or_default().push(kv),
                (false, _) => changed.entry(id).or_default().push(kv),
            }
        }
        for (id, changes) in &changed {
            let theirs: Expected = written
                .remove(id)
                .into_iter()
                .flatten()
                .map(|kv| (kv.key, kv.value))
                .collect();
            // A DDL statement may commit rows just before it: under the table as it was.
            let versions = tables.versions(*id);
            let verdicts = versions.map(|table| self.expected(table, changes));
            let best = verdicts
                .map(|(ours, skipped)| compare(&theirs, &ours, &skipped))
                .min_by_key(|verdicts| wrong(verdicts));
            out.extend(best.into_iter().flatten());
        }
        for (_, rest) in written {
            out.extend(rest.iter().map(|kv| {
                let why = "an entry was written and no row of its table".to_owned();
                (hex::encode(&kv.key), Verdict::Wrong(why))
            }));
        }
        for kv in changed.into_values().flatten() {
            match kv.value {
                Some(value) => self.records.insert(kv.key, value),
                None => self.records.remove(&kv.key),
            };
        }
        for (id, entries) in filled {
            let best = tables
                .versions(id)
                .map(|table| self.compare_filled(table, &entries))
                .min_by_key(|verdicts| wrong(verdicts));
            out.extend(best.into_iter().flatten());
        }
        out
    }

    /// The entries that changes of rows make, and the indexes that are left out.
    fn expected(&self, table: &TableInfo, changes: &[KeyValue]) -> (Expected, Vec<IndexInfo>) {
        let (mut gone, mut come) = (Expected::new(), Expected::new());
        let mut skipped = vec![];
        for change in changes.iter().filter(|c| !c.written_by_ddl) {
            let old = self
                .records
                .get(&change.key)
                .and_then(|value| known(table, &change.key, value).ok());
            let new = change
                .value
                .as_ref()
                .and_then(|value| known(table, &change.key, value).ok());
            for index in index::written(table) {
                if out_of_scope(table, index).is_some() {
                    skipped.push(index.clone());
                    continue;
                }
                // A changed primary key counts for all indexes, though the handle may be the same under its collation.
                let primary = table.common_handle_index().map(|i| &i.columns);
                let mut columns = index.columns.iter().chain(primary.into_iter().flatten());
                let touched = match (&old, &new) {
                    (Some(a), Some(b)) => columns.any(|c| a.values[c.offset] != b.values[c.offset]),
                    _ => true,
                };
                if !touched {
                    continue;
                }
                if let Some(old) = &old {
                    gone.insert(entry(table, index, old).unwrap().key, None);
                }
                if let Some(new) = &new {
                    let entry = entry(table, index, new).unwrap();
                    come.insert(entry.key, Some(entry.value));
                }
            }
        }
        // What goes and comes back is put.
        gone.extend(come);
        (gone, skipped)
    }

    /// Entries that a reorganisation put: those of the rows that are there.
    fn compare_filled(&self, table: &TableInfo, entries: &[KeyValue]) -> Vec<(String, Verdict)> {
        let prefix = keys::record_prefix(table.id);
        let rows: Vec<Known> = self
            .records
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .filter_map(|(key, value)| known(table, key, value).ok())
            .collect();
        entries
            .iter()
            .filter_map(|kv| {
                let value = kv.value.as_ref()?;
                let id = index_id(&kv.key);
                let verdict = match index::written(table).find(|i| i.id == id) {
                    // Dropped again by the same statement, or of a table that is being replaced.
                    None => Verdict::Diverges("an index that was not there in the end".into()),
                    Some(index) => match out_of_scope(table, index) {
                        Some(why) => Verdict::Diverges(why.into()),
                        None => {
                            let all: Vec<_> = rows
                                .iter()
                                .map(|row| entry(table, index, row).unwrap())
                                .map(|e| (e.key, e.value))
                                .collect();
                            if all.contains(&(kv.key.clone(), value.clone())) {
                                Verdict::Equal
                            } else {
                                Verdict::Wrong(format!(
                                    "no row has the filled entry {}; rows have {:x?}",
                                    hex::encode(value),
                                    all
                                ))
                            }
                        }
                    },
                };
                Some((format!("filled {}", hex::encode(&kv.key)), verdict))
            })
            .collect()
    }
}

fn wrong(verdicts: &[(String, Verdict)]) -> usize {
    let is_wrong = |v: &&(String, Verdict)| matches!(v.1, Verdict::Wrong(_));
    verdicts.iter().filter(is_wrong).count()
}

fn table_id(key: &[u8]) -> Option<i64> {
    let id: [u8; 8] = key.get(1..9)?.try_into().ok()?;
    (key[0] == b't').then(|| (u64::from_be_bytes(id) ^ (1 << 63)) as i64)
}

fn index_id(key: &[u8]) -> i64 {
    let id: [u8; 8] = key[11..INDEX_PREFIX].try_into().unwrap();
    (u64::from_be_bytes(id) ^ (1 << 63)) as i64
}

fn is_entry(key: &[u8]) -> bool {
    key.get(9..11) == Some(b"_i")
}

fn known(table: &TableInfo, key: &[u8], value: &[u8]) -> Result<Known, CodecError> {
    let (_, handle) = keys::decode_record_key(key)?;
    let values = row::decode_row(table, &handle, value, origin::origin_value)?;
    Ok(Known { handle, values })
}

fn entry(table: &TableInfo, index: &IndexInfo, row: &Known) -> Result<index::Entry, CodecError> {
    let row = index::Row {
        physical_id: table.id,
        values: &row.values,
        handle: &row.handle,
    };
    index::entry(table, index, row)
}

/// Why entries of an index are not made here.
fn out_of_scope(table: &TableInfo, index: &IndexInfo) -> Option<&'static str> {
    let mut columns = index.columns.iter().map(|c| &table.columns[c.offset]);
    let collation = |c: &embedded::tidb::catalog::model::ColumnInfo| {
        c.field_type.tp.is_string()
            && !embedded::tidb::codec::collate::is_known(&c.field_type.collate)
    };
    if columns.clone().any(|c| c.is_virtual()) {
        return Some("an index on a virtual column");
    }
    columns
        .any(collation)
        .then_some("an index on a column whose collation has no sort keys here")
}

fn compare(theirs: &Expected, ours: &Expected, skipped: &[IndexInfo]) -> Vec<(String, Verdict)> {
    let mut keys: Vec<&Vec<u8>> = theirs.keys().chain(ours.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| {
            let (a, b) = (theirs.get(key), ours.get(key));
            let verdict = if a == b {
                Verdict::Equal
            } else if skipped.iter().any(|i| i.id == index_id(key)) {
                Verdict::Diverges("an index that is not served".into())
            } else {
                Verdict::Wrong(format!("recorded {}\n    made     {}", shown(a), shown(b)))
            };
            (format!("entry {}", hex::encode(key)), verdict)
        })
        .collect()
}

fn shown(value: Option<&Option<Vec<u8>>>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(None) => "a delete".to_owned(),
        Some(Some(value)) => hex::encode(value),
    }
}
