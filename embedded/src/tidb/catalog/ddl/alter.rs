//! ALTER TABLE: one job a change. MariaDB gets all changes in one statement.

use super::super::build::name::check_object;
use super::super::build::partition as build_partition;
use super::super::build::partition_check;
use super::super::build::statement::{Change, TableName};
use super::super::model::{Action, CiStr, ColumnInfo, DbInfo, TableInfo, Tree};
use super::super::{Database, DdlError, mariadb};
use super::change::{Edit, Op};
use super::planner::Planner;
use super::{
    alter_column, alter_index, alter_options, cache, foreign_key, generated, multi, names,
    partition_change, partition_error, placement, rename, sql_error,
};

/// Carries out the changes in order.
pub(crate) fn alter(
    p: &mut Planner<'_>,
    name: &TableName,
    changes: &[Change],
) -> Result<(), DdlError> {
    let (db, table) = names::base_table(p, name)?;
    let several = check_combination(p, changes)?;
    if !changes.iter().all(|c| matches!(c, Change::Cache(_))) {
        cache::check(table, "Alter Table")?;
    }
    let mut clauses = vec![];
    let mut ops = vec![];
    for change in changes {
        if let Change::Rename(to) = change {
            return rename_to(p, db, table, to);
        }
        if let Change::Partition(what) = change {
            return partition_change::change(p, db, table, what);
        }
        if let Change::Cache(on) = change {
            return cache::switch(p, &db.info, table, *on);
        }
        if let Change::Placement(policy) = change {
            return placement::alter_table(p, &db.info, table, policy);
        }
        if let Change::AddForeignKey(def) = change {
            for (op, clause) in foreign_key::add(p, &db.info, table, def)? {
                ops.push(op);
                clauses.extend(clause);
            }
            continue;
        }
        // Each is checked against the table as it was before all of them.
        if let Some((op, clause)) = one(p, &db.info, table, change)? {
            ops.push(op);
            clauses.extend(clause);
        }
    }
    let defaults: Vec<String> = ops.iter().filter_map(Op::later_default).collect();
    if ops.iter().any(Op::depends_on_zone) {
        if ops.iter().any(Op::has_time_in_utc) {
            let what = "a change from or to TIMESTAMP among others with a constant as its default";
            return Err(p.unsupported(what));
        }
        p.plan.zone = Some(p.session.zone.name().to_owned());
    }
    if several || ops.len() > 1 {
        generated::among_others(p, table, &ops)?;
        multi::check(p, table, &ops)?;
        multi::run(p, &db.info, table, ops);
    } else {
        ops.into_iter().for_each(|op| op.run(p, &db.info, table));
    }
    if !clauses.is_empty() {
        if !p.plan.rewrites.is_empty() && table.has_row_id() {
            clauses.push(mariadb::no_row_ids());
        }
        if !defaults.is_empty() && p.plan.locked.is_none() {
            p.plan.locked = Some(mariadb::locks(&db.info, table));
        }
        let table = mariadb::full_name(&db.info, &table.name.o);
        for clauses in [clauses, defaults].iter().filter(|c| !c.is_empty()) {
            let statement = format!("ALTER TABLE {table} {}", clauses.join(", "));
            p.plan.mariadb.push(statement);
        }
    }
    Ok(())
}

/// Whether there are several changes: they are one job of many parts in newer releases, and refused by 4.0.
fn check_combination(p: &Planner<'_>, changes: &[Change]) -> Result<bool, DdlError> {
    let real = changes
        .iter()
        .filter(|c| !matches!(c, Change::Nothing))
        .count();
    if real <= 1 {
        return Ok(false);
    }
    if !p.modern() {
        return Err(sql_error::refused(8200, "Unsupported multi schema change"));
    }
    if changes.iter().any(|c| matches!(c, Change::Rename(_))) {
        return Err(sql_error::refused(
            8200,
            "Unsupported multi schema change for rename table",
        ));
    }
    if changes
        .iter()
        .any(|c| matches!(c, Change::Cache(_) | Change::Placement(_)))
    {
        return Err(p.unsupported("CACHE and PLACEMENT POLICY among other changes"));
    }
    if changes.iter().any(|c| matches!(c, Change::Partition(_))) {
        return Err(sql_error::refused(
            8200,
            "Unsupported multi schema change for partition management",
        ));
    }
    Ok(true)
}

