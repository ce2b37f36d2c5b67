//! Columns and tables from the types that golden vectors name: `decimal(6,4)`, `enum('a','b')`, `bigint unsigned`.

use pipeline::{
    compat::Compat,
    schema::{
        Column, TableInfo, field,
        model::{CiStr, ColumnModel, FieldType, STATE_PUBLIC, TableModel},
    },
};

/// The field type that a text names.
pub(crate) fn field_type(text: &str) -> FieldType {
    let (name, rest) = text.split_at(text.find(['(', ' ']).unwrap_or(text.len()));
    let inside = rest
        .strip_prefix('(')
        .and_then(|rest| rest.rsplit_once(')'))
        .map(|(inside, _)| inside);
    let numbers: Vec<i64> = inside
        .unwrap_or_default()
        .split(',')
        .filter_map(|n| n.parse().ok())
        .collect();
    let (tp, binary) = match name {
        "tinyint" => (field::TINY, false),
        "smallint" => (field::SHORT, false),
        "mediumint" => (field::INT24, false),
        "int" | "any" => (field::LONG, false),
        "bigint" => (field::LONGLONG, false),
        "float" => (field::FLOAT, false),
        "double" => (field::DOUBLE, false),
        "decimal" => (field::NEWDECIMAL, false),
        "bit" => (field::BIT, false),
        "year" => (field::YEAR, false),
        "date" => (field::DATE, false),
        "datetime" => (field::DATETIME, false),
        "timestamp" => (field::TIMESTAMP, false),
        "time" => (field::DURATION, false),
        "enum" => (field::ENUM, false),
        "set" => (field::SET, false),
        "json" => (field::JSON, false),
        "vector" => (field::VECTOR, false),
        "char" => (field::STRING, false),
        "binary" => (field::STRING, true),
        "varchar" => (field::VARCHAR, false),
        "varbinary" => (field::VARCHAR, true),
        "tinytext" => (field::TINY_BLOB, false),
        "tinyblob" => (field::TINY_BLOB, true),
        "text" => (field::BLOB, false),
        "blob" => (field::BLOB, true),
        "mediumtext" => (field::MEDIUM_BLOB, false),
        "mediumblob" => (field::MEDIUM_BLOB, true),
        "longtext" => (field::LONG_BLOB, false),
        "longblob" => (field::LONG_BLOB, true),
        other => panic!("type {other}"),
    };
    let is_time = matches!(tp, field::DATETIME | field::TIMESTAMP | field::DURATION);
    let elems = inside
        .filter(|_| matches!(tp, field::ENUM | field::SET))
        .unwrap_or_default();
    FieldType {
        tp,
        flag: if rest.contains("unsigned") {
            field::FLAG_UNSIGNED
        } else {
            0
        },
        flen: numbers.first().copied().filter(|_| !is_time).unwrap_or(-1),
        decimal: numbers.get(usize::from(!is_time)).copied().unwrap_or(0),
        charset: if binary { "binary" } else { "utf8mb4" }.to_owned(),
        collate: if binary { "binary" } else { "utf8mb4_bin" }.to_owned(),
        elems: elems
            .split(',')
            .map(|elem| elem.trim_matches('\'').to_owned())
            .filter(|e| !e.is_empty())
            .collect(),
    }
}

/// A public column `c` of this type.
pub(crate) fn column_model(id: i64, field_type: FieldType) -> ColumnModel {
    ColumnModel {
        id,
        name: CiStr::from("c"),
        field_type,
        state: STATE_PUBLIC,
        ..ColumnModel::default()
    }
}

/// A table `test`.`t` of these columns.
pub(crate) fn table(cols: Vec<ColumnModel>, compat: Compat) -> TableInfo {
    let model = TableModel {
        id: 104,
        name: CiStr::from("t"),
        cols,
        state: STATE_PUBLIC,
        ..TableModel::default()
    };
    TableInfo::new(2, "test", 1, &model, compat)
}

/// A column of the type that a text names.
pub(crate) fn column(id: i64, text: &str) -> Column {
    table(vec![column_model(id, field_type(text))], Compat::V8_5)
        .columns
        .remove(0)
}
