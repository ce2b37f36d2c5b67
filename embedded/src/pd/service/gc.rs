//! GC safepoints.

use proto::pdpb;
use tonic::{Request, Response, Status};

use super::{Answer, Service};
use crate::pd::gc::ServiceSafePoint;
use crate::pd::tso;

impl Service {
    pub(super) async fn get_gc_safe_point(
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

    pub(super) async fn update_gc_safe_point(
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

    pub(super) async fn update_service_gc_safe_point(
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
}
