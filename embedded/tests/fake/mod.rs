//! A PD and a TiKV in memory that can be told to misbehave: for what a well-behaved cluster does not show.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::result_large_err)]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use proto::tikvpb::batch_commands_request::request::Cmd;
use proto::tikvpb::batch_commands_response::{Response as Reply, response::Cmd as Answer};
use proto::{errorpb, kvrpcpb as kv, metapb, pdpb, tikvpb};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

pub const CLUSTER_ID: u64 = 42;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    NotLeader,
    EpochNotMatch,
    RegionNotFound,
    ServerIsBusy,
    /// It is not carried out and the call fails.
    Unavailable,
    /// It is carried out and the call fails.
    LostReply,
}

#[derive(Debug, Clone)]
struct Lock {
    start_ts: u64,
    primary: Bytes,
    change: Option<Bytes>,
}

#[derive(Debug, Default)]
struct State {
    /// Versions by key, newest last: commit ts, start ts, value.
    versions: BTreeMap<Bytes, Vec<(u64, u64, Option<Bytes>)>>,
    locks: BTreeMap<Bytes, Lock>,
    rolled_back: BTreeSet<(Bytes, u64)>,
    /// Region boundaries, wrapped, and the version of each region's epoch.
    splits: Vec<Bytes>,
    epoch: u64,
    physical: i64,
    faults: HashMap<&'static str, VecDeque<Fault>>,
    pub calls: Vec<&'static str>,
    commits: Vec<(Bytes, bool)>,
}

#[derive(Debug, Clone, Default)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    /// Prewrites are carried out as long as nobody writes here.
    pub prewrites: Arc<tokio::sync::RwLock<()>>,
    pub addr: String,
}

impl Fake {
    /// Serves PD and TiKV on one port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            addr: listener.local_addr().unwrap().to_string(),
            ..Self::default()
        };
        let pd = pdpb::pd_server::PdServer::new(fake.clone());
        let store = tikvpb::tikv_server::TikvServer::new(fake.clone());
        let server = tonic::transport::Server::builder()
            .add_service(pd)
            .add_service(store)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        fake
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The next calls of this kind meet these faults, in order.
    pub fn fault(&self, call: &'static str, faults: &[Fault]) {
        self.lock().faults.entry(call).or_default().extend(faults);
    }

    /// No more faults for calls of this kind.
    pub fn heal(&self, call: &'static str) {
        self.lock().faults.remove(call);
    }

    /// Cuts the key space at these wrapped keys.
    pub fn split(&self, at: &[Vec<u8>]) {
        let mut state = self.lock();
        state.splits = at.iter().map(|k| Bytes::copy_from_slice(k)).collect();
        state.splits.sort();
        state.epoch += 1;
    }

    /// The keys that were committed, in order, and whether each was to be synced.
    pub fn commits(&self) -> Vec<(Bytes, bool)> {
        self.lock().commits.clone()
    }

    pub fn lock_count(&self) -> usize {
        self.lock().locks.len()
    }

    /// How often a call came in.
    pub fn count(&self, call: &str) -> usize {
        self.lock().calls.iter().filter(|c| **c == call).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts a call and gives the region error or failure that it meets.
    fn meet(
        &self,
        call: &'static str,
        context: Option<&kv::Context>,
    ) -> (Option<errorpb::Error>, Option<Fault>) {
        let mut state = self.lock();
        state.calls.push(call);
        let fault = state.faults.get_mut(call).and_then(VecDeque::pop_front);
        let mut error = errorpb::Error {
            message: format!("{fault:?}"),
            ..Default::default()
        };
        match fault {
            Some(Fault::NotLeader) => error.not_leader = Some(errorpb::NotLeader::default()),
            Some(Fault::EpochNotMatch) => {
                error.epoch_not_match = Some(errorpb::EpochNotMatch::default())
            }
            Some(Fault::RegionNotFound) => {
                error.region_not_found = Some(errorpb::RegionNotFound::default())
            }
            Some(Fault::ServerIsBusy) => {
                error.server_is_busy = Some(errorpb::ServerIsBusy::default())
            }
            other => {
                let seen = context
                    .and_then(|c| c.region_epoch)
                    .map_or(0, |e| e.version);
                if context.is_some() && seen != state.epoch {
                    error.message = "stale epoch".to_owned();
                    error.epoch_not_match = Some(errorpb::EpochNotMatch::default());
                    return (Some(error), None);
                }
                return (None, other);
            }
        }
        (Some(error), None)
    }
}

