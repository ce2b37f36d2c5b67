//! Committing to TiKV, whatever happens on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::record::{APPLIED_KEY, Applied, encode};
use super::{ApplyError, Gtid};
use crate::client::{Change, Client, ClientError, Committed, Pair, Snapshot, Source, Ts};

/// Pause before a transaction is tried again after the client's own retries were used up.
const PAUSE: Duration = Duration::from_millis(200);

/// Keys and what happens to them.
pub type Changes = BTreeMap<Bytes, Change>;

/// The one writer of this cluster.
#[derive(Debug)]
pub struct Writer {
    client: Client,
    identity: String,
    gtid: Gtid,
}

impl Writer {
    /// A writer that goes on after `gtid`.
    pub fn new(client: Client, identity: String, gtid: Gtid) -> Self {
        Self {
            client,
            identity,
            gtid,
        }
    }

    /// The client it uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How far the binlog is applied.
    pub fn gtid(&self) -> Gtid {
        self.gtid
    }

    /// Commits changes together with the new position, and goes on until that is done: what MariaDB has committed cannot
    /// be taken back. `build` makes the changes for a start TSO; it is called again for each attempt.
    pub async fn commit(
        &mut self,
        gtid: Gtid,
        build: impl FnMut(Ts) -> Result<Changes, ApplyError>,
    ) -> Result<Committed, ApplyError> {
        self.commit_as(Source::User, gtid, build).await
    }

    /// [`Writer::commit`] of what `source` writes.
    pub async fn commit_as(
        &mut self,
        source: Source,
        gtid: Gtid,
        mut build: impl FnMut(Ts) -> Result<Changes, ApplyError>,
    ) -> Result<Committed, ApplyError> {
        let position = encode(&Applied {
            identity: self.identity.clone(),
            gtid: gtid.to_string(),
        })?;
        let committed = loop {
            let start_ts = self.tso().await?;
            let mut changes = build(start_ts)?;
            changes.insert(
                Bytes::from_static(APPLIED_KEY),
                Change::Put(position.clone()),
            );
            let committed = self
                .client
                .commit_as(source, start_ts, APPLIED_KEY, changes)
                .await;
            match committed {
                Ok(committed) => break committed,
                Err(error) => pause_after(error).await?,
            }
            if let Some(commit_ts) = self.settle(start_ts).await? {
                break Committed {
                    start_ts,
                    commit_ts,
                };
            }
        };
        self.gtid = gtid;
        Ok(committed)
    }

    /// What is committed by now.
    pub async fn snapshot(&self) -> Result<Snapshot, ApplyError> {
        Ok(self.client.snapshot(self.tso().await?))
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

    async fn tso(&self) -> Result<Ts, ApplyError> {
        loop {
            match self.client.tso().await {
                Ok(ts) => return Ok(ts),
                Err(error) => pause_after(error).await?,
            }
        }
    }

    /// When the transaction of `start_ts` was committed; if it was not, it is rolled back.
    async fn settle(&self, start_ts: Ts) -> Result<Option<Ts>, ApplyError> {
        loop {
            match self.client.settle(start_ts, APPLIED_KEY).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => pause_after(error).await?,
            }
        }
    }
}

/// Waits after an error that may pass; other errors end the writer.
async fn pause_after(error: ClientError) -> Result<(), ApplyError> {
    match error {
        ClientError::Exhausted { .. }
        | ClientError::RolledBack { .. }
        | ClientError::Undetermined { .. } => {
            tracing::warn!(%error, "TiKV does not answer; trying again");
            tokio::time::sleep(PAUSE).await;
            Ok(())
        }
        other => Err(other.into()),
    }
}
