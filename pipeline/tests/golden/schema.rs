//! Documents of the schema, and rows of the table of DDL jobs.

use pipeline::{
    compat::Compat,
    mount::{Value, row::RowValue},
    schema::{
        Handle, TableInfo, TableKind,
        job::Job,
        model::{DbInfo, TableModel, default_text},
    },
};

use crate::{hex_of, sql_type::column, text_of, vectors};

#[test]
fn documents_of_every_age_are_read() {
    for vector in vectors("schema-json.json") {
        let (what, text, expected) = (
            text_of(&vector, "what"),
            text_of(&vector, "text"),
            &vector["expected"],
        );
        if what.starts_with("DBInfo") {
            let database: DbInfo =
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {vector}"));
            assert_eq!(Some(database.id), expected["id"].as_i64(), "{vector}");
            assert_eq!(
                Some(database.name.original.as_str()),
                expected["name"].as_str(),
                "{vector}"
            );
        } else if what.starts_with("TableInfo") {
            let model: TableModel =
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {vector}"));
            check_table(&model, expected, &vector);
        } else if what.starts_with("Job") {
            let job = Job::finished(text.as_bytes(), Compat::V8_5)
                .unwrap_or_else(|error| panic!("{error}: {vector}"));
            let done = !text.contains("\"state\":8");
            assert_eq!(job.is_some(), done, "{vector}");
            if let Some(job) = job {
                assert_eq!(Some(job.id), expected["id"].as_i64(), "{vector}");
                assert!(
                    job.binlog.table_info.is_some() || job.binlog.db_info.is_some(),
                    "{vector}"
                );
            }
        }
    }
}

fn check_table(model: &TableModel, expected: &serde_json::Value, vector: &serde_json::Value) {
    let table = TableInfo::new(1, "test", 1, model, Compat::V8_5);
    assert_eq!(table.kind, TableKind::Table, "{vector}");
    if let Some(id) = expected["id"].as_i64() {
        assert_eq!(table.id, id, "{vector}");
    }
    if expected["pk_is_handle"] == true {
        assert!(matches!(table.handle, Handle::Int(_)), "{vector}");
    }
    if let Some(names) = expected["pk_columns"].as_array() {
        let Handle::Common(parts) = &table.handle else {
            panic!("{:?} of {vector}", table.handle)
        };
        let parts: Vec<&str> = parts
            .iter()
            .map(|&at| table.columns[at].name.as_str())
            .collect();
        assert_eq!(
            serde_json::json!(parts),
            serde_json::json!(names),
            "{vector}"
        );
    }
    if let Some(ids) = expected["partition_ids"].as_array() {
        let has = |id: &serde_json::Value| {
            table
                .physical_ids
                .iter()
                .any(|own| Some(*own) == id.as_i64())
        };
        assert!(
            table.partitioned != ids.is_empty() && ids.iter().all(has),
            "{:?} of {vector}",
            table.physical_ids
        );
    }
    if let Some(hidden) = expected["hidden_column"].as_str() {
        // What makes it virtual was trimmed from the document.
        assert!(
            model.cols.iter().any(|c| c.name.original == hidden),
            "{vector}"
        );
    }
    if let Some(default) = expected["origin_default"].as_str() {
        assert_eq!(
            default_text(&model.cols[0].origin_default).as_deref(),
            Some(default),
            "{vector}"
        );
        // BINARY(4): padded to its width.
        let mut bytes = default.as_bytes().to_vec();
        bytes.resize(4, 0);
        assert_eq!(
            table.columns[0].absent,
            Value::Bytes(bytes.into()),
            "{vector}"
        );
    }
}

#[test]
fn job_rows() {
    for vector in vectors("ddl-job-rows.json") {
        let bytes = hex_of(&vector, "hex");
        let row = RowValue::parse(&bytes).expect("a row");
        let json = text_of(&vector["expected"]["5"], "text");
        let value = row.column(&column(5, "longblob")).expect("a value");
        assert_eq!(
            value,
            Some(Value::Bytes(json.as_bytes().into())),
            "{vector}"
        );
    }
}
