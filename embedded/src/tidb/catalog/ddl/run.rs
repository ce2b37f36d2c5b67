//! One function for each kind of statement.

use super::super::build::statement::{
    Change, CharsetClause, CreateTable, DatabaseOptions, Statement, TableName,
};
use super::super::build::{self, name::check_object};
use super::super::model::{Action, CiStr, DbInfo, SchemaState, TableInfo};
use super::super::{Catalog, DdlError, Plan, Session, auto_ids, charset, mariadb};
use super::planner::Planner;
use super::{
    alter, alter_options, cache, database, drop, foreign_key, names, partition_sugar, placement,
    recover, rename, sequence, sql_error, table, view,
};
use std::sync::Arc;

/// `temp_table_type` of a table that is one session's.
const LOCAL_TEMPORARY: u8 = 2;

/// Databases that cannot be changed.
const SYSTEM: [&str; 5] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "metrics_schema",
    "sys",
];

/// Plans a statement; `query` is its text as typed.
pub(crate) fn run(
    catalog: &Catalog,
    session: &Session,
    query: &str,
    statement: &Statement,
) -> Result<Plan, DdlError> {
    let mut p = Planner::new(catalog, session, query);
    match statement {
        Statement::CreateDatabase {
            name,
            if_not_exists,
            options,
        } => create_database(&mut p, name, *if_not_exists, options)?,
        Statement::AlterDatabase { name, options } => {
            alter_database(&mut p, name.as_deref(), options)?
        }
        Statement::DropDatabase { name, if_exists } => drop_database(&mut p, name, *if_exists)?,
        Statement::CreateTable(def) => create_table(&mut p, def)?,
        Statement::CreateTableLike {
            name,
            source,
            if_not_exists,
        } => create_table_like(&mut p, name, source, *if_not_exists)?,
        Statement::DropTable { names, if_exists } => {
            drop::several(&mut p, names, *if_exists, Action::DropTable)?;
        }
        Statement::CreateView(def) => view::create(&mut p, def)?,
        Statement::DropView { names, if_exists } => view::drop(&mut p, names, *if_exists)?,
        Statement::CreateSequence {
            name,
            if_not_exists,
            options,
            comment,
        } => sequence::create(&mut p, name, *if_not_exists, options, comment)?,
        Statement::AlterSequence {
            name,
            if_exists,
            options,
        } => sequence::alter(&mut p, name, *if_exists, options)?,
        Statement::DropSequence { names, if_exists } => {
            sequence::drop(&mut p, names, *if_exists)?;
        }
        Statement::CreatePolicy {
            name,
            or_replace,
            if_not_exists,
            options,
        } => placement::create(&mut p, name, *or_replace, *if_not_exists, options)?,
        Statement::AlterPolicy {
            name,
            if_exists,
            options,
        } => placement::alter(&mut p, name, *if_exists, options)?,
        Statement::DropPolicy { name, if_exists } => placement::drop(&mut p, name, *if_exists)?,
        Statement::TruncateTable(name) => truncate_table(&mut p, name)?,
        Statement::RecoverTable { source, to } => recover::recover(&mut p, source, to.as_deref())?,
        Statement::RenameTable(pairs) => rename_tables(&mut p, pairs)?,
        Statement::AlterTable { name, changes } => alter::alter(&mut p, name, changes)?,
        Statement::CreateIndex {
            table,
            index,
            if_not_exists,
        } => {
            let change = Change::AddIndex {
                index: index.clone(),
                if_not_exists: *if_not_exists,
            };
            alter::alter(&mut p, table, &[change])?;
        }
        Statement::DropIndex {
            table,
            index,
            if_exists,
        } => {
            let change = Change::DropIndex {
                name: index.clone(),
                if_exists: *if_exists,
            };
            alter::alter(&mut p, table, &[change])?;
        }
    }
    Ok(p.plan)
}

fn default_charset(
    p: &Planner<'_>,
    clause: &CharsetClause,
    inherited: (&str, &str),
) -> Result<(String, String), DdlError> {
    charset::resolve(
        p.version(),
        clause.charset.as_deref(),
        clause.collate.as_deref(),
        inherited,
    )
}

pub(super) fn refuse_system(p: &Planner<'_>, name: &str) -> Result<(), DdlError> {
    if SYSTEM.iter().any(|s| s.eq_ignore_ascii_case(name)) {
        return Err(p.unsupported(format!("changes of the database {name}")));
    }
    Ok(())
}

fn create_database(
    p: &mut Planner<'_>,
    name: &str,
    if_not_exists: bool,
    options: &DatabaseOptions,
) -> Result<(), DdlError> {
    let (cs, co) = default_charset(p, &options.charset, ("utf8mb4", "utf8mb4_bin"))?;
    check_object(p.query, "database", name)?;
    let existed = p.catalog.database(name).is_some();
    let policy = match &options.placement {
        Some(policy) => placement::named(p, policy)?,
        None => None,
    };
    database::create(p, name, if_not_exists, (cs, co), policy)?;
    if !existed {
        p.plan.mariadb.push(mariadb::create_database(name));
    }
    Ok(())
}

