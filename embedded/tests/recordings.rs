//! Holds the catalog and the row encoding to what a real TiDB wrote for the same SQL.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;
mod recorded;
mod report;

use embedded::tidb::catalog::TidbVersion;
use recorded::{ddl, indexes, live, recordings, rows, schema, show};
use report::Report;

/// The recordings of a release line, which stand for the releases of the same line.
const LINES: [(&str, TidbVersion); 2] = [("v8.4", TidbVersion::V8_5), ("v4.0", TidbVersion::V4_0)];

#[test]
fn rows_encode_as_recorded() {
    let mut report = Report::default();
    for (folder, version) in LINES {
        for recording in recordings(folder) {
            let mut catalog = schema::before(version, &recording.statements);
            let mut tables = rows::Tables::default();
            for statement in &recording.statements {
                catalog
                    .apply(&schema::recorded(version, statement))
                    .unwrap();
                tables.learn(&catalog);
                for (row, verdict) in tables.compare(statement) {
                    report.add(
                        &recording.name,
                        &format!("{} row {row}", statement.step()),
                        verdict,
                    );
                }
            }
        }
    }
    report.finish("rows decoded and encoded again", 880);
}

#[test]
fn index_entries_encode_as_recorded() {
    let mut report = Report::default();
    // What is recorded of 4.0 is its feed, which has no index entries.
    let (folder, version) = LINES[0];
    for recording in recordings(folder) {
        let mut catalog = schema::before(version, &recording.statements);
        let mut tables = rows::Tables::default();
        let mut entries = indexes::Entries::default();
        for statement in &recording.statements {
            catalog
                .apply(&schema::recorded(version, statement))
                .unwrap();
            tables.learn(&catalog);
            for (entry, verdict) in entries.compare(&tables, statement) {
                let subject = format!("{} {entry}", statement.step());
                report.add(&recording.name, &subject, verdict);
            }
        }
    }
    report.finish("index entries made from rows", 124);
}

#[test]
fn tables_show_as_recorded() {
    let mut report = Report::default();
    for (folder, version) in LINES {
        for recording in recordings(folder) {
            let mut catalog = schema::before(version, &recording.statements);
            let mut database = "test".to_owned();
            for statement in &recording.statements {
                if let Some(name) = statement.sql().strip_prefix("use ") {
                    database = name.to_owned();
                }
                if let Some(verdict) = show::compare(&catalog, &database, statement) {
                    let subject = format!("{} {}", statement.step(), statement.sql());
                    report.add(&recording.name, &subject, verdict);
                }
                catalog
                    .apply(&schema::recorded(version, statement))
                    .unwrap();
            }
        }
    }
    report.finish("SHOW CREATE", 50);
}

#[test]
fn statements_are_planned_as_recorded() {
    let mut report = Report::default();
    for (folder, version) in LINES {
        for recording in recordings(folder) {
            let mut catalog = schema::before(version, &recording.statements);
            let mut sessions = ddl::Sessions::default();
            for statement in &recording.statements {
                let session = sessions.of(statement);
                if let Some(verdict) =
                    ddl::compare(&recording.name, version, &catalog, &session, statement)
                {
                    let subject = format!("{} {}", statement.step(), statement.sql());
                    report.add(&recording.name, &subject, verdict);
                }
                sessions.after(statement);
                catalog
                    .apply(&schema::recorded(version, statement))
                    .unwrap();
            }
        }
    }
    report.finish("DDL statements planned from their text", 340);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_of_8_5_run_as_recorded() {
    live::hold("v8.5.3", "v8.4", 905).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_of_4_0_run_as_recorded() {
    live::hold("v4.0.9", "v4.0", 911).await;
}

#[test]
fn divergences_are_in_the_docs() {
    live::docs::check();
}
