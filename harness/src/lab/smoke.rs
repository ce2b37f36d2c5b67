//! One row through everything: SQL, TiKV, the pipeline, Kafka, Flink. What it makes is its own, and is removed again.

use std::path::PathBuf;
use std::time::Duration;

use super::Lab;
use super::error::LabError;
use super::topology::Kind;
use crate::observe::flink::table::{Column, Source};
use crate::observe::kafka::Kafka;
use crate::observe::sql::Session;
use crate::observe::{changefeed::Cdc, pd};

/// The probe's database.
const DATABASE: &str = "cdclab_smoke";
const TABLE: &str = "probe";
/// The probe's topic and changefeed.
const NAME: &str = "cdclab-smoke";
/// What goes through.
const WORD: &str = "through";
/// How long the pipeline may take to bring the row to Kafka.
const BARRIER: Duration = Duration::from_secs(60);

/// Sends a row through the chain.
///
/// # Errors
/// [`LabError::Smoke`] with the hop that failed.
pub(super) async fn smoke(lab: &Lab) -> Result<(), LabError> {
    let probe = Probe::new(lab)?;
    // Of a run that was killed.
    probe.remove().await?;
    let sent = probe.send(lab).await;
    let removed = probe.remove().await;
    sent.and(removed)
}

struct Probe {
    mysql: String,
    pd: String,
    kafka: Kafka,
    cdc: Cdc,
    /// The changefeed's configuration file.
    config: PathBuf,
    logs: PathBuf,
}

impl Probe {
    fn new(lab: &Lab) -> Result<Probe, LabError> {
        Ok(Probe {
            mysql: lab.endpoint(Kind::Tidb, "mysql")?,
            pd: lab.endpoint(Kind::Pd, "client")?,
            kafka: lab.kafka()?,
            cdc: lab.cdc()?,
            config: lab.paths().conf(Kind::Cdc).join("smoke.toml"),
            logs: lab.paths().logs(),
        })
    }

    fn failed<E: ToString>(&self, hop: &'static str) -> impl FnOnce(E) -> LabError {
        let logs = self.logs.clone();
        move |what| LabError::Smoke {
            hop,
            what: what.to_string(),
            logs,
        }
    }

    async fn send(&self, lab: &Lab) -> Result<(), LabError> {
        let mut session = Session::connect(&self.mysql)
            .await
            .map_err(self.failed("TiDB"))?;
        for sql in [
            format!("CREATE DATABASE {DATABASE}"),
            format!("CREATE TABLE {DATABASE}.{TABLE} (id INT PRIMARY KEY, word VARCHAR(20))"),
        ] {
            session.run(&sql).await.map_err(self.failed("TiDB"))?;
        }
        self.create_changefeed().await?;
        let insert = format!("INSERT INTO {DATABASE}.{TABLE} VALUES (1, '{WORD}')");
        session.run(&insert).await.map_err(self.failed("TiDB"))?;
        let barrier = pd::tso(&self.pd).await.map_err(self.failed("PD"))?;
        self.cdc
            .reach(NAME, barrier, BARRIER)
            .await
            .map_err(self.failed("the pipeline"))?;

        let records = self
            .kafka
            .read(NAME, &[])
            .await
            .map_err(self.failed("Kafka"))?;
        let texts: Vec<String> = records
            .into_iter()
            .filter_map(|record| record.value)
            .map(|value| String::from_utf8_lossy(&value).into_owned())
            .collect();
        let carries = |text: &&String| {
            let message: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            message["type"] == "INSERT"
                && message["table"] == TABLE
                && message["data"][0]["word"] == WORD
        };
        if texts.iter().filter(carries).count() != 1 {
            let what = format!("expected one INSERT of the row in topic {NAME}, found {texts:?}");
            return Err(self.failed("Kafka")(what));
        }

        let columns = Column::of(&mut session, DATABASE, TABLE)
            .await
            .map_err(self.failed("TiDB"))?;
        session.close().await;
        let source = Source {
            bootstrap: self.kafka.bootstrap().to_owned(),
            topic: NAME.to_owned(),
            database: DATABASE.to_owned(),
            table: TABLE.to_owned(),
            columns,
            ignore_parse_errors: false,
            changes: 1,
        };
        let flink = lab.flink().await.map_err(self.failed("Flink"))?;
        let changelog = flink.changelog(&source).await;
        flink.close().await.map_err(self.failed("Flink"))?;
        let rows = changelog
            .map_err(self.failed("Flink"))?
            .rows()
            .map_err(self.failed("Flink"))?;
        let expected = [Some("1".to_owned()), Some(WORD.to_owned())];
        if rows != [expected.to_vec()] {
            let what = format!("expected the row {expected:?}, found {rows:?}");
            return Err(self.failed("Flink")(what));
        }
        Ok(())
    }

    async fn create_changefeed(&self) -> Result<(), LabError> {
        let mut config = format!("[filter]\nrules = ['{DATABASE}.*']\n");
        if self.cdc.v4 {
            // canal-json wants the old values there.
            config.insert_str(0, "enable-old-value = true\n");
        }
        std::fs::write(&self.config, config).map_err(LabError::file("write", &self.config))?;
        let bootstrap = self.kafka.bootstrap();
        let uri = format!(
            "--sink-uri=kafka://{bootstrap}/{NAME}?protocol=canal-json&partition-num=1&replication-factor=1&kafka-version=2.7.0"
        );
        let id = format!("--changefeed-id={NAME}");
        let file = format!("--config={}", self.config.display());
        let arguments = ["changefeed", "create", &uri, &id, &file, "--no-confirm"];
        self.cdc
            .cli(&arguments)
            .await
            .map_err(self.failed("the pipeline"))?;
        Ok(())
    }

    /// Takes away what the probe makes, whether it is there or not.
    async fn remove(&self) -> Result<(), LabError> {
        let listed = self
            .cdc
            .cli(&["changefeed", "list", "--all"])
            .await
            .map_err(self.failed("the pipeline"))?;
        let listed: Vec<serde_json::Value> =
            serde_json::from_str(&listed).map_err(self.failed("the pipeline"))?;
        if listed.iter().any(|item| item["id"] == NAME) {
            let mut arguments = vec!["changefeed", "remove", "-c", NAME];
            // Else 4.0 keeps the id taken for a day.
            arguments.extend(self.cdc.v4.then_some("--force"));
            self.cdc
                .cli(&arguments)
                .await
                .map_err(self.failed("the pipeline"))?;
        }
        self.kafka
            .delete_topic(NAME)
            .await
            .map_err(self.failed("Kafka"))?;
        let mut session = Session::connect(&self.mysql)
            .await
            .map_err(self.failed("TiDB"))?;
        let drop = format!("DROP DATABASE IF EXISTS {DATABASE}");
        session.run(&drop).await.map_err(self.failed("TiDB"))?;
        session.close().await;
        Ok(())
    }
}
