//! What a scenario has of its own in the lab: databases, topic, changefeed; made before it and taken away after it.

use std::path::PathBuf;

use super::claims::Claim;
use super::failure::Trouble;
use crate::lab::{Kind, Lab};
use crate::observe::changefeed::Cdc;
use crate::observe::kafka::Kafka;
use crate::observe::sql::{Session, quoted};
use crate::scenario::plan::Scenario;

/// The longest name of a database.
const LONGEST: usize = 64;

/// The names and addresses of one scenario.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) databases: Vec<String>,
    pub(super) topic: String,
    pub(super) changefeed: String,
    pub(super) cdc: Cdc,
    pub(super) kafka: Kafka,
    pub(super) mysql: String,
    pub(super) pd: String,
    time_zone: String,
    config: PathBuf,
    options: Vec<(String, String)>,
    file_options: Vec<(String, String)>,
}

impl Stage {
    pub(super) fn new(scenario: &Scenario, lab: &Lab) -> Result<Stage, Trouble> {
        let head = &scenario.head;
        let own = plain(&scenario.name, '_');
        let changefeed = plain(&scenario.name, '-');
        let databases = match head.databases.is_empty() {
            true => vec![own],
            false => head.databases.clone(),
        };
        let conf = lab.paths().conf(Kind::Cdc);
        Ok(Stage {
            databases,
            topic: head.topic.clone().unwrap_or_else(|| changefeed.clone()),
            cdc: lab.cdc()?,
            kafka: lab.kafka()?,
            mysql: lab.endpoint(Kind::Tidb, "mysql")?,
            pd: lab.endpoint(Kind::Pd, "client")?,
            time_zone: lab.topology().time_zone.clone(),
            config: conf.join(format!("scenario-{changefeed}.toml")),
            changefeed,
            options: head.changefeed.uri().cloned().collect(),
            file_options: head.changefeed.file().cloned().collect(),
        })
    }

    /// What has to be claimed for it.
    pub(super) fn claims(&self, whole_lab: bool) -> Vec<Claim> {
        let mut claims = vec![Claim::lab(whole_lab)];
        claims.extend(
            self.databases
                .iter()
                .map(|name| Claim::one("database", name)),
        );
        claims.push(Claim::one("topic", &self.topic));
        claims.push(Claim::one("changefeed", &self.changefeed));
        claims
    }

    /// A session in the scenario's database, with the time zone of the pipeline.
    pub(super) async fn session(&self) -> Result<Session, Trouble> {
        let mut session = Session::connect(&self.mysql).await?;
        let zone = match self.time_zone.as_str() {
            "UTC" => "+00:00",
            other => other,
        };
        session.run(&format!("SET time_zone = '{zone}'")).await?;
        session
            .run(&format!("USE {}", quoted(&self.databases[0])))
            .await?;
        Ok(session)
    }

    /// Makes the first database and the changefeed, which makes the topic. Whatever an earlier run left goes first.
    pub(super) async fn set_up(&self) -> Result<(), Trouble> {
        self.take_down().await?;
        let mut session = Session::connect(&self.mysql).await?;
        session
            .run(&format!("CREATE DATABASE {}", quoted(&self.databases[0])))
            .await?;
        session.close().await;
        self.create_changefeed().await
    }

    async fn create_changefeed(&self) -> Result<(), Trouble> {
        std::fs::write(&self.config, self.changefeed_file())
            .map_err(|error| Trouble::claim(&self.config, &error))?;
        let uri = format!("--sink-uri={}", self.sink_uri());
        let id = format!("--changefeed-id={}", self.changefeed);
        let file = format!("--config={}", self.config.display());
        self.cdc
            .cli(&["changefeed", "create", &uri, &id, &file, "--no-confirm"])
            .await?;
        Ok(())
    }

    /// The changefeed's file: the scenario's databases and options; 4.0 wants the old values asked for there.
    fn changefeed_file(&self) -> String {
        let mut lines = Vec::new();
        if self.cdc.v4
            && !self
                .file_options
                .iter()
                .any(|(key, _)| key == "enable-old-value")
        {
            lines.push("enable-old-value = true".to_owned());
        }
        lines.extend(
            self.file_options
                .iter()
                .map(|(key, value)| format!("{key} = {value}")),
        );
        let rules: Vec<String> = self
            .databases
            .iter()
            .map(|database| format!("'{database}.*'"))
            .collect();
        lines.push(format!("filter.rules = [{}]", rules.join(", ")));
        lines.join("\n") + "\n"
    }

    fn sink_uri(&self) -> String {
        let mut parameters = vec![
            ("protocol".to_owned(), "canal-json".to_owned()),
            ("kafka-version".to_owned(), "2.7.0".to_owned()),
            ("partition-num".to_owned(), "1".to_owned()),
            ("replication-factor".to_owned(), "1".to_owned()),
        ];
        for (key, value) in &self.options {
            match parameters.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => known.clone_from(value),
                None => parameters.push((key.clone(), value.clone())),
            }
        }
        let parameters: Vec<String> = parameters
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!(
            "kafka://{}/{}?{}",
            self.kafka.bootstrap(),
            self.topic,
            parameters.join("&")
        )
    }

    /// Takes away the changefeed, the topic and the databases, whether they are there or not.
    pub(super) async fn take_down(&self) -> Result<(), Trouble> {
        let listed = self.cdc.cli(&["changefeed", "list", "--all"]).await?;
        let listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap_or_default();
        if listed
            .iter()
            .any(|item| item["id"] == self.changefeed.as_str())
        {
            let mut arguments = vec!["changefeed", "remove", "-c", &self.changefeed];
            // Else 4.0 keeps the id taken for a day.
            arguments.extend(self.cdc.v4.then_some("--force"));
            self.cdc.cli(&arguments).await?;
        }
        self.kafka.delete_topic(&self.topic).await?;
        let mut session = Session::connect(&self.mysql).await?;
        for database in &self.databases {
            let drop = format!("DROP DATABASE IF EXISTS {}", quoted(database));
            session.run(&drop).await?;
        }
        session.close().await;
        match std::fs::remove_file(&self.config) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Trouble::claim(&self.config, &error))
            }
            _ => Ok(()),
        }
    }
}

/// A scenario's name with nothing but letters, digits and one kind of joint, as TiCDC wants ids to be.
fn plain(name: &str, joint: char) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            text.push(c.to_ascii_lowercase());
        } else if !text.is_empty() && !text.ends_with(joint) {
            text.push(joint);
        }
    }
    let text: String = text.chars().take(LONGEST).collect();
    let text = text.trim_end_matches(joint);
    if text.is_empty() {
        "scenario".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(plain("dml/update", '_'), "dml_update");
        assert_eq!(plain("types/Décimal--x.y/", '-'), "types-d-cimal-x-y");
        assert_eq!(plain("..", '-'), "scenario");
        assert_eq!(plain(&"x/".repeat(60), '_').len(), 63);
    }
}