fn alter_database(
    p: &mut Planner<'_>,
    name: Option<&str>,
    options: &DatabaseOptions,
) -> Result<(), DdlError> {
    let db = match name {
        Some(name) => names::database_named(p, name)?,
        None => names::current_database(p)?,
    };
    refuse_system(p, &db.info.name.o)?;
    if let Some(policy) = &options.placement {
        placement::alter_database(p, db, policy)?;
    }
    let clause = &options.charset;
    let (cs, co) = default_charset(p, clause, (&db.info.charset, &db.info.collate))?;
    database::alter(p, db, cs, co)
}

fn drop_database(p: &mut Planner<'_>, name: &str, if_exists: bool) -> Result<(), DdlError> {
    refuse_system(p, name)?;
    database::drop(p, name, if_exists)?;
    if let Some(db) = p.catalog.database(name) {
        p.plan.mariadb.push(format!(
            "DROP DATABASE {}",
            mariadb::quoted(&db.info.name.o)
        ));
    }
    Ok(())
}

/// Whether a table may be made under this name: not if there is one, which IF NOT EXISTS takes as a note.
fn is_free(p: &mut Planner<'_>, name: &TableName, if_not_exists: bool) -> Result<bool, DdlError> {
    let db = names::database(p, name)?;
    refuse_system(p, &db.info.name.o)?;
    if db.table(&name.table).is_none() {
        return Ok(true);
    }
    let error = sql_error::table_exists(&db.info.name.o, &name.table);
    if if_not_exists {
        p.note(error)?;
        Ok(false)
    } else {
        Err(error)
    }
}

fn create_table(p: &mut Planner<'_>, def: &CreateTable) -> Result<(), DdlError> {
    let db = names::database(p, &def.name)?;
    refuse_system(p, &db.info.name.o)?;
    let inherited = (db.info.charset.as_str(), db.info.collate.as_str());
    let mut info = build::table::table(p.version(), p.session, p.query, def, inherited)?;
    if let Some(by) = &def.partition {
        let builder = build::partition::Builder {
            version: p.version(),
            query: p.query,
            table: &info,
            zone: &p.session.zone,
        };
        let mut warnings = vec![];
        info.partition = build::partition::partitions(&builder, by, &mut warnings)?;
        p.plan.warnings.extend(warnings);
        if let (Some(_), Some(partition)) = (&by.interval, &info.partition) {
            p.rewritten = partition_sugar::interval_written_out(p.query, partition);
        }
    }
    foreign_key::of_new_table(p, &db.info, &mut info, &def.foreign_keys)?;
    if def.temporary && p.modern() {
        return create_temporary(p, &db.info, info);
    }
    if def.temporary {
        p.warn(
            "Warning",
            sql_error::refused(
                1064,
                "TiDB doesn't support TEMPORARY TABLE, TEMPORARY will be parsed but ignored. ",
            ),
        )?;
    }
    // TiDB looks whether the name is free once it knows what the table would be.
    if !is_free(p, &def.name, def.if_not_exists)? {
        p.rewritten = None;
        return Ok(());
    }
    if p.modern() {
        info.policy_ref_info = Some(match &def.options.placement {
            Some(policy) => placement::named(p, policy)?,
            None => db.info.policy_ref_info.clone().flatten(),
        });
    }
    if let Some(collation) = build::table::unknown_key_collation(&info) {
        return Err(p.unsupported(format!("keys of collation {collation}")));
    }
    info.id = p.new_id();
    for what in &def.ignored {
        alter_options::ignored(p, &info, *what)?;
    }
    create_in_mariadb(p, &db.info, &info)?;
    table::create(p, &db.info, info, None);
    Ok(())
}

/// A table of the session's own: it takes an id, and there is no job. Whether its name is free is the session's to know.
fn create_temporary(p: &mut Planner<'_>, db: &DbInfo, mut info: TableInfo) -> Result<(), DdlError> {
    if info.partition.is_some() {
        return Err(sql_error::refused(
            1562,
            "Cannot create temporary table with partitions",
        ));
    }
    if info.auto_random_bits > 0
        || info.fk_info.is_some()
        || info.ttl_info.iter().flatten().count() > 0
    {
        return Err(p.unsupported("AUTO_RANDOM, foreign keys and TTL of temporary tables"));
    }
    info.id = p.new_id();
    info.state = SchemaState::Public;
    info.temp_table_type = Some(LOCAL_TEMPORARY);
    let statement = mariadb::create_table(p.query, db, &info)?;
    p.plan.temporary = Some((Arc::new(info), statement));
    let taken = p.take_ids();
    p.plan.steps.push(vec![taken]);
    Ok(())
}

/// What MariaDB needs for a new table.
fn create_in_mariadb(p: &mut Planner<'_>, db: &DbInfo, info: &TableInfo) -> Result<(), DdlError> {
    let (before, after) = auto_ids::of_new_table(db, info);
    p.plan.before.extend(before);
    p.plan.after.extend(after);
    if info.auto_random_bits > 0 {
        let message = format!(
            "Available implicit allocation times: {}",
            info.auto_random_capacity()
        );
        p.note(sql_error::refused(1105, message))?;
    }
    let statement = mariadb::create_table(p.query, db, info)?;
    p.plan.mariadb.push(statement);
    Ok(())
}

