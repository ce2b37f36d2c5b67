//! The etcd that holds PD's metadata: reads, and writes that succeed only while this PD leads.

use std::time::Duration;

use bytes::Bytes;
use proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use proto::etcdserverpb::kv_client::KvClient;
use proto::etcdserverpb::lease_client::LeaseClient;
use proto::etcdserverpb::request_op::Request as Op;
use proto::etcdserverpb::response_op::Response as OpResult;
use proto::etcdserverpb::{
    Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest,
    PutRequest, RangeRequest, RequestOp, TxnRequest, TxnResponse,
};
use proto::mvccpb::KeyValue;
use tonic::transport::{Channel, Endpoint};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Why etcd did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `--etcd` is not an address.
    #[error(
        "use the etcd address `{url}`: {source} (expected something like http://127.0.0.1:2379)"
    )]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// etcd answered with an error or not at all.
    #[error("{action} in etcd at {url}: {}", .status.message())]
    Call {
        /// What was tried.
        action: &'static str,
        /// Address of etcd.
        url: String,
        /// The answer.
        status: Box<tonic::Status>,
    },
    /// etcd answered something that does not fit the request.
    #[error("{action} in etcd at {url}: the answer lacks {missing}")]
    Answer {
        /// What was tried.
        action: &'static str,
        /// Address of etcd.
        url: String,
        /// What was expected.
        missing: &'static str,
    },
    /// A guarded write was refused: the leader key is gone or belongs to another PD.
    #[error("write PD's metadata: this PD does not lead the cluster at the moment")]
    NotLeader,
    /// A value cannot be read.
    #[error("read `{key}` in etcd: {problem}")]
    Corrupt {
        /// The key.
        key: String,
        /// What is wrong with its value.
        problem: String,
    },
}

/// A client of one etcd endpoint. Clones share the connection, which comes back by itself after a loss.
#[derive(Clone)]
pub struct Etcd {
    url: String,
    kv: KvClient<Channel>,
    lease: LeaseClient<Channel>,
}

