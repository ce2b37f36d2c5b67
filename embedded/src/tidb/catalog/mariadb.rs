//! What MariaDB 10.11 is told: statements made from TiDB's own description, so that both hold the same table.
//!
//! Nothing is left to MariaDB's defaults: every text column names its character set and collation (MariaDB's default
//! collation of utf8mb4 is another than TiDB's), every column says NULL or NOT NULL. Tables without a clustered primary
//! key carry an invisible `_tidb_rowid`.

use super::auto_ids;
use super::mariadb_check::UCA_9;
use super::model::{
    CiStr, ColumnInfo, DbInfo, FieldType, ForeignKeyInfo, IndexInfo, NOW, TableInfo, Tp, flag,
};
use super::{
    DdlError, Lock, TidbVersion, ddl::unsupported, generated, mariadb_check, mariadb_partition,
    show,
};
use crate::tidb::mariadb::sql_mode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::fmt::Write as _;

/// The invisible column that holds the handle of tables without a clustered primary key.
pub const ROW_ID: &str = "_tidb_rowid";

/// Strict, but for the dates that a session which is not strict lets in.
const LENIENT_ABOUT_DATES: &str = "STRICT_TRANS_TABLES,ALLOW_INVALID_DATES";
/// The highest `lock_wait_timeout`, in seconds.
const LONGEST_WAIT: u32 = 31_536_000;

/// A character set and collation of MariaDB that behaves as TiDB's, for texts that [`mariadb_check`] lets in.
fn text_attributes(version: TidbVersion, charset: &str, collation: &str) -> Option<String> {
    if charset == "binary" {
        return Some("CHARACTER SET binary".to_owned());
    }
    if version == TidbVersion::V4_0 {
        // Without the new collation framework strings compare by their bytes, whatever the collation is called.
        let charset = if charset == "utf8" {
            "utf8mb3"
        } else {
            "utf8mb4"
        };
        return Some(format!(
            "CHARACTER SET {charset} COLLATE {charset}_nopad_bin"
        ));
    }
    let (charset, collation) = match (charset, collation) {
        ("utf8mb4", "utf8mb4_bin" | "utf8mb4_general_ci" | "utf8mb4_unicode_ci") => {
            (charset.to_owned(), collation.to_owned())
        }
        ("utf8mb4", UCA_9) => (charset.to_owned(), "utf8mb4_uca1400_nopad_ai_ci".to_owned()),
        ("utf8mb4", "utf8mb4_0900_bin") => (charset.to_owned(), "utf8mb4_nopad_bin".to_owned()),
        ("utf8", _) => (
            "utf8mb3".to_owned(),
            collation.replacen("utf8_", "utf8mb3_", 1),
        ),
        ("ascii", "ascii_bin") | ("gbk", "gbk_bin" | "gbk_chinese_ci") => {
            (charset.to_owned(), collation.to_owned())
        }
        // TiDB's latin1 holds UTF-8 and compares it by its bytes.
        ("latin1", "latin1_bin") => ("utf8mb4".to_owned(), "utf8mb4_bin".to_owned()),
        _ => return None,
    };
    Some(format!("CHARACTER SET {charset} COLLATE {collation}"))
}

/// A statement of a plan as MariaDB is given it. What was planned has to be done: MariaDB waits for locks as long as it takes,
/// and changes no value on the way, which a session that is not strict would let it. What is dropped was looked at with the
/// foreign keys that refer to it. A zone is the one that values are told and read in.
pub(crate) fn planned(statement: &str, session_is_strict: bool, zone: Option<&str>) -> String {
    let unasked = match statement.starts_with("DROP ") {
        true => "foreign_key_checks = 0, ",
        false => "",
    };
    // Partitions may be made where all settings are constants.
    let strictly = match session_is_strict {
        true => String::new(),
        false => format!(
            ", sql_mode = '{}'",
            sql_mode::at_mariadb(LENIENT_ABOUT_DATES)
        ),
    };
    let zone = zone.map(|zone| format!(", time_zone = {}", string(zone)));
    let zone = zone.unwrap_or_default();
    format!(
        "SET STATEMENT {unasked}lock_wait_timeout = {LONGEST_WAIT}, max_statement_time = 0{strictly}{zone} FOR {statement}"
    )
}

