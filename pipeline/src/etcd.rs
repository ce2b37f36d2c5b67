//! A client of PD's etcd: keys, transactions, watches, leases.
//!
//! PD serves the etcd v3 API on its client URLs; a changefeed's state and the election of an owner live there. A call
//! that cannot reach one endpoint goes to the next.

mod ops;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use proto::{
    etcdserverpb::{
        Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest,
        LeaseTimeToLiveRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse,
        WatchCreateRequest, WatchRequest, WatchResponse, kv_client::KvClient,
        lease_client::LeaseClient, range_request, watch_client::WatchClient,
        watch_request::RequestUnion,
    },
    mvccpb::{Event, KeyValue},
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint},
};

pub use self::ops::{
    absent, created_at, delete, get, nested, present, put, read, touch, unchanged,
};

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one of several endpoints may take to renew a lease: the others have to be asked before it expires.
const RENEW_TIMEOUT: Duration = Duration::from_secs(1);
/// After so long without a word an endpoint is asked whether it is there. etcd breaks connections that ask more often than
/// every 5 s.
const PING_AFTER: Duration = Duration::from_secs(6);
/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// Why etcd did not answer as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is no URL.
    #[error("{endpoint:?} is not an address of etcd, expected http://host:port: {reason}")]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No endpoint was given.
    #[error("no address of etcd was given, expected the client URLs of PD")]
    NoEndpoint,
    /// A call failed on every endpoint.
    #[error("etcd call {call} failed on {endpoints}: {status}")]
    Call {
        /// Which one.
        call: &'static str,
        /// Where it was tried.
        endpoints: String,
        /// The last answer.
        status: Box<Status>,
    },
    /// The stream of a watch ended.
    #[error("the watch stream of etcd ended")]
    StreamEnded,
    /// A watch was cancelled by the server.
    #[error("etcd cancelled the watch: {0}")]
    WatchCancelled(String),
    /// A lease has expired or was revoked.
    #[error("lease {0:x} of etcd has expired")]
    LeaseExpired(i64),
}

impl Error {
    /// Whether etcd could not be reached (rather than refused).
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Error::Call { status, .. } if retriable(status))
    }

    /// Whether a key was to be bound to a lease that has expired or was revoked.
    #[must_use]
    pub fn is_lease_gone(&self) -> bool {
        match self {
            Error::LeaseExpired(_) => true,
            Error::Call { status, .. } => {
                status.code() == Code::NotFound && status.message().contains("lease")
            }
            _ => false,
        }
    }
}

fn retriable(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
    )
}

/// A client; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    /// URLs, `http://host:port`.
    endpoints: watch::Receiver<Vec<String>>,
    open: Arc<Mutex<Open>>,
}

/// Connections; they open with the first call.
#[derive(Debug, Default)]
struct Open {
    channels: HashMap<String, Channel>,
    /// The endpoint that answered last: the next call begins there.
    answering: Option<String>,
}

impl Client {
    /// A client of the etcd behind these URLs (`http://host:port`).
    pub fn new(endpoints: &[String]) -> Result<Self, Error> {
        if endpoints.is_empty() {
            return Err(Error::NoEndpoint);
        }
        for url in endpoints {
            endpoint(url)?;
        }
        Ok(Self::following(watch::channel(endpoints.to_vec()).1))
    }

    /// A client of an etcd whose members come and go.
    #[must_use]
    pub fn following(endpoints: watch::Receiver<Vec<String>>) -> Self {
        Self {
            endpoints,
            open: Arc::default(),
        }
    }

    /// The endpoints there are now, the one that answered last first.
    fn known(&self) -> Vec<String> {
        let mut known = self.endpoints.borrow().clone();
        let mut open = self.open();
        open.channels.retain(|url, _| known.contains(url));
        let answering = open.answering.as_ref();
        let first = known.iter().position(|url| Some(url) == answering);
        known.rotate_left(first.unwrap_or_default());
        known
    }

    fn channel(&self, url: &str) -> Result<Channel, Error> {
        let mut open = self.open();
        if let Some(channel) = open.channels.get(url) {
            return Ok(channel.clone());
        }
        let channel = endpoint(url)?.connect_lazy();
        open.channels.insert(url.to_owned(), channel.clone());
        Ok(channel)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `call` on one endpoint after the other until one answers.
    async fn call<T, F>(
        &self,
        name: &'static str,
        mut call: impl FnMut(Channel) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let answered = self.call_within(name, CALL_TIMEOUT, |channel| {
            let call = call(channel);
            async move { call.await.map(tonic::Response::into_inner) }
        });
        answered.await
    }

    async fn call_within<T, F>(
        &self,
        name: &'static str,
        limit: Duration,
        mut call: impl FnMut(Channel) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut last = Status::unavailable("no endpoint");
        let known = self.known();
        for url in &known {
            let channel = self.channel(url)?;
            match tokio::time::timeout(limit, call(channel)).await {
                Ok(Ok(answer)) => {
                    self.open().answering = Some(url.clone());
                    return Ok(answer);
                }
                Ok(Err(status)) if retriable(&status) => last = status,
                Ok(Err(status)) => {
                    last = status;
                    break;
                }
                Err(_) => last = Status::deadline_exceeded(format!("no answer within {limit:?}")),
            }
        }
        Err(Error::Call {
            call: name,
            endpoints: known.join(","),
            status: Box::new(last),
        })
    }

    /// The key, if it is there.
    pub async fn get(&self, key: &str) -> Result<Option<KeyValue>, Error> {
        let request = RangeRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            ..Default::default()
        };
        Ok(self.range(request).await?.0.into_iter().next())
    }

