//! A cluster of recorded changes: PD and one store with one region, as far as a reader needs them. What was recorded is
//! committed by hand, and resolved-ts come when they are told to.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use pipeline::model::{Op, RawKv, Ts};
use proto::{
    cdcpb::{self, change_data_request, event, event::LogType, event::row::OpType},
    kvrpcpb as kv, metapb, pdpb, tikvpb,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming};

const CLUSTER_ID: u64 = 7;
const REGION: u64 = 2;
const STORE: u64 = 1;
/// Rows in one message of a scan.
const SCANNED_AT_ONCE: usize = 1024;

type Out = mpsc::UnboundedSender<Result<cdcpb::ChangeDataEvent, Status>>;

/// A registration on a stream.
#[derive(Debug)]
struct Reader {
    request: u64,
    range: (Bytes, Bytes),
    out: Out,
}

/// A committed version of a key.
#[derive(Debug)]
struct Version {
    commit_ts: Ts,
    start_ts: Ts,
    value: Option<Bytes>,
    /// Written by a reorganisation: there, and not told.
    silent: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Versions by raw key, oldest first.
    versions: BTreeMap<Bytes, Vec<Version>>,
    readers: Vec<Reader>,
    now: Ts,
}

/// The cluster; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Cluster {
    state: Arc<Mutex<State>>,
    address: String,
}

impl Cluster {
    /// Serves PD and the store on one port.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let cluster = Self {
            address: listener.local_addr().expect("an address").to_string(),
            ..Self::default()
        };
        let server = tonic::transport::Server::builder()
            .add_service(pdpb::pd_server::PdServer::new(cluster.clone()))
            .add_service(tikvpb::tikv_server::TikvServer::new(cluster.clone()))
            .add_service(cdcpb::change_data_server::ChangeDataServer::new(
                cluster.clone(),
            ))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        cluster
    }

    /// PD's address.
    pub(super) fn pd(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under the lock")
    }

    /// Commits a change and, unless it is silent, tells those who follow its key: prewrite and commit, as a store does.
    pub(super) fn commit(&self, change: &RawKv, silent: bool) {
        let mut state = self.state();
        let value = (change.op == Op::Put).then(|| change.value.clone());
        let versions = state.versions.entry(change.key.clone()).or_default();
        versions.push(Version {
            commit_ts: change.commit_ts,
            start_ts: change.start_ts,
            value,
            silent,
        });
        state.now = state.now.max(change.commit_ts);
        if silent {
            return;
        }
        let prewrite = row(change, LogType::Prewrite);
        let commit = row(change, LogType::Commit);
        for reader in state.following(&change.key) {
            reader.rows(vec![prewrite.clone()]);
            reader.rows(vec![commit.clone()]);
        }
    }

    /// Nothing will be committed up to `ts` any more.
    pub(super) fn resolve(&self, ts: Ts) {
        let mut state = self.state();
        state.now = state.now.max(ts);
        for reader in &state.readers {
            reader.resolved(ts);
        }
    }
}

fn row(change: &RawKv, kind: LogType) -> event::Row {
    let with_values = kind != LogType::Commit;
    let values = |bytes: &Bytes| match with_values {
        true => bytes.clone(),
        false => Bytes::new(),
    };
    event::Row {
        start_ts: change.start_ts,
        commit_ts: match kind {
            LogType::Prewrite => 0,
            _ => change.commit_ts,
        },
        r#type: kind.into(),
        op_type: match change.op {
            Op::Put => OpType::Put,
            Op::Delete => OpType::Delete,
        }
        .into(),
        key: change.key.clone(),
        value: values(&change.value),
        old_value: values(&change.old_value),
        ..Default::default()
    }
}

impl State {
    fn following<'a>(&'a self, key: &'a Bytes) -> impl Iterator<Item = &'a Reader> {
        self.readers.iter().filter(|reader| reader.wants(key))
    }
}

/// The memcomparable form of a raw key.
fn wrapped(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    pipeline::mount::memcomparable::put_bytes(&mut out, key);
    out
}

