//! A leader before an etcd that does not always answer.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use futures_util::{Stream, StreamExt};
use proto::{
    etcdserverpb::{
        Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest,
        RangeResponse, ResponseHeader, TxnRequest, TxnResponse, WatchRequest, WatchResponse,
        compare::TargetUnion,
        kv_server::{Kv, KvServer},
        request_op::Request as Op,
        watch_server::{Watch, WatchServer},
    },
    mvccpb::{Event, KeyValue, event::EventType},
};
use tokio::sync::watch;
use tokio_stream::wrappers::{TcpListenerStream, WatchStream};
use tonic::{Request, Response, Status, Streaming};

use super::*;
use crate::{changefeed::spread::Failure, compat::Compat};

const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of the next transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It is not made.
    Refused,
    /// It is made, and nobody is told.
    Unanswered,
}

#[derive(Debug, Default)]
struct State {
    revision: i64,
    pairs: BTreeMap<Vec<u8>, KeyValue>,
    fault: Option<Fault>,
}

/// Keys in memory.
#[derive(Debug, Clone)]
struct Fake {
    state: Arc<Mutex<State>>,
    log: watch::Sender<Vec<Event>>,
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

    fn apply(&mut self, op: Op) -> Option<Event> {
        let (kv, kind) = match op {
            Op::RequestPut(put) => {
                let old = self.pairs.get(&put.key[..]);
                let pair = KeyValue {
                    create_revision: old.map_or(self.revision, |old| old.create_revision),
                    mod_revision: self.revision,
                    key: put.key,
                    value: put.value,
                    ..KeyValue::default()
                };
                self.pairs.insert(pair.key.to_vec(), pair.clone());
                (pair, EventType::Put)
            }
            Op::RequestDeleteRange(delete) => {
                let mut pair = self.pairs.remove(&delete.key[..])?;
                pair.mod_revision = self.revision;
                (pair, EventType::Delete)
            }
            other => panic!("not asked here: {other:?}"),
        };
        Some(Event {
            r#type: kind.into(),
            kv: Some(kv),
            ..Event::default()
        })
    }
}

