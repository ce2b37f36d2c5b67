//! What the original canal server tells (`fixtures/clients/java/CanalReader.java`).

use std::error::Error;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use harness::lab::{self, Compat};
use harness::observe::flink::table::Column;
use harness::scenario::cell;
use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::history::{Image, Shape, Shapes, Told, Value};

const PROGRAM: &str = "clients/java/CanalReader.java";
const MANIFEST: &str = "canal-server-1.1.7";
/// Lines of its log that are shown when it ends.
const SHOWN: usize = 30;

/// A running canal server; it ends with this.
pub struct Canal {
    child: Child,
    told: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
}

#[derive(Deserialize)]
struct Line {
    table: String,
    transaction: u64,
    before: Option<Row>,
    after: Option<Row>,
}

type Row = std::collections::BTreeMap<String, Option<String>>;

impl Canal {
    /// Follows the tables of a database at this address of a MariaDB, from some time soon on.
    pub async fn start(mariadb: &str, database: &str) -> Result<Canal, Box<dyn Error>> {
        let (host, port) = mariadb.split_once(':').ok_or("an address without port")?;
        let arguments = [host.to_owned(), port.to_owned(), format!("{database}\\..*")];
        let command = move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            lab::java_source(PROGRAM, &[MANIFEST], &arguments)
        };
        let command = tokio::task::spawn_blocking(command).await??;
        let mut child = Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let told = collect(BufReader::new(child.stdout.take().ok_or("no stdout")?));
        let log = collect(BufReader::new(child.stderr.take().ok_or("no stderr")?));
        Ok(Canal { child, told, log })
    }

    /// All that it has told, as far as these tables go; fails if it has ended.
    pub fn told(&mut self, shapes: &Shapes) -> Result<Vec<Told>, String> {
        if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
            return Err(format!("canal ended with {status}: {}", self.log()));
        }
        let lines = lines(&self.told);
        let read = lines
            .iter()
            .filter_map(|line| read(line, shapes).transpose());
        read.collect()
    }

    /// How many rows it has told of, of any table.
    pub fn count(&self) -> usize {
        lines(&self.told).len()
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        let lines = lines(&self.log);
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }
}

fn lines(of: &Mutex<Vec<String>>) -> Vec<String> {
    of.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn collect(from: impl AsyncBufRead + Unpin + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&all);
    tokio::spawn(async move {
        let mut lines = from.lines();
        while let Ok(Some(line)) = lines.next_line().await {
            kept.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    });
    all
}

fn read(line: &str, shapes: &Shapes) -> Result<Option<Told>, String> {
    let told: Line = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
    let Some(shape) = shapes.get(told.table.as_str()) else {
        return Ok(None);
    };
    let image = |row: Option<Row>| row.map(|row| image(shape, &row)).transpose();
    Ok(Some(Told {
        before: image(told.before)?,
        after: image(told.after)?,
        transaction: told.transaction,
        table: told.table,
    }))
}

fn image(shape: &Shape, row: &Row) -> Result<Image, String> {
    let value = |column: &Column| {
        let text = row
            .get(&column.name)
            .ok_or_else(|| format!("no {} in {row:?}", column.name))?;
        let value = Value {
            cell: cell::of_canal(
                column,
                Compat::V8,
                text.as_deref().map(|text| as_ours(column, text)).as_deref(),
            ),
            told: text.clone().unwrap_or_else(|| "null".to_owned()),
        };
        Ok((column.name.clone(), value))
    };
    shape.columns.iter().map(value).collect()
}

/// The text that a message of the pipeline would have.
fn as_ours(column: &Column, text: &str) -> String {
    match column.data_type.as_str() {
        // Zero has one digit after the point, whatever the column's scale.
        "decimal" => {
            let inside = column
                .column_type
                .split_once(',')
                .map(|(_, rest)| rest.trim_end_matches(')'));
            let scale = inside
                .and_then(|scale| scale.trim().parse().ok())
                .unwrap_or(0);
            let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
            match scale {
                0 => text.to_owned(),
                scale => format!("{whole}.{fraction:0<scale$}"),
            }
        }
        // As MariaDB's binlog has it, without zeros at the end.
        "binary" => {
            let inside = column
                .column_type
                .split_once('(')
                .map(|(_, rest)| rest.trim_end_matches(')'));
            let len = inside.and_then(|len| len.parse().ok()).unwrap_or(0);
            let missing = usize::saturating_sub(len, text.chars().count());
            format!("{text}{}", "\0".repeat(missing))
        }
        _ => text.to_owned(),
    }
}
