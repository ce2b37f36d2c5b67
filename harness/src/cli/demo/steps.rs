//! The article's steps. Each shows what it does and what came of it, and fails if that is not what it should be.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::super::Failure;
use super::super::shell;
use super::super::table;
use super::page::{grid, heading, note, output, typed};
use crate::lab::{self, Kind, Lab};
use crate::observe::changefeed::{Cdc, ChangefeedError};
use crate::observe::flink::Flink;
use crate::observe::flink::table::{Column, Source};
use crate::observe::kafka::Kafka;
use crate::observe::pd;
use crate::observe::sql::{Session, lossy};

const DATABASE: &str = "test";
const TABLE: &str = "t1";
const TOPIC: &str = "ticdc-test";
const CHANGEFEED: &str = "ticdc-kafka";
/// How long the pipeline may take to bring a row to Kafka.
const BARRIER: Duration = Duration::from_secs(60);
/// Exit code of an expectation that failed.
const UNEXPECTED: u8 = 1;
/// Exit code of a command used wrongly.
const MISUSED: u8 = 2;

/// The demo on a lab.
pub(super) struct Steps<'a> {
    lab: &'a Lab,
    kafka: Kafka,
    cdc: Cdc,
    mysql: String,
    pd: String,
    /// The changefeed's configuration file.
    config: PathBuf,
}

fn unexpected(what: String) -> Failure {
    Failure {
        message: format!("see what the demo shows: {what}"),
        code: UNEXPECTED,
    }
}

impl<'a> Steps<'a> {
    pub(super) fn new(lab: &'a Lab) -> Result<Self, Failure> {
        Ok(Steps {
            lab,
            kafka: lab.kafka()?,
            cdc: lab.cdc()?,
            mysql: lab.endpoint(Kind::Tidb, "mysql")?,
            pd: lab.endpoint(Kind::Pd, "client")?,
            config: lab.paths().conf(Kind::Cdc).join("changefeed.toml"),
        })
    }

    /// Nothing by the article's names is there yet: what is there is not ours to change.
    pub(super) async fn unclaimed(&self) -> Result<(), Failure> {
        let taken = |what: &str, hint: &str| {
            Err(Failure {
                message: format!(
                    "run the demo: the lab has {what} already; {hint}, or use a lab of another --name"
                ),
                code: MISUSED,
            })
        };
        let mut session = self.session().await?;
        let tables = session
            .strings(&format!("SHOW TABLES FROM {DATABASE} LIKE '{TABLE}'"))
            .await
            .map_err(Failure::broke)?;
        session.close().await;
        if !tables.is_empty() {
            return taken(&format!("a table `{DATABASE}.{TABLE}`"), "drop it");
        }
        let topics = self.kafka.topics().await.map_err(Failure::broke)?;
        if topics.iter().any(|topic| topic == TOPIC) {
            return taken(&format!("a topic `{TOPIC}`"), "delete it");
        }
        let status = self.lab.status().await?;
        if status.changefeeds.iter().any(|feed| feed.id == CHANGEFEED) {
            return taken(&format!("a changefeed `{CHANGEFEED}`"), "remove it");
        }
        Ok(())
    }

    pub(super) async fn all(&self) -> Result<(), Failure> {
        self.versions().await?;
        self.topic().await?;
        self.changefeed().await?;
        self.look_at_changefeed().await?;
        let mut session = self.session().await?;
        self.first_row(&mut session).await?;
        self.first_message().await?;
        let flink = self.lab.flink().await.map_err(Failure::broke)?;
        let shown = self.in_flink(&mut session, &flink).await;
        flink.close().await.map_err(Failure::broke)?;
        shown?;
        session.close().await;
        self.interrupted_and_removed().await
    }

