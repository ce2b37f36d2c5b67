//! What a scenario's directives asked to be remembered, as the text of its snapshot.

use std::fmt::Write as _;

use super::message::{Message, Placeholders};
use crate::observe::flink::Changelog;
use crate::observe::sql::Rows;

/// What begins a section.
const HEADING: &str = "== ";

/// The record of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Where its truth comes from.
    pub truth: Vec<String>,
    /// A section for each directive, in order.
    pub sections: Vec<Section>,
}

/// What one directive asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The directive's line in the scenario.
    pub line: usize,
    /// The directive, and the statement that it is about.
    pub title: String,
    /// What came out.
    pub body: String,
}

impl Record {
    /// Adds a section.
    pub fn add(&mut self, line: usize, title: impl Into<String>, body: String) {
        self.sections.push(Section {
            line,
            title: title.into(),
            body,
        });
    }

    /// The text of the snapshot.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.truth {
            let _ = writeln!(text, "truth: {line}");
        }
        for section in &self.sections {
            let _ = write!(text, "\n{HEADING}{}\n{}", section.title, section.body);
        }
        text.trim_end().to_owned()
    }
}

/// The sections of a snapshot's text: titles and bodies, the head first with an empty title.
pub fn sections(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut title = "";
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(next) = line.strip_prefix(HEADING) {
            found.push((title, text[start..at].trim_end()));
            title = next.trim_end();
            start = at + line.len();
        }
        at += line.len();
    }
    found.push((title, text[start..].trim_end()));
    found
}

/// A statement in one line.
pub fn one_line(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    words.join(" ")
}

/// A result set.
pub fn rows(rows: &Rows) -> String {
    let mut text = format!("{}\n", rows.columns.join(" | "));
    for row in &rows.rows {
        let values: Vec<String> = row.iter().map(|value| shown(value.as_deref())).collect();
        let _ = writeln!(text, "{}", values.join(" | "));
    }
    if rows.rows.is_empty() {
        text.push_str("(no rows)\n");
    }
    text
}

/// A value in one line: text as it is, other bytes in hexadecimal.
fn shown(value: Option<&[u8]>) -> String {
    let Some(bytes) = value else {
        return "NULL".to_owned();
    };
    match std::str::from_utf8(bytes) {
        Ok("NULL") => "'NULL'".to_owned(),
        Ok(text) if text.chars().any(|c| c.is_control()) => text.escape_default().to_string(),
        Ok(text) => text.to_owned(),
        Err(_) => format!("0x{}", hex::encode_upper(bytes)),
    }
}

/// Messages: those of DDLs first, then each key's, in order.
pub fn messages(messages: &[&Message], placeholders: &Placeholders) -> String {
    let mut groups: Vec<(Group<'_>, Vec<String>)> = Vec::new();
    for message in messages {
        let group = Group::of(message);
        let text = placeholders.apply(message);
        match groups.iter_mut().find(|(known, _)| *known == group) {
            Some((_, texts)) => texts.push(text),
            None => groups.push((group, vec![text])),
        }
    }
    if groups.is_empty() {
        return "(no messages)\n".to_owned();
    }
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut text = String::new();
    for (group, texts) in groups {
        let _ = writeln!(text, "# {}", group.title());
        for line in texts {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// What messages are shown together.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group<'a> {
    Ddl,
    Key {
        place: String,
        partition: i32,
        key: Vec<(&'a str, Option<Natural<'a>>)>,
    },
}

impl Group<'_> {
    fn of(message: &Message) -> Group<'_> {
        if message.is_ddl {
            return Group::Ddl;
        }
        let key = message.key().into_iter();
        Group::Key {
            place: message.place(),
            partition: message.partition,
            key: key
                .map(|(name, value)| (name, value.map(Natural)))
                .collect(),
        }
    }

    fn title(&self) -> String {
        match self {
            Group::Ddl => "DDL".to_owned(),
            Group::Key {
                place,
                partition,
                key,
            } => {
                let columns: Vec<String> = key
                    .iter()
                    .map(|(name, value)| {
                        format!("{name}={}", value.as_ref().map_or("NULL", |v| v.0))
                    })
                    .collect();
                let partition = match partition {
                    0 => String::new(),
                    other => format!(", partition {other}"),
                };
                let key = match columns.is_empty() {
                    true => "no key".to_owned(),
                    false => columns.join(" "),
                };
                format!("{place}, {}{partition}", key.escape_debug())
            }
        }
    }
}

/// Text that is sorted as a number where it is one.
#[derive(Debug, PartialEq, Eq)]
struct Natural<'a>(&'a str);

impl Ord for Natural<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let number = |text: &str| text.parse::<i128>();
        match (number(self.0), number(other.0)) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => self.0.cmp(other.0),
        }
    }
}

impl PartialOrd for Natural<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Rows as Flink shows them, sorted.
pub fn flink_rows(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    let mut lines: Vec<String> = rows.iter().map(|row| flink_row(row)).collect();
    lines.sort();
    let mut text = format!("{}\n", columns.join(" | "));
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    if rows.is_empty() {
        text.push_str("(no rows)\n");
    }
    text
}

/// Changes as Flink shows them, in order.
pub fn flink_changes(changelog: &Changelog) -> String {
    let mut text = format!("   {}\n", changelog.columns.join(" | "));
    for change in &changelog.changes {
        let _ = writeln!(text, "{} {}", change.kind.symbol(), flink_row(&change.row));
    }
    if changelog.changes.is_empty() {
        text.push_str("(no changes)\n");
    }
    text
}

fn flink_row(row: &[Option<String>]) -> String {
    let values: Vec<String> = row
        .iter()
        .map(|value| shown(value.as_deref().map(str::as_bytes)))
        .collect();
    values.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_back() {
        let mut record = Record {
            truth: vec!["written by hand".to_owned()],
            sections: Vec::new(),
        };
        record.add(3, "@query SELECT 1", "1\n1\n".to_owned());
        record.add(9, "@messages", "(no messages)\n".to_owned());
        let text = record.text();
        assert_eq!(
            text,
            "truth: written by hand\n\n== @query SELECT 1\n1\n1\n\n== @messages\n(no messages)"
        );
        assert_eq!(
            sections(&text),
            [
                ("", "truth: written by hand"),
                ("@query SELECT 1", "1\n1"),
                ("@messages", "(no messages)")
            ]
        );
    }

    #[test]
    fn values_are_shown_in_one_line() {
        for (value, text) in [
            (None, "NULL"),
            (Some(&b"NULL"[..]), "'NULL'"),
            (Some(b"a\nb"), "a\\nb"),
            (Some(b"\xff\x00"), "0xFF00"),
            (Some("é".as_bytes()), "é"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn keys_are_in_the_order_of_numbers() {
        let message = |id: &str| {
            let text = format!(
                r#"{{"id":0,"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"INSERT","es":5,"ts":0,"sql":"","sqlType":{{"id":-5}},"mysqlType":{{"id":"int"}},"data":[{{"id":"{id}"}}],"old":[null]}}"#
            );
            Message::parse(&text).unwrap()
        };
        let all = [message("10"), message("9")];
        let text = messages(&all.iter().collect::<Vec<_>>(), &Placeholders::default());
        let titles: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
        assert_eq!(titles, ["# d.t, id=9", "# d.t, id=10"]);
    }
}
