//! Timestamps.

use proto::pdpb;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Streaming};

use super::{Answer, Answers, Service};
use crate::pd::Error;

impl Service {
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

    pub(super) fn timestamps(
        &self,
        request: Request<Streaming<pdpb::TsoRequest>>,
    ) -> Answer<Answers<pdpb::TsoResponse>> {
        let service = self.clone();
        let requests = request.into_inner();
        let answers = requests.then(move |request| {
            let service = service.clone();
            async move { Ok(service.timestamp(&request?).await?) }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    pub(super) async fn get_min_ts(
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
