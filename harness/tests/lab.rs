//! A lab comes up, goes down, is killed, damaged and got in the way of.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::lab::{self, Kind, Lab, LabError, Options, Paths};

/// A lab of a test's own, which does not outlive it.
struct Own {
    options: Options,
}

impl Own {
    fn new(what: &str, profile: &str, only: &[Kind]) -> Own {
        let own = Own {
            options: Options {
                only: only.to_vec(),
                smoke: false,
                quiet: true,
                ..Options::profile(&format!("test-{what}"), profile).unwrap()
            },
        };
        // Of a run that was killed.
        own.remove();
        own
    }

    fn name(&self) -> &str {
        &self.options.name
    }

    fn remove(&self) {
        lab::down(self.name()).unwrap();
        lab::purge(self.name()).unwrap();
    }

    async fn up(&self) -> Result<(Lab, bool), LabError> {
        let (lab, started) = Lab::up(&self.options).await?;
        Ok((lab, started.already))
    }

    /// The pids of the components that run, by name.
    async fn pids(&self) -> Vec<(String, i32)> {
        let status = lab::status(self.name()).await.unwrap();
        let components = status.components.into_iter();
        components.filter_map(|c| Some((c.name, c.pid?))).collect()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let down = lab::down(self.name()).map(drop);
        let outcome = down.and_then(|()| lab::purge(self.name()));
        if let (Err(error), false) = (outcome, std::thread::panicking()) {
            panic!("failed to remove lab {}: {error}", self.name());
        }
    }
}

fn etcdctl(lab: &Lab, arguments: &[&str]) -> String {
    let client = lab::etcd_client().unwrap();
    let output = Command::new(client.folder.join("etcdctl"))
        .env("LD_LIBRARY_PATH", client.library_path)
        .env("ETCDCTL_API", "3")
        .arg(format!(
            "--endpoints={}",
            lab.topology().url(Kind::Etcd, "client").unwrap()
        ))
        .args(arguments)
        .output()
        .unwrap();
    said(&output)
}