impl Etcd {
    /// Prepares the connection; it is made when first used.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn new(url: &str) -> Result<Self, Error> {
        let url = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let endpoint = Endpoint::from_shared(url.clone())
            .map_err(|source| Error::Address {
                url: url.clone(),
                source,
            })?
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .tcp_nodelay(true);
        let channel = endpoint.connect_lazy();
        Ok(Self {
            url,
            kv: KvClient::new(channel.clone()),
            lease: LeaseClient::new(channel),
        })
    }

    /// The address, with its scheme.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(tonic::Status) -> Error {
        let url = self.url.clone();
        move |status| Error::Call {
            action,
            url,
            status: Box::new(status),
        }
    }

    fn odd(&self, action: &'static str, missing: &'static str) -> Error {
        Error::Answer {
            action,
            url: self.url.clone(),
            missing,
        }
    }

    /// One key.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub async fn get(&self, key: &str) -> Result<Option<KeyValue>, Error> {
        let request = RangeRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            ..Default::default()
        };
        let answer = self
            .kv
            .clone()
            .range(request)
            .await
            .map_err(self.failed("read a key"))?;
        Ok(answer.into_inner().kvs.into_iter().next())
    }

    /// All keys that begin with `prefix`, in key order, and the id of the member that answered.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub async fn list(&self, prefix: &str) -> Result<(Vec<KeyValue>, u64), Error> {
        const PAGE: i64 = 1000;
        let range_end = prefix_end(prefix.as_bytes());
        let mut key = Bytes::copy_from_slice(prefix.as_bytes());
        let mut kvs = Vec::new();
        loop {
            let request = RangeRequest {
                key: key.clone(),
                range_end: range_end.clone(),
                limit: PAGE,
                ..Default::default()
            };
            let answer = self
                .kv
                .clone()
                .range(request)
                .await
                .map_err(self.failed("list keys"))?
                .into_inner();
            let member = answer.header.map_or(0, |header| header.member_id);
            kvs.extend(answer.kvs);
            match kvs.last() {
                Some(last) if answer.more => {
                    let mut next = last.key.to_vec();
                    next.push(0);
                    key = next.into();
                }
                _ => return Ok((kvs, member)),
            }
        }
    }

    /// A transaction.
    ///
    /// # Errors
    /// When etcd cannot be asked.
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
        let answer = self
            .kv
            .clone()
            .txn(request)
            .await
            .map_err(self.failed("run a transaction"))?;
        Ok(answer.into_inner())
    }

    /// Creates `key` unless it exists; answers what it holds then.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub async fn get_or_create(&self, key: &str, value: Bytes) -> Result<Bytes, Error> {
        let answer = self
            .txn(
                vec![absent(key)],
                vec![put(key, value.clone())],
                vec![range(key)],
            )
            .await?;
        if answer.succeeded {
            return Ok(value);
        }
        match answer
            .responses
            .into_iter()
            .next()
            .and_then(|op| op.response)
        {
            Some(OpResult::ResponseRange(found)) => found
                .kvs
                .into_iter()
                .next()
                .map(|kv| kv.value)
                .ok_or_else(|| self.odd("create a key", "the key that exists")),
            _ => Err(self.odd("create a key", "the existing value")),
        }
    }

    /// A lease of `ttl` seconds.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub async fn grant(&self, ttl: i64) -> Result<i64, Error> {
        let request = LeaseGrantRequest { ttl, id: 0 };
        let answer = self
            .lease
            .clone()
            .lease_grant(request)
            .await
            .map_err(self.failed("get a lease"))?
            .into_inner();
        Ok(answer.id)
    }

    /// Renews a lease; answers its remaining seconds, 0 when it has expired.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub async fn keep_alive(&self, id: i64) -> Result<i64, Error> {
        const ACTION: &str = "renew a lease";
        let requests = tokio_stream::once(LeaseKeepAliveRequest { id });
        let mut answers = self
            .lease
            .clone()
            .lease_keep_alive(requests)
            .await
            .map_err(self.failed(ACTION))?
            .into_inner();
        let answer = answers.message().await.map_err(self.failed(ACTION))?;
        answer
            .map(|answer| answer.ttl)
            .ok_or_else(|| self.odd(ACTION, "the lease"))
    }

    /// Gives a lease back, with the keys bound to it.
    ///
    /// # Errors
    /// When etcd cannot be asked.
    pub async fn revoke(&self, id: i64) -> Result<(), Error> {
        let request = LeaseRevokeRequest { id };
        self.lease
            .clone()
            .lease_revoke(request)
            .await
            .map_err(self.failed("end a lease"))?;
        Ok(())
    }
}

/// The condition "key does not exist".
pub fn absent(key: &str) -> Compare {
    created_at(key, 0)
}

/// The condition "key was created at that revision" and has not been deleted since.
pub fn created_at(key: &str, revision: i64) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Create.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        target_union: Some(TargetUnion::CreateRevision(revision)),
        range_end: Bytes::new(),
    }
}

/// The condition "key holds this value".
pub fn holds(key: &str, value: Bytes) -> Compare {
    Compare {
        result: CompareResult::Equal.into(),
        target: CompareTarget::Value.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        target_union: Some(TargetUnion::Value(value)),
        range_end: Bytes::new(),
    }
}

/// Writes a key.
pub fn put(key: &str, value: Bytes) -> RequestOp {
    put_leased(key, value, 0)
}

/// Writes a key that goes with its lease.
pub fn put_leased(key: &str, value: Bytes, lease: i64) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestPut(PutRequest {
            key,
            value,
            lease,
            ..Default::default()
        })),
    }
}

/// Deletes a key.
pub fn delete(key: &str) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestDeleteRange(DeleteRangeRequest {
            key,
            ..Default::default()
        })),
    }
}

/// Reads a key.
pub fn range(key: &str) -> RequestOp {
    let key = Bytes::copy_from_slice(key.as_bytes());
    RequestOp {
        request: Some(Op::RequestRange(RangeRequest {
            key,
            ..Default::default()
        })),
    }
}

/// A big-endian number, as PD stores ids and timestamps.
///
/// # Errors
/// When the value is not eight bytes long.
pub fn number(kv: &KeyValue) -> Result<u64, Error> {
    kv.value
        .as_ref()
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| Error::Corrupt {
            key: String::from_utf8_lossy(&kv.key).into_owned(),
            problem: format!("expected 8 bytes, found {}", kv.value.len()),
        })
}

fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end.into();
        }
    }
    Bytes::from_static(&[0])
}
