//! The keys of a table, and `SHOW INDEX` as TiDB prints it.

use super::text::literal;
use crate::tidb::catalog::model::{IndexInfo, SchemaState};
use crate::tidb::catalog::{TableInfo, TidbVersion};

/// The name of every primary key.
const PRIMARY: &str = "PRIMARY";

/// A column of a key.
pub(super) struct Part<'a> {
    pub(super) table: &'a TableInfo,
    pub(super) key: &'a str,
    /// None for an integer primary key, which is the handle and no index.
    pub(super) index: Option<&'a IndexInfo>,
    pub(super) unique: bool,
    /// From 1.
    pub(super) seq: usize,
    pub(super) column: &'a str,
    pub(super) nullable: bool,
    pub(super) prefix: Option<i64>,
    /// The expression of an index over one: its column is hidden.
    pub(super) expression: Option<&'a str>,
}

/// All parts of a table's keys, in TiDB's order: the handle first, then the indexes as they were made.
pub(super) fn parts(table: &TableInfo) -> Vec<Part<'_>> {
    let mut out = Vec::new();
    if let Some(handle) = table.handle_column() {
        out.push(Part {
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
    let indexes = table.indexes.iter();
    for index in indexes.filter(|index| index.state == SchemaState::Public) {
        for (i, part) in index.columns.iter().enumerate() {
            let column = table.columns.get(part.offset);
            out.push(Part {
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
    out
}

impl Part<'_> {
    pub(super) fn is_primary(&self) -> bool {
        self.index.is_none_or(|index| index.is_primary)
    }

    pub(super) fn comment(&self) -> &str {
        self.index.map_or("", |index| &index.comment)
    }

    pub(super) fn visible(&self) -> bool {
        !self.index.is_some_and(|index| index.is_invisible)
    }

    pub(super) fn clustered(&self) -> bool {
        self.is_primary() && !self.table.has_row_id()
    }

    pub(super) fn global(&self) -> bool {
        self.index.is_some_and(|i| i.is_global == Some(true))
    }

    /// SQL expressions of the row of SHOW INDEX.
    fn row(&self, modern: bool) -> Vec<String> {
        let yes_no = |yes: bool| literal(if yes { "YES" } else { "NO" });
        // 4.0, which has no expressions here, tells the word for NULL, and all but the primary key's columns as nullable.
        let (column, expression) = match (self.expression, modern) {
            (None, true) => (literal(self.column), "NULL".to_owned()),
            (None, false) => (literal(self.column), literal("NULL")),
            (Some(expression), _) => ("NULL".to_owned(), literal(expression)),
        };
        let nullable = match modern {
            true => self.nullable,
            false => self.key != PRIMARY,
        };
        let mut row = vec![
            literal(&self.table.name.o),
            if self.unique { "0" } else { "1" }.to_owned(),
            literal(self.key),
            self.seq.to_string(),
            column,
            literal("A"),
            "0".to_owned(),
            self.prefix.map_or("NULL".to_owned(), |n| n.to_string()),
            "NULL".to_owned(),
            literal(if nullable { "YES" } else { "" }),
            literal("BTREE"),
            literal(""),
            literal(self.comment()),
            yes_no(self.visible()),
            expression,
        ];
        if modern {
            row.extend([yes_no(self.clustered()), yes_no(self.global())]);
        }
        row
    }
}

/// Column names and rows of SQL expressions.
pub(super) fn rows(table: &TableInfo) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let modern = table.written_by() >= TidbVersion::V8_5;
    let mut columns = vec![
        "Table",
        "Non_unique",
        "Key_name",
        "Seq_in_index",
        "Column_name",
        "Collation",
        "Cardinality",
        "Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
        "Index_comment",
        "Visible",
        "Expression",
    ];
    if modern {
        columns.extend(["Clustered", "Global"]);
    }
    let rows = parts(table).iter().map(|part| part.row(modern)).collect();
    (columns, rows)
}
