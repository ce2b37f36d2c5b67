//! What the pipeline tells, in canal-json.

use harness::lab::Compat;
use harness::observe::flink::table::Column;
use harness::observe::kafka::Record;
use harness::scenario::cell;
use harness::scenario::message::{Message, Row};

use super::history::{Image, Shape, Shapes, Told, Value};

/// From a record; none of a message that is about no row.
pub fn read(record: &Record, shapes: &Shapes) -> Result<Option<Told>, String> {
    let message = Message::read(record).map_err(|error| error.to_string())?;
    let Some(data) = message.data.row().filter(|_| !message.is_ddl) else {
        return Ok(None);
    };
    let Some(shape) = shapes.get(message.table.as_str()) else {
        return Ok(None);
    };
    let image = |row: &Row| image(shape, row).map_err(|what| format!("{what}: {}", message.text));
    let (before, after) = match (message.kind.as_str(), message.old.row()) {
        ("INSERT", _) => (None, Some(image(data)?)),
        ("DELETE", _) => (Some(image(data)?), None),
        ("UPDATE", Some(old)) => (Some(image(old)?), Some(image(data)?)),
        _ => {
            return Err(format!(
                "neither insert, update nor delete: {}",
                message.text
            ));
        }
    };
    Ok(Some(Told {
        transaction: message
            .commit_ts
            .ok_or_else(|| format!("no commit-ts: {}", message.text))?,
        table: message.table,
        before,
        after,
    }))
}

fn image(shape: &Shape, row: &Row) -> Result<Image, String> {
    let value = |column: &Column| {
        let found = row.iter().find(|(name, _)| *name == column.name);
        let (_, text) = found.ok_or_else(|| format!("no {}", column.name))?;
        let value = Value {
            cell: cell::of_canal(column, Compat::V8, text.as_deref()),
            told: text.clone().unwrap_or_else(|| "null".to_owned()),
        };
        Ok((column.name.clone(), value))
    };
    shape.columns.iter().map(value).collect()
}
