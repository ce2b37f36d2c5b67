//! `SHOW COLUMNS` and `DESC` as TiDB prints them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::text::literal;
use crate::tidb::catalog::model::{ColumnInfo, FieldType, Tp, flag};
use crate::tidb::catalog::{TableInfo, TidbVersion, show};

const NULL: &str = "NULL";

/// Column names and rows of SQL expressions; `full` as in `SHOW FULL COLUMNS`.
pub(super) fn rows(table: &TableInfo, full: bool) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let modern = table.written_by() >= TidbVersion::V8_5;
    let mut columns = vec!["Field", "Type"];
    if full {
        columns.push("Collation");
    }
    columns.extend(["Null", "Key", "Default", "Extra"]);
    if full {
        columns.extend(["Privileges", "Comment"]);
    }
    let rows = table
        .columns
        .iter()
        .filter(|c| !c.hidden)
        .map(|c| row(c, modern, full))
        .collect();
    (columns, rows)
}

fn row(column: &ColumnInfo, modern: bool, full: bool) -> Vec<String> {
    let ft = &column.field_type;
    let mut out = vec![
        literal(&column.name.o),
        literal(&show::type_text(ft, modern)),
    ];
    if full {
        let is_text = !ft.charset.is_empty() && ft.charset != "binary";
        out.push(if is_text {
            literal(&ft.collate)
        } else {
            NULL.to_owned()
        });
    }
    let key = if ft.has(flag::PRI_KEY) {
        "PRI"
    } else if ft.has(flag::UNIQUE_KEY) {
        "UNI"
    } else if ft.has(flag::MULTIPLE_KEY) {
        "MUL"
    } else {
        ""
    };
    out.push(literal(if ft.is_not_null() { "NO" } else { "YES" }));
    out.push(literal(key));
    out.push(default(column));
    out.push(literal(&extra(column)));
    if full {
        out.push(literal("select,insert,update,references"));
        out.push(literal(&column.comment));
    }
    out
}

/// The default, as an expression that MariaDB turns into the session's text.
fn default(column: &ColumnInfo) -> String {
    let ft = &column.field_type;
    if ft.has(flag::NO_DEFAULT) {
        return NULL.to_owned();
    }
    if let (Tp::Bit, Some(base64)) = (ft.tp, &column.default_bit) {
        let bytes = BASE64_STANDARD.decode(base64).unwrap_or_default();
        let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
        let bits = bits.trim_start_matches('0');
        return literal(&format!("b'{}'", if bits.is_empty() { "0" } else { bits }));
    }
    match &column.default {
        None => NULL.to_owned(),
        Some(now) if now == "CURRENT_TIMESTAMP" => literal(&format!("{now}{}", fsp(ft))),
        // Stored in UTC; the zero time is the same everywhere.
        Some(text) if ft.tp == Tp::Timestamp && !text.starts_with("0000") => format!(
            "DATE_FORMAT(CONVERT_TZ({}, '+00:00', @@session.time_zone), {})",
            literal(text),
            literal(if ft.decimal > 0 {
                "%Y-%m-%d %H:%i:%s.%f"
            } else {
                "%Y-%m-%d %H:%i:%s"
            })
        ),
        Some(text) => literal(text),
    }
}

fn extra(column: &ColumnInfo) -> String {
    let ft = &column.field_type;
    if ft.has(flag::AUTO_INCREMENT) {
        "auto_increment".to_owned()
    } else if ft.has(flag::ON_UPDATE_NOW) {
        format!("DEFAULT_GENERATED on update CURRENT_TIMESTAMP{}", fsp(ft))
    } else if column.is_generated() {
        let kind = if column.generated_stored {
            "STORED"
        } else {
            "VIRTUAL"
        };
        format!("{kind} GENERATED")
    } else {
        String::new()
    }
}

fn fsp(ft: &FieldType) -> String {
    match ft.decimal {
        digits if digits > 0 => format!("({digits})"),
        _ => String::new(),
    }
}