fn unavailable() -> Status {
    Status::unavailable("the store is out of reach")
}

/// Serves one call: region errors and failures first, then what it does.
macro_rules! serve {
    ($self:ident, $call:literal, $request:ident, $reply:ident, $body:expr) => {{
        let $request = $request.into_inner();
        let (error, fault) = $self.meet($call, $request.context.as_ref());
        if error.is_some() {
            let reply = kv::$reply {
                region_error: error,
                ..Default::default()
            };
            return Ok(Response::new(reply));
        }
        if fault == Some(Fault::Unavailable) {
            return Err(unavailable());
        }
        let reply: kv::$reply = $body;
        if fault == Some(Fault::LostReply) {
            return Err(unavailable());
        }
        Ok(Response::new(reply))
    }};
}

impl State {
    fn read(&self, key: &Bytes, ts: u64) -> Result<Option<Bytes>, kv::KeyError> {
        if let Some(lock) = self.locks.get(key).filter(|l| l.start_ts <= ts) {
            return Err(locked(key, lock));
        }
        let versions = self.versions.get(key).into_iter().flatten().rev();
        Ok(versions
            .filter(|(commit_ts, ..)| *commit_ts <= ts)
            .map(|(.., value)| value.clone())
            .next()
            .flatten())
    }

    fn committed(&self, key: &Bytes, start_ts: u64) -> Option<u64> {
        let versions = self.versions.get(key)?;
        versions
            .iter()
            .find(|(_, s, _)| *s == start_ts)
            .map(|(c, ..)| *c)
    }

    fn commit(&mut self, key: &Bytes, start_ts: u64, commit_ts: u64) -> Result<(), kv::KeyError> {
        match self.locks.get(key) {
            Some(lock) if lock.start_ts == start_ts => {
                let lock = self.locks.remove(key).unwrap();
                let versions = self.versions.entry(key.clone()).or_default();
                versions.push((commit_ts, start_ts, lock.change));
                Ok(())
            }
            _ if self.committed(key, start_ts).is_some() => Ok(()),
            _ => Err(kv::KeyError {
                txn_lock_not_found: Some(kv::TxnLockNotFound { key: key.clone() }),
                ..Default::default()
            }),
        }
    }

    fn roll_back(&mut self, key: &Bytes, start_ts: u64) {
        if self.locks.get(key).is_some_and(|l| l.start_ts == start_ts) {
            self.locks.remove(key);
        }
        self.rolled_back.insert((key.clone(), start_ts));
    }
}

fn locked(key: &Bytes, lock: &Lock) -> kv::KeyError {
    kv::KeyError {
        locked: Some(kv::LockInfo {
            primary_lock: lock.primary.clone(),
            lock_version: lock.start_ts,
            key: key.clone(),
            lock_ttl: 20_000,
            ..Default::default()
        }),
        ..Default::default()
    }
}

