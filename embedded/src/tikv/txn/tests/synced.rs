//! What is on disk before it is answered: all that decides a transaction, and nothing else.

use std::collections::HashMap;

use bytes::Bytes;
use proto::kvrpcpb as kv;

use super::feed::name;
use super::world::World;
use crate::tikv::engine::{Changes, Reader};
use crate::tikv::txn::prewrite::{PrewriteError, prewrite};
use crate::tikv::txn::{Stop, end};

/// Two keys, the first of them primary.
fn request(start_version: u64, use_async_commit: bool, try_one_pc: bool) -> kv::PrewriteRequest {
    kv::PrewriteRequest {
        mutations: [0, 1]
            .map(|key| kv::Mutation {
                key: name(key),
                value: Bytes::from_static(b"v"),
                ..Default::default()
            })
            .to_vec(),
        primary_lock: name(0),
        secondaries: vec![name(1)],
        start_version,
        lock_ttl: 1000,
        use_async_commit,
        try_one_pc,
        ..Default::default()
    }
}

/// Whether what a step wrote was to be synced.
async fn is_synced<T>(
    world: &World,
    step: impl FnOnce(&Reader, &mut Changes) -> Result<T, Stop>,
) -> bool {
    let written = world.act(|reader, changes| {
        let done = step(reader, changes)?;
        assert!(!changes.is_empty(), "nothing was written");
        Ok((!changes.unsynced, done))
    });
    written.await.unwrap().0
}

async fn prewritten(world: &World, request: &kv::PrewriteRequest) -> bool {
    let concurrency = world.concurrency.clone();
    is_synced(world, |reader, changes| {
        prewrite(reader, changes, &concurrency, request).map_err(|error| match error {
            PrewriteError::Stop(stop) => stop,
            PrewriteError::Locked(locked) => panic!("{locked:?}"),
        })
    })
    .await
}

async fn committed(world: &World, key: u8, start_ts: u64, commit_ts: u64) -> bool {
    let keys = [name(key)];
    is_synced(world, |reader, changes| {
        end::commit_all(reader, changes, &keys, start_ts, commit_ts)
    })
    .await
}

/// The same of a key's lock by somebody else, who knows the commit-ts.
async fn resolved(world: &World, key: u8, start_ts: u64, commit_ts: u64) -> bool {
    let (locks, ends) = (
        [(name(key), start_ts)],
        HashMap::from([(start_ts, commit_ts)]),
    );
    is_synced(world, |reader, changes| {
        end::resolve_all(reader, changes, &locks, &ends)
    })
    .await
}

#[tokio::test]
async fn what_decides_a_transaction_is_synced() {
    let mut world = World::new();
    let [first, then] = [world.now(), world.now()];
    assert!(
        !prewritten(&world, &request(first, false, false)).await,
        "locks"
    );
    assert!(committed(&world, 0, first, then).await, "the primary");
    assert!(!committed(&world, 1, first, then).await, "another key");

    let second = world.now();
    assert!(
        prewritten(&world, &request(second, true, false)).await,
        "an async commit's locks"
    );
    let key = name(0);
    let rolled_back = is_synced(&world, |reader, changes| {
        end::roll_back(reader, changes, &key, second, true)
    });
    assert!(rolled_back.await, "a rollback");
    let key = name(1);
    let rolled_back = is_synced(&world, |reader, changes| {
        end::roll_back(reader, changes, &key, second, true)
    });
    assert!(rolled_back.await, "a rollback of another key");

    let third = world.now();
    assert!(
        prewritten(&world, &request(third, false, true)).await,
        "a commit in one phase"
    );

    for (commits, of_primary, of_other) in [(true, true, false), (false, true, true)] {
        let [start_ts, then] = [world.now(), world.now()];
        prewritten(&world, &request(start_ts, false, false)).await;
        let commit_ts = if commits { then } else { 0 };
        for (key, synced) in [(0, of_primary), (1, of_other)] {
            let was = resolved(&world, key, start_ts, commit_ts).await;
            assert_eq!(was, synced, "key {key} at {commit_ts}");
        }
    }
}
