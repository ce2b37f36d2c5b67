//! The gRPC front of the change feed (`cdcpb.ChangeData`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proto::cdcpb::change_data_request::Request as Kind;
use proto::cdcpb::change_data_server::ChangeData;
use proto::cdcpb::{ChangeDataEvent, ChangeDataRequest};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::hub::Ticket;
use super::link::Link;
use super::scan::Scanner;
use super::subscription::{End, Id};
use crate::tikv::region::not_leader;
use crate::tikv::store::Store;

const FEATURES: &str = "features";
const MULTIPLEXING: &str = "stream-multiplexing";
/// Scans at the same time.
const SCANS: usize = 6;

type Events = Pin<Box<dyn Stream<Item = Result<ChangeDataEvent, Status>> + Send>>;

/// The service.
#[derive(Clone)]
pub(crate) struct FeedService {
    store: Arc<Store>,
    /// Of the address this is served at.
    store_id: u64,
    stop: CancellationToken,
    scans: Arc<Semaphore>,
    next_link: Arc<AtomicU64>,
}

impl FeedService {
    pub(crate) fn new(store: Arc<Store>, stop: CancellationToken) -> Self {
        Self {
            store,
            store_id: 0,
            stop,
            scans: Arc::new(Semaphore::new(SCANS)),
            next_link: Arc::default(),
        }
    }

    /// The service at the address of a store.
    pub(crate) fn of_store(&self, store_id: u64) -> Self {
        Self {
            store_id,
            ..self.clone()
        }
    }

    fn open(&self, requests: Streaming<ChangeDataRequest>, multiplexed: bool) -> Response<Events> {
        let id = self.next_link.fetch_add(1, Ordering::Relaxed);
        let (link, packer) = Link::new(id, multiplexed);
        // One message waits while another is on its way: what is behind them counts against the quota.
        let (out, messages) = mpsc::channel(1);
        let service = self.clone();
        tokio::spawn(async move {
            let packing = packer.run(out.clone());
            tokio::pin!(packing);
            let serving = service.clone().serve(requests, link.clone());
            let status = tokio::select! {
                // The client has gone.
                () = &mut packing => None,
                served = serving => Some(served),
                () = service.stop.cancelled() => Some(Err(Status::unavailable("Server shutdown"))),
            };
            service.store.hub.disconnect(&link);
            drop(link);
            match status {
                None => {}
                // The client wants nothing more: what is queued still reaches it.
                Some(Ok(())) => packing.await,
                Some(Err(status)) => {
                    // A client that does not read does not learn why.
                    let _ = out
                        .send_timeout(Err(status), std::time::Duration::from_secs(1))
                        .await;
                }
            }
        });
        Response::new(Box::pin(ReceiverStream::new(messages)))
    }

    /// Takes requests until the client sends no more.
    async fn serve(
        self,
        mut requests: Streaming<ChangeDataRequest>,
        link: Arc<Link>,
    ) -> Result<(), Status> {
        loop {
            let request = match requests.message().await {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(()),
                Err(status) => {
                    tracing::debug!(%status, "a change feed stream broke");
                    return Err(status);
                }
            };
            match request.request {
                None | Some(Kind::Register(_)) => self.register(&link, request),
                Some(Kind::Deregister(_)) => {
                    let hub = &self.store.hub;
                    hub.deregister(link.id, request.region_id, request.request_id);
                }
                Some(Kind::NotifyTxnStatus(_)) => {
                    return Err(Status::invalid_argument(
                        "NotifyTxnStatus is not handled (a real TiKV aborts on it)",
                    ));
                }
            }
        }
    }

