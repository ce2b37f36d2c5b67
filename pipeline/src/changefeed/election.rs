//! The election of an owner among the captures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use proto::{
    etcdserverpb::{Compare, RequestOp},
    mvccpb::KeyValue,
};

use super::keys::Keys;
use crate::etcd::{self, Client};

/// How long to wait before standing for election again that broke off.
const AGAIN: Duration = Duration::from_millis(300);

/// The id of the capture that owns the cluster, if one does.
///
/// # Errors
/// When etcd does not answer.
pub async fn owner(etcd: &Client, keys: &Keys) -> Result<Option<String>, etcd::Error> {
    let (pairs, _) = etcd.list_by_age(&keys.owner_prefix()).await?;
    Ok(pairs
        .first()
        .map(|pair| String::from_utf8_lossy(&pair.value).into_owned()))
}

/// Proof of ownership, for transactions.
#[derive(Debug, Clone)]
pub struct Ownership {
    key: String,
    /// The revision that made it.
    revision: i64,
    /// The revision of the last write by [`write`](Self::write).
    wrote: Arc<AtomicI64>,
}

/// What became of a write by an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// It was made, at this revision.
    At(i64),
    /// One of its own comparisons does not hold.
    Refused,
    /// Another owns.
    Replaced,
}

impl Ownership {
    /// Ownership by the key of a candidate, made at `revision`.
    #[must_use]
    pub fn new(key: String, revision: i64) -> Self {
        Self {
            key,
            revision,
            wrote: Arc::new(AtomicI64::new(revision)),
        }
    }

    /// The comparison under which an owner writes.
    #[must_use]
    pub fn guard(&self) -> Compare {
        etcd::created_at(&self.key, self.revision)
    }

    /// Whether this is its key, as it was made.
    #[must_use]
    pub fn is(&self, pair: &KeyValue) -> bool {
        pair.key == self.key.as_bytes() && pair.create_revision == self.revision
    }

    /// The key of the election.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Writes under the guard of ownership, one after the other: each goes over the one before, so that one that was not
    /// answered is not made after later ones.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn write(
        &self,
        etcd: &Client,
        guards: &[Compare],
        ops: &[RequestOp],
    ) -> Result<Wrote, etcd::Error> {
        loop {
            let last = self.wrote.load(Ordering::Relaxed);
            let order = etcd::unchanged(&self.key, last);
            let guards = [guards, &[order]].concat();
            let ops = [ops, &[etcd::touch(&self.key)]].concat();
            let answer = etcd.txn(guards, ops, vec![etcd::get(&self.key)]).await?;
            if answer.succeeded {
                let revision = answer.header.map_or(0, |header| header.revision);
                self.wrote.store(revision, Ordering::Relaxed);
                return Ok(Wrote::At(revision));
            }
            match etcd::read(&answer).filter(|pair| self.is(pair)) {
                Some(pair) if pair.mod_revision == last => return Ok(Wrote::Refused),
                // by a write of ours that was not answered
                Some(pair) => self.wrote.store(pair.mod_revision, Ordering::Relaxed),
                None => return Ok(Wrote::Replaced),
            }
        }
    }

    /// Gives ownership up; the next candidate takes over.
    ///
    /// # Errors
    /// When etcd does not answer.
    pub async fn resign(&self, etcd: &Client) -> Result<(), etcd::Error> {
        etcd.txn(vec![self.guard()], vec![etcd::delete(&self.key)], vec![])
            .await
            .map(drop)
    }
}

/// Stands for election until elected (etcd's `concurrency.Election`: the oldest key owns). An etcd that does not answer is
/// asked again: whether the session lasts is for who keeps it to say.
///
/// # Errors
/// When the session is gone.
pub async fn campaign(
    etcd: &Client,
    keys: &Keys,
    lease: i64,
    capture: &str,
) -> Result<Ownership, etcd::Error> {
    let key = keys.owner(lease);
    let mut pace = tokio::time::interval(AGAIN);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        match stand(etcd, keys, &key, lease, capture).await {
            Err(error) if error.is_lease_gone() => return Err(error),
            Err(error) => tracing::warn!(%error, "failed to stand for election, it is tried again"),
            elected => return elected,
        }
    }
}