impl Reader {
    fn wants(&self, key: &[u8]) -> bool {
        let key = wrapped(key);
        let (start, end) = &self.range;
        key >= start.to_vec() && (end.is_empty() || key < end.to_vec())
    }

    fn send(&self, event: cdcpb::ChangeDataEvent) {
        // A stream that is gone needs nothing any more.
        let _ = self.out.send(Ok(event));
    }

    fn rows(&self, entries: Vec<event::Row>) {
        self.send(cdcpb::ChangeDataEvent {
            events: vec![cdcpb::Event {
                region_id: REGION,
                request_id: self.request,
                event: Some(event::Event::Entries(event::Entries { entries })),
                ..Default::default()
            }],
            ..Default::default()
        });
    }

    fn resolved(&self, ts: Ts) {
        self.send(cdcpb::ChangeDataEvent {
            resolved_ts: Some(cdcpb::ResolvedTs {
                regions: vec![REGION],
                ts,
                request_id: self.request,
            }),
            ..Default::default()
        });
    }

    /// What was committed after `checkpoint`, and the end of it.
    fn scan(&self, state: &State, checkpoint: Ts) {
        let mut rows = Vec::new();
        for (key, versions) in state.versions.iter().filter(|(key, _)| self.wants(key)) {
            let mut old = Bytes::new();
            for version in versions {
                let new = version.value.clone().unwrap_or_default();
                if version.commit_ts > checkpoint && !version.silent {
                    let change = RawKv {
                        op: match version.value {
                            Some(_) => Op::Put,
                            None => Op::Delete,
                        },
                        key: key.clone(),
                        value: new.clone(),
                        old_value: old,
                        start_ts: version.start_ts,
                        commit_ts: version.commit_ts,
                    };
                    rows.push(row(&change, LogType::Committed));
                }
                old = new;
            }
        }
        rows.push(event::Row {
            r#type: LogType::Initialized.into(),
            ..Default::default()
        });
        for some in rows.chunks(SCANNED_AT_ONCE) {
            self.rows(some.to_vec());
        }
    }
}

fn header() -> Option<pdpb::ResponseHeader> {
    Some(pdpb::ResponseHeader {
        cluster_id: CLUSTER_ID,
        ..Default::default()
    })
}

fn region() -> metapb::Region {
    metapb::Region {
        id: REGION,
        region_epoch: Some(metapb::RegionEpoch {
            conf_ver: 1,
            version: 1,
        }),
        peers: vec![leader()],
        ..Default::default()
    }
}

fn leader() -> metapb::Peer {
    metapb::Peer {
        id: 3,
        store_id: STORE,
        ..Default::default()
    }
}

impl Cluster {
    fn store(&self) -> metapb::Store {
        metapb::Store {
            id: STORE,
            address: self.address.clone(),
            version: "8.5.3".to_owned(),
            ..Default::default()
        }
    }
}

