//! Stores and their heartbeats.

use proto::{metapb, pdpb};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, Answers, Service};
use crate::pd::Error;
use crate::pd::regions::RegionInfo;

/// Answers that a slow client may leave unread before its stream waits.
const STREAM_BUFFER: usize = 64;

impl Service {
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

    pub(super) async fn get_store(
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

    pub(super) async fn put_store(
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

    pub(super) async fn get_all_stores(
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

    pub(super) async fn store_heartbeat(
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

    pub(super) fn region_heartbeats(
        &self,
        request: Request<Streaming<pdpb::RegionHeartbeatRequest>>,
    ) -> Answer<Answers<pdpb::RegionHeartbeatResponse>> {
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
}