    /// Removes whatever the demo made, as far as it came.
    pub(super) async fn tidy(&self) -> Result<(), Failure> {
        let feeds = self.lab.status().await?.changefeeds;
        if feeds.iter().any(|feed| feed.id == CHANGEFEED) {
            self.remove_changefeed().await?;
        }
        let mut session = self.session().await?;
        let sql = format!("DROP TABLE IF EXISTS {DATABASE}.{TABLE}");
        session.run(&sql).await.map_err(Failure::broke)?;
        session.close().await;
        self.kafka
            .delete_topic(TOPIC)
            .await
            .map_err(Failure::broke)?;
        match std::fs::remove_file(&self.config) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::broke(
                format!("remove {}: {error}", self.config.display()),
            )),
            _ => Ok(()),
        }
    }

    async fn session(&self) -> Result<Session, Failure> {
        Session::connect(&self.mysql).await.map_err(Failure::broke)
    }

    async fn versions(&self) -> Result<(), Failure> {
        heading(1, "What runs here")?;
        typed("$", &format!("cargo xtask lab-status{}", self.name()))?;
        output(&table::status(&self.lab.status().await?))?;
        let mut session = self.session().await?;
        for sql in ["select version()", "select tidb_version()\\G"] {
            typed("mysql>", sql)?;
            let found = session
                .strings(sql.trim_end_matches("\\G"))
                .await
                .map_err(Failure::broke)?;
            output(&found.join("\n"))?;
        }
        session.close().await;
        note(
            "The article runs each Java program on a runtime of its own, because Flink 1.12 and Kafka 2.7 come from the days \
             of Java 8 and 11. In a topology it is `java-home` of the component; without it the lab adds the flags that \
             those versions need on a later Java.",
        )
    }

    /// `--name` where the lab is not the default one.
    fn name(&self) -> String {
        match self.lab.name() {
            lab::DEFAULT_NAME => String::new(),
            name => format!(" --name {name}"),
        }
    }

    /// Runs one of Kafka's own tools.
    async fn kafka_tool(&self, arguments: &[&str]) -> Result<String, Failure> {
        let name = self.name();
        let shown = format!(
            "cargo xtask lab-shell kafka{name} -- {}",
            arguments.join(" ")
        );
        typed("$", &shown)?;
        let (lab, words) = (
            self.lab.clone(),
            arguments.iter().map(OsString::from).collect::<Vec<_>>(),
        );
        let command = tokio::task::spawn_blocking(move || shell::kafka(&lab, &words));
        let command = command.await.map_err(Failure::broke)??;
        let ended = tokio::process::Command::from(command)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| Failure::broke(format!("run `{shown}`: {error}")))?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&ended.stdout).into_owned(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        );
        output(&stdout)?;
        output(&stderr)?;
        if !ended.status.success() {
            return Err(unexpected(format!("`{shown}` ended with {}", ended.status)));
        }
        Ok(stdout)
    }

    async fn topic(&self) -> Result<(), Failure> {
        heading(2, "The topic")?;
        self.kafka_tool(&[
            "topics",
            "--create",
            "--topic",
            TOPIC,
            "--partitions",
            "1",
            "--replication-factor",
            "1",
            "--config",
            "max.message.bytes=12800000",
            "--config",
            "flush.messages=1",
        ])
        .await?;
        note(
            "`max.message.bytes` is what this topic takes: 12.8 MB. The changefeed below says `max-message-bytes=67108864`, five \
             times as much. TiCDC 4.0 believes that and fails when such a message comes; 8.5 lowers it to the topic's.",
        )?;
        note(
            "`flush.messages=1` makes the broker sync its log after every message. With one replica it is the only copy, so \
             that is safe and slow; with three, leave it to the replicas.",
        )?;
        let listed = self.kafka_tool(&["topics", "--list"]).await?;
        if !listed.lines().any(|line| line.trim() == TOPIC) {
            return Err(unexpected(format!("the list has no `{TOPIC}`")));
        }
        let described = self
            .kafka_tool(&["topics", "--describe", "--topic", TOPIC])
            .await?;
        for wanted in [
            "PartitionCount: 1",
            "ReplicationFactor: 1",
            "max.message.bytes=12800000",
            "flush.messages=1",
        ] {
            // 2.7 has a tab where 3.9 has a blank.
            let plain = described.split_whitespace().collect::<Vec<_>>().join(" ");
            if !plain.contains(wanted) {
                return Err(unexpected(format!("the topic has no `{wanted}`")));
            }
        }
        Ok(())
    }

    /// Runs `cdc cli …` and shows what it says, refusals too.
    async fn cli(&self, arguments: &[&str]) -> Result<Result<String, String>, Failure> {
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        typed(
            "$",
            &format!("cdc cli {} --pd={}", words.join(" "), self.cdc.pd),
        )?;
        match self.cdc.cli_output(arguments).await {
            Ok((stdout, stderr)) => {
                output(&stderr)?;
                output(&stdout)?;
                Ok(Ok(stdout))
            }
            Err(ChangefeedError::Refused { output: said, .. }) => {
                output(&said)?;
                Ok(Err(said))
            }
            Err(error) => Err(Failure::broke(error)),
        }
    }

    async fn cli_ok(&self, arguments: &[&str]) -> Result<String, Failure> {
        self.cli(arguments).await?.map_err(|said| {
            unexpected(format!(
                "`cdc cli {}` was refused: {said}",
                arguments.join(" ")
            ))
        })
    }

    async fn changefeed(&self) -> Result<(), Failure> {
        heading(3, "The changefeed")?;
        let write = std::fs::write(&self.config, "enable-old-value = true\n");
        write
            .map_err(|error| Failure::broke(format!("write {}: {error}", self.config.display())))?;
        typed("$", &format!("cat {}", self.config.display()))?;
        output("enable-old-value = true")?;
        let uri = format!(
            "--sink-uri=kafka://{}/{TOPIC}?kafka-version=2.7.0&partition-num=1&max-message-bytes=67108864\
             &replication-factor=1&enable-old-value=true&protocol=canal-json",
            self.kafka.bootstrap()
        );
        let (id, config) = (
            format!("--changefeed-id={CHANGEFEED}"),
            format!("--config={}", self.config.display()),
        );
        let bare = ["changefeed", "create", &uri, &id];
        let with_config = ["changefeed", "create", &uri, &id, &config];
        let created = match self.cdc.v4 {
            true => self.cli_ok(&with_config).await?,
            false => {
                if self.cli(&with_config).await?.is_ok() {
                    return Err(unexpected("the configuration file was taken".to_owned()));
                }
                note(
                    "The article's file is for TiCDC 4.0: `enable-old-value` is gone since 7.5: old values are always there, \
                     and an unknown entry is refused. Without the file the command is good:",
                )?;
                self.cli_ok(&bare).await?
            }
        };
        if !created.contains(CHANGEFEED) {
            return Err(unexpected("the changefeed's id is not told".to_owned()));
        }
        note(
            "`enable-old-value=true` in the sink URI, as the documentation had it, is read by no TiCDC ever. In 4.0 it belongs \
             into the file of `--config`; without it canal-json would have no old values, and is refused.",
        )?;
        note(
            "The URI stands in quotes: without them the shell cuts it at the first `&` and runs the rest as commands. And \
             `\\u0026` in what is printed is that same `&`, as JSON in Go writes it; nothing is broken.",
        )?;
        note(
            "4.0's documentation lists the protocols default, canal, avro and maxwell. `canal-json` is there too; mistyped \
             (`canal_json`), 4.0 silently writes its open protocol, which Flink cannot read. 8.5 refuses it.",
        )
    }

    async fn look_at_changefeed(&self) -> Result<(), Failure> {
        heading(4, "Looking at it")?;
        self.list_shows("normal").await?;
        let asked = self.cli_ok(&["changefeed", "query", "-c", CHANGEFEED]);
        let asked = asked.await?;
        if !asked.contains("canal-json") {
            return Err(unexpected("the query does not show the sink".to_owned()));
        }
        Ok(())
    }

    async fn list_shows(&self, state: &str) -> Result<(), Failure> {
        let all: &[&str] = &["changefeed", "list", "-a"];
        let plain: &[&str] = &["changefeed", "list"];
        // A plain list leaves out what is stopped.
        let listed = self
            .cli_ok(if state == "normal" { plain } else { all })
            .await?;
        let feeds: serde_json::Value = serde_json::from_str(&listed).map_err(|error| {
            unexpected(format!("`changefeed list` did not print JSON: {error}"))
        })?;
        let feed = feeds
            .as_array()
            .into_iter()
            .flatten()
            .find(|feed| feed["id"] == CHANGEFEED);
        match feed.map(|feed| &feed["summary"]["state"]) {
            Some(found) if found == state => Ok(()),
            found => Err(unexpected(format!(
                "`{CHANGEFEED}` should be {state}, and is {found:?}"
            ))),
        }
    }

    async fn sql(&self, session: &mut Session, sql: &str) -> Result<(), Failure> {
        typed("mysql>", &format!("{sql};"))?;
        session
            .run(sql)
            .await
            .map_err(|error| unexpected(error.to_string()))?;
        output("Query OK")
    }

    async fn first_row(&self, session: &mut Session) -> Result<(), Failure> {
        heading(5, "A table and a row")?;
        self.sql(session, "use test").await?;
        self.sql(session, "create table t1(id int primary key)")
            .await?;
        self.sql(session, "insert into t1 values(1)").await?;
        note(
            "Without a primary key, or a unique key over columns that are NOT NULL, TiCDC would leave the table out \
             (`force-replicate` takes it in, and then nothing can be told apart downstream).",
        )
    }

    /// The INSERT messages of the topic, once everything up to now is there.
    async fn inserts(&self) -> Result<Vec<String>, Failure> {
        let barrier = pd::tso(&self.pd).await.map_err(Failure::broke)?;
        self.cdc
            .reach(CHANGEFEED, barrier, BARRIER)
            .await
            .map_err(|error| unexpected(error.to_string()))?;
        let records = self.kafka.read(TOPIC, &[]).await.map_err(Failure::broke)?;
        typed("--", &format!("topic {TOPIC}, from its beginning:"))?;
        let mut inserts = Vec::new();
        for record in records {
            let text = lossy(record.value.unwrap_or_default());
            output(&text)?;
            if text.contains("\"type\":\"INSERT\"") {
                inserts.push(text);
            }
        }
        Ok(inserts)
    }

    async fn first_message(&self) -> Result<(), Failure> {
        heading(6, "The message")?;
        let inserts = self.inserts().await?;
        match inserts.as_slice() {
            [one] if timeless(one) == self.expected("1") => {}
            found => {
                return Err(unexpected(format!(
                    "expected one INSERT, times apart {}, found {found:?}",
                    self.expected("1")
                )));
            }
        }
        note(
            "`es` is the time of the commit in milliseconds. `sqlType` has Java's type codes (java.sql.Types), and every value \
             is text, numbers too.",
        )?;
        match self.cdc.v4 {
            true => note(
                "The 4.0 dialect: `ts` is always 0; an int is called -5 (BIGINT), where Canal and later TiCDCs say 4; `old` of an \
                 INSERT is `[null]`, where Canal has null. Flink reads both.",
            ),
            false => note(
                "Later than 4.0: `ts` is the time of encoding, an int is 4 (INTEGER), `old` of an INSERT is null and stands before \
                 `data`; 4.0 had 0, -5 and `[null]`.",
            ),
        }
    }

    /// The message of an inserted row, without its times.
    fn expected(&self, id: &str) -> String {
        match self.cdc.v4 {
            true => format!(
                r#"{{"id":0,"database":"test","table":"t1","pkNames":["id"],"isDdl":false,"type":"INSERT","es":0,"ts":0,"sql":"","sqlType":{{"id":-5}},"mysqlType":{{"id":"int"}},"data":[{{"id":"{id}"}}],"old":[null]}}"#
            ),
            false => format!(
                r#"{{"id":0,"database":"test","table":"t1","pkNames":["id"],"isDdl":false,"type":"INSERT","es":0,"ts":0,"sql":"","sqlType":{{"id":4}},"mysqlType":{{"id":"int"}},"old":null,"data":[{{"id":"{id}"}}]}}"#
            ),
        }
    }

    async fn in_flink(&self, session: &mut Session, flink: &Flink) -> Result<(), Failure> {
        heading(7, "Flink's table")?;
        let columns = Column::of(session, DATABASE, TABLE)
            .await
            .map_err(Failure::broke)?;
        let mut source = Source {
            bootstrap: self.kafka.bootstrap().to_owned(),
            topic: TOPIC.to_owned(),
            database: DATABASE.to_owned(),
            table: TABLE.to_owned(),
            columns,
            ignore_parse_errors: false,
            changes: 1,
        };
        let modern = matches!(flink, Flink::Gateway(_));
        typed("Flink SQL>", &format!("{};", source.create(modern)))?;
        self.flink_shows(flink, &source, &["1"]).await?;
        note(
            "All tables of the changefeed are in the one topic: `canal-json.database.include` and `table.include` pick this one. \
             `earliest-offset` is said, because the default is the offset of a consumer group that has none yet.",
        )?;
        note(if modern {
            "`scan.bounded.mode` ends the query at the topic's present end, so that it has a result; without it Flink reads on, \
             as a pipeline should. The two filters are regular expressions."
        } else {
            "Flink 1.12 cannot end a query at the topic's present end; it is stopped after the changes that there must be. Its \
             canal-json also takes a null in `old` for \"not changed\": the before-image of a column that was NULL is wrong there."
        })?;

        heading(8, "Another row")?;
        self.sql(session, "insert into test.t1 values(4)").await?;
        let inserts = self.inserts().await?;
        let found: Vec<String> = inserts.iter().map(|text| timeless(text)).collect();
        if found != [self.expected("1"), self.expected("4")] {
            return Err(unexpected(format!(
                "expected INSERTs of 1 and 4, found {inserts:?}"
            )));
        }
        source.changes = 2;
        self.flink_shows(flink, &source, &["1", "4"]).await
    }

    async fn flink_shows(
        &self,
        flink: &Flink,
        source: &Source,
        ids: &[&str],
    ) -> Result<(), Failure> {
        typed("Flink SQL>", &format!("{};", source.select()))?;
        let changelog = flink
            .changelog(source)
            .await
            .map_err(|error| unexpected(error.to_string()))?;
        let with_kind: Vec<Vec<Option<String>>> = changelog
            .changes
            .iter()
            .map(|change| {
                let kind = Some(change.kind.symbol().to_owned());
                std::iter::once(kind)
                    .chain(change.row.iter().cloned())
                    .collect()
            })
            .collect();
        output(&grid(&["op".to_owned(), "id".to_owned()], &with_kind))?;
        let rows = changelog.rows().map_err(unexpected)?;
        let wanted: Vec<Vec<Option<String>>> =
            ids.iter().map(|id| vec![Some((*id).to_owned())]).collect();
        match rows == wanted {
            true => Ok(()),
            false => Err(unexpected(format!(
                "Flink should have the rows {ids:?}, and has {rows:?}"
            ))),
        }
    }

    async fn interrupted_and_removed(&self) -> Result<(), Failure> {
        heading(9, "Pause, resume, remove")?;
        self.cli_ok(&["changefeed", "pause", "-c", CHANGEFEED])
            .await?;
        self.list_shows("stopped").await?;
        self.cli_ok(&["changefeed", "resume", "-c", CHANGEFEED])
            .await?;
        self.list_shows("normal").await?;
        self.remove_changefeed().await?;
        note(
            "The demo's table and topic are removed too; what you saw is in `scenarios/article.sql` as a test.",
        )
    }

    async fn remove_changefeed(&self) -> Result<(), Failure> {
        let mut arguments = vec!["changefeed", "remove", "-c", CHANGEFEED];
        // In 4.0 a removed one stays known unless it is forced out.
        arguments.extend(self.cdc.v4.then_some("--force"));
        self.cli_ok(&arguments).await.map(drop)
    }
}

/// A word as a shell needs it.
fn quoted(word: &str) -> String {
    match word.split_once('=') {
        Some((flag, value)) if value.contains(['&', '?']) => format!("{flag}=\"{value}\""),
        _ => word.to_owned(),
    }
}

/// A message with its times as 0.
fn timeless(message: &str) -> String {
    let mut text = message.to_owned();
    for field in ["\"es\":", "\"ts\":"] {
        if let Some(start) = text.find(field).map(|at| at + field.len()) {
            let digits = text[start..]
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(0);
            text.replace_range(start..start + digits, "0");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_are_taken_out() {
        let message = r#"{"id":0,"es":1700000000000,"ts":17,"data":[{"id":"1"}]}"#;
        assert_eq!(
            timeless(message),
            r#"{"id":0,"es":0,"ts":0,"data":[{"id":"1"}]}"#
        );
    }

    #[test]
    fn addresses_are_quoted_for_the_shell() {
        assert_eq!(
            quoted("--sink-uri=kafka://h/t?a=b&c=d"),
            "--sink-uri=\"kafka://h/t?a=b&c=d\""
        );
        assert_eq!(quoted("--changefeed-id=x"), "--changefeed-id=x");
    }
}
