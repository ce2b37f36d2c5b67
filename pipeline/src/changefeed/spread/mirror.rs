//! Keys of etcd as they are, kept up to date in the background.

use std::{collections::BTreeMap, time::Duration};

use proto::mvccpb::{KeyValue, event::EventType};
use tokio::{sync::watch, task::JoinHandle};

use crate::etcd;

/// How long to wait before etcd is asked again.
const AGAIN: Duration = Duration::from_millis(300);

/// By key.
pub(super) type Pairs = BTreeMap<String, KeyValue>;

/// All keys with one prefix.
#[derive(Debug)]
pub(super) struct Mirror {
    pairs: watch::Receiver<Pairs>,
    keeper: JoinHandle<()>,
}

impl Mirror {
    /// The keys as they are now, and from now on.
    pub(super) async fn open(etcd: &etcd::Client, prefix: &str) -> Result<Self, etcd::Error> {
        let (pairs, revision) = list(etcd, prefix).await?;
        let (sender, receiver) = watch::channel(pairs);
        let keeper = tokio::spawn(keep(etcd.clone(), prefix.to_owned(), revision, sender));
        Ok(Self {
            pairs: receiver,
            keeper,
        })
    }

    /// The keys; they count as seen.
    pub(super) fn pairs(&mut self) -> watch::Ref<'_, Pairs> {
        self.pairs.borrow_and_update()
    }

    /// Whether they have changed since they were seen.
    pub(super) fn has_changed(&self) -> bool {
        self.pairs.has_changed().unwrap_or(false)
    }

    /// Waits until they change.
    pub(super) async fn changed(&mut self) {
        if self.pairs.changed().await.is_err() {
            // the keeper never ends by itself
            std::future::pending().await
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn list(etcd: &etcd::Client, prefix: &str) -> Result<(Pairs, i64), etcd::Error> {
    let (pairs, revision) = etcd.list(prefix).await?;
    let keyed = |pair: KeyValue| (String::from_utf8_lossy(&pair.key).into_owned(), pair);
    Ok((pairs.into_iter().map(keyed).collect(), revision))
}

async fn keep(etcd: etcd::Client, prefix: String, revision: i64, pairs: watch::Sender<Pairs>) {
    let mut next = revision + 1;
    let mut pace = tokio::time::interval(AGAIN);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        if let Err(error) = follow(&etcd, &prefix, &mut next, &pairs).await {
            tracing::warn!(%error, prefix, "the watch of keys broke");
        }
        // what was missed may be compacted: all is read anew
        loop {
            pace.tick().await;
            match list(&etcd, &prefix).await {
                Ok((all, revision)) => {
                    pairs.send_replace(all);
                    next = revision + 1;
                    break;
                }
                Err(error) => tracing::warn!(%error, prefix, "failed to read keys"),
            }
        }
    }
}

async fn follow(
    etcd: &etcd::Client,
    prefix: &str,
    next: &mut i64,
    pairs: &watch::Sender<Pairs>,
) -> Result<(), etcd::Error> {
    let mut watch = etcd.watch(prefix, *next).await?;
    loop {
        let events = watch.next().await?;
        pairs.send_modify(|pairs| {
            for event in events {
                let Some(pair) = event.kv else { continue };
                *next = (*next).max(pair.mod_revision + 1);
                let key = String::from_utf8_lossy(&pair.key).into_owned();
                match event.r#type == i32::from(EventType::Delete) {
                    true => pairs.remove(&key),
                    false => pairs.insert(key, pair),
                };
            }
        });
    }
}
