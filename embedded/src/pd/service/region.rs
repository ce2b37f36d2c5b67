//! Which regions there are.

use proto::pdpb;
use tonic::{Request, Response};

use super::{Answer, Service};
use crate::pd::regions::{RegionInfo, Regions};

impl Service {
    /// Answers with the region that `find` finds.
    fn region(
        &self,
        header: Option<&pdpb::RequestHeader>,
        find: impl FnOnce(&Regions) -> Option<&RegionInfo>,
    ) -> Answer<pdpb::GetRegionResponse> {
        self.check(header)?;
        if let header @ Some(_) = self.not_bootstrapped() {
            return Ok(Response::new(pdpb::GetRegionResponse {
                header,
                ..Default::default()
            }));
        }
        let found = self
            .cluster
            .read(|state| find(&state.regions).map(|info| (info.meta.clone(), info.leader)));
        let (region, leader) = found.unzip();
        Ok(Response::new(pdpb::GetRegionResponse {
            header: self.header(),
            region,
            leader,
            ..Default::default()
        }))
    }

    pub(super) async fn get_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.region(request.header.as_ref(), |regions| {
            regions.by_key(&request.region_key)
        })
    }

    pub(super) async fn get_prev_region(
        &self,
        request: Request<pdpb::GetRegionRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.region(request.header.as_ref(), |regions| {
            regions.before(&request.region_key)
        })
    }

    pub(super) async fn get_region_by_id(
        &self,
        request: Request<pdpb::GetRegionByIdRequest>,
    ) -> Answer<pdpb::GetRegionResponse> {
        let request = request.into_inner();
        self.region(request.header.as_ref(), |regions| {
            regions.by_id(request.region_id)
        })
    }

    pub(super) async fn scan_regions(
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

    pub(super) async fn batch_scan_regions(
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
