//! A cluster of which every move is commanded: PD, stores, and regions that are led by them, as far as a reader of the change feed
//! needs them (`spec/tikv-cdc-protocol.md §2`). It shares nothing with the embedded one.

#![allow(dead_code, unreachable_pub)]

mod reader;
mod serve;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use pipeline::model::{Op, RawKv, Ts};
use proto::{
    cdcpb::{self, event::LogType, event::row::OpType},
    errorpb, metapb,
};

use reader::Reader;

/// A version of a key.
#[derive(Debug)]
struct Version {
    commit_ts: Ts,
    start_ts: Ts,
    value: Option<Bytes>,
    /// Written by a reorganisation: there, and not told.
    silent: bool,
}

#[derive(Debug, Clone)]
struct Region {
    id: u64,
    version: u64,
    /// Memcomparable-encoded, as PD has them.
    start: Bytes,
    end: Bytes,
    leader: u64,
    /// Registrations that are answered ServerIsBusy.
    busy: u32,
}

#[derive(Debug)]
struct Store {
    address: String,
    /// Whether it has EventFeedV2.
    multiplexes: bool,
}

#[derive(Debug)]
struct State {
    /// How often locks were asked for.
    lock_scans: u64,
    /// The first has id 1.
    stores: Vec<Store>,
    /// By their start.
    regions: Vec<Region>,
    /// What PD answers from for some time.
    stale: (u32, Vec<Region>),
    last_id: u64,
    /// Versions by raw key, oldest first.
    versions: BTreeMap<Bytes, Vec<Version>>,
    /// Prewritten changes by raw key.
    locks: BTreeMap<Bytes, RawKv>,
    readers: Vec<Reader>,
    now: Ts,
    /// The store beside which the leader of PD is, and those beside which PD is gone.
    pd: (u64, Vec<u64>),
    /// Of services, by name.
    safepoints: BTreeMap<String, Ts>,
    /// Whether scans are made at once.
    eager: bool,
    /// What a reader must not do.
    wrong: Vec<String>,
}

/// The cluster; clones are the same one.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Mutex<State>>);

impl Cluster {
    /// One store that leads one region, and scans what is registered at once.
    pub async fn start() -> Self {
        let cluster = Self::with_stores(&[true]).await;
        cluster.state().eager = true;
        cluster
    }

    /// Stores, with EventFeedV2 or without. Beside each is a member of PD, of which the first leads. Scans are made as
    /// [`scan`](Self::scan) says.
    pub async fn with_stores(multiplex: &[bool]) -> Self {
        let state = State {
            lock_scans: 0,
            stores: Vec::new(),
            regions: vec![Region {
                id: 2,
                version: 1,
                start: Bytes::new(),
                end: Bytes::new(),
                leader: 1,
                busy: 0,
            }],
            stale: (0, Vec::new()),
            last_id: 2,
            versions: BTreeMap::new(),
            locks: BTreeMap::new(),
            readers: Vec::new(),
            now: 0,
            pd: (1, Vec::new()),
            safepoints: BTreeMap::new(),
            eager: false,
            wrong: Vec::new(),
        };
        let cluster = Self(Arc::new(Mutex::new(state)));
        for multiplexes in multiplex {
            cluster.serve(*multiplexes).await;
        }
        cluster
    }

    /// The addresses of PD's members.
    pub fn pd(&self) -> Vec<String> {
        let state = self.state();
        let url = |store: &Store| format!("http://{}", store.address);
        state.stores.iter().map(url).collect()
    }

    /// Another member of PD leads; the old leader is `gone`, or goes on and says that it leads no more.
    pub fn lead_pd(&self, n: usize, gone: bool) {
        let mut state = self.state();
        let old = state.pd.0;
        let new = (n % state.stores.len()) as u64 + 1;
        state.pd.0 = new;
        state.pd.1 = match gone && new != old {
            true => vec![old],
            false => Vec::new(),
        };
    }

