//! TiKV's change feed, read as plainly as can be: what benches time (`spec/tikv-cdc-protocol.md §1`).

use std::collections::HashMap;
use std::ops::ControlFlow;

use futures_util::stream::select_all;
use proto::cdcpb::change_data_client::ChangeDataClient;
use proto::cdcpb::{self, event};
use proto::metapb::Region;
use proto::pdpb::pd_client::PdClient;
use proto::pdpb::{GetAllStoresRequest, GetMembersRequest, RequestHeader, ScanRegionsRequest};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

/// The release that the store is told it talks to: one that every store serves.
const CLIENT_VERSION: &str = "8.5.3";
/// What h2 lets wait on a connection, in bytes.
const WINDOW: u32 = 16 << 20;

/// Why the feed could not be read.
#[derive(Debug, Error)]
pub enum FeedError {
    /// PD or a store cannot be reached.
    #[error("reach {address}: {source}")]
    Transport {
        /// Its URL.
        address: String,
        /// The cause.
        source: tonic::transport::Error,
    },
    /// PD or a store refused.
    #[error("{what}: {status}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        status: Box<tonic::Status>,
    },
    /// A region has no leader, or moved or was split while it was read.
    #[error("read region {region}: {why}")]
    Region {
        /// Its id.
        region: u64,
        /// What is the matter.
        why: String,
    },
    /// A store ended the stream.
    #[error("read the change feed: a store ended the stream")]
    Ended,
}

/// What the feed says.
#[derive(Debug)]
pub enum Change {
    /// All regions are asked for; the first to come.
    Opened {
        /// How many there are.
        regions: usize,
    },
    /// A committed version of a key, that of an incremental scan or a live one.
    Committed(event::Row),
    /// A region's incremental scan is through.
    Initialized,
}

/// Reads every key of every region from `from` (a TSO) on, and gives each change to `on` until that breaks.
///
/// # Errors
/// [`FeedError`]; a region that changes under way is an error too: ask anew.
pub async fn follow(
    pd: &str,
    from: u64,
    mut on: impl FnMut(Change) -> ControlFlow<()>,
) -> Result<(), FeedError> {
    let (header, regions) = regions(pd).await?;
    let count = regions.values().map(|(_, regions)| regions.len()).sum();
    let mut streams = Vec::new();
    // The stores serve until the requests' streams end.
    let mut requesting = Vec::new();
    for (address, regions) in regions.into_values() {
        let (sender, requests) = mpsc::channel(regions.len());
        for region in regions {
            let request = register(header.cluster_id, region, from);
            // There is room for all of them.
            let _ = sender.try_send(request);
        }
        requesting.push(sender);
        let mut client =
            ChangeDataClient::new(channel(&address).await?).max_decoding_message_size(usize::MAX);
        let stream = client.event_feed(ReceiverStream::new(requests)).await;
        streams.push(
            stream
                .map_err(refused("open the change feed"))?
                .into_inner(),
        );
    }
    if on(Change::Opened { regions: count }).is_break() {
        return Ok(());
    }
    let mut stream = select_all(streams);
    while let Some(message) = stream.next().await {
        for event in message.map_err(refused("read the change feed"))?.events {
            let rows = match event.event {
                Some(event::Event::Entries(entries)) => entries.entries,
                Some(event::Event::Error(error)) => {
                    return Err(FeedError::Region {
                        region: event.region_id,
                        why: format!("{error:?}"),
                    });
                }
                _ => continue,
            };
            for row in rows {
                let change = match row.r#type() {
                    event::LogType::Initialized => Change::Initialized,
                    event::LogType::Committed | event::LogType::Commit => Change::Committed(row),
                    _ => continue,
                };
                if on(change).is_break() {
                    return Ok(());
                }
            }
        }
    }
    Err(FeedError::Ended)
}

fn refused(what: &'static str) -> impl Fn(tonic::Status) -> FeedError {
    move |status| FeedError::Refused {
        what,
        status: Box::new(status),
    }
}

async fn channel(url: &str) -> Result<Channel, FeedError> {
    let failed = |source| FeedError::Transport {
        address: url.to_owned(),
        source,
    };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(failed)?;
    let endpoint = endpoint
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW);
    endpoint.connect().await.map_err(failed)
}

fn register(cluster_id: u64, region: Region, from: u64) -> cdcpb::ChangeDataRequest {
    cdcpb::ChangeDataRequest {
        header: Some(cdcpb::Header {
            cluster_id,
            ticdc_version: CLIENT_VERSION.to_owned(),
        }),
        region_id: region.id,
        region_epoch: region.region_epoch,
        checkpoint_ts: from,
        start_key: region.start_key,
        end_key: region.end_key,
        request_id: region.id,
        request: Some(cdcpb::change_data_request::Request::Register(
            cdcpb::change_data_request::Register {},
        )),
        ..Default::default()
    }
}

/// The stores' addresses and the regions that they lead, by store id.
type Led = HashMap<u64, (String, Vec<Region>)>;

async fn regions(pd: &str) -> Result<(RequestHeader, Led), FeedError> {
    let mut pd = PdClient::new(channel(pd).await?).max_decoding_message_size(usize::MAX);
    let members = pd.get_members(GetMembersRequest::default()).await;
    let members = members.map_err(refused("ask PD for its members"))?;
    let header = RequestHeader {
        cluster_id: members.into_inner().header.unwrap_or_default().cluster_id,
        ..Default::default()
    };
    let stores = pd
        .get_all_stores(GetAllStoresRequest {
            header: Some(header.clone()),
            ..Default::default()
        })
        .await;
    let stores = stores.map_err(refused("ask PD for the stores"))?;
    let mut led: Led = stores
        .into_inner()
        .stores
        .into_iter()
        .map(|store| (store.id, (format!("http://{}", store.address), Vec::new())))
        .collect();
    let regions = pd
        .scan_regions(ScanRegionsRequest {
            header: Some(header.clone()),
            ..Default::default()
        })
        .await;
    let regions = regions.map_err(refused("ask PD for the regions"))?;
    for found in regions.into_inner().regions {
        let region = found.region.unwrap_or_default();
        let leader = found.leader.map(|peer| peer.store_id);
        match leader.and_then(|store| led.get_mut(&store)) {
            Some((_, regions)) => regions.push(region),
            None => {
                return Err(FeedError::Region {
                    region: region.id,
                    why: "it has no leader".to_owned(),
                });
            }
        }
    }
    led.retain(|_, (_, regions)| !regions.is_empty());
    Ok((header, led))
}
