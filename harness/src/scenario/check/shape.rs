//! The form that a dialect promises for each message: spec/canal-json.md §1 (envelope), §2 (order of members), §3 (types),
//! §4 (UPDATE), §5 (DELETE).

use super::Options;
use crate::lab::Compat;
use crate::scenario::message::{HEAD, Message, Row, Rows};

/// What is wrong with the form of a message.
pub fn check(message: &Message, dialect: Compat, options: Options) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    let old = dialect == Compat::V4;
    let row = matches!(message.kind.as_str(), "INSERT" | "UPDATE" | "DELETE");

    let mut members = HEAD.to_vec();
    // Only the later dialects' rows have `old` first.
    members.extend(if row && !old {
        ["old", "data"]
    } else {
        ["data", "old"]
    });
    members.extend(options.extension.then_some("_tidb"));
    must(
        message.members == members,
        &format!("the members are not {}", members.join(", ")),
    );
    let key: Option<&[u8]> = match row && !old {
        true => Some(b""),
        false => None,
    };
    must(
        message.record_key.as_deref() == key,
        "the record's key is not the dialect's: empty for rows, null for DDL and in 4.0",
    );
    must(message.headers == 0, "the record has headers");
    must(message.id == 0, "`id` is not 0");
    must(
        (message.ts == 0) == old,
        if old { "`ts` is not 0" } else { "`ts` is 0" },
    );
    // v6.5.3 ends rows with its default terminator, in Kafka too.
    let terminator = if dialect == Compat::V6 && row {
        "\r\n"
    } else {
        ""
    };
    must(
        message.terminator == terminator,
        "the text behind the JSON object is not the dialect's",
    );
    must(
        message.commit_ts.is_some() == options.extension,
        "`_tidb.commitTs` and the option do not agree",
    );
    must(message.is_ddl != row, "`isDdl` and `type` do not agree");
    if row {
        wrong.extend(row_message(message, dialect, options));
    } else {
        let empty = message.pk_names.is_none()
            && message.sql_type.is_none()
            && message.mysql_type.is_none()
            && message.data == Rows::Null
            && message.old == Rows::Null;
        let known = [
            "CREATE", "ALTER", "ERASE", "TRUNCATE", "RENAME", "CINDEX", "DINDEX", "QUERY",
        ];
        must(
            known.contains(&message.kind.as_str()),
            "`type` is not one of canal-json's",
        );
        must(empty, "a DDL has row data");
        must(!message.sql.is_empty(), "a DDL has no `sql`");
    }
    wrong
}

