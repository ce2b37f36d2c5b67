//! `sqlType` and `mysqlType` of a column (spec/canal-json.md §3).

use std::fmt::Write as _;

use crate::{
    compat::Release,
    mount::Value,
    schema::{Column, field},
};

/// Numbers of `java.sql.Types`.
mod java {
    pub(super) const BIT: i32 = -7;
    pub(super) const TINYINT: i32 = -6;
    pub(super) const SMALLINT: i32 = 5;
    pub(super) const INTEGER: i32 = 4;
    pub(super) const BIGINT: i32 = -5;
    pub(super) const REAL: i32 = 7;
    pub(super) const DOUBLE: i32 = 8;
    pub(super) const DECIMAL: i32 = 3;
    pub(super) const CHAR: i32 = 1;
    pub(super) const VARCHAR: i32 = 12;
    pub(super) const LONGVARCHAR: i32 = -1;
    pub(super) const DATE: i32 = 91;
    pub(super) const TIME: i32 = 92;
    pub(super) const TIMESTAMP: i32 = 93;
    pub(super) const BLOB: i32 = 2004;
    pub(super) const CLOB: i32 = 2005;
}

/// The `sqlType` of a column: fixed, or by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SqlType {
    /// The number for NULL and for values up to `limit`.
    base: i32,
    /// The number for greater values.
    above: i32,
    /// The greatest value of the base type.
    limit: u64,
}

impl SqlType {
    fn fixed(base: i32) -> Self {
        SqlType {
            base,
            above: base,
            limit: u64::MAX,
        }
    }

    fn promoted(base: i32, above: i32, limit: u64) -> Self {
        SqlType { base, above, limit }
    }

    /// The number to print for `value`.
    pub(super) fn of(self, value: &Value<'_>) -> i32 {
        let number = match value {
            Value::Uint(number) => Some(*number),
            // A default in its own spelling.
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        match number.is_some_and(|number| number > self.limit) {
            true => self.above,
            false => self.base,
        }
    }

    /// The rule for `column`.
    pub(super) fn new(column: &Column, release: Release) -> Self {
        if release.has_first_dialect() {
            Self::old(column)
        } else {
            Self::modern(column)
        }
    }

    /// The first dialect promotes every integer by one size, signed or not.
    fn old(column: &Column) -> Self {
        SqlType::fixed(match column.tp() {
            field::TINY => java::SMALLINT,
            field::SHORT | field::INT24 => java::INTEGER,
            field::LONG => java::BIGINT,
            field::LONGLONG | field::NEWDECIMAL => java::DECIMAL,
            field::FLOAT => java::REAL,
            field::DOUBLE => java::DOUBLE,
            field::BIT => java::BIT,
            field::YEAR | field::DATE | field::NEWDATE => java::DATE,
            field::DATETIME | field::TIMESTAMP => java::TIMESTAMP,
            field::DURATION => java::TIME,
            field::STRING | field::ENUM | field::SET => java::CHAR,
            field::JSON => java::LONGVARCHAR,
            tp if field::is_blob(tp) && column.is_binary => java::BLOB,
            _ => java::VARCHAR,
        })
    }

    fn modern(column: &Column) -> Self {
        let integer = |base, above, limit| match column.is_unsigned() {
            true => SqlType::promoted(base, above, limit),
            false => SqlType::fixed(base),
        };
        match column.tp() {
            field::TINY => integer(java::TINYINT, java::SMALLINT, i8::MAX as u64),
            field::SHORT => integer(java::SMALLINT, java::INTEGER, i16::MAX as u64),
            field::LONG => integer(java::INTEGER, java::BIGINT, i32::MAX as u64),
            field::LONGLONG => integer(java::BIGINT, java::DECIMAL, i64::MAX as u64),
            field::INT24 | field::ENUM => SqlType::fixed(java::INTEGER),
            field::NEWDECIMAL => SqlType::fixed(java::DECIMAL),
            field::FLOAT => SqlType::fixed(java::REAL),
            field::DOUBLE => SqlType::fixed(java::DOUBLE),
            field::BIT | field::SET => SqlType::fixed(java::BIT),
            field::DATE | field::NEWDATE => SqlType::fixed(java::DATE),
            field::DATETIME | field::TIMESTAMP => SqlType::fixed(java::TIMESTAMP),
            field::DURATION => SqlType::fixed(java::TIME),
            tp if field::is_string(tp) && column.is_binary => SqlType::fixed(java::BLOB),
            tp if field::is_blob(tp) => SqlType::fixed(java::CLOB),
            field::STRING => SqlType::fixed(java::CHAR),
            _ => SqlType::fixed(java::VARCHAR),
        }
    }
}

/// Whether the column's bytes go out as ISO-8859-1 and not as UTF-8.
pub(super) fn is_latin1(column: &Column, release: Release) -> bool {
    column.is_binary
        && match release.has_first_dialect() {
            true => field::is_blob(column.tp()),
            false => field::is_string(column.tp()),
        }
}

/// The `mysqlType` of a column.
pub(super) fn mysql_type(column: &Column, release: Release, content_compatible: bool) -> String {
    let mut text = name(column).to_owned();
    if content_compatible {
        push_size(column, &mut text);
    }
    let numeric = field::is_integer(column.tp())
        || matches!(
            column.tp(),
            field::FLOAT | field::DOUBLE | field::NEWDECIMAL
        );
    if numeric && !release.has_first_dialect() {
        if column.is_unsigned() {
            text.push_str(" unsigned");
        }
        if column.is_zerofill() && release.shows_zerofill() {
            text.push_str(" zerofill");
        }
    }
    text
}

fn name(column: &Column) -> &'static str {
    let binary = column.is_binary;
    match column.tp() {
        field::TINY => "tinyint",
        field::SHORT => "smallint",
        field::INT24 => "mediumint",
        field::LONG => "int",
        field::LONGLONG => "bigint",
        field::FLOAT => "float",
        field::DOUBLE => "double",
        field::NEWDECIMAL => "decimal",
        field::BIT => "bit",
        field::YEAR => "year",
        field::DATE | field::NEWDATE => "date",
        field::DATETIME => "datetime",
        field::TIMESTAMP => "timestamp",
        field::DURATION => "time",
        field::ENUM => "enum",
        field::SET => "set",
        field::JSON => "json",
        field::VECTOR => "vector",
        field::STRING => {
            if binary {
                "binary"
            } else {
                "char"
            }
        }
        field::VARCHAR => {
            if binary {
                "varbinary"
            } else {
                "varchar"
            }
        }
        field::VAR_STRING => {
            if binary {
                "var_binary"
            } else {
                "var_string"
            }
        }
        field::TINY_BLOB => {
            if binary {
                "tinyblob"
            } else {
                "tinytext"
            }
        }
        field::MEDIUM_BLOB => {
            if binary {
                "mediumblob"
            } else {
                "mediumtext"
            }
        }
        field::LONG_BLOB => {
            if binary {
                "longblob"
            } else {
                "longtext"
            }
        }
        field::BLOB => {
            if binary {
                "blob"
            } else {
                "text"
            }
        }
        _ => "null",
    }
}

