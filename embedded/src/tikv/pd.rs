//! Calls to PD that a store makes.

use proto::pdpb::pd_client::PdClient;
use proto::{metapb, pdpb};
use tonic::transport::{Channel, Endpoint};

use super::Error;
use super::region::NewRegion;

const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
const CALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// PD, as this store sees it.
#[derive(Debug, Clone)]
pub(crate) struct PdLink {
    client: PdClient<Channel>,
    stream: PdClient<Channel>,
    pub(crate) cluster_id: u64,
}

macro_rules! call {
    ($link:expr, $what:literal, $call:ident, $request:expr) => {{
        let answer = $link.client.clone().$call($request).await;
        let answer = answer.map_err(|status| Error::Pd {
            what: $what,
            why: format!("{:?}: {}", status.code(), status.message()),
        })?;
        let answer = answer.into_inner();
        let error = answer
            .header
            .as_ref()
            .and_then(|header| header.error.clone());
        match error.filter(|error| error.r#type != 0) {
            None => Ok(answer),
            Some(error) => Err(Error::Refused {
                what: $what,
                kind: error.r#type(),
                why: error.message,
            }),
        }
    }};
}

impl PdLink {
    pub(crate) fn new(url: &str, cluster_id: u64) -> Result<Self, Error> {
        let address = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let endpoint = Endpoint::from_shared(address).map_err(|error| Error::PdAddress {
            address: url.to_owned(),
            why: error.to_string(),
        })?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
        Ok(Self {
            stream: PdClient::new(endpoint.connect_lazy()),
            client: PdClient::new(endpoint.timeout(CALL_TIMEOUT).connect_lazy()),
            cluster_id,
        })
    }

    pub(crate) fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader {
            cluster_id: self.cluster_id,
            ..Default::default()
        })
    }

    /// For calls that stay open.
    pub(crate) fn stream(&self) -> PdClient<Channel> {
        self.stream.clone()
    }

    pub(crate) async fn is_bootstrapped(&self) -> Result<bool, Error> {
        let request = pdpb::IsBootstrappedRequest {
            header: self.header(),
        };
        let answer = call!(
            self,
            "ask PD whether the cluster has data",
            is_bootstrapped,
            request
        )?;
        Ok(answer.bootstrapped)
    }

    pub(crate) async fn alloc_id(&self) -> Result<u64, Error> {
        let request = pdpb::AllocIdRequest {
            header: self.header(),
            count: 1,
        };
        Ok(call!(self, "get an id from PD", alloc_id, request)?.id)
    }

    pub(crate) async fn bootstrap(
        &self,
        store: metapb::Store,
        region: metapb::Region,
    ) -> Result<(), Error> {
        let request = pdpb::BootstrapRequest {
            header: self.header(),
            store: Some(store),
            region: Some(region),
        };
        call!(self, "found the cluster at PD", bootstrap, request).map(|_| ())
    }

    pub(crate) async fn put_store(&self, store: metapb::Store) -> Result<(), Error> {
        let request = pdpb::PutStoreRequest {
            header: self.header(),
            store: Some(store),
        };
        call!(self, "register the store at PD", put_store, request).map(|_| ())
    }

    pub(crate) async fn store_heartbeat(&self, stats: pdpb::StoreStats) -> Result<(), Error> {
        let request = pdpb::StoreHeartbeatRequest {
            header: self.header(),
            stats: Some(stats),
        };
        call!(self, "send PD a heartbeat", store_heartbeat, request).map(|_| ())
    }

    /// New ids for `count` parts of a region.
    pub(crate) async fn ask_split(
        &self,
        region: metapb::Region,
        count: u32,
    ) -> Result<Vec<NewRegion>, Error> {
        let peers = region.peers.len();
        let request = pdpb::AskBatchSplitRequest {
            header: self.header(),
            region: Some(region),
            split_count: count,
        };
        let answer = call!(
            self,
            "ask PD for the ids of a split",
            ask_batch_split,
            request
        )?;
        let complete = answer.ids.len() == count as usize
            && answer.ids.iter().all(|id| id.new_peer_ids.len() == peers);
        if !complete {
            return Err(Error::Pd {
                what: "ask PD for the ids of a split",
                why: format!(
                    "expected {count} regions with {peers} peers each, got {:?}",
                    answer.ids
                ),
            });
        }
        let ids = answer.ids.into_iter().map(|id| NewRegion {
            id: id.new_region_id,
            peers: id.new_peer_ids,
        });
        Ok(ids.collect())
    }

    pub(crate) async fn report_split(&self, regions: Vec<metapb::Region>) -> Result<(), Error> {
        let request = pdpb::ReportBatchSplitRequest {
            header: self.header(),
            regions,
        };
        call!(self, "report a split to PD", report_batch_split, request).map(|_| ())
    }

    /// The GC safepoint, and below which no service needs anything: GC honours both.
    pub(crate) async fn safe_points(&self) -> Result<(u64, u64), Error> {
        let request = pdpb::GetGcSafePointRequest {
            header: self.header(),
        };
        let gc = call!(
            self,
            "ask PD for the GC safepoint",
            get_gc_safe_point,
            request
        )?;
        // Removing a service that does not exist tells the minimum and changes nothing.
        let request = pdpb::UpdateServiceGcSafePointRequest {
            header: self.header(),
            service_id: "embedded-tikv".into(),
            ttl: 0,
            safe_point: 0,
        };
        let services = call!(
            self,
            "ask PD for the services' safepoints",
            update_service_gc_safe_point,
            request
        )?;
        Ok((gc.safe_point, services.min_safe_point))
    }
}
