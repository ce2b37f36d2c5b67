//! `information_schema.columns`.

use serde_json::Value;

use super::Kind::{Long, Number, Text};
use super::tables::sorted;
use super::{Kind, MemTable};
use crate::tidb::catalog::model::{ColumnInfo, FieldType, Tp, flag};
use crate::tidb::catalog::{Catalog, TableInfo, TidbVersion, Zone, max_len, show};
use crate::tidb::front::columns as shown;

const COLUMNS: [(&str, Kind); 21] = [
    ("TABLE_CATALOG", Text(512)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("COLUMN_NAME", Text(64)),
    ("ORDINAL_POSITION", Number),
    ("COLUMN_DEFAULT", Long),
    ("IS_NULLABLE", Text(3)),
    ("DATA_TYPE", Text(64)),
    ("CHARACTER_MAXIMUM_LENGTH", Number),
    ("CHARACTER_OCTET_LENGTH", Number),
    ("NUMERIC_PRECISION", Number),
    ("NUMERIC_SCALE", Number),
    ("DATETIME_PRECISION", Number),
    ("CHARACTER_SET_NAME", Text(32)),
    ("COLLATION_NAME", Text(32)),
    ("COLUMN_TYPE", Long),
    ("COLUMN_KEY", Text(3)),
    ("EXTRA", Text(45)),
    ("PRIVILEGES", Text(80)),
    ("COLUMN_COMMENT", Text(1024)),
    ("GENERATION_EXPRESSION", Long),
];

pub(super) fn columns(catalog: &Catalog, zone: &Zone) -> MemTable {
    let mut rows = Vec::new();
    for db in catalog.databases() {
        // What the columns of a view hold is not known here.
        for table in sorted(db).into_iter().filter(|table| table.is_base_table()) {
            let shown = table.columns.iter().filter(|column| !column.hidden);
            rows.extend(
                shown
                    .enumerate()
                    .map(|(i, column)| row(&db.info.name.o, table, i + 1, column, zone)),
            );
        }
    }
    MemTable {
        columns: COLUMNS.to_vec(),
        rows,
    }
}

fn row(
    database: &str,
    table: &TableInfo,
    position: usize,
    column: &ColumnInfo,
    zone: &Zone,
) -> Vec<Value> {
    let ft = &column.field_type;
    let modern = table.written_by() >= TidbVersion::V8_5;
    let mut kind = show::type_text(ft, modern);
    let data_type = kind.split(['(', ' ']).next().unwrap_or_default().to_owned();
    if !modern && ft.tp == Tp::Bit && ft.has(flag::UNSIGNED) {
        kind.push_str(" unsigned");
    }
    let is_text = !ft.charset.is_empty() && ft.charset != "binary";
    let text = |text: &str| match is_text {
        true => Value::from(text),
        false => Value::Null,
    };
    let sizes = Sizes::of(ft, modern);
    vec![
        "def".into(),
        database.into(),
        table.name.o.clone().into(),
        column.name.o.clone().into(),
        position.into(),
        shown::default(column, zone).into(),
        if ft.is_not_null() { "NO" } else { "YES" }.into(),
        data_type.into(),
        sizes.characters.into(),
        sizes.octets.into(),
        sizes.precision.into(),
        sizes.scale.into(),
        sizes.fraction.into(),
        text(&ft.charset),
        text(&ft.collate),
        kind.into(),
        shown::key(ft).into(),
        shown::extra(column).into(),
        shown::PRIVILEGES.into(),
        column.comment.clone().into(),
        column.generated_expr_string.clone().into(),
    ]
}

/// The lengths of a type; TiDB tells the display width of integers as their precision.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sizes {
    characters: Option<i64>,
    octets: Option<i64>,
    precision: Option<i64>,
    scale: Option<i64>,
    fraction: Option<i64>,
}

impl Sizes {
    fn of(ft: &FieldType, modern: bool) -> Self {
        let elems = ft.elems.as_deref().unwrap_or_default();
        let lengths = elems.iter().map(|e| e.chars().count() as i64);
        let of_text = |characters: i64| {
            let width = match modern {
                true => max_len(&ft.charset),
                false => 1,
            };
            Self {
                characters: Some(characters),
                octets: Some(match ft.tp.is_blob() {
                    true => characters,
                    false => characters.saturating_mul(width),
                }),
                ..Self::default()
            }
        };
        let flen = Some(ft.flen)
            .filter(|n| *n >= 0)
            .unwrap_or(default_length(ft.tp));
        let decimal = Some(ft.decimal).filter(|n| *n >= 0);
        match ft.tp {
            Tp::Set => of_text(lengths.sum::<i64>() + (elems.len() as i64 - 1).max(0)),
            Tp::Enum => of_text(lengths.max().unwrap_or(0)),
            tp if tp.is_string() => of_text(flen),
            Tp::Datetime | Tp::Timestamp | Tp::Duration => Self {
                fraction: Some(decimal.unwrap_or(0)),
                ..Self::default()
            },
            Tp::Float | Tp::Double => Self {
                precision: Some(flen),
                scale: decimal,
                ..Self::default()
            },
            tp if tp.is_integer() || matches!(tp, Tp::NewDecimal | Tp::Bit | Tp::Year) => Self {
                precision: Some(flen),
                scale: Some(decimal.unwrap_or(0)),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

/// The length of a type that was given none.
fn default_length(tp: Tp) -> i64 {
    match tp {
        Tp::Tiny | Tp::Year => 4,
        Tp::Short => 6,
        Tp::Int24 => 9,
        Tp::Long => 11,
        Tp::LongLong => 20,
        Tp::Float => 12,
        Tp::Double => 22,
        Tp::NewDecimal => 10,
        Tp::Bit | Tp::String => 1,
        Tp::TinyBlob => 255,
        Tp::Blob => 65_535,
        Tp::MediumBlob => 16_777_215,
        Tp::LongBlob => 4_294_967_295,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(tp: Tp, flen: i64, decimal: i64, charset: &str) -> Sizes {
        let mut ft = FieldType::new(TidbVersion::V8_5, tp);
        (ft.flen, ft.decimal, ft.charset) = (flen, decimal, charset.to_owned());
        ft.elems = Some(vec!["a".to_owned(), "bcd".to_owned()]);
        Sizes::of(&ft, true)
    }

    #[test]
    fn types_have_sizes() {
        let text = |characters, octets| Sizes {
            characters: Some(characters),
            octets: Some(octets),
            ..Sizes::default()
        };
        assert_eq!(sizes(Tp::Varchar, 10, 0, "utf8mb4"), text(10, 40));
        assert_eq!(sizes(Tp::Varchar, 10, 0, "binary"), text(10, 10));
        assert_eq!(sizes(Tp::Blob, 65_535, 0, "utf8mb4"), text(65_535, 65_535));
        assert_eq!(sizes(Tp::Set, 5, 0, "latin1"), text(5, 5));
        assert_eq!(sizes(Tp::Enum, 3, 0, "utf8mb4"), text(3, 12));
        let number = |precision, scale| Sizes {
            precision: Some(precision),
            scale,
            ..Sizes::default()
        };
        assert_eq!(sizes(Tp::Long, 11, 0, "binary"), number(11, Some(0)));
        assert_eq!(sizes(Tp::NewDecimal, 5, 2, "binary"), number(5, Some(2)));
        assert_eq!(sizes(Tp::Double, 22, -1, "binary"), number(22, None));
        assert_eq!(sizes(Tp::Datetime, 23, 3, "binary").fraction, Some(3));
        assert_eq!(sizes(Tp::Json, 0, 0, "binary"), Sizes::default());
    }
}
