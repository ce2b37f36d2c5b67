//! PD's gRPC service (`pdpb.PD`), by subject: every call is a method of [`Service`] of the same name.

mod cluster;
mod gc;
mod order;
mod region;
mod store;
mod timestamp;

use std::pin::Pin;
use std::sync::Arc;

use proto::pdpb;
use proto::pdpb::pd_server::Pd;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::Error;
use super::cluster::Cluster;

type Answer<T> = Result<Response<T>, Status>;
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

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
}

macro_rules! serve {
    ($($rpc:ident($request:ident) -> $reply:ident,)*) => {
        #[tonic::async_trait]
        impl Pd for Service {
            type TsoStream = Answers<pdpb::TsoResponse>;
            type RegionHeartbeatStream = Answers<pdpb::RegionHeartbeatResponse>;

            async fn tso(
                &self,
                request: Request<Streaming<pdpb::TsoRequest>>,
            ) -> Answer<Self::TsoStream> {
                self.timestamps(request)
            }

            async fn region_heartbeat(
                &self,
                request: Request<Streaming<pdpb::RegionHeartbeatRequest>>,
            ) -> Answer<Self::RegionHeartbeatStream> {
                self.region_heartbeats(request)
            }

            // The methods of the subjects come before the trait's.
            $(async fn $rpc(&self, request: Request<pdpb::$request>) -> Answer<pdpb::$reply> {
                Self::$rpc(self, request).await
            })*
        }
    };
}

serve! {
    get_cluster_info(GetClusterInfoRequest) -> GetClusterInfoResponse,
    get_members(GetMembersRequest) -> GetMembersResponse,
    bootstrap(BootstrapRequest) -> BootstrapResponse,
    is_bootstrapped(IsBootstrappedRequest) -> IsBootstrappedResponse,
    alloc_id(AllocIdRequest) -> AllocIdResponse,
    is_snapshot_recovering(IsSnapshotRecoveringRequest) -> IsSnapshotRecoveringResponse,
    get_cluster_config(GetClusterConfigRequest) -> GetClusterConfigResponse,
    get_store(GetStoreRequest) -> GetStoreResponse,
    put_store(PutStoreRequest) -> PutStoreResponse,
    get_all_stores(GetAllStoresRequest) -> GetAllStoresResponse,
    store_heartbeat(StoreHeartbeatRequest) -> StoreHeartbeatResponse,
    get_region(GetRegionRequest) -> GetRegionResponse,
    get_prev_region(GetRegionRequest) -> GetRegionResponse,
    get_region_by_id(GetRegionByIdRequest) -> GetRegionResponse,
    scan_regions(ScanRegionsRequest) -> ScanRegionsResponse,
    batch_scan_regions(BatchScanRegionsRequest) -> BatchScanRegionsResponse,
    ask_batch_split(AskBatchSplitRequest) -> AskBatchSplitResponse,
    report_batch_split(ReportBatchSplitRequest) -> ReportBatchSplitResponse,
    scatter_region(ScatterRegionRequest) -> ScatterRegionResponse,
    get_operator(GetOperatorRequest) -> GetOperatorResponse,
    split_regions(SplitRegionsRequest) -> SplitRegionsResponse,
    get_gc_safe_point(GetGcSafePointRequest) -> GetGcSafePointResponse,
    update_gc_safe_point(UpdateGcSafePointRequest) -> UpdateGcSafePointResponse,
    update_service_gc_safe_point(UpdateServiceGcSafePointRequest) -> UpdateServiceGcSafePointResponse,
    get_min_ts(GetMinTsRequest) -> GetMinTsResponse,
}