    /// The keys that begin with `prefix`, in order, and the revision at which they were read.
    pub async fn list(&self, prefix: &str) -> Result<(Vec<KeyValue>, i64), Error> {
        self.range(prefix_range(prefix)).await
    }

    /// As [`Client::list`], the oldest key first: the order of an election.
    pub async fn list_by_age(&self, prefix: &str) -> Result<(Vec<KeyValue>, i64), Error> {
        let mut request = prefix_range(prefix);
        request.sort_target = range_request::SortTarget::Create.into();
        request.sort_order = range_request::SortOrder::Ascend.into();
        self.range(request).await
    }

    async fn range(&self, request: RangeRequest) -> Result<(Vec<KeyValue>, i64), Error> {
        let response = self
            .call("Range", |channel| {
                let request = request.clone();
                async move { unlimited(KvClient::new(channel)).range(request).await }
            })
            .await?;
        let revision = response.header.map_or(0, |header| header.revision);
        Ok((response.kvs, revision))
    }

    /// The id of the etcd cluster.
    pub async fn cluster_id(&self) -> Result<u64, Error> {
        let request = RangeRequest {
            key: Bytes::from_static(b"\0"),
            limit: 1,
            keys_only: true,
            ..Default::default()
        };
        let response = self
            .call("Range", |channel| {
                let request = request.clone();
                async move { KvClient::new(channel).range(request).await }
            })
            .await?;
        Ok(response.header.map_or(0, |header| header.cluster_id))
    }

    /// Writes a key, bound to a lease unless that is 0.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>, lease: i64) -> Result<(), Error> {
        self.txn(vec![], vec![put(key, value, lease)], vec![])
            .await
            .map(drop)
    }

    /// Removes a key; whether it was there.
    pub async fn delete(&self, key: &str) -> Result<bool, Error> {
        let request = DeleteRangeRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            ..Default::default()
        };
        let response = self
            .call("DeleteRange", |channel| {
                let request = request.clone();
                async move { KvClient::new(channel).delete_range(request).await }
            })
            .await?;
        Ok(response.deleted > 0)
    }

    /// Removes all keys that begin with `prefix`; how many there were.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<i64, Error> {
        let request = DeleteRangeRequest {
            key: Bytes::copy_from_slice(prefix.as_bytes()),
            range_end: prefix_end(prefix.as_bytes()),
            ..Default::default()
        };
        let response = self
            .call("DeleteRange", |channel| {
                let request = request.clone();
                async move { KvClient::new(channel).delete_range(request).await }
            })
            .await?;
        Ok(response.deleted)
    }

    /// One atomic step: `success` if every comparison holds, else `failure`.
    pub async fn txn(
        &self,
        compare: Vec<Compare>,
        success: Vec<RequestOp>,
        failure: Vec<RequestOp>,
    ) -> Result<TxnResponse, Error> {
        let request = TxnRequest {
            compare,
            success,
            failure,
        };
        self.call("Txn", |channel| {
            let request = request.clone();
            async move { unlimited(KvClient::new(channel)).txn(request).await }
        })
        .await
    }

    /// Follows the keys that begin with `prefix`, from `revision` on.
    pub async fn watch(&self, prefix: &str, revision: i64) -> Result<Watch, Error> {
        let create = WatchCreateRequest {
            key: Bytes::copy_from_slice(prefix.as_bytes()),
            range_end: prefix_end(prefix.as_bytes()),
            start_revision: revision,
            ..Default::default()
        };
        self.call_within("Watch", CALL_TIMEOUT, |channel| {
            let (requests, receiver) = mpsc::channel(1);
            let request = WatchRequest {
                request_union: Some(RequestUnion::CreateRequest(create.clone())),
            };
            async move {
                // there is room for it
                let _ = requests.try_send(request);
                let mut client = WatchClient::new(channel);
                let opened = client.watch(ReceiverStream::new(receiver)).await?;
                Ok(Watch {
                    _requests: requests,
                    responses: opened.into_inner(),
                })
            }
        })
        .await
    }

    /// A new lease of `ttl` seconds.
    pub async fn grant(&self, ttl_seconds: i64) -> Result<i64, Error> {
        let request = LeaseGrantRequest {
            ttl: ttl_seconds,
            id: 0,
        };
        let response = self
            .call("LeaseGrant", |channel| async move {
                LeaseClient::new(channel).lease_grant(request).await
            })
            .await?;
        Ok(response.id)
    }

    /// Ends a lease and removes its keys.
    pub async fn revoke(&self, lease: i64) -> Result<(), Error> {
        let request = LeaseRevokeRequest { id: lease };
        self.call("LeaseRevoke", |channel| async move {
            LeaseClient::new(channel).lease_revoke(request).await
        })
        .await
        .map(drop)
    }

    /// Seconds a lease still has, none if it has expired.
    pub async fn time_to_live(&self, lease: i64) -> Result<Option<i64>, Error> {
        let request = LeaseTimeToLiveRequest {
            id: lease,
            keys: false,
        };
        let response = self
            .call("LeaseTimeToLive", |channel| async move {
                LeaseClient::new(channel).lease_time_to_live(request).await
            })
            .await?;
        Ok((response.ttl > 0).then_some(response.ttl))
    }

    /// Renews a lease once; its new time to live in seconds.
    pub async fn keep_alive(&self, lease: i64) -> Result<i64, Error> {
        let limit = match self.endpoints.borrow().len() {
            1 => CALL_TIMEOUT,
            _ => RENEW_TIMEOUT,
        };
        let answer = self
            .call_within("LeaseKeepAlive", limit, |channel| async move {
                let request = tokio_stream::once(LeaseKeepAliveRequest { id: lease });
                let stream = LeaseClient::new(channel).lease_keep_alive(request).await?;
                let answer = stream.into_inner().message().await?;
                answer.ok_or_else(|| Status::unavailable("the stream ended"))
            })
            .await?;
        if answer.ttl <= 0 {
            Err(Error::LeaseExpired(lease))
        } else {
            Ok(answer.ttl)
        }
    }
}

