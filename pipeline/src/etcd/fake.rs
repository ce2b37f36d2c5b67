//! An etcd of a few keys, for tests: it does not always answer, and does late what it was asked to.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{Stream, StreamExt};
use proto::{
    etcdserverpb::{
        Compare, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest, LeaseGrantResponse,
        LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseRevokeRequest, LeaseRevokeResponse,
        LeaseTimeToLiveRequest, LeaseTimeToLiveResponse, PutRequest, PutResponse, RangeRequest,
        RangeResponse, RequestOp, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
        WatchRequest, WatchResponse,
        compare::TargetUnion,
        kv_server::{Kv, KvServer},
        lease_server::{Lease, LeaseServer},
        range_request::SortTarget,
        request_op::Request as Op,
        response_op::Response as Answer,
        watch_request::RequestUnion,
        watch_server::{Watch, WatchServer},
    },
    mvccpb::{Event, KeyValue, event::EventType},
};
use tokio::sync::watch;
use tokio_stream::wrappers::{TcpListenerStream, WatchStream};
use tonic::{Request, Response, Status, Streaming};

use super::Client;

/// What becomes of the next transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is not made.
    Refused,
    /// It is made, and nobody is told.
    Unanswered,
    /// As if it were not made, until [`Fake::come_late`].
    Late,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    revision: i64,
    pairs: BTreeMap<Vec<u8>, KeyValue>,
    /// Of the next transaction.
    pub(crate) fault: Option<Fault>,
    /// Leases that have expired.
    pub(crate) expired: BTreeSet<i64>,
    /// How often it was asked for a transaction.
    pub(crate) asked: usize,
    late: Option<TxnRequest>,
}

/// Keys in memory.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    log: watch::Sender<Vec<Event>>,
    /// How often watches were broken.
    broken: watch::Sender<usize>,
}

impl State {
    fn holds(&self, compare: &Compare) -> bool {
        let pair = self.pairs.get(&compare.key[..]);
        match compare.target_union {
            Some(TargetUnion::CreateRevision(at)) => at == pair.map_or(0, |p| p.create_revision),
            Some(TargetUnion::ModRevision(at)) => at == pair.map_or(0, |p| p.mod_revision),
            _ => panic!("not asked here: {compare:?}"),
        }
    }

    fn range(&self, request: &RangeRequest) -> RangeResponse {
        let kvs: Vec<_> = match request.range_end.is_empty() {
            true => self
                .pairs
                .get(&request.key[..])
                .cloned()
                .into_iter()
                .collect(),
            false => self
                .pairs
                .range(request.key.to_vec()..request.range_end.to_vec())
                .map(|(_, pair)| pair.clone())
                .collect(),
        };
        RangeResponse {
            header: self.header(),
            kvs: by_age(request, kvs),
            ..RangeResponse::default()
        }
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            revision: self.revision,
            ..ResponseHeader::default()
        })
    }

    /// Writes at `revision`; `events` are what that changes.
    fn apply(&mut self, op: RequestOp, revision: i64, events: &mut Vec<Event>) -> ResponseOp {
        let (response, kind, kv) = match op.request {
            Some(Op::RequestPut(put)) => {
                let old = self.pairs.get(&put.key[..]).cloned();
                let pair = match old {
                    Some(old) if put.ignore_value => KeyValue {
                        mod_revision: revision,
                        ..old
                    },
                    old => KeyValue {
                        create_revision: old.map_or(revision, |old| old.create_revision),
                        mod_revision: revision,
                        key: put.key,
                        value: put.value,
                        lease: put.lease,
                        ..KeyValue::default()
                    },
                };
                self.pairs.insert(pair.key.to_vec(), pair.clone());
                let response = Answer::ResponsePut(PutResponse::default());
                (response, EventType::Put, Some(pair))
            }
            Some(Op::RequestDeleteRange(delete)) => {
                let mut pair = self.pairs.remove(&delete.key[..]);
                pair.iter_mut()
                    .for_each(|pair| pair.mod_revision = revision);
                let response = Answer::ResponseDeleteRange(DeleteRangeResponse::default());
                (response, EventType::Delete, pair)
            }
            Some(Op::RequestRange(range)) => {
                let response = Answer::ResponseRange(self.range(&range));
                (response, EventType::Put, None)
            }
            Some(Op::RequestTxn(txn)) => {
                let response = Answer::ResponseTxn(self.transact(txn, revision, events));
                (response, EventType::Put, None)
            }
            None => panic!("nothing asked"),
        };
        events.extend(kv.map(|kv| Event {
            r#type: kind.into(),
            kv: Some(kv),
            ..Event::default()
        }));
        ResponseOp {
            response: Some(response),
        }
    }

    fn transact(&mut self, txn: TxnRequest, revision: i64, events: &mut Vec<Event>) -> TxnResponse {
        let succeeded = txn.compare.iter().all(|compare| self.holds(compare));
        let ops = match succeeded {
            true => txn.success,
            false => txn.failure,
        };
        let apply = |op| self.apply(op, revision, events);
        TxnResponse {
            header: None,
            succeeded,
            responses: ops.into_iter().map(apply).collect(),
        }
    }

    fn binds_to_expired(&self, txn: &TxnRequest) -> bool {
        txn.success.iter().any(|op| match &op.request {
            Some(Op::RequestPut(put)) => self.expired.contains(&put.lease),
            Some(Op::RequestTxn(txn)) => self.binds_to_expired(txn),
            _ => false,
        })
    }
}

