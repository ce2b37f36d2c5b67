//! What is told of parts, to an etcd that does not always answer.

use tokio::sync::watch;

use super::{
    parts::{Event, Running, What},
    tell::{Voice, announce},
    *,
};
use crate::{
    changefeed::{
        keys::{Id, Keys},
        spread::{Part, json, placement::Placement},
        task::Progress,
    },
    coded::Coded,
    compat::Compat,
    etcd::{
        self,
        fake::{Fake, Fault},
    },
};

const PATIENCE: Duration = Duration::from_secs(10);
const LEASE: i64 = 7;

fn id() -> Id {
    Id::new("default", "feed")
}

fn run() -> Run {
    Run {
        leader: "a".to_owned(),
        info: String::new(),
        checkpoint_ts: 10,
        ddl_at_checkpoint: false,
        released_ts: 0,
        tables: Placement::default(),
    }
}

/// A capture `b` with a run to take part in.
struct Stage {
    fake: Fake,
    voice: Voice,
    parts: Parts,
    lost: CancellationToken,
    revision: i64,
}

/// The other end of a part.
struct Work {
    progress: watch::Sender<Progress>,
    end: tokio::sync::oneshot::Sender<Result<(), Coded>>,
}

impl Stage {
    async fn set() -> Self {
        let (fake, etcd) = Fake::start().await;
        let voice = Voice {
            etcd,
            keys: Keys::new(Compat::V8_5, "default"),
            capture: "b".to_owned(),
            lease: LEASE,
        };
        let lost = CancellationToken::new();
        let parts = Parts::new(voice.clone(), lost.clone());
        let mut stage = Self {
            fake,
            voice,
            parts,
            lost,
            revision: 0,
        };
        stage.next_run().await;
        stage
    }

    async fn next_run(&mut self) {
        let (etcd, key) = (&self.voice.etcd, self.voice.keys.run(&id()));
        let ops = vec![etcd::delete(&key)];
        etcd.txn(vec![], ops, vec![]).await.unwrap();
        etcd.put(&key, json(&run()).unwrap(), 0).await.unwrap();
        self.revision = etcd.get(&key).await.unwrap().unwrap().create_revision;
    }

    /// Begins a part of the run that there is.
    async fn begin(&mut self) -> Work {
        let (progress, seen) = watch::channel(Progress {
            checkpoint_ts: 10,
            resolved_ts: 10,
            ..Progress::default()
        });
        let (end, ended) = tokio::sync::oneshot::channel();
        let revision = self.revision;
        let at = announce(&self.voice, &id(), revision, 10).await.unwrap();
        let begun = Event {
            id: id(),
            revision,
            what: What::Begun(at.expect("the run is there")),
        };
        let part = Running::start(
            id(),
            revision,
            watch::channel(run()).0,
            CancellationToken::new(),
            seen,
            async { ended.await.unwrap_or(Ok(())) },
            self.parts.events(),
        );
        self.parts.running.insert(id(), part);
        self.parts.events().send(begun).unwrap();
        assert!(!self.parts.happened().await);
        Work { progress, end }
    }

    async fn end(&mut self, work: Work) {
        work.end.send(Ok(())).unwrap();
        let ended = tokio::time::timeout(PATIENCE, self.parts.happened()).await;
        assert!(ended.expect("an end"));
    }

