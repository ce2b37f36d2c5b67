//! `SHOW CREATE TABLE` and `SHOW CREATE DATABASE` as TiDB prints them from its own description.

use super::model::{ColumnInfo, DbInfo, FieldType, IndexInfo, TableInfo, Tp, flag};
pub use super::show_object::{create_sequence, create_view};
pub(crate) use super::show_partition::definitions as partition_definitions;
use super::{TidbVersion, Zone, charset, show_object, show_partition};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::fmt::Write as _;

/// What a table's text needs to know beside its description.
#[derive(Debug, Clone, Default)]
pub struct ShowOptions<'a> {
    /// The table's database: foreign keys into it do not name it.
    pub database: Option<&'a str>,
    /// The next AUTO_INCREMENT value, shown if above 1.
    pub auto_increment: Option<u64>,
    /// The first AUTO_RANDOM value that no server has taken, shard bits left out, shown if above 1.
    pub auto_random: Option<u64>,
    /// The session's time zone: TIMESTAMP defaults are stored in UTC.
    pub zone: Zone,
}

/// The text of `SHOW CREATE TABLE`.
pub fn create_table(table: &TableInfo, options: ShowOptions<'_>) -> String {
    let modern = table.written_by() >= TidbVersion::V8_5;
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .filter(|c| !c.hidden)
        .map(|c| column(table, c, &options.zone))
        .collect();
    if let Some(handle) = table.handle_column() {
        let clustered = if modern {
            " /*T![clustered_index] CLUSTERED */"
        } else {
            ""
        };
        lines.push(format!(
            "  PRIMARY KEY ({}){clustered}",
            quoted(&handle.name.o)
        ));
    }
    lines.extend(table.indexes.iter().map(|i| index(table, i)));
    lines.extend(show_object::foreign_keys(table, options.database));
    let mut out = format!(
        "CREATE {}TABLE {} (\n{}\n) ENGINE=InnoDB DEFAULT CHARSET={} COLLATE={}",
        if table.temp_table_type.is_some_and(|kind| kind > 0) {
            "TEMPORARY "
        } else {
            ""
        },
        quoted(&table.name.o),
        lines.join(",\n"),
        table.charset,
        table.collate
    );
    if let Some(next) = options.auto_increment.filter(|n| *n > 1) {
        let _ = write!(out, " AUTO_INCREMENT={next}");
    }
    if table.auto_id_cache != 0 {
        let _ = write!(
            out,
            " /*T![auto_id_cache] AUTO_ID_CACHE={} */",
            table.auto_id_cache
        );
    }
    if let Some(next) = options.auto_random.filter(|n| *n > 1) {
        let _ = write!(out, " /*T![auto_rand_base] AUTO_RANDOM_BASE={next} */");
    }
    if table.shard_row_id_bits > 0 {
        let _ = write!(out, " /*T! SHARD_ROW_ID_BITS={} ", table.shard_row_id_bits);
        if table.pre_split_regions > 0 {
            let _ = write!(out, "PRE_SPLIT_REGIONS={} ", table.pre_split_regions);
        }
        out.push_str("*/");
    }
    if !table.comment.is_empty() {
        let _ = write!(out, " COMMENT='{}'", escaped(&table.comment));
    }
    out.push_str(&show_object::table_suffix(table));
    if let Some(partition) = table.partitions() {
        out.push_str(&show_partition::clause(table.written_by(), partition));
    }
    out
}

/// The text of `SHOW CREATE DATABASE`.
pub fn create_database(db: &DbInfo) -> String {
    let mut out = format!(
        "CREATE DATABASE {} /*!40100 DEFAULT CHARACTER SET {} ",
        quoted(&db.name.o),
        db.charset
    );
    if charset::default_collation(&db.charset) != Some(db.collate.as_str()) {
        let _ = write!(out, "COLLATE {} ", db.collate);
    }
    out.push_str("*/");
    out.push_str(&show_object::placement(&db.policy_ref_info));
    out
}