fn row_message(message: &Message, dialect: Compat, options: Options) -> Vec<String> {
    let v4 = dialect == Compat::V4;
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    must(message.sql.is_empty(), "a row has `sql`".to_owned());
    let (Some(keys), Some(sql_type), Some(mysql_type), Some(data)) = (
        &message.pk_names,
        &message.sql_type,
        &message.mysql_type,
        message.data.row(),
    ) else {
        must(
            false,
            "`pkNames`, a type or `data` is null in a row's message".to_owned(),
        );
        return wrong;
    };
    let names: Vec<&String> = data.iter().map(|(name, _)| name).collect();
    let typed: Vec<&String> = sql_type.iter().map(|(name, _)| name).collect();
    must(
        names == typed,
        "`sqlType` and `data` have not the same columns in one order".to_owned(),
    );
    must(
        sorted(mysql_type.iter().map(|(name, _)| name)) == sorted(names.iter().copied()),
        "`mysqlType` and `data` have not the same columns".to_owned(),
    );
    must(
        keys.iter().all(|key| names.contains(&key)),
        "`pkNames` has a column that `data` has not".to_owned(),
    );
    if v4 {
        must(
            names.is_sorted(),
            "the columns are not sorted by name".to_owned(),
        );
    }

    let old = match (message.kind.as_str(), &message.old) {
        ("INSERT", Rows::NullRow) => v4,
        ("INSERT", Rows::Null) => !v4,
        ("DELETE", Rows::Row(old)) => v4 && old == data,
        ("DELETE", Rows::Null) => !v4,
        ("UPDATE", Rows::Row(old)) => {
            let old: Vec<&String> = old.iter().map(|(name, _)| name).collect();
            match options.only_updated {
                true => old.iter().all(|name| names.contains(name)),
                false => old == names,
            }
        }
        _ => false,
    };
    must(
        old,
        format!("`old` is not what the dialect has in an {}", message.kind),
    );

    for (name, number) in sql_type {
        let Some((_, text)) = mysql_type.iter().find(|(known, _)| known == name) else {
            continue;
        };
        let value = value(data, name);
        match Type::parse(text) {
            Some(found) => {
                let expected = found.sql_type(dialect, value);
                must(
                    *number == expected,
                    format!("`sqlType` of `{name}` ({text}) is {number}, not {expected}"),
                );
                let parenthesis = text.contains('(');
                must(
                    options.compatible || !parenthesis,
                    format!("`mysqlType` of `{name}` has a length: {text}"),
                );
                must(
                    !v4 || !found.unsigned,
                    format!("`mysqlType` of `{name}` says unsigned: {text}"),
                );
                let good = value.is_none_or(|value| found.holds(value));
                must(
                    good,
                    format!("`{name}` ({text}) is `{}`", value.unwrap_or_default()),
                );
            }
            None => must(false, format!("`mysqlType` of `{name}` is `{text}`")),
        }
    }
    wrong
}

fn value<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    let found = row.iter().find(|(known, _)| known == name);
    found.and_then(|(_, value)| value.as_deref())
}

fn sorted<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut names: Vec<&String> = names.collect();
    names.sort();
    names
}

/// A `mysqlType`.
struct Type<'a> {
    base: &'a str,
    unsigned: bool,
}

/// The base types: `sqlType` in 4.0 and later (java.sql.Types, spec/canal-json.md §3.1 and §3.2).
const TYPES: [(&str, i32, i32); 30] = [
    ("tinyint", 5, -6),
    ("smallint", 4, 5),
    ("mediumint", 4, 4),
    ("int", -5, 4),
    ("bigint", 3, -5),
    ("float", 7, 7),
    ("double", 8, 8),
    ("decimal", 3, 3),
    ("bit", -7, -7),
    ("year", 91, 12),
    ("date", 91, 91),
    ("datetime", 93, 93),
    ("timestamp", 93, 93),
    ("time", 92, 92),
    ("char", 1, 1),
    ("varchar", 12, 12),
    ("binary", 1, 2004),
    ("varbinary", 12, 2004),
    ("tinytext", 12, 2005),
    ("text", 12, 2005),
    ("mediumtext", 12, 2005),
    ("longtext", 12, 2005),
    ("tinyblob", 2004, 2004),
    ("blob", 2004, 2004),
    ("mediumblob", 2004, 2004),
    ("longblob", 2004, 2004),
    ("enum", 1, 4),
    ("set", 1, -7),
    ("json", -1, 12),
    ("vector", 12, 12),
];