    /// What services keep from garbage collection.
    pub fn safepoints(&self) -> BTreeMap<String, Ts> {
        self.state().safepoints.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a change and, unless it is silent, tells those who follow its key: prewrite and commit, as a store does.
    pub fn commit(&self, change: &RawKv, silent: bool) {
        let mut state = self.state();
        if !silent {
            state.tell(change, LogType::Prewrite);
        }
        state.write(change, silent);
        if !silent {
            state.tell(change, LogType::Commit);
        }
    }

    /// Nothing will be committed up to `ts` any more.
    pub fn resolve(&self, ts: Ts) {
        let mut state = self.state();
        state.now = state.now.max(ts);
        state
            .readers
            .iter_mut()
            .for_each(|reader| reader.resolved(ts));
    }

    /// A new timestamp.
    pub fn now(&self) -> Ts {
        let mut state = self.state();
        state.now += 1;
        state.now
    }

    /// What a reader did that it must not.
    pub fn wrong(&self) -> Vec<String> {
        self.state().wrong.clone()
    }

    /// Prewrites a key with a value that nothing else has, or a delete; false if it is locked, or there is nothing to delete.
    pub fn prewrite(&self, key: &Bytes, delete: bool) -> bool {
        let mut state = self.state();
        state.now += 1;
        let start_ts = state.now;
        state.prewrite(key, delete, start_ts)
    }

    /// Prewrites keys that are not locked in one transaction.
    pub fn prewrite_all(&self, keys: &[Bytes]) {
        let mut state = self.state();
        state.now += 1;
        let start_ts = state.now;
        for key in keys {
            assert!(state.prewrite(key, false, start_ts), "{key:?} is locked");
        }
    }

    /// The id of the region that holds a key.
    pub fn region_of(&self, key: &[u8]) -> u64 {
        let state = self.state();
        state.regions[state.place(&wrapped(key))].id
    }

    /// How often locks were asked for.
    pub fn lock_scans(&self) -> u64 {
        self.state().lock_scans
    }

    /// Commits the n-th locked key, or rolls it back.
    pub fn finish(&self, n: usize, commit: bool) {
        let key = self.state().nth_lock(n);
        if let Some(key) = key {
            self.finish_key(&key, commit);
        }
    }

    /// Commits a locked key, or rolls it back.
    pub fn finish_key(&self, key: &Bytes, commit: bool) {
        let mut state = self.state();
        let Some(mut change) = state.locks.remove(key) else {
            return;
        };
        if commit {
            state.now += 1;
            change.commit_ts = state.now;
            state.write(&change, false);
            state.tell(&change, LogType::Commit);
        } else {
            state.tell(&change, LogType::Rollback);
        }
    }

    /// How many keys are locked.
    pub fn locks(&self) -> usize {
        self.state().locks.len()
    }

    /// All changes that were committed, by key and commit-ts.
    pub fn committed(&self) -> BTreeMap<(Bytes, Ts), RawKv> {
        let state = self.state();
        let mut all = BTreeMap::new();
        for (key, versions) in &state.versions {
            let mut old = Bytes::new();
            for version in versions {
                let change = version.change(key, old);
                old = change.value.clone();
                all.insert((key.clone(), version.commit_ts), change);
            }
        }
        all
    }

    /// Cuts the region of a key there.
    pub fn split(&self, key: &[u8]) {
        let mut state = self.state();
        let at = Bytes::from(wrapped(key));
        let place = state.place(&at);
        if state.regions[place].start == at {
            return;
        }
        state.remember();
        let id = state.new_id();
        let old = &mut state.regions[place];
        old.version += 1;
        let mut right = old.clone();
        (right.id, right.start) = (id, at.clone());
        old.end = at;
        let (left_id, meta) = (old.id, vec![old.meta(), right.meta()]);
        state.regions.insert(place + 1, right);
        state.give_up(left_id, &epoch_not_match(meta));
    }

    /// Merges the n-th region into the one before it.
    pub fn merge(&self, n: usize) {
        let mut state = self.state();
        if state.regions.len() < 2 {
            return;
        }
        state.remember();
        let place = 1 + n % (state.regions.len() - 1);
        let gone = state.regions.remove(place);
        let target = &mut state.regions[place - 1];
        target.end = gone.end.clone();
        target.version = target.version.max(gone.version) + 1;
        let (id, meta) = (target.id, vec![target.meta()]);
        state.give_up(gone.id, &region_not_found(gone.id));
        state.give_up(id, &epoch_not_match(meta));
    }

    /// Another store leads the n-th region; the old one names it, or knows none.
    pub fn transfer(&self, n: usize, store: usize, named: bool) {
        let mut state = self.state();
        state.remember();
        let (stores, place) = (state.stores.len(), n % state.regions.len());
        let region = &mut state.regions[place];
        let leader = (store % stores) as u64 + 1;
        if leader == region.leader {
            return;
        }
        region.leader = leader;
        let (id, peer) = (region.id, named.then(|| region.peer(leader)));
        state.give_up(id, &not_leader(id, peer));
    }

    /// The streams of a store break.
    pub fn cut(&self, store: usize) {
        let mut state = self.state();
        let store = (store % state.stores.len()) as u64 + 1;
        let (gone, kept) = std::mem::take(&mut state.readers)
            .into_iter()
            .partition(|reader| reader.store == store);
        state.readers = kept;
        gone.into_iter().for_each(Reader::cut);
    }

    /// The next registrations in the n-th region are refused.
    pub fn busy(&self, n: usize) {
        let mut state = self.state();
        let place = n % state.regions.len();
        state.regions[place].busy = 2;
    }

    /// What is for the n-th registration waits on its way, until [`release`](Self::release).
    pub fn hold(&self, n: usize) {
        let mut state = self.state();
        let count = state.readers.len();
        if count > 0 {
            state.readers[n % count].hold();
        }
    }

    /// What is for those who follow a key waits on its way.
    pub fn hold_key(&self, key: &[u8]) {
        let mut state = self.state();
        let following = state.readers.iter_mut().filter(|reader| reader.wants(key));
        following.for_each(Reader::hold);
    }

    /// What was held goes on its way.
    pub fn release(&self) {
        self.state().readers.iter_mut().for_each(Reader::release);
    }

    /// Takes a step of the scan of the n-th registration.
    pub fn scan(&self, n: usize) {
        let mut guard = self.state();
        let state = &mut *guard;
        let count = state.readers.len();
        if count > 0 {
            state.readers[n % count].scan(&state.versions, &state.locks);
        }
    }

    /// Finishes all scans, and lets what was held go; whether all of a span is registered.
    pub fn settled(&self, start: &[u8], end: &[u8]) -> Result<(), String> {
        let mut guard = self.state();
        let state = &mut *guard;
        for reader in &mut state.readers {
            reader.release();
            while !reader.is_initialized() {
                reader.scan(&state.versions, &state.locks);
            }
        }
        drop(guard);
        self.registered(start, end)
    }

    /// Whether all of a span is registered.
    pub fn registered(&self, start: &[u8], end: &[u8]) -> Result<(), String> {
        let state = self.state();
        let mut ranges: Vec<_> = state.readers.iter().map(|reader| &reader.range).collect();
        ranges.sort();
        let (mut at, end) = (Bytes::from(wrapped(start)), wrapped(end));
        for (from, to) in ranges {
            if *from > at {
                break;
            }
            at = to.clone();
        }
        match at[..] >= end[..] {
            true => Ok(()),
            false => Err(format!(
                "nothing is registered from {} on",
                hex::encode(&at)
            )),
        }
    }

    /// Tells every registration how far its region is complete, also those that are not scanned yet: it is not for them.
    pub fn tick(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        for reader in &mut state.readers {
            let region = state
                .regions
                .iter()
                .find(|region| region.id == reader.region);
            let Some(region) = region else { continue };
            let locks = state
                .locks
                .iter()
                .filter(|(key, _)| region.holds(&wrapped(key)));
            let oldest = locks.map(|(_, lock)| lock.start_ts).min();
            reader.resolved(oldest.unwrap_or(state.now).min(state.now));
        }
    }
}

impl Version {
    fn change(&self, key: &Bytes, old_value: Bytes) -> RawKv {
        RawKv {
            op: if self.value.is_some() {
                Op::Put
            } else {
                Op::Delete
            },
            key: key.clone(),
            value: self.value.clone().unwrap_or_default(),
            old_value,
            start_ts: self.start_ts,
            commit_ts: self.commit_ts,
        }
    }
}

impl Region {
    fn holds(&self, encoded: &[u8]) -> bool {
        encoded >= &self.start[..] && (self.end.is_empty() || encoded < &self.end[..])
    }