fn create_table_like(
    p: &mut Planner<'_>,
    name: &TableName,
    source: &TableName,
    if_not_exists: bool,
) -> Result<(), DdlError> {
    let (source_db, source) = names::base_table(p, source)?;
    if !is_free(p, name, if_not_exists)? {
        return Ok(());
    }
    check_object(p.query, "table", &name.table)?;
    let db = names::database(p, name)?;
    let mut info = TableInfo {
        name: CiStr::new(&name.table),
        auto_inc_id: 0,
        old_schema_id: 0,
        fk_info: None,
        // 4.0 queues a copy as the public table that it copied.
        state: if p.modern() {
            SchemaState::None
        } else {
            SchemaState::Public
        },
        update_timestamp: if p.modern() {
            0
        } else {
            source.update_timestamp
        },
        ..(**source).clone()
    };
    // Go's copy of a list that was never made is an empty one.
    info.indexes.made();
    info.id = p.new_id();
    create_in_mariadb(p, &db.info, &info)?;
    table::create(p, &db.info, info, Some((&source_db.info, source)));
    Ok(())
}

fn truncate_table(p: &mut Planner<'_>, name: &TableName) -> Result<(), DdlError> {
    let (db, info) = names::table(p, name)?;
    refuse_system(p, &db.info.name.o)?;
    if !info.is_base_table() {
        return Err(sql_error::no_such_table(&db.info.name.o, &info.name.o));
    }
    cache::check(info, "Truncate Table")?;
    foreign_key::check_truncate(p, &db.info, info)?;
    let statement = format!(
        "TRUNCATE TABLE {}",
        mariadb::full_name(&db.info, &info.name.o)
    );
    p.plan.mariadb.push(statement);
    table::truncate(p, db, info);
    Ok(())
}

fn rename_tables(p: &mut Planner<'_>, pairs: &[(TableName, TableName)]) -> Result<(), DdlError> {
    if pairs.len() > 1 && !p.modern() {
        return Err(sql_error::refused(1105, "can't run multi schema change"));
    }
    let mut renames: Vec<rename::Rename<'_>> = vec![];
    let mut clauses = vec![];
    for (from, to) in pairs {
        let from_db = names::database(p, from).map_err(|_| missing_source(p, from))?;
        let to_db = names::database(p, to)?;
        // What the renames before this one left under a name: a table, nothing, or as it was.
        let now = |db_id: i64, name: &str| {
            let arrived = renames
                .iter()
                .rev()
                .find(|r| r.to_db.id == db_id && r.to.is(name));
            let left = renames
                .iter()
                .rev()
                .find(|r| r.from_db.id == db_id && r.table.name.is(name));
            let position =
                |r: Option<&rename::Rename<'_>>| r.map(|r| std::ptr::from_ref(r) as usize);
            if arrived.is_some() && position(arrived) > position(left) {
                return arrived.map(|r| r.renamed(p));
            }
            if left.is_some() {
                return None;
            }
            let db = p.catalog.databases().find(|db| db.info.id == db_id)?;
            db.table(name).map(|t| (**t).clone())
        };
        let Some(info) = now(from_db.info.id, &from.table) else {
            return Err(missing_source(p, from));
        };
        if !info.is_base_table() {
            return Err(p.unsupported("RENAME of views and sequences"));
        }
        foreign_key::check_rename(p, &from_db.info, &info)?;
        if now(to_db.info.id, &to.table).is_some_and(|t| t.id != info.id) {
            return Err(sql_error::table_exists(&to_db.info.name.o, &to.table));
        }
        check_object(p.query, "table", &to.table)?;
        refuse_system(p, &from_db.info.name.o)?;
        refuse_system(p, &to_db.info.name.o)?;
        clauses.push(format!(
            "{} TO {}",
            mariadb::full_name(&from_db.info, &info.name.o),
            mariadb::full_name(&to_db.info, &to.table)
        ));
        renames.push(rename::Rename {
            from_db: &from_db.info,
            table: info,
            to_db: &to_db.info,
            to: CiStr::new(&to.table),
        });
    }
    p.plan
        .mariadb
        .push(format!("RENAME TABLE {}", clauses.join(", ")));
    match &renames[..] {
        [one] => rename::one(p, one),
        several => rename::several(p, several),
    }
    Ok(())
}

/// 4.0 answers with an error of its own, whose text is garbled there.
fn missing_source(p: &Planner<'_>, name: &TableName) -> DdlError {
    let db = name.database.as_ref().or(p.session.database.as_ref());
    let db = db.map_or("", String::as_str);
    if p.modern() {
        sql_error::no_such_table(db, &name.table)
    } else {
        sql_error::refused(
            1017,
            format!(
                "Can't find file: './{db}/{}' (errno: 2 - No such file or directory)",
                name.table
            ),
        )
    }
}
