//! ALTER TABLE … CACHE and NOCACHE. Whether a server keeps a table in its memory shows to nobody; that it may not be changed
//! meanwhile does.

use super::super::DdlError;
use super::super::model::{Action, DbInfo, SchemaState, TableInfo, Tree};
use super::planner::{Planner, on_table};
use super::{column, sql_error};

const OFF: u8 = 0;
const ON: u8 = 1;
const SWITCHING: u8 = 2;

fn refused(what: &str) -> DdlError {
    sql_error::refused(8242, format!("'{what}' is unsupported on cache tables."))
}

/// Cached tables are not changed.
pub(super) fn check(table: &TableInfo, what: &str) -> Result<(), DdlError> {
    match table.cache_table_status {
        None | Some(OFF) => Ok(()),
        Some(_) => Err(refused(what)),
    }
}

/// Switches the cache of a table, in two steps.
pub(super) fn switch(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    on: bool,
) -> Result<(), DdlError> {
    let (action, status) = match on {
        true => (Action::AlterCacheTable, ON),
        false => (Action::AlterNoCacheTable, OFF),
    };
    if table.cache_table_status == Some(status) {
        return Ok(());
    }
    if on && table.partitions().is_some() {
        return Err(refused("partition mode"));
    }
    let mut info = table.clone();
    let mut queued = p.enqueue(action, &on_table(db, table), Tree::Null);
    p.submit(&mut queued);
    info.cache_table_status = Some(SWITCHING);
    let writes = column::change(p, action, db, &mut info);
    p.running(&mut queued, SchemaState::None, writes);
    info.cache_table_status = Some(status);
    let writes = column::change(p, action, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info));
    p.done(queued, SchemaState::Public, writes);
    Ok(())
}