    /// Checks a registration in TiKV's order, and starts its scan.
    fn register(&self, link: &Arc<Link>, request: ChangeDataRequest) {
        let header = request.header.clone().unwrap_or_default();
        let features = link.settle(&header.ticdc_version);
        let id = Id {
            link: link.id,
            region: request.region_id,
            request: request.request_id,
        };
        let cluster_id = self.store.cluster_id;
        let hub = &self.store.hub;
        let region = self.store.regions.get(request.region_id);
        let subscribed = if features.checks_cluster_id && header.cluster_id != cluster_id {
            Err(End::ClusterId {
                current: cluster_id,
                request: header.cluster_id,
            })
        } else if request.kv_api != i32::from(proto::cdcpb::change_data_request::KvApi::TiDb) {
            Err(End::Api)
        } else if hub.is_busy() {
            Err(End::Busy("too many pending incremental scans".to_owned()))
        } else if let Some(busy) = self.store.faults.take_busy(request.region_id) {
            Err(End::Busy(busy.reason))
        } else if let Some(region) = region {
            match region.leader == self.store_id {
                true => hub.subscribe(link, &request, &region),
                false => Err(End::NotLeader(not_leader(&region))),
            }
        } else {
            Err(End::RegionNotFound)
        };
        match subscribed {
            Ok(ticket) => {
                tokio::spawn(self.clone().scan(link.clone(), ticket, request));
            }
            Err(why) => link.send_always(why.event(id)),
        }
    }

    async fn scan(self, link: Arc<Link>, ticket: Ticket, request: ChangeDataRequest) {
        if let Err(why) = self.try_scan(&link, ticket, &request).await {
            self.store.hub.end(ticket, why);
        }
        self.store.hub.scan_over();
    }

    async fn try_scan(
        &self,
        link: &Arc<Link>,
        ticket: Ticket,
        request: &ChangeDataRequest,
    ) -> Result<(), End> {
        let broken = |problem: String| {
            tracing::error!(
                problem,
                region = ticket.id.region,
                "an incremental scan failed"
            );
            End::Busy(problem)
        };
        self.check_epoch(request)?;
        let turn = self.scans.clone().acquire_owned().await;
        let turn = turn.map_err(|error| broken(error.to_string()))?;
        let service = self.clone();
        let asked = request.clone();
        let begun = self.store.engine.between_writes(move |reader| {
            service.check_epoch(&asked)?;
            Ok(service.store.hub.begin(ticket).map(|begun| (reader, begun)))
        });
        let begun = begun.await.map_err(|error| broken(error.to_string()))??;
        let Some((reader, (range, filter_loop))) = begun else {
            return Ok(());
        };
        let (hub, link, checkpoint_ts) =
            (self.store.hub.clone(), link.clone(), request.checkpoint_ts);
        let runtime = tokio::runtime::Handle::current();
        let scanned = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let mut scanner = Scanner::new(reader, &range, checkpoint_ts, filter_loop);
            loop {
                let step = scanner.step()?;
                let last = step.last;
                let Some(permit) = runtime.block_on(link.step()) else {
                    return Ok(());
                };
                if !hub.scanned(ticket, step.events(), permit, last) || last {
                    return Ok::<_, crate::tikv::engine::EngineError>(());
                }
            }
        });
        match scanned.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(error.to_string())),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    fn check_epoch(&self, request: &ChangeDataRequest) -> Result<(), End> {
        let regions = &self.store.regions;
        let Some(region) = regions.get(request.region_id) else {
            return Err(End::RegionNotFound);
        };
        let epoch = request.region_epoch.as_ref();
        regions.check_epoch(&region, epoch).map_err(End::Epoch)
    }
}

#[tonic::async_trait]
impl ChangeData for FeedService {
    type EventFeedStream = Events;
    type EventFeedV2Stream = Events;

    async fn event_feed(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<Events>, Status> {
        Ok(self.open(request.into_inner(), false))
    }

    async fn event_feed_v2(
        &self,
        request: Request<Streaming<ChangeDataRequest>>,
    ) -> Result<Response<Events>, Status> {
        let mut names = Vec::new();
        for value in request.metadata().get_all(FEATURES) {
            let text = value
                .to_str()
                .map_err(|_| Status::invalid_argument("features: expected ASCII text"))?;
            names.extend(text.split(',').map(|name| name.trim().to_owned()));
        }
        names.retain(|name| !name.is_empty());
        let multiplexed = names.iter().any(|name| name == MULTIPLEXING);
        names.retain(|name| name != MULTIPLEXING);
        if !names.is_empty() {
            return Err(Status::unimplemented(names.join(",")));
        }
        Ok(self.open(request.into_inner(), multiplexed))
    }
}
