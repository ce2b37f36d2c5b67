//! A subscription over a cluster whose regions split, merge and move, whose streams break and run late, and whose locks stay: all that
//! was committed comes, nothing else does, and no resolved-ts is told before what it covers (`spec/tikv-cdc-protocol.md §2`).

#[path = "../fake/mod.rs"]
mod fake;
mod pd;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use pipeline::{
    meters::FeedMeters,
    model::{RawKv, Span, Ts},
    upstream::{FeedEvent, Upstream},
};
use proptest::prelude::*;
use tokio::task::JoinHandle;

use fake::Cluster;

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Between two looks.
const PACE: Duration = Duration::from_millis(2);
/// Keys are single letters; the subscription has those between these two.
const ALL: std::ops::RangeInclusive<u8> = b'a'..=b'z';
const SPAN: (&[u8], &[u8]) = (b"d", b"w");

#[derive(Debug, Clone)]
enum Move {
    Commit(u8),
    Prewrite(u8, bool),
    Finish(usize, bool),
    Split(u8),
    Merge(usize),
    Transfer(usize, usize, bool),
    Cut(usize),
    LeadPd(usize, bool),
    Busy(usize),
    Hold(usize),
    Release,
    Scan(usize),
    Tick,
    /// Waits until the whole span is registered.
    Reach,
    /// The same, and scans it.
    Settle,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let n = || 0..8usize;
    let one = prop_oneof![
        6 => ALL.prop_map(Move::Commit),
        4 => (ALL, prop::bool::weighted(0.3)).prop_map(|(key, delete)| Move::Prewrite(key, delete)),
        4 => (n(), prop::bool::weighted(0.8)).prop_map(|(n, commit)| Move::Finish(n, commit)),
        3 => ALL.prop_map(Move::Split),
        2 => n().prop_map(Move::Merge),
        3 => (n(), n(), any::<bool>()).prop_map(|(n, store, named)| Move::Transfer(n, store, named)),
        1 => n().prop_map(Move::Cut),
        1 => (n(), any::<bool>()).prop_map(|(n, gone)| Move::LeadPd(n, gone)),
        1 => n().prop_map(Move::Busy),
        2 => n().prop_map(Move::Hold),
        1 => Just(Move::Release),
        4 => n().prop_map(Move::Scan),
        4 => Just(Move::Tick),
        5 => Just(Move::Reach),
        2 => Just(Move::Settle),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn all_comes_before_its_resolved_ts(
        multiplex in prop::collection::vec(prop::bool::weighted(0.7), 3),
        // Of memory for open transactions: enough, or for about two rows.
        open_bytes in prop_oneof![2 => Just(usize::MAX), 1 => Just(400_usize)],
        before in 0..20usize,
        moves in moves(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(run(&multiplex, open_bytes, before, &moves)).map_err(TestCaseError::fail)?;
    }
}

/// What a subscription told, in order.
type Told = Arc<Mutex<Vec<FeedEvent>>>;

async fn run(
    multiplex: &[bool],
    open_bytes: usize,
    before: usize,
    moves: &[Move],
) -> Result<(), String> {
    let cluster = Cluster::with_stores(multiplex).await;
    let (first, then) = moves.split_at(before.min(moves.len()));
    let waits = |taken: &&Move| matches!(taken, Move::Reach | Move::Settle);
    // What needs a reader does nothing yet.
    for taken in first.iter().filter(|taken| !waits(taken)) {
        take(&cluster, taken).await?;
    }
    let start_ts = cluster.now();
    let upstream = Upstream::connect(&cluster.pd()).await;
    let upstream = upstream.map_err(|error| error.to_string())?;
    let upstream = upstream.of_changefeed(FeedMeters::default(), open_bytes);
    let reading = Reading::start(&upstream, start_ts);
    for taken in then {
        // A region that waits for a transaction is not registered until that is decided.
        if open_bytes == usize::MAX || !waits(&taken) {
            take(&cluster, taken).await?;
        }
    }
    reading.end(&cluster).await
}

/// A subscription that is read.
struct Reading {
    start_ts: Ts,
    told: Told,
    reader: JoinHandle<String>,
}

impl Reading {
    fn start(upstream: &Upstream, start_ts: Ts) -> Self {
        let mut subscription = upstream.subscribe(Span::new(SPAN.0, SPAN.1), start_ts);
        let told = Told::default();
        let heard = Arc::clone(&told);
        let reader = tokio::spawn(async move {
            loop {
                match subscription.recv().await {
                    Ok(event) => heard
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(event),
                    Err(error) => return error.to_string(),
                }
            }
        });
        Self {
            start_ts,
            told,
            reader,
        }
    }

    fn resolved_ts(&self) -> Option<Ts> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().rev().find_map(resolved)
    }

    /// Commits what is open, waits until all is told, and checks it.
    async fn end(self, cluster: &Cluster) -> Result<(), String> {
        while cluster.locks() > 0 {
            cluster.finish(0, true);
        }
        let end = cluster.now();
        until("the last resolved-ts", || {
            if self.reader.is_finished() {
                return Err("the subscription has ended".to_owned());
            }
            cluster.settled(SPAN.0, SPAN.1)?;
            cluster.tick();
            match self.resolved_ts() {
                Some(ts) if ts >= end => Ok(()),
                last => Err(format!("it is {last:?}, not {end}")),
            }
        })
        .await?;
        if self.reader.is_finished() {
            return Err(format!("the subscription ended: {:?}", self.reader.await));
        }
        self.reader.abort();
        if let Some(wrong) = cluster.wrong().first() {
            return Err(wrong.clone());
        }
        let span = Span::new(SPAN.0, SPAN.1);
        let mut expected = cluster.committed();
        expected.retain(|(key, commit_ts), _| span.contains(key) && *commit_ts > self.start_ts);
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        check(&expected, &told)
    }
}

/// A subscription that is registered, with so many bytes for open transactions.
async fn within(room: usize) -> (Cluster, Upstream, Reading) {
    let cluster = Cluster::start().await;
    let start_ts = cluster.now();
    let upstream = Upstream::connect(&cluster.pd()).await.expect("PD");
    let upstream = upstream.of_changefeed(FeedMeters::default(), room);
    let reading = Reading::start(&upstream, start_ts);
    until("the span", || cluster.registered(SPAN.0, SPAN.1))
        .await
        .expect("a subscription that is registered");
    (cluster, upstream, reading)
}

/// A region with more open rows than there is room for is left to its store until their transactions are decided; all that
/// was committed comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn open_transactions_take_no_more_than_their_room() {
    const ROOM: usize = 4_000;
    let (cluster, upstream, reading) = within(ROOM).await;
    let registered = || cluster.registered(SPAN.0, SPAN.1);
    for n in 0..100 {
        cluster.prewrite(&format!("d{n:02}").into(), false);
    }
    let mut most = 0;
    until("a region that waits", || {
        most = most.max(upstream.open_bytes());
        match registered() {
            Ok(()) => Err("it is registered".to_owned()),
            Err(_) => Ok(()),
        }
    })
    .await
    .unwrap();
    // Others commit meanwhile, and some of the open ones are decided.
    for key in ["e", "f", "d00x"] {
        let key = Bytes::from_static(key.as_bytes());
        cluster.prewrite(&key, false);
        cluster.finish_key(&key, true);
    }
    for n in 0..40 {
        cluster.finish_key(&format!("d{n:02}").into(), n % 3 > 0);
    }
    reading.end(&cluster).await.unwrap();
    most = most.max(upstream.open_bytes());
    assert!(most < ROOM + 300, "{most} bytes");
    assert_eq!(upstream.open_bytes(), 0);
}