impl Type<'_> {
    fn parse(text: &str) -> Option<Type<'_>> {
        let base = text.split(['(', ' ']).next().unwrap_or(text);
        TYPES
            .iter()
            .any(|(known, _, _)| *known == base)
            .then(|| Type {
                base,
                unsigned: text.contains(" unsigned"),
            })
    }

    /// The `sqlType`: later dialects widen an unsigned integer whose value needs it.
    fn sql_type(&self, dialect: Compat, value: Option<&str>) -> i32 {
        let found = TYPES.iter().find(|(known, _, _)| *known == self.base);
        let Some((_, v4, later)) = found else {
            return 0;
        };
        if dialect == Compat::V4 {
            return *v4;
        }
        let value: u128 = value.and_then(|value| value.parse().ok()).unwrap_or(0);
        let widened = match self.base {
            "tinyint" if value > 127 => 5,
            "smallint" if value > 32_767 => 4,
            "int" if value > 2_147_483_647 => -5,
            "bigint" if value > 9_223_372_036_854_775_807 => 3,
            _ => *later,
        };
        if self.unsigned { widened } else { *later }
    }

    /// Whether this is the text of such a value. 4.0 does not say whether an integer is unsigned.
    fn holds(&self, text: &str) -> bool {
        let integer = |low: i128, high: i128| {
            let plain = |n: i128| n.to_string() == text && low <= n && n <= high;
            text.parse().is_ok_and(plain)
        };
        let digits = |pattern: &str| like(text, pattern);
        match self.base {
            "tinyint" => integer(-128, 255),
            "smallint" => integer(-32_768, 65_535),
            "mediumint" => integer(-8_388_608, 16_777_215),
            "int" => integer(-2_147_483_648, 4_294_967_295),
            "bigint" => integer(i64::MIN.into(), u64::MAX.into()),
            "bit" | "set" => integer(0, u64::MAX.into()),
            "enum" => integer(0, 65_535),
            "year" => integer(0, 2155),
            "float" | "double" => {
                text.parse::<f64>().is_ok() && !text.contains(['e', 'E', 'n', 'N'])
            }
            "decimal" => text.parse::<f64>().is_ok() && !text.contains(['e', 'E', 'n', 'N']),
            "date" => digits("dddd-dd-dd"),
            "datetime" | "timestamp" => digits("dddd-dd-dd dd:dd:dd"),
            "time" => {
                let text = text.strip_prefix('-').unwrap_or(text);
                like(text, "dd:dd:dd") || like(text, "ddd:dd:dd")
            }
            _ => true,
        }
    }
}

/// Whether a text has this form (`d` is a digit), a fraction of a second aside.
fn like(text: &str, pattern: &str) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if pattern.contains(':') => (whole, Some(fraction)),
        _ => (text, None),
    };
    let fits = |(c, p): (char, char)| if p == 'd' { c.is_ascii_digit() } else { c == p };
    let good = |fraction: &str| {
        (1..=6).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit())
    };
    whole.len() == pattern.len()
        && whole.chars().zip(pattern.chars()).all(fits)
        && fraction.is_none_or(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_of_the_specification() {
        for (text, dialect, value, number) in [
            ("int", Compat::V4, Some("1"), -5),
            ("int", Compat::V8, Some("1"), 4),
            ("int unsigned", Compat::V8, Some("2147483647"), 4),
            ("int unsigned", Compat::V8, Some("2147483648"), -5),
            ("int unsigned", Compat::V8, None, 4),
            ("tinyint unsigned zerofill", Compat::V8, Some("128"), 5),
            (
                "bigint(20) unsigned",
                Compat::V8,
                Some("18446744073709551615"),
                3,
            ),
            ("varbinary", Compat::V4, Some("x"), 12),
            ("varbinary", Compat::V8, Some("x"), 2004),
        ] {
            assert_eq!(
                Type::parse(text).unwrap().sql_type(dialect, value),
                number,
                "{text}"
            );
        }
        assert!(Type::parse("integer8").is_none());
    }

    #[test]
    fn values_have_the_text_of_their_type() {
        for (text, good, bad) in [
            ("tinyint", "-128", "256"),
            ("int unsigned", "4294967295", "1.0"),
            ("bigint", "0", "00"),
            ("double", "10000000000000000000000", "1e22"),
            ("date", "0000-00-00", "2024-1-1"),
            (
                "datetime",
                "2024-01-01 00:00:00.123456",
                "2024-01-01T00:00:00",
            ),
            ("time", "-838:59:59.000", "1:00:00"),
        ] {
            let found = Type::parse(text).unwrap();
            assert!(found.holds(good), "{text} {good}");
            assert!(!found.holds(bad), "{text} {bad}");
        }
    }
}
