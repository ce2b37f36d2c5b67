//! Random SQL with SIGKILL at random moments: after each, what was told to be done is there, what was told to have failed is
//! not, and what was under way is there as a whole or not at all; and TiKV has just what MariaDB has.
//!
//! `cargo test` does [`RUNS`] runs; `CDCLAB_CRASH_RUNS=200` does so many, `CDCLAB_CRASH_SEED=17` only that of seed 17. The
//! release, the statements and what is killed at which of them depend on the seed alone; how far the statement is by then does not.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;
mod random;

use std::sync::Mutex;
use std::time::Duration;

use cluster::{Cluster, Part};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use random::{Effect, Generator, State, Step, state};

/// The release of a seed.
fn release_of(seed: u64) -> &'static str {
    match seed % 2 {
        0 => NEW,
        _ => OLD,
    }
}

const NEW: &str = "v8.5.3";
const OLD: &str = "v4.0.9";
/// Runs of `cargo test`.
const RUNS: u64 = 16;
/// Runs on one cluster: what was dropped is still read by each verify.
const RUNS_OF_CLUSTER: usize = 25;
/// Clusters at a time.
const CLUSTERS: usize = 2;
/// Steps of a run.
const STEPS: u64 = 14;

/// What may be killed.
const KILLED: [&str; 3] = ["tidb", "mariadb", "tikv"];

/// Tells how to run a failed seed again.
struct Again(u64);

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!(
                "seed {seed} failed; again: CDCLAB_CRASH_SEED={seed} cargo test -p embedded --test tidb_random"
            );
        }
    }
}

/// When something is killed in a run.
#[derive(Debug, Clone, Copy)]
struct Kill {
    what: &'static str,
    /// Statements before it.
    after: u64,
    /// Into the statement.
    delay: Duration,
}

/// What a statement came to.
#[derive(Debug)]
enum Told {
    Done,
    Failed,
    /// The connection broke.
    Nothing,
}

/// What was done, so that a run in which all is refused is no success.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    runs: u64,
    /// Statements and transactions that changed rows.
    changes: u64,
    /// DDL statements that changed the schema, and of them those that gave columns another type, and computed columns.
    ddl: u64,
    modified: u64,
    computed: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.changes += other.changes;
        self.ddl += other.ddl;
        self.modified += other.modified;
        self.computed += other.computed;
    }

    /// Floors well below what the seeds come to.
    fn hold(&self) {
        let Self {
            runs,
            changes,
            ddl,
            modified,
            computed,
        } = *self;
        assert!(changes >= runs * 4 && ddl >= runs * 4, "{self:?}");
        // A few runs may have none of these.
        if runs >= RUNS {
            assert!(modified > 0 && computed > 1, "{self:?}");
        }
    }
}

/// A run of one seed.
struct Run<'a> {
    cluster: &'a mut Cluster,
    database: String,
    conn: Conn,
    kill: Option<Kill>,
    /// Statements so far.
    statements: u64,
    /// Of them those that went well.
    done: u64,
    counts: Counts,
}

