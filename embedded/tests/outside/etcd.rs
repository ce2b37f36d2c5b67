//! `etcdctl` against PD's port: leases, watches, transactions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::say;
use crate::cluster::{Cluster, parts};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

struct Etcdctl {
    endpoint: String,
}

impl Etcdctl {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(parts::etcdctl());
        command
            .env("ETCDCTL_API", "3")
            .args(["--endpoints", &self.endpoint])
            .args(arguments);
        command
    }

    fn try_run(&self, arguments: &[&str], stdin: &str) -> Result<String, String> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stdin.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let (out, err) = (output.stdout, output.stderr);
        match output.status.success() {
            true => Ok(String::from_utf8(out).unwrap().trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&err).into_owned()),
        }
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.try_run(arguments, "")
            .unwrap_or_else(|error| panic!("etcdctl {arguments:?}: {error}"))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[arguments, &["-w", "json"]].concat())).unwrap()
    }

    /// The lease's id as `etcdctl` wants it.
    fn grant(&self, ttl: &str) -> String {
        let lease = self.json(&["lease", "grant", ttl]);
        format!("{:x}", lease["ID"].as_i64().unwrap())
    }

    /// The seconds that a lease has left; -1 when it is gone.
    fn ttl(&self, lease: &str) -> i64 {
        self.json(&["lease", "timetolive", lease])["ttl"]
            .as_i64()
            .unwrap()
    }
}

/// A command that goes on, and its lines; it ends with this.
struct Going {
    child: Child,
    lines: Receiver<String>,
}

impl Going {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition() {
            Ok(found) => return found,
            Err(missing) => assert!(Instant::now() < deadline, "{what}: {missing}"),
        }
        std::thread::sleep(POLL);
    }
}

/// Tries all of it.
pub fn all(cluster: &Cluster) {
    let etcdctl = Etcdctl {
        endpoint: cluster.pd_address(),
    };
    until("PD's etcd", || etcdctl.try_run(&["endpoint", "health"], ""));
    keys(&etcdctl);
    transactions(&etcdctl);
    watches(&etcdctl);
    leases(&etcdctl);
    others(&etcdctl);
}

fn keys(etcdctl: &Etcdctl) {
    assert_eq!(etcdctl.run(&["put", "outside/a", "1"]), "OK");
    assert_eq!(etcdctl.run(&["put", "outside/b", "2"]), "OK");
    assert_eq!(
        etcdctl.run(&["get", "outside/", "--prefix"]),
        "outside/a\n1\noutside/b\n2"
    );
    let found = etcdctl.json(&["get", "outside/a"]);
    let revision = found["kvs"][0]["mod_revision"].as_i64().unwrap();
    etcdctl.run(&["put", "outside/a", "3"]);
    let then = format!("--rev={revision}");
    assert_eq!(
        etcdctl.run(&["get", "outside/a", "--print-value-only", &then]),
        "1"
    );
    assert_eq!(etcdctl.run(&["del", "outside/b"]), "1");
    say("etcdctl: put, get, get of a prefix and at a revision, del");
}

fn transactions(etcdctl: &Etcdctl) {
    let branch = |compare: &str| {
        let text =
            format!("{compare}\n\nput outside/txn yes\nget outside/a\n\nput outside/txn no\n\n");
        etcdctl.try_run(&["txn"], &text).unwrap()
    };
    assert!(branch("value(\"outside/a\") = \"3\"").starts_with("SUCCESS"));
    assert_eq!(
        etcdctl.run(&["get", "outside/txn", "--print-value-only"]),
        "yes"
    );
    assert!(branch("create(\"outside/a\") = \"0\"").starts_with("FAILURE"));
    assert_eq!(
        etcdctl.run(&["get", "outside/txn", "--print-value-only"]),
        "no"
    );
    say("etcdctl: transactions, both branches");
}

fn watches(etcdctl: &Etcdctl) {
    let revision = etcdctl.json(&["get", "outside/a"])["header"]["revision"]
        .as_i64()
        .unwrap();
    etcdctl.run(&["put", "outside/watched/1", "before"]);
    // From a revision on: what was before is told too.
    let from = format!("--rev={}", revision + 1);
    let watching = Going::start(etcdctl.command(&["watch", "outside/watched/", "--prefix", &from]));
    let event = || [watching.next(), watching.next(), watching.next()];
    assert_eq!(event(), ["PUT", "outside/watched/1", "before"]);
    etcdctl.run(&["put", "outside/watched/2", "live"]);
    assert_eq!(event(), ["PUT", "outside/watched/2", "live"]);
    etcdctl.run(&["del", "outside/watched/1"]);
    assert_eq!(event(), ["DELETE", "outside/watched/1", ""]);
    say("etcdctl: a watch of a prefix from a revision, live puts and deletes");
}

fn leases(etcdctl: &Etcdctl) {
    // One that is kept alive, one that runs out, one that is taken back.
    let [kept, short, revoked] = ["3", "1", "600"].map(|ttl| etcdctl.grant(ttl));
    let keeping = Going::start(etcdctl.command(&["lease", "keep-alive", &kept]));
    for (key, lease) in [("kept", &kept), ("short", &short), ("revoked", &revoked)] {
        etcdctl.run(&[
            "put",
            &format!("outside/lease/{key}"),
            "x",
            "--lease",
            lease,
        ]);
    }
    let watching = Going::start(etcdctl.command(&["watch", "outside/lease/", "--prefix"]));
    let there = || etcdctl.run(&["get", "outside/lease/", "--prefix", "--keys-only"]);
    let gone = |key: &str| {
        until(&format!("the end of {key}"), || {
            let keys = there();
            match keys.contains(key) {
                true => Err(keys),
                false => Ok(()),
            }
        });
    };
    assert!(etcdctl.ttl(&revoked) > 500);
    etcdctl.run(&["lease", "revoke", &revoked]);
    gone("outside/lease/revoked");
    assert_eq!(etcdctl.ttl(&revoked), -1);
    gone("outside/lease/short");
    assert_eq!(etcdctl.ttl(&short), -1);
    // Three renewals, one a second: longer than the lease would have lived.
    for _ in 0..4 {
        let line = keeping.next();
        assert!(line.contains("keepalived with TTL(3)"), "{line}");
    }
    assert!(there().contains("outside/lease/kept"));
    assert!(etcdctl.ttl(&kept) > 0);
    drop(keeping);
    gone("outside/lease/kept");
    // A watcher is told of keys that go with their lease.
    let mut told = Vec::new();
    while told
        .last()
        .is_none_or(|line: &String| line != "outside/lease/kept")
    {
        told.push(watching.next());
    }
    assert!(told.contains(&"DELETE".to_owned()), "{told:?}");
    say("etcdctl: leases granted, kept alive, run out, revoked; their keys go with them");
}

fn others(etcdctl: &Etcdctl) {
    let members = etcdctl.json(&["member", "list"]);
    assert_eq!(members["members"].as_array().unwrap().len(), 1, "{members}");
    let status = etcdctl.json(&["endpoint", "status"]);
    assert!(status[0]["Status"]["version"].is_string(), "{status}");
    let out = etcdctl.run(&["lock", "outside/lock", "echo", "locked"]);
    assert!(out.contains("locked"), "{out}");
    let elected = Going::start(etcdctl.command(&["elect", "outside/election", "me"]));
    assert!(elected.next().contains("outside/election"));
    assert_eq!(elected.next(), "me");
    say("etcdctl: member list, endpoint status, lock, elect");
}
