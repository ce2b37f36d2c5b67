//! Captures that come and go, and tables that are moved on demand: running changefeeds begin again with the new placement.

use std::{collections::BTreeSet, time::Instant};

use super::{not_exists, run::Actor};
use crate::{
    changefeed::{keys::Id, spread::lead::Wish},
    coded::{Code, Coded},
};

impl Actor {
    /// The captures that get tables: those that are there and are not drained; this one if all are.
    pub(super) fn members(&self) -> BTreeSet<String> {
        let members: BTreeSet<String> = self.captures.difference(&self.drained).cloned().collect();
        match members.is_empty() {
            true => BTreeSet::from([self.context.capture.clone()]),
            false => members,
        }
    }

    /// A capture has come or gone.
    pub(super) fn on_capture(&mut self, capture: &str, gone: bool) {
        let changed = match gone {
            true => {
                self.drained.remove(capture);
                self.captures.remove(capture)
            }
            false => self.captures.insert(capture.to_owned()),
        };
        if changed {
            tracing::info!(
                capture,
                gone,
                captures = self.captures.len(),
                "the captures change"
            );
            self.regroup();
        }
    }

    /// Lets changefeeds begin again whose tables are spread over other captures than there are.
    pub(super) fn regroup(&mut self) {
        let (now, members) = (Instant::now(), self.members());
        for feed in self.feeds.values_mut() {
            let other = |running: &super::feed::Running| running.members != members;
            if feed.running.as_ref().is_some_and(other) {
                feed.stop(now);
            }
        }
    }

    pub(super) fn place(&mut self, id: &Id, wish: Wish) -> Result<(), Coded> {
        let members = self.members();
        let Some(feed) = self.feeds.get_mut(id).filter(|f| f.leaving.is_none()) else {
            return Err(not_exists(id));
        };
        if let Wish::Move(table, capture) = &wish {
            if !members.contains(capture) {
                return Err(no_capture(capture));
            }
            let view = feed.view();
            if !view.tables.contains(table) {
                return Err(Coded::wrap(
                    Code::ErrAPIInvalidParam,
                    format_args!(
                        "table {table} is not replicated by changefeed {}; its tables are {:?}",
                        id.id, view.tables
                    ),
                ));
            }
            if view
                .shares
                .get(capture)
                .is_some_and(|own| own.contains(table))
            {
                return Ok(());
            }
        }
        if members.len() > 1 && feed.meta.state().is_alive() {
            feed.wish = Some(wish);
            feed.stop(Instant::now());
        }
        Ok(())
    }

    pub(super) async fn drain(&mut self, capture: &str) -> Result<usize, Coded> {
        let refused = |reason: &str| {
            let message = format!("scheduler request failed, {reason}");
            Err(Coded::new(Code::ErrSchedulerRequestFailed, message))
        };
        if !self.captures.contains(capture) {
            return Err(no_capture(capture));
        }
        if self.captures.len() < 2 {
            return refused("only one capture alive");
        }
        if capture == self.context.capture {
            return refused("cannot drain the owner");
        }
        let has = |feed: &super::feed::Feed| feed.shares().get(capture).map_or(0, Vec::len);
        let left = self.feeds.values().map(has).sum();
        self.note_drained(capture).await?;
        if self.drained.insert(capture.to_owned()) {
            tracing::info!(capture, tables = left, "the capture is drained");
            self.regroup();
        }
        Ok(left)
    }

    /// Writes down for later owners that a capture is drained, for as long as its session lasts.
    async fn note_drained(&self, capture: &str) -> Result<(), Coded> {
        let (etcd, keys) = (&self.context.etcd, &self.context.keys);
        let failed = |error| Coded::wrap(Code::ErrPDEtcdAPIError, error);
        let registered = etcd.get(&keys.capture(capture)).await.map_err(failed)?;
        let lease = registered.ok_or_else(|| no_capture(capture))?.lease;
        let key = format!("{}{capture}", keys.drained_prefix());
        let put = crate::etcd::put(&key, "", lease);
        self.context.write(vec![put]).await.map_err(Coded::from)?;
        Ok(())
    }
}

fn no_capture(capture: &str) -> Coded {
    Coded::new(
        Code::ErrCaptureNotExist,
        format!("capture not exists, {capture}"),
    )
}
