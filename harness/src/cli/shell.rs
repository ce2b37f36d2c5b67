//! `lab-shell`: clients of a lab's parts, set up for it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use clap::{Args, ValueEnum};

use super::{Failure, Name};
use crate::lab::{self, Client, Kind, Lab, LabError};

#[derive(Debug, Args)]
pub(super) struct Shell {
    /// What to talk to
    #[arg(value_enum)]
    part: Part,
    #[command(flatten)]
    lab: Name,
    /// A command to run instead of an interactive shell, after `--`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An SQL shell
    Tidb,
    /// A shell with Kafka's own tools: topics, configs, consume, produce, groups
    Kafka,
    /// SQL on Flink: a statement a line, changes as JSON lines
    Flink,
    /// A shell with etcdctl, on PD's etcd
    Etcd,
    /// A shell with `cdc cli`, on this lab
    Cdc,
}

impl Shell {
    pub(super) fn run(self) -> Result<(), Failure> {
        let lab = Lab::attach(&self.lab.name)?;
        let mut command = self.command(&lab)?;
        // From here on it is the client; how it ends is its own affair.
        let error = command.exec();
        Err(Failure::broke(format!(
            "run {}: {error}",
            command.get_program().display()
        )))
    }

    fn command(&self, lab: &Lab) -> Result<Command, LabError> {
        match self.part {
            Part::Tidb => self.tidb(lab),
            Part::Kafka => kafka(lab, &self.arguments),
            Part::Flink => self.flink(lab),
            Part::Etcd => self.etcd(lab),
            Part::Cdc => self.cdc(lab),
        }
    }

    fn tidb(&self, lab: &Lab) -> Result<Command, LabError> {
        let port = lab.topology().port(Kind::Tidb, "mysql")?;
        let client = lab::mariadb_client()?;
        let mut command = Command::new(client.folder.join("mariadb"));
        command
            .args([
                "--no-defaults",
                "--host=127.0.0.1",
                "--user=root",
                "--default-character-set=utf8mb4",
            ])
            .arg(format!("--port={port}"))
            .args(&self.arguments)
            .env("LD_LIBRARY_PATH", client.library_path);
        Ok(command)
    }

    fn flink(&self, lab: &Lab) -> Result<Command, LabError> {
        let port = lab.topology().port(Kind::Flink, "rest")?.to_string();
        let mut command = lab.java_command(&[], &["FlinkRunner", "remote", "127.0.0.1", &port])?;
        eprintln!(
            "SQL on Flink: a statement a line, after the number of changes to read and a tab (`-` and a tab: to the end)"
        );
        command.args(&self.arguments);
        Ok(command)
    }

    fn etcd(&self, lab: &Lab) -> Result<Command, LabError> {
        let client = lab::etcd_client()?;
        let greeting = "etcdctl on PD's address, e.g. etcdctl get --prefix /tidb/cdc";
        let mut command = bash("", "", "", greeting, &self.arguments);
        command
            .env("PATH", path_with(&client))
            .env("LD_LIBRARY_PATH", client.library_path)
            .env("ETCDCTL_API", "3")
            .env("ETCDCTL_ENDPOINTS", lab.topology().url(Kind::Pd, "client")?);
        Ok(command)
    }

    fn cdc(&self, lab: &Lab) -> Result<Command, LabError> {
        const CDC: &str = r#"
cdc() { if [ "$1" = cli ]; then "$CDC" "$@" --pd="$PD"; else "$CDC" "$@"; fi; }
"#;
        let greeting = "cdc cli on this lab, e.g. cdc cli changefeed list";
        let mut command = bash(CDC, "", "cdc", greeting, &self.arguments);
        let cdc = lab.cdc()?;
        command.env("CDC", cdc.program).env("PD", cdc.pd);
        Ok(command)
    }
}

