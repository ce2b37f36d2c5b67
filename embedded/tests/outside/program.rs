//! The programs: built once, started as often as wanted.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::say;
use crate::cluster::Cluster;

/// How long a program may take to say something that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// `tikv-client`.
    Rust,
    /// `client-go/v2`.
    Go,
}

impl Client {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
        }
    }

    /// The program, built if it is not.
    pub fn binary(self) -> &'static Path {
        static RUST: OnceLock<PathBuf> = OnceLock::new();
        static GO: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Self::Rust => RUST.get_or_init(build_rust),
            Self::Go => GO.get_or_init(build_go),
        }
    }
}

fn sources(client: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/clients")
        .join(client)
}

fn build(what: &str, missing: &str, command: &mut Command) {
    let began = Instant::now();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{what}: {error}; {missing}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} ({missing}):\n{said}");
    say(&format!("{what}: {:.1} s", began.elapsed().as_secs_f64()));
}

fn build_rust() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-rust");
    build(
        "build the client in Rust",
        "its crates come from crates.io",
        Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--target-dir"])
            .arg(&target)
            .current_dir(sources("rust")),
    );
    target.join("debug/client")
}

fn build_go() -> PathBuf {
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-go/client");
    build(
        "build the client in Go",
        "Go 1.19 or newer is needed: apt-get install golang-go; its modules come from the module proxy",
        Command::new("go")
            .args(["build", "-o"])
            .arg(&binary)
            .arg(".")
            .current_dir(sources("go")),
    );
    binary
}

/// A running program; it ends with this.
pub struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Value>,
    log: PathBuf,
}

impl Program {
    /// Starts a command of a client against a cluster. `name` names its log.
    pub fn start(cluster: &Cluster, client: Client, name: &str, arguments: &[&str]) -> Self {
        let log = cluster.dir.path().join(format!("{name}.log"));
        let mut child = Command::new(client.binary())
            .args(arguments)
            .args(["--pd", &cluster.pd_address()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, events) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                // Who is killed may have been about to print a line.
                let Some(event) = line.ok().and_then(|line| serde_json::from_str(&line).ok())
                else {
                    return;
                };
                if told.send(event).is_err() {
                    return;
                }
            }
        });
        Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            events,
            log,
        }
    }

    /// Runs a command to its end; gives what it told. It must succeed.
    pub fn run(cluster: &Cluster, client: Client, name: &str, arguments: &[&str]) -> Vec<Value> {
        let mut program = Self::start(cluster, client, name, arguments);
        program.enough();
        let deadline = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        while let Some(event) = program.next(deadline) {
            events.push(event);
        }
        program.succeeds();
        events
    }

    /// Its next event; none at its end.
    pub fn next(&mut self, deadline: Instant) -> Option<Value> {
        match self
            .events
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!(
                "{}: no event within {} s\n{}",
                self.name,
                PATIENCE.as_secs(),
                self.said()
            ),
        }
    }

    /// An event, if there is one already.
    pub fn try_next(&mut self) -> Option<Value> {
        self.events.try_recv().ok()
    }

    /// Closes its stdin: it comes to its end.
    pub fn enough(&mut self) {
        self.stdin = None;
    }

    /// Ends it with SIGKILL; what it has told can still be had.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end, which has to be a good one.
    pub fn succeeds(&mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}\n{}", self.name, self.said());
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
