//! Messages made comparable: what differs from run to run becomes a typed placeholder, everything else stays byte by byte.
//!
//! * `es` becomes `<es>`, and `ts`, unless it is 0, `<ts>`; that they are times within the run, and in order, is checked
//!   ([`check`](super::super::check)).
//! * `_tidb.commitTs` becomes `<commit-ts 1>`, `<commit-ts 2>`, … in the order of the timestamps, so that it still shows
//!   which messages are of one transaction.
//! * The members of `mysqlType`, whose order TiCDC randomises (spec/canal-json.md §0), get the order of `sqlType`.
//! * A backspace or form feed that is spelled `\b` or `\f`, as Go does since 1.22, becomes `\u0008` or `\u000c`.

use std::collections::BTreeSet;

use super::Message;
use super::text::members;

/// The numbers that stand for commit timestamps.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    commits: BTreeSet<u64>,
}

impl Placeholders {
    /// Numbers the commit timestamps of these messages.
    pub fn of<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Placeholders {
        Placeholders {
            commits: messages
                .into_iter()
                .filter_map(|message| message.commit_ts)
                .collect(),
        }
    }

    /// The comparable text of a message.
    pub fn apply(&self, message: &Message) -> String {
        let text = &message.text;
        let mut canonical = String::with_capacity(text.len());
        let mut copied = 0;
        for (name, span) in members(text, 0..text.len()) {
            let replacement = match name {
                "\"es\"" => "<es>".to_owned(),
                "\"ts\"" if message.ts != 0 => "<ts>".to_owned(),
                "\"mysqlType\"" => in_order(message, &text[span.clone()]),
                "\"_tidb\"" => self.extension(message, &text[span.clone()]),
                _ => continue,
            };
            canonical.push_str(&text[copied..span.start]);
            canonical.push_str(&replacement);
            copied = span.end;
        }
        canonical.push_str(&text[copied..]);
        old_controls(&canonical)
    }

    fn extension(&self, message: &Message, object: &str) -> String {
        let Some(commit_ts) = message.commit_ts else {
            return object.to_owned();
        };
        let number = self.commits.iter().position(|known| *known == commit_ts);
        let number = number.map_or_else(|| "?".to_owned(), |index| (index + 1).to_string());
        object.replacen(&commit_ts.to_string(), &format!("<commit-ts {number}>"), 1)
    }
}

fn in_order(message: &Message, object: &str) -> String {
    let Some(sql_type) = message
        .sql_type
        .as_ref()
        .filter(|_| object.starts_with('{'))
    else {
        return object.to_owned();
    };
    let mut types: Vec<(usize, &str, &str)> = members(object, 0..object.len())
        .into_iter()
        .map(|(name, span)| {
            let plain: String = serde_json::from_str(name).unwrap_or_default();
            let place = sql_type.iter().position(|(column, _)| *column == plain);
            (place.unwrap_or(usize::MAX), name, &object[span])
        })
        .collect();
    types.sort_by_key(|(place, _, _)| *place);
    let types: Vec<String> = types
        .into_iter()
        .map(|(_, name, value)| format!("{name}:{value}"))
        .collect();
    format!("{{{}}}", types.join(","))
}

fn old_controls(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        result.push(character);
        if character == '\\' {
            match characters.next() {
                Some('b') => result.push_str("u0008"),
                Some('f') => result.push_str("u000c"),
                other => result.extend(other),
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_and_the_order_of_types_are_free() {
        let text = r#"{"id":0,"database":"d","table":"t","pkNames":["a"],"isDdl":false,"type":"INSERT","es":1795470694656,"ts":1795470694740,"sql":"","sqlType":{"a":4,"b}":12},"mysqlType":{"b}":"x,y","a":"enum('}')"},"old":null,"data":[{"a":"1\b","b}":"\\b\u003c"}],"_tidb":{"commitTs":470671869779902464}}"#;
        let message = Message::parse(text).unwrap();
        let mut later = message.clone();
        later.commit_ts = Some(470671869779902465);
        let placeholders = Placeholders::of([&later, &message]);
        assert_eq!(
            placeholders.apply(&message),
            r#"{"id":0,"database":"d","table":"t","pkNames":["a"],"isDdl":false,"type":"INSERT","es":<es>,"ts":<ts>,"sql":"","sqlType":{"a":4,"b}":12},"mysqlType":{"a":"enum('}')","b}":"x,y"},"old":null,"data":[{"a":"1\u0008","b}":"\\b\u003c"}],"_tidb":{"commitTs":<commit-ts 1>}}"#
        );
    }

    #[test]
    fn a_ts_of_zero_stays() {
        let text = r#"{"id":0,"database":"d","table":"t","pkNames":null,"isDdl":true,"type":"CREATE","es":5,"ts":0,"sql":"create table t(id int)","sqlType":null,"mysqlType":null,"data":null,"old":null}"#;
        let message = Message::parse(text).unwrap();
        assert_eq!(
            Placeholders::default().apply(&message),
            text.replace(":5,", ":<es>,")
        );
    }
}
