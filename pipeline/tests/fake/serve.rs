//! The services of PD and the stores.

use std::{pin::Pin, sync::MutexGuard};

use futures_util::{Stream, StreamExt};
use pipeline::model::RawKv;
use proto::{
    cdcpb::{self, change_data_request},
    errorpb, kvrpcpb as kv, metapb, pdpb, tikvpb,
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::{Cluster, State, Store, epoch_not_match, not_leader, reader::Reader, region_not_found};

const CLUSTER_ID: u64 = 7;
/// How long locks live, in milliseconds: longer than a test.
const LOCK_TTL_MS: u64 = 3_600_000;

/// A store, and PD beside it.
#[derive(Debug, Clone)]
struct Service {
    cluster: Cluster,
    store: u64,
}

impl Cluster {
    /// Serves one more store.
    pub async fn serve(&self, multiplexes: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let store = {
            let mut state = self.state();
            state.stores.push(Store {
                address,
                multiplexes,
            });
            state.stores.len() as u64
        };
        let service = Service {
            cluster: self.clone(),
            store,
        };
        let server = tonic::transport::Server::builder()
            .add_service(pdpb::pd_server::PdServer::new(service.clone()))
            .add_service(tikvpb::tikv_server::TikvServer::new(service.clone()))
            .add_service(cdcpb::change_data_server::ChangeDataServer::new(service))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
    }
}

impl Service {
    /// The cluster, if the member of PD here leads.
    fn leading(&self) -> Result<MutexGuard<'_, State>, Status> {
        let state = self.cluster.state();
        if state.pd.1.contains(&self.store) {
            return Err(Status::unavailable("it is gone"));
        }
        match state.pd.0 == self.store {
            true => Ok(state),
            false => Err(Status::unavailable("not leader")),
        }
    }
}

