//! What Flink's TiDB CDC connector tells, which follows TiKV's change feed by itself, as the pipeline does.

use std::collections::BTreeMap;
use std::error::Error;

use harness::lab::{self, Compat, Topology};
use harness::observe::flink::runner::{End, Runner, Running};
use harness::observe::flink::table::Column;
use harness::observe::flink::{Change, Kind};
use harness::scenario::cell;

use super::debezium::{bits, place};
use super::history::{Image, Shape, Shapes, Told, Value};

/// The connector's jar in `fixtures/components`.
const CONNECTOR: &str = "tidb-cdc-reader-2.3.0";
/// More changes than there will be: reading ends with the last rows.
const ALL: usize = 1_000_000;

/// What it can read of the load, and the columns that it cannot. It knows integers as keys of rows, and no partitions. Of a row that has
/// another key it tells by that one alone: when it changes, nothing of the old one; when another row takes it, two changes, with no
/// transaction around them. BINARY and VARBINARY are UTF-8 to it, TIME is within a day, Flink's DECIMAL has 38 digits, and a
/// time before 1970 with a fraction of a second is a second later.
const TABLES: &[(&str, &[&str])] = &[
    ("types", &["b", "vb", "w", "tm", "tm6", "past"]),
    ("two_keys", &[]),
    ("computed", &[]),
];

/// Of the tables those and their columns that it can read.
pub fn readable(shapes: &Shapes) -> Shapes {
    let of = |(name, shape): (&&'static str, &Shape)| {
        let (_, without) = TABLES.iter().find(|(table, _)| table == name)?;
        let mut columns = shape.columns.clone();
        columns.retain(|column| !without.contains(&column.name.as_str()));
        let key = shape.key;
        Some((*name, Shape { columns, key }))
    };
    shapes.iter().filter_map(of).collect()
}

/// A small Flink of its own.
pub async fn start() -> Result<Runner, Box<dyn Error>> {
    // What the connector runs on: Flink 1.20.
    let topology = Topology::profile("current")?;
    let command = move || lab::java_command(&topology, &[CONNECTOR], &["FlinkRunner", "local"]);
    Ok(Runner::start(tokio::task::spawn_blocking(command).await??).await?)
}

/// A job that reads the tables.
pub struct Reading<'a> {
    running: Running<'a>,
    shapes: &'a Shapes,
    /// Of each table the row before an update, of which the row after has not come yet: those of other tables may come between.
    before: BTreeMap<String, Image>,
    /// What it has told.
    pub told: Vec<Told>,
}

/// Begins to read the tables, which have a row each, and waits until it has these: whatever comes now is a change.
pub async fn follow<'a>(
    runner: &'a mut Runner,
    pd: &str,
    database: &str,
    shapes: &'a Shapes,
) -> Result<Reading<'a>, Box<dyn Error>> {
    for (table, shape) in shapes {
        let columns: Vec<String> = shape
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, type_of(column)))
            .collect();
        let (columns, key) = (columns.join(", "), shape.key.join(", "));
        let declared = format!(
            "CREATE TABLE {table} ({columns}, PRIMARY KEY ({key}) NOT ENFORCED) WITH ('connector' = 'tidb-cdc', 'pd-addresses' = '{pd}', \
             'database-name' = '{database}', 'table-name' = '{table}', 'scan.startup.mode' = 'initial')"
        );
        runner.run(&declared, End::Itself).await?;
    }
    // One job for all: a row has the name of its table and columns of all tables, of which the others' are NULL.
    let of_table = |(table, _): (&&'static str, &Shape)| {
        let columns = shapes.iter().flat_map(|(other, shape)| {
            shape
                .columns
                .iter()
                .map(move |column| match other == table {
                    true => format!("{} AS {other}_{}", column.name, column.name),
                    false => format!(
                        "CAST(NULL AS {}) AS {other}_{}",
                        type_of(column),
                        column.name
                    ),
                })
        });
        let columns: Vec<String> = columns.collect();
        format!(
            "SELECT CAST('{table}' AS STRING) AS told_of, {} FROM {table}",
            columns.join(", ")
        )
    };
    let selects: Vec<String> = shapes.iter().map(of_table).collect();
    let running = runner
        .begin(&selects.join(" UNION ALL "), End::After(ALL))
        .await?;
    let mut reading = Reading {
        running,
        shapes,
        before: BTreeMap::new(),
        told: Vec::new(),
    };
    while reading.told.len() < shapes.len() {
        reading.next().await?;
    }
    Ok(reading)
}

