//! The original canal server on a MariaDB, with its own way to Kafka: what the pipeline is measured against.

use std::path::PathBuf;

use tokio::process::Child;

use super::Lab;
use super::components::{self, Plan};
use super::error::LabError;
use super::fetch::Fetcher;
use super::process::{self, Id};
use super::topology::Kind;
use super::up::blocking;
use super::usage::Watched;

const PROGRAM: &str = "clients/java/CanalReader.java";
/// The manifest under `fixtures/components`.
const MANIFEST: &str = "canal-server-1.1.7";
/// As much as Debezium has.
const HEAP: &str = "1g";

/// A place in a binlog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its file.
    pub file: String,
    /// The bytes of it that are behind.
    pub position: String,
}

/// A running canal server; it ends with this.
#[derive(Debug)]
pub struct Canal {
    child: Child,
    id: Id,
    log: PathBuf,
}

impl Lab {
    /// Starts a canal server for the table `database.table` of the MariaDB at this address, from a place in its binlog; flat
    /// messages go to partition 0 of the topic. They come as soon as it has read so far: there is no other sign that it runs.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn canal(
        &self,
        mariadb: &str,
        (database, table): (&str, &str),
        place: &Place,
        topic: &str,
    ) -> Result<Canal, LabError> {
        let folder = self.paths().lab.join(format!("canal-{table}"));
        std::fs::create_dir_all(&folder).map_err(LabError::file("make", &folder))?;
        let (host, port) = mariadb.split_once(':').unwrap_or((mariadb, "3306"));
        let bootstrap = self.endpoint(Kind::Kafka, "bootstrap")?;
        let tables = format!("{database}\\.{table}");
        let Place { file, position } = place;
        let arguments = [host, port, &tables, file, position, &bootstrap, topic].map(str::to_owned);
        let plan = blocking(move || {
            let arguments = arguments.each_ref().map(String::as_str);
            let fetcher = Fetcher::quiet()?;
            let command =
                components::from_source(PROGRAM, &[MANIFEST], &arguments, HEAP, &fetcher)?;
            Ok(Plan {
                program: command.get_program().into(),
                arguments: command
                    .get_args()
                    .map(|word| word.to_string_lossy().into_owned())
                    .collect(),
                environment: Vec::new(),
                files: Vec::new(),
                first: Vec::new(),
                version: MANIFEST.to_owned(),
            })
        })
        .await?;
        let log = folder.join("canal.log");
        let child = process::spawn(&self.paths().lab, Kind::Kafka, &plan, &folder, &log)?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        match pid.and_then(Id::of) {
            Some(id) => Ok(Canal { child, id, log }),
            None => Err(died(&log, "nothing said".to_owned())),
        }
    }
}

impl Canal {
    /// Its process, to be measured.
    pub fn watched(&self) -> Watched {
        Watched(self.id)
    }

    /// What is waited for, unless it ends before.
    ///
    /// # Errors
    /// [`LabError::Died`], and those of what is waited for.
    pub async fn serves<T, E: From<LabError>>(
        &mut self,
        wait: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        tokio::select! {
            done = wait => done,
            status = self.child.wait() => Err(match status {
                Ok(status) => died(&self.log, status.to_string()),
                Err(error) => LabError::file("watch the process of", &self.log)(error),
            }
            .into()),
        }
    }

    /// Ends it; where it was goes with it.
    ///
    /// # Errors
    /// [`LabError::File`], if the system does not let it be ended.
    pub async fn end(mut self) -> Result<(), LabError> {
        let ended = self.child.kill().await;
        ended.map_err(LabError::file("end the canal server of", &self.log))
    }
}

fn died(log: &std::path::Path, status: String) -> LabError {
    LabError::Died {
        component: Kind::Kafka,
        status,
        tail: super::logs::tail(log, 0),
        log: log.to_owned(),
    }
}