macro_rules! store {
    ($($unserved:ident: $request:ident => $reply:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl tikvpb::tikv_server::Tikv for Fake {
            type BatchCommandsStream =
                Pin<Box<dyn Stream<Item = Result<tikvpb::BatchCommandsResponse, Status>> + Send>>;

            async fn batch_commands(
                &self,
                r: Request<Streaming<tikvpb::BatchCommandsRequest>>,
            ) -> Result<Response<Self::BatchCommandsStream>, Status> {
                let (metadata, _, messages) = r.into_parts();
                let commands = messages.flat_map(|message| {
                    let message = message.unwrap_or_default();
                    stream::iter(message.requests.into_iter().zip(message.request_ids))
                });
                let fake = self.clone();
                let answers = commands.map(move |(request, id)| {
                    let (fake, metadata) = (fake.clone(), metadata.clone());
                    async move {
                        let cmd = match request.cmd {
                            Some(Cmd::Prewrite(r)) => {
                                Answer::Prewrite(fake.kv_prewrite(Request::new(r)).await?.into_inner())
                            }
                            Some(Cmd::Commit(r)) => {
                                let r = Request::from_parts(metadata, Default::default(), r);
                                Answer::Commit(fake.kv_commit(r).await?.into_inner())
                            }
                            other => return Err(Status::unimplemented(format!("{other:?}"))),
                        };
                        Ok(tikvpb::BatchCommandsResponse {
                            responses: vec![Reply { cmd: Some(cmd) }],
                            request_ids: vec![id],
                            ..Default::default()
                        })
                    }
                });
                Ok(Response::new(Box::pin(answers.buffer_unordered(64))))
            }

            async fn kv_get(&self, r: Request<kv::GetRequest>) -> Result<Response<kv::GetResponse>, Status> {
                serve!(self, "get", r, GetResponse, {
                    match self.lock().read(&r.key, r.version) {
                        Err(error) => kv::GetResponse { error: Some(error), ..Default::default() },
                        Ok(None) => kv::GetResponse { not_found: true, ..Default::default() },
                        Ok(Some(value)) => kv::GetResponse { value, ..Default::default() },
                    }
                })
            }

            async fn kv_scan(&self, r: Request<kv::ScanRequest>) -> Result<Response<kv::ScanResponse>, Status> {
                serve!(self, "scan", r, ScanResponse, {
                    let state = self.lock();
                    let (_, end) = self.bounds(&state, r.context.as_ref().unwrap().region_id);
                    let keys: BTreeSet<Bytes> =
                        state.versions.keys().chain(state.locks.keys()).cloned().collect();
                    let mut pairs = vec![];
                    for key in keys.range(r.start_key.clone()..) {
                        let past = !end.is_empty() && wrap(key) >= end;
                        let out = !r.end_key.is_empty() && *key >= r.end_key;
                        if past || out || pairs.len() >= r.limit as usize {
                            break;
                        }
                        match state.read(key, r.version) {
                            Err(error) => pairs.push(kv::KvPair { error: Some(error), ..Default::default() }),
                            Ok(Some(value)) => {
                                pairs.push(kv::KvPair { key: key.clone(), value, ..Default::default() });
                            }
                            Ok(None) => {}
                        }
                    }
                    kv::ScanResponse { pairs, ..Default::default() }
                })
            }

            async fn kv_prewrite(&self, r: Request<kv::PrewriteRequest>) -> Result<Response<kv::PrewriteResponse>, Status> {
                serve!(self, "prewrite", r, PrewriteResponse, {
                    let _open = self.prewrites.read().await;
                    let mut state = self.lock();
                    let mut errors = vec![];
                    for m in &r.mutations {
                        let rolled_back = state.rolled_back.contains(&(m.key.clone(), r.start_version));
                        let newer = state.versions.get(&m.key).and_then(|v| v.last()).filter(|v| v.0 > r.start_version);
                        if let Some(other) = state.locks.get(&m.key).filter(|l| l.start_ts != r.start_version) {
                            errors.push(locked(&m.key, other));
                        } else if rolled_back || newer.is_some() {
                            let conflict = kv::WriteConflict { start_ts: r.start_version, key: m.key.clone(), ..Default::default() };
                            errors.push(kv::KeyError { conflict: Some(conflict), ..Default::default() });
                        }
                    }
                    if errors.is_empty() {
                        for m in r.mutations {
                            let change = (m.op == i32::from(kv::Op::Put)).then_some(m.value);
                            let lock = Lock { start_ts: r.start_version, primary: r.primary_lock.clone(), change };
                            state.locks.insert(m.key, lock);
                        }
                    }
                    kv::PrewriteResponse { errors, ..Default::default() }
                })
            }

            async fn kv_commit(&self, r: Request<kv::CommitRequest>) -> Result<Response<kv::CommitResponse>, Status> {
                let synced = !r.metadata().contains_key("embedded-unsynced");
                serve!(self, "commit", r, CommitResponse, {
                    let mut state = self.lock();
                    state.commits.extend(r.keys.iter().map(|key| (key.clone(), synced)));
                    let error = r.keys.iter().find_map(|k| state.commit(k, r.start_version, r.commit_version).err());
                    kv::CommitResponse { error, ..Default::default() }
                })
            }

            async fn kv_txn_heart_beat(&self, r: Request<kv::TxnHeartBeatRequest>) -> Result<Response<kv::TxnHeartBeatResponse>, Status> {
                serve!(self, "heart beat", r, TxnHeartBeatResponse, {
                    kv::TxnHeartBeatResponse { lock_ttl: r.advise_lock_ttl, ..Default::default() }
                })
            }

            async fn kv_batch_rollback(&self, r: Request<kv::BatchRollbackRequest>) -> Result<Response<kv::BatchRollbackResponse>, Status> {
                serve!(self, "rollback", r, BatchRollbackResponse, {
                    let mut state = self.lock();
                    for key in &r.keys {
                        state.roll_back(key, r.start_version);
                    }
                    kv::BatchRollbackResponse::default()
                })
            }

            async fn kv_check_txn_status(&self, r: Request<kv::CheckTxnStatusRequest>) -> Result<Response<kv::CheckTxnStatusResponse>, Status> {
                serve!(self, "check", r, CheckTxnStatusResponse, {
                    let mut state = self.lock();
                    let mut reply = kv::CheckTxnStatusResponse::default();
                    let open = state.locks.get(&r.primary_key).is_some_and(|l| l.start_ts == r.lock_ts);
                    if let Some(commit_ts) = state.committed(&r.primary_key, r.lock_ts) {
                        reply.commit_version = commit_ts;
                    } else if open && r.current_ts != u64::MAX {
                        reply.lock_ttl = 20_000;
                    } else {
                        state.roll_back(&r.primary_key, r.lock_ts);
                    }
                    reply
                })
            }

            async fn kv_scan_lock(&self, r: Request<kv::ScanLockRequest>) -> Result<Response<kv::ScanLockResponse>, Status> {
                serve!(self, "scan_lock", r, ScanLockResponse, {
                    let state = self.lock();
                    let (_, end) = self.bounds(&state, r.context.as_ref().unwrap().region_id);
                    let found = state.locks.range(r.start_key.clone()..);
                    let within = found.filter(|(key, lock)| {
                        (end.is_empty() || wrap(key) < end) && lock.start_ts <= r.max_version
                    });
                    let locks = within.take(r.limit as usize).filter_map(|(key, lock)| locked(key, lock).locked);
                    kv::ScanLockResponse { locks: locks.collect(), ..Default::default() }
                })
            }

            async fn kv_resolve_lock(&self, r: Request<kv::ResolveLockRequest>) -> Result<Response<kv::ResolveLockResponse>, Status> {
                serve!(self, "resolve", r, ResolveLockResponse, {
                    let mut state = self.lock();
                    let mut error = None;
                    for key in &r.keys {
                        if r.commit_version == 0 {
                            state.roll_back(key, r.start_version);
                        } else {
                            error = state.commit(key, r.start_version, r.commit_version).err();
                        }
                    }
                    kv::ResolveLockResponse { error, ..Default::default() }
                })
            }

            $(async fn $unserved(&self, _: Request<kv::$request>) -> Result<Response<kv::$reply>, Status> {
                Err(Status::unimplemented(stringify!($unserved)))
            })*
        }
    };
}

store! {
    kv_pessimistic_lock: PessimisticLockRequest => PessimisticLockResponse,
    kv_pessimistic_rollback: PessimisticRollbackRequest => PessimisticRollbackResponse,
    kv_check_secondary_locks: CheckSecondaryLocksRequest => CheckSecondaryLocksResponse,
    kv_cleanup: CleanupRequest => CleanupResponse,
    kv_batch_get: BatchGetRequest => BatchGetResponse,
    kv_gc: GcRequest => GcResponse,
    kv_delete_range: DeleteRangeRequest => DeleteRangeResponse,
    unsafe_destroy_range: UnsafeDestroyRangeRequest => UnsafeDestroyRangeResponse,
    split_region: SplitRegionRequest => SplitRegionResponse,
}

/// The memcomparable form, by definition.
pub fn wrap(key: &[u8]) -> Bytes {
    let mut out = vec![];
    for i in 0..=key.len() / 8 {
        let group = &key[i * 8..key.len().min(i * 8 + 8)];
        out.extend_from_slice(group);
        out.resize(i * 9 + 8, 0);
        out.push(0xff - (8 - group.len()) as u8);
    }
    out.into()
}

impl Fake {
    fn bounds(&self, state: &State, region_id: u64) -> (Bytes, Bytes) {
        let i = region_id as usize - 1;
        let start = i
            .checked_sub(1)
            .map(|i| state.splits[i].clone())
            .unwrap_or_default();
        (start, state.splits.get(i).cloned().unwrap_or_default())
    }

    fn region(&self, key: &[u8]) -> (metapb::Region, metapb::Peer) {
        let state = self.lock();
        let id = 1 + state.splits.iter().filter(|s| &s[..] <= key).count() as u64;
        let (start_key, end_key) = self.bounds(&state, id);
        let peer = metapb::Peer {
            id: 100 + id,
            store_id: 1,
            ..Default::default()
        };
        let region = metapb::Region {
            id,
            start_key,
            end_key,
            region_epoch: Some(metapb::RegionEpoch {
                conf_ver: 1,
                version: state.epoch,
            }),
            peers: vec![peer],
        };
        (region, peer)
    }
}

fn header() -> Option<pdpb::ResponseHeader> {
    Some(pdpb::ResponseHeader {
        cluster_id: CLUSTER_ID,
        error: None,
    })
}

macro_rules! placement_driver {
    ($($unserved:ident: $request:ident => $reply:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl pdpb::pd_server::Pd for Fake {
            type TsoStream = Pin<Box<dyn Stream<Item = Result<pdpb::TsoResponse, Status>> + Send>>;
            type RegionHeartbeatStream =
                Pin<Box<dyn Stream<Item = Result<pdpb::RegionHeartbeatResponse, Status>> + Send>>;

            async fn get_members(&self, _: Request<pdpb::GetMembersRequest>) -> Result<Response<pdpb::GetMembersResponse>, Status> {
                let leader = pdpb::Member { client_urls: vec![self.url()], ..Default::default() };
                Ok(Response::new(pdpb::GetMembersResponse { header: header(), leader: Some(leader), ..Default::default() }))
            }

            async fn tso(&self, r: Request<Streaming<pdpb::TsoRequest>>) -> Result<Response<Self::TsoStream>, Status> {
                let fake = self.clone();
                let stream = r.into_inner().map(move |request| {
                    let request = request?;
                    if fake.meet("tso", None).1.is_some() {
                        return Err(unavailable());
                    }
                    let mut state = fake.lock();
                    state.physical += 1;
                    let timestamp = pdpb::Timestamp { physical: state.physical, logical: request.count.into(), suffix_bits: 0 };
                    Ok(pdpb::TsoResponse { header: header(), count: request.count, timestamp: Some(timestamp) })
                });
                Ok(Response::new(Box::pin(stream)))
            }

            async fn get_region(&self, r: Request<pdpb::GetRegionRequest>) -> Result<Response<pdpb::GetRegionResponse>, Status> {
                let (region, leader) = self.region(&r.into_inner().region_key);
                Ok(Response::new(pdpb::GetRegionResponse {
                    header: header(),
                    region: Some(region),
                    leader: Some(leader),
                    ..Default::default()
                }))
            }

            async fn get_store(&self, _: Request<pdpb::GetStoreRequest>) -> Result<Response<pdpb::GetStoreResponse>, Status> {
                let store = metapb::Store { id: 1, address: self.addr.clone(), ..Default::default() };
                Ok(Response::new(pdpb::GetStoreResponse { header: header(), store: Some(store), ..Default::default() }))
            }

            async fn region_heartbeat(&self, _: Request<Streaming<pdpb::RegionHeartbeatRequest>>) -> Result<Response<Self::RegionHeartbeatStream>, Status> {
                Err(Status::unimplemented("region_heartbeat"))
            }

            $(async fn $unserved(&self, _: Request<pdpb::$request>) -> Result<Response<pdpb::$reply>, Status> {
                Err(Status::unimplemented(stringify!($unserved)))
            })*
        }
    };
}

placement_driver! {
    get_cluster_info: GetClusterInfoRequest => GetClusterInfoResponse,
    bootstrap: BootstrapRequest => BootstrapResponse,
    is_bootstrapped: IsBootstrappedRequest => IsBootstrappedResponse,
    alloc_id: AllocIdRequest => AllocIdResponse,
    is_snapshot_recovering: IsSnapshotRecoveringRequest => IsSnapshotRecoveringResponse,
    put_store: PutStoreRequest => PutStoreResponse,
    get_all_stores: GetAllStoresRequest => GetAllStoresResponse,
    store_heartbeat: StoreHeartbeatRequest => StoreHeartbeatResponse,
    get_prev_region: GetRegionRequest => GetRegionResponse,
    get_region_by_id: GetRegionByIdRequest => GetRegionResponse,
    scan_regions: ScanRegionsRequest => ScanRegionsResponse,
    batch_scan_regions: BatchScanRegionsRequest => BatchScanRegionsResponse,
    ask_batch_split: AskBatchSplitRequest => AskBatchSplitResponse,
    report_batch_split: ReportBatchSplitRequest => ReportBatchSplitResponse,
    get_cluster_config: GetClusterConfigRequest => GetClusterConfigResponse,
    scatter_region: ScatterRegionRequest => ScatterRegionResponse,
    get_gc_safe_point: GetGcSafePointRequest => GetGcSafePointResponse,
    update_gc_safe_point: UpdateGcSafePointRequest => UpdateGcSafePointResponse,
    update_service_gc_safe_point: UpdateServiceGcSafePointRequest => UpdateServiceGcSafePointResponse,
    get_operator: GetOperatorRequest => GetOperatorResponse,
    split_regions: SplitRegionsRequest => SplitRegionsResponse,
    get_min_ts: GetMinTsRequest => GetMinTsResponse,
}
