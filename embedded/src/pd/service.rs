//! PD's gRPC service (`pdpb.PD`).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proto::pdpb::pd_server::Pd;
use proto::{metapb, pdpb};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::cluster::Cluster;
use super::gc::ServiceSafePoint;
use super::regions::RegionInfo;
use super::{Error, tso};

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Answers that a slow client may leave unread before its stream waits.
const STREAM_BUFFER: usize = 64;
/// How long `SplitRegions` waits for the stores.
const SPLIT_WAIT: Duration = Duration::from_secs(10);
const SPLIT_POLL: Duration = Duration::from_millis(20);

/// The service over a cluster.
#[derive(Clone)]
pub struct Service {
    cluster: Arc<Cluster>,
}

impl Service {
    /// The service over a cluster.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    fn header(&self) -> Option<pdpb::ResponseHeader> {
        Some(pdpb::ResponseHeader {
            cluster_id: self.cluster.id,
            error: None,
        })
    }

    fn refusal(&self, kind: pdpb::ErrorType, message: String) -> Option<pdpb::ResponseHeader> {
        let error = Some(pdpb::Error {
            r#type: kind.into(),
            message,
        });
        Some(pdpb::ResponseHeader {
            cluster_id: self.cluster.id,
            error,
        })
    }

    /// Every request but `GetMembers` and `GetClusterInfo` has to name the cluster, and needs a leader.
    fn check(&self, header: Option<&pdpb::RequestHeader>) -> Result<(), Error> {
        let got = header.map_or(0, |header| header.cluster_id);
        if got != self.cluster.id {
            return Err(Error::ClusterId {
                need: self.cluster.id,
                got,
            });
        }
        self.cluster.check_leader()
    }

    fn bootstrapped(&self) -> bool {
        self.cluster.read(|state| state.bootstrapped_at.is_some())
    }

    fn not_bootstrapped(&self) -> Option<pdpb::ResponseHeader> {
        let kind = pdpb::ErrorType::NotBootstrapped;
        (!self.bootstrapped())
            .then(|| self.refusal(kind, "cluster is not bootstrapped".to_owned()))?
    }

    fn region_answer(&self, info: Option<&RegionInfo>) -> pdpb::GetRegionResponse {
        let (region, leader) = info.map(|info| (info.meta.clone(), info.leader)).unzip();
        pdpb::GetRegionResponse {
            header: self.header(),
            region,
            leader,
            ..Default::default()
        }
    }

    async fn timestamp(&self, request: &pdpb::TsoRequest) -> Result<pdpb::TsoResponse, Error> {
        self.check(request.header.as_ref())?;
        if !matches!(request.dc_location.as_str(), "" | "global") {
            return Err(Error::TsoLocation(request.dc_location.clone()));
        }
        let timestamp = self.cluster.oracle.take(request.count).await?;
        Ok(pdpb::TsoResponse {
            header: self.header(),
            count: request.count,
            timestamp: Some(timestamp),
        })
    }

    async fn heartbeats(
        self,
        mut requests: Streaming<pdpb::RegionHeartbeatRequest>,
        orders: mpsc::Sender<pdpb::RegionHeartbeatResponse>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            self.check(request.header.as_ref())?;
            let Some(meta) = request.region else {
                return Err(Status::invalid_argument(
                    "a region heartbeat without a region",
                ));
            };
            let leader = request.leader.unwrap_or_default();
            self.cluster.connect_store(leader.store_id, orders.clone());
            let info = RegionInfo {
                meta,
                leader,
                approximate_size: request.approximate_size,
                approximate_keys: request.approximate_keys,
            };
            if let Err(error) = self.cluster.put_regions(vec![info]).await {
                tracing::warn!(%error, "a region could not be stored");
            }
        }
        Ok(())
    }

    /// Orders the stores to split at those keys, and waits until they have.
    async fn split(&self, keys: &[bytes::Bytes]) -> Result<(u64, Vec<u64>), Error> {
        let mut by_region: BTreeMap<u64, (RegionInfo, Vec<bytes::Bytes>)> = BTreeMap::new();
        self.cluster.read(|state| {
            for key in keys {
                if let Some(info) = state
                    .regions
                    .by_key(key)
                    .filter(|info| info.meta.start_key != key)
                {
                    by_region
                        .entry(info.meta.id)
                        .or_insert_with(|| (info.clone(), Vec::new()))
                        .1
                        .push(key.clone());
                }
            }
        });
        for (info, keys) in by_region.into_values() {
            let order = pdpb::RegionHeartbeatResponse {
                header: self.header(),
                region_id: info.meta.id,
                region_epoch: info.meta.region_epoch,
                target_peer: Some(info.leader),
                split_region: Some(pdpb::SplitRegion {
                    policy: pdpb::CheckPolicy::Usekey.into(),
                    keys,
                }),
                ..Default::default()
            };
            if !self.cluster.order(info.leader.store_id, order).await {
                return Err(Error::StoreAway {
                    store: info.leader.store_id,
                });
            }
        }
        let done = || {
            self.cluster.read(|state| {
                keys.iter()
                    .filter_map(|key| {
                        state
                            .regions
                            .by_key(key)
                            .filter(|info| info.meta.start_key == key)
                    })
                    .map(|info| info.meta.id)
                    .collect::<Vec<_>>()
            })
        };
        let deadline = tokio::time::Instant::now() + SPLIT_WAIT;
        let mut finished = done();
        while finished.len() < keys.len() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(SPLIT_POLL).await;
            finished = done();
        }
        let percentage = (finished.len() * 100)
            .checked_div(keys.len())
            .unwrap_or(100);
        Ok((u64::try_from(percentage).unwrap_or(100), finished))
    }
}

