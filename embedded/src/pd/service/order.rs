//! Splitting, scattering, and orders to the stores.

use proto::pdpb;
use tonic::{Request, Response, Status};

use super::{Answer, Service};
use crate::pd::operator;
use crate::pd::regions::RegionInfo;

impl Service {
    pub(super) async fn ask_batch_split(
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

    pub(super) async fn report_batch_split(
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

    pub(super) async fn scatter_region(
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

    pub(super) async fn get_operator(
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

    pub(super) async fn split_regions(
        &self,
        request: Request<pdpb::SplitRegionsRequest>,
    ) -> Answer<pdpb::SplitRegionsResponse> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let (finished_percentage, regions_id) =
            operator::split_at(&self.cluster, &request.split_keys).await?;
        let header = self.header();
        Ok(Response::new(pdpb::SplitRegionsResponse {
            header,
            finished_percentage,
            regions_id,
        }))
    }
}
