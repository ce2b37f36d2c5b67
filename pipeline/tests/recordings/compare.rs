//! Messages of ours against recorded ones.

use crate::{
    canonical::canonical,
    load::{Message, Step},
    report::Report,
};

/// A message that came out of our stages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Out {
    pub(crate) value: String,
    pub(crate) partition: Option<u32>,
    pub(crate) key: Option<&'static [u8]>,
}

/// A message, or the error that ends the changefeed.
pub(crate) type Sent = Result<Out, String>;

impl Message {
    /// Whether it is about a DDL statement; messages read from a topic say so themselves.
    pub(crate) fn is_ddl(&self) -> bool {
        match self.kind.as_str() {
            "" => self
                .value
                .as_deref()
                .is_some_and(|value| value.contains("\"isDdl\":true")),
            kind => kind == "ddl",
        }
    }

    /// The part that names database and table, for order is promised within a table.
    pub(crate) fn table(&self) -> String {
        table_of(self.value.as_deref().unwrap_or_default())
    }
}

/// A message's `"database":…,"table":…`.
pub(crate) fn table_of(message: &str) -> String {
    let end = message.find(",\"pkNames\"").unwrap_or(0);
    message[..end].to_owned()
}

/// Compares one by one and writes the outcome into the report.
pub(crate) fn messages(
    report: &mut Report,
    step: &Step,
    feed: &str,
    ours: &[Sent],
    recorded: &[&Message],
) {
    for at in 0..ours.len().max(recorded.len()) {
        let (ours, recorded) = (ours.get(at), recorded.get(at).copied());
        let Some(difference) = difference(ours, recorded) else {
            report.equal += 1;
            continue;
        };
        let sql: String = step.sql.chars().take(120).collect();
        report.wrong.push(format!(
            "step {} ({sql}), {feed}, message {}: {difference}",
            step.step,
            at + 1
        ));
    }
}

fn difference(ours: Option<&Sent>, recorded: Option<&Message>) -> Option<String> {
    match (ours, recorded) {
        (
            Some(Ok(Out {
                value,
                partition,
                key,
            })),
            Some(Message {
                value: Some(theirs),
                partition: theirs_partition,
                key: theirs_key,
                ..
            }),
        ) => {
            let (ours, theirs) = (canonical(value), canonical(theirs));
            let same_partition = theirs_partition.is_none() || theirs_partition == partition;
            let same_key = theirs_key
                .as_ref()
                .is_none_or(|theirs| theirs.as_ref().map(String::as_bytes) == *key);
            (ours != theirs || !same_partition || !same_key).then(|| {
                format!(
                    "\n    recorded {theirs_partition:?} {theirs_key:?} {theirs}\n    ours     {partition:?} {key:?} {ours}"
                )
            })
        }
        (
            Some(Err(ours)),
            Some(Message {
                error: Some(theirs),
                ..
            }),
        ) => {
            // With a code the words differ; without one they are the original's.
            let code = ours.split(']').next().unwrap_or(ours);
            (!theirs.contains(code))
                .then(|| format!("\n    recorded error {theirs}\n    our error      {ours}"))
        }
        (ours, recorded) => Some(format!(
            "\n    recorded {}\n    ours     {}",
            recorded.map_or("nothing".to_owned(), |m| format!(
                "{:?} {:?}",
                m.value, m.error
            )),
            ours.map_or("nothing".to_owned(), |sent| format!("{sent:?}"))
        )),
    }
}
