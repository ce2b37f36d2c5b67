//! Locking, prewriting, committing.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proto::kvrpcpb as kv;
use proto::kvrpcpb::prewrite_request::PessimisticAction;

use super::feed::name;
use super::model::{Fate, Held, Key, Op};
use super::world::{Mode, Outcome, TTL_MS, Txn, World, agree};
use crate::tikv::txn::prewrite::{PrewriteError, Prewritten, prewrite};
use crate::tikv::txn::{Stop, end, pessimistic};

/// Longer values stand apart from their records.
const LONG: usize = 300;

impl World {
    pub(super) async fn prewrite(
        &mut self,
        slot: usize,
        keys: &BTreeSet<Key>,
        kind: u8,
    ) -> Outcome {
        let Some(mut txn) = self.txn(slot) else {
            return Ok(());
        };
        let Some(first) = keys.first() else {
            return Ok(());
        };
        let primary = *txn.primary.get_or_insert(*first);
        txn.values += 1;
        let ops: BTreeMap<Key, Op> = keys
            .iter()
            .map(|key| (*key, op_of(&txn, *key, kind)))
            .collect();
        let store_chooses = matches!(txn.mode, Mode::Async | Mode::OnePc);
        let is_pessimistic = txn.mode == Mode::Pessimistic;
        if is_pessimistic && txn.for_update_ts == 0 {
            txn.for_update_ts = txn.start_ts;
        }
        let request = kv::PrewriteRequest {
            mutations: ops.iter().map(|(key, op)| mutation(*key, op)).collect(),
            primary_lock: name(primary),
            start_version: txn.start_ts,
            lock_ttl: TTL_MS,
            for_update_ts: txn.for_update_ts,
            pessimistic_actions: match is_pessimistic {
                true => vec![PessimisticAction::DoPessimisticCheck.into(); ops.len()],
                false => Vec::new(),
            },
            use_async_commit: store_chooses,
            try_one_pc: txn.mode == Mode::OnePc,
            secondaries: keys
                .iter()
                .filter(|key| **key != primary)
                .map(|key| name(*key))
                .collect(),
            ..Default::default()
        };
        let mut expected = true;
        let (mut plan, mut committed) = (Vec::new(), None);
        for (key, op) in &ops {
            match self.examine(&txn, *key, store_chooses) {
                Examined::Plan => plan.push((*key, op.clone())),
                Examined::Done => {}
                Examined::Committed(ts) => committed = Some(ts),
                Examined::Refused => expected = false,
            }
        }
        let concurrency = self.concurrency.clone();
        let got = self
            .act(|reader, changes| {
                prewrite(reader, changes, &concurrency, &request).map_err(|error| match error {
                    PrewriteError::Stop(stop) => stop,
                    PrewriteError::Locked(mut locked) => Stop::Refused(Box::new(locked.remove(0))),
                })
            })
            .await;
        let done = got.as_ref().map(|_| ()).map_err(Clone::clone);
        self.keep(slot, txn.clone());
        if !agree("the prewrite", expected, done)? {
            return Ok(());
        }
        let done: Prewritten = got?;
        if committed.is_some() {
            return Ok(());
        }
        let held = plan.len();
        if done.one_pc_commit_ts > 0 {
            let ts = done.one_pc_commit_ts;
            self.chosen_is_above(&txn, ts)?;
            for (key, op) in plan {
                self.model.commit(key, txn.start_ts, ts, op);
            }
            txn.commit_ts = ts;
            self.last_commit = ts;
        } else {
            if store_chooses && held > 0 {
                self.chosen_is_above(&txn, done.min_commit_ts)?;
            }
            for (key, op) in plan {
                let min_commit_ts = match store_chooses {
                    true => done.min_commit_ts,
                    false => self
                        .model
                        .own_lock(key, txn.start_ts)
                        .map_or(0, |l| l.min_commit_ts),
                };
                let lock = Held {
                    start_ts: txn.start_ts,
                    op: Some(op),
                    min_commit_ts,
                    async_commit: store_chooses,
                };
                self.model.take_lock(key, lock);
            }
        }
        self.keep(slot, txn);
        Ok(())
    }

    /// A commit-ts that the store chose is above every read, and above its start.
    fn chosen_is_above(&mut self, txn: &Txn, ts: u64) -> Outcome {
        self.clock = self.clock.max(ts);
        match ts > txn.start_ts && ts > self.read_at {
            true => Ok(()),
            false => Err(format!(
                "chose {ts}: started at {}, read at {}",
                txn.start_ts, self.read_at
            )),
        }
    }

