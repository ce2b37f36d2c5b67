//! Who the store is: remembered in its folder, made known to PD.

use std::net::SocketAddr;
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

/// The stores' own ids.
#[derive(Clone, PartialEq, prost::Message)]
struct Identity {
    #[prost(uint64, tag = "1")]
    cluster_id: u64,
    #[prost(uint64, tag = "2")]
    store_id: u64,
    /// Of further addresses, in their order.
    #[prost(uint64, repeated, tag = "3")]
    other_stores: Vec<u64>,
}

/// Stores that PD knows.
pub(crate) struct Registered {
    /// One for each address.
    pub(crate) store_ids: Vec<u64>,
    pub(crate) regions: Vec<Region>,
}

fn region_name(id: u64) -> Bytes {
    format!("{REGIONS}{id:020}").into()
}

/// Removes what is written down of a region.
pub(crate) fn forget(changes: &mut Changes, region: u64) {
    changes.remove(Cf::Meta, region_name(region));
}

/// Writes regions down, as part of a write.
pub(crate) fn remember<'a>(changes: &mut Changes, regions: impl IntoIterator<Item = &'a Region>) {
    for region in regions {
        changes.put(
            Cf::Meta,
            region_name(region.id()),
            region.meta.encode_to_vec().into(),
        );
    }
}

/// Registers the stores at PD. The first store of a cluster founds it, with one region over all keys.
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
    let store_ids = stores_of(engine, pd, identity, args.addr.len()).await?;
    let stores = store_ids.iter().zip(&args.addr);
    let mut stores: Vec<metapb::Store> = stores.map(|(id, addr)| store(*id, *addr, args)).collect();
    if !founded {
        let first = regions.first().map(|region| region.meta.clone());
        let store = stores.first().cloned().unwrap_or_default();
        match pd.bootstrap(store, first.unwrap_or_default()).await {
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
    for store in stores.drain(..) {
        pd.put_store(store).await?;
    }
    let regions = spread(engine, pd, regions, &store_ids).await?;
    Ok(Registered { store_ids, regions })
}

/// The ids of so many stores; new ones are written down before PD hears of them.
async fn stores_of(
    engine: &Engine,
    pd: &PdLink,
    mut identity: Identity,
    count: usize,
) -> Result<Vec<u64>, Error> {
    let known = identity.other_stores.len();
    while identity.other_stores.len() + 1 < count {
        identity.other_stores.push(pd.alloc_id().await?);
    }
    if identity.other_stores.len() > known {
        let mut changes = Changes::default();
        changes.put(
            Cf::Meta,
            Bytes::from(IDENTITY),
            identity.encode_to_vec().into(),
        );
        engine.apply(changes).await?;
    }
    let all = std::iter::once(identity.store_id).chain(identity.other_stores);
    Ok(all.take(count).collect())
}

/// Gives every region a peer on each of the stores, and on no other.
async fn spread(
    engine: &Engine,
    pd: &PdLink,
    regions: Vec<Region>,
    stores: &[u64],
) -> Result<Vec<Region>, Error> {
    let mut changes = Changes::default();
    let mut spread = Vec::with_capacity(regions.len());
    for region in regions {
        let mut ids = Vec::new();
        for store in stores {
            if region.peer_on(*store).is_none() {
                ids.push(pd.alloc_id().await?);
            }
        }
        let moved = region.on_stores(stores, &mut ids.into_iter());
        if moved != region {
            remember(&mut changes, [&moved]);
        }
        spread.push(moved);
    }
    engine.apply(changes).await?;
    Ok(spread)
}

/// Gets ids for the store and its first region, and writes them down before PD hears of them: a start that is interrupted
/// goes on where it was.
async fn found(engine: &Engine, pd: &PdLink) -> Result<Identity, Error> {
    let identity = Identity {
        cluster_id: pd.cluster_id,
        store_id: pd.alloc_id().await?,
        other_stores: Vec::new(),
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

fn store(id: u64, addr: SocketAddr, args: &Args) -> metapb::Store {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let folder = std::env::current_exe().ok();
    let folder = folder.as_deref().and_then(Path::parent);
    metapb::Store {
        id,
        address: addr.to_string(),
        peer_address: addr.to_string(),
        status_address: args.status_addr.to_string(),
        version: args.version.trim_start_matches('v').to_owned(),
        start_timestamp: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        deploy_path: folder.map(|f| f.display().to_string()).unwrap_or_default(),
        node_state: metapb::NodeState::Serving.into(),
        ..Default::default()
    }
}
