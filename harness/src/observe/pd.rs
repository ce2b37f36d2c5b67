//! Timestamps from PD.

use proto::pdpb::pd_client::PdClient;
use proto::pdpb::{GetMembersRequest, RequestHeader, TsoRequest};
use thiserror::Error;
use tokio_stream::once;

/// Why PD gave no timestamp.
#[derive(Debug, Error)]
pub enum PdError {
    /// PD cannot be reached.
    #[error("reach PD at {address}: {source}")]
    Transport {
        /// Its URL.
        address: String,
        /// The cause.
        source: tonic::transport::Error,
    },
    /// PD refused.
    #[error("get a timestamp from PD at {address}: {message}")]
    Refused {
        /// Its URL.
        address: String,
        /// What it said.
        message: String,
    },
}

/// A fresh timestamp (TSO) from the PD at `host:port` or `http://host:port`.
///
/// # Errors
/// [`PdError`].
pub async fn tso(address: &str) -> Result<u64, PdError> {
    let address = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let refused = |message: String| PdError::Refused {
        address: address.clone(),
        message,
    };
    let mut client =
        PdClient::connect(address.clone())
            .await
            .map_err(|source| PdError::Transport {
                address: address.clone(),
                source,
            })?;
    let members = client
        .get_members(GetMembersRequest::default())
        .await
        .map_err(|status| refused(status.to_string()))?;
    let cluster_id = members
        .into_inner()
        .header
        .map(|header| header.cluster_id)
        .unwrap_or_default();
    let request = TsoRequest {
        header: Some(RequestHeader {
            cluster_id,
            ..Default::default()
        }),
        count: 1,
        ..Default::default()
    };
    let mut replies = client
        .tso(once(request))
        .await
        .map_err(|status| refused(status.to_string()))?
        .into_inner();
    let reply = replies
        .message()
        .await
        .map_err(|status| refused(status.to_string()))?;
    let timestamp = reply
        .and_then(|reply| reply.timestamp)
        .ok_or_else(|| refused("the stream ended".to_owned()))?;
    Ok(((timestamp.physical as u64) << 18) | timestamp.logical as u64)
}