    fn examine(&self, txn: &Txn, key: Key, store_chooses: bool) -> Examined {
        match self.model.lock(key) {
            Some(lock) if lock.start_ts != txn.start_ts => return Examined::Refused,
            Some(lock) if lock.op.is_some() => return Examined::Done,
            Some(_) => return Examined::Plan,
            None => {}
        }
        let newest = self.model.newest(key);
        if store_chooses
            && newest > txn.start_ts
            && let Fate::Committed(ts) = self.model.fate(key, txn.start_ts)
        {
            return Examined::Committed(ts);
        }
        let refused = match txn.mode {
            // Its lock is gone: it is taken again only if nothing happened since the start.
            Mode::Pessimistic => newest >= txn.start_ts,
            _ => newest > txn.start_ts || self.model.fate(key, txn.start_ts) == Fate::RolledBack,
        };
        match refused {
            true => Examined::Refused,
            false => Examined::Plan,
        }
    }

    pub(super) async fn lock(&mut self, slot: usize, key: Key) -> Outcome {
        let Some(mut txn) = self.txn(slot).filter(|txn| txn.mode == Mode::Pessimistic) else {
            return Ok(());
        };
        let primary = *txn.primary.get_or_insert(key);
        txn.for_update_ts = self.now();
        self.keep(slot, txn.clone());
        let mutation = kv::Mutation {
            op: kv::Op::PessimisticLock.into(),
            key: name(key),
            ..Default::default()
        };
        let request = kv::PessimisticLockRequest {
            mutations: vec![mutation.clone()],
            primary_lock: name(primary),
            start_version: txn.start_ts,
            lock_ttl: TTL_MS,
            for_update_ts: txn.for_update_ts,
            return_values: true,
            ..Default::default()
        };
        let got = self
            .act(|reader, changes| pessimistic::lock(reader, changes, &request, &mutation))
            .await;
        let held = self.model.lock(key);
        let expected = match &held {
            Some(lock) => lock.start_ts == txn.start_ts && lock.op.is_none(),
            None => {
                let since = self.model.newest(key) >= txn.start_ts;
                !(since && self.model.fate(key, txn.start_ts) == Fate::RolledBack)
            }
        };
        let done = got.as_ref().map(|_| ()).map_err(Clone::clone);
        if agree("the lock", expected, done)? {
            let value = self.model.value(key, txn.for_update_ts);
            let found = got?.value;
            if found.clone().filter(|_| value.is_some()) != value {
                return Err(format!("locked and found {found:?}, not {value:?}"));
            }
            let min_commit_ts = held.map_or(0, |lock| lock.min_commit_ts);
            let lock = Held {
                start_ts: txn.start_ts,
                op: None,
                min_commit_ts,
                async_commit: false,
            };
            self.model.take_lock(key, lock);
        }
        Ok(())
    }

    pub(super) async fn commit(&mut self, slot: usize, keys: &BTreeSet<Key>) -> Outcome {
        let Some(mut txn) = self.txn(slot) else {
            return Ok(());
        };
        if txn.commit_ts == 0 {
            // An async-commit transaction commits at the highest of what the store chose.
            let locks = self.model.keys.values().filter_map(|key| key.lock.as_ref());
            let own = locks.filter(|lock| lock.start_ts == txn.start_ts && lock.async_commit);
            let chosen = own.map(|lock| lock.min_commit_ts).max();
            txn.commit_ts = match chosen {
                Some(ts) => ts,
                None => self.now(),
            };
            self.last_commit = txn.commit_ts;
            self.keep(slot, txn.clone());
        }
        for key in keys {
            let (start_ts, commit_ts) = (txn.start_ts, txn.commit_ts);
            let lock = self.model.own_lock(*key, start_ts);
            let expected = match &lock {
                Some(lock) => commit_ts >= lock.min_commit_ts,
                None => matches!(self.model.fate(*key, start_ts), Fate::Committed(_)),
            };
            let named = name(*key);
            let got = self
                .act(|reader, changes| end::commit(reader, changes, &named, start_ts, commit_ts))
                .await;
            if agree(&format!("the commit of {key}"), expected, got)?
                && let Some(lock) = lock
            {
                let op = lock.op.unwrap_or(Op::Lock);
                self.model.commit(*key, start_ts, commit_ts, op);
            }
        }
        Ok(())
    }
}

enum Examined {
    Plan,
    Done,
    Committed(u64),
    Refused,
}

fn op_of(txn: &Txn, key: Key, kind: u8) -> Op {
    let text = format!("{}-{}-{key}", txn.start_ts, txn.values);
    match (kind + key) % 6 {
        0 => Op::Delete,
        1 => Op::Lock,
        2 => Op::Put(Bytes::from(text.repeat(LONG / text.len() + 1))),
        _ => Op::Put(Bytes::from(text)),
    }
}

fn mutation(key: Key, op: &Op) -> kv::Mutation {
    let (kind, value) = match op {
        Op::Put(value) => (kv::Op::Put, value.clone()),
        Op::Delete => (kv::Op::Del, Bytes::new()),
        Op::Lock => (kv::Op::Lock, Bytes::new()),
    };
    kv::Mutation {
        op: kind.into(),
        key: name(key),
        value,
        ..Default::default()
    }
}