    /// Tells until all is told that is to be told.
    async fn told(&mut self, wanted: impl Fn(&Part) -> bool) {
        let mut pace = tokio::time::interval(TICK);
        let told = async {
            loop {
                pace.tick().await;
                self.parts.tell().await;
                if self.key().await.as_ref().is_some_and(&wanted) {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("told");
    }

    async fn key(&self) -> Option<Part> {
        let key = self.voice.keys.part(&id(), "b");
        let pair = self.voice.etcd.get(&key).await.unwrap()?;
        Some(read(&pair).unwrap())
    }
}

#[tokio::test]
async fn how_far_a_part_was_comes_late_and_changes_nothing() {
    let mut stage = Stage::set().await;
    let work = stage.begin().await;
    work.progress
        .send_modify(|progress| progress.checkpoint_ts = 20);
    stage.fake.state().fault = Some(Fault::Late);
    stage.parts.tell().await;
    stage.end(work).await;
    stage.told(|part| part.ended).await;
    // else the leader would wait for this part as long as its session lasts
    stage.fake.come_late();
    assert!(stage.key().await.expect("a key").ended);

    // the end of a part comes late, when the part of the next run has begun
    stage.next_run().await;
    let work = stage.begin().await;
    stage.end(work).await;
    stage.fake.state().fault = Some(Fault::Late);
    stage.parts.tell().await;
    stage.told(|part| part.ended).await;
    stage.next_run().await;
    let _work = stage.begin().await;
    stage.fake.come_late();
    // else the leader would take it that this capture has no tables any more
    let part = stage.key().await.expect("a key");
    assert!(!part.ended && part.run == stage.revision, "{part:?}");
}

#[tokio::test]
async fn a_write_without_an_answer_is_gone_over() {
    let mut stage = Stage::set().await;
    stage.fake.state().fault = Some(Fault::Unanswered);
    let work = stage.begin().await;
    work.progress
        .send_modify(|progress| progress.checkpoint_ts = 20);
    stage.fake.state().fault = Some(Fault::Unanswered);
    stage.told(|part| part.checkpoint_ts == 20).await;
    work.progress
        .send_modify(|progress| progress.checkpoint_ts = 30);
    stage.told(|part| part.checkpoint_ts == 30).await;
    stage.end(work).await;
    stage.fake.state().fault = Some(Fault::Unanswered);
    stage
        .told(|part| part.ended && part.checkpoint_ts == 30)
        .await;
}

#[tokio::test]
async fn no_part_begins_without_its_run() {
    let mut stage = Stage::set().await;
    // one that ended before is no hindrance
    let work = stage.begin().await;
    stage.end(work).await;
    stage.told(|part| part.ended).await;
    stage.next_run().await;
    let announced = announce(&stage.voice, &id(), 99, 10).await.unwrap();
    assert_eq!(announced, None, "there is no such run");
    assert!(stage.key().await.expect("the one before").ended);
    stage.fake.state().fault = Some(Fault::Late);
    let work = stage.begin().await;
    stage.end(work).await;
    stage.told(|part| part.ended).await;
    assert!(!stage.fake.come_late(), "a part that has ended");
}

#[tokio::test]
async fn a_part_whose_key_is_removed_ends() {
    let mut stage = Stage::set().await;
    let work = stage.begin().await;
    let key = stage.voice.keys.part(&id(), "b");
    let ops = vec![etcd::delete(&key)];
    stage.voice.etcd.txn(vec![], ops, vec![]).await.unwrap();
    work.progress
        .send_modify(|progress| progress.checkpoint_ts = 20);
    stage.parts.tell().await;
    let ended = tokio::time::timeout(PATIENCE, stage.parts.happened()).await;
    assert!(ended.expect("an end"));
    assert!(work.end.is_closed());
    assert_eq!(stage.key().await, None);
    // it may begin again
    assert!(stage.parts.running.is_empty() && stage.parts.done.is_empty());
}

#[tokio::test]
async fn a_session_that_is_over_is_told_once() {
    let mut stage = Stage::set().await;
    let work = stage.begin().await;
    stage.fake.state().expired.insert(LEASE);
    work.progress
        .send_modify(|progress| progress.checkpoint_ts = 20);
    stage.parts.tell().await;
    assert!(stage.lost.is_cancelled());
}

#[tokio::test]
async fn an_etcd_that_does_not_answer_is_not_pressed() {
    let mut stage = Stage::set().await;
    let work = stage.begin().await;
    work.progress
        .send_modify(|progress| progress.checkpoint_ts = 20);
    let (before, began) = (stage.fake.state().asked, std::time::Instant::now());
    for _ in 0..20 {
        stage.fake.state().fault = Some(Fault::Refused);
        stage.parts.tell().await;
    }
    let may = 1 + began.elapsed().as_millis() / AGAIN.as_millis();
    let asked = stage.fake.state().asked - before;
    assert!((1..=may).contains(&(asked as u128)), "{asked} of {may}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_does_not_stop_is_waited_for_when_it_is_dropped() {
    let mut stage = Stage::set().await;
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let (works, working) = tokio::sync::oneshot::channel();
    let (_progress, seen) = watch::channel(Progress::default());
    let part = Running::start(
        id(),
        stage.revision,
        watch::channel(run()).0,
        CancellationToken::new(),
        seen,
        async move {
            works.send(()).unwrap();
            // what is under way when a task is dropped goes on until it next waits
            let _ = tokio::task::block_in_place(|| gate.recv());
            std::future::pending().await
        },
        stage.parts.events(),
    );
    stage.parts.running.insert(id(), part);
    working.await.unwrap();
    stage.parts.drop_all();
    let mut finish = Box::pin(stage.parts.finish());
    let early = tokio::time::timeout(TICK, &mut finish).await;
    assert!(early.is_err(), "it has not ended");
    go.send(()).unwrap();
    assert!(
        tokio::time::timeout(PATIENCE, finish)
            .await
            .expect("an end")
    );
}