/// `CREATE DATABASE`.
pub(crate) fn create_database(name: &str) -> String {
    format!(
        "CREATE DATABASE {} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        quoted(name)
    )
}

/// `CREATE TABLE`.
pub(crate) fn create_table(
    query: &str,
    db: &DbInfo,
    table: &TableInfo,
) -> Result<String, DdlError> {
    let mut parts: Vec<String> = table
        .columns
        .iter()
        .map(|c| column(query, table, c))
        .collect::<Result<_, _>>()?;
    if let Some(handle) = table.handle_column() {
        parts.push(format!("PRIMARY KEY ({})", quoted(&handle.name.o)));
    }
    for of_table in &table.indexes {
        parts.push(index(query, table.written_by(), &table.columns, of_table)?);
    }
    for column in &table.columns {
        parts.extend(checks(query, table, column)?);
    }
    if table.written_by() >= TidbVersion::V8_5 {
        parts.extend(table.fk_info.iter().flatten().map(foreign_key));
    }
    let auto = table
        .columns
        .iter()
        .find(|c| c.field_type.has(flag::AUTO_INCREMENT));
    if let Some(auto) = auto {
        // MariaDB wants a key for it, TiDB does not.
        let leads = table.handle_column().is_some_and(|h| h.id == auto.id)
            || table
                .indexes
                .iter()
                .any(|i| i.columns[0].offset == auto.offset);
        if !leads {
            parts.push(auto_increment_key(auto, false));
        }
    }
    // Rows of a session's own table are nobody else's to find.
    let temporary = table.temp_table_type.is_some_and(|kind| kind > 0);
    if table.has_row_id() && !temporary {
        parts.push(row_id(table));
    }
    let mut out = format!(
        "CREATE {}TABLE {} ({})",
        if temporary { "TEMPORARY " } else { "" },
        full_name(db, &table.name.o),
        parts.join(", ")
    );
    out.push_str(" ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    if table.auto_inc_id > 1 {
        let _ = write!(out, " AUTO_INCREMENT={}", table.auto_inc_id);
    }
    if let Some(partitions) = mariadb_partition::clause(query, table)? {
        let _ = write!(out, " {partitions}");
    }
    Ok(out)
}

/// The key of an AUTO_INCREMENT column that no index of TiDB's begins with.
pub(crate) fn auto_increment_key(column: &ColumnInfo, unless_there: bool) -> String {
    let condition = if unless_there { "IF NOT EXISTS " } else { "" };
    format!("KEY {condition}`_tidb_auto` ({})", quoted(&column.name.o))
}

/// The column `_tidb_rowid`. It is no AUTO_INCREMENT column: MariaDB has one of those a table, which may be the user's,
/// and its values would show as LAST_INSERT_ID.
fn row_id(table: &TableInfo) -> String {
    let next = auto_ids::next_row_id(table, table.id);
    format!("`{ROW_ID}` BIGINT NOT NULL DEFAULT ({next}) INVISIBLE")
}

/// The lock under which nobody else writes to a table: its default of `_tidb_rowid` needs the sequence.
pub(crate) fn locks(db: &DbInfo, table: &TableInfo) -> Lock {
    let mut tables = format!("{} WRITE", full_name(db, &table.name.o));
    if table.has_row_id() {
        let _ = write!(tables, ", {} WRITE", auto_ids::sequence(table.id));
    }
    Lock {
        tables,
        ..Lock::default()
    }
}

