//! A bank under a workload and faults: what must hold of it, and what is told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::program::{Client, PATIENCE, Program};
use super::{Random, say};
use crate::cluster::{Cluster, Part};

/// Transactions that every client has to commit before a fault, and after the last one.
const BETWEEN: usize = 30;
/// Transactions that are under way at once, over all clients.
const TRANSACTIONS: usize = 8;
/// How much later than that a fault may come.
const LATER: usize = 40;
const POLL: Duration = Duration::from_millis(5);

/// What happens in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of a part of the cluster, which is started again at once.
    Kill(Part),
    /// `kill -9` of a client, by its place in the plan; it does not come back.
    KillClient(usize),
}

/// A run.
pub struct Plan {
    pub name: &'static str,
    /// Clients at work at once, each with its mode.
    pub clients: &'static [(Client, &'static str)],
    /// Whether the bank lies in several regions.
    pub split: bool,
    pub faults: &'static [Fault],
}

/// A client at work.
struct Worker {
    name: String,
    program: Program,
    killed: bool,
    committed: BTreeSet<String>,
    aborted: BTreeSet<String>,
    unknown: BTreeSet<String>,
    reasons: BTreeMap<String, usize>,
    /// Its last words.
    done: Option<Value>,
}

impl Worker {
    fn take(&mut self, event: &Value) {
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        match text("event").as_str() {
            "committed" => {
                self.committed.insert(text("txn"));
            }
            "aborted" => {
                self.aborted.insert(text("txn"));
                *self.reasons.entry(text("why")).or_default() += 1;
            }
            "unknown" => {
                self.unknown.insert(text("txn"));
            }
            "done" => self.done = Some(event.clone()),
            _ => panic!("{}: {event}", self.name),
        }
    }

    /// Takes in what has been told by now.
    fn listen(&mut self) {
        while let Some(event) = self.program.try_next() {
            self.take(&event);
        }
    }
}

/// The outcome of `state`.
struct State {
    ts: u64,
    accounts: Value,
    ledger: BTreeSet<String>,
}

fn state(cluster: &Cluster, client: Client, bank: &str, at: u64) -> State {
    let name = format!("{bank}-state-{}", client.name());
    let arguments = ["state", "--bank", bank, "--at", &at.to_string()];
    let events = Program::run(cluster, client, &name, &arguments);
    let [event] = &events[..] else {
        panic!("{name}: {events:?}")
    };
    State {
        ts: event["ts"].as_u64().unwrap(),
        accounts: event["accounts"].clone(),
        ledger: event["ledger"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect(),
    }
}

/// Puts a bank where it can be worked with.
pub fn load(cluster: &Cluster, client: Client, bank: &str, split: bool) {
    Program::run(
        cluster,
        client,
        &format!("{bank}-load"),
        &["load", "--bank", bank],
    );
    if split {
        let keys = ["acc/010", "acc/025", "led/"].map(|key| format!("bank/{bank}/{key}"));
        let arguments = ["split", "--splits", &keys.join(",")];
        Program::run(cluster, Client::Go, &format!("{bank}-split"), &arguments);
    }
}

/// Carries out a plan, and holds what comes of it to what it has to be.
pub fn run(cluster: &mut Cluster, plan: &Plan, seed: u64) {
    for (client, _) in plan.clients {
        client.binary();
    }
    let began = Instant::now();
    load(cluster, plan.clients[0].0, plan.name, plan.split);
    let mut random = Random(seed);
    let workers = TRANSACTIONS / plan.clients.len();
    let start = |(place, &(client, mode)): (usize, &(Client, &'static str))| {
        let name = format!("{}-{place}-{mode}", client.name());
        let seed = seed.wrapping_add(place as u64) % (1 << 48);
        let arguments = [
            "run",
            "--bank",
            plan.name,
            "--as",
            &name,
            "--mode",
            mode,
            "--seed",
            &seed.to_string(),
            "--workers",
            &workers.to_string(),
        ];
        Worker {
            program: Program::start(
                cluster,
                client,
                &format!("{}-{name}", plan.name),
                &arguments,
            ),
            name,
            killed: false,
            committed: BTreeSet::new(),
            aborted: BTreeSet::new(),
            unknown: BTreeSet::new(),
            reasons: BTreeMap::new(),
            done: None,
        }
    };
    let mut workers: Vec<Worker> = plan.clients.iter().enumerate().map(start).collect();
    for fault in plan.faults {
        all_commit(&mut workers, BETWEEN + random.below(LATER), plan, seed);
        match *fault {
            Fault::Kill(part) => {
                cluster.kill(part);
                cluster.spawn(part);
            }
            Fault::KillClient(place) => {
                workers[place].program.kill();
                workers[place].killed = true;
            }
        }
    }
    all_commit(&mut workers, BETWEEN, plan, seed);
    for worker in &mut workers {
        worker.program.enough();
        let deadline = Instant::now() + PATIENCE;
        while let Some(event) = worker.program.next(deadline) {
            worker.take(&event);
        }
        if !worker.killed {
            worker.program.succeeds();
            assert!(worker.done.is_some(), "{}: no last words", worker.name);
        }
    }
    let present = judge(cluster, plan, &workers);
    report(plan, &workers, &present, seed, began.elapsed());
}

/// Waits until every living client has committed so many transactions more.
fn all_commit(workers: &mut [Worker], more: usize, plan: &Plan, seed: u64) {
    let wanted: Vec<usize> = workers.iter().map(|w| w.committed.len() + more).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        workers.iter_mut().for_each(Worker::listen);
        let behind = workers
            .iter()
            .zip(&wanted)
            .position(|(worker, wanted)| !worker.killed && worker.committed.len() < *wanted);
        let Some(behind) = behind else { return };
        let (worker, wanted) = (&mut workers[behind], wanted[behind]);
        let ended = worker.program.ended();
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "{} (seed {seed}): {} committed {} of {wanted} transactions within {} s; ended: {ended:?}; aborted: {:?}\n{}",
            plan.name,
            worker.name,
            worker.committed.len(),
            PATIENCE.as_secs(),
            worker.reasons,
            worker.program.said()
        );
        std::thread::sleep(POLL);
    }
}

