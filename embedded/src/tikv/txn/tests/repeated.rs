//! A request that comes again because its answer was lost.

use bytes::Bytes;
use proto::kvrpcpb as kv;
use proto::kvrpcpb::prewrite_request::PessimisticAction;

use super::feed::name;
use super::world::World;
use crate::tikv::txn::pessimistic;
use crate::tikv::txn::prewrite::{PrewriteError, Prewritten, prewrite};

async fn lock(world: &World, start_ts: u64) {
    let mutation = kv::Mutation {
        op: kv::Op::PessimisticLock.into(),
        key: name(0),
        ..Default::default()
    };
    let request = kv::PessimisticLockRequest {
        primary_lock: name(0),
        start_version: start_ts,
        for_update_ts: start_ts,
        lock_ttl: 1000,
        ..Default::default()
    };
    let locked =
        world.act(|reader, changes| pessimistic::lock(reader, changes, &request, &mutation));
    locked.await.unwrap();
}

async fn in_one_phase(world: &World, start_ts: u64) -> Prewritten {
    let request = kv::PrewriteRequest {
        mutations: vec![kv::Mutation {
            key: name(0),
            value: Bytes::from_static(b"v"),
            ..Default::default()
        }],
        primary_lock: name(0),
        start_version: start_ts,
        for_update_ts: start_ts,
        pessimistic_actions: vec![PessimisticAction::DoPessimisticCheck.into()],
        lock_ttl: 1000,
        try_one_pc: true,
        ..Default::default()
    };
    let concurrency = world.concurrency.clone();
    let done = world.act(|reader, changes| {
        prewrite(reader, changes, &concurrency, &request).map_err(|error| match error {
            PrewriteError::Stop(stop) => stop,
            PrewriteError::Locked(locked) => panic!("{locked:?}"),
        })
    });
    done.await.unwrap()
}

#[tokio::test]
async fn a_commit_is_told_again_whoever_holds_the_key_by_then() {
    let mut world = World::new();
    let first = world.now();
    lock(&world, first).await;
    let told = in_one_phase(&world, first).await;
    assert!(told.one_pc_commit_ts > first, "{told:?}");
    let again = in_one_phase(&world, first).await;
    assert_eq!(again.one_pc_commit_ts, told.one_pc_commit_ts);

    world.clock = world.clock.max(told.one_pc_commit_ts);
    let next = world.now();
    lock(&world, next).await;
    let again = in_one_phase(&world, first).await;
    assert_eq!(again.one_pc_commit_ts, told.one_pc_commit_ts);
}
