//! What a client is told.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};

/// How long a statement may take: those that wait for a lock wait for less.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, values as text.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    pub(crate) affected_rows: u64,
    pub(crate) last_insert_id: u64,
    /// Code and text.
    pub(crate) error: Option<(u64, String)>,
    /// Level, code, text.
    pub(crate) warnings: Vec<(String, String, String)>,
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => format!("hex:{}", hex::encode(error.as_bytes())),
        }),
        other => Some(other.as_sql(true)),
    }
}

async fn rows(conn: &mut Conn, sql: &str) -> mysql_async::Result<Answer> {
    let mut result = conn.query_iter(sql).await?;
    let columns = result.columns().unwrap_or_default();
    let mut answer = Answer {
        columns: columns.iter().map(|c| c.name_str().into_owned()).collect(),
        ..Answer::default()
    };
    let rows: Vec<Row> = result.collect().await?;
    answer.rows = rows
        .into_iter()
        .map(|row| row.unwrap().into_iter().map(text).collect())
        .collect();
    answer.affected_rows = result.affected_rows();
    answer.last_insert_id = result.last_insert_id().unwrap_or(0);
    result.drop_result().await?;
    Ok(answer)
}

/// Runs a statement, then asks for its warnings. Fails if the connection is lost.
pub(crate) async fn run(conn: &mut Conn, sql: &str) -> Result<Answer, String> {
    let answered = tokio::time::timeout(PATIENCE, rows(conn, sql)).await;
    let mut answer = match answered.unwrap_or_else(|_| panic!("no answer to {sql}")) {
        Ok(answer) => answer,
        Err(mysql_async::Error::Server(error)) => Answer {
            error: Some((u64::from(error.code), error.message)),
            ..Answer::default()
        },
        Err(lost) => return Err(lost.to_string()),
    };
    if answer.error.is_none() && !sql.to_lowercase().starts_with("show ") {
        let warnings = rows(conn, "SHOW WARNINGS").await.unwrap();
        answer.warnings = warnings
            .rows
            .into_iter()
            .map(|row| {
                let mut row = row.into_iter().map(Option::unwrap_or_default);
                let mut next = || row.next().unwrap_or_default();
                (next(), next(), next())
            })
            .collect();
    }
    Ok(answer)
}
