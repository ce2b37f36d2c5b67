//! What TiKV took in since a timestamp, read from its change feed as any other client would.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proto::cdcpb::{self, change_data_client::ChangeDataClient, event};
use proto::metapb;
use proto::pdpb::{self, pd_client::PdClient};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// How long one reading may take.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// One committed version of a key.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) key: Vec<u8>,
    /// None for a delete.
    pub(crate) value: Option<Vec<u8>>,
    /// The value before; empty for none.
    pub(crate) old: Vec<u8>,
    pub(crate) commit_ts: u64,
}

/// A reader of the change feeds of all stores.
pub(crate) struct Feed {
    pd: PdClient<Channel>,
    header: pdpb::RequestHeader,
    stores: HashMap<u64, ChangeDataClient<Channel>>,
}

async fn channel(url: String) -> Channel {
    // Many small messages may wait while a test does something else: what h2 lets wait goes with the window.
    let endpoint = Channel::from_shared(url).unwrap();
    let endpoint = endpoint.initial_connection_window_size(256 << 20);
    endpoint.connect().await.unwrap()
}

impl Feed {
    pub(crate) async fn connect(pd: String) -> Self {
        let mut pd = PdClient::new(channel(pd).await).max_decoding_message_size(usize::MAX);
        let members = pd
            .get_members(pdpb::GetMembersRequest::default())
            .await
            .unwrap();
        let header = pdpb::RequestHeader {
            cluster_id: members.into_inner().header.unwrap().cluster_id,
            ..Default::default()
        };
        let request = pdpb::GetAllStoresRequest {
            header: Some(header.clone()),
            ..Default::default()
        };
        let mut stores = HashMap::new();
        for store in pd
            .get_all_stores(request)
            .await
            .unwrap()
            .into_inner()
            .stores
        {
            let client = ChangeDataClient::new(channel(format!("http://{}", store.address)).await);
            stores.insert(store.id, client.max_decoding_message_size(usize::MAX));
        }
        Self { pd, header, stores }
    }

    /// Every version of a raw key in `m` and `t` committed above `ts`, in commit order.
    pub(crate) async fn since(&mut self, ts: u64) -> Vec<Version> {
        let started = Instant::now();
        loop {
            let attempt = tokio::time::timeout(PATIENCE, self.attempt(ts)).await;
            let missing = match attempt {
                Ok(Ok(mut versions)) => {
                    versions.sort_by(|a, b| (a.commit_ts, &a.key).cmp(&(b.commit_ts, &b.key)));
                    return versions;
                }
                Ok(Err(missing)) => missing,
                Err(_) => "the end of a scan".to_owned(),
            };
            assert!(
                started.elapsed() < PATIENCE,
                "no reading of the feed within {} s; last: {missing}",
                PATIENCE.as_secs()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fails if a region changed under way, or a key is locked.
    async fn attempt(&mut self, ts: u64) -> Result<Vec<Version>, String> {
        let request = pdpb::ScanRegionsRequest {
            header: Some(self.header.clone()),
            ..Default::default()
        };
        let regions = self
            .pd
            .scan_regions(request)
            .await
            .unwrap()
            .into_inner()
            .regions;
        let mut by_store: HashMap<u64, Vec<metapb::Region>> = HashMap::new();
        for region in regions {
            let store = region.leader.unwrap().store_id;
            by_store
                .entry(store)
                .or_default()
                .push(region.region.unwrap());
        }
        let mut out = Vec::new();
        for (store, regions) in by_store {
            out.extend(self.scan(store, regions, ts).await?);
        }
        Ok(out)
    }

    async fn scan(
        &mut self,
        store: u64,
        regions: Vec<metapb::Region>,
        ts: u64,
    ) -> Result<Vec<Version>, String> {
        let mut open = regions.len();
        let requests: Vec<_> = regions
            .into_iter()
            .map(|region| cdcpb::ChangeDataRequest {
                header: Some(cdcpb::Header {
                    cluster_id: self.header.cluster_id,
                    ticdc_version: "8.5.3".to_owned(),
                }),
                region_id: region.id,
                region_epoch: region.region_epoch,
                checkpoint_ts: ts,
                start_key: region.start_key,
                end_key: region.end_key,
                request_id: region.id,
                request: Some(cdcpb::change_data_request::Request::Register(
                    Default::default(),
                )),
                ..Default::default()
            })
            .collect();
        // The stream of requests ends with this call: else the store would serve it for ever.
        let (registering, requests) = {
            let (sender, receiver) = mpsc::channel(requests.len());
            for request in requests {
                sender.try_send(request).unwrap();
            }
            (sender, ReceiverStream::new(receiver))
        };
        let client = self.stores.get_mut(&store).unwrap();
        let mut stream = client.event_feed(requests).await.unwrap().into_inner();
        let mut out = Vec::new();
        while open > 0 {
            let message = match stream.next().await {
                Some(Ok(message)) => message,
                Some(Err(status)) => return Err(status.to_string()),
                None => return Err("the stream ended".to_owned()),
            };
            for change in message.events {
                let entries = match change.event {
                    Some(event::Event::Entries(entries)) => entries.entries,
                    Some(event::Event::Error(error)) => return Err(format!("{error:?}")),
                    _ => continue,
                };
                for row in entries {
                    match row.r#type() {
                        event::LogType::Initialized => open -= 1,
                        // It may be committed already: other keys than the primary are so a little later.
                        event::LogType::Prewrite => {
                            return Err(format!("the end of the lock of {:?}", row.key));
                        }
                        event::LogType::Committed => out.push(Version {
                            value: (row.op_type() == event::row::OpType::Put)
                                .then(|| row.value.to_vec()),
                            key: row.key.to_vec(),
                            old: row.old_value.to_vec(),
                            commit_ts: row.commit_ts,
                        }),
                        _ => {}
                    }
                }
            }
        }
        drop(registering);
        Ok(out)
    }
}
