//! Debezium's connector for MariaDB in a standalone Kafka Connect: what the pipeline is measured against, and compared with.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Child;

use super::Lab;
use super::components::{Plan, jvm};
use super::error::LabError;
use super::fetch::{Fetcher, maven};
use super::process::{self, Id};
use super::topology::Kind;
use super::up::blocking;
use super::usage::Watched;
use crate::observe::poll;

/// The manifest under `fixtures/components`.
const MANIFEST: &str = "debezium-mariadb-3.2.0";
/// The first part of its topics' names.
pub const PREFIX: &str = "debezium";
const NAME: &str = "bench";
/// How long it may take until its task runs.
const READY: Duration = Duration::from_secs(90);
/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(30);
const LOG4J: &str = "\
log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
";

/// What a connector is to follow.
#[derive(Debug, Clone, Copy)]
pub struct Captured<'a> {
    /// MariaDB's host and port.
    pub mariadb: &'a str,
    /// The database of the tables.
    pub database: &'a str,
    /// The tables in it.
    pub tables: &'a [&'a str],
    /// Settings of the connector beside those that are the same for all.
    pub settings: &'a [(&'a str, &'a str)],
}

/// A running connector; it ends with this.
#[derive(Debug)]
pub struct Debezium {
    child: Child,
    id: Id,
    rest: String,
    log: PathBuf,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    state: String,
    #[serde(default)]
    trace: String,
}

impl Lab {
    /// Starts the connector for tables of a MariaDB, and waits until its task runs: from where it was when it was last ended for
    /// the first of these, or from now on. Rows go to the topics `debezium.database.table`.
    ///
    /// It is set up for throughput as its documentation says (larger queue and batches, a producer that lingers), acks=all and
    /// without compression, as the pipeline's sink is by default.
    ///
    /// # Errors
    /// [`LabError`]; what the task failed with.
    pub async fn debezium(&self, captured: Captured<'_>) -> Result<Debezium, LabError> {
        let first = captured.tables.first().copied().unwrap_or_default();
        let name = format!("debezium-{}.{first}", captured.database);
        let folder = self.paths().lab.join(name);
        let (this, beside) = (self.clone(), folder.clone());
        let settings = connector(captured, &folder);
        let (plan, rest) = blocking(move || this.debezium_plan(&beside, &settings)).await?;
        for (path, text) in &plan.files {
            std::fs::write(path, text).map_err(LabError::file("write", path))?;
        }
        let log = folder.join("connect.log");
        let child = process::spawn(&self.paths().lab, Kind::Kafka, &plan, &folder, &log)?;
        let ended = |status: String| LabError::Died {
            component: Kind::Kafka,
            status,
            tail: super::logs::tail(&log, 0),
            log: log.clone(),
        };
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let Some(id) = pid.and_then(Id::of) else {
            return Err(ended("nothing said".to_owned()));
        };
        let mut debezium = Debezium {
            child,
            id,
            rest,
            log: log.clone(),
        };
        let status = format!("{}/connectors/{NAME}/status", debezium.rest);
        let runs = poll::until(READY, || async {
            match state(&status).await {
                Ok(Some(Task { state, trace })) if state == "FAILED" => Err(ended(trace)),
                Ok(Some(Task { state, .. })) if state == "RUNNING" => Ok(Ok(())),
                Ok(Some(Task { state, .. })) => Ok(Err(format!("its task is {state}"))),
                Ok(None) => Ok(Err("it has no task".to_owned())),
                Err(error) => Ok(Err(error.to_string())),
            }
        });
        let runs = tokio::select! {
            runs = runs => runs?,
            status = debezium.child.wait() => {
                let status = status.map_err(LabError::file("watch the process of", &log))?;
                return Err(ended(status.to_string()));
            }
        };
        runs.map_err(|missing| LabError::NotReady {
            component: Kind::Kafka,
            waited: READY,
            missing,
            tail: super::logs::tail(&log, 0),
            log: log.clone(),
        })?;
        Ok(debezium)
    }