/// The lock under which a table's rows are copied. MariaDB copies none whose default takes values from a sequence: a trigger
/// does that meanwhile.
pub(crate) fn locks_to_copy(db: &DbInfo, table: &TableInfo) -> Lock {
    let (before, after) = match table.has_row_id() {
        true => (
            vec![auto_ids::lend_row_ids(db, table)],
            auto_ids::take_row_ids_back(db, table),
        ),
        false => (vec![], vec![]),
    };
    Lock {
        tables: format!("{} WRITE", full_name(db, &table.name.o)),
        before,
        after,
    }
}

/// The clause of ALTER TABLE by which the trigger takes over.
pub(crate) fn no_row_ids() -> String {
    format!(
        "ALTER COLUMN `{ROW_ID}` SET DEFAULT {}",
        auto_ids::NO_ROW_ID
    )
}

/// Asks for the JSON of a column as it was typed.
pub(crate) fn typed_json(db: &DbInfo, table: &TableInfo, column: &ColumnInfo) -> String {
    let (table, column) = (full_name(db, &table.name.o), quoted(&column.name.o));
    format!("SELECT CAST({column} AS BINARY) FROM {table} WHERE {column} IS NOT NULL")
}

/// Lets `_tidb_rowid` be counted by the sequence of another table id.
pub(crate) fn count_row_ids(db: &DbInfo, table: &TableInfo, table_id: i64) -> String {
    format!(
        "ALTER TABLE {} ALTER COLUMN `{ROW_ID}` SET DEFAULT ({})",
        full_name(db, &table.name.o),
        auto_ids::next_row_id(table, table_id)
    )
}

/// The CHECKs that a column's definition needs among the table's keys.
pub(crate) fn checks(
    query: &str,
    table: &TableInfo,
    column: &ColumnInfo,
) -> Result<Vec<String>, DdlError> {
    if !column.is_generated() {
        return Ok(vec![]);
    }
    generated::clause(query, table, column).map(|(_, checks)| checks)
}

/// The names of those, quoted.
pub(crate) fn check_names(
    query: &str,
    table: &TableInfo,
    column: &ColumnInfo,
) -> Result<Vec<String>, DdlError> {
    let checks = checks(query, table, column)?;
    let names = checks.iter().filter_map(|check| {
        let (name, _) = check.strip_prefix("CONSTRAINT ")?.split_once(" CHECK (")?;
        Some(name.to_owned())
    });
    Ok(names.collect())
}

/// A column's definition. `table` has the columns that it is generated from.
pub(crate) fn column(
    query: &str,
    table: &TableInfo,
    column: &ColumnInfo,
) -> Result<String, DdlError> {
    let ft = &column.field_type;
    let mut out = format!("{} {}", quoted(&column.name.o), type_text(ft));
    let is_text =
        (ft.tp.is_string() || matches!(ft.tp, Tp::Enum | Tp::Set)) && ft.charset != "binary";
    if is_text {
        let attributes = text_attributes(table.written_by(), &ft.charset, &ft.collate)
            .ok_or_else(|| unsupported(query, format!("collation {}", ft.collate)))?;
        let _ = write!(out, " {attributes}");
    }
    if column.is_generated() {
        // MariaDB has no NOT NULL of generated columns: a CHECK stands for it.
        out.push_str(&generated::clause(query, table, column)?.0);
        if column.hidden {
            out.push_str(" INVISIBLE");
        }
        if let Some(check) = mariadb_check::check(table.written_by(), column) {
            out.push_str(&check);
        }
        return Ok(out);
    }
    out.push_str(if ft.is_not_null() {
        " NOT NULL"
    } else {
        " NULL"
    });
    if ft.has(flag::AUTO_INCREMENT) {
        out.push_str(" AUTO_INCREMENT");
    }
    out.push_str(&default(column));
    if ft.has(flag::ON_UPDATE_NOW) {
        let _ = write!(out, " ON UPDATE CURRENT_TIMESTAMP{}", fsp(ft));
    }
    if let Some(check) = mariadb_check::check(table.written_by(), column) {
        out.push_str(&check);
    }
    Ok(out)
}

