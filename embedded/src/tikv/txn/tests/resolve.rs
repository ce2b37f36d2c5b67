//! Rolling back, and what others do to a transaction.

use std::collections::{BTreeSet, HashMap};

use proto::kvrpcpb as kv;

use super::feed::name;
use super::model::{Fate, Key, Op};
use super::world::{MS, Mode, Outcome, TTL_MS, World, agree};
use crate::tikv::txn::{end, pessimistic, status};

impl World {
    pub(super) async fn roll_back(&mut self, slot: usize, keys: &BTreeSet<Key>) -> Outcome {
        let Some(txn) = self.txn(slot) else {
            return Ok(());
        };
        for key in keys {
            let start_ts = txn.start_ts;
            let own = self.model.own_lock(*key, start_ts).is_some();
            let expected = own || !matches!(self.model.fate(*key, start_ts), Fate::Committed(_));
            let named = name(*key);
            let got = self
                .act(|reader, changes| end::roll_back(reader, changes, &named, start_ts, false))
                .await;
            if agree(&format!("the rollback of {key}"), expected, got)? {
                let protected = own && txn.primary == Some(*key);
                self.rolled_back(*key, start_ts, protected);
            }
        }
        Ok(())
    }

    /// A second rollback changes nothing.
    pub(super) fn rolled_back(&mut self, key: Key, start_ts: u64, protected: bool) {
        let own = self.model.own_lock(key, start_ts).is_some();
        if own || self.model.fate(key, start_ts) == Fate::Unknown {
            self.model.roll_back(key, start_ts, protected);
        }
    }

    pub(super) async fn unlock(&mut self, slot: usize, keys: &BTreeSet<Key>) -> Outcome {
        let Some(txn) = self.txn(slot) else {
            return Ok(());
        };
        for key in keys {
            let (start_ts, named) = (txn.start_ts, name(*key));
            self.act(|reader, changes| {
                pessimistic::unlock(reader, changes, &named, start_ts, u64::MAX)
            })
            .await?;
            let wanted = self.model.own_lock(*key, start_ts);
            if wanted.is_some_and(|lock| lock.op.is_none()) {
                self.model.unlock(*key);
            }
        }
        Ok(())
    }

    pub(super) async fn check(&mut self, slot: usize, expired: bool) -> Outcome {
        let Some((txn, primary)) = self.txn(slot).and_then(|t| t.primary.map(|p| (t, p))) else {
            return Ok(());
        };
        if expired {
            self.clock += (TTL_MS + 1) * MS;
        }
        let caller_start_ts = self.now();
        let current_ts = self.now();
        let start_ts = txn.start_ts;
        self.concurrency
            .observe(current_ts)
            .map_err(|e| e.to_string())?;
        let request = kv::CheckTxnStatusRequest {
            primary_key: name(primary),
            lock_ts: start_ts,
            caller_start_ts,
            current_ts,
            rollback_if_not_exist: true,
            ..Default::default()
        };
        let reply = self
            .act(|reader, changes| status::check_txn(reader, changes, &request))
            .await?;
        let lock = self.model.own_lock(primary, start_ts);
        let expected = match &lock {
            Some(lock) if lock.async_commit => (true, 0),
            Some(_) if start_ts / MS + self.ttl(primary) < current_ts / MS => (false, 0),
            Some(_) => (true, 0),
            None => match self.model.fate(primary, start_ts) {
                Fate::Committed(ts) => (false, ts),
                Fate::RolledBack | Fate::Unknown => (false, 0),
            },
        };
        let got = (reply.lock_ttl > 0, reply.commit_version);
        if got != expected {
            return Err(format!("(alive, committed) is {got:?}, not {expected:?}"));
        }
        match lock {
            Some(mut lock) if expected.0 => {
                let pushed = !lock.async_commit && lock.min_commit_ts > 0;
                if pushed && caller_start_ts >= lock.min_commit_ts {
                    lock.min_commit_ts = (caller_start_ts + 1).max(current_ts);
                }
                self.model.take_lock(primary, lock);
            }
            _ if expected.1 == 0 => self.rolled_back(primary, start_ts, true),
            _ => {}
        }
        Ok(())
    }

