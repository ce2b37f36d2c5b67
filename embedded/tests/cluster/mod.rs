//! A whole embedded cluster as processes: a real etcd, `embedded pd`, `embedded tikv`, `embedded tidb` over a real MariaDB.

#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod dice;
pub mod parts;
pub mod rows;
pub mod secured;
pub mod sql;

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded::client::Client;
use embedded::verify::Report;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use mysql_async::{Conn, InfileData, LocalInfileError, OptsBuilder};

/// How long a component may take to serve.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(25);

/// A component of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Etcd,
    Pd,
    Tikv,
    Tidb,
}

/// A running cluster; everything it started ends with it.
pub struct Cluster {
    pub dir: tempfile::TempDir,
    pub version: &'static str,
    ports: Ports,
    children: Vec<(Part, Child)>,
    /// What TiDB is started with besides.
    tidb_arguments: Vec<String>,
}

struct Ports {
    etcd: u16,
    etcd_peer: u16,
    pd: u16,
    tikv: u16,
    tikv_status: u16,
    tidb: u16,
    tidb_status: u16,
}

/// Ports that are free now, all different.
fn free_ports() -> Ports {
    let held: Vec<TcpListener> = (0..7)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let port = |i: usize| held[i].local_addr().unwrap().port();
    Ports {
        etcd: port(0),
        etcd_peer: port(1),
        pd: port(2),
        tikv: port(3),
        tikv_status: port(4),
        tidb: port(5),
        tidb_status: port(6),
    }
}

