//! The programs in `fixtures/clients/java`.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::lab;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

const DEADLINE: Duration = Duration::from_secs(60);
/// Between two tries.
const POLL: Duration = Duration::from_millis(100);
/// `tikv-client-java` about a scan that got no answer.
const CONNECTION_LOST: &str = "ScanResponse failed without a cause";

/// A program: its source, and the manifests of its jars.
pub type Source = (&'static str, &'static [&'static str]);

/// Reads tables.
pub const READER: Source = ("clients/java/TikvReader.java", &["tikv-client-java-3.3.5"]);
/// Follows tables: the connector, a log to write to, and what it uses of Flink.
pub const FEED: Source = (
    "clients/java/TikvFeed.java",
    &[
        "tidb-cdc-reader-2.3.0",
        "tikv-client-java-3.3.5",
        "flink-1.20.3",
    ],
);

/// A running program; it ends with this.
pub struct Reader {
    #[allow(dead_code)]
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    said: Option<JoinHandle<String>>,
}

/// A column by the client's catalog.
#[derive(Debug, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub unsigned: bool,
    pub not_null: bool,
    pub primary: bool,
    pub auto_increment: bool,
}

#[derive(Deserialize)]
struct Line {
    column: Option<Column>,
    row: Option<Vec<Option<String>>>,
    end: Option<u64>,
    error: Option<String>,
}

/// A table as the client reads it.
#[derive(Debug, Default)]
pub struct Read {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Option<String>>>,
    end: u64,
}

impl Reader {
    pub async fn start(
        (source, manifests): Source,
        pd: &str,
    ) -> Result<Reader, Box<dyn std::error::Error>> {
        let pd = pd.to_owned();
        let command = move || lab::java_source(source, manifests, &[&pd]);
        let command = tokio::task::spawn_blocking(command).await??;
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no stdin")?;
        let output = child.stdout.take().ok_or("no stdout")?;
        let mut errors = child.stderr.take().ok_or("no stderr")?;
        let said = tokio::spawn(async move {
            let mut text = String::new();
            // What cannot be read cannot be shown.
            let _ = errors.read_to_string(&mut text).await;
            text
        });
        let mut reader = Reader {
            child,
            input,
            lines: BufReader::new(output).lines(),
            said: Some(said),
        };
        reader.line().await?;
        Ok(reader)
    }

    async fn line(&mut self) -> Result<String, String> {
        match tokio::time::timeout(DEADLINE, self.lines.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => {
                let said = match self.said.take() {
                    Some(said) => said.await.unwrap_or_default(),
                    None => String::new(),
                };
                Err(format!("the reader ended: {said}"))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
        }
    }

    async fn ask(&mut self, command: &str) -> Result<Read, String> {
        let line = format!("{command}\n");
        let sent = self.input.write_all(line.as_bytes()).await;
        sent.map_err(|error| error.to_string())?;
        let mut read = Read::default();
        loop {
            let text = self.line().await?;
            let line: Line =
                serde_json::from_str(&text).map_err(|error| format!("{text}: {error}"))?;
            read.columns.extend(line.column);
            read.rows.extend(line.row);
            if let Some(error) = line.error {
                return Err(format!("{command}: {error}"));
            }
            if let Some(end) = line.end {
                read.end = end;
                return Ok(read);
            }
        }
    }

    /// Reads a table with this command until the client has a connection again to a store that was killed: it tells once that the
    /// one it had is lost, and leaves it to its caller to ask again.
    pub async fn reconnect(
        &mut self,
        command: &str,
        database: &str,
        table: &str,
        ts: u64,
    ) -> Result<(), String> {
        let command = format!("{command} {database} {table} {ts}");
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.ask(&command).await {
                Ok(_) => return Ok(()),
                Err(error) if error.contains(CONNECTION_LOST) && Instant::now() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(format!("after a kill of the store: {error}")),
            }
        }
    }

    /// A timestamp of PD's.
    pub async fn now(&mut self) -> Result<u64, String> {
        Ok(self.ask("NOW").await?.end)
    }

    pub async fn read(&mut self, database: &str, table: &str, ts: u64) -> Result<Read, String> {
        self.ask(&format!("READ {database} {table} {ts}")).await
    }

    /// Splits the regions of a table; gives how many keys were asked for.
    pub async fn split(&mut self, database: &str, table: &str, parts: u64) -> Result<u64, String> {
        Ok(self
            .ask(&format!("SPLIT {database} {table} {parts}"))
            .await?
            .end)
    }

    /// How many regions a table lies in, by the client's cache.
    pub async fn regions(&mut self, database: &str, table: &str) -> Result<u64, String> {
        Ok(self.ask(&format!("REGIONS {database} {table}")).await?.end)
    }

    /// Keys and values of a table's rows, in hex.
    pub async fn dump(&mut self, database: &str, table: &str, ts: u64) -> Result<Pairs, String> {
        let read = self.ask(&format!("DUMP {database} {table} {ts}")).await?;
        let pairs = read.rows.into_iter().map(|row| match &row[..] {
            [Some(key), Some(value)] => Ok((key.clone(), value.clone())),
            _ => Err(format!("no pair: {row:?}")),
        });
        pairs.collect()
    }

    /// Begins to follow a table.
    pub async fn follow(&mut self, database: &str, table: &str, from: u64) -> Result<(), String> {
        self.ask(&format!("FOLLOW {database} {table} {from}"))
            .await
            .map(drop)
    }

    /// What was changed since a table is followed, up to a timestamp: the newest value of each key, none if it is gone.
    pub async fn catch_up(
        &mut self,
        database: &str,
        table: &str,
        until: u64,
    ) -> Result<BTreeMap<String, Option<String>>, String> {
        let read = self
            .ask(&format!("CATCH-UP {database} {table} {until}"))
            .await?;
        let changes = read.rows.into_iter().map(|row| match &row[..] {
            [Some(key), Some(kind), Some(value)] => {
                Ok((key.clone(), (kind == "PUT").then(|| value.clone())))
            }
            _ => Err(format!("no change: {row:?}")),
        });
        changes.collect()
    }
}

/// Keys with their values, in hex.
pub type Pairs = BTreeMap<String, String>;
