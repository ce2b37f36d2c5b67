//! Committing to TiKV, whatever happens on the way.

use bytes::Bytes;

use super::lane::{Done, Lane, Txn, pause_after, tso};
use super::record::{Applied, encode};
use super::{ApplyError, Gtid};
use crate::client::{Change, Client, Pair, Snapshot, Source, Synced, Ts};

pub use super::lane::Changes;

/// The one writer of this cluster.
#[derive(Debug)]
pub struct Writer {
    client: Client,
    identity: String,
    gtid: Gtid,
    lane: Lane,
    /// Transactions since the start.
    written: usize,
}

impl Writer {
    /// A writer that goes on after `gtid`.
    pub fn new(client: Client, identity: String, gtid: Gtid) -> Self {
        Self {
            client,
            identity,
            gtid,
            lane: Lane::start(),
            written: 0,
        }
    }

    /// The client it uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How far the binlog is taken in; [`Writer::drain`] waits until that is committed.
    pub fn gtid(&self) -> Gtid {
        self.gtid
    }

    /// Takes in changes, to be committed together with the new position after all that was taken in before, and says when
    /// they are: what MariaDB has committed cannot be taken back.
    pub async fn submit(
        &mut self,
        gtid: Gtid,
        changes: Changes,
        done: impl FnOnce(Ts) + Send + 'static,
    ) -> Result<(), ApplyError> {
        self.enter(Source::User, gtid, changes, Box::new(done))
            .await
    }

    /// Takes in rows or entries that are written for no change feed; the position stays.
    pub async fn reorganize(&mut self, changes: Changes) -> Result<(), ApplyError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.enter(Source::Reorganization, self.gtid, changes, Box::new(|_| ()))
            .await
    }

    async fn enter(
        &mut self,
        source: Source,
        gtid: Gtid,
        changes: Changes,
        done: Done,
    ) -> Result<(), ApplyError> {
        let txn = self.txn(source, gtid, changes)?;
        self.lane.enter(txn, done).await?;
        self.gtid = gtid;
        Ok(())
    }

    /// Commits changes together with the new position; gives the commit TSO when all of it is done. `build` makes the changes
    /// for a start TSO; it is called again for each attempt.
    pub async fn commit(
        &mut self,
        gtid: Gtid,
        mut build: impl FnMut(Ts) -> Result<Changes, ApplyError>,
    ) -> Result<Ts, ApplyError> {
        self.drain().await?;
        loop {
            let start_ts = tso(&self.client).await?;
            let txn = self.txn(Source::User, gtid, build(start_ts)?)?;
            if !txn.prewrite(start_ts).await? {
                continue;
            }
            let commit_ts = tso(&self.client).await?;
            if let Some(decided) = txn.decide(start_ts, commit_ts, Synced::Now).await? {
                let commit_ts = decided.commit_ts;
                txn.finish(decided).await?;
                self.gtid = gtid;
                return Ok(commit_ts);
            }
        }
    }

    fn txn(&mut self, source: Source, gtid: Gtid, mut changes: Changes) -> Result<Txn, ApplyError> {
        let position = encode(&Applied {
            identity: self.identity.clone(),
            gtid: gtid.to_string(),
        })?;
        let primary = Applied::key(self.written);
        self.written += 1;
        changes.insert(primary.clone(), Change::Put(position));
        Ok(Txn {
            client: self.client.clone(),
            source,
            primary,
            changes,
        })
    }

    /// Waits until everything that was taken in is committed.
    pub async fn drain(&mut self) -> Result<(), ApplyError> {
        self.lane.drain().await
    }

    /// Why nothing can be committed any more; waits for that.
    pub async fn failed(&mut self) -> ApplyError {
        self.lane.failed().await
    }

    /// What was taken in by now.
    pub async fn snapshot(&mut self) -> Result<Snapshot, ApplyError> {
        self.drain().await?;
        Ok(self.client.snapshot(tso(&self.client).await?))
    }

    /// [`Snapshot::page`], tried until it succeeds.
    pub async fn page(
        &self,
        snapshot: &Snapshot,
        start: &[u8],
        end: &[u8],
    ) -> Result<(Vec<Pair>, Option<Bytes>), ApplyError> {
        loop {
            match snapshot.page(start, end).await {
                Ok(page) => return Ok(page),
                Err(error) => pause_after(error).await?,
            }
        }
    }
}
