//! Both phases of a transaction, one after the other.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::collections::BTreeMap;

use bytes::Bytes;
use embedded::client::{Change, Client, ClientError, Source, Synced, Ts};

/// Commits everything; gives the commit TSO.
pub async fn commit(
    client: &Client,
    start_ts: Ts,
    primary: &Bytes,
    changes: BTreeMap<Bytes, Change>,
) -> Result<Ts, ClientError> {
    client
        .prewrite(Source::User, start_ts, primary, &changes)
        .await?;
    let commit_ts = client.tso().await?;
    let rest = client
        .commit_primary(
            start_ts,
            commit_ts,
            Synced::Now,
            primary,
            changes.into_keys(),
        )
        .await?;
    client.commit_rest(start_ts, commit_ts, rest).await?;
    Ok(commit_ts)
}
