//! PD: members, timestamps, regions, stores.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proto::pdpb::{self, pd_client::PdClient};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;

use super::region::Region;
use super::retry::Backoff;
use super::store::channel;
use super::{ClientError, Ts};

/// Timestamps waited for at once.
const TSO_QUEUE: usize = 4096;
/// Longest wait for one batch of timestamps.
const TSO_TIMEOUT: Duration = Duration::from_secs(3);
const LOGICAL_BITS: u32 = 18;

type TsoWaiter = oneshot::Sender<Result<Ts, String>>;

/// The cluster's PD, whichever member leads.
#[derive(Debug)]
pub(super) struct Pd {
    cluster_id: u64,
    endpoints: Vec<String>,
    leader: Mutex<PdClient<Channel>>,
    tso: Mutex<mpsc::Sender<TsoWaiter>>,
}

impl Pd {
    pub(super) async fn connect(
        endpoints: &[String],
        patience: Duration,
    ) -> Result<Self, ClientError> {
        if endpoints.is_empty() {
            return Err(ClientError::NoEndpoint);
        }
        let mut backoff = Backoff::new("connect to PD", patience);
        let (cluster_id, leader) = loop {
            match find_leader(endpoints, None).await? {
                Ok(found) => break found,
                Err(cause) => backoff.pause(cause).await?,
            }
        };
        Ok(Self {
            cluster_id,
            endpoints: endpoints.to_vec(),
            tso: Mutex::new(start_tso(leader.clone(), cluster_id)),
            leader: Mutex::new(leader),
        })
    }

    pub(super) fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader {
            cluster_id: self.cluster_id,
            ..Default::default()
        })
    }

    fn leader(&self) -> PdClient<Channel> {
        self.leader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits, then looks for the leader anew.
    async fn rediscover(
        &self,
        backoff: &mut Backoff,
        cause: impl std::fmt::Display,
    ) -> Result<(), ClientError> {
        backoff.pause(cause).await?;
        if let Ok((_, leader)) = find_leader(&self.endpoints, Some(self.cluster_id)).await? {
            *self.leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
        }
        Ok(())
    }

    /// A fresh timestamp. Concurrent callers share round trips.
    pub(super) async fn tso(&self, mut backoff: Backoff) -> Result<Ts, ClientError> {
        loop {
            let (reply, answer) = oneshot::channel();
            let queue = self
                .tso
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let cause = match queue.send(reply).await {
                Err(_) => "the stream of timestamps ended".to_owned(),
                Ok(()) => match answer.await {
                    Ok(Ok(ts)) => return Ok(ts),
                    Ok(Err(cause)) => cause,
                    Err(_) => "the stream of timestamps ended".to_owned(),
                },
            };
            self.rediscover(&mut backoff, cause).await?;
            let mut current = self.tso.lock().unwrap_or_else(PoisonError::into_inner);
            if current.same_channel(&queue) {
                *current = start_tso(self.leader(), self.cluster_id);
            }
        }
    }

    /// The region of a wrapped key.
    pub(super) async fn region(
        &self,
        wrapped: &[u8],
        backoff: &mut Backoff,
    ) -> Result<Region, ClientError> {
        loop {
            let request = pdpb::GetRegionRequest {
                header: self.header(),
                region_key: Bytes::copy_from_slice(wrapped),
                need_buckets: false,
            };
            let cause = match self.leader().get_region(request).await {
                Err(status) => status.to_string(),
                Ok(reply) => {
                    let reply = reply.into_inner();
                    match reply.region.and_then(|r| Region::new(r, reply.leader)) {
                        Some(region) => return Ok(region),
                        None => header_error(reply.header, "PD knows no region of the key"),
                    }
                }
            };
            self.rediscover(backoff, cause).await?;
        }
    }

    /// Where a store listens.
    pub(super) async fn store_address(
        &self,
        store_id: u64,
        backoff: &mut Backoff,
    ) -> Result<String, ClientError> {
        loop {
            let request = pdpb::GetStoreRequest {
                header: self.header(),
                store_id,
            };
            let cause = match self.leader().get_store(request).await {
                Err(status) => status.to_string(),
                Ok(reply) => {
                    let reply = reply.into_inner();
                    match reply.store {
                        Some(store) if !store.address.is_empty() => return Ok(store.address),
                        _ => header_error(reply.header, "PD knows no address of the store"),
                    }
                }
            };
            self.rediscover(backoff, cause).await?;
        }
    }
}