/// What was acknowledged is there, what was refused is not, and both clients read the same. Gives the ledger.
fn judge(cluster: &Cluster, plan: &Plan, workers: &[Worker]) -> BTreeSet<String> {
    let by_go = state(cluster, Client::Go, plan.name, 0);
    let by_rust = state(cluster, Client::Rust, plan.name, by_go.ts);
    assert_eq!(by_go.accounts, by_rust.accounts, "{}: accounts", plan.name);
    assert_eq!(by_go.ledger, by_rust.ledger, "{}: ledger", plan.name);
    let mut untold = by_go.ledger.clone();
    for worker in workers {
        let lost: Vec<_> = worker.committed.difference(&by_go.ledger).collect();
        assert!(
            lost.is_empty(),
            "{}: acknowledged and lost: {lost:?}",
            plan.name
        );
        let undead: Vec<_> = worker.aborted.intersection(&by_go.ledger).collect();
        assert!(
            undead.is_empty(),
            "{}: refused and there: {undead:?}",
            plan.name
        );
        untold.retain(|txn| !worker.committed.contains(txn) && !worker.unknown.contains(txn));
    }
    // What nobody told of is of a client that was killed before it could.
    let killed = |txn: &String| {
        let mut of = workers.iter().filter(|w| txn.starts_with(&w.name));
        of.next().is_some_and(|worker| worker.killed)
    };
    assert!(
        untold.iter().all(killed),
        "{}: from nowhere: {untold:?}",
        plan.name
    );
    by_go.ledger
}

fn report(plan: &Plan, workers: &[Worker], present: &BTreeSet<String>, seed: u64, took: Duration) {
    let mut text = format!("{}:", plan.name);
    for part in [Part::Tikv, Part::Pd] {
        let kills = plan
            .faults
            .iter()
            .filter(|f| **f == Fault::Kill(part))
            .count();
        write!(text, " {kills} kills of {part:?},").unwrap();
    }
    writeln!(text, " {:.1} s, seed {seed}", took.as_secs_f64()).unwrap();
    for worker in workers {
        let unknown = &worker.unknown;
        write!(
            text,
            "  {}: {} committed, {} aborted {:?}, {} unknown ({} of them committed)",
            worker.name,
            worker.committed.len(),
            worker.aborted.len(),
            worker.reasons,
            unknown.len(),
            unknown.intersection(present).count(),
        )
        .unwrap();
        let Some(done) = &worker.done else {
            writeln!(text, "; killed").unwrap();
            continue;
        };
        let count = |field: &str| done[field].as_u64().unwrap_or_default();
        let (right, again) = (count("snapshots"), count("reread"));
        let failed = count("failed_reads");
        writeln!(
            text,
            "; {right} snapshots right, {again} read again, {failed} reads failed"
        )
        .unwrap();
    }
    say(text.trim_end());
}
