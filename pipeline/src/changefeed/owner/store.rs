//! What the owner writes to etcd.

use std::collections::BTreeMap;

use proto::etcdserverpb::RequestOp;

use super::{
    Context,
    feed::{Feed, Leaving},
};
use crate::{
    changefeed::{
        election::Wrote,
        info::{TaskPosition, UpstreamInfo},
        legacy::{LegacyPosition, TableReplica, TaskStatus},
        state::{Meta, StateError},
    },
    coded::{Code, Coded},
    config::golang,
    etcd,
};

/// Operations that etcd takes in one transaction, with room to spare (its default limit is 128).
const BATCH: usize = 100;
/// Seconds for which v4.0.9 keeps the checkpoint of a removed changefeed.
const REMOVED_KEPT: i64 = 24 * 3600;

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// This server is no longer the owner.
    #[error("another server owns the changefeeds by now")]
    Replaced,
    /// A key that should not be there is.
    #[error("the key exists")]
    Exists,
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<etcd::Error> for WriteError {
    fn from(error: etcd::Error) -> Self {
        WriteError::State(error.into())
    }
}

impl From<WriteError> for Coded {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Replaced => super::gone(),
            other => Coded::wrap(Code::ErrPDEtcdAPIError, other),
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StateError> {
    golang::json(value).map_err(StateError::Json)
}

impl Context {
    /// Writes as the owner; the revision.
    pub(super) async fn write(&self, ops: Vec<RequestOp>) -> Result<i64, WriteError> {
        let mut revision = 0;
        for batch in ops.chunks(BATCH) {
            revision = match self.ownership.write(&self.etcd, &[], batch).await? {
                Wrote::At(revision) => revision,
                Wrote::Refused | Wrote::Replaced => return Err(WriteError::Replaced),
            };
        }
        Ok(revision)
    }

    /// The keys that every cluster of captures has since v5; removes those of tasks that are no more.
    pub(super) async fn write_basics(&self, stale: &[String]) -> Result<(), WriteError> {
        let mut ops: Vec<_> = stale.iter().map(|key| etcd::delete(key)).collect();
        if let Some(key) = self.keys.meta_version() {
            ops.push(etcd::put(&key, "1", 0));
        }
        let id = self.upstream.cluster_id();
        if let Some(key) = self.keys.upstream(id) {
            let upstream = UpstreamInfo {
                id,
                pd_endpoints: self.upstream.pd_endpoints().join(","),
                key_path: String::new(),
                cert_path: String::new(),
                ca_path: String::new(),
                cert_allowed_cn: None,
            };
            ops.push(etcd::put(&key, json(&upstream)?, 0));
        }
        self.write(ops).await.map(drop)
    }

    /// Writes the keys of a new changefeed, unless they are there.
    pub(super) async fn write_new(&self, feed: &mut Feed) -> Result<(), WriteError> {
        let (info, status) = (
            feed.meta.encode()?,
            feed.meta.encode_position(&feed.position)?,
        );
        let (info_key, status_key) = (self.keys.info(&feed.id), self.keys.status(&feed.id));
        let absent = [etcd::absent(&info_key), etcd::absent(&status_key)];
        let ops = [
            etcd::put(&info_key, info, 0),
            etcd::put(&status_key, status.clone(), 0),
        ];
        let revision = match self.ownership.write(&self.etcd, &absent, &ops).await? {
            Wrote::At(revision) => revision,
            Wrote::Refused => return Err(WriteError::Exists),
            Wrote::Replaced => return Err(WriteError::Replaced),
        };
        feed.stored.info = Some(feed.meta.clone());
        feed.stored.status = status;
        feed.stored.revision = revision;
        Ok(())
    }

