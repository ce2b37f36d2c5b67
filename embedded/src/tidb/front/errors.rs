//! TiDB's words for MariaDB's errors.

use super::pd::PdError;
use super::text::Text;
use crate::client::ClientError;
use crate::tidb::catalog::mariadb_check::{ENTRY_LIMIT, UCA_9};
use crate::tidb::catalog::model::{FieldType, Tp, lower_case};
use crate::tidb::catalog::{Catalog, NOT_NULL_CHECK, SERVED_CHECK, TidbVersion};
use crate::tidb::wire::ErrPacket;

/// `ER_BAD_FIELD_ERROR`.
const UNKNOWN_COLUMN: u16 = 1054;
/// `ER_DUP_ENTRY`.
const DUPLICATE_ENTRY: u16 = 1062;
/// `ER_UNKNOWN_COLLATION`.
const UNKNOWN_COLLATION: u16 = 1273;
/// `ER_SP_DOES_NOT_EXIST`.
const UNKNOWN_FUNCTION: u16 = 1305;
/// `ER_PARSE_ERROR`.
const PARSE_ERROR: u16 = 1064;
/// `ER_CONSTRAINT_FAILED` of MariaDB's: a column's `mariadb_check`, or one of generated columns.
const CHECK_FAILED: u16 = 4025;
/// `ER_BAD_NULL_ERROR`.
const NOT_NULL: u16 = 1048;
/// `ER_WARNING_NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN` of MariaDB's.
const GENERATED_GIVEN: u16 = 1906;
/// `ER_NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN`.
const GENERATED_NOT_ALLOWED: u16 = 3105;
/// `ER_TRUNCATED_WRONG_VALUE`.
const WRONG_VALUE: u16 = 1292;
/// `ER_TRUNCATED_WRONG_VALUE_FOR_FIELD`.
const WRONG_VALUE_FOR_FIELD: u16 = 1366;
/// `ER_INVALID_JSON_TEXT`.
const INVALID_JSON: u16 = 3140;
/// `ER_ENTRY_TOO_LARGE`.
const ENTRY_TOO_LARGE: u16 = 8025;
/// `ER_NOT_SUPPORTED_YET`.
pub(super) const NOT_SUPPORTED: u16 = 1235;
/// `ER_UNKNOWN_SYSTEM_VARIABLE`.
const UNKNOWN_VARIABLE: u16 = 1193;
/// `ErrPDServerTimeout`.
const PD_TIMEOUT: u16 = 9001;
/// `ErrTiKVServerTimeout`.
const TIKV_TIMEOUT: u16 = 9002;

/// Functions of TiDB that MariaDB does not have, and the release that has them since.
const FUNCTIONS: [(&str, TidbVersion); 14] = [
    ("any_value", TidbVersion::V4_0),
    ("approx_count_distinct", TidbVersion::V4_0),
    ("approx_percentile", TidbVersion::V8_5),
    ("bin_to_uuid", TidbVersion::V4_0),
    ("current_resource_group", TidbVersion::V8_5),
    ("format_bytes", TidbVersion::V4_0),
    ("format_nano_time", TidbVersion::V4_0),
    ("grouping", TidbVersion::V8_5),
    ("is_uuid", TidbVersion::V4_0),
    ("json_storage_free", TidbVersion::V8_5),
    ("json_storage_size", TidbVersion::V4_0),
    ("regexp_like", TidbVersion::V8_5),
    ("uuid_to_bin", TidbVersion::V4_0),
    ("validate_password_strength", TidbVersion::V8_5),
];

/// PD did not tell what a statement wants to know.
pub(super) fn pd(error: &PdError) -> ErrPacket {
    let message = format!("PD server timeout: failed to {error}");
    ErrPacket::new(PD_TIMEOUT, "HY000", &message)
}

/// TiKV, or PD for a timestamp, did not answer.
pub(super) fn client(error: &ClientError) -> ErrPacket {
    let message = format!("TiKV server timeout: failed to {error}");
    ErrPacket::new(TIKV_TIMEOUT, "HY000", message)
}

/// TiDB has no lock on all tables.
pub(super) fn no_read_lock() -> ErrPacket {
    let message = "FLUSH TABLES WITH READ LOCK is not supported.  Please use @@tidb_snapshot";
    ErrPacket::new(1105, "HY000", message)
}

