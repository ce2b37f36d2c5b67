//! Requests that name a TiDB cluster: a server of the original reaches others too, this one its own alone.

use axum::body::Bytes;
use serde::Deserialize;

use super::{Shared, changefeeds::parse, error::ApiError};
use crate::{
    coded::{Code, Coded},
    config::kafka::unsupported,
    upstream::Upstream,
};

/// `PDConfig` and `UpstreamConfig` of the API v2, as far as they name a cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    pd_addrs: Vec<String>,
}

/// Refuses a request that names another cluster than the server's, by whatever addresses.
pub(super) async fn is_ours(server: &Shared, body: &Bytes) -> Result<(), ApiError> {
    let Named { pd_addrs } = parse(body)?;
    if pd_addrs.is_empty() {
        return Ok(());
    }
    let named = Upstream::connect(&pd_addrs).await.map_err(|error| {
        Coded::new(
            Code::ErrAPIInvalidParam,
            format!("pd_addrs: failed to {error}"),
        )
    })?;
    if named.cluster_id() == server.upstream.cluster_id() {
        return Ok(());
    }
    Err(unsupported("an upstream other than the server's").into())
}
