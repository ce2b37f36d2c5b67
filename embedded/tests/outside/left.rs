//! Clients that go away half-way: what they leave behind is for others to resolve.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::bank::load;
use super::program::{Client, PATIENCE, Program};
use super::say;
use crate::cluster::Cluster;

/// How somebody comes across what was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finder {
    /// Reads the accounts.
    Reader(Client),
    /// Looks for locks and ends whoever holds them, as a garbage collection does. (`tikv-client` has no other way with the
    /// locks of an async commit: its readers wait for somebody else to resolve them.)
    Cleaner(Client),
    /// Pays from the same accounts, in this mode.
    Writer(Client, &'static str),
}

/// Something that was left.
struct Left {
    by: Client,
    stage: &'static str,
    finder: Finder,
    /// Whether the transaction has to be found committed.
    commits: bool,
}

const LEFT: &[Left] = &[
    Left {
        by: Client::Go,
        stage: "prewritten",
        finder: Finder::Reader(Client::Rust),
        commits: false,
    },
    Left {
        by: Client::Go,
        stage: "prewritten",
        finder: Finder::Writer(Client::Rust, "optimistic"),
        commits: false,
    },
    Left {
        by: Client::Go,
        stage: "prewritten",
        finder: Finder::Reader(Client::Go),
        commits: false,
    },
    Left {
        by: Client::Go,
        stage: "prewritten",
        finder: Finder::Writer(Client::Go, "pessimistic"),
        commits: false,
    },
    Left {
        by: Client::Go,
        stage: "primary-committed",
        finder: Finder::Reader(Client::Rust),
        commits: true,
    },
    Left {
        by: Client::Go,
        stage: "primary-committed",
        finder: Finder::Writer(Client::Rust, "pessimistic"),
        commits: true,
    },
    Left {
        by: Client::Go,
        stage: "primary-committed",
        finder: Finder::Reader(Client::Go),
        commits: true,
    },
    Left {
        by: Client::Go,
        stage: "async-prewritten",
        finder: Finder::Reader(Client::Go),
        commits: true,
    },
    // Not cleaned up by `tikv-client`: it commits at the secondaries' min_commit_ts, and where that of the primary is above it a store
    // refuses (CommitTsExpired).
    Left {
        by: Client::Go,
        stage: "prewritten",
        finder: Finder::Cleaner(Client::Rust),
        commits: false,
    },
    Left {
        by: Client::Go,
        stage: "async-prewritten",
        finder: Finder::Writer(Client::Go, "optimistic"),
        commits: true,
    },
    Left {
        by: Client::Go,
        stage: "locked",
        finder: Finder::Writer(Client::Rust, "pessimistic"),
        commits: false,
    },
    Left {
        by: Client::Rust,
        stage: "locked",
        finder: Finder::Writer(Client::Go, "pessimistic"),
        commits: false,
    },
];

const TRANSFER: [&str; 6] = ["--from", "3", "--to", "30", "--amount", "7"];

/// Tries them all, side by side: a lock lives for up to 20 s.
pub fn all(cluster: &Cluster) {
    let banks: Vec<String> = LEFT
        .iter()
        .enumerate()
        .map(|(n, left)| format!("left-{n:02}-{}", left.stage))
        .collect();
    for (left, bank) in LEFT.iter().zip(&banks) {
        load(cluster, left.by, bank, true);
    }
    std::thread::scope(|scope| {
        for (left, bank) in LEFT.iter().zip(&banks) {
            scope.spawn(|| leave_and_find(cluster, left, bank));
        }
    });
}

fn leave_and_find(cluster: &Cluster, left: &Left, bank: &str) {
    let mut program = Program::start(
        cluster,
        left.by,
        bank,
        &[
            &[
                "leave", "--bank", bank, "--stage", left.stage, "--txn", "left",
            ][..],
            &TRANSFER,
        ]
        .concat(),
    );
    let event = program.next(Instant::now() + PATIENCE);
    let event = event.unwrap_or_else(|| panic!("{bank}: {}", program.said()));
    assert_eq!(event["event"], "left", "{bank}: {event}");
    program.kill();
    let began = Instant::now();
    let mut expected: BTreeSet<&str> = BTreeSet::new();
    if left.commits {
        expected.insert("left");
    }
    if let Finder::Writer(client, mode) = left.finder {
        let mut arguments = vec!["transfer", "--bank", bank, "--mode", mode, "--txn", "found"];
        arguments.extend(TRANSFER);
        committed(cluster, client, bank, &arguments);
        expected.insert("found");
    }
    if let Finder::Cleaner(client) = left.finder {
        let arguments = ["clean-up", "--bank", bank];
        let cleaned = Program::run(cluster, client, &format!("{bank}-clean-up"), &arguments);
        assert_ne!(cleaned[0]["locks"], 0, "{bank}: {cleaned:?}");
    }
    let by = match left.finder {
        Finder::Reader(client) | Finder::Cleaner(client) | Finder::Writer(client, _) => client,
    };
    let name = format!("{bank}-state");
    let state = Program::run(cluster, by, &name, &["state", "--bank", bank]);
    let took = began.elapsed();
    let ledger = state[0]["ledger"].as_object().unwrap();
    let ledger: BTreeSet<&str> = ledger.keys().map(String::as_str).collect();
    assert_eq!(ledger, expected, "{bank}: {state:?}");
    // By the ledger's word, which `state` holds the accounts to.
    assert_eq!(
        state[0]["accounts"]["3"],
        1000 - 7 * i64::try_from(expected.len()).unwrap(),
        "{bank}: {state:?}"
    );
    say(&format!(
        "{} left by {}, found by {:?}: {} after {:.1} s",
        left.stage,
        left.by.name(),
        left.finder,
        if left.commits {
            "committed"
        } else {
            "rolled back"
        },
        took.as_secs_f64()
    ));
    assert!(took < Duration::from_secs(40), "{bank}: took {took:?}");
}

/// A transfer that has to come to be committed: a client may give up before the lock's time is over.
fn committed(cluster: &Cluster, client: Client, bank: &str, arguments: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    let name = format!("{bank}-found");
    loop {
        let events = Program::run(cluster, client, &name, arguments);
        let [event] = &events[..] else {
            panic!("{name}: {events:?}")
        };
        if event["event"] == "committed" {
            return;
        }
        let why = event["why"].as_str().unwrap_or_default();
        let patient = ["locked", "lock wait", "conflict", "txn not found"].contains(&why);
        assert!(
            event["event"] == "aborted" && patient && Instant::now() < deadline,
            "{name}: {event}"
        );
    }
}