/// Width, scale and members in brackets, where the type shows them (§3.3).
fn push_size(column: &Column, text: &mut String) {
    let field = &column.field;
    let (default_flen, default_decimal) = defaults(column);
    let or = |number: i64, default: i64| if number == -1 { default } else { number };
    let (flen, decimal) = (
        or(field.flen, default_flen),
        or(field.decimal, default_decimal),
    );
    let own_decimal = field.decimal != default_decimal && field.decimal != 0 && field.decimal != -1;
    let written = match column.tp() {
        field::ENUM | field::SET => {
            text.push('(');
            for (at, elem) in field.elems.iter().enumerate() {
                text.push_str(if at > 0 { ",'" } else { "'" });
                text.push_str(&elem.replace('\'', "''"));
                text.push('\'');
            }
            text.push(')');
            Ok(())
        }
        field::TIMESTAMP | field::DATETIME | field::DURATION if own_decimal => {
            write!(text, "({decimal})")
        }
        field::FLOAT | field::DOUBLE if own_decimal => write!(text, "({flen},{decimal})"),
        field::NEWDECIMAL => write!(text, "({flen},{decimal})"),
        tp if field::is_integer(tp) => write!(text, "({flen})"),
        field::BIT | field::STRING | field::VARCHAR | field::VAR_STRING => write!(text, "({flen})"),
        field::YEAR => write!(text, "({})", field.flen),
        field::VECTOR if field.flen != -1 => write!(text, "({})", field.flen),
        _ => Ok(()),
    };
    written.expect("a String takes any text");
}

/// Width and scale of a type that does not say.
fn defaults(column: &Column) -> (i64, i64) {
    match column.tp() {
        field::TINY => (4, 0),
        field::SHORT => (6, 0),
        field::INT24 => (9, 0),
        field::LONG => (11, 0),
        field::LONGLONG => (20, 0),
        field::FLOAT => (12, -1),
        field::DOUBLE => (22, -1),
        field::NEWDECIMAL => (10, 0),
        field::BIT | field::STRING => (1, 0),
        _ => (-1, 0),
    }
}
