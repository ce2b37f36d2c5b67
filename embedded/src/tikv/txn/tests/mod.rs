//! Random transactions against a model: after each step reads, the feed and a scan agree with it, over restarts too.

mod compare;
mod feed;
mod model;
mod repeated;
mod resolve;
mod synced;
mod world;
mod write;

use proptest::prelude::*;

use world::{Mode, Step, World};

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few, so that they meet.
    let slot = || 0..3usize;
    let key = || 0..3u8;
    let keys = || prop::collection::btree_set(0..3u8, 1..4);
    let mode = prop_oneof![
        3 => Just(Mode::Optimistic),
        2 => Just(Mode::Pessimistic),
        2 => Just(Mode::Async),
        2 => Just(Mode::OnePc),
    ];
    let step = prop_oneof![
        4 => (slot(), mode, prop::bool::weighted(0.7)).prop_map(|(slot, mode, collides)| Step::Begin { slot, mode, collides }),
        8 => (slot(), keys(), 0..6u8).prop_map(|(slot, keys, kind)| Step::Prewrite { slot, keys, kind }),
        3 => (slot(), key()).prop_map(|(slot, key)| Step::Lock { slot, key }),
        6 => (slot(), keys()).prop_map(|(slot, keys)| Step::Commit { slot, keys }),
        3 => (slot(), keys()).prop_map(|(slot, keys)| Step::RollBack { slot, keys }),
        1 => (slot(), keys()).prop_map(|(slot, keys)| Step::Unlock { slot, keys }),
        3 => (slot(), any::<bool>()).prop_map(|(slot, expired)| Step::Check { slot, expired }),
        2 => slot().prop_map(|slot| Step::HeartBeat { slot }),
        3 => (slot(), any::<bool>()).prop_map(|(slot, commit)| Step::Resolve { slot, commit }),
        2 => (slot(), keys()).prop_map(|(slot, keys)| Step::CheckSecondaries { slot, keys }),
        2 => Just(Step::Read),
        1 => Just(Step::Collect),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn transactions_come_to_what_the_model_says(steps in steps()) {
        run(&steps).map_err(TestCaseError::fail)?;
    }
}

fn run(steps: &[Step]) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new();
        for (at, step) in steps.iter().enumerate() {
            let taken = world.take(step).await;
            taken.map_err(|problem| format!("step {at}, {step:?}: {problem}"))?;
        }
        Ok(())
    })
}

/// Rare by chance: a transaction is rolled back on a key where another commits later, at its very start-ts.
#[test]
fn a_rollback_at_the_commit_ts_of_another_is_remembered() {
    let (first, second) = (0, 1);
    let begin = |slot| Step::Begin {
        slot,
        mode: Mode::Optimistic,
        collides: true,
    };
    let prewrite = |slot, keys: &[u8]| Step::Prewrite {
        slot,
        keys: keys.iter().copied().collect(),
        kind: 3,
    };
    let commit = |slot, key| Step::Commit {
        slot,
        keys: [key].into(),
    };
    run(&[
        begin(first),
        prewrite(first, &[0, 1]),
        commit(first, 0),
        begin(second),
        Step::RollBack {
            slot: second,
            keys: [1].into(),
        },
        commit(first, 1),
        prewrite(second, &[1]),
        Step::Restart,
        prewrite(second, &[1]),
    ])
    .unwrap();
}