/// An error of MariaDB's as TiDB would put it. `target` is the table that the statement writes.
pub(super) fn as_tidb(
    mut error: ErrPacket,
    statement: &str,
    target: Option<&str>,
    version: TidbVersion,
    catalog: &Catalog,
) -> ErrPacket {
    match error.code {
        UNKNOWN_COLUMN => {
            if let Some((before, clause)) = error.message.rsplit_once(" in '") {
                let clause = match clause.trim_end_matches('\'') {
                    "INSERT INTO" | "SELECT" | "SET" => "field list",
                    "WHERE" => "where clause",
                    "ON" => "on clause",
                    "GROUP BY" => "group statement",
                    "HAVING" => "having clause",
                    "ORDER BY" => "order clause",
                    other => other,
                };
                error.message = format!("{before} in '{clause}'");
            }
        }
        DUPLICATE_ENTRY if version >= TidbVersion::V8_5 => {
            // 8.x names the table too; MariaDB the key alone.
            if let (Some((before, key)), Some(table)) =
                (error.message.rsplit_once(" for key '"), target)
            {
                error.message = format!("{before} for key '{table}.{key}");
            }
        }
        WRONG_VALUE | WRONG_VALUE_FOR_FIELD => {
            if let Some(rest) = error.message.strip_prefix("Incorrect datetime value")
                && is_of_timestamp(rest, catalog)
            {
                error.message = format!("Incorrect timestamp value{rest}");
            }
            error.message = with_plain_column(&error.message);
            let of_column = error.message.contains(" for column '");
            if let Some((value, _)) = error.message.rsplit_once(" at row ")
                && let Some(bytes) = value.strip_prefix("Incorrect string value: ")
            {
                error.message = format!("Incorrect string value {}", bytes.replace("\\x", "\\\\x"));
            } else if of_column && version == TidbVersion::V4_0 {
                error.code = WRONG_VALUE_FOR_FIELD;
            }
        }
        CHECK_FAILED => {
            let name = error.message.split('`').nth(1).unwrap_or_default();
            if let Some(column) = name.strip_prefix(NOT_NULL_CHECK) {
                let message = format!("Column '{column}' cannot be null");
                return ErrPacket::new(NOT_NULL, "23000", message);
            }
            if name.starts_with(SERVED_CHECK) {
                return unsupported("this value of what a generated column is computed from");
            }
            return match constrained(&error.message, catalog) {
                Some(ft) if ft.collate == UCA_9 => unsupported(&format!(
                    "a character of this text under {UCA_9}, where MariaDB would sort it otherwise"
                )),
                Some(ft) if ft.tp.is_blob() => entry_too_large(),
                _ => invalid_json(),
            };
        }
        UNKNOWN_FUNCTION => {
            let name = error.message.strip_prefix("FUNCTION ");
            let name = name.and_then(|rest| rest.strip_suffix(" does not exist"));
            let name = name.and_then(|name| name.rsplit('.').next());
            let name = name.unwrap_or_default().to_lowercase();
            if FUNCTIONS.contains(&(&name, TidbVersion::V4_0))
                || FUNCTIONS.contains(&(&name, version))
            {
                return unsupported(&format!("the function {name}"));
            }
        }
        UNKNOWN_COLLATION if version >= TidbVersion::V8_5 => {
            let name = error.message.split('\'').nth(1).unwrap_or_default();
            if name.starts_with("utf8mb4_0900_") {
                return unsupported(&format!("COLLATE {name} in an expression"));
            }
        }
        GENERATED_GIVEN => {
            let column = error.message.split('\'').nth(1).unwrap_or_default();
            let table = target.unwrap_or_default();
            let message = format!(
                "The value specified for generated column '{column}' in table '{table}' is not allowed."
            );
            return ErrPacket::new(GENERATED_NOT_ALLOWED, "HY000", message);
        }
        PARSE_ERROR => {
            let near = error
                .message
                .split_once(" near '")
                .and_then(|(_, rest)| rest.rsplit_once("' at line "))
                .map_or("", |(near, _)| near);
            let at = statement.rfind(near).unwrap_or(statement.len());
            let mut told = syntax_at(statement, at);
            // Whether TiDB would read it is not known here.
            told.message
                .push_str("(read by MariaDB, which the embedded TiDB runs SQL with; TiDB itself may know this syntax)");
            return told;
        }
        _ => {}
    }
    error
}

/// A message in which a column is told by its name alone: MariaDB tells its table too.
fn with_plain_column(message: &str) -> String {
    let plain = || {
        let (before, rest) = message.split_once(" for column `")?;
        let (full, after) = rest.rsplit_once('`')?;
        let column = full.rsplit("`.`").next()?;
        Some(format!("{before} for column '{column}'{after}"))
    };
    plain().unwrap_or_else(|| message.to_owned())
}

