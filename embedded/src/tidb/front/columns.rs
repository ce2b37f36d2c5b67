//! `SHOW COLUMNS` and `DESC` as TiDB prints them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::errors;
use super::served::{
    Served, filtered, is_system, no_database, refused, select, served, unknown_table,
};
use super::session::Session;
use super::text::{Text, literal, quoted};
use crate::tidb::catalog::model::{ColumnInfo, FieldType, Tp, flag};
use crate::tidb::catalog::{TableInfo, TidbVersion, Zone, show};

const NULL: &str = "NULL";
/// What the one user may do with every column.
pub(super) const PRIVILEGES: &str = "select,insert,update,references";

impl Session {
    /// `SHOW [FULL] COLUMNS FROM t [FROM db] [LIKE … | WHERE …]`.
    pub(super) async fn show_columns(&mut self, text: &Text<'_>, n: usize) -> Served {
        let (database, table, n) = match self.table_clause(text, n) {
            Ok(found) => found,
            Err(error) => return refused(error),
        };
        let full = text.is(1, "FULL");
        self.columns_of(text, database, &table, full, n).await
    }

    /// Columns of a table; of a server's own table as MariaDB tells them.
    pub(super) async fn columns_of(
        &mut self,
        text: &Text<'_>,
        database: Option<String>,
        table: &str,
        full: bool,
        n: usize,
    ) -> Served {
        let Some(database) = database else {
            return refused(no_database());
        };
        let Some(info) = self.table_info(&database, table) else {
            if is_system(&database) {
                let full = if full { "FULL " } else { "" };
                return served(format!(
                    "SHOW {full}COLUMNS FROM {}.{} {}",
                    quoted(&database),
                    quoted(table),
                    text.from(n)
                ));
            }
            return refused(unknown_table(&database, table));
        };
        if let Some(refusal) = self.hidden(&database, table) {
            return refused(refusal);
        }
        if !info.is_base_table() {
            let what = format!("SHOW COLUMNS of a {}", super::objects::kind(&info));
            return refused(errors::unsupported(&what));
        }
        let zone = self.catalog_session().await?.zone;
        let (columns, rows) = rows(&info, full, &zone);
        match filtered(&select(&columns, &rows), "Field", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }
}

/// Column names and rows of SQL expressions; `full` as in `SHOW FULL COLUMNS`.
pub(super) fn rows(
    table: &TableInfo,
    full: bool,
    zone: &Zone,
) -> (Vec<&'static str>, Vec<Vec<String>>) {
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
        .map(|c| row(c, modern, full, zone))
        .collect();
    (columns, rows)
}

fn row(column: &ColumnInfo, modern: bool, full: bool, zone: &Zone) -> Vec<String> {
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
    out.push(literal(if ft.is_not_null() { "NO" } else { "YES" }));
    out.push(literal(key(ft)));
    out.push(default(column, zone).map_or(NULL.to_owned(), |text| literal(&text)));
    out.push(literal(&extra(column)));
    if full {
        out.push(literal(PRIVILEGES));
        out.push(literal(&column.comment));
    }
    out
}

/// What the key is that the column leads.
pub(super) fn key(ft: &FieldType) -> &'static str {
    if ft.has(flag::PRI_KEY) {
        "PRI"
    } else if ft.has(flag::UNIQUE_KEY) {
        "UNI"
    } else if ft.has(flag::MULTIPLE_KEY) {
        "MUL"
    } else {
        ""
    }
}

/// The default's text; those of TIMESTAMP are stored in UTC and told in the session's time zone.
pub(super) fn default(column: &ColumnInfo, zone: &Zone) -> Option<String> {
    let ft = &column.field_type;
    if ft.has(flag::NO_DEFAULT) {
        return None;
    }
    if let (Tp::Bit, Some(base64)) = (ft.tp, &column.default_bit) {
        let bytes = BASE64_STANDARD.decode(base64).unwrap_or_default();
        let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
        let bits = bits.trim_start_matches('0');
        return Some(format!("b'{}'", if bits.is_empty() { "0" } else { bits }));
    }
    let text = column.default.as_ref()?;
    Some(match ft.tp {
        _ if text == "CURRENT_TIMESTAMP" => format!("{text}{}", fsp(ft)),
        Tp::Timestamp => zone.shown(text, ft.decimal),
        _ => text.clone(),
    })
}

pub(super) fn extra(column: &ColumnInfo) -> String {
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