/// One change, checked, and MariaDB's clause. None if nothing changes.
fn one(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    change: &Change,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    Ok(match change {
        Change::AddColumn {
            column,
            position,
            if_not_exists,
        } => alter_column::add(p, db, table, column, position, *if_not_exists)?,
        Change::DropColumn { name, if_exists } => alter_column::drop(p, table, name, *if_exists)?,
        Change::ModifyColumn {
            old,
            column,
            position,
            if_exists,
        } => alter_column::change(p, (db, table), old, column, position, *if_exists)?,
        Change::RenameColumn { from, to } => alter_column::rename(p, db, table, from, to)?,
        Change::SetDefault { column, value } => {
            Some(alter_column::set_default(p, table, column, value.as_ref())?)
        }
        Change::AddIndex {
            index,
            if_not_exists,
        } => alter_index::add(p, table, index, *if_not_exists)?,
        Change::DropIndex { name, if_exists } => alter_index::drop(p, table, name, *if_exists)?,
        Change::DropPrimaryKey => Some(alter_index::drop_primary_key(p, table)?),
        Change::RenameIndex { from, to } => alter_index::rename(p, table, from, to)?,
        Change::Comment(text) => {
            let args = if p.modern() {
                Tree::Object(vec![("comment", text.as_str().into())])
            } else {
                Tree::List(vec![text.as_str().into()])
            };
            let op = Op::at_once(
                Action::ModifyTableComment,
                args,
                Edit::Comment(text.clone()),
            );
            Some((op, None))
        }
        Change::Charset { clause, convert } => {
            alter_options::table_charset(p, table, clause, *convert)?
        }
        Change::AutoIncrement { base, force } => {
            alter_options::auto_increment(p, db, table, *base, *force)?
        }
        Change::Visibility { index, invisible } => {
            alter_options::visibility(p, table, index, *invisible)?
        }
        Change::DropForeignKey { name, if_exists } => {
            foreign_key::remove(p, table, name, *if_exists)?
        }
        Change::Ttl(options) => alter_options::ttl(p, table, options)?,
        Change::RemoveTtl => alter_options::remove_ttl(table),
        Change::ShardRowIdBits(bits) => alter_options::shard_row_id_bits(p, table, *bits)?,
        Change::Ignored(what) => {
            alter_options::ignored(p, table, *what)?;
            None
        }
        Change::Rename(_)
        | Change::Partition(_)
        | Change::AddForeignKey(_)
        | Change::Cache(_)
        | Change::Placement(_)
        | Change::Nothing => None,
    })
}

pub(super) fn partition_builder<'a>(
    p: &Planner<'a>,
    table: &'a TableInfo,
) -> build_partition::Builder<'a> {
    build_partition::Builder {
        version: p.version(),
        query: p.query,
        table,
        zone: &p.session.zone,
    }
}

/// A column that the table is partitioned by stays.
pub(super) fn keeps_partitions(
    p: &Planner<'_>,
    table: &TableInfo,
    column: &ColumnInfo,
) -> Result<(), DdlError> {
    let Some(partition) = table.partitions() else {
        return Ok(());
    };
    let builder = partition_builder(p, table);
    let columns = partition_check::partition_columns(&builder, partition);
    match columns.contains(&column.offset) {
        true => Err(partition_error::column_in_function(&column.name.o)),
        false => Ok(()),
    }
}

fn rename_to(
    p: &mut Planner<'_>,
    db: &Database,
    table: &TableInfo,
    to: &TableName,
) -> Result<(), DdlError> {
    let to_db = match &to.database {
        Some(name) => names::database_named(p, name)?,
        None => names::current_database(p)?,
    };
    if to_db.info.id == db.info.id && table.name.is(&to.table) {
        return Ok(());
    }
    if to_db.table(&to.table).is_some() {
        return Err(sql_error::table_exists(&to_db.info.name.o, &to.table));
    }
    check_object(p.query, "table", &to.table)?;
    foreign_key::check_rename(p, &db.info, table)?;
    p.plan.mariadb.push(format!(
        "RENAME TABLE {} TO {}",
        mariadb::full_name(&db.info, &table.name.o),
        mariadb::full_name(&to_db.info, &to.table)
    ));
    let rename = rename::Rename {
        from_db: &db.info,
        table: table.clone(),
        to_db: &to_db.info,
        to: CiStr::new(&to.table),
    };
    rename::one(p, &rename);
    Ok(())
}
