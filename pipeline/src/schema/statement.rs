//! The text of a DDL event (spec/canal-json.md §10).

use crate::compat::Compat;

use super::{error::SchemaError, event::DdlEvent, special_comment};

/// What is done to the statement of a job before it goes out, since v6.5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rewrite {
    /// Nothing but the spelling.
    None,
    /// ``DROP TABLE `db`.`t` ``: one event a table.
    DropTable,
    /// ``DROP VIEW `db`.`v` ``.
    DropView,
    /// One table of `RENAME TABLE`.
    Rename {
        /// The database before.
        old_schema: String,
        /// The name before.
        old_table: String,
    },
    /// `EXCHANGE PARTITION` with qualified names.
    Exchange {
        /// The database of the table that becomes a partition.
        schema: String,
        /// Its name.
        table: String,
    },
    /// The statement at this place of several.
    Part(usize),
}

/// The event's statement as it goes out.
pub(super) fn text(event: &DdlEvent) -> Result<String, SchemaError> {
    if event.compat == Compat::V4_0_9 {
        return Ok(special_comment::wrap(&event.query));
    }
    let table = format!("{}.{}", quoted(&event.schema), quoted(&event.table));
    match &event.rewrite {
        Rewrite::None => restored(event, &event.query),
        Rewrite::DropTable => Ok(format!("DROP TABLE {table}")),
        Rewrite::DropView => Ok(format!("DROP VIEW {table}")),
        Rewrite::Rename {
            old_schema,
            old_table,
        } => Ok(format!(
            "RENAME TABLE {}.{} TO {table}",
            quoted(old_schema),
            quoted(old_table)
        )),
        // v6.5 leaves the names as they are.
        Rewrite::Exchange { .. } if event.compat < Compat::V8_5 => restored(event, &event.query),
        Rewrite::Exchange {
            schema,
            table: other,
        } => {
            let partition = exchanged_partition(&event.query)
                .ok_or_else(|| failed(event, "no EXCHANGE PARTITION … WITH TABLE in it"))?;
            let validation = match event
                .query
                .trim_end()
                .to_ascii_uppercase()
                .ends_with("WITHOUT VALIDATION")
            {
                true => " WITHOUT VALIDATION",
                false => "",
            };
            Ok(format!(
                "ALTER TABLE {table} EXCHANGE PARTITION {} WITH TABLE {}.{}{validation}",
                quoted(partition),
                quoted(schema),
                quoted(other)
            ))
        }
        Rewrite::Part(at) => {
            let parts = split(&event.query);
            let part = parts
                .get(*at)
                .ok_or_else(|| failed(event, &format!("no statement {} in it", at + 1)))?;
            restored(event, part)
        }
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn failed(event: &DdlEvent, detail: &str) -> SchemaError {
    SchemaError::Statement {
        job_id: event.job_id,
        query: event.query.clone(),
        detail: detail.to_owned(),
    }
}

/// The name between `EXCHANGE PARTITION` and `WITH TABLE`.
fn exchanged_partition(query: &str) -> Option<&str> {
    const LEAD: &str = "EXCHANGE PARTITION";
    let upper = query.to_ascii_uppercase();
    let start = upper.find(LEAD)? + LEAD.len();
    let end = start + upper[start..].find("WITH TABLE")?;
    Some(query[start..end].trim().trim_matches('`'))
}

/// The statements of a text of several.
fn split(query: &str) -> Vec<&str> {
    query
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// The statement in TiDB's own spelling.
fn restored(_event: &DdlEvent, query: &str) -> Result<String, SchemaError> {
    Ok(query.to_owned())
}
