//! From a feed into the sorter.

use std::sync::Arc;

use super::{Error, TableId, state::State};
use crate::upstream::{FeedEvent, Subscription};

/// Hands over what comes for `table` until the feed fails or the sorter cannot take it.
pub(super) async fn run(state: Arc<State>, table: TableId, mut feed: Subscription) {
    let error = loop {
        let batch = match feed.recv_batch().await {
            Ok(batch) => batch,
            Err(source) => break Error::Feed { table, source },
        };
        if let Err(error) = take_in(&state, table, batch).await {
            break error;
        }
    };
    state.fail(error);
}

/// Takes in one batch; waits for room for its rows first.
pub(super) async fn take_in(
    state: &Arc<State>,
    table: TableId,
    batch: Vec<FeedEvent>,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    for event in batch {
        match event {
            FeedEvent::Kv(row) => rows.push(row),
            FeedEvent::Resolved(ts) => {
                state.put(table, std::mem::take(&mut rows)).await?;
                state.resolve(table, ts);
            }
        }
    }
    state.put(table, rows).await
}