fn header_error(header: Option<pdpb::ResponseHeader>, otherwise: &str) -> String {
    header
        .and_then(|h| h.error)
        .filter(|e| !e.message.is_empty())
        .map_or_else(|| otherwise.to_owned(), |e| e.message)
}

type Found = Result<(u64, PdClient<Channel>), String>;

/// Asks the endpoints in turn who leads. The outer error is for good, the inner one may pass.
async fn find_leader(endpoints: &[String], expected: Option<u64>) -> Result<Found, ClientError> {
    let mut last = String::new();
    for endpoint in endpoints {
        let mut client = PdClient::new(channel(endpoint)?);
        let members = match client.get_members(pdpb::GetMembersRequest::default()).await {
            Ok(reply) => reply.into_inner(),
            Err(status) => {
                last = format!("{endpoint}: {status}");
                continue;
            }
        };
        let cluster_id = members.header.as_ref().map_or(0, |h| h.cluster_id);
        if cluster_id == 0 {
            last = format!(
                "{endpoint}: {}",
                header_error(members.header, "no cluster id yet")
            );
            continue;
        }
        if let Some(expected) = expected.filter(|e| *e != cluster_id) {
            return Err(ClientError::OtherCluster {
                address: endpoint.clone(),
                expected,
                found: cluster_id,
            });
        }
        let Some(url) = members
            .leader
            .and_then(|l| l.client_urls.into_iter().next())
        else {
            last = format!("{endpoint}: PD has no leader");
            continue;
        };
        return Ok(Ok((cluster_id, PdClient::new(channel(&url)?))));
    }
    Ok(Err(last))
}

/// Starts the task that fetches timestamps; it ends with the stream, and a new one is started then.
fn start_tso(leader: PdClient<Channel>, cluster_id: u64) -> mpsc::Sender<TsoWaiter> {
    let (queue, waiting) = mpsc::channel(TSO_QUEUE);
    tokio::spawn(serve_tso(leader, cluster_id, waiting));
    queue
}

async fn serve_tso(
    mut leader: PdClient<Channel>,
    cluster_id: u64,
    mut waiting: mpsc::Receiver<TsoWaiter>,
) {
    let mut batch: Vec<TsoWaiter> = Vec::new();
    let (requests, outgoing) = mpsc::channel(1);
    // The stream opens with the first request: PD sends no headers before.
    let mut stream = None;
    let mut outgoing = Some(tokio_stream::wrappers::ReceiverStream::new(outgoing));
    loop {
        if waiting.recv_many(&mut batch, TSO_QUEUE).await == 0 {
            return;
        }
        let count = batch.len() as u32;
        let header = Some(pdpb::RequestHeader {
            cluster_id,
            ..Default::default()
        });
        let request = pdpb::TsoRequest {
            header,
            count,
            dc_location: "global".to_owned(),
        };
        let round = async {
            requests
                .send(request)
                .await
                .map_err(|_| "the stream of timestamps ended".to_owned())?;
            if let Some(outgoing) = outgoing.take() {
                let opened = leader.tso(outgoing).await.map_err(|s| s.to_string())?;
                stream = Some(opened.into_inner());
            }
            let replies = stream.as_mut().ok_or("the stream of timestamps ended")?;
            match replies.message().await {
                Ok(Some(reply)) => match (&reply.header, reply.timestamp) {
                    (Some(h), _) if h.error.as_ref().is_some_and(|e| !e.message.is_empty()) => {
                        Err(header_error(reply.header, ""))
                    }
                    (_, Some(ts)) => Ok(ts),
                    (_, None) => Err("PD's reply holds no timestamp".to_owned()),
                },
                Ok(None) => Err("PD closed the stream of timestamps".to_owned()),
                Err(status) => Err(status.to_string()),
            }
        };
        let outcome = tokio::time::timeout(TSO_TIMEOUT, round)
            .await
            .unwrap_or_else(|_| {
                Err(format!(
                    "no timestamp within {} ms",
                    TSO_TIMEOUT.as_millis()
                ))
            });
        match outcome {
            Ok(last) => {
                let last = ((last.physical as u64) << LOGICAL_BITS) + last.logical as u64;
                for (behind, waiter) in batch.drain(..).rev().enumerate() {
                    // A waiter that gave up needs no timestamp.
                    let _ = waiter.send(Ok(last - behind as u64));
                }
            }
            Err(cause) => {
                for waiter in batch.drain(..) {
                    let _ = waiter.send(Err(cause.clone()));
                }
                return;
            }
        }
    }
}