impl Reading<'_> {
    /// Waits for the next row.
    pub async fn next(&mut self) -> Result<(), Box<dyn Error>> {
        let change = self.running.next().await?.ok_or("its job ended")?;
        let (table, image) = read(&change, self.shapes)?;
        let (before, after) = match change.kind {
            Kind::Insert => (None, Some(image)),
            Kind::Delete => (Some(image), None),
            Kind::UpdateBefore => {
                self.before.insert(table, image);
                return Ok(());
            }
            Kind::UpdateAfter => {
                let before = self.before.remove(&table);
                let before = before.ok_or_else(|| {
                    format!(
                        "an update of {table} without a row before: {:?}",
                        change.row
                    )
                })?;
                (Some(before), Some(image))
            }
        };
        // It does not tell of transactions.
        let transaction = self.told.len() as u64;
        self.told.push(Told {
            table,
            transaction,
            before,
            after,
        });
        Ok(())
    }
}

fn read(change: &Change, shapes: &Shapes) -> Result<(String, Image), String> {
    let mut values = change.row.iter();
    let table = values
        .next()
        .cloned()
        .flatten()
        .ok_or("a row of no table")?;
    let mut image = Image::new();
    for (name, shape) in shapes {
        for column in &shape.columns {
            let value = values
                .next()
                .ok_or_else(|| format!("a short row of {table}: {:?}", change.row))?;
            if *name == table {
                let text = value
                    .as_deref()
                    .map(|text| as_ours(column, text))
                    .transpose()?;
                let value = Value {
                    cell: cell::of_canal(column, Compat::V8, text.as_deref()),
                    told: value.clone().unwrap_or_else(|| "null".to_owned()),
                };
                image.insert(column.name.clone(), value);
            }
        }
    }
    Ok((table, image))
}

/// The type in Flink.
fn type_of(column: &Column) -> String {
    let unsigned = column.column_type.contains("unsigned");
    let inside = column
        .column_type
        .split_once('(')
        .map_or("", |(_, rest)| rest);
    let inside = inside.split(')').next().unwrap_or_default();
    match (column.data_type.as_str(), unsigned) {
        ("tinyint", false) => "TINYINT".to_owned(),
        ("tinyint", true) | ("smallint", false) => "SMALLINT".to_owned(),
        ("smallint" | "mediumint", _) | ("int", false) | ("year", _) => "INT".to_owned(),
        ("int", true) | ("bigint", false) => "BIGINT".to_owned(),
        ("bigint", true) => "DECIMAL(20, 0)".to_owned(),
        ("float", _) => "FLOAT".to_owned(),
        ("double", _) => "DOUBLE".to_owned(),
        ("decimal", _) => format!("DECIMAL({inside})"),
        ("date", _) => "DATE".to_owned(),
        ("datetime" | "timestamp", _) => format!("TIMESTAMP({})", inside.parse().unwrap_or(0)),
        ("varbinary" | "tinyblob" | "blob" | "bit", _) => "BYTES".to_owned(),
        _ => "STRING".to_owned(),
    }
}

/// The text that a message of the pipeline would have.
fn as_ours(column: &Column, text: &str) -> Result<String, String> {
    let bytes = || {
        let digits = text
            .strip_prefix("0x")
            .ok_or_else(|| format!("no bytes: {text}"))?;
        hex::decode(digits).map_err(|error| format!("{text}: {error}"))
    };
    let label = |label: &str| {
        place(column, label).ok_or_else(|| format!("{label} is no label of {}", column.column_type))
    };
    Ok(match column.data_type.as_str() {
        "varbinary" | "tinyblob" | "blob" => bytes()?.into_iter().map(char::from).collect(),
        "bit" => bytes()?
            .iter()
            .fold(0, |bits: u64, byte| (bits << 8) | u64::from(*byte))
            .to_string(),
        "enum" => label(text)?.to_string(),
        "set" => bits(column, text)
            .ok_or_else(|| format!("{text} is not of {}", column.column_type))?
            .to_string(),
        _ => text.to_owned(),
    })
}
