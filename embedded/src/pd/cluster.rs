//! Stores and regions of the cluster, in memory and in etcd, where the real PD keeps them too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use proto::etcdserverpb::RequestOp;
use proto::{metapb, pdpb};
use tokio::sync::mpsc;

use super::gc::SafePoints;
use super::ids::Ids;
use super::leader::Leadership;
use super::regions::{RegionInfo, Regions, Update};
use super::tso::{Clock, Oracle};
use super::{Error, etcd};

/// Operations one etcd transaction may hold (its default limit is 128).
const TXN_OPS: usize = 100;

/// A store and its last heartbeat.
#[derive(Debug, Clone, Default)]
pub struct StoreInfo {
    /// Address, version, state; `last_heartbeat` in nanoseconds since 1970.
    pub meta: metapb::Store,
    /// What the last heartbeat said.
    pub stats: Option<pdpb::StoreStats>,
}

/// What is known of the cluster, loaded from etcd when this PD begins to lead.
#[derive(Debug, Default)]
pub struct State {
    /// When the first store registered, in nanoseconds since 1970; `None` before.
    pub bootstrapped_at: Option<u64>,
    /// By id.
    pub stores: BTreeMap<u64, StoreInfo>,
    /// All regions.
    pub regions: Regions,
}

/// Everything PD does, behind its two fronts (gRPC and HTTP).
pub struct Cluster {
    /// The id every request has to name.
    pub id: u64,
    /// Timestamps.
    pub oracle: Arc<Oracle>,
    /// Ids of stores, regions, peers.
    pub ids: Ids,
    /// GC safepoints.
    pub gc: SafePoints,
    /// Whether this PD may act.
    pub leadership: Arc<Leadership>,
    root: String,
    state: RwLock<State>,
    heartbeats: RwLock<HashMap<u64, mpsc::Sender<pdpb::RegionHeartbeatResponse>>>,
}

impl Cluster {
    /// The cluster `id`, whose keys are under `root`.
    pub fn new(id: u64, root: String, leadership: Arc<Leadership>, clock: Clock) -> Self {
        let key = format!("{root}/timestamp");
        let oracle = Arc::new(Oracle::new(leadership.clone(), key, clock));
        let ids = Ids::new(leadership.clone(), format!("{root}/alloc_id"));
        let gc = SafePoints::new(leadership.clone(), &root);
        Self {
            id,
            oracle,
            ids,
            gc,
            leadership,
            root,
            state: RwLock::default(),
            heartbeats: RwLock::default(),
        }
    }

    fn raft_key(&self) -> String {
        format!("{}/raft", self.root)
    }

    fn store_key(&self, id: u64) -> String {
        format!("{}/raft/s/{id:020}", self.root)
    }

    fn region_key(&self, id: u64) -> String {
        format!("{}/raft/r/{id:020}", self.root)
    }

