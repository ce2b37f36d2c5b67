//! Expressions that TiDB has and MariaDB does not, and how MariaDB says the same.
//!
//! `c -> path` and `c ->> path`, `CAST(x AS JSON)`, and functions of TiDB on timestamps of PD.

use std::collections::BTreeMap;

use super::text::{Kind, Text};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::codec::json;

/// Tokens that are replaced: how many, and by what. By the number of the first one.
pub(super) type Edits = BTreeMap<usize, (usize, String)>;

/// Functions of TiDB of one argument: what stands before it and after it.
const OF_TIMESTAMPS: [(&str, &str, &str); 2] = [
    (
        "tidb_parse_tso",
        "Cast(From_UnixTime(((",
        ") >> 18) / 1000) As DateTime(6))",
    ),
    ("tidb_parse_tso_logical", "((", ") & 262143)"),
];

/// The edits that make a statement MariaDB's. What they write is spelt as nobody spells it, so that it is found again in
/// the names of columns.
pub(super) fn edits(text: &Text<'_>) -> Edits {
    let mut out = Edits::new();
    for n in 0..text.tokens.len() {
        if let Some((end, column, path, unquoted)) = path_operator(text, n) {
            let extract = format!("Json_Extract({column}, {path})");
            let whole = if unquoted {
                format!("Json_Unquote({extract})")
            } else {
                extract
            };
            out.insert(n, (end - n, whole));
        } else if let Some(close) = json_cast(text, n) {
            out.insert(n, (1, "Json_Extract".to_owned()));
            out.insert(close - 2, (2, ",  '$'".to_owned()));
        } else if let Some((before, after, close)) = of_timestamp(text, n) {
            out.insert(n, (2, before.to_owned()));
            out.insert(close, (1, after.to_owned()));
        }
    }
    out
}

/// Functions whose first argument is JSON. MariaDB warns of a text that is none, and gives NULL.
const OF_JSON: [&str; 14] = [
    "json_array_append",
    "json_array_insert",
    "json_contains",
    "json_contains_path",
    "json_depth",
    "json_extract",
    "json_insert",
    "json_keys",
    "json_length",
    "json_remove",
    "json_replace",
    "json_search",
    "json_set",
    "json_type",
];

/// Whether a literal stands where JSON has to, and is none.
pub(super) fn has_invalid_json(text: &Text<'_>, version: TidbVersion) -> bool {
    (0..text.tokens.len()).any(|n| {
        let takes_json = OF_JSON.iter().any(|name| text.is(n, name)) || text.is(n, "CAST");
        let alone = match text.is(n, "CAST") {
            true => json_cast(text, n) == Some(n + 5),
            false => text.is_sign(n + 3, ',') || text.is_sign(n + 3, ')'),
        };
        let literal = text
            .string(n + 2)
            .filter(|_| takes_json && text.is_sign(n + 1, '(') && alone);
        literal.is_some_and(|literal| json::from_text(&literal, version).is_err())
    })
}

/// `c -> 'path'` from the n-th token on: where it ends, the column, the path, and whether strings lose their quotes.
fn path_operator<'t>(text: &'t Text<'_>, n: usize) -> Option<(usize, &'t str, &'t str, bool)> {
    if n > 0 && text.is_sign(n - 1, '.') {
        return None;
    }
    let mut end = n;
    loop {
        text.name(end)?;
        if !text.is_sign(end + 1, '.') {
            break;
        }
        end += 2;
    }
    let arrow = end + 1;
    if !text.is_sign(arrow, '-') || !text.is_sign(arrow + 1, '>') {
        return None;
    }
    let unquoted = text.is_sign(arrow + 2, '>');
    let path = arrow + 2 + usize::from(unquoted);
    let adjacent = |a: usize, b: usize| text.tokens[a].range.end == text.tokens[b].range.start;
    let is_path = text.tokens.get(path).is_some_and(|t| t.kind == Kind::Text);
    if !is_path || !adjacent(arrow, arrow + 1) || unquoted && !adjacent(arrow + 1, arrow + 2) {
        return None;
    }
    let column = &text.sql[text.tokens[n].range.start..text.tokens[end].range.end];
    Some((path + 1, column, text.get(path), unquoted))
}