    /// The command line, and the address of the REST interface.
    fn debezium_plan(
        &self,
        folder: &Path,
        connector: &[(String, String)],
    ) -> Result<(Plan, String), LabError> {
        std::fs::create_dir_all(folder).map_err(LabError::file("make", folder))?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
        let rest = free.map_err(LabError::file("find a port for", folder))?;
        let jars = maven::jars(&Fetcher::quiet()?, MANIFEST)?;
        let at = |name: &str| folder.join(name).display().to_string();
        let bootstrap = self.endpoint(Kind::Kafka, "bootstrap")?;
        let converter = "org.apache.kafka.connect.json.JsonConverter";
        let worker = [
            ("bootstrap.servers", bootstrap.as_str()),
            ("key.converter", converter),
            ("key.converter.schemas.enable", "false"),
            ("value.converter", converter),
            ("value.converter.schemas.enable", "false"),
            ("offset.storage.file.filename", &at("offsets")),
            ("offset.flush.interval.ms", "1000"),
            ("listeners", &format!("http://{rest}")),
            ("connector.client.config.override.policy", "All"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let text = |settings: &[(String, String)]| {
            let lines = settings
                .iter()
                .map(|(key, value)| format!("{key}={value}\n"));
            lines.collect::<String>()
        };
        let plan = Plan {
            program: super::java_of(self.topology(), Kind::Kafka)?,
            arguments: vec![
                "-Xmx1g".to_owned(),
                format!("-Dlog4j.configuration=file:{}", at("log4j.properties")),
                "-cp".to_owned(),
                jvm::class_path(&jars)?,
                "org.apache.kafka.connect.cli.ConnectStandalone".to_owned(),
                at("worker.properties"),
                at("connector.properties"),
            ],
            environment: Vec::new(),
            files: vec![
                (folder.join("log4j.properties"), LOG4J.to_owned()),
                (folder.join("worker.properties"), text(&worker)),
                (folder.join("connector.properties"), text(connector)),
            ],
            first: Vec::new(),
            version: MANIFEST.to_owned(),
        };
        Ok((plan, format!("http://{rest}")))
    }
}

impl Debezium {
    /// Its process, to be measured.
    pub fn watched(&self) -> Watched {
        Watched(self.id)
    }

    /// Ends it with SIGTERM: it stores how far it has come.
    ///
    /// # Errors
    /// [`LabError::Survived`] if it does not end, [`LabError::Died`] if it ended before.
    pub async fn end(mut self) -> Result<(), LabError> {
        self.id.signal(nix::sys::signal::Signal::SIGTERM);
        match tokio::time::timeout(GRACE, self.child.wait()).await {
            Ok(ended) => ended
                .map(drop)
                .map_err(LabError::file("watch the process of", &self.log)),
            Err(_) => Err(LabError::NotReady {
                component: Kind::Kafka,
                waited: GRACE,
                missing: "Debezium does not end".to_owned(),
                tail: super::logs::tail(&self.log, 0),
                log: self.log.clone(),
            }),
        }
    }
}

/// The connector's settings.
fn connector(captured: Captured<'_>, folder: &Path) -> Vec<(String, String)> {
    let Captured {
        mariadb,
        database,
        tables,
        settings,
    } = captured;
    let (host, port) = mariadb.split_once(':').unwrap_or((mariadb, "3306"));
    let listed: Vec<String> = tables
        .iter()
        .map(|table| format!("{database}.{table}"))
        .collect();
    let (listed, file) = (listed.join(","), folder.join("history"));
    let (file, history) = (file.display().to_string(), "schema.history.internal");
    let common = [
        ("name", NAME),
        (
            "connector.class",
            "io.debezium.connector.mariadb.MariaDbConnector",
        ),
        ("tasks.max", "1"),
        ("database.hostname", host),
        ("database.port", port),
        ("database.user", "root"),
        ("database.password", ""),
        ("database.server.id", "184054"),
        ("database.ssl.mode", "disable"),
        ("topic.prefix", PREFIX),
        ("database.include.list", database),
        ("table.include.list", &listed),
        (
            history,
            "io.debezium.storage.file.history.FileSchemaHistory",
        ),
        (&format!("{history}.file.filename"), &file),
        ("snapshot.mode", "no_data"),
        ("include.schema.changes", "false"),
        ("max.batch.size", "20480"),
        ("max.queue.size", "81920"),
        ("producer.override.acks", "all"),
        ("producer.override.linger.ms", "5"),
        ("producer.override.batch.size", "1048576"),
        ("producer.override.buffer.memory", "67108864"),
        ("producer.override.compression.type", "none"),
    ];
    let all = common.iter().chain(settings);
    all.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// How the connector's task is, if it has one.
async fn state(url: &str) -> Result<Option<Task>, reqwest::Error> {
    let reply = reqwest::get(url).await?.error_for_status()?;
    let status: Status = reply.json().await?;
    Ok(status.tasks.into_iter().next())
}
