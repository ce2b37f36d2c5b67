//! One column's value in one form, whether TiDB, a message or Flink showed it: what has to be equal becomes equal text.
//!
//! Numbers lose zero filling, FLOAT and DOUBLE their notation, fractions of a second their trailing zeros; bytes become
//! hexadecimal; ENUM, SET and BIT their number. See spec/canal-json.md §3 for the text of each type in a message.

use crate::lab::Compat;
use crate::observe::flink::table::Column;
use crate::observe::sql::{lossy, quoted};

/// A value in the common form; `None` is NULL.
pub type Cell = Option<String>;

/// What is to be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Integer,
    Float,
    Double,
    Time,
    Json,
    /// Text that is the same everywhere.
    Text,
    /// Bytes that a message has as latin-1 text.
    Bytes,
    /// Bytes that a message has as text with U+FFFD for what is not UTF-8: BINARY and VARBINARY of 4.0.
    LossyBytes,
    /// ENUM, SET, BIT: a number in messages.
    Number,
}

fn class(column: &Column, dialect: Compat) -> Class {
    match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => Class::Integer,
        "float" => Class::Float,
        "double" => Class::Double,
        "datetime" | "timestamp" | "time" => Class::Time,
        "json" => Class::Json,
        "binary" | "varbinary" if dialect == Compat::V4 => Class::LossyBytes,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Class::Bytes,
        "enum" | "set" | "bit" => Class::Number,
        _ => Class::Text,
    }
}

/// How the column is selected, so that its text is exact.
pub fn expression(column: &Column) -> String {
    let name = quoted(&column.name);
    // The dialect does not matter here.
    match class(column, Compat::V8) {
        Class::Bytes | Class::LossyBytes => format!("HEX({name})"),
        Class::Number => format!("{name} + 0"),
        // FLOAT is printed with fewer digits than it has.
        Class::Float | Class::Double => format!("{name} + 0e0"),
        Class::Integer | Class::Time | Class::Json | Class::Text => name,
    }
}

/// From what TiDB gave for [`expression`].
pub fn of_sql(column: &Column, dialect: Compat, value: Option<Vec<u8>>) -> Cell {
    let text = lossy(value?);
    Some(match class(column, dialect) {
        Class::Bytes => text.to_uppercase(),
        Class::LossyBytes => go_text(&hex::decode(&text).unwrap_or_default()),
        Class::Number => integer(&text),
        class => plain(class, &text),
    })
}

/// From a message.
pub fn of_canal(column: &Column, dialect: Compat, value: Option<&str>) -> Cell {
    let text = value?;
    Some(match class(column, dialect) {
        Class::Bytes => latin1_hex(text),
        Class::LossyBytes => text.to_owned(),
        Class::Number => integer(text),
        class => plain(class, text),
    })
}

/// From Flink, which reads a message's text.
pub fn of_flink(column: &Column, dialect: Compat, value: Option<&str>) -> Cell {
    of_canal(column, dialect, value)
}

fn plain(class: Class, text: &str) -> String {
    match class {
        Class::Integer => integer(text),
        Class::Float => match text.parse::<f32>() {
            // There is one zero.
            Ok(number) => format!("{:?}", number + 0.0),
            Err(_) => text.to_owned(),
        },
        Class::Double => match text.parse::<f64>() {
            Ok(number) => format!("{:?}", number + 0.0),
            Err(_) => text.to_owned(),
        },
        Class::Time => match text.split_once('.') {
            Some((whole, fraction)) => {
                let fraction = fraction.trim_end_matches('0');
                let point = if fraction.is_empty() { "" } else { "." };
                format!("{whole}{point}{fraction}")
            }
            None => text.to_owned(),
        },
        Class::Json => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) => value.to_string(),
            Err(_) => text.to_owned(),
        },
        Class::Text | Class::Bytes | Class::LossyBytes | Class::Number => text.to_owned(),
    }
}

fn integer(text: &str) -> String {
    match text.parse::<i128>() {
        Ok(number) => number.to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Latin-1 text back to bytes, in hexadecimal; text that is not latin-1 is kept, and so differs from any bytes.
fn latin1_hex(text: &str) -> String {
    let bytes: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
    match bytes {
        Ok(bytes) => hex::encode_upper(bytes),
        Err(_) => text.to_owned(),
    }
}

/// Bytes as Go makes text of them: each byte that is not part of UTF-8 becomes one U+FFFD.
fn go_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: &str) -> Column {
        let data_type = column_type.split(['(', ' ']).next().unwrap();
        Column {
            name: "c".to_owned(),
            data_type: data_type.to_owned(),
            column_type: column_type.to_owned(),
            primary: false,
        }
    }

    #[test]
    fn what_is_equal_becomes_equal() {
        for (column_type, dialect, sql, canal) in [
            ("int(5) zerofill", Compat::V8, "00042", "42"),
            ("year(4)", Compat::V8, "0000", "0"),
            (
                "float",
                Compat::V4,
                "3.140000104904175",
                "3.140000104904175",
            ),
            ("float", Compat::V8, "3.140000104904175", "3.14"),
            ("double", Compat::V8, "1e22", "10000000000000000000000"),
            ("double", Compat::V8, "-0", "0"),
            (
                "datetime(3)",
                Compat::V8,
                "2024-01-01 00:00:00.500",
                "2024-01-01 00:00:00.500",
            ),
            ("time(2)", Compat::V8, "-01:00:00.25", "-01:00:00.25"),
            ("varbinary(9)", Compat::V8, "00FF7F80", "\0ÿ\u{7f}\u{80}"),
            (
                "varbinary(9)",
                Compat::V4,
                "61FFFEC3A9",
                "a\u{fffd}\u{fffd}é",
            ),
            ("blob", Compat::V4, "DEAD", "Þ\u{ad}"),
            ("set('a','b')", Compat::V8, "3", "3"),
            (
                "json",
                Compat::V8,
                "{\"a\":1,\"b\": [1]}",
                "{\"a\": 1, \"b\": [1]}",
            ),
        ] {
            let column = column(column_type);
            let from_sql = of_sql(&column, dialect, Some(sql.as_bytes().to_vec()));
            assert_eq!(
                from_sql,
                of_canal(&column, dialect, Some(canal)),
                "{column_type} {sql}"
            );
        }
    }

    #[test]
    fn what_differs_stays_different() {
        for (column_type, sql, canal) in [
            ("int(11)", "1", "2"),
            ("varchar(9)", "1", "01"),
            ("decimal(10,2)", "1.10", "1.1"),
            ("datetime", "2024-01-01 00:00:00", "2024-01-01 00:00:01"),
            ("blob", "00", "ā"),
        ] {
            let column = column(column_type);
            let from_sql = of_sql(&column, Compat::V8, Some(sql.as_bytes().to_vec()));
            assert_ne!(
                from_sql,
                of_canal(&column, Compat::V8, Some(canal)),
                "{column_type} {sql}"
            );
        }
        assert_eq!(of_canal(&column("int(11)"), Compat::V8, None), None);
    }

    #[test]
    fn flink_s_notation_is_understood() {
        let v8 = Compat::V8;
        assert_eq!(
            of_flink(&column("double"), v8, Some("1.0E22")),
            of_sql(&column("double"), v8, Some(b"1e22".to_vec()))
        );
        assert_eq!(
            of_flink(&column("timestamp(3)"), v8, Some("2024-01-01 00:00:00.5")),
            of_sql(
                &column("timestamp(3)"),
                v8,
                Some(b"2024-01-01 00:00:00.500".to_vec())
            )
        );
    }
}
