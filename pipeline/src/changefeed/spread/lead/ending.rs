//! The end of a run: its key goes, and then every part.

use super::{AGAIN, Ground, Lead};
use crate::{
    changefeed::{
        keys::Id,
        spread::{
            Part, failed, json,
            mirror::{Mirror, Pairs},
            read,
        },
    },
    coded::Coded,
    etcd,
};

impl Lead {
    /// Ends the run: the parts of all captures end. What cannot be written now is tried again by [`gone`](Self::gone).
    pub async fn dismiss(&mut self) {
        if !self.open {
            return;
        }
        match self.end_run().await {
            Ok(true) => self.open = false,
            Ok(false) => {
                tracing::warn!(changefeed = %self.id, "what other captures do is not ours to end, another owns by now");
                self.open = false;
                self.spread = None;
            }
            Err(error) => {
                tracing::warn!(changefeed = %self.id, %error, "failed to end what other captures do, it is tried again");
            }
        }
    }

    /// Removes the run's key if it is there, and sees to it that it is not made later; false if it is another's.
    async fn end_run(&self) -> Result<bool, Coded> {
        let keys = &self.ground.keys;
        let (run, placed) = (keys.run(&self.id), keys.placed(&self.id));
        let guards = vec![
            self.ground.ownership.guard(),
            etcd::unchanged(&placed, self.placed_at),
        ];
        let ops = vec![
            etcd::delete(&run),
            etcd::put(&placed, json(&self.placement)?, 0),
        ];
        let answer = self.ground.etcd.txn(guards, ops, vec![etcd::get(&run)]);
        let answer = answer.await.map_err(failed)?;
        // where it is not there, this was done before without an answer, or another did it that owns
        Ok(answer.succeeded || etcd::read(&answer).is_none())
    }

    /// Waits until the parts of all captures have ended, and takes in what they have done last.
    pub async fn gone(&mut self) {
        let mut pace = tokio::time::interval(AGAIN);
        while self.open {
            pace.tick().await;
            self.dismiss().await;
        }
        let Some(spread) = &mut self.spread else {
            return;
        };
        if let Err(error) = all_ended(&mut spread.mirror, &self.id, Some(spread.revision)).await {
            tracing::warn!(changefeed = %self.id, %error, "what another capture does cannot be waited for, the next start says so too");
            return;
        }
        spread.seen = false;
        if let Err(error) = self.catch_up() {
            tracing::debug!(changefeed = %self.id, %error, "another capture ended its part with an error");
        }
        if let Some(spread) = &mut self.spread
            && let Err(error) = clear(&self.ground, &mut spread.mirror).await
        {
            tracing::warn!(changefeed = %self.id, %error, "the keys of parts that have ended stay until the next start");
        }
    }
}

/// Removes the keys of parts that have ended, unless one has changed or another owns.
pub(super) async fn clear(ground: &Ground, mirror: &mut Mirror) -> Result<(), Coded> {
    let (mut guards, mut gone) = (vec![ground.ownership.guard()], Vec::new());
    for (key, pair) in mirror.pairs().iter() {
        if read::<Part>(pair)?.ended {
            guards.push(etcd::unchanged(key, pair.mod_revision));
            gone.push(etcd::delete(key));
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    let outcome = ground.etcd.txn(guards, gone, vec![]).await;
    outcome.map_err(failed).map(drop)
}

/// Waits until all parts have ended, or their sessions have; with `run` only those of the run that was made then. One that
/// cannot be read is not known to have ended, and never may be.
pub(super) async fn all_ended(mirror: &mut Mirror, id: &Id, run: Option<i64>) -> Result<(), Coded> {
    let mut told = false;
    loop {
        let left = unended(&mirror.pairs(), run)?;
        if left.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!(changefeed = %id, parts = ?left, "waits for captures to end their parts");
        }
        mirror.changed().await;
    }
}

/// Parts that have not ended.
fn unended(parts: &Pairs, run: Option<i64>) -> Result<Vec<String>, Coded> {
    let mut left = Vec::new();
    for (key, pair) in parts {
        let part = read::<Part>(pair)?;
        if !part.ended && run.is_none_or(|run| run == part.run) {
            left.push(key.clone());
        }
    }
    Ok(left)
}
