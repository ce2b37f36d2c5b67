//! What benches measure against and with: a bare MariaDB beside the one in the embedded TiDB, and the memory of processes.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use procfs::process::Process;
use tokio::process::Child;

use super::Lab;
use super::components::Plan;
use super::error::LabError;
use super::fetch::{Fetcher, debian};
use super::process;
use super::topology::Kind;
use super::up::blocking;
use crate::observe::poll;
use crate::observe::sql::Session;

/// MariaDB's server as the kernel names it.
const SERVER: &str = "mariadbd";
/// How long it may take to answer.
const READY: Duration = Duration::from_secs(60);

/// A MariaDB whose writes go nowhere else; it ends with this.
#[derive(Debug)]
pub struct BareMariaDb {
    /// Host and port.
    pub address: String,
    child: Child,
}

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// At its most.
    pub peak: u64,
}

impl Lab {
    /// Starts a MariaDB with the settings of the one in the embedded TiDB on a fresh folder of the lab's.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn bare_mariadb(&self) -> Result<BareMariaDb, LabError> {
        let folder = self.paths().lab.join("bare");
        let this = self.clone();
        let (plan, port) = blocking(move || this.bare_plan()).await?;
        let log = folder.join("mariadb.log");
        let mut child = process::spawn(&self.paths().lab, Kind::Tidb, &plan, &folder, &log)?;
        let address = format!("127.0.0.1:{port}");
        let answers = poll::until(READY, || async {
            Ok::<_, LabError>(match Session::connect(&address).await {
                Ok(session) => {
                    session.close().await;
                    Ok(())
                }
                Err(error) => Err(error.to_string()),
            })
        });
        let ready = tokio::select! {
            ready = answers => ready?,
            ended = child.wait() => {
                let status = ended.map_err(LabError::file("watch the process of", &log))?;
                return Err(LabError::Died {
                    component: Kind::Tidb,
                    status: status.to_string(),
                    tail: super::logs::tail(&log, 0),
                    log,
                });
            }
        };
        ready.map_err(|missing| LabError::NotReady {
            component: Kind::Tidb,
            waited: READY,
            missing,
            tail: super::logs::tail(&log, 0),
            log: log.clone(),
        })?;
        Ok(BareMariaDb { address, child })
    }

    /// The command line of the MariaDB that runs, with other folders and a port.
    fn bare_plan(&self) -> Result<(Plan, u16), LabError> {
        let own = self.paths().data(Kind::Tidb).display().to_string();
        let folder = self.paths().lab.join("bare");
        let running = process::find(&self.paths().lab)
            .into_iter()
            .filter_map(|found| Process::new(found.id.pid).ok())
            .find(|process| name(process) == SERVER);
        let command_line = running.and_then(|process| process.cmdline().ok());
        let Some((program, arguments)) = command_line
            .as_deref()
            .and_then(|command_line| command_line.split_first())
        else {
            return Err(LabError::ComponentDown {
                lab: self.name().to_owned(),
                component: Kind::Tidb,
            });
        };
        for part in [&folder, &folder.join("tmp")] {
            std::fs::create_dir_all(part).map_err(LabError::file("make", part))?;
        }
        let fetcher = Fetcher::quiet()?;
        let packages = debian::unpacked(&fetcher, &debian::MARIADB)?;
        copy(&debian::mariadb_template(&fetcher), &folder.join("mariadb"))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let port = free
            .map_err(LabError::file("find a port for", &folder))?
            .port();
        let beside = folder.display().to_string();
        let arguments = arguments
            .iter()
            // It does not pass for a TiDB: clients of MariaDB's own tell by the version.
            .filter(|argument| !argument.starts_with("--version="))
            .map(|argument| argument.replace(&own, &beside))
            .chain([
                "--skip-networking=OFF".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--port={port}"),
            ]);
        let plan = Plan {
            program: PathBuf::from(program),
            arguments: arguments.collect(),
            environment: vec![(
                "LD_LIBRARY_PATH".to_owned(),
                packages.library_path().to_string_lossy().into_owned(),
            )],
            files: Vec::new(),
            first: Vec::new(),
            version: packages.version,
        };
        Ok((plan, port))
    }

    /// The memory of the lab's processes by name: a component's own, and what it started by the program's.
    pub fn memory(&self) -> BTreeMap<String, Memory> {
        let mut memory = BTreeMap::new();
        for found in process::find(&self.paths().lab) {
            // One that just ended has none.
            let Ok(process) = Process::new(found.id.pid) else {
                continue;
            };
            let Ok(status) = process.status() else {
                continue;
            };
            let program = name(&process);
            let name = match found.component {
                Some(kind) if program != SERVER => kind.name().to_owned(),
                _ => program,
            };
            let of = memory.entry(name).or_insert(Memory::default());
            of.now += status.vmrss.unwrap_or_default() * 1024;
            of.peak += status.vmhwm.unwrap_or_default() * 1024;
        }
        memory
    }
}

impl BareMariaDb {
    /// Ends it; nobody needs its data.
    ///
    /// # Errors
    /// [`LabError::File`], if the system does not let it be ended.
    pub async fn end(mut self) -> Result<(), LabError> {
        let ended = self.child.kill().await;
        ended.map_err(LabError::file("end the bare MariaDB at", &self.address))
    }
}

/// The name of a process's program; empty for one that is gone.
fn name(process: &Process) -> String {
    process.stat().map(|stat| stat.comm).unwrap_or_default()
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result<(), LabError> {
    let failed = |error: String| LabError::File {
        what: "copy MariaDB's fresh data folder to",
        path: to.to_owned(),
        source: std::io::Error::other(error),
    };
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([from, to])
        .output()
        .map_err(|error| failed(error.to_string()))?;
    match copied.status.success() {
        true => Ok(()),
        false => Err(failed(
            String::from_utf8_lossy(&copied.stderr).trim().to_owned(),
        )),
    }
}