/// How an endpoint is connected to.
fn endpoint(url: &str) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| Error::Endpoint {
        endpoint: url.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT))
}

/// All keys of a changefeed's state in one answer: more than tonic's default of 4 MiB is possible.
fn unlimited(client: KvClient<Channel>) -> KvClient<Channel> {
    client.max_decoding_message_size(usize::MAX)
}

/// Changes of keys, in order.
#[derive(Debug)]
pub struct Watch {
    // etcd ends the watch when the request side closes
    _requests: mpsc::Sender<WatchRequest>,
    responses: Streaming<WatchResponse>,
}

impl Watch {
    /// The next changes; waits for at least one.
    pub async fn next(&mut self) -> Result<Vec<Event>, Error> {
        loop {
            let response = self
                .responses
                .message()
                .await
                .map_err(|status| Error::Call {
                    call: "Watch",
                    endpoints: String::new(),
                    status: Box::new(status),
                })?
                .ok_or(Error::StreamEnded)?;
            if response.canceled {
                return Err(Error::WatchCancelled(response.cancel_reason));
            }
            if !response.events.is_empty() {
                return Ok(response.events);
            }
        }
    }
}

/// The first key behind all that begin with `prefix`; a zero byte (everything) if there is none.
fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end.into();
        }
    }
    Bytes::from_static(b"\0")
}

fn prefix_range(prefix: &str) -> RangeRequest {
    RangeRequest {
        key: Bytes::copy_from_slice(prefix.as_bytes()),
        range_end: prefix_end(prefix.as_bytes()),
        ..Default::default()
    }
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_endpoint_that_is_silent_is_passed_over() {
        // connections are taken, and nothing is said on them
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = (format!("http://{}", silent.local_addr().unwrap()), silent);
        let (_fake, url) = fake::Fake::serve().await;
        let client = Client::new(&[silent.0.clone(), url]).unwrap();
        let asked = tokio::time::Instant::now();
        assert_eq!(client.keep_alive(7).await.unwrap(), 10);
        assert!(asked.elapsed() < 2 * RENEW_TIMEOUT);
        // and is not asked first again
        let later = tokio::time::timeout(RENEW_TIMEOUT, client.get("key"));
        assert_eq!(later.await.expect("an answer at once").unwrap(), None);
        let watch = tokio::time::timeout(RENEW_TIMEOUT, client.watch("key", 1));
        watch.await.expect("an answer at once").unwrap();
    }

    #[tokio::test]
    async fn members_come_and_go() {
        let (_first, url) = fake::Fake::serve().await;
        let (members, endpoints) = watch::channel(vec![url]);
        let client = Client::following(endpoints);
        client.put("key", "of the first", 0).await.unwrap();
        let (_second, url) = fake::Fake::serve().await;
        members.send_replace(vec![url]);
        assert_eq!(client.get("key").await.unwrap(), None, "the second's");
    }

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(&prefix_end(b"/tidb/cdc/")[..], b"/tidb/cdc0");
        assert_eq!(&prefix_end(b"a\xff\xff")[..], b"b");
        assert_eq!(&prefix_end(b"\xff")[..], b"\0");
    }

    #[test]
    fn a_wrong_address_is_named() {
        let error = Client::new(&["not an address".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("\"not an address\""), "{error}");
        assert!(matches!(Client::new(&[]), Err(Error::NoEndpoint)));
    }
}
