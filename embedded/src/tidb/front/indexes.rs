//! `SHOW INDEX` as TiDB prints it.

use super::text::literal;
use crate::tidb::catalog::TableInfo;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::model::IndexInfo;

/// One part of a key.
struct Part<'a> {
    unique: bool,
    key: &'a str,
    seq: usize,
    column: &'a str,
    prefix: Option<i64>,
    nullable: bool,
    comment: &'a str,
    visible: bool,
    clustered: bool,
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
    let mut parts = Vec::new();
    if let Some(handle) = table.handle_column() {
        parts.push(Part {
            unique: true,
            key: "PRIMARY",
            seq: 1,
            column: &handle.name.o,
            prefix: None,
            nullable: false,
            comment: "",
            visible: true,
            clustered: true,
        });
    }
    for index in &table.indexes {
        parts.extend(index_parts(table, index));
    }
    let rows = parts
        .into_iter()
        .map(|part| part.row(&table.name.o, modern))
        .collect();
    (columns, rows)
}

fn index_parts<'a>(table: &'a TableInfo, index: &'a IndexInfo) -> impl Iterator<Item = Part<'a>> {
    index
        .columns
        .iter()
        .enumerate()
        .map(move |(i, column)| Part {
            unique: index.is_unique,
            key: &index.name.o,
            seq: i + 1,
            column: &column.name.o,
            prefix: Some(column.length).filter(|n| *n >= 0),
            nullable: table
                .columns
                .get(column.offset)
                .is_some_and(|c| !c.field_type.is_not_null()),
            comment: &index.comment,
            visible: !index.is_invisible,
            clustered: index.is_primary && table.is_common_handle == Some(true),
        })
}

impl Part<'_> {
    fn row(&self, table: &str, modern: bool) -> Vec<String> {
        let yes_no = |yes: bool| literal(if yes { "YES" } else { "NO" });
        let mut row = vec![
            literal(table),
            if self.unique { "0" } else { "1" }.to_owned(),
            literal(self.key),
            self.seq.to_string(),
            literal(self.column),
            literal("A"),
            "0".to_owned(),
            self.prefix.map_or("NULL".to_owned(), |n| n.to_string()),
            "NULL".to_owned(),
            literal(if self.nullable { "YES" } else { "" }),
            literal("BTREE"),
            literal(""),
            literal(self.comment),
            yes_no(self.visible),
            "NULL".to_owned(),
        ];
        if modern {
            row.push(yes_no(self.clustered));
            row.push(literal("NO"));
        }
        row
    }
}
