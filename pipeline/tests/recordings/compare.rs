//! Messages of ours against recorded ones.

use crate::{
    canonical::canonical,
    load::{Message, Step},
    report::Report,
};

/// What came out of our stages: a message with its partition, or the error that ends the changefeed.
pub(crate) type Sent = Result<(String, Option<u32>), String>;

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
            Some(Ok((ours, partition))),
            Some(Message {
                value: Some(theirs),
                partition: theirs_partition,
                ..
            }),
        ) => {
            let (ours, theirs) = (canonical(ours), canonical(theirs));
            let same_partition = theirs_partition.is_none() || theirs_partition == partition;
            (ours != theirs || !same_partition).then(|| {
                format!("\n    recorded {theirs_partition:?} {theirs}\n    ours     {partition:?} {ours}")
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