    fn peer(&self, store: u64) -> metapb::Peer {
        metapb::Peer {
            id: self.id * 100 + store,
            store_id: store,
            ..Default::default()
        }
    }

    fn meta(&self) -> metapb::Region {
        metapb::Region {
            id: self.id,
            start_key: self.start.clone(),
            end_key: self.end.clone(),
            region_epoch: Some(metapb::RegionEpoch {
                conf_ver: 1,
                version: self.version,
            }),
            peers: (1..=3).map(|store| self.peer(store)).collect(),
        }
    }
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The region of an encoded key.
    fn place(&self, encoded: &[u8]) -> usize {
        let behind = self
            .regions
            .partition_point(|region| region.start[..] <= *encoded);
        behind.saturating_sub(1)
    }

    /// PD knows what comes only after some more questions.
    fn remember(&mut self) {
        self.stale = (2, self.regions.clone());
    }

    fn known_to_pd(&mut self) -> Vec<Region> {
        match self.stale.0 {
            0 => self.regions.clone(),
            _ => {
                self.stale.0 -= 1;
                self.stale.1.clone()
            }
        }
    }

    fn newest(&self, key: &Bytes) -> Option<Bytes> {
        self.versions.get(key)?.last()?.value.clone()
    }

    fn prewrite(&mut self, key: &Bytes, delete: bool, start_ts: Ts) -> bool {
        let old = self.newest(key);
        if self.locks.contains_key(key) || delete && old.is_none() {
            return false;
        }
        let change = RawKv {
            op: if delete { Op::Delete } else { Op::Put },
            key: key.clone(),
            value: match delete {
                true => Bytes::new(),
                false => start_ts.to_string().into(),
            },
            old_value: old.unwrap_or_default(),
            start_ts,
            commit_ts: 0,
        };
        self.tell(&change, LogType::Prewrite);
        self.locks.insert(key.clone(), change);
        true
    }