fn header() -> Option<pdpb::ResponseHeader> {
    Some(pdpb::ResponseHeader {
        cluster_id: CLUSTER_ID,
        ..Default::default()
    })
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
impl pdpb::pd_server::Pd for Service {
    type TsoStream = Streamed<pdpb::TsoResponse>;
    type RegionHeartbeatStream = Streamed<pdpb::RegionHeartbeatResponse>;

    async fn get_members(
        &self,
        _: Request<pdpb::GetMembersRequest>,
    ) -> Result<Response<pdpb::GetMembersResponse>, Status> {
        let state = self.cluster.state();
        if state.pd.1.contains(&self.store) {
            return Err(Status::unavailable("it is gone"));
        }
        let member = |(store, id): (&Store, u64)| pdpb::Member {
            name: format!("pd-{id}"),
            member_id: id,
            client_urls: vec![format!("http://{}", store.address)],
            ..Default::default()
        };
        let members: Vec<_> = state.stores.iter().zip(1..).map(member).collect();
        let leader = members.iter().find(|member| member.member_id == state.pd.0);
        Ok(Response::new(pdpb::GetMembersResponse {
            header: header(),
            leader: leader.cloned(),
            members,
            ..Default::default()
        }))
    }

    async fn tso(
        &self,
        requests: Request<Streaming<pdpb::TsoRequest>>,
    ) -> Result<Response<Self::TsoStream>, Status> {
        let service = self.clone();
        let replies = requests.into_inner().map(move |request| {
            let count = request?.count;
            let mut state = service.leading()?;
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
        request: Request<pdpb::GetStoreRequest>,
    ) -> Result<Response<pdpb::GetStoreResponse>, Status> {
        let id = request.into_inner().store_id;
        self.leading().map(drop)?;
        Ok(Response::new(pdpb::GetStoreResponse {
            header: header(),
            store: self.stores().into_iter().find(|store| store.id == id),
            ..Default::default()
        }))
    }

    async fn get_all_stores(
        &self,
        _: Request<pdpb::GetAllStoresRequest>,
    ) -> Result<Response<pdpb::GetAllStoresResponse>, Status> {
        self.leading().map(drop)?;
        Ok(Response::new(pdpb::GetAllStoresResponse {
            header: header(),
            stores: self.stores(),
        }))
    }

    async fn get_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Result<Response<pdpb::GetRegionResponse>, Status> {
        let state = self.leading()?;
        let region = &state.regions[state.place(&request.into_inner().region_key)];
        Ok(Response::new(pdpb::GetRegionResponse {
            header: header(),
            region: Some(region.meta()),
            leader: Some(region.peer(region.leader)),
            ..Default::default()
        }))
    }

    async fn get_region_by_id(
        &self,
        request: Request<pdpb::GetRegionByIdRequest>,
    ) -> Result<Response<pdpb::GetRegionResponse>, Status> {
        let id = request.into_inner().region_id;
        let state = self.leading()?;
        let region = state.regions.iter().find(|region| region.id == id);
        Ok(Response::new(pdpb::GetRegionResponse {
            header: header(),
            region: region.map(|region| region.meta()),
            leader: region.map(|region| region.peer(region.leader)),
            ..Default::default()
        }))
    }

    async fn scan_regions(
        &self,
        request: Request<pdpb::ScanRegionsRequest>,
    ) -> Result<Response<pdpb::ScanRegionsResponse>, Status> {
        let request = request.into_inner();
        let (start, end) = (request.start_key, request.end_key);
        let known = self.leading()?.known_to_pd();
        let within = known.iter().filter(|region| {
            (region.end.is_empty() || region.end > start) && (end.is_empty() || region.start < end)
        });
        let regions = within.map(|region| pdpb::Region {
            region: Some(region.meta()),
            leader: Some(region.peer(region.leader)),
            ..Default::default()
        });
        Ok(Response::new(pdpb::ScanRegionsResponse {
            header: header(),
            regions: regions.take(request.limit.max(1) as usize).collect(),
            ..Default::default()
        }))
    }

    async fn update_service_gc_safe_point(
        &self,
        request: Request<pdpb::UpdateServiceGcSafePointRequest>,
    ) -> Result<Response<pdpb::UpdateServiceGcSafePointResponse>, Status> {
        let request = request.into_inner();
        let mut state = self.leading()?;
        let id = String::from_utf8_lossy(&request.service_id).into_owned();
        let least = state.safepoints.values().min().copied();
        match request.ttl > 0 {
            true if least.is_none_or(|least| request.safe_point >= least) => {
                state.safepoints.insert(id, request.safe_point);
            }
            true => {}
            false => drop(state.safepoints.remove(&id)),
        }
        Ok(Response::new(pdpb::UpdateServiceGcSafePointResponse {
            header: header(),
            min_safe_point: state.safepoints.values().min().copied().unwrap_or_default(),
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
        batch_scan_regions: pdpb::BatchScanRegionsRequest => pdpb::BatchScanRegionsResponse,
        ask_batch_split: pdpb::AskBatchSplitRequest => pdpb::AskBatchSplitResponse,
        report_batch_split: pdpb::ReportBatchSplitRequest => pdpb::ReportBatchSplitResponse,
        get_cluster_config: pdpb::GetClusterConfigRequest => pdpb::GetClusterConfigResponse,
        scatter_region: pdpb::ScatterRegionRequest => pdpb::ScatterRegionResponse,
        get_gc_safe_point: pdpb::GetGcSafePointRequest => pdpb::GetGcSafePointResponse,
        update_gc_safe_point: pdpb::UpdateGcSafePointRequest => pdpb::UpdateGcSafePointResponse,
        get_operator: pdpb::GetOperatorRequest => pdpb::GetOperatorResponse,
        split_regions: pdpb::SplitRegionsRequest => pdpb::SplitRegionsResponse,
        get_min_ts: pdpb::GetMinTsRequest => pdpb::GetMinTsResponse,
    }
}

#[tonic::async_trait]
impl tikvpb::tikv_server::Tikv for Service {
    type BatchCommandsStream = Streamed<tikvpb::BatchCommandsResponse>;

    async fn kv_scan(
        &self,
        request: Request<kv::ScanRequest>,
    ) -> Result<Response<kv::ScanResponse>, Status> {
        let request = request.into_inner();
        let state = self.cluster.state();
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

    async fn kv_scan_lock(
        &self,
        request: Request<kv::ScanLockRequest>,
    ) -> Result<Response<kv::ScanLockResponse>, Status> {
        let request = request.into_inner();
        let mut state = self.cluster.state();
        state.lock_scans += 1;
        let locks = state
            .locks
            .range(request.start_key.clone()..)
            .take_while(|(key, _)| request.end_key.is_empty() || **key < request.end_key)
            .filter(|(_, change)| change.start_ts <= request.max_version)
            .map(|(key, change)| kv::LockInfo {
                primary_lock: key.clone(),
                lock_version: change.start_ts,
                key: key.clone(),
                lock_ttl: LOCK_TTL_MS,
                ..Default::default()
            });
        Ok(Response::new(kv::ScanLockResponse {
            locks: locks.take(request.limit as usize).collect(),
            ..Default::default()
        }))
    }

    /// The lock is gone by then.
    async fn kv_resolve_lock(
        &self,
        _: Request<kv::ResolveLockRequest>,
    ) -> Result<Response<kv::ResolveLockResponse>, Status> {
        Ok(Response::new(kv::ResolveLockResponse::default()))
    }

    /// Each key is a transaction of its own that lives as long as its lock.
    async fn kv_check_txn_status(
        &self,
        request: Request<kv::CheckTxnStatusRequest>,
    ) -> Result<Response<kv::CheckTxnStatusResponse>, Status> {
        let request = request.into_inner();
        let state = self.cluster.state();
        let lives = |lock: &RawKv| lock.start_ts == request.lock_ts;
        let locked = state.locks.get(&request.primary_key).is_some_and(lives);
        let versions = state.versions.get(&request.primary_key);
        let committed = versions
            .into_iter()
            .flatten()
            .find(|version| version.start_ts == request.lock_ts);
        Ok(Response::new(kv::CheckTxnStatusResponse {
            lock_ttl: if locked { LOCK_TTL_MS } else { 0 },
            commit_version: committed.map_or(0, |version| version.commit_ts),
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
        kv_check_secondary_locks: kv::CheckSecondaryLocksRequest => kv::CheckSecondaryLocksResponse,
        kv_commit: kv::CommitRequest => kv::CommitResponse,
        kv_cleanup: kv::CleanupRequest => kv::CleanupResponse,
        kv_batch_get: kv::BatchGetRequest => kv::BatchGetResponse,
        kv_batch_rollback: kv::BatchRollbackRequest => kv::BatchRollbackResponse,
        kv_gc: kv::GcRequest => kv::GcResponse,
        kv_delete_range: kv::DeleteRangeRequest => kv::DeleteRangeResponse,
        unsafe_destroy_range: kv::UnsafeDestroyRangeRequest => kv::UnsafeDestroyRangeResponse,
        split_region: kv::SplitRegionRequest => kv::SplitRegionResponse,
    }
}

#[tonic::async_trait]
impl cdcpb::change_data_server::ChangeData for Service {
    type EventFeedStream = Streamed<cdcpb::ChangeDataEvent>;
    type EventFeedV2Stream = Streamed<cdcpb::ChangeDataEvent>;

    async fn event_feed(
        &self,
        requests: Request<Streaming<cdcpb::ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedStream>, Status> {
        Ok(Response::new(self.follow(requests.into_inner())))
    }

    async fn event_feed_v2(
        &self,
        requests: Request<Streaming<cdcpb::ChangeDataRequest>>,
    ) -> Result<Response<Self::EventFeedV2Stream>, Status> {
        match self.cluster.state().stores[self.store as usize - 1].multiplexes {
            true => {}
            false => return Err(Status::unimplemented("EventFeedV2")),
        }
        Ok(Response::new(self.follow(requests.into_inner())))
    }
}

impl Service {
    fn stores(&self) -> Vec<metapb::Store> {
        let state = self.cluster.state();
        let stores = state.stores.iter().zip(1..);
        let stores = stores.map(|(store, id)| metapb::Store {
            id,
            address: store.address.clone(),
            version: "8.5.3".to_owned(),
            ..Default::default()
        });
        stores.collect()
    }

    fn follow(
        &self,
        mut requests: Streaming<cdcpb::ChangeDataRequest>,
    ) -> Streamed<cdcpb::ChangeDataEvent> {
        let (out, events) = mpsc::unbounded_channel();
        let this = self.clone();
        tokio::spawn(async move {
            let stream = this.cluster.state().new_id();
            while let Some(Ok(request)) = requests.next().await {
                if out.is_closed() {
                    break;
                }
                let mut state = this.cluster.state();
                match &request.request {
                    Some(change_data_request::Request::Deregister(_)) => {
                        state.deregister(stream, &request);
                    }
                    _ => state.register(
                        Reader::new(this.store, stream, &request, out.clone()),
                        &request,
                    ),
                }
            }
            let mut state = this.cluster.state();
            state.readers.retain(|reader| reader.stream != stream);
        });
        Box::pin(UnboundedReceiverStream::new(events))
    }
}

impl State {
    /// With region 0 all of a request.
    fn deregister(&mut self, stream: u64, request: &cdcpb::ChangeDataRequest) {
        self.readers.retain(|reader| {
            (reader.stream, reader.request) != (stream, request.request_id)
                || request.region_id != 0 && reader.region != request.region_id
        });
    }

    fn register(&mut self, mut reader: Reader, request: &cdcpb::ChangeDataRequest) {
        let id = request.region_id;
        let Some(region) = self.regions.iter_mut().find(|region| region.id == id) else {
            return reader.refuse(region_not_found(id));
        };
        if region.leader != reader.store {
            let leader = region.peer(region.leader);
            return reader.refuse(not_leader(id, Some(leader)));
        }
        if request.region_epoch.as_ref().map(|epoch| epoch.version) != Some(region.version) {
            let current = vec![region.meta()];
            return reader.refuse(epoch_not_match(current));
        }
        if region.busy > 0 {
            region.busy -= 1;
            return reader.refuse(cdcpb::Error {
                server_is_busy: Some(errorpb::ServerIsBusy::default()),
                ..Default::default()
            });
        }
        let within = region.start <= reader.range.0
            && (region.end.is_empty()
                || !reader.range.1.is_empty() && reader.range.1 <= region.end);
        if !within {
            self.wrong
                .push(format!("a range outside of region {id}: {reader:?}"));
        }
        if self.eager {
            while !reader.is_initialized() {
                reader.scan(&self.versions, &self.locks);
            }
        } else if let Some(other) = self.readers.iter().find(|other| other.overlaps(&reader)) {
            self.wrong
                .push(format!("{reader:?} is registered beside {other:?}"));
        }
        self.readers.push(reader);
    }
}