fn column(table: &TableInfo, column: &ColumnInfo, zone: &Zone) -> String {
    let ft = &column.field_type;
    let modern = table.written_by() >= TidbVersion::V8_5;
    let mut out = format!("  {} {}", quoted(&column.name.o), type_text(ft, modern));
    if !ft.charset.is_empty() && ft.charset != "binary" {
        if ft.charset != table.charset {
            let _ = write!(out, " CHARACTER SET {}", ft.charset);
        }
        if ft.collate != table.collate {
            let _ = write!(out, " COLLATE {}", ft.collate);
        }
    }
    if column.is_generated() {
        let kind = if column.generated_stored {
            "STORED"
        } else {
            "VIRTUAL"
        };
        let _ = write!(
            out,
            " GENERATED ALWAYS AS ({}) {kind}",
            column.generated_expr_string
        );
    }
    if ft.has(flag::AUTO_INCREMENT) {
        out.push_str(" NOT NULL AUTO_INCREMENT");
    } else {
        if ft.is_not_null() {
            out.push_str(" NOT NULL");
        }
        if !ft.has(flag::NO_DEFAULT) && !column.is_generated() {
            out.push_str(&default(column, modern, zone));
        }
        if ft.has(flag::ON_UPDATE_NOW) {
            out.push_str(" ON UPDATE CURRENT_TIMESTAMP");
            out.push_str(&fsp(ft));
        }
    }
    if table.auto_random_bits > 0 && table.handle_column().is_some_and(|h| h.id == column.id) {
        let range = match table.auto_random_range_bits {
            Some(bits) if bits != 0 && bits != 64 => format!(", {bits}"),
            _ => String::new(),
        };
        let _ = write!(
            out,
            " /*T![auto_rand] AUTO_RANDOM({}{range}) */",
            table.auto_random_bits
        );
    }
    if !column.comment.is_empty() {
        let _ = write!(out, " COMMENT '{}'", escaped(&column.comment));
    }
    out
}

fn default(column: &ColumnInfo, modern: bool, zone: &Zone) -> String {
    let ft = &column.field_type;
    if let (Tp::Bit, Some(bits)) = (ft.tp, &column.default_bit) {
        return format!(" DEFAULT {}", bit_literal(bits));
    }
    let Some(text) = &column.default else {
        return match (ft.is_not_null(), ft.tp) {
            (true, _) => String::new(),
            (false, Tp::Timestamp) => " NULL DEFAULT NULL".to_owned(),
            (false, _) => " DEFAULT NULL".to_owned(),
        };
    };
    if text == "CURRENT_TIMESTAMP" {
        return format!(" DEFAULT CURRENT_TIMESTAMP{}", fsp(ft));
    }
    if column.default_is_expr {
        return format!(" DEFAULT {text}");
    }
    if !modern && is_number(ft.tp) {
        return format!(" DEFAULT {text}");
    }
    let text = if ft.tp == Tp::Timestamp {
        zone.shown(text, ft.decimal)
    } else {
        text.clone()
    };
    format!(" DEFAULT '{}'", escaped(&text))
}

fn is_number(tp: Tp) -> bool {
    tp.is_integer() || matches!(tp, Tp::Float | Tp::Double | Tp::NewDecimal)
}

/// `b'101'` of base64 bytes.
fn bit_literal(base64: &str) -> String {
    let bytes = BASE64_STANDARD.decode(base64).unwrap_or_default();
    let bits: String = bytes.iter().map(|b| format!("{b:08b}")).collect();
    let bits = bits.trim_start_matches('0');
    format!("b'{}'", if bits.is_empty() { "0" } else { bits })
}

fn fsp(ft: &FieldType) -> String {
    if ft.decimal > 0 {
        format!("({})", ft.decimal)
    } else {
        String::new()
    }
}

