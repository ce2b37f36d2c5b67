//! What was written before a subscription began: open locks, and versions above its checkpoint.

use std::iter::Peekable;

use bytes::Bytes;
use proto::cdcpb::event::{LogType, Row};

use super::subscription::sends;
use crate::tikv::engine::{EngineError, Lock, Reader, Write, WriteKind, committed_row, op_of_lock};
use crate::tikv::key::Range;

/// Rows read before they are handed on.
const STEP_ROWS: usize = 1024;
/// Bytes read before they are handed on.
const STEP_BYTES: usize = 1 << 20;
/// Keys and values of an event's rows take less than this, unless there is only one row (golden/tikv-feed, 10).
const EVENT_BYTES: usize = 32 << 10;

type Locks = Box<dyn Iterator<Item = Result<(Bytes, Lock), EngineError>> + Send>;
type Writes = Box<dyn Iterator<Item = Result<(Bytes, u64, Write), EngineError>> + Send>;

/// Reads a range in key order: for each key first its open lock, then its versions from the newest on, each with the value
/// before it (golden/tikv-feed, 02).
pub(crate) struct Scanner {
    reader: Reader,
    checkpoint_ts: u64,
    filter_loop: bool,
    locks: Peekable<Locks>,
    writes: Peekable<Writes>,
    /// A version whose predecessor is yet to be read.
    open: Option<Row>,
}

/// Rows of one step.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) rows: Vec<Row>,
    pub(crate) last: bool,
    bytes: usize,
}

impl Step {
    fn is_full(&self) -> bool {
        self.rows.len() >= STEP_ROWS || self.bytes >= STEP_BYTES
    }

    /// Rows cut into events.
    pub(crate) fn events(self) -> Vec<Vec<Row>> {
        let mut events: Vec<Vec<Row>> = Vec::new();
        let mut bytes = 0;
        for row in self.rows {
            let size = payload(&row);
            match events.last_mut() {
                Some(event) if bytes + size < EVENT_BYTES => {
                    bytes += size;
                    event.push(row);
                }
                _ => {
                    bytes = size;
                    events.push(vec![row]);
                }
            }
        }
        events
    }
}

impl Scanner {
    pub(crate) fn new(
        reader: Reader,
        range: &Range,
        checkpoint_ts: u64,
        filter_loop: bool,
    ) -> Self {
        let (locks, writes): (Locks, Writes) = (
            Box::new(reader.locks(range)),
            Box::new(reader.all_writes(range)),
        );
        Self {
            reader,
            checkpoint_ts,
            filter_loop,
            locks: locks.peekable(),
            writes: writes.peekable(),
            open: None,
        }
    }

    /// The next rows. The last step ends with the row that says so.
    pub(crate) fn step(&mut self) -> Result<Step, EngineError> {
        let mut step = Step::default();
        while !step.is_full() {
            if self.lock_is_next()? {
                self.close(&mut step, None);
                if let Some(next) = self.locks.next() {
                    let (key, lock) = next?;
                    self.lock(&mut step, key, &lock)?;
                }
                continue;
            }
            let Some(next) = self.writes.next() else {
                self.close(&mut step, None);
                step.rows.push(Row {
                    r#type: LogType::Initialized.into(),
                    ..Row::default()
                });
                step.last = true;
                break;
            };
            let (key, ts, write) = next?;
            if self.open.as_ref().is_some_and(|open| open.key != key) {
                self.close(&mut step, None);
            }
            if write.is_version() {
                self.version(&mut step, key, ts, &write)?;
            }
        }
        Ok(step)
    }

    fn lock_is_next(&mut self) -> Result<bool, EngineError> {
        let of_lock = match self.locks.peek() {
            Some(Ok((key, _))) => key,
            Some(Err(error)) => return Err(error.clone()),
            None => return Ok(false),
        };
        match self.writes.peek() {
            Some(Ok((key, ..))) => Ok(of_lock <= key),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(true),
        }
    }

    fn lock(&mut self, step: &mut Step, key: Bytes, lock: &Lock) -> Result<(), EngineError> {
        if !lock.is_change() || !sends(lock.txn_source, self.filter_loop) {
            return Ok(());
        }
        let as_of = lock.start_ts.max(lock.for_update_ts);
        // The versions of the key stand next, if there are any.
        let written = match self.writes.peek() {
            Some(Ok((next, ..))) => *next == key,
            Some(Err(error)) => return Err(error.clone()),
            None => false,
        };
        let old_value = match written {
            true => self.reader.get(&key, as_of)?,
            false => None,
        };
        let row = Row {
            start_ts: lock.start_ts,
            r#type: LogType::Prewrite.into(),
            op_type: op_of_lock(lock.kind()).into(),
            value: self.reader.value_of_lock(&key, lock)?,
            old_value: old_value.unwrap_or_default(),
            txn_source: lock.txn_source,
            key,
            ..Row::default()
        };
        push(step, row);
        Ok(())
    }

    fn version(
        &mut self,
        step: &mut Step,
        key: Bytes,
        ts: u64,
        write: &Write,
    ) -> Result<(), EngineError> {
        let wanted = ts > self.checkpoint_ts;
        if !wanted && self.open.is_none() {
            return Ok(());
        }
        let value = self.reader.value_of(&key, write)?;
        let old = (write.kind() == WriteKind::Put).then(|| value.clone());
        self.close(step, old);
        if wanted {
            self.open = Some(committed_row(key, ts, write, value, Bytes::new()));
        }
        Ok(())
    }

    /// The open version's predecessor is known now.
    fn close(&mut self, step: &mut Step, old: Option<Bytes>) {
        if let Some(mut row) = self.open.take()
            && sends(row.txn_source, self.filter_loop)
        {
            row.old_value = old.unwrap_or_default();
            push(step, row);
        }
    }
}

fn payload(row: &Row) -> usize {
    row.key.len() + row.value.len() + row.old_value.len()
}

fn push(step: &mut Step, row: Row) {
    step.bytes += payload(&row);
    step.rows.push(row);
}