/// A shell with Kafka's own tools, or one of them with its arguments. They have other class names from 3.5 on. Blocks.
pub(super) fn kafka(lab: &Lab, arguments: &[OsString]) -> Result<Command, LabError> {
    const TOOLS: &str = r#"
tool() { local class=$1; shift; "$KAFKA_JAVA" -Xmx256m -XX:TieredStopAtLevel=1 -Dlog4j.configuration="$KAFKA_LOG4J" -cp "$KAFKA_JARS/*" "$class" --bootstrap-server "$BOOTSTRAP" "$@"; }
topics() { tool "$TOPICS" "$@"; }
configs() { tool kafka.admin.ConfigCommand "$@"; }
consume() { local topic=$1; shift; tool "$CONSUMER" --topic "$topic" --from-beginning "$@"; }
produce() { local topic=$1; shift; tool "$PRODUCER" --topic "$topic" "$@"; }
groups() { tool "$GROUPS_TOOL" "$@"; }
"#;
    let names = "topics configs consume produce groups";
    let greeting =
        format!("Kafka at $BOOTSTRAP. Its own tools: {names}; e.g. topics --list, consume TOPIC");
    let jars = lab.jars(Kind::Kafka)?;
    let version = &lab.topology().component(Kind::Kafka)?.version;
    let old = version.starts_with("2.");
    let pick = |before: &'static str, now: &'static str| if old { before } else { now };
    let mut command = bash(TOOLS, "tool", names, &greeting, arguments);
    command
        .env("BOOTSTRAP", lab.endpoint(Kind::Kafka, "bootstrap")?)
        .env("KAFKA_JAVA", lab::java_of(lab.topology(), Kind::Kafka)?)
        .env("KAFKA_JARS", jars)
        .env(
            "KAFKA_LOG4J",
            format!("file:{}", quiet_log4j(lab)?.display()),
        )
        .env(
            "TOPICS",
            pick(
                "kafka.admin.TopicCommand",
                "org.apache.kafka.tools.TopicCommand",
            ),
        )
        .env(
            "CONSUMER",
            pick(
                "kafka.tools.ConsoleConsumer",
                "org.apache.kafka.tools.consumer.ConsoleConsumer",
            ),
        )
        .env(
            "PRODUCER",
            pick(
                "kafka.tools.ConsoleProducer",
                "org.apache.kafka.tools.ConsoleProducer",
            ),
        )
        .env(
            "GROUPS_TOOL",
            pick(
                "kafka.admin.ConsumerGroupCommand",
                "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            ),
        );
    Ok(command)
}

/// The client's folder in front of the `PATH`.
fn path_with(client: &Client) -> OsString {
    let mut path = client.folder.clone().into_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// Kafka's tools log to standard output unless they are told otherwise.
fn quiet_log4j(lab: &Lab) -> Result<std::path::PathBuf, LabError> {
    const TEXT: &str = "\
log4j.rootLogger=WARN, stderr
log4j.appender.stderr=org.apache.log4j.ConsoleAppender
log4j.appender.stderr.target=System.err
log4j.appender.stderr.layout=org.apache.log4j.PatternLayout
log4j.appender.stderr.layout.ConversionPattern=%p %m (%c)%n
";
    let file = lab.paths().conf(Kind::Kafka).join("tools-log4j.properties");
    let written = std::fs::write(&file, TEXT);
    written.map_err(|source| LabError::File {
        what: "write",
        path: file.clone(),
        source,
    })?;
    Ok(file)
}

/// Bash with functions: interactive, or running the given words. `inner` functions are those that the others call.
fn bash(
    functions: &str,
    inner: &str,
    names: &str,
    greeting: &str,
    arguments: &[OsString],
) -> Command {
    let mut command = Command::new("bash");
    if !arguments.is_empty() {
        let script = format!("{functions}\n\"$@\"");
        command.arg("-c").arg(script).arg("bash").args(arguments);
        return command;
    }
    // Exported functions reach the interactive shell.
    let export = match format!("{inner} {names}").trim() {
        "" => String::new(),
        all => format!("export -f {all}"),
    };
    let script = format!("{functions}\n{export}\necho \"{greeting}\" >&2\nexec bash --norc -i");
    command.arg("-c").arg(script).env("PS1", prompt(names));
    command
}

fn prompt(names: &str) -> String {
    let first = names.split(' ').next().filter(|name| !name.is_empty());
    format!(
        "cdclab {}> ",
        first.map_or("etcd", |name| if name == "topics" { "kafka" } else { name })
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_passed_as_they_are() {
        let functions = "show() { printf '<%s>' \"$@\"; }";
        let words = ["show", "a b", "c\"d", "$e"].map(OsString::from);
        let output = bash(functions, "", "show", "", &words).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "<a b><c\"d><$e>");
    }

    #[test]
    fn a_client_comes_first_on_the_path() {
        let client = Client {
            folder: "/x/bin".into(),
            library_path: OsString::new(),
        };
        assert!(path_with(&client).to_string_lossy().starts_with("/x/bin"));
    }
}
