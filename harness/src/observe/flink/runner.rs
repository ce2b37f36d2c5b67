//! `FlinkRunner`, the program that asks a Flink without SQL gateway (1.12) and any Flink with connectors of its own.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::table::Source;
use super::{Change, Changelog, FlinkError, Kind};

const DEADLINE: Duration = Duration::from_secs(120);

/// A running `FlinkRunner`; it ends when this is dropped.
pub struct Runner {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it says on standard error, read all the time so that it never blocks.
    said: Option<JoinHandle<String>>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    ready: bool,
    op: Option<String>,
    row: Option<Vec<Option<String>>>,
    end: Option<u64>,
    error: Option<String>,
}

/// How a statement's result ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself.
    Itself,
    /// After this many changes; the job is cancelled then.
    After(usize),
}

impl Runner {
    /// Starts the program: `command` is the Java command line with the class path, the class and its arguments.
    ///
    /// # Errors
    /// [`FlinkError::Runner`].
    pub async fn start(command: std::process::Command) -> Result<Runner, FlinkError> {
        let mut child = Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| FlinkError::Runner {
                message: format!("it could not be started: {error}"),
            })?;
        let (Some(input), Some(output), Some(mut errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(FlinkError::Runner {
                message: "it has no pipes".to_owned(),
            });
        };
        let said = tokio::spawn(async move {
            let (mut tail, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = errors.read(&mut buffer).await {
                tail.extend_from_slice(&buffer[..n]);
                let surplus = tail.len().saturating_sub(8192);
                tail.drain(..surplus);
            }
            String::from_utf8_lossy(&tail).into_owned()
        });
        let mut runner = Runner {
            child,
            input,
            lines: BufReader::new(output).lines(),
            said: Some(said),
        };
        let first = runner
            .line("starting", Instant::now() + DEADLINE, 0, "it is not ready")
            .await?;
        if first.ready {
            Ok(runner)
        } else {
            Err(FlinkError::Runner {
                message: "its first line is not `ready`".to_owned(),
            })
        }
    }

    /// Reads a topic's table to its end: as many changes as its messages make.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn changelog(&mut self, source: &Source) -> Result<Changelog, FlinkError> {
        self.run(&source.drop(), End::Itself).await?;
        self.run(&source.create(false), End::Itself).await?;
        let changes = match source.changes {
            // An unbounded topic without changes never answers; the barrier has shown that it holds none.
            0 => Vec::new(),
            changes => self.run(&source.select(), End::After(changes)).await?,
        };
        self.run(&source.drop(), End::Itself).await?;
        Ok(Changelog {
            columns: source
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect(),
            changes,
        })
    }

    /// Runs a statement.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn run(&mut self, statement: &str, end: End) -> Result<Vec<Change>, FlinkError> {
        let mut running = self.begin(statement, end).await?;
        let mut changes = Vec::new();
        while let Some(change) = running.next().await? {
            changes.push(change);
        }
        Ok(changes)
    }

    /// Begins a statement, to read its changes one by one. One statement runs at a time: read to the end.
    ///
    /// # Errors
    /// [`FlinkError::Runner`].
    pub async fn begin(&mut self, statement: &str, end: End) -> Result<Running<'_>, FlinkError> {
        let limit = match end {
            End::Itself => "-".to_owned(),
            End::After(changes) => changes.to_string(),
        };
        let line = format!("{limit}\t{}\n", statement.replace(['\n', '\r'], " "));
        if let Err(error) = self.input.write_all(line.as_bytes()).await {
            return Err(self.ended(&format!("it takes no statement: {error}")).await);
        }
        let deadline = Instant::now() + DEADLINE;
        let expected = match end {
            End::Itself => "the end of the result did not come".to_owned(),
            End::After(changes) => format!("{changes} expected"),
        };
        Ok(Running {
            runner: self,
            statement: statement.to_owned(),
            deadline,
            expected,
            seen: 0,
        })
    }

    async fn line(
        &mut self,
        statement: &str,
        deadline: Instant,
        rows: usize,
        expected: &str,
    ) -> Result<Line, FlinkError> {
        let line = match timeout_at(deadline, self.lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => return Err(self.ended("it ended").await),
            Ok(Err(error)) => return Err(self.ended(&format!("it cannot be read: {error}")).await),
            Err(_) => {
                return Err(FlinkError::Late {
                    statement: statement.to_owned(),
                    seconds: DEADLINE.as_secs(),
                    rows,
                    expected: expected.to_owned(),
                });
            }
        };
        serde_json::from_str(&line).map_err(|error| FlinkError::Answer {
            what: statement.to_owned(),
            message: format!("{error}: {line}"),
        })
    }

    async fn ended(&mut self, what: &str) -> FlinkError {
        let _ = self.child.start_kill();
        let said = match self.said.take() {
            Some(said) => said.await.unwrap_or_default(),
            None => String::new(),
        };
        let tail: Vec<&str> = said.lines().rev().take(20).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        FlinkError::Runner {
            message: format!("{what}; the end of what it said:\n{}", tail.join("\n")),
        }
    }
}

/// A statement that runs.
pub struct Running<'a> {
    runner: &'a mut Runner,
    statement: String,
    deadline: Instant,
    expected: String,
    seen: usize,
}

impl Running<'_> {
    /// The next change; `None` at the end.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn next(&mut self) -> Result<Option<Change>, FlinkError> {
        let line = self
            .runner
            .line(&self.statement, self.deadline, self.seen, &self.expected)
            .await?;
        if let Some(cause) = line.error {
            return Err(FlinkError::Statement {
                statement: self.statement.clone(),
                cause,
            });
        }
        if line.end.is_some() {
            return Ok(None);
        }
        let kind = line.op.as_deref().and_then(Kind::parse);
        let change = kind.zip(line.row).map(|(kind, row)| Change { kind, row });
        self.seen += 1;
        change.map(Some).ok_or_else(|| FlinkError::Answer {
            what: self.statement.clone(),
            message: "a line that is neither a change nor an end".to_owned(),
        })
    }
}