/// Waits until a condition gives something, or says what was missing.
pub async fn until<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let started = Instant::now();
    loop {
        match condition().await {
            Ok(found) => return found,
            Err(missing) => assert!(
                started.elapsed() < PATIENCE,
                "{what}: not within {} s; last: {missing}",
                PATIENCE.as_secs()
            ),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The file that a client sends which has none.
fn no_file(_: &[u8]) -> BoxFuture<'static, Result<InfileData, LocalInfileError>> {
    async { Ok(stream::empty().boxed()) }.boxed()
}

impl Cluster {
    /// A fresh cluster of this TiDB release, up and serving SQL.
    pub async fn start(version: &'static str) -> Self {
        Self::start_with(version, vec![]).await
    }

    /// The same with more arguments for TiDB.
    pub async fn start_with(version: &'static str, tidb_arguments: Vec<String>) -> Self {
        let mut cluster = Self::storage_alone(version);
        cluster.tidb_arguments = tidb_arguments;
        cluster.spawn(Part::Tidb);
        cluster.sql().await.disconnect().await.unwrap();
        cluster
    }

    /// A fresh cluster without SQL, which serves transactions.
    pub async fn storage(version: &'static str) -> Self {
        let cluster = Self::storage_alone(version);
        let client = cluster.client().await;
        let now = client.tso().await.unwrap();
        client.snapshot(now).get(b"k").await.unwrap();
        cluster
    }

    /// Starts etcd, PD and TiKV.
    fn storage_alone(version: &'static str) -> Self {
        let mut cluster = Self {
            // Short: MariaDB's socket lives below.
            dir: tempfile::Builder::new()
                .prefix("ec")
                .tempdir_in("/tmp")
                .unwrap(),
            version,
            ports: free_ports(),
            children: vec![],
            tidb_arguments: vec![],
        };
        for part in [Part::Etcd, Part::Pd, Part::Tikv] {
            cluster.spawn(part);
        }
        cluster
    }

    pub fn pd_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.pd)
    }

    /// PD's host and port.
    pub fn pd_address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.pd)
    }

    fn folder(&self, part: Part) -> PathBuf {
        self.dir.path().join(format!("{part:?}").to_lowercase())
    }

    pub fn log(&self, part: Part) -> PathBuf {
        self.dir.path().join(format!("{part:?}.log").to_lowercase())
    }

    /// Where the embedded TiDB keeps MariaDB's pid.
    pub fn mariadb_pid(&self) -> i32 {
        let path = self.folder(Part::Tidb).join("mariadb.pid");
        std::fs::read_to_string(path)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    /// Where MariaDB itself answers.
    pub fn mariadb_socket(&self) -> String {
        let path = self.folder(Part::Tidb).join("mariadb.sock");
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, part: Part) -> Command {
        let local = |port: u16| format!("127.0.0.1:{port}");
        let p = &self.ports;
        let folder = self.folder(part);
        if part == Part::Etcd {
            let mut command = Command::new(parts::etcd());
            let url = |port: u16| format!("http://127.0.0.1:{port}");
            command
                .arg("--data-dir")
                .arg(&folder)
                .args([
                    "--listen-client-urls",
                    &url(p.etcd),
                    "--advertise-client-urls",
                    &url(p.etcd),
                ])
                .args([
                    "--listen-peer-urls",
                    &url(p.etcd_peer),
                    "--initial-advertise-peer-urls",
                    &url(p.etcd_peer),
                ])
                .args([
                    "--initial-cluster",
                    &format!("default={}", url(p.etcd_peer)),
                    "--unsafe-no-fsync",
                ]);
            return command;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_embedded"));
        match part {
            Part::Pd => command
                .args(["pd", "--addr", &local(p.pd), "--version", self.version])
                .args(["--etcd", &format!("http://127.0.0.1:{}", p.etcd)]),
            Part::Tikv => command
                .args(["tikv", "--pd", &self.pd_url(), "--addr", &local(p.tikv)])
                .args(["--status-addr", &local(p.tikv_status)])
                .arg("--data-dir")
                .arg(&folder)
                .args(["--version", self.version.trim_start_matches('v')]),
            _ => command
                .args(["tidb", "--pd", &self.pd_url(), "--addr", &local(p.tidb)])
                .args([
                    "--status-addr",
                    &local(p.tidb_status),
                    "--version",
                    self.version,
                ])
                .arg("--data-dir")
                .arg(&folder)
                .arg("--mariadb-dir")
                .arg(parts::mariadb())
                .arg("--mariadb-template")
                .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("mariadb-template"))
                .args(&self.tidb_arguments),
        };
        command
    }

    /// Starts a component that does not run.
    pub fn spawn(&mut self, part: Part) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(part))
            .unwrap();
        let child = self
            .command(part)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children.push((part, child));
    }

    /// Ends a component with SIGKILL.
    pub fn kill(&mut self, part: Part) {
        let at = self.children.iter().position(|(p, _)| *p == part).unwrap();
        let (_, mut child) = self.children.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends a component with SIGTERM and gives its exit status.
    pub fn stop(&mut self, part: Part) -> std::process::ExitStatus {
        let at = self.children.iter().position(|(p, _)| *p == part).unwrap();
        let (_, mut child) = self.children.remove(at);
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        child.wait().unwrap()
    }

    /// Waits for a component to end by itself.
    pub fn wait_exit(&mut self, part: Part) -> std::process::ExitStatus {
        let at = self.children.iter().position(|(p, _)| *p == part).unwrap();
        let (_, mut child) = self.children.remove(at);
        child.wait().unwrap()
    }

    pub fn tidb_log(&self) -> String {
        std::fs::read_to_string(self.log(Part::Tidb)).unwrap_or_default()
    }

    fn opts(&self) -> OptsBuilder {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.ports.tidb)
            .user(Some("root"))
            .db_name(Some("test"))
            .prefer_socket(false)
            .local_infile_handler(Some(no_file))
    }

    /// A connection, as soon as SQL is served.
    pub async fn sql(&mut self) -> Conn {
        let opts = self.opts();
        let log = self.log(Part::Tidb);
        if let Some((_, child)) = self.children.iter_mut().find(|(p, _)| *p == Part::Tidb)
            && let Some(status) = child.try_wait().unwrap()
        {
            panic!(
                "tidb ended with {status}:\n{}",
                std::fs::read_to_string(&log).unwrap()
            );
        }
        until(&format!("SQL (log: {})", log.display()), || async {
            let connecting = Conn::new(opts.clone());
            match tokio::time::timeout(Duration::from_secs(30), connecting).await {
                Ok(Ok(conn)) => Ok(conn),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no greeting".to_owned()),
            }
        })
        .await
    }

    /// A connection to the MariaDB behind the embedded TiDB.
    pub async fn mariadb(&self) -> Conn {
        let socket = self.folder(Part::Tidb).join("mariadb.sock");
        let opts = OptsBuilder::default()
            .socket(Some(socket.to_str().unwrap()))
            .user(Some("root"));
        Conn::new(opts).await.unwrap()
    }

    /// A connection if there is one at once.
    pub async fn try_sql(&self) -> mysql_async::Result<Conn> {
        Conn::new(self.opts()).await
    }

    /// What the command line answers to this input: standard output, or standard error if it failed.
    pub fn mysql(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut child = parts::mysql()
            .args(["--protocol=tcp", "--host=127.0.0.1"])
            .arg(format!("--port={}", self.tidb_port()))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A client that refuses to start, or was refused, reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }

    pub fn tidb_port(&self) -> u16 {
        self.ports.tidb
    }

    pub fn status_url(&self) -> String {
        format!("http://127.0.0.1:{}/status", self.ports.tidb_status)
    }

    /// Everything in TiKV is what MariaDB has: rows, index entries, counters; and nothing else is there.
    pub async fn verify(&self) {
        let report = self.verified().await;
        assert!(report.is_clean(), "{report}");
    }

    /// What `embedded verify` finds.
    pub async fn verified(&self) -> Report {
        let (client, socket) = (self.client().await, self.mariadb_socket());
        embedded::verify::verify(&client, Path::new(&socket), PATIENCE)
            .await
            .unwrap_or_else(|error| panic!("failed to {error}"))
    }

    /// Where TiKV's test API is.
    pub fn test_api(&self, call: &str) -> String {
        format!("http://127.0.0.1:{}/test/{call}", self.ports.tikv_status)
    }

    /// A client of PD and TiKV.
    pub async fn client(&self) -> Client {
        Client::connect(&[self.pd_url()], PATIENCE).await.unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (_, child) in self.children.iter_mut().rev() {
            // Gone already is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let kept = self.dir.path().to_owned();
            for part in [Part::Pd, Part::Tikv, Part::Tidb] {
                let log = std::fs::read_to_string(self.log(part)).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("--- the end of {part:?}'s log in {}:", kept.display());
                eprintln!("{}", lines[lines.len().saturating_sub(25)..].join("\n"));
            }
        }
    }
}
