//! CREATE, ALTER and DROP DATABASE.

use super::super::model::{
    Action, CiStr, DbInfo, InvolvingSchema, PolicyRef, SchemaState, TableInfo, Tree,
};
use super::super::plan::{QueuedJob, Write};
use super::super::{Database, DdlError, auto_ids};
use super::planner::{Planner, on_db};
use super::{foreign_key, sql_error};
use std::sync::Arc;

/// `CREATE DATABASE`.
pub(crate) fn create(
    p: &mut Planner<'_>,
    name: &str,
    if_not_exists: bool,
    (charset, collate): (String, String),
    policy: Option<PolicyRef>,
) -> Result<(), DdlError> {
    if let Some(db) = p.catalog.database(name) {
        let error = sql_error::database_exists(&db.info.name.o);
        return match if_not_exists {
            // 4.0 says nothing.
            true if !p.modern() => Ok(()),
            true => p.note(error),
            false => Err(error),
        };
    }
    let id = p.new_id();
    let mut db = DbInfo::new(p.version(), id, CiStr::new(name), charset, collate);
    if p.modern() {
        db.policy_ref_info = Some(policy);
    }
    let args = |p: &Planner<'_>, db: &DbInfo| {
        let db = Tree::Db(Box::new(db.clone()));
        if p.modern() {
            Tree::Object(vec![("db_info", db)])
        } else {
            Tree::List(vec![db])
        }
    };
    let queued_args = args(p, &db);
    let mut queued = p.enqueue(Action::CreateSchema, &on_db(&db), queued_args);
    involve(p, &mut queued, &db);
    db.state = SchemaState::Public;
    queued.job.binlog.db_info = None;
    let finished_args = args(p, &db);
    let diff = p.diff(Action::CreateSchema, id, 0);
    p.submit(&mut queued);
    queued.job.raw_args = finished_args;
    queued.job.binlog.db_info = Some(Box::new(db.clone()));
    p.done(
        queued,
        SchemaState::Public,
        vec![Write::PutDb(Box::new(db)), Write::Diff(Box::new(diff))],
    );
    Ok(())
}

/// `ALTER DATABASE` with another character set or collation.
pub(crate) fn alter(
    p: &mut Planner<'_>,
    db: &Database,
    charset: String,
    collate: String,
) -> Result<(), DdlError> {
    if db.info.charset == charset && db.info.collate == collate {
        return Ok(());
    }
    let args = if p.modern() {
        Tree::Object(vec![
            ("to_charset", charset.as_str().into()),
            ("to_collate", collate.as_str().into()),
        ])
    } else {
        Tree::List(vec![charset.as_str().into(), collate.as_str().into()])
    };
    let info = DbInfo {
        charset,
        collate,
        ..db.info.clone()
    };
    let mut queued = p.enqueue(Action::ModifySchemaCharset, &on_db(&info), args);
    involve(p, &mut queued, &info);
    let diff = p.diff(Action::ModifySchemaCharset, info.id, 0);
    p.submit(&mut queued);
    queued.job.binlog.db_info = Some(Box::new(info.clone()));
    p.done(
        queued,
        SchemaState::Public,
        vec![Write::PutDb(Box::new(info)), Write::Diff(Box::new(diff))],
    );
    Ok(())
}

/// `DROP DATABASE`.
pub(crate) fn drop(p: &mut Planner<'_>, name: &str, if_exists: bool) -> Result<(), DdlError> {
    let Some(db) = p.catalog.database(name) else {
        let error = sql_error::no_such_database_to_drop(name);
        // Nothing is said about it.
        return if if_exists { Ok(()) } else { Err(error) };
    };
    for table in db.tables() {
        foreign_key::check_drop(p, &db.info, table, |other, _| other.id == db.info.id)?;
    }
    let mut info = db.info.clone();
    let tables: Vec<i64> = db.tables().flat_map(logical_and_physical).collect();
    let args = if p.modern() {
        Tree::Object(vec![("fk_check", p.session.foreign_key_checks.into())])
    } else {
        Tree::Null
    };
    let mut queued = p.enqueue(Action::DropSchema, &on_db(&info), args);
    involve(p, &mut queued, &info);
    if p.modern() {
        queued.job.schema_state = SchemaState::Public;
    }
    p.submit(&mut queued);
    for state in [SchemaState::WriteOnly, SchemaState::DeleteOnly] {
        info.state = state;
        let diff = p.diff(Action::DropSchema, info.id, 0);
        p.running(
            &mut queued,
            state,
            vec![
                Write::PutDb(Box::new(info.clone())),
                Write::Diff(Box::new(diff)),
            ],
        );
    }
    let counted = db
        .tables()
        .filter_map(|table| auto_ids::of_dropped_table(table));
    p.plan.after.extend(counted);
    info.state = SchemaState::None;
    let diff = p.diff(Action::DropSchema, info.id, 0);
    let ids = Tree::List(tables.iter().map(|id| (*id).into()).collect());
    queued.job.raw_args = match (p.modern(), tables.is_empty()) {
        (true, true) => Tree::Object(vec![]),
        (true, false) => Tree::Object(vec![("all_dropped_table_ids", ids)]),
        (false, true) => Tree::Null,
        (false, false) => Tree::List(vec![ids]),
    };
    queued.job.binlog.db_info = Some(Box::new(info.clone()));
    let mut writes = vec![Write::DeleteDb(info.id)];
    writes.extend(db.tables().map(|t| Write::DeleteTable(info.id, t.id)));
    writes.extend(
        db.members()
            .keys()
            .map(|field| Write::DeleteMember(info.id, field.clone())),
    );
    writes.push(Write::Diff(Box::new(diff)));
    p.done(queued, SchemaState::None, writes);
    Ok(())
}

/// Newer jobs on a database name it as involved.
fn involve(p: &Planner<'_>, queued: &mut QueuedJob, db: &DbInfo) {
    if p.modern() {
        let policy = db.policy_ref_info.iter().flatten();
        let policy = policy.map(|policy| InvolvingSchema::policy(&policy.name.l).shared());
        queued.job.involving_schema_info = [InvolvingSchema::table(&db.name.l, "*")]
            .into_iter()
            .chain(policy.filter(|_| queued.job.action == Action::CreateSchema))
            .collect();
    }
}

/// The table's id and those of its partitions, in the order in which TiDB lists what a garbage collector is to remove.
fn logical_and_physical(table: &Arc<TableInfo>) -> Vec<i64> {
    let mut ids = vec![table.id];
    ids.extend(table.partitions().map(|p| p.ids()).unwrap_or_default());
    ids
}
