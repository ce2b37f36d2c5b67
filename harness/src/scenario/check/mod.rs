//! What every scenario is checked for, unasked.
//!
//! * [`shape`]: each message has the form that its dialect promises.
//! * [`scope`]: nothing of other tables, nothing of tables that are not replicated.
//! * [`order`]: per key in the order of commits, one partition per key, nothing before a DDL that comes after it.
//! * [`times`]: every time lies within the run.
//! * [`replay`]: the messages, applied one after the other, give the rows that TiDB shows.
//! * [`flink`]: a table that Flink was asked for has the rows that TiDB shows.
//! * [`recorded`]: the real system wrote the same, where the scenario says so.

pub mod flink;
pub mod order;
pub mod recorded;
pub mod replay;
pub mod scope;
pub mod shape;
pub mod times;

#[cfg(test)]
mod tests;

use std::fmt;

use super::message::Message;
use super::syntax::directive::Changefeed;
use super::tables::Table;
use crate::lab::Compat;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

/// What the changefeed's options change about messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Tables without a key are replicated too.
    pub force_replicate: bool,
    /// Messages have `_tidb`.
    pub extension: bool,
    /// `old` has only what changed.
    pub only_updated: bool,
    /// `mysqlType` has lengths and so on.
    pub compatible: bool,
    /// A DELETE has only the key.
    pub only_handle_of_deletes: bool,
    /// A row's partition depends on its time.
    pub partition_by_ts: bool,
    /// Some changes of rows do not go out: the messages are not the tables.
    pub filters_events: bool,
}

impl Options {
    /// From the options of a changefeed.
    pub fn of(changefeed: &Changefeed) -> Options {
        let set = |key: &str| changefeed.get(key) == Some("true");
        let compatible = set("content-compatible") || set("sink.content-compatible");
        Options {
            force_replicate: set("force-replicate"),
            extension: set("enable-tidb-extension"),
            only_updated: compatible
                || set("only-output-updated-columns")
                || set("sink.only-output-updated-columns"),
            compatible,
            only_handle_of_deletes: set("delete-only-output-handle-key-columns")
                || set("sink.delete-only-output-handle-key-columns"),
            partition_by_ts: changefeed
                .get("sink.dispatchers")
                .is_some_and(|rules| rules.contains("\"ts\"") || rules.contains("'ts'")),
            filters_events: changefeed.get("filter.event-filters").is_some(),
        }
    }
}

/// Everything that is checked.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Which TiCDC the pipeline is.
    pub dialect: Compat,
    /// The changefeed's options.
    pub options: Options,
    /// The databases that the changefeed replicates.
    pub databases: Vec<String>,
    /// All messages, by partition and offset.
    pub messages: Vec<Message>,
    /// Whether messages may come twice.
    pub may_repeat: bool,
    /// From the first to the last moment of the run, in milliseconds.
    pub window: (u64, u64),
    /// The tables at the end.
    pub tables: Vec<Table>,
}

impl Evidence {
    /// The messages, each once: a repeated one is left out if it may repeat, and is told of else.
    pub fn once(&self) -> (Vec<&Message>, Vec<Violation>) {
        let mut seen = std::collections::HashSet::new();
        let (mut kept, mut violations) = (Vec::new(), Vec::new());
        for message in &self.messages {
            // The time of encoding is new each time.
            let same = message
                .text
                .replacen(&format!("\"ts\":{}", message.ts), "\"ts\":0", 1);
            if seen.insert((message.partition, same)) {
                kept.push(message);
            } else if !self.may_repeat {
                violations.push(Violation {
                    check: "once",
                    what: format!(
                        "the message at {} is a repetition, and nothing was interrupted\n  {}",
                        message.position(),
                        message.text
                    ),
                });
            }
        }
        (kept, violations)
    }
}

/// Everything that is wrong.
pub fn all(evidence: &Evidence) -> Vec<Violation> {
    let (messages, mut violations) = evidence.once();
    for message in &evidence.messages {
        let wrong = shape::check(message, evidence.dialect, evidence.options);
        violations.extend(wrong.into_iter().map(|what| Violation {
            check: "shape",
            what: format!("{what}, at {}\n  {}", message.position(), message.text),
        }));
    }
    let mut add = |check: &'static str, found: Vec<String>| {
        violations.extend(found.into_iter().map(|what| Violation { check, what }));
    };
    add("times", times::check(&evidence.messages, evidence.window));
    add("scope", scope::check(&messages, evidence));
    add("order", order::check(&messages, evidence.options));
    add("replay", replay::check(&messages, evidence));
    violations
}