/// Locks are looked for by hand in one region, and up to a timestamp.
#[tokio::test(flavor = "multi_thread")]
async fn locks_of_one_region_are_resolved() {
    let cluster = Cluster::start().await;
    let upstream = Upstream::connect(&cluster.pd()).await.expect("PD");
    cluster.split(b"m");
    for key in ["d1", "d2", "x1"] {
        cluster.prewrite(&Bytes::from_static(key.as_bytes()), false);
    }
    let before = cluster.now();
    cluster.prewrite(&Bytes::from_static(b"d3"), false);
    let [left, right] = [b"d", b"x"].map(|key| cluster.region_of(key));
    assert_ne!(left, right);
    for (region, max_ts, expected) in [(left, before, 2), (left, Ts::MAX, 3), (right, before, 1)] {
        let found = upstream.resolve_locks(region, max_ts).await.unwrap();
        assert_eq!(found, expected, "region {region} up to {max_ts}");
    }
    let nowhere = upstream.resolve_locks(1_000, before).await.unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        "find region 1000: region not found for regionID 1000"
    );
}

/// A region that waits for a transaction is not scanned while locks of that are left, and not kept waiting by those that
/// lock the same key after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_waits_for_all_locks_of_a_transaction_and_for_no_later_one() {
    const ROOM: usize = 1_000;
    let (cluster, _, reading) = within(ROOM).await;
    let registered = || cluster.registered(SPAN.0, SPAN.1);
    let keys: Vec<Bytes> = (0..10).map(|n| format!("d{n}").into()).collect();
    cluster.prewrite_all(&keys);
    until("a region that waits", || match registered() {
        Ok(()) => Err("it is registered".to_owned()),
        Err(_) => Ok(()),
    })
    .await
    .unwrap();
    let (last, others) = keys.split_last().unwrap();
    for key in others {
        cluster.finish_key(key, true);
    }
    let scans = cluster.lock_scans();
    until("looks for what is left", || match cluster.lock_scans() {
        enough if enough > scans + 1 => Ok(()),
        made => Err(format!("{} of 2", made - scans)),
    })
    .await
    .unwrap();
    registered().expect_err("a key of the transaction is locked");
    cluster.finish_key(last, true);
    assert!(cluster.prewrite(last, false), "it is locked");
    until("the region of a key that is locked again", registered)
        .await
        .unwrap();
    cluster.finish_key(last, true);
    reading.end(&cluster).await.unwrap();
}

