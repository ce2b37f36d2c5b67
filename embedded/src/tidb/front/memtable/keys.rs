//! `information_schema.statistics`, `key_column_usage`, `table_constraints`, `tidb_indexes`.

use serde_json::Value;

use super::Kind::{Long, Number, Text};
use super::tables::sorted;
use super::{Kind, MemTable};
use crate::tidb::catalog::model::{IndexInfo, SchemaState};
use crate::tidb::catalog::{Catalog, TableInfo, TidbVersion};

/// The name of every primary key.
const PRIMARY: &str = "PRIMARY";

/// A column of a key.
struct Part<'a> {
    database: &'a str,
    table: &'a TableInfo,
    key: &'a str,
    /// None for an integer primary key, which is the handle and no index.
    index: Option<&'a IndexInfo>,
    unique: bool,
    /// From 1.
    seq: usize,
    column: &'a str,
    nullable: bool,
    prefix: Option<i64>,
    /// The expression of an index over one: its column is hidden.
    expression: Option<&'a str>,
}

/// All parts of all keys, in TiDB's order: the handle first, then the indexes as they were made.
fn parts(catalog: &Catalog) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    for db in catalog.databases() {
        for table in sorted(db) {
            let database = db.info.name.o.as_str();
            if let Some(handle) = table.handle_column() {
                out.push(Part {
                    database,
                    table,
                    key: PRIMARY,
                    index: None,
                    unique: true,
                    seq: 1,
                    column: &handle.name.o,
                    nullable: false,
                    prefix: None,
                    expression: None,
                });
            }
            let public = table
                .indexes
                .iter()
                .filter(|index| index.state == SchemaState::Public);
            for index in public {
                for (i, part) in index.columns.iter().enumerate() {
                    let column = table.columns.get(part.offset);
                    out.push(Part {
                        database,
                        table,
                        key: if index.is_primary {
                            PRIMARY
                        } else {
                            &index.name.o
                        },
                        index: Some(index),
                        unique: index.is_unique,
                        seq: i + 1,
                        column: &part.name.o,
                        nullable: column.is_some_and(|c| !c.field_type.is_not_null()),
                        prefix: Some(part.length).filter(|n| *n >= 0),
                        expression: column
                            .filter(|c| c.hidden)
                            .map(|c| c.generated_expr_string.as_str()),
                    });
                }
            }
        }
    }
    out
}

impl Part<'_> {
    fn is_primary(&self) -> bool {
        self.index.is_none_or(|index| index.is_primary)
    }

    /// 4.0 tells the word, 8.5 NULL.
    fn expression(&self, release: TidbVersion) -> Value {
        match (self.expression, release) {
            (Some(expression), _) => expression.into(),
            (None, TidbVersion::V4_0) => "NULL".into(),
            (None, TidbVersion::V8_5) => Value::Null,
        }
    }

    /// The column, unless it is hidden.
    fn column(&self) -> Value {
        match self.expression {
            Some(_) => Value::Null,
            None => self.column.into(),
        }
    }

    fn comment(&self) -> &str {
        self.index.map_or("", |index| &index.comment)
    }

    fn visible(&self) -> &'static str {
        yes_no(!self.index.is_some_and(|index| index.is_invisible))
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
        .iter()
        .map(|part| {
            vec![
                "def".into(),
                part.database.into(),
                part.table.name.o.clone().into(),
                u8::from(!part.unique).into(),
                part.database.into(),
                part.key.into(),
                part.seq.into(),
                part.column(),
                "A".into(),
                0.into(),
                part.prefix.into(),
                Value::Null,
                if part.nullable { "YES" } else { "" }.into(),
                "BTREE".into(),
                "".into(),
                part.comment().into(),
                part.visible().into(),
                part.expression(catalog.version()),
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
        .iter()
        .filter(|part| part.unique && part.expression.is_none())
        .map(|part| {
            let position = match part.index {
                None => 1.into(),
                Some(_) => Value::Null,
            };
            vec![
                "def".into(),
                part.database.into(),
                part.key.into(),
                "def".into(),
                part.database.into(),
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
        .iter()
        .filter(|part| part.unique && part.seq == 1)
        .map(|part| {
            let kind = match part.is_primary() {
                true => "PRIMARY KEY",
                false => "UNIQUE",
            };
            vec![
                "def".into(),
                part.database.into(),
                part.key.into(),
                part.database.into(),
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
        .iter()
        .map(|part| {
            let id = part.index.map_or(0, |index| index.id);
            let mut row = vec![
                part.database.into(),
                part.table.name.o.clone().into(),
                u8::from(!part.unique).into(),
                part.key.into(),
                part.seq.into(),
                part.column(),
                part.prefix.into(),
                part.comment().into(),
                part.expression(catalog.version()),
                id.into(),
                part.visible().into(),
            ];
            if modern {
                let clustered = part.is_primary() && !part.table.has_row_id();
                let global = part.index.is_some_and(|i| i.is_global == Some(true));
                row.extend([yes_no(clustered).into(), u8::from(global).into()]);
            }
            row
        })
        .collect();
    MemTable { columns, rows }
}