/// Whether "… for column `d`.`t`.`c` at row 1" tells of a TIMESTAMP column.
fn is_of_timestamp(message: &str, catalog: &Catalog) -> bool {
    let column = || {
        let (_, rest) = message.split_once(" for column `")?;
        let (full, _) = rest.rsplit_once('`')?;
        let (database, rest) = full.split_once("`.`")?;
        let (table, column) = rest.split_once("`.`")?;
        let table = catalog.table(database, table)?;
        table.columns.iter().find(|c| c.name.o == column)
    };
    column().is_some_and(|c| c.field_type.tp == Tp::Timestamp)
}

/// The type of the column that "CONSTRAINT `t.c` failed for `d`.`t`" tells of.
fn constrained<'a>(message: &str, catalog: &'a Catalog) -> Option<&'a FieldType> {
    let (constraint, of) = message.rsplit_once(" failed for ")?;
    let (database, table, _) = Text::new(of).ok()?.full_name(0)?;
    let table = catalog.table(&database?, &table)?;
    let constraint = lower_case(constraint);
    let mut columns = table.columns.iter();
    let column = columns.find(|c| {
        let name = format!("`{}.{}`", table.name.l, c.name.l);
        constraint.ends_with(&name)
    });
    column.map(|c| &c.field_type)
}

/// TiDB tells the size of the key and the row too.
fn entry_too_large() -> ErrPacket {
    let message = format!("entry too large, the max entry size is {ENTRY_LIMIT}");
    ErrPacket::new(ENTRY_TOO_LARGE, "HY000", message)
}

