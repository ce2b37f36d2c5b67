//! The text of a DDL event (spec/canal-json.md §10).

use tidb_sql::{
    ParseOptions, Release, SqlMode,
    ast::{AlterSpec, Statement, TableName},
    restore::restore,
};

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
        } => exchange(event, schema, other),
        Rewrite::Part(at) => restored(event, part(event, *at)?),
    }
}

/// The event's statement before it is spelled anew: the user's own text, or what was made of it for one table.
pub(super) fn own_query(event: &DdlEvent) -> Result<String, SchemaError> {
    match &event.rewrite {
        Rewrite::None => Ok(event.query.clone()),
        Rewrite::Exchange { .. } if event.compat < Compat::V8_5 => Ok(event.query.clone()),
        Rewrite::Part(at) => part(event, *at).map(str::to_owned),
        Rewrite::DropTable
        | Rewrite::DropView
        | Rewrite::Rename { .. }
        | Rewrite::Exchange { .. } => text(event),
    }
}

/// The event's statement, read.
pub(super) fn read(event: &DdlEvent) -> Result<Statement, SchemaError> {
    parse(event, &own_query(event)?)
}

/// The statement at a place of several.
fn part(event: &DdlEvent, at: usize) -> Result<&str, SchemaError> {
    let parts = tidb_sql::split(&event.query, &options(event))
        .map_err(|error| failed(event, &error.to_string()))?;
    let part = parts.get(at).copied();
    part.ok_or_else(|| failed(event, &format!("no statement {} in it", at + 1)))
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

/// `EXCHANGE PARTITION` with both tables qualified.
fn exchange(event: &DdlEvent, schema: &str, table: &str) -> Result<String, SchemaError> {
    let mut statement = parse(event, &event.query)?;
    let Statement::AlterTable(alter) = &mut statement else {
        return Err(failed(event, "it is no ALTER TABLE"));
    };
    alter.name = TableName {
        schema: Some(event.schema.clone()),
        name: event.table.clone(),
    };
    let with = alter.specs.iter_mut().find_map(|spec| match spec {
        AlterSpec::Exchange { table, .. } => Some(table),
        _ => None,
    });
    *with.ok_or_else(|| failed(event, "no EXCHANGE PARTITION in it"))? = TableName {
        schema: Some(schema.to_owned()),
        name: table.to_owned(),
    };
    Ok(restore(&statement, release(event.compat)))
}

/// The statement in TiDB's own spelling.
fn restored(event: &DdlEvent, query: &str) -> Result<String, SchemaError> {
    parse(event, query).map(|statement| restore(&statement, release(event.compat)))
}

fn parse(event: &DdlEvent, query: &str) -> Result<Statement, SchemaError> {
    tidb_sql::parse_one(query, &options(event)).map_err(|error| failed(event, &error.to_string()))
}

/// How the session that wrote the statement read it.
fn options(event: &DdlEvent) -> ParseOptions {
    ParseOptions {
        mode: SqlMode::from_bits(event.sql_mode),
        release: release(event.compat),
    }
}

fn release(compat: Compat) -> Release {
    match compat {
        Compat::V4_0_9 => Release::V4_0,
        Compat::V6_5 => Release::V6_5,
        Compat::V8_5 => Release::V8_5,
    }
}
