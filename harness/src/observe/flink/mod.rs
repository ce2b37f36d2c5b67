//! Tables and changes as Flink sees them: the topic declared as a canal-json table, read to its end, the job closed.

pub mod gateway;
pub mod runner;
pub mod table;

use thiserror::Error;

/// What failed at Flink.
#[derive(Debug, Error)]
pub enum FlinkError {
    /// Flink cannot be reached.
    #[error("reach Flink at {address}: {source}")]
    Transport {
        /// Its URL.
        address: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// Flink refused a statement, or the job failed.
    #[error("run on Flink: {cause}\n  statement: {statement}")]
    Statement {
        /// The statement.
        statement: String,
        /// The innermost cause that Flink gives.
        cause: String,
    },
    /// Flink's answer was not the expected one.
    #[error("read Flink's answer to {what}: {message}")]
    Answer {
        /// What was asked.
        what: String,
        /// What is wrong with it.
        message: String,
    },
    /// The result did not end.
    #[error(
        "read Flink's rows to their end in {seconds}s: {rows} rows so far, {expected}\n  statement: {statement}"
    )]
    Late {
        /// The statement.
        statement: String,
        /// The time given.
        seconds: u64,
        /// Rows that came.
        rows: usize,
        /// What was expected.
        expected: String,
    },
    /// The program that asks Flink 1.12 ended or could not be started.
    #[error("keep the Flink runner going: {message}")]
    Runner {
        /// What happened, and the end of what it said.
        message: String,
    },
}

/// The kind of a change, as Flink prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `+I`
    Insert,
    /// `-U`
    UpdateBefore,
    /// `+U`
    UpdateAfter,
    /// `-D`
    Delete,
}

impl Kind {
    /// From the long form of the SQL gateway or the short form of the runner.
    pub fn parse(text: &str) -> Option<Kind> {
        Some(match text {
            "INSERT" | "+I" => Kind::Insert,
            "UPDATE_BEFORE" | "-U" => Kind::UpdateBefore,
            "UPDATE_AFTER" | "+U" => Kind::UpdateAfter,
            "DELETE" | "-D" => Kind::Delete,
            _ => return None,
        })
    }

    /// `+I`, `-U`, `+U`, `-D`.
    pub fn symbol(self) -> &'static str {
        match self {
            Kind::Insert => "+I",
            Kind::UpdateBefore => "-U",
            Kind::UpdateAfter => "+U",
            Kind::Delete => "-D",
        }
    }
}

/// One change and the row's text values, `None` for NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its kind.
    pub kind: Kind,
    /// The row.
    pub row: Vec<Option<String>>,
}

/// What Flink read for a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changelog {
    /// Column names.
    pub columns: Vec<String>,
    /// Changes in order.
    pub changes: Vec<Change>,
}

impl Changelog {
    /// The rows that remain when the changes are applied, sorted.
    ///
    /// # Errors
    /// If a change takes away a row that is not there.
    pub fn rows(&self) -> Result<Vec<Vec<Option<String>>>, String> {
        let mut rows: Vec<Vec<Option<String>>> = Vec::new();
        for (index, change) in self.changes.iter().enumerate() {
            match change.kind {
                Kind::Insert | Kind::UpdateAfter => rows.push(change.row.clone()),
                Kind::UpdateBefore | Kind::Delete => {
                    let place =
                        rows.iter()
                            .position(|row| *row == change.row)
                            .ok_or_else(|| {
                                format!(
                                    "change {} ({}) takes away a row that is not there: {:?}",
                                    index + 1,
                                    change.kind.symbol(),
                                    change.row
                                )
                            })?;
                    rows.swap_remove(place);
                }
            }
        }
        rows.sort();
        Ok(rows)
    }
}

/// One of the two ways to ask Flink.
pub enum Flink {
    /// The SQL gateway (1.20, 2.x).
    Gateway(gateway::Gateway),
    /// The runner program (1.12).
    Runner(Box<tokio::sync::Mutex<runner::Runner>>),
}

impl Flink {
    /// Reads a topic's table to its end.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn changelog(&self, source: &table::Source) -> Result<Changelog, FlinkError> {
        match self {
            Flink::Gateway(gateway) => gateway.changelog(source).await,
            Flink::Runner(runner) => runner.lock().await.changelog(source).await,
        }
    }

    /// Leaves nothing running there.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn close(self) -> Result<(), FlinkError> {
        match self {
            Flink::Gateway(gateway) => gateway.close().await,
            // It ends when it is dropped.
            Flink::Runner(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind, value: &str) -> Change {
        Change {
            kind,
            row: vec![Some(value.to_owned())],
        }
    }

    #[test]
    fn changes_are_applied() {
        let changes = vec![
            change(Kind::Insert, "b"),
            change(Kind::Insert, "a"),
            change(Kind::UpdateBefore, "b"),
            change(Kind::UpdateAfter, "c"),
            change(Kind::Delete, "a"),
        ];
        let mut log = Changelog {
            columns: vec!["x".into()],
            changes,
        };
        assert_eq!(log.rows().unwrap(), [[Some("c".to_owned())]]);
        log.changes.push(change(Kind::Delete, "zz"));
        assert!(log.rows().unwrap_err().contains("change 6 (-D)"));
    }
}
