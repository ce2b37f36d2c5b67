//! RECOVER TABLE and FLASHBACK TABLE.
//!
//! In TiKV the rows of a table that was dropped or emptied are still there, and only its description comes back. MariaDB has
//! nothing left of it: the front makes the table anew, from those rows, where nobody sees it, and the statement of the plan
//! puts it in place.

use super::super::build::name::check_object;
use super::super::build::statement::{RecoverSource, TableName};
use super::super::dropped::{Counters, Dropped, Restored, Wanted};
use super::super::model::{Action, CiStr, DbInfo, InvolvingSchema, SchemaState, TableInfo, Tree};
use super::super::plan::{Write, start_of};
use super::super::{Database, DdlError, auto_ids, mariadb, meta};
use super::partition::{affect, pairs};
use super::planner::{Planner, Subject};
use super::run::refuse_system;
use super::{foreign_key, sql_error};
use std::sync::Arc;

/// Whether a job turned the collection of garbage off while it worked: 1 if it was on.
const GC_WAS_ON: i64 = 1;
/// The same before the job has looked.
const NOT_ASKED: i64 = 0;

/// Brings a table back, under another name if one is given. Without the table as it was, asks for it.
pub(super) fn recover(
    p: &mut Planner<'_>,
    source: &RecoverSource,
    to: Option<&str>,
) -> Result<(), DdlError> {
    let Some(dropped) = &p.session.dropped else {
        p.plan.asks_dropped = Some(wanted(p, source)?);
        return Ok(());
    };
    let mut info = dropped.table.clone();
    if let Some(name) = to {
        check_object(p.query, "table", name)?;
        info.name = CiStr::new(name);
    }
    let db = place(p, dropped, &info, source)?;
    refuse_foreign_keys(p, &db.info, &info)?;
    info.state = SchemaState::None;
    in_mariadb(p, &db.info, dropped, &info)?;
    job(p, db, dropped, info);
    Ok(())
}

fn wanted(p: &Planner<'_>, source: &RecoverSource) -> Result<Wanted, DdlError> {
    Ok(match source {
        RecoverSource::Job(id) => Wanted::Job(*id),
        RecoverSource::Recover(TableName { database, table })
        | RecoverSource::Flashback(TableName { database, table }) => {
            let database = database.as_ref().or(p.session.database.as_ref());
            let database = database.ok_or_else(sql_error::no_database_selected)?;
            refuse_system(p, database)?;
            Wanted::Named {
                database: database.clone(),
                table: table.clone(),
            }
        }
    })
}

/// The database that the table comes back to: it has to be there, without the table and without its name.
fn place<'a>(
    p: &Planner<'a>,
    dropped: &Dropped,
    info: &TableInfo,
    source: &RecoverSource,
) -> Result<&'a Database, DdlError> {
    if let Some((_, there)) = p.catalog.table_by_id(info.id) {
        let (named, done) = match source {
            RecoverSource::Flashback(name) => (&name.table, "flashback"),
            _ => (&info.name.o, "recover"),
        };
        let message = format!(
            "Table '{named}' already been {done} to '{}', can't be {done} repeatedly",
            there.name.o
        );
        return Err(sql_error::refused(1050, message));
    }
    let db = p
        .catalog
        .databases()
        .find(|db| db.info.id == dropped.db_id)
        .ok_or_else(|| sql_error::unknown_database(&format!("(Schema ID {})", dropped.db_id)))?;
    refuse_system(p, &db.info.name.o)?;
    if db.table(&info.name.o).is_some() {
        let message = format!("Table '{}' already exists", info.name.o);
        return Err(sql_error::refused(1050, message));
    }
    Ok(db)
}

/// TiDB brings foreign keys back without a look at the rows, whatever has become of the tables at their other ends. MariaDB
/// would look.
fn refuse_foreign_keys(p: &Planner<'_>, db: &DbInfo, info: &TableInfo) -> Result<(), DdlError> {
    if !p.modern() {
        return Ok(());
    }
    if info.fk_info.iter().flatten().next().is_some() {
        return Err(p.unsupported("bringing back a table with foreign keys"));
    }
    if foreign_key::referring(p, db, info).next().is_some() {
        return Err(p.unsupported("bringing back a table that foreign keys refer to"));
    }
    Ok(())
}

/// What MariaDB does: the table is made with its counters behind what was taken of them, and then gets its name.
fn in_mariadb(
    p: &mut Planner<'_>,
    db: &DbInfo,
    dropped: &Dropped,
    info: &TableInfo,
) -> Result<(), DdlError> {
    let made = TableInfo {
        fk_info: None,
        ..dropped.counters.behind(info)
    };
    let (sequence, trigger) = auto_ids::of_new_table(db, &made);
    let aside = mariadb::restoring(p.query, db, &made)?;
    let mut prepare = vec![mariadb::DROP_RESTORED.to_owned()];
    prepare.extend(sequence);
    prepare.push(aside);
    p.plan.restores = Some(Restored {
        table: Arc::new(info.clone()),
        prepare,
    });
    p.plan.mariadb.push(mariadb::put_in_place(db, &info.name.o));
    p.plan.after.extend(trigger);
    Ok(())
}

