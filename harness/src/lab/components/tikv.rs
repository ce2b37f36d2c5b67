use proto::kvrpcpb::{Context, GetRequest};
use proto::metapb::StoreState;
use proto::pdpb::pd_client::PdClient;
use proto::pdpb::{GetAllStoresRequest, GetMembersRequest, GetRegionRequest, RequestHeader};
use proto::tikvpb::tikv_client::TikvClient;

use super::{Endpoint, Implementation, Scheme, Spec, text};
use crate::lab::topology::{Kind, Topology};

/// How closely resolved-ts follow. A lab is watched by people and tests.
const RESOLVED_TS_INTERVAL: &str = "20ms";

pub(super) const TIKV: Spec = Spec {
    needs: &[Kind::Pd],
    uses: &[],
    implementation: Implementation::Embedded,
    java: false,
    endpoints: |_, _| {
        const {
            &[
                Endpoint::new("grpc", 12160, Scheme::Other),
                Endpoint::new("status", 12180, Scheme::Http),
            ]
        }
    },
    plan: |context| {
        let version = context.component(Kind::Tikv)?.version.clone();
        let options = vec![
            ("--pd", context.topology.url(Kind::Pd, "client")?),
            ("--addr", context.topology.address(Kind::Tikv, "grpc")?),
            (
                "--status-addr",
                context.topology.address(Kind::Tikv, "status")?,
            ),
            (
                "--data-dir",
                context.paths.data(Kind::Tikv).display().to_string(),
            ),
            ("--version", version.clone()),
            ("--cdc-min-ts-interval", RESOLVED_TS_INTERVAL.to_owned()),
        ];
        Ok(context.ours(&context.programs.get()?.embedded, "tikv", options, version))
    },
    before: None,
    // Its store is up in PD, and it answers a read in the first region.
    ready: |topology| Box::pin(ready(topology)),
};

async fn ready(topology: &Topology) -> Result<(), String> {
    let pd = topology.url(Kind::Pd, "client").map_err(text)?;
    let address = topology.address(Kind::Tikv, "grpc").map_err(text)?;
    let mut client = PdClient::connect(pd).await.map_err(text)?;
    let members = client
        .get_members(GetMembersRequest::default())
        .await
        .map_err(text)?;
    let cluster_id = members.into_inner().header.map(|header| header.cluster_id);
    let header = Some(RequestHeader {
        cluster_id: cluster_id.unwrap_or_default(),
        ..Default::default()
    });
    let stores = GetAllStoresRequest {
        header: header.clone(),
        ..Default::default()
    };
    let stores = client
        .get_all_stores(stores)
        .await
        .map_err(text)?
        .into_inner()
        .stores;
    let up = |state: StoreState, found: &str| state == StoreState::Up && found == address;
    if !stores.iter().any(|store| up(store.state(), &store.address)) {
        return Err(format!("PD knows no store at {address} that is up"));
    }
    let key: &[u8] = b"cdclab/ready";
    let region = GetRegionRequest {
        header,
        region_key: key.into(),
        ..Default::default()
    };
    let found = client.get_region(region).await.map_err(text)?.into_inner();
    let (Some(region), Some(leader)) = (found.region, found.leader) else {
        return Err("the first region has no leader".to_owned());
    };
    let mut store = TikvClient::connect(format!("http://{address}"))
        .await
        .map_err(text)?;
    let get = GetRequest {
        context: Some(Context {
            region_id: region.id,
            region_epoch: region.region_epoch,
            peer: Some(leader),
            ..Default::default()
        }),
        key: key.into(),
        version: u64::MAX,
    };
    let reply = store.kv_get(get).await.map_err(text)?.into_inner();
    match (reply.region_error, reply.error) {
        (None, None) => Ok(()),
        (Some(error), _) => Err(format!("it refuses a read: {error:?}")),
        (None, Some(error)) => Err(format!("it refuses a read: {error:?}")),
    }
}