    /// Writes what differs between a changefeed and its keys.
    pub(super) async fn write_changes<'a>(
        &self,
        feeds: impl Iterator<Item = &'a mut Feed>,
    ) -> Result<(), WriteError> {
        let mut ops = Vec::new();
        let mut changed = Vec::new();
        for feed in feeds {
            if feed.leaving.is_some() {
                continue;
            }
            let status = feed.meta.encode_position(&feed.position)?;
            let task = self.task_keys(feed)?;
            let before = ops.len();
            if feed.stored.info.as_ref() != Some(&feed.meta) {
                let info = feed.meta.encode()?;
                ops.push(etcd::put(&self.keys.info(&feed.id), info, 0));
            }
            if status != feed.stored.status {
                ops.push(etcd::put(&self.keys.status(&feed.id), status.clone(), 0));
            }
            for (key, value) in &task {
                let same = |stored: &&(String, String)| stored.0 == *key && stored.1 == *value;
                if !feed.stored.task.iter().any(|stored| same(&stored)) {
                    ops.push(etcd::put(key, value.clone(), 0));
                }
            }
            for (key, _) in &feed.stored.task {
                if !task.iter().any(|(kept, _)| kept == key) {
                    ops.push(etcd::delete(key));
                }
            }
            // what a task could not end before it ended, or an owner before it died
            let idle = feed.running.is_none() && !feed.meta.state().is_alive();
            if idle && !feed.stored.idle {
                ops.push(etcd::delete(&self.keys.run(&feed.id)));
            }
            if ops.len() > before {
                changed.push((feed, status, task, idle));
            }
        }
        if ops.is_empty() {
            return Ok(());
        }
        let revision = self.write(ops).await?;
        for (feed, status, task, idle) in changed {
            if feed.stored.info.as_ref() != Some(&feed.meta) {
                feed.stored.info = Some(feed.meta.clone());
            }
            feed.stored.status = status;
            feed.stored.task = task;
            feed.stored.idle = idle;
            feed.stored.revision = revision;
        }
        Ok(())
    }

    /// The keys of a changefeed's task: there while it runs.
    fn task_keys(&self, feed: &mut Feed) -> Result<Vec<(String, String)>, StateError> {
        let Some(running) = feed.running.as_ref().filter(|r| r.stopping.is_none()) else {
            feed.starts = None;
            return Ok(Vec::new());
        };
        let shares = feed.shares();
        let position_key = |capture: &String| self.keys.task_position(capture, &feed.id);
        let Meta::Legacy(info) = &feed.meta else {
            let position = json(&TaskPosition::default())?;
            let key = |capture| (position_key(capture), position.clone());
            return Ok(shares.keys().map(key).collect());
        };
        let position = LegacyPosition {
            checkpoint_ts: feed.position.checkpoint_ts,
            resolved_ts: feed.position.resolved_ts,
            count: 0,
            error: None,
        };
        // a table that comes later is there since about the checkpoint
        let fresh = match feed.starts {
            None => info.start_ts.max(running.started_at),
            Some(_) => feed.position.checkpoint_ts,
        };
        let before = feed.starts.take().unwrap_or_default();
        let starts: BTreeMap<i64, u64> = running
            .progress
            .borrow()
            .tables
            .iter()
            .map(|table| (*table, before.get(table).copied().unwrap_or(fresh)))
            .collect();
        let replica = |table: &i64| TableReplica {
            start_ts: starts.get(table).copied().unwrap_or(fresh),
            mark_table_id: 0,
        };
        let mut keys = Vec::new();
        for (capture, tables) in &shares {
            let status = TaskStatus {
                tables: tables
                    .iter()
                    .map(|table| (*table, replica(table)))
                    .collect(),
                ..TaskStatus::default()
            };
            keys.push((position_key(capture), json(&position)?));
            if let Some(key) = self.keys.task_status(capture, &feed.id) {
                keys.push((key, json(&status)?));
            }
            if let Some(key) = self.keys.task_workload(capture, &feed.id) {
                keys.push((key, "{}".to_owned()));
            }
        }
        feed.starts = Some(starts);
        Ok(keys)
    }

    /// Removes the keys of a changefeed; `deleted` counts keys removed so far.
    pub(super) async fn write_removal(
        &self,
        feed: &Feed,
        leaving: Leaving,
        deleted: &mut u64,
    ) -> Result<(), WriteError> {
        let mut ops: Vec<_> = feed
            .stored
            .task
            .iter()
            .map(|(key, _)| etcd::delete(key))
            .collect();
        ops.extend(
            [self.keys.run(&feed.id), self.keys.placed(&feed.id)].map(|key| etcd::delete(&key)),
        );
        let Leaving::Removed { force } = leaving else {
            return self.write(ops).await.map(drop);
        };
        ops.push(etcd::delete(&self.keys.info(&feed.id)));
        let status_key = self.keys.status(&feed.id);
        match &feed.meta {
            Meta::Legacy(_) if !force => {
                let lease = self.etcd.grant(REMOVED_KEPT).await?;
                let status = feed.meta.encode_position(&feed.position)?;
                ops.push(etcd::put(&status_key, status, lease));
            }
            _ => ops.push(etcd::delete(&status_key)),
        }
        if let Some(key) = self.keys.delete_count() {
            ops.push(etcd::put(&key, (*deleted + 1).to_string(), 0));
        }
        self.write(ops).await?;
        *deleted += 1;
        Ok(())
    }
}
