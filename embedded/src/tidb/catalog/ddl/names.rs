//! From names in a statement to databases and tables.

use super::super::build::statement::TableName;
use super::super::{Database, DdlError, TableInfo};
use super::planner::Planner;
use super::sql_error;
use std::sync::Arc;

/// The session's database.
pub(crate) fn current_database<'a>(p: &Planner<'a>) -> Result<&'a Database, DdlError> {
    let name = p
        .session
        .database
        .as_deref()
        .ok_or_else(sql_error::no_database_selected)?;
    database_named(p, name)
}

/// A database that exists.
pub(crate) fn database_named<'a>(p: &Planner<'a>, name: &str) -> Result<&'a Database, DdlError> {
    p.catalog
        .database(name)
        .ok_or_else(|| sql_error::unknown_database(name))
}

/// The database of a table's name.
pub(crate) fn database<'a>(p: &Planner<'a>, name: &TableName) -> Result<&'a Database, DdlError> {
    match &name.database {
        Some(db) => database_named(p, db),
        None => current_database(p),
    }
}

/// A table that exists, with its database. In an unknown database it is the table that does not exist.
pub(crate) fn table<'a>(
    p: &Planner<'a>,
    name: &TableName,
) -> Result<(&'a Database, &'a Arc<TableInfo>), DdlError> {
    let missing = |db: &str| sql_error::no_such_table(db, &name.table);
    let db = match &name.database {
        Some(db) => p.catalog.database(db).ok_or_else(|| missing(db))?,
        None => current_database(p)?,
    };
    let table = db
        .table(&name.table)
        .ok_or_else(|| missing(&db.info.name.o))?;
    Ok((db, table))
}

/// The same, of what holds rows.
pub(crate) fn base_table<'a>(
    p: &Planner<'a>,
    name: &TableName,
) -> Result<(&'a Database, &'a Arc<TableInfo>), DdlError> {
    let (db, info) = table(p, name)?;
    match info.is_base_table() {
        true => Ok((db, info)),
        false => Err(sql_error::wrong_object(
            &db.info.name.o,
            &info.name.o,
            "BASE TABLE",
        )),
    }
}

/// `db.table` as messages have it.
pub(crate) fn shown(p: &Planner<'_>, name: &TableName) -> Result<String, DdlError> {
    let db = name.database.as_ref().or(p.session.database.as_ref());
    let db = db.ok_or_else(sql_error::no_database_selected)?;
    Ok(format!("{db}.{}", name.table))
}