fn job(p: &mut Planner<'_>, db: &Database, dropped: &Dropped, mut info: TableInfo) {
    let modern = p.modern();
    let subject = Subject {
        db_id: db.info.id,
        db: &db.info.name.o,
        table_id: info.id,
        table: &info.name.o,
    };
    let args = |info: &TableInfo, flag| match modern {
        true => args(dropped, info, flag),
        false => args_of_4_0(dropped, info, flag),
    };
    let mut queued = p.enqueue(Action::RecoverTable, &subject, args(&info, NOT_ASKED));
    let old_name = &dropped.table.name.l;
    if modern && *old_name != info.name.l {
        queued.job.involving_schema_info = vec![
            InvolvingSchema::table(&dropped.database, old_name),
            InvolvingSchema::table(&db.info.name.l, &info.name.l),
        ];
    }
    p.submit(&mut queued);
    // Its rows do not expire by themselves any more.
    if let Some(ttl) = info.ttl_info.iter_mut().flatten().next() {
        ttl.enable = false;
    }
    info.state = SchemaState::WriteOnly;
    queued.job.raw_args = args(&info, GC_WAS_ON);
    p.running(&mut queued, SchemaState::WriteOnly, vec![]);

    info.state = SchemaState::Public;
    info.update_timestamp = start_of(p.next_step());
    // Nor are they where a policy wants them.
    info.policy_ref_info = info.policy_ref_info.map(|_| None);
    for definition in info.partition.iter_mut().flat_map(|p| &mut p.definitions) {
        definition.policy_ref_info = definition.policy_ref_info.take().map(|_| None);
    }
    queued.job.raw_args = args(&info, GC_WAS_ON);
    queued.job.binlog.table_info = Some(Box::new(info.clone()));
    let mut ids = info.partitions().map(|p| p.ids()).unwrap_or_default();
    if modern || ids.is_empty() {
        ids.push(info.id);
    }
    let diff = p.diff(Action::RecoverTable, db.info.id, info.id);
    let mut writes = vec![Write::PutTable(db.info.id, Box::new(kept(&info, modern)))];
    writes.extend(counters(db, dropped, &info));
    writes.push(Write::Diff(Box::new(diff)));
    affect(&mut writes, pairs(&ids, &ids));
    p.done(queued, SchemaState::Public, writes);
}

/// The table as the schema keeps it: 8.5 copies it first, and Go's copy of a list that was never made is an empty one.
fn kept(info: &TableInfo, modern: bool) -> TableInfo {
    let mut info = info.clone();
    if modern {
        info.indexes.made();
        info.fk_info.get_or_insert_default();
        info.revision = info.revision.map(|revision| revision + 1);
    }
    info
}

/// The table's counters go on where they were.
fn counters(db: &Database, dropped: &Dropped, info: &TableInfo) -> Vec<Write> {
    let Counters {
        row_id,
        increment,
        random,
    } = dropped.counters;
    let own = info.has_separate_counters() && info.auto_increment_column().is_some();
    let [of_rows, of_column, of_random] = [
        Some((meta::row_id_field(info.id), row_id)),
        own.then(|| (meta::auto_increment_field(info.id), increment)),
        (info.auto_random_bits > 0).then(|| (meta::auto_random_field(info.id), random)),
    ];
    [of_rows, of_column, of_random]
        .into_iter()
        .flatten()
        .map(|(field, value)| Write::PutMember(db.info.id, field, value.to_string()))
        .collect()
}

fn args(dropped: &Dropped, info: &TableInfo, flag: i64) -> Tree {
    let counters = Tree::Object(vec![
        ("RowID", dropped.counters.row_id.into()),
        ("IncrementID", dropped.counters.increment.into()),
        ("RandomID", dropped.counters.random.into()),
    ]);
    let table = Tree::Object(vec![
        ("SchemaID", dropped.db_id.into()),
        ("TableInfo", Tree::Table(Box::new(info.clone()))),
        ("DropJobID", dropped.job_id.into()),
        ("SnapshotTS", snapshot(dropped)),
        ("AutoIDs", counters),
        ("OldSchemaName", dropped.database.as_str().into()),
        ("OldTableName", dropped.table.name.l.as_str().into()),
    ]);
    // The rest is of databases that are brought back.
    let of_database = Tree::Object(vec![
        ("RecoverTableInfos", Tree::List(vec![table])),
        ("LoadTablesOnExecute", false.into()),
        ("DropJobID", 0.into()),
        ("SnapshotTS", 0.into()),
        ("OldSchemaName", Tree::name(&CiStr::default())),
    ]);
    let mut members = vec![("recover_info", of_database)];
    if flag != NOT_ASKED {
        members.push(("check_flag", flag.into()));
    }
    Tree::Object(members)
}

fn args_of_4_0(dropped: &Dropped, info: &TableInfo, flag: i64) -> Tree {
    Tree::List(vec![
        Tree::Table(Box::new(info.clone())),
        dropped.counters.row_id.into(),
        dropped.job_id.into(),
        snapshot(dropped),
        flag.into(),
        dropped.counters.random.into(),
    ])
}

fn snapshot(dropped: &Dropped) -> Tree {
    i64::try_from(dropped.start_ts).unwrap_or(i64::MAX).into()
}
