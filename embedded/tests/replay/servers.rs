//! The real etcd with `embedded pd` and `embedded tikv`.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[allow(unreachable_pub)]
#[path = "../cluster/parts.rs"]
mod parts;

/// How long a process may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Running processes; they end with it.
pub(crate) struct Servers {
    dir: tempfile::TempDir,
    /// etcd, its peer, PD, then an address and a status address for each store.
    ports: Vec<u16>,
    tikv_arguments: Vec<String>,
    /// Added to PD's arguments at its next start.
    pub(crate) pd_arguments: Vec<String>,
    etcd: Option<Child>,
    pd: Option<Child>,
    tikv: Option<Child>,
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Servers {
    /// A fresh cluster of as many store addresses, up.
    pub(crate) async fn start(stores: usize, tikv_arguments: &[&str]) -> Self {
        let held: Vec<TcpListener> = (0..3 + 1 + stores)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports = held.iter().map(|l| l.local_addr().unwrap().port());
        let mut servers = Self {
            dir: tempfile::tempdir().unwrap(),
            ports: ports.collect(),
            tikv_arguments: tikv_arguments.iter().map(|&a| a.to_owned()).collect(),
            pd_arguments: Vec::new(),
            etcd: None,
            pd: None,
            tikv: None,
        };
        drop(held);
        servers.start_etcd();
        servers.start_pd();
        servers.start_tikv();
        servers.until_up().await;
        servers
    }

    pub(crate) fn pd_url(&self) -> String {
        url(self.ports[2])
    }

    pub(crate) fn status_url(&self) -> String {
        url(self.ports[3])
    }

    /// Of the store with that number, from 0.
    pub(crate) fn store_url(&self, store: usize) -> String {
        url(self.ports[4 + store])
    }

    fn spawn(&self, mut command: Command, name: &str) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join(format!("{name}.log")))
            .unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn start_etcd(&mut self) {
        let mut command = Command::new(parts::etcd());
        let (client, peer) = (url(self.ports[0]), url(self.ports[1]));
        command
            .arg("--data-dir")
            .arg(self.dir.path().join("etcd"))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("default={peer}")])
            .arg("--unsafe-no-fsync");
        self.etcd = Some(self.spawn(command, "etcd"));
    }

    /// Starts PD with its recorded version.
    pub(crate) fn start_pd(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embedded"));
        command
            .args(["pd", "--addr", &format!("127.0.0.1:{}", self.ports[2])])
            .args(["--version", "v8.5.3", "--etcd", &url(self.ports[0])])
            .args(&self.pd_arguments);
        self.pd = Some(self.spawn(command, "pd"));
    }

    /// Starts the store process.
    pub(crate) fn start_tikv(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embedded"));
        command
            .args(["tikv", "--pd", &self.pd_url()])
            .args(["--status-addr", &format!("127.0.0.1:{}", self.ports[3])])
            .arg("--data-dir")
            .arg(self.dir.path().join("tikv"))
            .args(["--version", "9.0.0-beta.2"])
            .args(&self.tikv_arguments);
        for port in &self.ports[4..] {
            command.args(["--addr", &format!("127.0.0.1:{port}")]);
        }
        self.tikv = Some(self.spawn(command, "tikv"));
    }

    /// Ends PD with SIGKILL.
    pub(crate) fn kill_pd(&mut self) {
        end(self.pd.take(), Signal::SIGKILL);
    }

    /// Ends the store process with this signal.
    pub(crate) fn stop_tikv(&mut self, signal: Signal) {
        end(self.tikv.take(), signal);
    }

    /// Waits until PD answers and the store's status port does.
    pub(crate) async fn until_up(&mut self) {
        let started = Instant::now();
        loop {
            let missing = match self.is_up().await {
                Ok(()) => return,
                Err(missing) => missing,
            };
            for (name, child) in [("pd", &mut self.pd), ("tikv", &mut self.tikv)] {
                if let Some(child) = child
                    && let Some(status) = child.try_wait().unwrap()
                {
                    let log = self.dir.path().join(format!("{name}.log"));
                    panic!(
                        "{name} ended with {status}:\n{}",
                        std::fs::read_to_string(log).unwrap()
                    );
                }
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the store is not up within {} s: {missing}",
                PATIENCE.as_secs()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    async fn is_up(&self) -> Result<(), String> {
        for address in [
            format!("{}/pd/api/v2/ready", self.pd_url()),
            format!("{}/status", self.status_url()),
        ] {
            let answer = reqwest::get(&address).await.map_err(|e| e.to_string())?;
            answer.error_for_status().map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

fn end(child: Option<Child>, signal: Signal) {
    if let Some(mut child) = child {
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in [&mut self.tikv, &mut self.pd, &mut self.etcd] {
            if let Some(mut child) = child.take() {
                // Gone already is fine.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        if std::thread::panicking() {
            for name in ["pd", "tikv"] {
                let log = self.dir.path().join(format!("{name}.log"));
                let log = std::fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                eprintln!("--- the end of {name}'s log:");
                eprintln!("{}", lines[lines.len().saturating_sub(15)..].join("\n"));
            }
        }
    }
}