/// Whether MariaDB would fill the rows that are there with something else than TiDB when the column is added: with a now of its
/// own, or with an empty text for JSON.
pub(crate) fn is_filled_otherwise(column: &ColumnInfo) -> bool {
    let ft = &column.field_type;
    column.defaults_to_now() || ft.tp == Tp::Json && ft.is_not_null() && !column.is_generated()
}

/// Gives a column its default, or none.
pub(crate) fn set_default(column: &ColumnInfo) -> String {
    let clause = match default(column) {
        none if none.is_empty() => " DROP DEFAULT".to_owned(),
        default => format!(" SET{default}"),
    };
    format!("ALTER COLUMN {}{clause}", quoted(&column.name.o))
}

/// The temporary table in which virtual columns are computed.
pub(crate) const COMPUTING: &str = "`mysql`.`_tidb_computing`";
/// Its column that numbers rows.
pub(crate) const COMPUTING_NUMBER: &str = "`_tidb_n`";

/// `CREATE TEMPORARY TABLE` of some columns of a table, of which the others are computed.
pub(crate) fn computing(table: &TableInfo, columns: &[&ColumnInfo]) -> Result<String, DdlError> {
    let mut parts = vec![format!("{COMPUTING_NUMBER} INT NOT NULL PRIMARY KEY")];
    for column in columns {
        let mut plain = (*column).clone();
        plain.field_type.flag &= flag::UNSIGNED | flag::BINARY;
        (plain.default, plain.default_bit) = (None, None);
        parts.push(self::column("", table, &plain)?);
    }
    Ok(format!(
        "CREATE TEMPORARY TABLE {COMPUTING} ({}) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        parts.join(", ")
    ))
}

/// Where a table that is brought back is made.
pub(crate) const RESTORED: &str = "`mysql`.`_tidb_restored`";
/// Removes what a statement that was broken off has left there.
pub(crate) const DROP_RESTORED: &str = "DROP TABLE IF EXISTS `mysql`.`_tidb_restored`";

/// `CREATE TABLE` of a table that is brought back, where nobody sees it.
pub(crate) fn restoring(query: &str, db: &DbInfo, table: &TableInfo) -> Result<String, DdlError> {
    let created = create_table(query, db, table)?;
    let name = full_name(db, &table.name.o);
    Ok(created.replacen(&name, RESTORED, 1))
}

/// Gives it its name.
pub(crate) fn put_in_place(db: &DbInfo, name: &str) -> String {
    format!("RENAME TABLE {RESTORED} TO {}", full_name(db, name))
}

/// A type: TiDB's own text, in which only JSON and the widths of newer releases differ. There a backslash stands for itself. MariaDB
/// fills numbers up for ZEROFILL wherever they become text, TiDB nowhere.
fn type_text(ft: &FieldType) -> String {
    let mut ft = ft.clone();
    ft.flag &= !flag::ZEROFILL;
    for member in ft.elems.iter_mut().flatten() {
        *member = member.replace('\\', "\\\\");
    }
    show::type_text(&ft, false)
}

fn default(column: &ColumnInfo) -> String {
    let ft = &column.field_type;
    if let (Tp::Bit, Some(bits)) = (ft.tp, &column.default_bit) {
        let bytes = BASE64_STANDARD.decode(bits).unwrap_or_default();
        return format!(" DEFAULT 0x{}", hex::encode(bytes));
    }
    match column.default.as_deref() {
        None if ft.is_not_null() || ft.has(flag::NO_DEFAULT) => String::new(),
        None => " DEFAULT NULL".to_owned(),
        Some(NOW) => format!(" DEFAULT CURRENT_TIMESTAMP{}", fsp(ft)),
        Some(text) if ft.is_binary_string() => format!(" DEFAULT x'{}'", hex::encode(text)),
        // Of TIMESTAMP in UTC, as the front's session with MariaDB is while a plan is carried out.
        Some(text) => format!(" DEFAULT {}", string(text)),
    }
}