#[tonic::async_trait]
impl Pd for Service {
    type TsoStream = Answers<pdpb::TsoResponse>;
    type RegionHeartbeatStream = Answers<pdpb::RegionHeartbeatResponse>;

    async fn get_cluster_info(
        &self,
        _request: Request<pdpb::GetClusterInfoRequest>,
    ) -> Answer<pdpb::GetClusterInfoResponse> {
        Ok(Response::new(pdpb::GetClusterInfoResponse {
            header: self.header(),
            service_modes: vec![pdpb::ServiceMode::PdSvcMode.into()],
            tso_urls: Vec::new(),
        }))
    }

    async fn get_members(
        &self,
        _request: Request<pdpb::GetMembersRequest>,
    ) -> Answer<pdpb::GetMembersResponse> {
        let member = self.cluster.leadership.member().clone();
        let leader = self.cluster.leadership.leads().then(|| member.clone());
        Ok(Response::new(pdpb::GetMembersResponse {
            header: self.header(),
            members: vec![member],
            etcd_leader: leader.clone(),
            leader,
            tso_allocator_leaders: Default::default(),
        }))
    }

    async fn tso(&self, request: Request<Streaming<pdpb::TsoRequest>>) -> Answer<Self::TsoStream> {
        let service = self.clone();
        let requests = request.into_inner();
        let answers = requests.then(move |request| {
            let service = service.clone();
            async move { Ok(service.timestamp(&request?).await?) }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn bootstrap(
        &self,
        request: Request<pdpb::BootstrapRequest>,
    ) -> Answer<pdpb::BootstrapResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (store, region) = (
            request.store.unwrap_or_default(),
            request.region.unwrap_or_default(),
        );
        let header = match self.cluster.bootstrap(store, region).await {
            Ok(()) => self.header(),
            Err(error @ Error::AlreadyBootstrapped) => {
                self.refusal(pdpb::ErrorType::AlreadyBootstrapped, error.to_string())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Response::new(pdpb::BootstrapResponse { header }))
    }

    async fn is_bootstrapped(
        &self,
        request: Request<pdpb::IsBootstrappedRequest>,
    ) -> Answer<pdpb::IsBootstrappedResponse> {
        self.check(request.into_inner().header.as_ref())?;
        let bootstrapped = self.bootstrapped();
        Ok(Response::new(pdpb::IsBootstrappedResponse {
            header: self.header(),
            bootstrapped,
        }))
    }

    async fn alloc_id(
        &self,
        request: Request<pdpb::AllocIdRequest>,
    ) -> Answer<pdpb::AllocIdResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let count = request.count.max(1);
        let id = self.cluster.ids.take(count).await?;
        Ok(Response::new(pdpb::AllocIdResponse {
            header: self.header(),
            id,
            count,
        }))
    }

    async fn is_snapshot_recovering(
        &self,
        request: Request<pdpb::IsSnapshotRecoveringRequest>,
    ) -> Answer<pdpb::IsSnapshotRecoveringResponse> {
        self.check(request.into_inner().header.as_ref())?;
        let header = self.header();
        Ok(Response::new(pdpb::IsSnapshotRecoveringResponse {
            header,
            marked: false,
        }))
    }

    async fn get_store(
        &self,
        request: Request<pdpb::GetStoreRequest>,
    ) -> Answer<pdpb::GetStoreResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetStoreResponse {
                header,
                ..Default::default()
            }));
        }
        let id = request.store_id;
        let found = self.cluster.read(|state| state.stores.get(&id).cloned());
        Ok(Response::new(match found {
            Some(info) => pdpb::GetStoreResponse {
                header: self.header(),
                store: Some(info.meta),
                stats: Some(info.stats.unwrap_or_default()),
            },
            None => {
                let message = format!("invalid store ID {id}, not found");
                let header = self.refusal(pdpb::ErrorType::Unknown, message);
                pdpb::GetStoreResponse {
                    header,
                    ..Default::default()
                }
            }
        }))
    }

    async fn put_store(
        &self,
        request: Request<pdpb::PutStoreRequest>,
    ) -> Answer<pdpb::PutStoreResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::PutStoreResponse { header }));
        }
        let header = match self
            .cluster
            .put_store(request.store.unwrap_or_default())
            .await
        {
            Ok(()) => self.header(),
            Err(error @ Error::DuplicateStore { .. }) => {
                self.refusal(pdpb::ErrorType::Unknown, error.to_string())
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Response::new(pdpb::PutStoreResponse { header }))
    }

    async fn get_all_stores(
        &self,
        request: Request<pdpb::GetAllStoresRequest>,
    ) -> Answer<pdpb::GetAllStoresResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetAllStoresResponse {
                header,
                stores: Vec::new(),
            }));
        }
        let tombstone = i32::from(metapb::StoreState::Tombstone);
        let stores = self.cluster.read(|state| {
            let stores = state.stores.values().map(|store| store.meta.clone());
            stores
                .filter(|s| !request.exclude_tombstone_stores || s.state != tombstone)
                .collect()
        });
        Ok(Response::new(pdpb::GetAllStoresResponse {
            header: self.header(),
            stores,
        }))
    }

    async fn store_heartbeat(
        &self,
        request: Request<pdpb::StoreHeartbeatRequest>,
    ) -> Answer<pdpb::StoreHeartbeatResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let stats = request.stats.unwrap_or_default();
        let id = stats.store_id;
        Ok(Response::new(match self.cluster.store_heartbeat(stats) {
            Some(cluster_version) => pdpb::StoreHeartbeatResponse {
                header: self.header(),
                cluster_version,
            },
            None => {
                let message = format!("store {id} not found");
                let header = self.refusal(pdpb::ErrorType::Unknown, message);
                pdpb::StoreHeartbeatResponse {
                    header,
                    cluster_version: String::new(),
                }
            }
        }))
    }

    async fn region_heartbeat(
        &self,
        request: Request<Streaming<pdpb::RegionHeartbeatRequest>>,
    ) -> Answer<Self::RegionHeartbeatStream> {
        let (orders, outbox) = mpsc::channel(STREAM_BUFFER);
        let service = self.clone();
        let requests = request.into_inner();
        let (ended, end) = mpsc::channel(1);
        tokio::spawn(async move {
            if let Err(status) = service.heartbeats(requests, orders).await {
                // The stream is gone when nobody takes the status.
                let _ = ended.send(Err(status)).await;
            }
        });
        let answers = ReceiverStream::new(outbox)
            .map(Ok)
            .merge(ReceiverStream::new(end));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetRegionResponse {
                header,
                ..Default::default()
            }));
        }
        let key = request.region_key;
        Ok(Response::new(self.cluster.read(|state| {
            self.region_answer(state.regions.by_key(&key))
        })))
    }

    async fn get_prev_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetRegionResponse {
                header,
                ..Default::default()
            }));
        }
        let key = request.region_key;
        Ok(Response::new(self.cluster.read(|state| {
            self.region_answer(state.regions.before(&key))
        })))
    }

    async fn get_region_by_id(
        &self,
        request: Request<pdpb::GetRegionByIdRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetRegionResponse {
                header,
                ..Default::default()
            }));
        }
        let id = request.region_id;
        Ok(Response::new(
            self.cluster
                .read(|state| self.region_answer(state.regions.by_id(id))),
        ))
    }

    async fn scan_regions(
        &self,
        request: Request<pdpb::ScanRegionsRequest>,
    ) -> Answer<pdpb::ScanRegionsResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::ScanRegionsResponse {
                header,
                ..Default::default()
            }));
        }
        let regions = self.cluster.read(|state| {
            let found = state
                .regions
                .scan(&request.start_key, &request.end_key, request.limit);
            found.into_iter().map(region_of).collect::<Vec<_>>()
        });
        Ok(Response::new(pdpb::ScanRegionsResponse {
            header: self.header(),
            region_metas: regions
                .iter()
                .filter_map(|region| region.region.clone())
                .collect(),
            leaders: regions.iter().filter_map(|region| region.leader).collect(),
            regions,
        }))
    }

    async fn batch_scan_regions(
        &self,
        request: Request<pdpb::BatchScanRegionsRequest>,
    ) -> Answer<pdpb::BatchScanRegionsResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::BatchScanRegionsResponse {
                header,
                regions: Vec::new(),
            }));
        }
        if request
            .ranges
            .windows(2)
            .any(|pair| pair[1].start_key < pair[0].end_key || pair[0].end_key.is_empty())
        {
            let message = "invalid key range, ranges overlapped or out of order".to_owned();
            let header = self.refusal(pdpb::ErrorType::Unknown, message);
            return Ok(Response::new(pdpb::BatchScanRegionsResponse {
                header,
                regions: Vec::new(),
            }));
        }
        let scanned = self.cluster.read(|state| {
            let mut regions: Vec<pdpb::Region> = Vec::new();
            for range in &request.ranges {
                let found = state
                    .regions
                    .scan(&range.start_key, &range.end_key, request.limit);
                if request.contain_all_key_range && !covers(&found, range, request.limit) {
                    return None;
                }
                for info in found {
                    let known = regions.last().and_then(|last| last.region.as_ref());
                    if known.is_none_or(|known| known.id != info.meta.id) {
                        regions.push(region_of(info));
                    }
                }
            }
            if let Some(limit) = usize::try_from(request.limit)
                .ok()
                .filter(|&limit| limit > 0)
            {
                regions.truncate(limit);
            }
            Some(regions)
        });
        Ok(Response::new(match scanned {
            Some(regions) => pdpb::BatchScanRegionsResponse {
                header: self.header(),
                regions,
            },
            None => {
                let kind = pdpb::ErrorType::RegionsNotContainAllKeyRange;
                let header = self.refusal(kind, "found a hole in the key ranges".to_owned());
                pdpb::BatchScanRegionsResponse {
                    header,
                    regions: Vec::new(),
                }
            }
        }))
    }

    async fn ask_batch_split(
        &self,
        request: Request<pdpb::AskBatchSplitRequest>,
    ) -> Answer<pdpb::AskBatchSplitResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let Some(region) = request.region else {
            return Err(Status::invalid_argument("missing region for split"));
        };
        let peers = region.peers.len();
        let mut ids = Vec::new();
        for _ in 0..request.split_count {
            let new_region_id = self.cluster.ids.take(1).await?;
            let mut new_peer_ids = Vec::with_capacity(peers);
            for _ in 0..peers {
                new_peer_ids.push(self.cluster.ids.take(1).await?);
            }
            ids.push(pdpb::SplitId {
                new_region_id,
                new_peer_ids,
            });
        }
        Ok(Response::new(pdpb::AskBatchSplitResponse {
            header: self.header(),
            ids,
        }))
    }

    async fn report_batch_split(
        &self,
        request: Request<pdpb::ReportBatchSplitRequest>,
    ) -> Answer<pdpb::ReportBatchSplitResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let regions = request.regions.into_iter().map(|meta| {
            let leader = meta.peers.first().copied().unwrap_or_default();
            RegionInfo {
                meta,
                leader,
                ..RegionInfo::default()
            }
        });
        self.cluster.put_regions(regions.collect()).await?;
        Ok(Response::new(pdpb::ReportBatchSplitResponse {
            header: self.header(),
        }))
    }

    async fn get_cluster_config(
        &self,
        request: Request<pdpb::GetClusterConfigRequest>,
    ) -> Answer<pdpb::GetClusterConfigResponse> {
        self.check(request.into_inner().header.as_ref())?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetClusterConfigResponse {
                header,
                cluster: None,
            }));
        }
        let cluster = Some(metapb::Cluster {
            id: self.cluster.id,
            max_peer_count: 1,
        });
        Ok(Response::new(pdpb::GetClusterConfigResponse {
            header: self.header(),
            cluster,
        }))
    }

    async fn scatter_region(
        &self,
        request: Request<pdpb::ScatterRegionRequest>,
    ) -> Answer<pdpb::ScatterRegionResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        // Every region has one peer: there is nothing to move.
        Ok(Response::new(pdpb::ScatterRegionResponse {
            header: self.header(),
            finished_percentage: 100,
            failed_regions_id: Vec::new(),
        }))
    }

    async fn get_gc_safe_point(
        &self,
        request: Request<pdpb::GetGcSafePointRequest>,
    ) -> Answer<pdpb::GetGcSafePointResponse> {
        self.check(request.into_inner().header.as_ref())?;
        let safe_point = self.cluster.gc.get().await?;
        Ok(Response::new(pdpb::GetGcSafePointResponse {
            header: self.header(),
            safe_point,
        }))
    }

    async fn update_gc_safe_point(
        &self,
        request: Request<pdpb::UpdateGcSafePointRequest>,
    ) -> Answer<pdpb::UpdateGcSafePointResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let new_safe_point = self.cluster.gc.advance(request.safe_point).await?;
        Ok(Response::new(pdpb::UpdateGcSafePointResponse {
            header: self.header(),
            new_safe_point,
        }))
    }

    async fn update_service_gc_safe_point(
        &self,
        request: Request<pdpb::UpdateServiceGcSafePointRequest>,
    ) -> Answer<pdpb::UpdateServiceGcSafePointResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let Ok(id) = std::str::from_utf8(&request.service_id) else {
            return Err(Status::invalid_argument("a service id that is not UTF-8"));
        };
        let now = (tso::wall_ms() / 1000).cast_signed();
        let ServiceSafePoint {
            service_id,
            expired_at,
            safe_point,
        } = self
            .cluster
            .gc
            .update_service(id, request.ttl, request.safe_point, now)
            .await?;
        Ok(Response::new(pdpb::UpdateServiceGcSafePointResponse {
            header: self.header(),
            service_id: service_id.into_bytes().into(),
            ttl: expired_at - now,
            min_safe_point: safe_point,
        }))
    }

    async fn get_operator(
        &self,
        request: Request<pdpb::GetOperatorRequest>,
    ) -> Answer<pdpb::GetOperatorResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        // Orders are carried out at once, so none is ever pending.
        let header = self.refusal(
            pdpb::ErrorType::RegionNotFound,
            "region not found".to_owned(),
        );
        Ok(Response::new(pdpb::GetOperatorResponse {
            header,
            ..Default::default()
        }))
    }

    async fn split_regions(
        &self,
        request: Request<pdpb::SplitRegionsRequest>,
    ) -> Answer<pdpb::SplitRegionsResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (finished_percentage, regions_id) = self.split(&request.split_keys).await?;
        let header = self.header();
        Ok(Response::new(pdpb::SplitRegionsResponse {
            header,
            finished_percentage,
            regions_id,
        }))
    }

    async fn get_min_ts(
        &self,
        request: Request<pdpb::GetMinTsRequest>,
    ) -> Answer<pdpb::GetMinTsResponse> {
        self.check(request.into_inner().header.as_ref())?;
        let timestamp = Some(self.cluster.oracle.take(1).await?);
        Ok(Response::new(pdpb::GetMinTsResponse {
            header: self.header(),
            timestamp,
        }))
    }
}

fn region_of(info: &RegionInfo) -> pdpb::Region {
    pdpb::Region {
        region: Some(info.meta.clone()),
        leader: Some(info.leader),
        ..Default::default()
    }
}

/// Whether regions in key order leave no hole in a range, as far as `limit` let them be looked at.
fn covers(regions: &[&RegionInfo], range: &pdpb::KeyRange, limit: i32) -> bool {
    let mut at = &range.start_key;
    for info in regions {
        if info.meta.start_key > *at {
            return false;
        }
        at = &info.meta.end_key;
    }
    let cut = usize::try_from(limit).is_ok_and(|limit| limit > 0 && regions.len() >= limit);
    let reached = !regions.is_empty()
        && (at.is_empty() || (!range.end_key.is_empty() && at >= &range.end_key));
    cut || reached
}