/// The closing parenthesis of `CAST(… AS JSON)`.
fn json_cast(text: &Text<'_>, n: usize) -> Option<usize> {
    if !text.is(n, "CAST") || !text.is_sign(n + 1, '(') {
        return None;
    }
    let close = closing(text, n + 1)?;
    (close > n + 4 && text.are(close - 2, &["AS", "JSON"])).then_some(close)
}

fn of_timestamp(text: &Text<'_>, n: usize) -> Option<(&'static str, &'static str, usize)> {
    if !text.is_sign(n + 1, '(') {
        return None;
    }
    let (_, before, after) = OF_TIMESTAMPS
        .into_iter()
        .find(|(name, ..)| text.is(n, name))?;
    let close = closing(text, n + 1).filter(|close| *close > n + 2)?;
    Some((before, after, close))
}

/// The parenthesis that closes the one at the n-th token.
fn closing(text: &Text<'_>, n: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, token) in text.tokens.iter().enumerate().skip(n) {
        match token.kind {
            Kind::Sign('(') => depth += 1,
            Kind::Sign(')') => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(sql: &str) -> String {
        let text = Text::new(sql).unwrap();
        let mut out = String::new();
        let mut copied = 0;
        for (n, (len, replacement)) in edits(&text) {
            out.push_str(&sql[copied..text.tokens[n].range.start]);
            out.push_str(&replacement);
            copied = text.tokens[n + len - 1].range.end;
        }
        out.push_str(&sql[copied..]);
        out
    }

    #[test]
    fn literals_that_are_no_json_are_found() {
        for (sql, invalid) in [
            ("select json_extract('{', '$.a')", true),
            ("select json_extract('{}', '$.a')", false),
            ("select json_type('a')", true),
            ("select cast('{' as json)", true),
            ("select cast('{' as char)", false),
            ("select cast('[1]' as json), json_valid('{')", false),
            ("select json_extract(a, '$.a'), json_type", false),
        ] {
            let text = Text::new(sql).unwrap();
            assert_eq!(has_invalid_json(&text, TidbVersion::V8_5), invalid, "{sql}");
        }
    }

    #[test]
    fn paths_are_extracted() {
        for (tidb, mariadb) in [
            (
                "select j -> '$.a' from t",
                "select Json_Extract(j, '$.a') from t",
            ),
            (
                "select d.`t`.j->>'$.a'",
                "select Json_Unquote(Json_Extract(d.`t`.j, '$.a'))",
            ),
            ("select j - > '$.a'", "select j - > '$.a'"),
            ("select 1 -> '$.a'", "select 1 -> '$.a'"),
            ("select a->b", "select a->b"),
        ] {
            assert_eq!(edited(tidb), mariadb, "{tidb}");
        }
    }

    #[test]
    fn casts_to_json_and_timestamps_are_said_otherwise() {
        for (tidb, mariadb) in [
            (
                "select cast('1' as json), 2",
                "select Json_Extract('1' ,  '$'), 2",
            ),
            (
                "select cast(cast(a as char) as json)",
                "select Json_Extract(cast(a as char) ,  '$')",
            ),
            ("select cast(a as char)", "select cast(a as char)"),
            (
                "select tidb_parse_tso((1))",
                "select Cast(From_UnixTime((((1)) >> 18) / 1000) As DateTime(6))",
            ),
            ("select tidb_parse_tso()", "select tidb_parse_tso()"),
            ("select cast(", "select cast("),
        ] {
            assert_eq!(edited(tidb), mariadb, "{tidb}");
        }
    }
}