fn by_age(request: &RangeRequest, mut kvs: Vec<KeyValue>) -> Vec<KeyValue> {
    if request.sort_target() == SortTarget::Create {
        kvs.sort_by_key(|pair| pair.create_revision);
    }
    kvs
}

impl Fake {
    /// Serves; a client of it.
    pub(crate) async fn start() -> (Self, Client) {
        let (fake, url) = Self::serve().await;
        (fake, Client::new(&[url]).unwrap())
    }

    /// Serves; where.
    pub(crate) async fn serve() -> (Self, String) {
        let fake = Self {
            state: Arc::default(),
            log: watch::channel(Vec::new()).0,
            broken: watch::channel(0).0,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(KvServer::new(fake.clone()))
            .add_service(WatchServer::new(fake.clone()))
            .add_service(LeaseServer::new(fake.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (fake, url)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes the transaction now that was to come late; whether what it was made for held.
    pub(crate) fn come_late(&self) -> bool {
        let late = self.state().late.take().expect("one that comes late");
        self.make(late).succeeded
    }

    /// Ends all watches that there are.
    pub(crate) fn break_watches(&self) {
        self.broken.send_modify(|times| *times += 1);
    }

    fn make(&self, txn: TxnRequest) -> TxnResponse {
        let mut state = self.state();
        let (revision, mut events) = (state.revision + 1, Vec::new());
        let mut answer = state.transact(txn, revision, &mut events);
        if !events.is_empty() {
            state.revision = revision;
        }
        answer.header = state.header();
        self.log.send_modify(|log| log.extend(events));
        answer
    }
}

#[tonic::async_trait]
impl Kv for Fake {
    async fn range(
        &self,
        request: Request<RangeRequest>,
    ) -> Result<Response<RangeResponse>, Status> {
        Ok(Response::new(self.state().range(request.get_ref())))
    }

    async fn put(&self, _: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        Err(Status::unimplemented("put"))
    }

    async fn delete_range(
        &self,
        _: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        Err(Status::unimplemented("delete"))
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let request = request.into_inner();
        let fault = {
            let mut state = self.state();
            state.asked += 1;
            if state.binds_to_expired(&request) {
                return Err(Status::not_found("etcdserver: requested lease not found"));
            }
            let fault = state.fault.take();
            if fault == Some(Fault::Late) {
                state.late = Some(request.clone());
            }
            fault
        };
        if matches!(fault, Some(Fault::Refused | Fault::Late)) {
            return Err(Status::unavailable("etcdserver: leader changed"));
        }
        let answer = self.make(request);
        match fault {
            Some(_) => Err(Status::unavailable("etcdserver: request timed out")),
            None => Ok(Response::new(answer)),
        }
    }
}

#[tonic::async_trait]
impl Watch for Fake {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let first = request.into_inner().message().await?;
        let Some(RequestUnion::CreateRequest(wanted)) = first.and_then(|first| first.request_union)
        else {
            return Err(Status::invalid_argument("not asked here"));
        };
        let mut told = 0;
        let news = WatchStream::new(self.log.subscribe()).map(move |log| {
            let events = log[told..].iter().filter(|event| {
                event.kv.as_ref().is_some_and(|pair| {
                    (&wanted.key..&wanted.range_end).contains(&&pair.key)
                        && pair.mod_revision >= wanted.start_revision
                })
            });
            let events = events.cloned().collect();
            told = log.len();
            Ok(WatchResponse {
                events,
                ..WatchResponse::default()
            })
        });
        let mut broken = self.broken.subscribe();
        let end = async move { broken.changed().await };
        Ok(Response::new(Box::pin(news.take_until(Box::pin(end)))))
    }
}

/// Leases that last.
#[tonic::async_trait]
impl Lease for Fake {
    type LeaseKeepAliveStream =
        Pin<Box<dyn Stream<Item = Result<LeaseKeepAliveResponse, Status>> + Send>>;

    async fn lease_grant(
        &self,
        _: Request<LeaseGrantRequest>,
    ) -> Result<Response<LeaseGrantResponse>, Status> {
        Err(Status::unimplemented("grant"))
    }

    async fn lease_revoke(
        &self,
        _: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        Err(Status::unimplemented("revoke"))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let answers = request.into_inner().map(|asked| {
            Ok(LeaseKeepAliveResponse {
                id: asked?.id,
                ttl: 10,
                ..LeaseKeepAliveResponse::default()
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn lease_time_to_live(
        &self,
        _: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        Err(Status::unimplemented("time to live"))
    }
}