async fn take(cluster: &Cluster, taken: &Move) -> Result<(), String> {
    let key = |key: u8| Bytes::copy_from_slice(&[key]);
    match *taken {
        Move::Commit(of) => {
            if cluster.prewrite(&key(of), false) {
                cluster.finish_key(&key(of), true);
            }
        }
        Move::Prewrite(of, delete) => drop(cluster.prewrite(&key(of), delete)),
        Move::Finish(n, commit) => cluster.finish(n, commit),
        Move::Split(at) => cluster.split(&[at]),
        Move::Merge(n) => cluster.merge(n),
        Move::Transfer(n, store, named) => cluster.transfer(n, store, named),
        Move::Cut(store) => cluster.cut(store),
        Move::LeadPd(n, gone) => cluster.lead_pd(n, gone),
        Move::Busy(n) => cluster.busy(n),
        Move::Hold(n) => cluster.hold(n),
        Move::Release => cluster.release(),
        Move::Scan(n) => cluster.scan(n),
        Move::Tick => cluster.tick(),
        Move::Reach => until("the span", || cluster.registered(SPAN.0, SPAN.1)).await?,
        Move::Settle => until("the span", || cluster.settled(SPAN.0, SPAN.1)).await?,
    }
    Ok(())
}

async fn until(
    what: &str,
    mut condition: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    let end = Instant::now() + DEADLINE;
    loop {
        match condition() {
            Ok(()) => return Ok(()),
            Err(missing) if Instant::now() > end => return Err(format!("{what}: {missing}")),
            Err(_) => tokio::time::sleep(PACE).await,
        }
    }
}

fn resolved(event: &FeedEvent) -> Option<Ts> {
    match event {
        FeedEvent::Resolved(ts) => Some(*ts),
        FeedEvent::Kv(_) => None,
    }
}

/// Everything that a resolved-ts covers was told before it, as it was committed.
fn check(expected: &BTreeMap<(Bytes, Ts), RawKv>, told: &[FeedEvent]) -> Result<(), String> {
    let mut missing: BTreeMap<(Ts, Bytes), &RawKv> = expected
        .iter()
        .map(|((key, ts), change)| ((*ts, key.clone()), change))
        .collect();
    let mut last = 0;
    for event in told {
        match event {
            FeedEvent::Kv(change) => {
                let id = (change.key.clone(), change.commit_ts);
                match expected.get(&id) {
                    Some(committed) if committed == change => {}
                    other => return Err(format!("{change:?} was told, {other:?} was committed")),
                }
                missing.remove(&(change.commit_ts, change.key.clone()));
            }
            FeedEvent::Resolved(ts) => {
                if *ts < last {
                    return Err(format!("the resolved-ts went from {last} to {ts}"));
                }
                last = *ts;
                if let Some((_, change)) = missing.range(..(ts + 1, Bytes::new())).next() {
                    return Err(format!("resolved-ts {ts} was told before {change:?}"));
                }
            }
        }
    }
    Ok(())
}
