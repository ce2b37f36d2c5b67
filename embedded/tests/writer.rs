//! The writer of the binlog's transactions, against a store that misbehaves.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod fake;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use embedded::client::{Change, Client, Ts};
use embedded::tidb::apply::Gtid;
use embedded::tidb::apply::record::Applied;
use embedded::tidb::apply::writer::{Changes, Writer};
use fake::{Fake, Fault, wrap};

/// Keys that transactions have in common.
const SHARED: u64 = 7;
/// Between looks at what is waited for.
const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

type Done = Arc<Mutex<Vec<(u64, Ts)>>>;

fn shared(n: u64) -> Bytes {
    format!("shared{}", n % SHARED).into()
}

fn own(n: u64) -> Bytes {
    format!("own{n:04}").into()
}

/// A key that others write too, and one of its own, in other regions than the position.
async fn submit(writer: &mut Writer, n: u64, done: &Done) {
    let value = Bytes::from(n.to_string());
    let changes = Changes::from([
        (shared(n), Change::Put(value.clone())),
        (own(n), Change::Put(value)),
    ]);
    let done = Arc::clone(done);
    let told = move |commit_ts| done.lock().unwrap().push((n, commit_ts));
    writer.submit(Gtid(n), changes, told).await.unwrap();
}

/// What all transactions up to the last one have written, and nothing else.
async fn expect(client: &Client, last: u64) {
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let mut expected: Vec<(Bytes, Bytes)> = (1..=last)
        .map(|n| (own(n), Bytes::from(n.to_string())))
        .collect();
    let newest =
        (last.saturating_sub(SHARED) + 1..=last).map(|n| (shared(n), Bytes::from(n.to_string())));
    expected.extend(newest);
    expected.sort();
    let pairs = snapshot.scan(b"o", b"t").await.unwrap();
    let found: Vec<_> = pairs.into_iter().map(|p| (p.key, p.value)).collect();
    assert_eq!(found, expected);
    assert_eq!(position(client).await, Gtid(last));
}

async fn position(client: &Client) -> Gtid {
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let position = Applied::load(&snapshot).await.unwrap();
    position.map_or(Gtid(0), |position| position.gtid().unwrap())
}

async fn fake() -> (Fake, Client) {
    let fake = Fake::start().await;
    fake.split(&[wrap(b"o").to_vec(), wrap(b"s").to_vec()]);
    let client = Client::connect(&[fake.url()], Duration::from_millis(500)).await;
    (fake, client.unwrap())
}

#[tokio::test]
async fn transactions_are_committed_in_order_whatever_the_store_does() {
    use Fault::{EpochNotMatch, LostReply, NotLeader, ServerIsBusy, Unavailable};
    const COUNT: u64 = 60;
    let (fake, client) = fake().await;
    for call in ["prewrite", "commit"] {
        for fault in [
            Unavailable,
            LostReply,
            NotLeader,
            EpochNotMatch,
            ServerIsBusy,
        ] {
            fake.fault(call, &[fault; 3]);
        }
    }
    let mut writer = Writer::new(client.clone(), "id".to_owned(), Gtid(0));
    let done = Done::default();
    for n in 1..=COUNT {
        submit(&mut writer, n, &done).await;
    }
    assert_eq!(writer.gtid(), Gtid(COUNT));
    writer.drain().await.unwrap();
    let done = done.lock().unwrap().clone();
    let numbers: Vec<u64> = done.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (1..=COUNT).collect::<Vec<_>>());
    assert!(done.is_sorted_by(|a, b| a.1 < b.1), "{done:?}");
    assert_eq!(fake.lock_count(), 0);
    expect(&client, COUNT).await;
}

#[tokio::test]
async fn nobody_hears_of_a_commit_before_a_sync() {
    const COUNT: u64 = 60;
    let (fake, client) = fake().await;
    // So that others wait behind it.
    fake.fault("commit", &[Fault::ServerIsBusy; 2]);
    let mut writer = Writer::new(client, "id".to_owned(), Gtid(0));
    let told = Arc::new(Mutex::new(Vec::new()));
    for n in 1..=COUNT {
        let (told, fake) = (Arc::clone(&told), fake.clone());
        let done = move |_| told.lock().unwrap().push((n, fake.commits()));
        let changes = Changes::from([(own(n), Change::Put(Bytes::from_static(b"x")))]);
        writer.submit(Gtid(n), changes, done).await.unwrap();
    }
    writer.drain().await.unwrap();
    let told = told.lock().unwrap().clone();
    assert_eq!(told.len() as u64, COUNT);
    let mut shared = 0;
    for (n, commits) in told {
        let positions = commits.iter().filter(|(key, _)| Applied::is_key(key));
        let synced: Vec<bool> = positions.map(|(_, synced)| *synced).collect();
        let own = usize::try_from(n).unwrap() - 1;
        assert!(synced[own..].contains(&true), "{n}: {synced:?}");
        shared += usize::from(!synced[own]);
    }
    assert!(shared > 0, "each one had a sync of its own");
}

#[tokio::test]
async fn what_a_lost_writer_leaves_is_a_prefix() {
    for first in [1, 5, 20] {
        let (fake, client) = fake().await;
        let mut writer = Writer::new(client.clone(), "id".to_owned(), Gtid(0));
        let done = Done::default();
        for n in 1..=first {
            submit(&mut writer, n, &done).await;
        }
        writer.drain().await.unwrap();
        fake.fault("commit", &[Fault::Unavailable; 1000]);
        // As many as may be under way, none of which has a key of another.
        for n in first + 1..=first + SHARED {
            submit(&mut writer, n, &done).await;
        }
        let begun = async {
            // A position and two keys each.
            while fake.lock_count() < 3 * SHARED as usize {
                tokio::time::sleep(POLL).await;
            }
        };
        let begun = tokio::time::timeout(PATIENCE, begun).await;
        assert!(begun.is_ok(), "{} locks", fake.lock_count());
        drop(writer);
        fake.heal("commit");
        let ended = client.end_transactions(Applied::is_key).await.unwrap();
        assert_eq!(fake.lock_count(), 0);
        // A commit may have been on its way when the writer went.
        let left = position(&client).await.0;
        assert!((first..=first + 1).contains(&left), "{left}");
        assert!((SHARED - 1..=SHARED).contains(&(ended as u64)), "{ended}");
        expect(&client, left).await;
        // And another one goes on from there.
        let mut writer = Writer::new(client.clone(), "id".to_owned(), Gtid(left));
        for n in left + 1..=left + 30 {
            submit(&mut writer, n, &done).await;
        }
        writer.drain().await.unwrap();
        expect(&client, left + 30).await;
    }
}