/// TiDB's syntax error: it prints the text from the offending word on, and names the line and column where that word
/// ends. It counts the line break itself as a column of the line that follows.
fn syntax(statement: &str, start: usize, end: usize) -> ErrPacket {
    let before = &statement[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').unwrap_or(0);
    let message = format!(
        "You have an error in your SQL syntax; check the manual that corresponds to your TiDB version for the right \
         syntax to use line {line} column {column} near \"{}\" ",
        &statement[start..]
    );
    ErrPacket::new(PARSE_ERROR, "42000", message)
}

/// TiDB's syntax error about the n-th token.
pub(super) fn syntax_at_token(text: &Text<'_>, n: usize) -> ErrPacket {
    let len = text.sql.len();
    let range = text.tokens.get(n).map_or(len..len, |t| t.range.clone());
    syntax(&text.sql, range.start, range.end)
}

/// TiDB's syntax error about a place in a statement.
pub(super) fn syntax_at(statement: &str, at: usize) -> ErrPacket {
    let end = Text::new(statement).ok().and_then(|text| {
        text.tokens
            .iter()
            .find(|t| t.range.start == at)
            .map(|t| t.range.end)
    });
    syntax(statement, at, end.unwrap_or(at))
}

/// A text is no JSON.
pub(super) fn invalid_json() -> ErrPacket {
    let message = "Invalid JSON text: The document root must not be followed by other values.";
    ErrPacket::new(INVALID_JSON, "22032", message)
}

/// TiDB would run it, this one cannot.
pub(super) fn unsupported(what: &str) -> ErrPacket {
    ErrPacket::new(
        NOT_SUPPORTED,
        "42000",
        format!("the embedded TiDB does not support {what}"),
    )
}

/// A text of the client's is none that can be read.
pub(super) fn unreadable() -> ErrPacket {
    unsupported(
        "SQL texts that are not UTF-8: send bytes as hexadecimal literals, as `_binary'…'` or as parameters",
    )
}

/// TiDB knows the function and does nothing for it, and so refuses it unless it is told not to.
pub(super) fn only_noop(function: &str) -> ErrPacket {
    ErrPacket::new(
        NOT_SUPPORTED,
        "42000",
        format!(
            "function {function} has only noop implementation in tidb now, use tidb_enable_noop_functions to enable \
             these functions"
        ),
    )
}

/// TiDB does not know this variable either.
pub(super) fn unknown_variable(name: &str) -> ErrPacket {
    ErrPacket::new(
        UNKNOWN_VARIABLE,
        "HY000",
        format!("Unknown system variable '{name}'"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        error: ErrPacket,
        statement: &str,
        target: Option<&str>,
        version: TidbVersion,
    ) -> ErrPacket {
        as_tidb(error, statement, target, version, &Catalog::new(version))
    }

    #[test]
    fn duplicate_entries_name_the_table_in_8() {
        let maria = ErrPacket::new(1062, "23000", "Duplicate entry '2' for key 'PRIMARY'");
        let new = told(maria.clone(), "", Some("orders"), TidbVersion::V8_5);
        assert_eq!(new.message, "Duplicate entry '2' for key 'orders.PRIMARY'");
        let old = told(maria.clone(), "", Some("orders"), TidbVersion::V4_0);
        assert_eq!(old, maria);
    }

    #[test]
    fn what_tidb_knows_and_mariadb_does_not_is_unsupported() {
        let told = |code, message: &str, version| {
            told(ErrPacket::new(code, "42000", message), "", None, version)
        };
        let function = |name: &str, version| {
            let message = format!("FUNCTION d.{name} does not exist");
            told(1305, &message, version).code
        };
        assert_eq!(function("Any_Value", TidbVersion::V4_0), 1235);
        assert_eq!(function("regexp_like", TidbVersion::V8_5), 1235);
        assert_eq!(function("regexp_like", TidbVersion::V4_0), 1305);
        assert_eq!(function("nope", TidbVersion::V8_5), 1305);
        let collation = "Unknown collation: 'utf8mb4_0900_ai_ci'";
        assert_eq!(told(1273, collation, TidbVersion::V8_5).code, 1235);
        assert_eq!(told(1273, collation, TidbVersion::V4_0).code, 1273);
        assert_eq!(
            told(1273, "Unknown collation: 'x'", TidbVersion::V8_5).code,
            1273
        );
    }

    #[test]
    fn checks_of_generated_columns_are_told_from_those_of_json() {
        let told = |name: &str| {
            let message = format!("CONSTRAINT `{name}` failed for `d`.`t`");
            let error = ErrPacket::new(4025, "23000", message);
            let told = told(error, "", Some("t"), TidbVersion::V8_5);
            (told.code, told.message)
        };
        assert_eq!(
            told("_tidb_not_null_b"),
            (1048, "Column 'b' cannot be null".to_owned())
        );
        assert_eq!(told("_tidb_served_3").0, NOT_SUPPORTED);
        assert_eq!(told("t.j").0, INVALID_JSON);
    }

    #[test]
    fn generated_columns_take_no_values() {
        let message = "The value specified for generated column 'b' in table 'g' has been ignored";
        let error = ErrPacket::new(1906, "HY000", message);
        let told = told(error, "", Some("g"), TidbVersion::V8_5);
        assert_eq!(told.code, 3105);
        assert_eq!(
            told.message,
            "The value specified for generated column 'b' in table 'g' is not allowed."
        );
    }

    #[test]
    fn unknown_columns_are_in_a_clause_that_tidb_has() {
        for (maria, tidb) in [
            ("INSERT INTO", "field list"),
            ("WHERE", "where clause"),
            ("where clause", "where clause"),
        ] {
            let error = ErrPacket::new(1054, "42S22", format!("Unknown column 'n' in '{maria}'"));
            let told = told(error, "", None, TidbVersion::V8_5);
            assert_eq!(told.message, format!("Unknown column 'n' in '{tidb}'"));
        }
    }

    #[test]
    fn wrong_values_are_told_of_columns() {
        let wrong = |version, message: &str| {
            let error = told(ErrPacket::new(1292, "22007", message), "", None, version);
            (error.code, error.message)
        };
        let maria = "Incorrect date value: 'x' for column `test`.`t`.`d` at row 1";
        let tidb = "Incorrect date value: 'x' for column 'd' at row 1".to_owned();
        assert_eq!(wrong(TidbVersion::V4_0, maria), (1366, tidb.clone()));
        assert_eq!(wrong(TidbVersion::V8_5, maria), (1292, tidb));
        let other = "Truncated incorrect DOUBLE value: 'abc'";
        assert_eq!(wrong(TidbVersion::V4_0, other), (1292, other.to_owned()));
        let maria = r"Incorrect string value: '\xC3\xA9' for column `test`.`s`.`a` at row 1";
        let told = wrong(TidbVersion::V8_5, maria).1;
        assert_eq!(told, r"Incorrect string value '\\xC3\\xA9' for column 'a'");
    }

    #[test]
    fn syntax_errors_tell_line_and_column() {
        let sql = "select * from t\nwhere a b c";
        let maria = ErrPacket::new(
            1064,
            "42000",
            "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version \
             for the right syntax to use near 'b c' at line 2",
        );
        let message = told(maria, sql, None, TidbVersion::V8_5).message;
        assert!(
            message.contains("line 2 column 10 near \"b c\" "),
            "{message}"
        );
        assert!(message.contains("TiDB version"), "{message}");
    }
}
