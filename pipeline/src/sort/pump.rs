//! From a feed into the sorter.

use std::sync::Arc;

use super::{
    Error,
    state::{Followed, State},
};
use crate::upstream::{FeedEvent, Subscription};

/// Hands over what comes for a table until the feed fails or the sorter cannot take it.
pub(super) async fn run(state: Arc<State>, followed: Followed, mut feed: Subscription) {
    let error = loop {
        let batch = match feed.recv_batch().await {
            Ok(batch) => batch,
            Err(source) => {
                break Error::Feed {
                    table: followed.table,
                    source,
                };
            }
        };
        if let Err(error) = take_in(&state, followed, batch).await {
            break error;
        }
    };
    state.fail_feed(followed, error);
}

/// Takes in one batch; waits for room for its rows first.
pub(super) async fn take_in(
    state: &Arc<State>,
    followed: Followed,
    batch: Vec<FeedEvent>,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    for event in batch {
        match event {
            FeedEvent::Kv(row) => rows.push(row),
            FeedEvent::Resolved(ts) => {
                state.put(followed, std::mem::take(&mut rows)).await?;
                state.resolve(followed, ts);
            }
        }
    }
    state.put(followed, rows).await
}
