//! The client against a cluster that misbehaves.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod commit;
mod fake;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use commit::commit;
use embedded::client::{Change, Client, ClientError};
use fake::{Fake, Fault, wrap};

async fn connect(fake: &Fake) -> Client {
    Client::connect(&[fake.url()], Duration::from_secs(5))
        .await
        .unwrap()
}

fn key(n: usize) -> Bytes {
    format!("key{n:04}").into()
}

fn puts(keys: impl IntoIterator<Item = usize>, value: &'static str) -> BTreeMap<Bytes, Change> {
    keys.into_iter()
        .map(|n| (key(n), Change::Put(Bytes::from_static(value.as_bytes()))))
        .collect()
}

async fn values(client: &Client) -> Vec<(Bytes, Bytes)> {
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let pairs = snapshot.scan(b"key", b"kez").await.unwrap();
    pairs.into_iter().map(|p| (p.key, p.value)).collect()
}

#[tokio::test]
async fn a_transaction_over_regions_outlives_every_region_error() {
    use Fault::{EpochNotMatch, NotLeader, RegionNotFound, ServerIsBusy, Unavailable};
    let fake = Fake::start().await;
    let client = connect(&fake).await;
    fake.split(&[wrap(&key(10)).to_vec(), wrap(&key(20)).to_vec()]);
    let all = [
        NotLeader,
        EpochNotMatch,
        RegionNotFound,
        ServerIsBusy,
        Unavailable,
    ];
    for call in ["prewrite", "commit", "scan"] {
        fake.fault(call, &all);
    }
    let start_ts = client.tso().await.unwrap();
    commit(&client, start_ts, &key(5), puts(0..30, "a"))
        .await
        .unwrap();
    // Split again, behind the client's back.
    fake.split(&[
        wrap(&key(3)).to_vec(),
        wrap(&key(15)).to_vec(),
        wrap(&key(25)).to_vec(),
    ]);
    let start_ts = client.tso().await.unwrap();
    commit(&client, start_ts, &key(29), puts(0..30, "b"))
        .await
        .unwrap();
    let expected: Vec<_> = (0..30)
        .map(|n| (key(n), Bytes::from_static(b"b")))
        .collect();
    assert_eq!(values(&client).await, expected);
    assert_eq!(fake.lock_count(), 0);
}

/// A store gets no more of a large transaction at once than it can answer, and hears that its owner is there.
#[tokio::test]
async fn a_large_transaction_goes_in_parts_and_stays_alive() {
    const LARGE: usize = 600 << 10;
    let fake = Fake::start().await;
    let client = connect(&fake).await;
    let value = Bytes::from(vec![b'v'; LARGE]);
    let changes: BTreeMap<_, _> = (0..40)
        .map(|n| (key(n), Change::Put(value.clone())))
        .collect();
    let start_ts = client.tso().await.unwrap();
    let held = fake.prewrites.clone().write_owned().await;
    let committed = tokio::spawn({
        let client = client.clone();
        async move { commit(&client, start_ts, &key(0), changes).await }
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    while fake.count("heart beat") == 0 {
        assert!(Instant::now() < deadline, "no heart beat");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fake.count("prewrite"), 16);
    drop(held);
    committed.await.unwrap().unwrap();
    assert_eq!(fake.count("prewrite"), 40);
    assert_eq!(values(&client).await.len(), 40);
    assert_eq!(fake.lock_count(), 0);
}

/// Nor of one with many keys: each costs the store its time.
#[tokio::test]
async fn a_transaction_of_many_keys_goes_in_parts() {
    const KEYS: usize = 10_000;
    let fake = Fake::start().await;
    let client = connect(&fake).await;
    let start_ts = client.tso().await.unwrap();
    commit(&client, start_ts, &key(0), puts(0..KEYS, "a"))
        .await
        .unwrap();
    for call in ["prewrite", "commit"] {
        assert_eq!(fake.count(call), 3, "{call}");
    }
    assert_eq!(values(&client).await.len(), KEYS);
    assert_eq!(fake.lock_count(), 0);
}

#[tokio::test]
async fn a_lost_reply_to_a_commit_is_asked_again() {
    let fake = Fake::start().await;
    let client = connect(&fake).await;
    fake.fault("commit", &[Fault::LostReply, Fault::Unavailable]);
    let start_ts = client.tso().await.unwrap();
    let commit_ts = commit(&client, start_ts, &key(1), puts([1], "a"))
        .await
        .unwrap();
    assert!(commit_ts > start_ts);
    assert_eq!(
        client.settle(start_ts, &key(1)).await.unwrap(),
        Some(commit_ts)
    );
    assert_eq!(values(&client).await.len(), 1);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_had_is_undetermined_and_settles_later() {
    let fake = Fake::start().await;
    let client = Client::connect(&[fake.url()], Duration::from_millis(300))
        .await
        .unwrap();
    fake.fault("commit", &[Fault::Unavailable; 100]);
    let start_ts = client.tso().await.unwrap();
    let error = commit(&client, start_ts, &key(1), puts([1, 2], "a"))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Undetermined { .. }), "{error}");
    assert_eq!(fake.lock_count(), 2);
    // It was not committed: now it never will be.
    assert_eq!(client.settle(start_ts, &key(1)).await.unwrap(), None);
    fake.heal("commit");
    let start_ts = client.tso().await.unwrap();
    commit(&client, start_ts, &key(1), puts([1, 2], "b"))
        .await
        .unwrap();
    assert_eq!(values(&client).await.len(), 2);
    assert_eq!(fake.lock_count(), 0);
}

#[tokio::test]
async fn timestamps_rise_and_survive_a_broken_stream() {
    let fake = Fake::start().await;
    let client = connect(&fake).await;
    fake.fault("tso", &[Fault::Unavailable, Fault::Unavailable]);
    let many = (0..200).map(|_| client.tso());
    let all = futures_util::future::try_join_all(many).await.unwrap();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "no timestamp is given twice");
    let last = *distinct.into_iter().next_back().unwrap();
    assert!(client.tso().await.unwrap() > last);
    assert!(fake.count("tso") < 100, "round trips are shared");
}

#[tokio::test]
async fn a_lock_of_a_live_transaction_is_waited_for_and_a_dead_one_s_is_resolved() {
    let fake = Fake::start().await;
    let client = Client::connect(&[fake.url()], Duration::from_millis(400))
        .await
        .unwrap();
    fake.fault("commit", &[Fault::Unavailable; 40]);
    let start_ts = client.tso().await.unwrap();
    commit(&client, start_ts, &key(1), puts([1, 2], "a"))
        .await
        .unwrap_err();
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let error = snapshot.get(&key(2)).await.unwrap_err().to_string();
    assert!(error.contains("is locked by transaction"), "{error}");
    let ended = client.end_transactions(|primary| primary == key(1)).await;
    assert_eq!(ended.unwrap(), 1);
    assert_eq!(snapshot.get(&key(2)).await.unwrap(), None);
    assert_eq!(fake.lock_count(), 0);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let error = Client::connect(
        &["http://127.0.0.1:1".to_owned()],
        Duration::from_millis(200),
    )
    .await
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("connect to PD: still failing after"),
        "{error}"
    );
    assert!(error.contains("http://127.0.0.1:1"), "{error}");
    let error = Client::connect(&["no address".to_owned()], Duration::from_millis(200))
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Address { .. }), "{error}");
}