/// What a command printed; it must have succeeded.
fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn data_outlives_down_and_kill_and_not_purge() {
    let own = Own::new("data", "current", &[Kind::Etcd]);
    let (lab, already) = own.up().await.unwrap();
    assert!(!already);
    etcdctl(&lab, &["put", "key", "kept"]);

    let pids = own.pids().await;
    let (_, already) = own.up().await.unwrap();
    assert!(already, "a second lab-up leaves alone what runs");
    assert_eq!(own.pids().await, pids);

    assert_eq!(lab::down(own.name()).unwrap(), [Kind::Etcd]);
    assert_eq!(own.pids().await, []);
    let (lab, _) = own.up().await.unwrap();
    assert_eq!(etcdctl(&lab, &["get", "key", "--print-value-only"]), "kept");

    lab.kill(Kind::Etcd).unwrap();
    let status = lab::status(own.name()).await.unwrap();
    assert_eq!(status.state, "down");
    let (lab, already) = own.up().await.unwrap();
    assert!(!already);
    assert_eq!(etcdctl(&lab, &["get", "key", "--print-value-only"]), "kept");

    own.remove();
    assert!(!Paths::of(own.name()).unwrap().lab.exists());
    let (lab, _) = own.up().await.unwrap();
    assert_eq!(etcdctl(&lab, &["get", "key", "--print-value-only"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_secured_when_it_is_asked_for() {
    let mut own = Own::new("secured", "current", &[Kind::Kafka]);
    let (lab, _) = own.up().await.unwrap();
    assert!(lab.secured_sinks().unwrap().is_empty());
    let plain = lab.endpoint(Kind::Kafka, "bootstrap").unwrap();
    own.options.topology.secure_kafka().unwrap();
    let error = own.up().await.unwrap_err();
    assert!(
        matches!(&error, LabError::RunsUnsecured(name) if name == own.name()),
        "{error}"
    );

    lab::down(own.name()).unwrap();
    let (lab, _) = own.up().await.unwrap();
    assert_eq!(lab.endpoint(Kind::Kafka, "bootstrap").unwrap(), plain);
    let status = lab::status(own.name()).await.unwrap();
    let kafka = status.components.iter().find(|one| one.name == "kafka");
    let names: Vec<&str> = kafka
        .unwrap()
        .endpoints
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, ["bootstrap", "sasl-plaintext", "sasl-ssl", "ssl"]);
    let sinks = lab.secured_sinks().unwrap();
    for (uri, part) in sinks.iter().zip(["&ca=", "=plain&", "=scram-sha-512&"]) {
        assert!(
            uri.starts_with("kafka://127.0.0.1:") && uri.contains(part),
            "{uri}"
        );
    }
    // users and certificates outlive the broker
    let authority = Paths::of(own.name())
        .unwrap()
        .conf(Kind::Kafka)
        .join("ca.pem");
    let before = std::fs::read(&authority).unwrap();
    lab.kill(Kind::Kafka).unwrap();
    own.up().await.unwrap();
    assert_eq!(std::fs::read(&authority).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_used_is_named_with_its_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut own = Own::new("port", "current", &[Kind::Etcd]);
    let etcd = own.options.topology.components.get_mut(&Kind::Etcd);
    etcd.unwrap().ports.insert("client".to_owned(), port);
    let error = own.up().await.unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    let text = error.to_string();
    for part in [port.to_string(), std::process::id().to_string()] {
        assert!(text.contains(&part), "{part} is not in: {text}");
    }
    let left = lab::status(own.name()).await;
    assert!(matches!(left, Err(LabError::NoLab(_))), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_dies_while_starting_is_named_and_the_rest_stopped() {
    let mut own = Own::new("dies", "current", &[Kind::Etcd, Kind::Zookeeper]);
    let zookeeper = own.options.topology.components.get_mut(&Kind::Zookeeper);
    let config = &mut zookeeper.unwrap().config;
    config.insert("tickTime".to_owned(), "soon".to_owned());
    let error = own.up().await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    let text = error.to_string();
    for part in ["zookeeper", "soon"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert_eq!(own.pids().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_profile_does_not_take_a_lab_over() {
    let mut own = Own::new("other", "current", &[Kind::Etcd]);
    own.up().await.unwrap();
    own.options.topology = lab::Topology::profile("seed").unwrap();
    let error = own.up().await.unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    assert_eq!(own.pids().await.len(), 1);
}

/// `cargo xtask` with a cache of its own.
fn xtask(cache: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .arg("xtask")
        .args(arguments)
        .current_dir(lab::repository())
        .env("CDCLAB_CACHE", cache)
        .output()
        .unwrap()
}

#[test]
fn what_is_damaged_in_the_cache_is_fetched_again() {
    let cache = tempfile::tempdir().unwrap();
    let folder = PathBuf::from(said(&xtask(cache.path(), &["fetch", "zookeeper-3.9.5"])));
    let jar = folder.join("zookeeper-3.9.5.jar");
    let good = std::fs::read(&jar).unwrap();
    std::fs::write(&jar, &good[..good.len() / 2]).unwrap();
    said(&xtask(cache.path(), &["fetch", "zookeeper-3.9.5"]));
    assert_eq!(std::fs::read(&jar).unwrap(), good);
}

#[test]
fn what_cannot_be_used_has_an_exit_code_and_a_reason() {
    let cache = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (["fetch", "nothing"].as_slice(), "mariadb"),
        (&["lab-up", "--profile", "tomorrow"], "current, seed"),
        (
            &["lab-status", "--name", "no-such-lab"],
            "lab-up --name no-such-lab",
        ),
        (&["lab-logs", "--name", "no-such-lab"], "no-such-lab"),
        (
            &["lab-up", "--topology", "no-such-file.toml"],
            "no-such-file.toml",
        ),
        (&["lab-up", "--name", "a/b"], "a/b"),
    ] {
        let output = xtask(cache.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("error: failed to "),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
}
