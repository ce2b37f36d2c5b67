//! What the real TiCDC wrote for the same statements: `fixtures/golden/ticdc`, README there.
//!
//! A scenario that says `-- @truth recorded NAME` runs statements of that recording, in its order; not all of them, but none
//! that changes data or schema and is not there. Its messages are then those of the recording, per key, and with the
//! scenario's database for the recording's `test`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::lab::{Compat, repository};
use crate::scenario::message::{Message, Placeholders};
use crate::scenario::plan::{Action, Expect, Scenario};

/// The database of the recordings.
const DATABASE: &str = "test";

/// Why a recording cannot be compared with.
#[derive(Debug, Error)]
pub enum RecordedError {
    /// It cannot be read.
    #[error("read recording {}: {what}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The scenario is not part of it.
    #[error("find the statement of line {line} in recording {}, behind the statements before it: {sql}", path.display())]
    OtherStatement {
        /// The file.
        path: PathBuf,
        /// The scenario's line.
        line: usize,
        /// The statement.
        sql: String,
    },
}

/// A recording of one version.
#[derive(Debug, Clone)]
pub struct Recording {
    path: PathBuf,
    /// Who wrote the messages, e.g. `TiCDC v4.0.9`.
    pub writer: String,
    steps: Vec<RecordedStep>,
}

#[derive(Debug, Clone)]
struct RecordedStep {
    sql: String,
    messages: Vec<Message>,
}

impl Recording {
    /// The recording of this name for a dialect.
    ///
    /// # Errors
    /// [`RecordedError::Unreadable`].
    pub fn load(name: &str, dialect: Compat) -> Result<Recording, RecordedError> {
        let (folder, pipeline) = match dialect {
            Compat::V4 => ("v4.0", "old-value"),
            Compat::V6 => ("v6.5", "default"),
            Compat::V8 => ("v8.4", "default"),
        };
        let file = format!("fixtures/golden/ticdc/{folder}/{name}.jsonl.gz");
        let path = repository().join(file);
        let unreadable = |what: String| RecordedError::Unreadable {
            path: path.clone(),
            what,
        };
        let lines = lines(&path).map_err(|error| unreadable(error.to_string()))?;
        let mut lines = lines.iter();
        let head = lines
            .next()
            .ok_or_else(|| unreadable("it is empty".to_owned()))?;
        let writer = format!("TiCDC {}", head["ticdc"].as_str().unwrap_or("?"));
        let steps: Result<Vec<RecordedStep>, String> = lines
            .map(|line| {
                let messages = line["cdc"][pipeline]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                let messages: Result<Vec<Message>, String> = messages
                    .iter()
                    .filter_map(|message| message["value"].as_str())
                    .map(|text| Message::parse(text.trim_end_matches(['\r', '\n'])))
                    .collect();
                Ok(RecordedStep {
                    sql: normal(line["sql"].as_str().unwrap_or_default()),
                    messages: messages?,
                })
            })
            .collect();
        let steps = steps.map_err(unreadable)?;
        Ok(Recording {
            path,
            writer,
            steps,
        })
    }

    /// The file, from the repository's root.
    pub fn shown(&self) -> String {
        let path = self.path.strip_prefix(repository()).unwrap_or(&self.path);
        path.display().to_string()
    }

    /// The messages of all statements.
    pub fn messages(&self) -> Vec<Message> {
        self.steps
            .iter()
            .flat_map(|step| step.messages.clone())
            .collect()
    }

    /// The messages of the scenario's statements, in order, with its database.
    ///
    /// # Errors
    /// [`RecordedError::OtherStatement`].
    pub fn expected(
        &self,
        scenario: &Scenario,
        database: &str,
    ) -> Result<Vec<Message>, RecordedError> {
        let mut expected = Vec::new();
        let mut at = 0;
        for step in &scenario.steps {
            let Action::Statement { sql, expect } = &step.action else {
                continue;
            };
            let sql = normal(sql);
            match self.steps[at..]
                .iter()
                .position(|recorded| recorded.sql == sql)
            {
                Some(offset) => {
                    let recorded = &self.steps[at + offset];
                    expected.extend(
                        recorded
                            .messages
                            .iter()
                            .map(|message| moved(message, database)),
                    );
                    at += offset + 1;
                }
                None if *expect != Expect::Success || !changes(&sql) => {}
                None => {
                    return Err(RecordedError::OtherStatement {
                        path: self.path.clone(),
                        line: step.line,
                        sql,
                    });
                }
            }
        }
        Ok(expected)
    }
}

fn lines(path: &Path) -> std::io::Result<Vec<serde_json::Value>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(std::io::Error::from))
        .collect()
}

/// A statement as both have it: 4.0 repeats a DDL letter by letter, so only its ends are free.
fn normal(sql: &str) -> String {
    sql.trim_end_matches(';').trim().to_owned()
}

/// Whether a statement may change data or schema by itself.
fn changes(sql: &str) -> bool {
    let first = sql
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_lowercase();
    !matches!(
        first.as_str(),
        "select"
            | "show"
            | "set"
            | "begin"
            | "start"
            | "commit"
            | "rollback"
            | "use"
            | "explain"
            | "desc"
    )
}

/// The message as it would be in another database.
fn moved(message: &Message, database: &str) -> Message {
    let text = message
        .text
        .replacen(
            &format!("\"database\":\"{DATABASE}\""),
            &format!("\"database\":\"{database}\""),
            1,
        )
        .replace(&format!("`{DATABASE}`."), &format!("`{database}`."));
    let mut moved = message.clone();
    if message.database == DATABASE {
        database.clone_into(&mut moved.database);
    }
    moved.sql = message
        .sql
        .replace(&format!("`{DATABASE}`."), &format!("`{database}`."));
    moved.text = text;
    moved
}

/// How the messages differ from the recorded ones: per key, and the DDLs among themselves.
pub fn check(messages: &[&Message], expected: &[Message]) -> Vec<String> {
    let found = by_key(messages.iter().copied());
    let recorded = by_key(expected);
    let mut wrong = Vec::new();
    let keys: std::collections::BTreeSet<&String> = found.keys().chain(recorded.keys()).collect();
    for key in keys {
        let none = Vec::new();
        let (recorded, found) = (
            recorded.get(key).unwrap_or(&none),
            found.get(key).unwrap_or(&none),
        );
        if recorded != found {
            wrong.push(format!(
                "{key}: not what the real system wrote (-recorded|+actual)\n{}",
                crate::scenario::diff::lines(&recorded.join("\n"), &found.join("\n"))
            ));
        }
    }
    wrong
}

fn by_key<'a>(messages: impl IntoIterator<Item = &'a Message>) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let none = Placeholders::default();
    for message in messages {
        let key = match message.is_ddl {
            true => "DDL".to_owned(),
            false => format!("{} {:?}", message.place(), message.key()),
        };
        // A recording has the times of its own run, or none.
        let text = none.apply(message);
        keys.entry(key).or_default().push(text);
    }
    keys
}