fn fsp(ft: &FieldType) -> String {
    if ft.decimal > 0 {
        format!("({})", ft.decimal)
    } else {
        String::new()
    }
}

/// The longest text of a column, or of its first characters, in MariaDB, in bytes. TiDB counts those of its own character set.
fn text_bytes(version: TidbVersion, ft: &FieldType, length: i64) -> i64 {
    let of_character = match (ft.charset.as_str(), version) {
        ("binary", _) | ("ascii", TidbVersion::V8_5) => 1,
        ("gbk", TidbVersion::V8_5) => 2,
        ("utf8", _) => 3,
        _ => 4,
    };
    of_character * if length < 0 { ft.flen } else { length }
}

/// Refuses a UNIQUE index of which MariaDB would make a hash, in a hidden column that would stand in the binlog.
pub(crate) fn check_unique(
    query: &str,
    version: TidbVersion,
    columns: &[ColumnInfo],
    index: &IndexInfo,
) -> Result<(), DdlError> {
    const MOST: i64 = 3072;
    let texts = index.columns.iter().filter_map(|part| {
        let ft = &columns.get(part.offset)?.field_type;
        let bytes = text_bytes(version, ft, part.length);
        ft.tp.is_string().then_some(bytes)
    });
    match index.is_unique && texts.sum::<i64>() > MOST {
        true => Err(unsupported(
            query,
            format!(
                "the unique index {:?} of more than {MOST} bytes in MariaDB, which has latin1 and the like in UTF-8",
                index.name.o
            ),
        )),
        false => Ok(()),
    }
}

/// An index's definition. Whether it is visible and its comment are TiDB's business.
pub(crate) fn index(
    query: &str,
    version: TidbVersion,
    of: &[ColumnInfo],
    index: &IndexInfo,
) -> Result<String, DdlError> {
    check_unique(query, version, of, index)?;
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|part| match part.length {
            n if n >= 0 => format!("{}({n})", quoted(&part.name.o)),
            _ => quoted(&part.name.o),
        })
        .collect();
    let columns = columns.join(", ");
    Ok(match (index.is_primary, index.is_unique) {
        (true, _) => format!("PRIMARY KEY ({columns})"),
        (false, true) => format!("UNIQUE KEY {} ({columns})", index_name(&index.name)),
        (false, false) => format!("KEY {} ({columns})", index_name(&index.name)),
    })
}

/// A foreign key's definition: one that changes no rows.
pub(crate) fn foreign_key(key: &ForeignKeyInfo) -> String {
    let list = |names: &[CiStr]| {
        let names: Vec<String> = names.iter().map(|name| quoted(&name.o)).collect();
        names.join(", ")
    };
    let schema = key.ref_schema.as_ref().map_or("", |schema| &schema.o);
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {}.{} ({})",
        quoted(&key.fk_name.o),
        list(&key.cols),
        quoted(schema),
        quoted(&key.ref_table.o),
        list(&key.ref_cols)
    )
}

/// An index's quoted name. TiDB may have one whose name is empty; MariaDB has it under another.
pub(crate) fn index_name(name: &CiStr) -> String {
    const UNNAMED: &str = "_tidb_unnamed";
    quoted(if name.o.is_empty() { UNNAMED } else { &name.o })
}

/// `` `db`.`table` ``.
pub(crate) fn full_name(db: &DbInfo, table: &str) -> String {
    format!("{}.{}", quoted(&db.name.o), quoted(table))
}

/// A quoted name.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string literal that means the same whether backslashes escape or not.
pub(crate) fn string(text: &str) -> String {
    if text.contains(['\\', '\0']) {
        return format!("CONVERT(x'{}' USING utf8mb4)", hex::encode(text));
    }
    format!("'{}'", text.replace('\'', "''"))
}