impl Fake {
    async fn start() -> (Self, Ground) {
        let fake = Self {
            state: Arc::default(),
            log: watch::channel(Vec::new()).0,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tonic::transport::Server::builder()
            .add_service(KvServer::new(fake.clone()))
            .add_service(WatchServer::new(fake.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let etcd = etcd::Client::new(&[url]).unwrap();
        etcd.txn(vec![], vec![etcd::put("owner", "a", 0)], vec![])
            .await
            .unwrap();
        let ground = Ground {
            etcd,
            keys: Keys::new(Compat::V8_5, "default"),
            ownership: Ownership {
                key: "owner".to_owned(),
                revision: 1,
            },
            capture: "a".to_owned(),
        };
        (fake, ground)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn header(state: &State) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            revision: state.revision,
            ..ResponseHeader::default()
        })
    }
}

#[tonic::async_trait]
impl Kv for Fake {
    async fn range(
        &self,
        request: Request<RangeRequest>,
    ) -> Result<Response<RangeResponse>, Status> {
        let (request, state) = (request.into_inner(), self.state());
        let kvs: Vec<_> = match request.range_end.is_empty() {
            true => state
                .pairs
                .get(&request.key[..])
                .cloned()
                .into_iter()
                .collect(),
            false => state
                .pairs
                .range(request.key.to_vec()..request.range_end.to_vec())
                .map(|(_, pair)| pair.clone())
                .collect(),
        };
        Ok(Response::new(RangeResponse {
            header: Self::header(&state),
            kvs,
            ..RangeResponse::default()
        }))
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
        let (request, mut state) = (request.into_inner(), self.state());
        let fault = state.fault.take();
        if fault == Some(Fault::Refused) {
            return Err(Status::unavailable("etcdserver: leader changed"));
        }
        let succeeded = request.compare.iter().all(|compare| state.holds(compare));
        if succeeded {
            state.revision += 1;
            for op in request.success {
                let event = op.request.and_then(|op| state.apply(op));
                self.log.send_modify(|log| log.extend(event));
            }
        }
        if fault == Some(Fault::Unanswered) {
            return Err(Status::unavailable("etcdserver: request timed out"));
        }
        Ok(Response::new(TxnResponse {
            header: Self::header(&state),
            succeeded,
            ..TxnResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl Watch for Fake {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    /// All events of all keys, for whoever asks for the parts.
    async fn watch(
        &self,
        _: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut told = 0;
        let news = WatchStream::new(self.log.subscribe()).map(move |log| {
            let events = log[told..].iter().filter(|event| {
                let key = event.kv.as_ref().map(|pair| pair.key.clone());
                key.is_some_and(|key| String::from_utf8_lossy(&key).contains("/part/"))
            });
            let events = events.cloned().collect();
            told = log.len();
            Ok(WatchResponse {
                events,
                ..WatchResponse::default()
            })
        });
        Ok(Response::new(Box::pin(news)))
    }
}

fn id() -> Id {
    Id::new("default", "feed")
}

async fn gathered(ground: &Ground) -> Lead {
    let members = ["a", "b"].map(str::to_owned).into();
    Lead::gather(ground.clone(), id(), String::new(), members, None)
        .await
        .unwrap()
}

fn two_tables() -> Tables {
    let mut tables = Tables::default();
    tables.set(1, Some(1));
    tables.set(2, Some(2));
    tables
}

async fn run_of(ground: &Ground) -> Option<KeyValue> {
    ground.etcd.get(&ground.keys.run(&id())).await.unwrap()
}

async fn tell(ground: &Ground, part: &Part) {
    let put = etcd::put(&ground.keys.part(&id(), "b"), json(part).unwrap(), 0);
    ground.etcd.txn(vec![], vec![put], vec![]).await.unwrap();
}

#[tokio::test]
async fn a_run_ends_though_etcd_refuses_at_first() {
    let (fake, ground) = Fake::start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    let run = run_of(&ground).await.expect("a run").create_revision;
    let part = Part {
        run,
        checkpoint_ts: 20,
        ..Part::default()
    };
    tell(&ground, &part).await;
    fake.state().fault = Some(Fault::Refused);
    lead.dismiss().await;
    assert!(run_of(&ground).await.is_some());
    // the other capture ends its part when the run is gone
    let ends = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while run_of(&ground).await.is_some() {
            pace.tick().await;
        }
        let last = Part {
            checkpoint_ts: 30,
            ended: true,
            error: Some(Failure {
                code: "CDC:ErrMessageTooLarge".to_owned(),
                message: "message is too large".to_owned(),
            }),
            ..part
        };
        tell(&ground, &last).await;
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(ends, lead.gone()) })
        .await
        .expect("the run's key goes, and the part ends");
    // what it had done before it failed counts
    assert_eq!(lead.checkpoint_ts(), 30);
    let parts = ground.etcd.list(&ground.keys.part_prefix(&id())).await;
    assert_eq!(parts.unwrap().0, [], "no part is left over");
}

#[tokio::test]
async fn a_run_that_may_have_begun_is_ended() {
    let (fake, ground) = Fake::start().await;
    let mut lead = gathered(&ground).await;
    fake.state().fault = Some(Fault::Unanswered);
    let error = lead.begin(10, false, &two_tables()).await.unwrap_err();
    assert_eq!(error.code(), Code::ErrPDEtcdAPIError);
    assert!(run_of(&ground).await.is_some());
    lead.dismiss().await;
    assert_eq!(run_of(&ground).await, None);
    // nothing to wait for
    tokio::time::timeout(PATIENCE, lead.gone())
        .await
        .expect("nothing to wait for");
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_told_and_not_waited_for() {
    let (_, ground) = Fake::start().await;
    let key = ground.keys.part(&id(), "b");
    let put = etcd::put(&key, "{", 0);
    ground.etcd.txn(vec![], vec![put], vec![]).await.unwrap();
    let gathering = Lead::gather(ground, id(), String::new(), BTreeSet::new(), None);
    let gathered = tokio::time::timeout(PATIENCE, gathering).await;
    let error = gathered.expect("an end").unwrap_err();
    assert_eq!(error.code(), Code::ErrPDEtcdAPIError);
    assert!(error.message().contains(&key), "{error}");
}