    fn nth_lock(&self, n: usize) -> Option<Bytes> {
        let count = self.locks.len().max(1);
        self.locks.keys().nth(n % count).cloned()
    }

    fn write(&mut self, change: &RawKv, silent: bool) {
        let versions = self.versions.entry(change.key.clone()).or_default();
        versions.push(Version {
            commit_ts: change.commit_ts,
            start_ts: change.start_ts,
            value: (change.op == Op::Put).then(|| change.value.clone()),
            silent,
        });
        self.now = self.now.max(change.commit_ts);
    }

    fn tell(&mut self, change: &RawKv, kind: LogType) {
        let row = row(change, kind);
        let following = self
            .readers
            .iter_mut()
            .filter(|reader| reader.wants(&change.key));
        following.for_each(|reader| reader.rows(vec![row.clone()]));
    }

    /// Ends the registrations of a region; what was held for them is lost.
    fn give_up(&mut self, region: u64, error: &cdcpb::Error) {
        let (gone, kept) = std::mem::take(&mut self.readers)
            .into_iter()
            .partition(|reader| reader.region == region);
        self.readers = kept;
        for reader in gone {
            reader.refuse(error.clone());
        }
    }
}

/// A row of the feed.
fn row(change: &RawKv, kind: LogType) -> cdcpb::event::Row {
    let values = |bytes: &Bytes| match kind {
        LogType::Commit | LogType::Rollback => Bytes::new(),
        _ => bytes.clone(),
    };
    cdcpb::event::Row {
        start_ts: change.start_ts,
        commit_ts: match kind {
            LogType::Prewrite | LogType::Rollback => 0,
            _ => change.commit_ts,
        },
        r#type: kind.into(),
        op_type: match change.op {
            // A store knows nothing of parts of updates.
            Op::Put | Op::Rest => OpType::Put,
            Op::Delete => OpType::Delete,
        }
        .into(),
        key: change.key.clone(),
        value: values(&change.value),
        old_value: values(&change.old_value),
        ..Default::default()
    }
}

/// The memcomparable form of a raw key.
fn wrapped(key: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    pipeline::mount::memcomparable::put_bytes(&mut out, key);
    out
}

fn epoch_not_match(current_regions: Vec<metapb::Region>) -> cdcpb::Error {
    cdcpb::Error {
        epoch_not_match: Some(errorpb::EpochNotMatch { current_regions }),
        ..Default::default()
    }
}

fn region_not_found(region_id: u64) -> cdcpb::Error {
    cdcpb::Error {
        region_not_found: Some(errorpb::RegionNotFound { region_id }),
        ..Default::default()
    }
}

fn not_leader(region_id: u64, leader: Option<metapb::Peer>) -> cdcpb::Error {
    cdcpb::Error {
        not_leader: Some(errorpb::NotLeader { region_id, leader }),
        ..Default::default()
    }
}