fn index(table: &TableInfo, index: &IndexInfo) -> String {
    let mut out = if index.is_primary {
        "  PRIMARY KEY ".to_owned()
    } else if index.is_unique {
        format!("  UNIQUE KEY {} ", quoted(&index.name.o))
    } else {
        format!("  KEY {} ", quoted(&index.name.o))
    };
    let columns: Vec<String> = index
        .columns
        .iter()
        .map(|part| match table.columns.get(part.offset) {
            Some(c) if c.hidden => format!("({})", c.generated_expr_string),
            _ if part.length >= 0 => format!("{}({})", quoted(&part.name.o), part.length),
            _ => quoted(&part.name.o),
        })
        .collect();
    let _ = write!(out, "({})", columns.join(","));
    let modern = table.written_by() >= TidbVersion::V8_5;
    if index.is_invisible {
        out.push_str(" /*!80000 INVISIBLE */");
    }
    if modern && !index.comment.is_empty() {
        let _ = write!(out, " COMMENT '{}'", escaped(&index.comment));
    }
    if modern && index.is_primary {
        let clustered = if table.has_row_id() {
            "NONCLUSTERED"
        } else {
            "CLUSTERED"
        };
        let _ = write!(out, " /*T![clustered_index] {clustered} */");
    }
    out
}

/// A column's type as SHOW CREATE TABLE, SHOW COLUMNS and the information schema print it.
pub fn type_text(ft: &FieldType, modern: bool) -> String {
    let binary = ft.charset == "binary";
    let pick = |text: &str, blob: &str| {
        if binary {
            blob.to_owned()
        } else {
            text.to_owned()
        }
    };
    let mut out = match ft.tp {
        Tp::Tiny | Tp::Short | Tp::Int24 | Tp::Long | Tp::LongLong => integer(ft, modern),
        Tp::Float => with_digits("float", ft),
        Tp::Double => with_digits("double", ft),
        Tp::NewDecimal => format!("decimal({},{})", ft.flen, ft.decimal),
        Tp::Date | Tp::NewDate => "date".to_owned(),
        Tp::Datetime => format!("datetime{}", fsp(ft)),
        Tp::Timestamp => format!("timestamp{}", fsp(ft)),
        Tp::Duration => format!("time{}", fsp(ft)),
        Tp::Year => format!("year({})", ft.flen),
        Tp::Bit => format!("bit({})", ft.flen),
        Tp::Json => "json".to_owned(),
        Tp::Enum => format!("enum({})", members(ft)),
        Tp::Set => format!("set({})", members(ft)),
        Tp::Varchar | Tp::VarString => format!("{}({})", pick("varchar", "varbinary"), ft.flen),
        Tp::String => format!("{}({})", pick("char", "binary"), ft.flen),
        Tp::TinyBlob => pick("tinytext", "tinyblob"),
        Tp::Blob => pick("text", "blob"),
        Tp::MediumBlob => pick("mediumtext", "mediumblob"),
        Tp::LongBlob => pick("longtext", "longblob"),
        Tp::Vector => "vector".to_owned(),
        Tp::Null | Tp::Unspecified => "null".to_owned(),
        Tp::Geometry => "geometry".to_owned(),
    };
    let numeric = is_number(ft.tp);
    if numeric && ft.is_unsigned() {
        out.push_str(" unsigned");
    }
    if numeric && ft.has(flag::ZEROFILL) {
        out.push_str(" zerofill");
    }
    out
}

fn integer(ft: &FieldType, modern: bool) -> String {
    let name = match ft.tp {
        Tp::Tiny => "tinyint",
        Tp::Short => "smallint",
        Tp::Int24 => "mediumint",
        Tp::Long => "int",
        _ => "bigint",
    };
    // Newer releases show a width only where it still means something: BOOL and ZEROFILL.
    let shown = !modern || ft.has(flag::ZEROFILL) || ft.tp == Tp::Tiny && ft.flen == 1;
    if shown {
        format!("{name}({})", ft.flen)
    } else {
        name.to_owned()
    }
}

fn with_digits(name: &str, ft: &FieldType) -> String {
    if ft.decimal >= 0 {
        format!("{name}({},{})", ft.flen, ft.decimal)
    } else {
        name.to_owned()
    }
}

fn members(ft: &FieldType) -> String {
    let members: Vec<String> = ft
        .elems
        .iter()
        .flatten()
        .map(|m| format!("'{}'", escaped(m)))
        .collect();
    members.join(",")
}

pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push_str("\\0"),
            '\'' => out.push_str("''"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out
}
