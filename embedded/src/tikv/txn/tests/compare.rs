//! What is seen from outside, beside the model.

use std::collections::BTreeSet;

use super::feed::{Reader as FeedReader, name};
use super::model::{Key, Op};
use super::world::{Outcome, World};
use crate::tikv::engine::Reader;
use crate::tikv::feed::scan::Scanner;
use crate::tikv::key::Range;
use crate::tikv::txn::Stop;
use crate::tikv::txn::read::{self, View};

impl World {
    /// Reads, the feed and a scan say what the model says.
    pub(super) fn compare(&mut self) -> Outcome {
        let reader = self.engine().reader();
        for key in 0..4u8 {
            let happened = self.model.key(key);
            let mut timestamps: BTreeSet<u64> =
                happened.at.keys().flat_map(|ts| [ts - 1, *ts]).collect();
            timestamps.extend(happened.lock.iter().map(|lock| lock.start_ts));
            timestamps.extend([self.clock, u64::MAX - 1]);
            for ts in timestamps.into_iter().filter(|ts| *ts >= self.safe_point) {
                self.compare_read(&reader, key, ts)?;
            }
        }
        for row in self.listener.take() {
            self.feed.row(row)?;
        }
        if self.feed.versions != self.model.history {
            let missing: Vec<_> = self.model.history.difference(&self.feed.versions).collect();
            let wrong: Vec<_> = self.feed.versions.difference(&self.model.history).collect();
            return Err(format!("the feed lacks {missing:?} and has {wrong:?}"));
        }
        self.compare_scan()
    }

    fn compare_read(&self, reader: &Reader, key: Key, ts: u64) -> Outcome {
        let view = View::new(None, ts);
        let got = read::get(reader, &view, &name(key));
        let lock = self.model.lock(key).filter(|lock| {
            let change = matches!(lock.op, Some(Op::Put(_) | Op::Delete));
            change && lock.start_ts <= ts && lock.min_commit_ts <= ts
        });
        let expected = self.model.value(key, ts);
        match (got, lock) {
            (Ok(got), None) if got == expected => Ok(()),
            (Err(Stop::Refused(error)), Some(lock))
                if error
                    .locked
                    .as_ref()
                    .is_some_and(|l| l.lock_version == lock.start_ts) =>
            {
                Ok(())
            }
            (got, lock) => Err(format!(
                "key {key} at {ts} reads {got:?}; expected {expected:?} behind {lock:?}"
            )),
        }
    }

    /// A subscription from the beginning gets every version there is, and every open lock.
    fn compare_scan(&self) -> Outcome {
        let reader = self.engine().reader();
        let mut scanner = Scanner::new(reader, &Range::default(), 0, false);
        let mut scanned = FeedReader::default();
        loop {
            let step = scanner.step().map_err(|error| error.to_string())?;
            let last = step.last;
            for row in step.events().into_iter().flatten() {
                scanned.row(row)?;
            }
            if last {
                break;
            }
        }
        let locks: BTreeSet<(Key, u64)> = scanned.open.keys().copied().collect();
        let expected: BTreeSet<(Key, u64)> = self
            .model
            .keys
            .iter()
            .filter_map(|(key, of_key)| {
                let lock = of_key.lock.as_ref()?;
                matches!(lock.op, Some(Op::Put(_) | Op::Delete)).then_some((*key, lock.start_ts))
            })
            .collect();
        if scanned.versions != self.model.versions() {
            return Err(format!(
                "a scan has {:?}, not {:?}",
                scanned.versions,
                self.model.versions()
            ));
        }
        match locks == expected {
            true => Ok(()),
            false => Err(format!("a scan has the locks {locks:?}, not {expected:?}")),
        }
    }
}