macro_rules! unserved {
    ($service:ident: $($method:ident: $request:ty => $reply:ty),* $(,)?) => {
        $(fn $method<'life, 'async_trait>(
            &'life self,
            _: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$reply>, Status>> + Send + 'async_trait>>
        where
            'life: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented(stringify!($method))) })
        })*
    };
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl pdpb::pd_server::Pd for Cluster {
    type TsoStream = Streamed<pdpb::TsoResponse>;
    type RegionHeartbeatStream = Streamed<pdpb::RegionHeartbeatResponse>;

    async fn get_members(
        &self,
        _: Request<pdpb::GetMembersRequest>,
    ) -> Result<Response<pdpb::GetMembersResponse>, Status> {
        let member = pdpb::Member {
            name: "pd".to_owned(),
            member_id: 1,
            client_urls: vec![self.pd()],
            ..Default::default()
        };
        Ok(Response::new(pdpb::GetMembersResponse {
            header: header(),
            members: vec![member.clone()],
            leader: Some(member),
            ..Default::default()
        }))
    }

    async fn tso(
        &self,
        requests: Request<Streaming<pdpb::TsoRequest>>,
    ) -> Result<Response<Self::TsoStream>, Status> {
        let this = self.clone();
        let replies = requests.into_inner().map(move |request| {
            let count = request?.count;
            let mut state = this.state();
            state.now += u64::from(count);
            Ok(pdpb::TsoResponse {
                header: header(),
                count,
                timestamp: Some(pdpb::Timestamp {
                    physical: (state.now >> 18) as i64,
                    logical: (state.now & 0x3ffff) as i64,
                    ..Default::default()
                }),
            })
        });
        Ok(Response::new(Box::pin(replies)))
    }

    async fn get_store(
        &self,
        _: Request<pdpb::GetStoreRequest>,
    ) -> Result<Response<pdpb::GetStoreResponse>, Status> {
        Ok(Response::new(pdpb::GetStoreResponse {
            header: header(),
            store: Some(self.store()),
            ..Default::default()
        }))
    }

    async fn get_all_stores(
        &self,
        _: Request<pdpb::GetAllStoresRequest>,
    ) -> Result<Response<pdpb::GetAllStoresResponse>, Status> {
        Ok(Response::new(pdpb::GetAllStoresResponse {
            header: header(),
            stores: vec![self.store()],
        }))
    }

    async fn get_region(
        &self,
        _: Request<pdpb::GetRegionRequest>,
    ) -> Result<Response<pdpb::GetRegionResponse>, Status> {
        Ok(Response::new(pdpb::GetRegionResponse {
            header: header(),
            region: Some(region()),
            leader: Some(leader()),
            ..Default::default()
        }))
    }

    async fn scan_regions(
        &self,
        _: Request<pdpb::ScanRegionsRequest>,
    ) -> Result<Response<pdpb::ScanRegionsResponse>, Status> {
        Ok(Response::new(pdpb::ScanRegionsResponse {
            header: header(),
            regions: vec![pdpb::Region {
                region: Some(region()),
                leader: Some(leader()),
                ..Default::default()
            }],
            ..Default::default()
        }))
    }

    unserved! { Pd:
        get_cluster_info: pdpb::GetClusterInfoRequest => pdpb::GetClusterInfoResponse,
        bootstrap: pdpb::BootstrapRequest => pdpb::BootstrapResponse,
        is_bootstrapped: pdpb::IsBootstrappedRequest => pdpb::IsBootstrappedResponse,
        alloc_id: pdpb::AllocIdRequest => pdpb::AllocIdResponse,
        is_snapshot_recovering: pdpb::IsSnapshotRecoveringRequest => pdpb::IsSnapshotRecoveringResponse,
        put_store: pdpb::PutStoreRequest => pdpb::PutStoreResponse,
        store_heartbeat: pdpb::StoreHeartbeatRequest => pdpb::StoreHeartbeatResponse,
        region_heartbeat: Streaming<pdpb::RegionHeartbeatRequest> => Self::RegionHeartbeatStream,
        get_prev_region: pdpb::GetRegionRequest => pdpb::GetRegionResponse,
        get_region_by_id: pdpb::GetRegionByIdRequest => pdpb::GetRegionResponse,
        batch_scan_regions: pdpb::BatchScanRegionsRequest => pdpb::BatchScanRegionsResponse,
        ask_batch_split: pdpb::AskBatchSplitRequest => pdpb::AskBatchSplitResponse,
        report_batch_split: pdpb::ReportBatchSplitRequest => pdpb::ReportBatchSplitResponse,
        get_cluster_config: pdpb::GetClusterConfigRequest => pdpb::GetClusterConfigResponse,
        scatter_region: pdpb::ScatterRegionRequest => pdpb::ScatterRegionResponse,
        get_gc_safe_point: pdpb::GetGcSafePointRequest => pdpb::GetGcSafePointResponse,
        update_gc_safe_point: pdpb::UpdateGcSafePointRequest => pdpb::UpdateGcSafePointResponse,
        update_service_gc_safe_point: pdpb::UpdateServiceGcSafePointRequest => pdpb::UpdateServiceGcSafePointResponse,
        get_operator: pdpb::GetOperatorRequest => pdpb::GetOperatorResponse,
        split_regions: pdpb::SplitRegionsRequest => pdpb::SplitRegionsResponse,
        get_min_ts: pdpb::GetMinTsRequest => pdpb::GetMinTsResponse,
    }
}

#[tonic::async_trait]
impl tikvpb::tikv_server::Tikv for Cluster {
    type BatchCommandsStream = Streamed<tikvpb::BatchCommandsResponse>;

    async fn kv_scan(
        &self,
        request: Request<kv::ScanRequest>,
    ) -> Result<Response<kv::ScanResponse>, Status> {
        let request = request.into_inner();
        let state = self.state();
        let keys = state
            .versions
            .range(request.start_key.clone()..)
            .take_while(|(key, _)| request.end_key.is_empty() || **key < request.end_key);
        let pairs = keys.filter_map(|(key, versions)| {
            let seen = versions
                .iter()
                .rev()
                .find(|version| version.commit_ts <= request.version)?;
            Some(kv::KvPair {
                key: key.clone(),
                value: seen.value.clone()?,
                error: None,
            })
        });
        Ok(Response::new(kv::ScanResponse {
            pairs: pairs.take(request.limit as usize).collect(),
            ..Default::default()
        }))
    }

    unserved! { Tikv:
        batch_commands: Streaming<tikvpb::BatchCommandsRequest> => Self::BatchCommandsStream,
        kv_get: kv::GetRequest => kv::GetResponse,
        kv_prewrite: kv::PrewriteRequest => kv::PrewriteResponse,
        kv_pessimistic_lock: kv::PessimisticLockRequest => kv::PessimisticLockResponse,
        kv_pessimistic_rollback: kv::PessimisticRollbackRequest => kv::PessimisticRollbackResponse,
        kv_txn_heart_beat: kv::TxnHeartBeatRequest => kv::TxnHeartBeatResponse,
        kv_check_txn_status: kv::CheckTxnStatusRequest => kv::CheckTxnStatusResponse,
        kv_check_secondary_locks: kv::CheckSecondaryLocksRequest => kv::CheckSecondaryLocksResponse,
        kv_commit: kv::CommitRequest => kv::CommitResponse,
        kv_cleanup: kv::CleanupRequest => kv::CleanupResponse,
        kv_batch_get: kv::BatchGetRequest => kv::BatchGetResponse,
        kv_batch_rollback: kv::BatchRollbackRequest => kv::BatchRollbackResponse,
        kv_scan_lock: kv::ScanLockRequest => kv::ScanLockResponse,
        kv_resolve_lock: kv::ResolveLockRequest => kv::ResolveLockResponse,
        kv_gc: kv::GcRequest => kv::GcResponse,
        kv_delete_range: kv::DeleteRangeRequest => kv::DeleteRangeResponse,
        unsafe_destroy_range: kv::UnsafeDestroyRangeRequest => kv::UnsafeDestroyRangeResponse,
        split_region: kv::SplitRegionRequest => kv::SplitRegionResponse,
    }
}

#[tonic::async_trait]
impl cdcpb::change_data_server::ChangeData for Cluster {
    type EventFeedStream = Streamed<cdcpb::ChangeDataEvent>;
    type EventFeedV2Stream = Streamed<cdcpb::ChangeDataEvent>;

    unserved! { ChangeData:
        event_feed: Streaming<cdcpb::ChangeDataRequest> => Self::EventFeedStream,
    }

    async fn event_feed_v2(
        &self,
        requests: Request<Streaming<cdcpb::ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedV2Stream>, Status> {
        let (out, events) = mpsc::unbounded_channel();
        let this = self.clone();
        let mut requests = requests.into_inner();
        tokio::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
                let mut state = this.state();
                match request.request {
                    Some(change_data_request::Request::Deregister(_)) => state
                        .readers
                        .retain(|reader| reader.request != request.request_id),
                    _ => {
                        let reader = Reader {
                            request: request.request_id,
                            range: (request.start_key, request.end_key),
                            out: out.clone(),
                        };
                        reader.scan(&state, request.checkpoint_ts);
                        state.readers.push(reader);
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(
            events,
        ))))
    }
}