async fn stand(
    etcd: &Client,
    keys: &Keys,
    key: &str,
    lease: i64,
    capture: &str,
) -> Result<Ownership, etcd::Error> {
    let put = etcd::put(key, capture.to_owned(), lease);
    etcd.txn(vec![etcd::absent(key)], vec![put], vec![]).await?;
    loop {
        let (candidates, revision) = etcd.list_by_age(&keys.owner_prefix()).await?;
        let Some(mine) = candidates
            .iter()
            .position(|pair| pair.key == key.as_bytes())
        else {
            return Err(etcd::Error::LeaseExpired(lease));
        };
        if mine == 0 {
            return Ok(Ownership::new(
                key.to_owned(),
                candidates[0].create_revision,
            ));
        }
        // any candidate that goes is reason to look again
        let mut watch = etcd.watch(&keys.owner_prefix(), revision + 1).await?;
        loop {
            let events = watch.next().await?;
            if events
                .iter()
                .any(|event| event.r#type() == proto::mvccpb::event::EventType::Delete)
            {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compat::Compat,
        etcd::fake::{Fake, Fault},
    };

    async fn elected() -> (Fake, Client, Ownership) {
        let (fake, etcd) = Fake::start().await;
        let keys = Keys::new(Compat::V8_5, "default");
        let owner = campaign(&etcd, &keys, 7, "a").await.unwrap();
        (fake, etcd, owner)
    }

    async fn value(etcd: &Client) -> Option<String> {
        let pair = etcd.get("key").await.unwrap()?;
        Some(String::from_utf8(pair.value.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_write_that_comes_late_is_not_made() {
        let (fake, etcd, owner) = elected().await;
        let put = |value: &str| [etcd::put("key", value.to_owned(), 0)];
        fake.state().fault = Some(Fault::Late);
        owner.write(&etcd, &[], &put("normal")).await.unwrap_err();
        let paused = owner.write(&etcd, &[], &put("stopped")).await.unwrap();
        assert!(matches!(paused, Wrote::At(_)));
        assert!(!fake.come_late());
        assert_eq!(value(&etcd).await.as_deref(), Some("stopped"));
    }

    #[tokio::test]
    async fn a_write_follows_one_without_an_answer() {
        let (fake, etcd, owner) = elected().await;
        let put = |value: &str| [etcd::put("key", value.to_owned(), 0)];
        fake.state().fault = Some(Fault::Unanswered);
        owner.write(&etcd, &[], &put("1")).await.unwrap_err();
        let next = owner.write(&etcd, &[], &put("2")).await.unwrap();
        assert!(matches!(next, Wrote::At(_)));
        assert_eq!(value(&etcd).await.as_deref(), Some("2"));
        let absent = [etcd::absent("key")];
        let refused = owner.write(&etcd, &absent, &put("3")).await.unwrap();
        assert_eq!(refused, Wrote::Refused);
        owner.resign(&etcd).await.unwrap();
        let replaced = owner.write(&etcd, &[], &put("4")).await.unwrap();
        assert_eq!(replaced, Wrote::Replaced);
        assert_eq!(value(&etcd).await.as_deref(), Some("2"));
    }

    #[tokio::test]
    async fn a_candidate_outlasts_an_etcd_that_does_not_answer() {
        let (fake, etcd, owner) = elected().await;
        let keys = Keys::new(Compat::V8_5, "default");
        fake.state().fault = Some(Fault::Refused);
        let standing = tokio::spawn({
            let (etcd, keys) = (etcd.clone(), keys.clone());
            async move { campaign(&etcd, &keys, 8, "b").await }
        });
        let elected = async {
            let mut pace = tokio::time::interval(Duration::from_millis(5));
            while etcd.get(&keys.owner(8)).await.unwrap().is_none() {
                pace.tick().await;
            }
            fake.break_watches();
            owner.resign(&etcd).await.unwrap();
            standing.await.unwrap().unwrap()
        };
        let elected = tokio::time::timeout(Duration::from_secs(10), elected).await;
        assert_eq!(elected.expect("another owner").key(), keys.owner(8));
    }
}
