//! The stream of DDL jobs: several spans, complete together.

use futures_util::future::select_all;

use crate::{
    compat::Compat,
    model::{RawKv, Ts},
    schema::ddl_spans,
    upstream::{self, FeedEvent, Subscription, Upstream},
};

/// Where DDL jobs come from.
#[derive(Debug)]
pub(super) struct Jobs {
    feeds: Vec<(Subscription, Ts)>,
}

impl Jobs {
    /// Follows the DDL jobs that finish after `ts`.
    pub(super) fn follow(upstream: &Upstream, ts: Ts, compat: Compat) -> Self {
        let feeds = ddl_spans(compat)
            .into_iter()
            .map(|span| (upstream.subscribe(span, ts), ts))
            .collect();
        Self { feeds }
    }

    /// All jobs up to here have come.
    pub(super) fn resolved_ts(&self) -> Ts {
        self.feeds.iter().map(|(_, ts)| *ts).min().unwrap_or(0)
    }

    /// The next changes; their jobs and [`resolved_ts`](Self::resolved_ts) count from then on.
    ///
    /// Nothing is lost if the future is dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Vec<RawKv>, upstream::Error> {
        let waiting = self.feeds.iter_mut().map(|(feed, ts)| {
            Box::pin(async move { feed.recv_batch().await.map(|batch| (batch, ts)) })
        });
        let (batch, ts) = select_all(waiting).await.0?;
        let mut changes = Vec::new();
        for event in batch {
            match event {
                FeedEvent::Kv(kv) => changes.push(kv),
                FeedEvent::Resolved(resolved) => *ts = (*ts).max(resolved),
            }
        }
        Ok(changes)
    }
}
