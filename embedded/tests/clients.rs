//! Clients of TiKV that we did not write, `tikv-client` (Rust) and `client-go/v2` (Go), write to the embedded cluster and read
//! from it while parts of it are killed; `etcdctl` works against PD's port. Each run is named and counted in the print-out.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;
mod outside;

use cluster::{Cluster, Part};
use outside::bank::{self, Fault, Plan};
use outside::program::{Client, Program};
use outside::{etcd, left, say, seed};
use serde_json::Value;

const VERSION: &str = "v8.5.3";
const TIKV: Fault = Fault::Kill(Part::Tikv);
const PD: Fault = Fault::Kill(Part::Pd);

async fn all(plans: &[Plan]) {
    let mut cluster = Cluster::storage(VERSION).await;
    for plan in plans {
        bank::run(&mut cluster, plan, seed());
    }
}

#[tokio::test]
async fn tikv_client_keeps_a_bank() {
    use Client::Rust;
    all(&[
        Plan {
            name: "rust-optimistic",
            clients: &[(Rust, "optimistic")],
            split: true,
            faults: &[TIKV, PD, TIKV],
        },
        Plan {
            name: "rust-pessimistic",
            clients: &[(Rust, "pessimistic")],
            split: true,
            faults: &[TIKV, PD, TIKV],
        },
        Plan {
            name: "rust-async-commit",
            clients: &[(Rust, "async-commit")],
            split: true,
            faults: &[TIKV, PD],
        },
        Plan {
            name: "rust-one-pc",
            clients: &[(Rust, "one-pc")],
            split: false,
            faults: &[TIKV, PD],
        },
    ])
    .await;
}

#[tokio::test]
async fn client_go_keeps_a_bank() {
    use Client::Go;
    all(&[
        Plan {
            name: "go-optimistic",
            clients: &[(Go, "optimistic")],
            split: true,
            faults: &[TIKV, PD, TIKV],
        },
        Plan {
            name: "go-pessimistic",
            clients: &[(Go, "pessimistic")],
            split: true,
            faults: &[TIKV, PD, TIKV],
        },
        Plan {
            name: "go-async-commit",
            clients: &[(Go, "async-commit")],
            split: true,
            faults: &[TIKV, PD],
        },
        Plan {
            name: "go-one-pc",
            clients: &[(Go, "one-pc")],
            split: false,
            faults: &[TIKV, PD],
        },
    ])
    .await;
}

#[tokio::test]
async fn both_keep_one_bank_and_clean_up_after_one_that_is_killed() {
    use Client::{Go, Rust};
    all(&[
        Plan {
            name: "both",
            clients: &[
                (Rust, "pessimistic"),
                (Go, "optimistic"),
                (Go, "async-commit"),
            ],
            split: true,
            faults: &[TIKV, Fault::KillClient(2), PD, Fault::KillClient(1)],
        },
        Plan {
            name: "both-rust-killed",
            clients: &[(Go, "pessimistic"), (Rust, "optimistic")],
            split: true,
            faults: &[Fault::KillClient(1), PD],
        },
    ])
    .await;
}

#[tokio::test]
async fn locks_of_clients_that_are_gone_are_resolved_by_others() {
    left::all(&Cluster::storage(VERSION).await);
}

#[tokio::test]
async fn snapshot_isolation_allows_write_skew_and_no_lost_update() {
    let cluster = Cluster::storage(VERSION).await;
    for client in [Client::Rust, Client::Go] {
        let name = client.name();
        bank::load(&cluster, client, name, false);
        let events = Program::run(&cluster, client, name, &["anomalies", "--bank", name]);
        let refused = |kind: &str| {
            let event = events.iter().find(|event| event["kind"] == kind);
            event.map_or(Value::Null, |event| event["refused"].clone())
        };
        assert_eq!(refused("lost update"), "conflict", "{name}: {events:?}");
        assert_eq!(refused("write skew"), "", "{name}: {events:?}");
        let reads = events
            .iter()
            .find(|event| event["event"] == "reads")
            .unwrap();
        assert_eq!(reads["before"], "1000", "{name}: {events:?}");
        assert_eq!(reads["before"], reads["during"], "{name}: {events:?}");
        assert_eq!(reads["before"], reads["after"], "{name}: {events:?}");
        say(&format!(
            "{name}: lost update refused, write skew allowed, reads at one start-ts do not change"
        ));
    }
}

#[tokio::test]
async fn etcdctl_works_against_pd() {
    let cluster = Cluster::storage(VERSION).await;
    etcd::all(&cluster);
}