    /// A lock's time to live as the engine has it: heart beats prolong it.
    pub(super) fn ttl(&self, key: Key) -> u64 {
        let lock = self.engine().reader().lock(&name(key)).unwrap();
        lock.map_or(0, |lock| lock.ttl)
    }

    pub(super) async fn heart_beat(&mut self, slot: usize) -> Outcome {
        let Some((txn, primary)) = self.txn(slot).and_then(|t| t.primary.map(|p| (t, p))) else {
            return Ok(());
        };
        let expected = self.model.own_lock(primary, txn.start_ts).is_some();
        let request = kv::TxnHeartBeatRequest {
            primary_lock: name(primary),
            start_version: txn.start_ts,
            advise_lock_ttl: self.clock / MS - txn.start_ts.min(self.clock) / MS + TTL_MS,
            ..Default::default()
        };
        let got = self
            .act(|reader, changes| status::heart_beat(reader, changes, &request).map(|_| ()))
            .await;
        agree("the heart beat", expected, got).map(|_| ())
    }

    pub(super) async fn resolve(&mut self, slot: usize, commit: bool) -> Outcome {
        let Some(txn) = self.txn(slot) else {
            return Ok(());
        };
        let commit_ts = match (commit, txn.commit_ts) {
            (true, 0) => return Ok(()),
            (true, ts) => ts,
            (false, _) => 0,
        };
        let start_ts = txn.start_ts;
        for key in 0..4 {
            let Some(lock) = self.model.own_lock(key, start_ts) else {
                continue;
            };
            let expected = commit_ts == 0 || commit_ts >= lock.min_commit_ts;
            let locks = [(name(key), start_ts)];
            let ends = HashMap::from([(start_ts, commit_ts)]);
            let got = self
                .act(|reader, changes| end::resolve_all(reader, changes, &locks, &ends))
                .await;
            if !agree(&format!("resolving {key}"), expected, got)? {
                continue;
            }
            match (commit_ts, lock.op) {
                (0, None) => self.model.unlock(key),
                (0, Some(_)) => self.rolled_back(key, start_ts, txn.primary == Some(key)),
                (ts, op) => self.model.commit(key, start_ts, ts, op.unwrap_or(Op::Lock)),
            }
        }
        Ok(())
    }

    pub(super) async fn check_secondaries(&mut self, slot: usize, keys: &BTreeSet<Key>) -> Outcome {
        let Some(txn) = self.txn(slot).filter(|txn| txn.mode == Mode::Async) else {
            return Ok(());
        };
        let start_ts = txn.start_ts;
        let request = kv::CheckSecondaryLocksRequest {
            keys: keys.iter().map(|key| name(*key)).collect(),
            start_version: start_ts,
            ..Default::default()
        };
        let reply = self
            .act(|reader, changes| status::check_secondaries(reader, changes, &request))
            .await?;
        for key in keys {
            if self.model.own_lock(*key, start_ts).is_some() {
                continue;
            }
            // The first key without a lock decides.
            let expected = match self.model.fate(*key, start_ts) {
                Fate::Committed(ts) => ts,
                Fate::RolledBack | Fate::Unknown => {
                    self.rolled_back(*key, start_ts, true);
                    0
                }
            };
            return match reply.commit_ts == expected && reply.locks.is_empty() {
                true => Ok(()),
                false => Err(format!(
                    "secondaries are {reply:?}, not committed at {expected}"
                )),
            };
        }
        match reply.locks.len() == keys.len() {
            true => Ok(()),
            false => Err(format!("{} locks, got {reply:?}", keys.len())),
        }
    }
}
