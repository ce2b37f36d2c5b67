//! DROP TABLE, DROP VIEW and DROP SEQUENCE: a job for each object that is named.

use super::super::build::statement::TableName;
use super::super::model::{Action, TableInfo};
use super::super::{DdlError, mariadb};
use super::planner::Planner;
use super::run::refuse_system;
use super::{cache, foreign_key, names, sql_error, table};

/// Drops what is named; what does not exist is an error once the others are gone, or a note.
pub(super) fn several(
    p: &mut Planner<'_>,
    objects: &[TableName],
    if_exists: bool,
    action: Action,
) -> Result<(), DdlError> {
    let mut missing = vec![];
    let mut dropped = vec![];
    for name in objects {
        let db = name.database.as_ref().or(p.session.database.as_ref());
        let db = db.ok_or_else(sql_error::no_database_selected)?;
        refuse_system(p, db)?;
        let found = p
            .catalog
            .database(db)
            .and_then(|db| Some((db, db.table(&name.table)?)));
        // Naming a table twice drops it once.
        match found.filter(|(_, t)| is_of(action, t) && !dropped.contains(&t.id)) {
            None => missing.push(names::shown(p, name)?),
            Some((db, info)) => {
                cache::check(info, "Drop Table")?;
                foreign_key::check_drop(p, &db.info, info, |db, table| {
                    foreign_key::is_named(p, objects, db, table)
                })?;
                dropped.push(info.id);
                table::drop(p, db, info, action);
                let name = mariadb::full_name(&db.info, &info.name.o);
                p.plan.mariadb.push(format!("DROP {} {name}", kind(action)));
            }
        }
    }
    let unknown = |names: &[String]| match action {
        Action::DropSequence => {
            sql_error::refused(4139, format!("Unknown SEQUENCE: '{}'", names.join(",")))
        }
        _ => sql_error::unknown_tables(names),
    };
    if if_exists {
        return missing
            .into_iter()
            .try_for_each(|name| p.note(unknown(&[name])));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let error = unknown(&missing);
    if p.plan.is_empty() {
        return Err(error);
    }
    // Those that exist go all the same.
    p.plan.failure = Some(super::super::Failure::of(&error));
    Ok(())
}

fn is_of(action: Action, info: &TableInfo) -> bool {
    match action {
        Action::DropView => info.view.is_some(),
        Action::DropSequence => info.sequence.is_some(),
        _ => info.is_base_table(),
    }
}

fn kind(action: Action) -> &'static str {
    match action {
        Action::DropView => "VIEW",
        Action::DropSequence => "SEQUENCE",
        _ => "TABLE",
    }
}