    fn bootstrap_time_key(&self) -> String {
        format!("{}/raft/status/raft_bootstrap_time", self.root)
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fails unless this PD leads.
    ///
    /// # Errors
    /// [`Error::NotLeader`].
    pub fn check_leader(&self) -> Result<(), Error> {
        if self.leadership.leads() {
            Ok(())
        } else {
            Err(Error::NotLeader)
        }
    }

    /// Reads everything from etcd.
    ///
    /// # Errors
    /// When etcd cannot be read or holds something unreadable.
    pub async fn load(&self) -> Result<(), Error> {
        let etcd = self.leadership.etcd();
        let mut loaded = State::default();
        if let Some(kv) = etcd.get(&self.bootstrap_time_key()).await? {
            loaded.bootstrapped_at = Some(etcd::number(&kv)?);
        }
        let (stores, _) = etcd.list(&format!("{}/raft/s/", self.root)).await?;
        for kv in stores {
            let meta: metapb::Store = decode(&kv)?;
            loaded
                .stores
                .insert(meta.id, StoreInfo { meta, stats: None });
        }
        let (regions, _) = etcd.list(&format!("{}/raft/r/", self.root)).await?;
        for kv in regions {
            let meta: metapb::Region = decode(&kv)?;
            let leader = meta.peers.first().copied().unwrap_or_default();
            loaded.regions.put(RegionInfo {
                meta,
                leader,
                ..RegionInfo::default()
            });
        }
        self.change(|state| *state = loaded);
        Ok(())
    }

    /// Registers the first store with the first region.
    ///
    /// # Errors
    /// When the request is incomplete, the cluster is bootstrapped already, or etcd cannot be written.
    pub async fn bootstrap(
        &self,
        store: metapb::Store,
        region: metapb::Region,
    ) -> Result<(), Error> {
        if store.id == 0 || region.id == 0 || region.peers.len() != 1 {
            return Err(Error::BadBootstrap);
        }
        let now = wall_ns();
        let cluster = metapb::Cluster {
            id: self.id,
            max_peer_count: 1,
        };
        let ops = vec![
            etcd::put(&self.raft_key(), encode(&cluster)),
            etcd::put(
                &self.bootstrap_time_key(),
                now.to_be_bytes().to_vec().into(),
            ),
            etcd::put(&self.store_key(store.id), encode(&store)),
            etcd::put(&self.region_key(region.id), encode(&region)),
        ];
        if !self
            .leadership
            .write_if(vec![etcd::absent(&self.raft_key())], ops)
            .await?
        {
            return Err(Error::AlreadyBootstrapped);
        }
        self.change(|state| {
            state.bootstrapped_at = Some(now);
            let leader = region.peers.first().copied().unwrap_or_default();
            state.regions.put(RegionInfo {
                meta: region,
                leader,
                ..RegionInfo::default()
            });
            state.stores.insert(
                store.id,
                StoreInfo {
                    meta: store,
                    stats: None,
                },
            );
        });
        Ok(())
    }

    /// Takes a store in or changes what is known of it.
    ///
    /// # Errors
    /// When its address belongs to another store, or etcd cannot be written.
    pub async fn put_store(&self, store: metapb::Store) -> Result<(), Error> {
        let rival = self.read(|state| {
            state
                .stores
                .values()
                .find(|other| other.meta.id != store.id && other.meta.address == store.address)
                .map(|other| other.meta.clone())
        });
        if let Some(other) = rival {
            return Err(Error::DuplicateStore {
                address: store.address,
                id: store.id,
                other: other.id,
            });
        }
        self.leadership
            .write(vec![etcd::put(&self.store_key(store.id), encode(&store))])
            .await?;
        self.change(|state| {
            let id = store.id;
            state.stores.entry(id).or_default().meta = store;
        });
        Ok(())
    }

    /// Notes a store's heartbeat; answers the cluster version, or `None` for an unknown store.
    pub fn store_heartbeat(&self, stats: pdpb::StoreStats) -> Option<String> {
        self.change(|state| {
            let store = state.stores.get_mut(&stats.store_id)?;
            store.meta.last_heartbeat = wall_ns().cast_signed();
            store.stats = Some(stats);
            Some(())
        })?;
        Some(self.version())
    }

    /// The lowest version among the stores.
    pub fn version(&self) -> String {
        self.read(|state| {
            state
                .stores
                .values()
                .filter_map(|store| semver::Version::parse(&store.meta.version).ok())
                .min()
                .map_or_else(|| "0.0.0".to_owned(), |version| version.to_string())
        })
    }

    /// Takes reports of regions in, in memory and in etcd.
    ///
    /// # Errors
    /// When etcd cannot be written; the reports are in force in memory then, and a restarted PD learns them from the stores.
    pub async fn put_regions(&self, reports: Vec<RegionInfo>) -> Result<(), Error> {
        let ops: Vec<RequestOp> = self.change(|state| {
            let mut ops = Vec::new();
            for info in reports {
                let (key, value) = (self.region_key(info.meta.id), encode(&info.meta));
                if let Update::Changed(replaced) = state.regions.put(info) {
                    ops.extend(
                        replaced
                            .into_iter()
                            .map(|id| etcd::delete(&self.region_key(id))),
                    );
                    ops.push(etcd::put(&key, value));
                }
            }
            ops
        });
        // A key may occur once in a transaction; the last word on it counts.
        let mut last: Vec<RequestOp> = Vec::with_capacity(ops.len());
        for op in ops {
            last.retain(|earlier| op_key(earlier) != op_key(&op));
            last.push(op);
        }
        for part in last.chunks(TXN_OPS) {
            self.leadership.write(part.to_vec()).await?;
        }
        Ok(())
    }

    /// Where orders for a store go.
    pub fn connect_store(&self, store: u64, orders: mpsc::Sender<pdpb::RegionHeartbeatResponse>) {
        self.heartbeats
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(store, orders);
    }

    /// Sends an order to the store that leads a region; false if it is not connected.
    pub async fn order(&self, store: u64, order: pdpb::RegionHeartbeatResponse) -> bool {
        let orders = self
            .heartbeats
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&store)
            .cloned();
        match orders {
            Some(orders) => orders.send(order).await.is_ok(),
            None => false,
        }
    }
}

fn op_key(op: &RequestOp) -> Option<&Bytes> {
    use proto::etcdserverpb::request_op::Request;
    match op.request.as_ref()? {
        Request::RequestPut(put) => Some(&put.key),
        Request::RequestDeleteRange(delete) => Some(&delete.key),
        Request::RequestRange(_) | Request::RequestTxn(_) => None,
    }
}

fn encode(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn decode<M: Message + Default>(kv: &proto::mvccpb::KeyValue) -> Result<M, Error> {
    M::decode(kv.value.clone()).map_err(|error| {
        let key = String::from_utf8_lossy(&kv.key).into_owned();
        etcd::Error::Corrupt {
            key,
            problem: error.to_string(),
        }
        .into()
    })
}

fn wall_ns() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}
