//! `information_schema.statistics`, `key_column_usage`, `table_constraints`, `tidb_indexes`.

use serde_json::Value;

use super::Kind::{Long, Number, Text};
use super::tables::sorted;
use super::{Kind, MemTable};
use crate::tidb::catalog::{Catalog, TidbVersion};
use crate::tidb::front::indexes::{self, Part};

/// All parts of all keys, in TiDB's order.
fn parts(catalog: &Catalog) -> impl Iterator<Item = (&str, Part<'_>)> {
    catalog.databases().flat_map(|db| {
        let database = db.info.name.o.as_str();
        let tables = sorted(db).into_iter();
        tables.flat_map(move |table| {
            let parts = indexes::parts(table).into_iter();
            parts.map(move |part| (database, part))
        })
    })
}

/// 4.0 tells the word, 8.5 NULL.
fn expression(part: &Part<'_>, release: TidbVersion) -> Value {
    match (part.expression, release) {
        (Some(expression), _) => expression.into(),
        (None, TidbVersion::V4_0) => "NULL".into(),
        (None, TidbVersion::V8_5) => Value::Null,
    }
}

/// The column, unless it is hidden.
fn column(part: &Part<'_>) -> Value {
    match part.expression {
        Some(_) => Value::Null,
        None => part.column.into(),
    }
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "YES" } else { "NO" }
}

const STATISTICS: [(&str, Kind); 18] = [
    ("TABLE_CATALOG", Text(512)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("NON_UNIQUE", Number),
    ("INDEX_SCHEMA", Text(64)),
    ("INDEX_NAME", Text(64)),
    ("SEQ_IN_INDEX", Number),
    ("COLUMN_NAME", Text(64)),
    ("COLLATION", Text(1)),
    ("CARDINALITY", Number),
    ("SUB_PART", Number),
    ("PACKED", Text(10)),
    ("NULLABLE", Text(3)),
    ("INDEX_TYPE", Text(16)),
    ("COMMENT", Text(16)),
    ("INDEX_COMMENT", Text(1024)),
    ("IS_VISIBLE", Text(3)),
    ("Expression", Long),
];

pub(super) fn statistics(catalog: &Catalog) -> MemTable {
    let rows = parts(catalog)
        .map(|(database, part)| {
            vec![
                "def".into(),
                database.into(),
                part.table.name.o.clone().into(),
                u8::from(!part.unique).into(),
                database.into(),
                part.key.into(),
                part.seq.into(),
                column(&part),
                "A".into(),
                0.into(),
                part.prefix.into(),
                Value::Null,
                if part.nullable { "YES" } else { "" }.into(),
                "BTREE".into(),
                "".into(),
                part.comment().into(),
                yes_no(part.visible()).into(),
                expression(&part, catalog.version()),
            ]
        })
        .collect();
    MemTable {
        columns: STATISTICS.to_vec(),
        rows,
    }
}

const KEY_COLUMN_USAGE: [(&str, Kind); 12] = [
    ("CONSTRAINT_CATALOG", Text(512)),
    ("CONSTRAINT_SCHEMA", Text(64)),
    ("CONSTRAINT_NAME", Text(64)),
    ("TABLE_CATALOG", Text(512)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("COLUMN_NAME", Text(64)),
    ("ORDINAL_POSITION", Number),
    ("POSITION_IN_UNIQUE_CONSTRAINT", Number),
    ("REFERENCED_TABLE_SCHEMA", Text(64)),
    ("REFERENCED_TABLE_NAME", Text(64)),
    ("REFERENCED_COLUMN_NAME", Text(64)),
];

pub(super) fn key_column_usage(catalog: &Catalog) -> MemTable {
    let rows = parts(catalog)
        .filter(|(_, part)| part.unique && part.expression.is_none())
        .map(|(database, part)| {
            let position = match part.index {
                None => 1.into(),
                Some(_) => Value::Null,
            };
            vec![
                "def".into(),
                database.into(),
                part.key.into(),
                "def".into(),
                database.into(),
                part.table.name.o.clone().into(),
                part.column.into(),
                part.seq.into(),
                position,
                Value::Null,
                Value::Null,
                Value::Null,
            ]
        })
        .collect();
    MemTable {
        columns: KEY_COLUMN_USAGE.to_vec(),
        rows,
    }
}

const TABLE_CONSTRAINTS: [(&str, Kind); 6] = [
    ("CONSTRAINT_CATALOG", Text(512)),
    ("CONSTRAINT_SCHEMA", Text(64)),
    ("CONSTRAINT_NAME", Text(64)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("CONSTRAINT_TYPE", Text(64)),
];

pub(super) fn table_constraints(catalog: &Catalog) -> MemTable {
    let rows = parts(catalog)
        .filter(|(_, part)| part.unique && part.seq == 1)
        .map(|(database, part)| {
            let kind = match part.is_primary() {
                true => "PRIMARY KEY",
                false => "UNIQUE",
            };
            vec![
                "def".into(),
                database.into(),
                part.key.into(),
                database.into(),
                part.table.name.o.clone().into(),
                kind.into(),
            ]
        })
        .collect();
    MemTable {
        columns: TABLE_CONSTRAINTS.to_vec(),
        rows,
    }
}

const TIDB_INDEXES: [(&str, Kind); 11] = [
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("NON_UNIQUE", Number),
    ("KEY_NAME", Text(64)),
    ("SEQ_IN_INDEX", Number),
    ("COLUMN_NAME", Text(64)),
    ("SUB_PART", Number),
    ("INDEX_COMMENT", Text(2048)),
    ("Expression", Long),
    ("INDEX_ID", Number),
    ("IS_VISIBLE", Text(64)),
];

pub(super) fn tidb_indexes(catalog: &Catalog) -> MemTable {
    let modern = catalog.version() >= TidbVersion::V8_5;
    let mut columns = TIDB_INDEXES.to_vec();
    if modern {
        columns.extend([("CLUSTERED", Text(64)), ("IS_GLOBAL", Number)]);
    }
    let rows = parts(catalog)
        .map(|(database, part)| {
            let id = part.index.map_or(0, |index| index.id);
            let mut row = vec![
                database.into(),
                part.table.name.o.clone().into(),
                u8::from(!part.unique).into(),
                part.key.into(),
                part.seq.into(),
                column(&part),
                part.prefix.into(),
                part.comment().into(),
                expression(&part, catalog.version()),
                id.into(),
                yes_no(part.visible()).into(),
            ];
            if modern {
                row.extend([
                    yes_no(part.clustered()).into(),
                    u8::from(part.global()).into(),
                ]);
            }
            row
        })
        .collect();
    MemTable { columns, rows }
}
