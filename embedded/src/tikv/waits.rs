//! Transactions that wait for one another's locks.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use proto::kvrpcpb as kv;
use tokio::sync::Notify;

/// Who waits for whom.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    by_key: HashMap<Bytes, Vec<(u64, Arc<Notify>)>>,
    edges: HashMap<u64, Edge>,
}

#[derive(Debug)]
struct Edge {
    waiter: u64,
    holder: u64,
    key: Bytes,
}

/// One wait; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Wait {
    waits: Arc<Waits>,
    id: u64,
    key: Bytes,
    woken: Arc<Notify>,
}

impl Waits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `waiter` (a start-ts) is about to wait for the lock that `holder` has on `key`. To be called while the key's latch
    /// is held.
    ///
    /// # Errors
    /// When `holder` waits for `waiter` already, directly or through others.
    pub(crate) fn wait(
        self: &Arc<Self>,
        waiter: u64,
        holder: u64,
        key: &Bytes,
    ) -> Result<Wait, kv::Deadlock> {
        let mut state = self.state();
        if let Some(edge) = state.path(holder, waiter) {
            return Err(kv::Deadlock {
                lock_ts: holder,
                lock_key: key.clone(),
                deadlock_key_hash: hash(&edge.key),
                deadlock_key: edge.key.clone(),
            });
        }
        let id = state.next;
        state.next += 1;
        let woken = Arc::new(Notify::new());
        state.edges.insert(
            id,
            Edge {
                waiter,
                holder,
                key: key.clone(),
            },
        );
        state
            .by_key
            .entry(key.clone())
            .or_default()
            .push((id, woken.clone()));
        Ok(Wait {
            waits: self.clone(),
            id,
            key: key.clone(),
            woken,
        })
    }

    /// Wakes who waits for these keys.
    pub(crate) fn wake(&self, keys: &[Bytes]) {
        let state = self.state();
        if state.by_key.is_empty() {
            return;
        }
        for (_, woken) in keys
            .iter()
            .filter_map(|key| state.by_key.get(key))
            .flatten()
        {
            woken.notify_one();
        }
    }
}

impl State {
    /// The last wait on a way from `from` to `to`.
    fn path(&self, from: u64, to: u64) -> Option<&Edge> {
        let (mut seen, mut todo) = (HashSet::new(), vec![from]);
        while let Some(at) = todo.pop() {
            if !seen.insert(at) {
                continue;
            }
            for edge in self.edges.values().filter(|edge| edge.waiter == at) {
                if edge.holder == to {
                    return Some(edge);
                }
                todo.push(edge.holder);
            }
        }
        None
    }
}

impl Wait {
    /// Until the lock may have gone.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.waits.state();
        state.edges.remove(&self.id);
        if let Some(waiting) = state.by_key.get_mut(&self.key) {
            waiting.retain(|(id, _)| *id != self.id);
            if waiting.is_empty() {
                state.by_key.remove(&self.key);
            }
        }
    }
}

fn hash(key: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn circles_are_found_and_waits_end() {
        let waits = Arc::new(Waits::default());
        let [a, b, c] = ["a", "b", "c"].map(|k| Bytes::from_static(k.as_bytes()));
        let first = waits.wait(1, 2, &a).unwrap();
        let _second = waits.wait(2, 3, &b).unwrap();
        let deadlock = waits.wait(3, 1, &c).unwrap_err();
        assert_eq!((deadlock.lock_ts, deadlock.lock_key), (1, c.clone()));
        assert_eq!(deadlock.deadlock_key, b);
        waits.wake(&[a]);
        first.woken().await;
        drop(first);
        waits.wait(3, 1, &c).unwrap();
    }
}
