//! What an update changes, printed as the original's library prints it.

use serde_json::Value;

/// Words that Go writes in capitals.
const INITIALS: [(&str, &str); 5] = [
    ("Uri", "URI"),
    ("Id", "ID"),
    ("Tidb", "TiDB"),
    ("Sql", "SQL"),
    ("Csv", "CSVConfig"),
];

/// The name of a Go field for a key of JSON.
fn field(key: &str) -> String {
    key.split(['-', '_'])
        .map(|word| {
            let mut word = word.to_owned();
            if let Some(first) = word.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            INITIALS
                .iter()
                .find(|(plain, _)| *plain == word)
                .map_or(word, |(_, initials)| (*initials).to_owned())
        })
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The differences between two documents, one a line.
pub(super) fn lines(old: &Value, new: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    descend(&mut Vec::new(), old, new, &mut lines);
    lines
}

fn line(kind: &str, path: &[String], old: &Value, new: &Value) -> String {
    format!(
        "{{Type:{kind} Path:[{}] From:{} To:{}}}",
        path.join(" "),
        shown(old),
        shown(new)
    )
}

fn descend(path: &mut Vec<String>, old: &Value, new: &Value, lines: &mut Vec<String>) {
    let mut step = |name: String, old: &Value, new: &Value, lines: &mut Vec<String>| {
        path.push(name);
        descend(path, old, new, lines);
        path.pop();
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, before) in old {
                let after = new.get(key).unwrap_or(&Value::Null);
                step(field(key), before, after, lines);
            }
            for (key, after) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                step(field(key), &Value::Null, after, lines);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for at in 0..old.len().max(new.len()) {
                path.push(at.to_string());
                match (old.get(at), new.get(at)) {
                    (Some(before), Some(after)) => descend(path, before, after, lines),
                    (Some(before), None) => {
                        lines.push(line("delete", path, before, &Value::Null));
                    }
                    (None, Some(after)) => {
                        lines.push(line("create", path, &Value::Null, after));
                    }
                    (None, None) => {}
                }
                path.pop();
            }
        }
        (old, new) if old != new => lines.push(line("update", path, old, new)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_as_in_go() {
        let old = json!({"target-ts": 0, "sink-uri": "a", "config": {"case-sensitive": false, "filter": {"rules": ["*.*", "!x.*"]}}});
        let new = json!({"target-ts": 5, "sink-uri": "b", "config": {"case-sensitive": true, "filter": {"rules": ["test.*"]}, "sync-point-interval": 7}});
        assert_eq!(
            lines(&old, &new),
            [
                "{Type:update Path:[Config CaseSensitive] From:false To:true}",
                "{Type:update Path:[Config Filter Rules 0] From:*.* To:test.*}",
                "{Type:delete Path:[Config Filter Rules 1] From:!x.* To:<nil>}",
                "{Type:update Path:[Config SyncPointInterval] From:<nil> To:7}",
                "{Type:update Path:[SinkURI] From:a To:b}",
                "{Type:update Path:[TargetTs] From:0 To:5}",
            ]
        );
    }
}
