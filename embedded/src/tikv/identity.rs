//! Who the store is: remembered in its folder, made known to PD.

use std::path::Path;

use bytes::Bytes;
use prost::Message as _;
use proto::{metapb, pdpb};

use super::engine::{Cf, Changes, Engine};
use super::pd::PdLink;
use super::region::Region;
use super::{Args, Error};

const IDENTITY: &str = "identity";
const REGIONS: &str = "region/";

/// The store's own ids.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Identity {
    #[prost(uint64, tag = "1")]
    cluster_id: u64,
    #[prost(uint64, tag = "2")]
    store_id: u64,
}

/// A store that PD knows.
pub(crate) struct Registered {
    pub(crate) store_id: u64,
    pub(crate) regions: Vec<Region>,
}

/// Writes regions down, as part of a write.
pub(crate) fn remember<'a>(changes: &mut Changes, regions: impl IntoIterator<Item = &'a Region>) {
    for region in regions {
        let name = format!("{REGIONS}{:020}", region.id());
        changes.put(
            Cf::Meta,
            Bytes::from(name),
            region.meta.encode_to_vec().into(),
        );
    }
}

/// Registers the store at PD. The first store of a cluster founds it, with one region over all keys.
pub(crate) async fn register(
    engine: &Engine,
    pd: &PdLink,
    args: &Args,
) -> Result<Registered, Error> {
    let corrupt = |what: &str, problem: String| Error::Corrupt {
        dir: args.data_dir.clone(),
        what: what.to_owned(),
        problem,
    };
    let stored = engine.meta(IDENTITY)?;
    let stored = stored.map(Identity::decode).transpose();
    let stored = stored.map_err(|error| corrupt(IDENTITY, error.to_string()))?;
    let founded = pd.is_bootstrapped().await?;
    let identity = match stored {
        Some(identity) if identity.cluster_id != pd.cluster_id => {
            return Err(Error::OtherCluster {
                dir: args.data_dir.clone(),
                own: identity.cluster_id,
                found: pd.cluster_id,
            });
        }
        Some(identity) => identity,
        None if founded => {
            return Err(Error::DataLost {
                dir: args.data_dir.clone(),
                cluster_id: pd.cluster_id,
            });
        }
        None => found(engine, pd).await?,
    };
    let mut regions = Vec::new();
    for value in engine.meta_list(REGIONS)? {
        let meta =
            metapb::Region::decode(value).map_err(|error| corrupt("region", error.to_string()))?;
        let id = meta.id;
        let region = Region::new(meta)
            .ok_or_else(|| corrupt(&format!("region {id}"), "bounds that are no keys".into()))?;
        regions.push(region);
    }
    let store = store(identity.store_id, args);
    if !founded {
        let first = regions.first().map(|region| region.meta.clone());
        match pd.bootstrap(store.clone(), first.unwrap_or_default()).await {
            // Another store was faster.
            Err(Error::Refused {
                kind: pdpb::ErrorType::AlreadyBootstrapped,
                ..
            }) => {
                return Err(Error::DataLost {
                    dir: args.data_dir.clone(),
                    cluster_id: pd.cluster_id,
                });
            }
            outcome => outcome?,
        }
    }
    pd.put_store(store).await?;
    Ok(Registered {
        store_id: identity.store_id,
        regions,
    })
}

/// Gets ids for the store and its first region, and writes them down before PD hears of them: a start that is interrupted
/// goes on where it was.
async fn found(engine: &Engine, pd: &PdLink) -> Result<Identity, Error> {
    let identity = Identity {
        cluster_id: pd.cluster_id,
        store_id: pd.alloc_id().await?,
    };
    let first = metapb::Region {
        id: pd.alloc_id().await?,
        region_epoch: Some(metapb::RegionEpoch {
            conf_ver: 1,
            version: 1,
        }),
        peers: vec![metapb::Peer {
            id: pd.alloc_id().await?,
            store_id: identity.store_id,
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut changes = Changes::default();
    changes.put(
        Cf::Meta,
        Bytes::from(IDENTITY),
        identity.encode_to_vec().into(),
    );
    remember(&mut changes, Region::new(first).as_ref());
    engine.apply(changes).await?;
    Ok(identity)
}

fn store(id: u64, args: &Args) -> metapb::Store {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let folder = std::env::current_exe().ok();
    let folder = folder.as_deref().and_then(Path::parent);
    metapb::Store {
        id,
        address: args.addr.to_string(),
        peer_address: args.addr.to_string(),
        status_address: args.status_addr.to_string(),
        version: args.version.trim_start_matches('v').to_owned(),
        start_timestamp: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        deploy_path: folder.map(|f| f.display().to_string()).unwrap_or_default(),
        node_state: metapb::NodeState::Serving.into(),
        ..Default::default()
    }
}