impl Run<'_> {
    /// Sends a statement, and kills what is to be killed meanwhile if its time has come.
    async fn send(&mut self, sql: &str) -> Told {
        let due = self.kill.take_if(|kill| kill.after <= self.statements);
        self.statements += 1;
        let cluster = &mut *self.cluster;
        let killing = async {
            if let Some(kill) = due {
                tokio::time::sleep(kill.delay).await;
                match kill.what {
                    "tikv" => {
                        cluster.kill(Part::Tikv);
                        cluster.spawn(Part::Tikv);
                    }
                    "tidb" => cluster.kill(Part::Tidb),
                    _ => {
                        let pid = nix::unistd::Pid::from_raw(cluster.mariadb_pid());
                        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
                        assert!(!cluster.wait_exit(Part::Tidb).success());
                    }
                }
            }
        };
        let (told, ()) = tokio::join!(self.conn.query_drop(sql), killing);
        if let Some(kill) = due.filter(|kill| kill.what != "tikv") {
            println!("{} was killed {:?} into {sql}", kill.what, kill.delay);
            cluster.spawn(Part::Tidb);
        }
        match told {
            Ok(()) => {
                self.done += 1;
                Told::Done
            }
            Err(mysql_async::Error::Server(_)) => Told::Failed,
            Err(_) => Told::Nothing,
        }
    }

    async fn connect(&mut self) {
        self.conn = self.cluster.sql().await;
        let chosen = self.conn.query_drop(format!("USE {}", self.database)).await;
        chosen.unwrap();
    }

    /// What the tables hold now; none if the connection broke.
    async fn look(&mut self) -> Option<State> {
        state(&mut self.conn, &self.database).await.ok()
    }

    /// Does a step. `before` is what the tables hold, and what they hold afterwards is given.
    async fn step(&mut self, step: &Step, before: State) -> State {
        let may_be = self.try_step(step, &before).await;
        let now = match self.look().await {
            Some(now) => now,
            None => {
                self.connect().await;
                self.look().await.unwrap()
            }
        };
        assert!(
            may_be.contains(&now),
            "after {step:?}: {now:?}\nis none of {may_be:?}"
        );
        let is_ddl = matches!(step, Step::Ddl(..));
        self.counts.changes += u64::from(!is_ddl && now != before);
        now
    }

    /// Does a step: what the tables may hold after it.
    async fn try_step(&mut self, step: &Step, before: &State) -> Vec<State> {
        let before = before.clone();
        match step {
            Step::Ddl(sql, effect) => {
                let after = effect.on(&before);
                match self.send(sql).await {
                    Told::Done => {
                        self.counts.ddl += 1;
                        self.counts.modified += u64::from(matches!(effect, Effect::Modify));
                        self.counts.computed +=
                            u64::from(matches!(effect, Effect::AddComputed(..)));
                        vec![after]
                    }
                    Told::Failed => vec![before],
                    Told::Nothing => vec![before, after],
                }
            }
            Step::Alone(sql) => {
                // What it would do, to know that it did that.
                let tried = self
                    .transaction(std::slice::from_ref(sql), "ROLLBACK")
                    .await;
                let Some((_, after)) = tried else {
                    return vec![before];
                };
                match self.send(sql).await {
                    Told::Done => vec![after],
                    Told::Failed => vec![before],
                    Told::Nothing => vec![before, after],
                }
            }
            Step::Transaction(statements, end) => match self.transaction(statements, end).await {
                None | Some((Told::Failed, _)) => vec![before],
                Some((Told::Done, _)) if *end == "ROLLBACK" => vec![before],
                Some((Told::Done, after)) => vec![after],
                Some((Told::Nothing, _)) if *end == "ROLLBACK" => vec![before],
                Some((Told::Nothing, after)) => vec![before, after],
            },
        }
    }

    /// Does a transaction: what its end came to, and what the tables held just before; none if it did not come to its end.
    async fn transaction(&mut self, statements: &[String], end: &str) -> Option<(Told, State)> {
        let begin = "BEGIN".to_owned();
        for sql in [&begin].into_iter().chain(statements) {
            if let Told::Nothing = self.send(sql).await {
                return None;
            }
        }
        let after = self.look().await?;
        Some((self.send(end).await, after))
    }
}

async fn run(cluster: &mut Cluster, seed: u64) -> Counts {
    let _again = Again(seed);
    let mut generator = Generator::new(seed, release_of(seed) == NEW);
    let kill = Kill {
        what: KILLED[generator.dice.roll(3) as usize],
        after: 3 + generator.dice.roll(STEPS * 3),
        delay: Duration::from_micros(generator.dice.roll(6000)),
    };
    let database = format!("r{seed}");
    let mut conn = cluster.sql().await;
    for sql in [
        format!("CREATE DATABASE {database}"),
        format!("USE {database}"),
    ] {
        conn.query_drop(sql).await.unwrap();
    }
    let mut run = Run {
        cluster,
        database,
        conn,
        kill: Some(kill),
        statements: 0,
        done: 0,
        counts: Counts {
            runs: 1,
            ..Counts::default()
        },
    };
    let mut held = State::new();
    for _ in 0..3 {
        let step = generator.create();
        held = run.step(&step, held).await;
    }
    for _ in 0..STEPS {
        let step = generator.step(&held);
        held = run.step(&step, held).await;
    }
    // If it went by with fewer statements.
    run.kill = run.kill.map(|kill| Kill { after: 0, ..kill });
    let last = Step::Alone("DO 1".to_owned());
    run.step(&last, held).await;
    assert!(run.done > STEPS, "{} statements were done", run.done);
    run.cluster.verify().await;
    let drop = format!("DROP DATABASE {}", run.database);
    run.conn.query_drop(drop).await.unwrap();
    run.counts
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: no number")),
    )
}

#[test]
fn random_statements_survive_every_kill() {
    let seeds = match number("CDCLAB_CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CDCLAB_CRASH_RUNS").unwrap_or(RUNS),
    };
    let (new, old): (Vec<u64>, Vec<u64>) = seeds.partition(|seed| release_of(*seed) == NEW);
    // A cluster is of one release.
    let chunks = |seeds: Vec<u64>| -> Vec<Vec<u64>> {
        let chunks = seeds.chunks(RUNS_OF_CLUSTER);
        chunks.map(<[u64]>::to_vec).collect()
    };
    let chunks = [chunks(new), chunks(old)].concat();
    let counts = Mutex::new(Counts::default());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLUSTERS.min(chunks.len()) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                loop {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(seeds) = chunks.get(n) else {
                        return;
                    };
                    runtime.block_on(async {
                        let mut cluster = Cluster::start(release_of(seeds[0])).await;
                        for seed in seeds {
                            let done = run(&mut cluster, *seed).await;
                            counts.lock().unwrap().add(done);
                        }
                    });
                }
            });
        }
    });
    let counts = counts.into_inner().unwrap();
    println!("{counts:?}");
    counts.hold();
}
