//! A leader before an etcd that does not always answer.

use proto::mvccpb::KeyValue;

use super::*;
use crate::{
    changefeed::spread::Failure,
    compat::Compat,
    etcd::fake::{Fake, Fault},
};

const PATIENCE: Duration = Duration::from_secs(10);

async fn start() -> (Fake, Ground) {
    let (fake, etcd) = Fake::start().await;
    etcd.put("owner", "a", 0).await.unwrap();
    let ground = Ground {
        etcd,
        keys: Keys::new(Compat::V8_5, "default"),
        ownership: Ownership::new("owner".to_owned(), 1),
        capture: "a".to_owned(),
    };
    (fake, ground)
}

fn id() -> Id {
    Id::new("default", "feed")
}

async fn gathered(ground: &Ground) -> Lead {
    let members = ["a", "b"].map(str::to_owned).into();
    Lead::gather(ground.clone(), id(), String::new(), members, None)
        .await
        .unwrap()
}

fn two_tables() -> Tables {
    let mut tables = Tables::default();
    tables.set(1, Some(1));
    tables.set(2, Some(2));
    tables
}

async fn run_of(ground: &Ground) -> Option<KeyValue> {
    ground.etcd.get(&ground.keys.run(&id())).await.unwrap()
}

async fn tell(ground: &Ground, part: &Part) {
    let put = etcd::put(&ground.keys.part(&id(), "b"), json(part).unwrap(), 0);
    ground.etcd.txn(vec![], vec![put], vec![]).await.unwrap();
}

#[tokio::test]
async fn a_run_ends_though_etcd_refuses_at_first() {
    let (fake, ground) = start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    let run = run_of(&ground).await.expect("a run").create_revision;
    let part = Part {
        run,
        checkpoint_ts: 20,
        ..Part::default()
    };
    tell(&ground, &part).await;
    fake.state().fault = Some(Fault::Refused);
    lead.dismiss().await;
    assert!(run_of(&ground).await.is_some());
    // the other capture ends its part when the run is gone
    let ends = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while run_of(&ground).await.is_some() {
            pace.tick().await;
        }
        let last = Part {
            checkpoint_ts: 30,
            ended: true,
            error: Some(Failure {
                code: "CDC:ErrMessageTooLarge".to_owned(),
                message: "message is too large".to_owned(),
            }),
            ..part
        };
        tell(&ground, &last).await;
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(ends, lead.gone()) })
        .await
        .expect("the run's key goes, and the part ends");
    // what it had done before it failed counts
    assert_eq!(lead.checkpoint_ts(), 30);
    let parts = ground.etcd.list(&ground.keys.part_prefix(&id())).await;
    assert_eq!(parts.unwrap().0, [], "no part is left over");
}

