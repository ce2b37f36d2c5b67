//! Members, ids, and founding the cluster.

use proto::{metapb, pdpb};
use tonic::{Request, Response};

use super::{Answer, Service};
use crate::pd::Error;

impl Service {
    pub(super) async fn get_cluster_info(
        &self,
        _request: Request<pdpb::GetClusterInfoRequest>,
    ) -> Answer<pdpb::GetClusterInfoResponse> {
        Ok(Response::new(pdpb::GetClusterInfoResponse {
            header: self.header(),
            service_modes: vec![pdpb::ServiceMode::PdSvcMode.into()],
            tso_urls: Vec::new(),
        }))
    }

    pub(super) async fn get_members(
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

    pub(super) async fn bootstrap(
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

    pub(super) async fn is_bootstrapped(
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

    pub(super) async fn alloc_id(
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

    pub(super) async fn is_snapshot_recovering(
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

    pub(super) async fn get_cluster_config(
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
}
