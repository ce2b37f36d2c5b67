//! gRPC's health checks: clients ask here whether a store that did not answer is there again.

use std::pin::Pin;

use proto::health::health_check_response::ServingStatus;
use proto::health::{HealthCheckRequest, HealthCheckResponse, health_server};
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// The service: the store is well as long as it runs.
pub(crate) struct Health {
    stop: CancellationToken,
}

type Statuses = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

impl Health {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop }
    }

    fn serving(&self) -> ServingStatus {
        match self.stop.is_cancelled() {
            true => ServingStatus::NotServing,
            false => ServingStatus::Serving,
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = Statuses;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // As in TiKV, only the server as a whole has a status.
        match request.into_inner().service.as_str() {
            "" => Ok(Response::new(response(self.serving()))),
            other => Err(Status::not_found(format!("unknown service {other:?}"))),
        }
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let now = match request.into_inner().service.as_str() {
            "" => self.serving(),
            _ => ServingStatus::ServiceUnknown,
        };
        let stop = self.stop.clone();
        let end = async move {
            stop.cancelled().await;
            Ok(response(ServingStatus::NotServing))
        };
        let statuses = tokio_stream::once(Ok(response(now))).chain(futures_util::stream::once(end));
        Ok(Response::new(Box::pin(statuses)))
    }
}