#[tokio::test]
async fn a_run_that_may_have_begun_is_ended() {
    let (fake, ground) = start().await;
    let mut lead = gathered(&ground).await;
    fake.state().fault = Some(Fault::Unanswered);
    let error = lead.begin(10, false, &two_tables()).await.unwrap_err();
    assert_eq!(error.code(), Code::ErrPDEtcdAPIError);
    assert!(run_of(&ground).await.is_some());
    lead.dismiss().await;
    assert_eq!(run_of(&ground).await, None);
    // nothing to wait for
    tokio::time::timeout(PATIENCE, lead.gone())
        .await
        .expect("nothing to wait for");
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_told_and_not_waited_for() {
    let (_, ground) = start().await;
    let key = ground.keys.part(&id(), "b");
    let put = etcd::put(&key, "{", 0);
    ground.etcd.txn(vec![], vec![put], vec![]).await.unwrap();
    let gathering = Lead::gather(ground, id(), String::new(), BTreeSet::new(), None);
    let gathered = tokio::time::timeout(PATIENCE, gathering).await;
    let error = gathered.expect("an end").unwrap_err();
    assert_eq!(error.code(), Code::ErrPDEtcdAPIError);
    assert!(error.message().contains(&key), "{error}");
}

#[tokio::test]
async fn a_run_that_comes_late_is_not_made() {
    let (fake, ground) = start().await;
    let mut lead = gathered(&ground).await;
    fake.state().fault = Some(Fault::Late);
    lead.begin(10, false, &two_tables()).await.unwrap_err();
    lead.dismiss().await;
    // nobody leads it, and here the changefeed may run alone
    assert!(!fake.come_late(), "a run that nobody leads");
    assert_eq!(run_of(&ground).await, None);

    // nor when what it had to do with is gone by then
    let mut lead = gathered(&ground).await;
    fake.state().fault = Some(Fault::Late);
    lead.begin(10, false, &two_tables()).await.unwrap_err();
    let alone = ["a".to_owned()].into();
    let mut lead = Lead::gather(ground.clone(), id(), String::new(), alone, None)
        .await
        .unwrap();
    lead.begin(10, false, &two_tables()).await.unwrap();
    assert!(!fake.come_late(), "a run beside one that is alone");
    assert_eq!(run_of(&ground).await, None);
}

#[tokio::test]
async fn the_end_of_a_run_that_comes_late_ends_no_other() {
    let (fake, ground) = start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    fake.state().fault = Some(Fault::Late);
    lead.dismiss().await;
    drop(lead);
    let mut next = gathered(&ground).await;
    next.begin(20, false, &two_tables()).await.unwrap();
    assert!(!fake.come_late());
    assert!(run_of(&ground).await.is_some());
}

#[tokio::test]
async fn an_end_that_was_not_answered_was_an_end() {
    let (fake, ground) = start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    let run = run_of(&ground).await.expect("a run").create_revision;
    let mut part = Part {
        run,
        checkpoint_ts: 20,
        ..Part::default()
    };
    tell(&ground, &part).await;
    fake.state().fault = Some(Fault::Unanswered);
    lead.dismiss().await;
    assert_eq!(run_of(&ground).await, None);
    // the part is waited for all the same
    let ends = async {
        (part.ended, part.checkpoint_ts) = (true, 30);
        tell(&ground, &part).await;
    };
    tokio::time::timeout(PATIENCE, async { tokio::join!(lead.gone(), ends) })
        .await
        .expect("the part has ended");
    assert_eq!(lead.checkpoint_ts(), 30);
}

#[tokio::test]
async fn who_does_not_own_any_more_waits_for_no_part() {
    let (_, ground) = start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    let run = run_of(&ground).await.expect("a run").create_revision;
    let part = Part {
        run,
        ..Part::default()
    };
    tell(&ground, &part).await;
    // by hand
    let ops = vec![etcd::delete("owner")];
    ground.etcd.txn(vec![], ops, vec![]).await.unwrap();
    lead.dismiss().await;
    tokio::time::timeout(PATIENCE, lead.gone())
        .await
        .expect("nothing to wait for");
    assert!(run_of(&ground).await.is_some(), "the next owner's to end");
}

#[tokio::test]
async fn a_statement_that_is_let_pass_late_holds_no_later_one() {
    let (fake, ground) = start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    for fault in [Fault::Unanswered, Fault::Late] {
        fake.state().fault = Some(fault);
        lead.release(20, &two_tables()).await.unwrap();
    }
    lead.release(30, &two_tables()).await.unwrap();
    fake.come_late();
    let run: Run = read(&run_of(&ground).await.expect("a run")).unwrap();
    assert_eq!(run.released_ts, 30);
    // somebody removed it
    let ops = vec![etcd::delete(&ground.keys.run(&id()))];
    ground.etcd.txn(vec![], ops, vec![]).await.unwrap();
    let error = lead.release(40, &two_tables()).await.unwrap_err();
    assert_eq!(error.code(), Code::ErrOwnerNotFound);
}

#[tokio::test]
async fn who_gathers_late_ends_no_later_run() {
    let (fake, ground) = start().await;
    let members = ["a", "b"].map(str::to_owned).into();
    fake.state().fault = Some(Fault::Late);
    let gathered_late = Lead::gather(ground.clone(), id(), String::new(), members, None).await;
    gathered_late.unwrap_err();
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    assert!(!fake.come_late());
    assert!(run_of(&ground).await.is_some());
}

#[tokio::test]
async fn a_run_whose_key_is_removed_is_over() {
    let (_, ground) = start().await;
    let mut lead = gathered(&ground).await;
    lead.begin(10, false, &two_tables()).await.unwrap();
    let mut part = Part {
        run: run_of(&ground).await.expect("a run").create_revision,
        ended: true,
        ..Part::default()
    };
    let told = async |lead: &mut Lead, part: &Part| {
        tell(&ground, part).await;
        while !lead.catch_up().unwrap() {
            lead.changed().await;
        }
    };
    // a capture that leaves ends its parts, too
    told(&mut lead, &part).await;
    lead.certain().await.unwrap();
    let ops = vec![etcd::delete(&ground.keys.run(&id()))];
    ground.etcd.txn(vec![], ops, vec![]).await.unwrap();
    part.messages = 1;
    told(&mut lead, &part).await;
    let error = lead.certain().await.unwrap_err();
    assert!(error.message().contains(&ground.keys.run(&id())), "{error}");
}
