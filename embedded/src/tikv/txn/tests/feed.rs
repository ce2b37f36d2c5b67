//! The change feed read as a client reads it: prewrites are kept until their commit comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use proto::cdcpb::event::row::OpType;
use proto::cdcpb::event::{LogType, Row};

use super::model::{Key, Value};
use crate::tikv::engine::{Changes, Publish};

/// Takes the rows of every write, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Listener(Arc<Mutex<Vec<Row>>>);

impl Listener {
    /// The rows since the last time.
    pub(super) fn take(&self) -> Vec<Row> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Publish for Listener {
    fn publish(&mut self, written: &mut Changes) {
        let rows = std::mem::take(&mut written.rows);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(rows.into_iter().map(|row| row.row));
    }
}

/// What the rows of a feed come to.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// By key and start-ts.
    pub(super) open: BTreeMap<(Key, u64), Row>,
    /// Key, commit-ts, start-ts, value.
    pub(super) versions: BTreeSet<(Key, u64, u64, Value)>,
}

pub(super) fn name(key: Key) -> Bytes {
    Bytes::from(vec![b'k', key])
}

fn key_of(row: &Row) -> Key {
    row.key.get(1).copied().unwrap_or_default()
}

fn value_of(row: &Row) -> Value {
    (row.op_type() == OpType::Put).then(|| row.value.clone())
}

impl Reader {
    /// Takes a row in; says what is wrong with it.
    pub(super) fn row(&mut self, row: Row) -> Result<(), String> {
        let name = (key_of(&row), row.start_ts);
        match row.r#type() {
            LogType::Prewrite => {
                self.open.insert(name, row);
            }
            LogType::Commit => {
                let Some(mut prewrite) = self.open.remove(&name) else {
                    return Err(format!("a commit without its prewrite: {row:?}"));
                };
                if !row.value.is_empty() && row.value != prewrite.value {
                    return Err(format!("{row:?} repeats another value than {prewrite:?}"));
                }
                prewrite.commit_ts = row.commit_ts;
                self.version(&prewrite)?;
            }
            LogType::Rollback => {
                self.open.remove(&name);
            }
            LogType::Committed => self.version(&row)?,
            LogType::Initialized | LogType::Unknown => {}
        }
        Ok(())
    }

    fn version(&mut self, row: &Row) -> Result<(), String> {
        let version = (key_of(row), row.commit_ts, row.start_ts, value_of(row));
        match self.versions.insert(version) {
            true => Ok(()),
            false => Err(format!("came twice: {row:?}")),
        }
    }
}
