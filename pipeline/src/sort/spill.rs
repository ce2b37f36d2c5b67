//! To disk and back, off the threads of the runtime.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::spawn_blocking,
};

use super::{
    Error, TableId,
    folder::Place,
    state::{Errand, Part, State},
    store::Store,
    tables::Load,
};

/// What may be read ahead, and kept of blocks that were read, as parts of the quota.
const AHEAD_PART: usize = 16;
/// The least that is kept of blocks, and the most.
const CACHE_BYTES: std::ops::RangeInclusive<u64> = (512 << 10)..=(8 << 20);

/// The way to the disk. Who has the store's lock alone moves rows between memory and disk.
#[derive(Debug)]
pub(super) struct Disk {
    store: Arc<Mutex<Store>>,
    ahead_bytes: usize,
}

impl Disk {
    pub(super) fn new(quota: usize, place: Place) -> Self {
        let part = quota / AHEAD_PART;
        let cache = (part as u64 / 2).clamp(*CACHE_BYTES.start(), *CACHE_BYTES.end());
        Self {
            store: Arc::new(Mutex::new(Store::new(place, cache))),
            ahead_bytes: part.min(8 << 20),
        }
    }

    /// Where rows go.
    #[cfg(test)]
    pub(super) async fn path(&self) -> std::path::PathBuf {
        self.lock().await.path().to_owned()
    }

    async fn lock(&self) -> OwnedMutexGuard<Store> {
        Arc::clone(&self.store).lock_owned().await
    }
}

impl Drop for Disk {
    /// Removing many files takes a while.
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let store = Arc::clone(&self.store);
            runtime.spawn_blocking(move || drop(store));
        }
    }
}

/// Rows that are in neither place: if they do not arrive on disk the sorter has failed.
struct UnderWay {
    state: Arc<State>,
    bytes: usize,
    outcome: Result<(), Error>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Err(error) = &self.outcome {
            self.state.fail(error.clone());
        }
        self.state.written(self.bytes);
    }
}

impl State {
    /// Writes rows to disk if there still is no room.
    ///
    /// Whoever waits for it may give up: what has begun is brought to its end.
    pub(super) async fn spill(self: &Arc<Self>) -> Result<(), Error> {
        let mut store = self.disk.lock().await;
        let Some(Load { rows, gone, bytes }) = self.load() else {
            return Ok(());
        };
        let mut under_way = UnderWay {
            state: Arc::clone(self),
            bytes,
            outcome: Err(Error::BrokeOff),
        };
        let write = move || {
            under_way.outcome = store.forget(&gone).and_then(|()| store.write(rows));
            // Told before the next one has the store.
            let outcome = under_way.outcome.clone();
            drop(under_way);
            drop(store);
            outcome
        };
        spawn_blocking(write).await.unwrap_or(Err(Error::BrokeOff))
    }

    /// Reads what is next of some tables.
    pub(super) async fn read(self: &Arc<Self>, tables: Vec<TableId>) -> Result<(), Error> {
        let mut store = self.disk.lock().await;
        let Errand {
            cursors,
            on_disk,
            gone,
        } = self.errand(&tables);
        // All tables may have read ahead, before the first of them reads again.
        let bytes = self.disk.ahead_bytes / on_disk.max(1);
        let read = move || {
            let mut read = || {
                store.forget(&gone)?;
                let mut parts = Vec::with_capacity(cursors.len());
                for (table, cursor) in &cursors {
                    let (rows, all) = store.read(cursor, bytes)?;
                    parts.push(Part {
                        table: *table,
                        number: cursor.number,
                        rows,
                        all,
                    });
                }
                Ok(parts)
            };
            let parts = read();
            (store, parts)
        };
        let (store, parts) = spawn_blocking(read).await.map_err(|_| Error::BrokeOff)?;
        self.was_read(parts?);
        drop(store);
        Ok(())
    }

    /// Removes what is on disk if nothing of it is needed.
    pub(super) async fn clear(self: &Arc<Self>) -> Result<(), Error> {
        let mut store = self.disk.lock().await;
        if !self.nothing_spilled() {
            return Ok(());
        }
        tracing::debug!("all rows on disk were taken");
        let clear = spawn_blocking(move || store.clear());
        clear.await.unwrap_or(Err(Error::BrokeOff))
    }
}
