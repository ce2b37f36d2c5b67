//! TiKV's side: all keys at a timestamp.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use super::VerifyError;
use super::read::schema::Schema;
use super::read::{Handle, Key, Unreadable};
use super::report::{Garbage, Report};
use crate::client::{Client, Ts};
use crate::tidb::apply::record::{Applied, INTENT_KEY};

/// Entries of an index: what follows its id in the key, and the value.
pub(super) type Entries = Vec<(Vec<u8>, Bytes)>;

/// What is under the id of a table or partition.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) records: Vec<(Handle, Bytes)>,
    pub(super) indexes: BTreeMap<i64, Entries>,
}

/// All of TiKV.
#[derive(Debug, Default)]
pub(super) struct Store {
    meta: Vec<(Bytes, Bytes)>,
    tables: BTreeMap<i64, Keys>,
}

/// Waits until no lock of a transaction from up to the timestamp is left; reports those that stay.
pub(super) async fn locks(
    client: &Client,
    ts: Ts,
    deadline: Instant,
    report: &mut Report,
) -> Result<(), VerifyError> {
    loop {
        let left = client.locks(ts).await?;
        if left.is_empty() || Instant::now() >= deadline {
            for lock in left {
                report.fault(format!(
                    "key {} is locked by the transaction of {}",
                    hex::encode(&lock.key),
                    lock.lock_version
                ));
            }
            return Ok(());
        }
        tokio::time::sleep(super::PAUSE).await;
    }
}

impl Store {
    /// Reads everything. What is no key of TiDB's is reported.
    pub(super) async fn load(
        client: &Client,
        ts: Ts,
        report: &mut Report,
    ) -> Result<Self, VerifyError> {
        let mut out = Self::default();
        let snapshot = client.snapshot(ts);
        let mut from = Some(Bytes::new());
        while let Some(start) = from {
            let (pairs, next) = snapshot.page(&start, b"").await?;
            for pair in pairs {
                out.put(pair.key, pair.value, report);
            }
            from = next;
        }
        Ok(out)
    }

    fn put(&mut self, key: Bytes, value: Bytes, report: &mut Report) {
        let fault = match Key::read(&key) {
            Ok(Some(Key::Record { table, handle })) => {
                let keys = self.tables.entry(table).or_default();
                return keys.records.push((handle, value));
            }
            Ok(Some(Key::Index { table, index, rest })) => {
                let keys = self.tables.entry(table).or_default();
                return keys.indexes.entry(index).or_default().push((rest, value));
            }
            Ok(Some(Key::Meta(_))) => return self.meta.push((key, value)),
            Ok(None) if Applied::is_key(&key) || key == INTENT_KEY => return,
            Ok(None) => "is no key of TiDB's".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        report.fault(format!("key {} {fault}", hex::encode(&key)));
    }

    /// The schema.
    pub(super) fn schema(&self) -> Result<Schema, Unreadable> {
        Schema::read(self.meta.iter().map(|(k, v)| (&**k, &**v)))
    }

    /// What is under an id.
    pub(super) fn table(&self, id: i64) -> Option<&Keys> {
        self.tables.get(&id)
    }

    /// Reports keys that belong to nothing, and counts those of what was dropped.
    pub(super) fn strays(&mut self, schema: &Schema, report: &mut Report) {
        let ids = schema.ids();
        let tables = schema.databases.values().flat_map(|db| db.tables.values());
        for table in tables {
            let whole = table.partitions().is_empty();
            for id in table.physical_ids().into_iter().chain([table.id]) {
                let Some(keys) = self.tables.get_mut(&id) else {
                    continue;
                };
                if id == table.id && !whole && !keys.records.is_empty() {
                    report.fault(format!(
                        "{} rows of {} are in none of its partitions",
                        keys.records.len(),
                        table.name.original
                    ));
                }
                for index in table.written_indexes() {
                    if index.is_global == (id == table.id && !whole) {
                        keys.indexes.remove(&index.id);
                    }
                }
                let dropped = |index: &i64| {
                    *index <= table.max_idx_id && table.indexes.iter().all(|i| i.id != *index)
                };
                for (index, entries) in &keys.indexes {
                    if !dropped(index) {
                        report.fault(format!(
                            "{} entries of an index {index} that table {} with id {id} does not have there",
                            entries.len(),
                            table.name.original
                        ));
                        continue;
                    }
                    let made = schema.made.get(&id).and_then(|m| m.indexes.get(index));
                    let name = made.cloned().unwrap_or_else(|| index.to_string());
                    report.garbage.push(Garbage {
                        name: format!("index {name} of table {}", table.name.original),
                        keys: entries.len(),
                    });
                }
            }
        }
        for (id, keys) in self.tables.iter().filter(|(id, _)| !ids.contains(id)) {
            let count = keys.records.len() + keys.indexes.values().map(Vec::len).sum::<usize>();
            match schema.made.get(id) {
                Some(made) => report.garbage.push(Garbage {
                    name: format!("{} with id {id}", made.name),
                    keys: count,
                }),
                None => report.fault(format!(
                    "{count} keys under table id {id}, which no table ever had"
                )),
            }
        }
    }
}
