//! Foreign keys. In 8.5 they are checked: MariaDB has the same ones and does that. 4.0 keeps them and does no more.
//!
//! Those that change referring rows (CASCADE, SET NULL) are not served in 8.5: MariaDB changes such rows out of its binlog,
//! and TiKV would not have the change.

use super::super::build::column::check_name;
use super::super::build::index;
use super::super::build::statement::{ForeignKeyDef, IndexDef, IndexKind, TableName};
use super::super::model::{
    Action, CiStr, ColumnInfo, DbInfo, ForeignKeyInfo, IndexInfo, InvolvingSchema, SchemaState,
    TableInfo, Tree,
};
use super::super::{DdlError, mariadb};
use super::change::Op;
use super::column::change;
use super::planner::{Planner, on_table};
use super::{names, sql_error};

/// RESTRICT and NO ACTION, which are what is done unless something is said.
const PLAIN_ACTIONS: [u8; 3] = [0, 1, 4];
/// Foreign keys that are checked.
const CHECKED: u8 = 1;

/// The foreign keys of a new table, and the indexes that they need.
pub(super) fn of_new_table(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &mut TableInfo,
    defs: &[ForeignKeyDef],
) -> Result<(), DdlError> {
    if defs.is_empty() {
        return Ok(());
    }
    if p.modern() && table.partition.is_some() {
        return Err(sql_error::refused(
            1506,
            "Foreign key clause is not yet supported in conjunction with partitioning",
        ));
    }
    let mut keys: Vec<ForeignKeyInfo> = vec![];
    for def in defs {
        let name = name_of(p, def, &keys);
        let mut key = described(p, db, table, def, name)?;
        if p.modern() {
            key.id = keys.len() as i64 + 1;
        }
        key.state = SchemaState::Public;
        keys.push(key);
    }
    if p.modern() {
        table.max_fk_id = Some(keys.len() as i64);
        for key in &keys {
            let is_handle = key.cols.len() == 1
                && table
                    .handle_column()
                    .is_some_and(|c| c.name.l == key.cols[0].l);
            if is_handle || covering(table, &key.cols).is_some() {
                continue;
            }
            if table.index(&key.fk_name.l).is_some() {
                return Err(sql_error::duplicate_key_name(&key.fk_name.o));
            }
            let mut info = needed_index(p, table, key)?;
            table.max_idx_id += 1;
            info.id = table.max_idx_id;
            table.indexes.push(info);
        }
    }
    table.fk_info = Some(keys);
    Ok(())
}

/// The index that a foreign key without one is given.
fn needed_index(
    p: &Planner<'_>,
    table: &TableInfo,
    key: &ForeignKeyInfo,
) -> Result<IndexInfo, DdlError> {
    let def = IndexDef {
        kind: IndexKind::Plain,
        name: Some(key.fk_name.o.clone()),
        columns: key.cols.iter().map(|c| (c.o.clone(), None)).collect(),
        expressions: vec![],
        comment: None,
        invisible: false,
        index_type: None,
        has_options: false,
    };
    index::index(p.version(), &def, key.fk_name.clone(), &table.columns)
}

/// An index that begins with these columns.
fn covering<'a>(table: &'a TableInfo, columns: &[CiStr]) -> Option<&'a IndexInfo> {
    table.indexes.iter().find(|index| {
        index.state == SchemaState::Public
            && index.columns.len() >= columns.len()
            && index
                .columns
                .iter()
                .zip(columns)
                .all(|(part, column)| part.name.l == column.l && part.length < 0)
    })
}

fn name_of(p: &Planner<'_>, def: &ForeignKeyDef, others: &[ForeignKeyInfo]) -> String {
    if let Some(name) = &def.name {
        return name.clone();
    }
    let first = def.columns.first().map_or("", String::as_str);
    let candidates = (1..).map(|n| match (p.modern(), n) {
        (true, n) => format!("fk_{n}"),
        (false, 1) => first.to_owned(),
        (false, n) => format!("{first}_{n}"),
    });
    let is_free = |name: &String| others.iter().all(|other| !other.fk_name.is(name));
    candidates.into_iter().find(is_free).unwrap_or_default()
}

/// Describes a foreign key, without id and in no state yet.
fn described(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    def: &ForeignKeyDef,
    name: String,
) -> Result<ForeignKeyInfo, DdlError> {
    check_name("index", &name)?;
    if def.columns.len() != def.ref_columns.len() {
        return Err(sql_error::refused(
            1239,
            format!(
                "Incorrect foreign key definition for '{name}': Key reference and table reference don't match"
            ),
        ));
    }
    for column in &def.columns {
        if table.column(column).is_none() {
            return Err(sql_error::key_column_missing(column));
        }
    }
    let own = |name: &String| CiStr::new(name);
    let database = def.ref_table.database.as_ref().unwrap_or(&db.name.o);
    let key = ForeignKeyInfo {
        id: 0,
        fk_name: CiStr::new(&name),
        ref_schema: p.modern().then(|| CiStr::new(database)),
        ref_table: CiStr::new(&def.ref_table.table),
        ref_cols: def.ref_columns.iter().map(own).collect(),
        cols: def.columns.iter().map(own).collect(),
        on_delete: def.on_delete,
        on_update: def.on_update,
        state: SchemaState::None,
        version: p.modern().then_some(CHECKED),
    };
    if p.modern() {
        let actions = [key.on_delete, key.on_update];
        if !actions.iter().all(|action| PLAIN_ACTIONS.contains(action)) {
            return Err(p.unsupported(
                "foreign keys with CASCADE, SET NULL or SET DEFAULT: MariaDB changes the referring rows outside its binlog",
            ));
        }
        check_parent(p, db, table, &key)?;
    }
    Ok(key)
}

/// The table that is referred to must be there, with the same columns and an index on them, unless nobody asks.
fn check_parent(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    key: &ForeignKeyInfo,
) -> Result<(), DdlError> {
    let name = TableName {
        database: key.ref_schema.as_ref().map(|schema| schema.o.clone()),
        table: key.ref_table.o.clone(),
    };
    let to_itself = key.ref_table.is(&table.name.o)
        && key.ref_schema.as_ref().is_some_and(|s| s.is(&db.name.o));
    let parent = match to_itself {
        true => table,
        false => match names::table(p, &name) {
            Ok((_, parent)) => parent,
            Err(_) if !p.session.foreign_key_checks => return Ok(()),
            Err(_) => {
                return Err(sql_error::refused(
                    1824,
                    format!("Failed to open the referenced table '{}'", name.table),
                ));
            }
        },
    };
    if !parent.is_base_table() {
        return Err(sql_error::wrong_object(
            &name.database.unwrap_or_default(),
            &parent.name.o,
            "BASE TABLE",
        ));
    }
    for (own, referred) in key.cols.iter().zip(&key.ref_cols) {
        let found = parent.column(&referred.l).ok_or_else(|| {
            sql_error::refused(
                3734,
                format!(
                    "Failed to add the foreign key constraint. Missing column '{}' for constraint '{}' in the referenced \
                     table '{}'",
                    referred.o, key.fk_name.o, parent.name.o
                ),
            )
        })?;
        let same = table.column(&own.l).is_some_and(|column| {
            let (a, b) = (&column.field_type, &found.field_type);
            a.tp == b.tp
                && a.is_unsigned() == b.is_unsigned()
                && (a.charset.as_str(), a.collate.as_str())
                    == (b.charset.as_str(), b.collate.as_str())
        });
        if !same {
            return Err(sql_error::refused(
                3780,
                format!(
                    "Referencing column '{}' and referenced column '{}' in foreign key constraint '{}' are incompatible.",
                    own.o, referred.o, key.fk_name.o
                ),
            ));
        }
    }
    let is_handle = key.ref_cols.len() == 1
        && parent
            .handle_column()
            .is_some_and(|c| c.name.l == key.ref_cols[0].l);
    if !is_handle && covering(parent, &key.ref_cols).is_none() {
        return Err(sql_error::refused(
            1822,
            format!(
                "Failed to add the foreign key constraint. Missing index for constraint '{}' in the referenced table '{}'",
                key.fk_name.o, parent.name.o
            ),
        ));
    }
    Ok(())
}

/// What a job that makes foreign keys touches beside its own table.
pub(super) fn involved(keys: &[ForeignKeyInfo]) -> impl Iterator<Item = InvolvingSchema> {
    keys.iter().map(|key| {
        let schema = key.ref_schema.as_ref().map_or("", |schema| &schema.l);
        InvolvingSchema::table(schema, &key.ref_table.l).shared()
    })
}

/// `ADD CONSTRAINT … FOREIGN KEY`, with the index that it needs before it.
pub(super) fn add(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    def: &ForeignKeyDef,
) -> Result<Vec<(Op, Option<String>)>, DdlError> {
    let present = table.fk_info.as_deref().unwrap_or_default();
    let name = name_of(p, def, present);
    if present.iter().any(|key| key.fk_name.is(&name)) {
        let error = sql_error::refused(
            1826,
            format!("Duplicate foreign key constraint name '{name}'"),
        );
        return match def.if_not_exists {
            true => p.note(error).map(|()| vec![]),
            false => Err(error),
        };
    }
    let key = described(p, db, table, def, name)?;
    if !p.modern() {
        return Ok(vec![(Op::AddForeignKey(Box::new(key)), None)]);
    }
    if table.partitions().is_some() {
        return Err(sql_error::refused(
            1506,
            "Foreign key clause is not yet supported in conjunction with partitioning",
        ));
    }
    let mut ops = vec![];
    if covering(table, &key.cols).is_none() {
        if table.index(&key.fk_name.l).is_some() {
            return Err(sql_error::duplicate_key_name(&key.fk_name.o));
        }
        let info = needed_index(p, table, &key)?;
        let clause = format!(
            "ADD {}",
            mariadb::index(p.query, p.version(), &table.columns, &info)?
        );
        let op = Op::AddIndex {
            indexes: vec![info],
            hidden: vec![],
            args_v4: Tree::Null,
        };
        ops.push((op, Some(clause)));
    }
    let clause = format!("ADD {}", mariadb::foreign_key(&key));
    ops.push((Op::AddForeignKey(Box::new(key)), Some(clause)));
    Ok(ops)
}

/// `DROP FOREIGN KEY`.
pub(super) fn remove(
    p: &mut Planner<'_>,
    table: &TableInfo,
    name: &str,
    if_exists: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let present = table.fk_info.iter().flatten();
    let Some(key) = present.into_iter().find(|key| key.fk_name.is(name)) else {
        let error = sql_error::cannot_drop(name);
        return match if_exists {
            true => p.note(error).map(|()| None),
            false => Err(error),
        };
    };
    let clause = p
        .modern()
        .then(|| format!("DROP FOREIGN KEY {}", mariadb::quoted(&key.fk_name.o)));
    Ok(Some((Op::DropForeignKey(Box::new(key.clone())), clause)))
}

/// The arguments of a job that adds a foreign key.
pub(super) fn added_args(p: &Planner<'_>, key: &ForeignKeyInfo) -> Tree {
    let key = Tree::ForeignKey(Box::new(key.clone()));
    if !p.modern() {
        return Tree::List(vec![key]);
    }
    let mut members = vec![("fk_info", key)];
    members.extend(
        p.session
            .foreign_key_checks
            .then_some(("fk_check", true.into())),
    );
    Tree::Object(members)
}

/// The arguments of a job that drops one.
pub(super) fn dropped_args(p: &Planner<'_>, name: &CiStr) -> Tree {
    match p.modern() {
        true => Tree::Object(vec![("fk_name", Tree::name(name))]),
        false => Tree::List(vec![Tree::name(name)]),
    }
}

/// Puts a new foreign key among the table's, with an id of its own.
pub(super) fn put(info: &mut TableInfo, key: &mut ForeignKeyInfo) {
    match &mut info.max_fk_id {
        Some(max) => {
            *max += 1;
            key.id = *max;
        }
        // 4.0 takes the ids of indexes.
        None => {
            info.max_idx_id += 1;
            key.id = info.max_idx_id;
        }
    }
    info.fk_info.get_or_insert_default().push(key.clone());
}

/// The states in which a foreign key comes to be checked.
pub(super) const STATES: [SchemaState; 3] = [
    SchemaState::WriteOnly,
    SchemaState::WriteReorganization,
    SchemaState::Public,
];

/// Brings a foreign key into a state.
pub(super) fn set_state(info: &mut TableInfo, name: &CiStr, state: SchemaState) {
    let keys = info.fk_info.iter_mut().flatten();
    for key in keys.filter(|key| key.fk_name.l == name.l) {
        key.state = state;
    }
}

/// Takes a foreign key away.
pub(super) fn take(info: &mut TableInfo, name: &CiStr) {
    if let Some(keys) = &mut info.fk_info {
        keys.retain(|key| key.fk_name.l != name.l);
    }
}

/// Adds a foreign key in a job of its own.
pub(super) fn add_alone(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    mut key: ForeignKeyInfo,
) {
    let action = Action::AddForeignKey;
    let mut info = table.clone();
    let queued_args = added_args(p, &key);
    let mut queued = p.enqueue(action, &on_table(db, table), queued_args);
    if !p.modern() {
        p.submit(&mut queued);
        key.state = SchemaState::Public;
        put(&mut info, &mut key);
        let writes = change(p, action, db, &mut info);
        queued.job.binlog.table_info = Some(Box::new(info));
        return p.done(queued, SchemaState::Public, writes);
    }
    queued.job.involving_schema_info = vec![InvolvingSchema::table(&db.name.l, &table.name.l)];
    queued
        .job
        .involving_schema_info
        .extend(involved(std::slice::from_ref(&key)));
    p.submit(&mut queued);
    key.state = STATES[0];
    put(&mut info, &mut key);
    queued.job.raw_args = added_args(p, &key);
    for state in STATES {
        set_state(&mut info, &key.fk_name, state);
        let writes = change(p, action, db, &mut info);
        if state == SchemaState::Public {
            queued.job.binlog.table_info = Some(Box::new(info));
            return p.done(queued, state, writes);
        }
        p.running(&mut queued, state, writes);
    }
}

/// Drops a foreign key in a job of its own.
pub(super) fn drop_alone(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    key: &ForeignKeyInfo,
) {
    let mut info = table.clone();
    let args = dropped_args(p, &key.fk_name);
    let action = Action::DropForeignKey;
    let mut queued = p.enqueue(action, &on_table(db, table), args);
    p.submit(&mut queued);
    take(&mut info, &key.fk_name);
    let writes = change(p, action, db, &mut info);
    queued.job.binlog.table_info = Some(Box::new(info));
    p.done(queued, SchemaState::None, writes);
}

fn refers(key: &ForeignKeyInfo, db: &DbInfo, table: &TableInfo) -> bool {
    key.version == Some(CHECKED)
        && key.ref_table.l == table.name.l
        && key.ref_schema.as_ref().is_some_and(|s| s.l == db.name.l)
}

/// The foreign keys of other tables that refer to this one, with those tables.
pub(super) fn referring<'a>(
    p: &Planner<'a>,
    db: &DbInfo,
    table: &TableInfo,
) -> impl Iterator<Item = (&'a DbInfo, &'a TableInfo, &'a ForeignKeyInfo)> {
    let all = p.catalog.databases().flat_map(|other_db| {
        let tables = other_db.tables().map(|other| (&other_db.info, &**other));
        tables.flat_map(|(other_db, other)| {
            let keys = other.fk_info.iter().flatten();
            keys.map(move |key| (other_db, other, key))
        })
    });
    all.filter(|(_, other, key)| other.id != table.id && refers(key, db, table))
}

/// A table that others refer to is dropped only with all of them, unless nobody asks. MariaDB, which would ask for an order in
/// which they go, is not asked ([`mariadb::planned`]).
pub(super) fn check_drop(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    goes_too: impl Fn(&DbInfo, &TableInfo) -> bool,
) -> Result<(), DdlError> {
    let mut referring = referring(p, db, table);
    match referring.find(|(other_db, other, _)| !goes_too(other_db, other)) {
        Some((_, other, key)) if p.session.foreign_key_checks => Err(sql_error::refused(
            3730,
            format!(
                "Cannot drop table '{}' referenced by a foreign key constraint '{}' on table '{}'.",
                table.name.o, key.fk_name.o, other.name.o
            ),
        )),
        _ => Ok(()),
    }
}

/// Whether a table is among those that are named.
pub(super) fn is_named(
    p: &Planner<'_>,
    names: &[TableName],
    db: &DbInfo,
    table: &TableInfo,
) -> bool {
    names.iter().any(|name| {
        let database = name.database.as_ref().or(p.session.database.as_ref());
        table.name.is(&name.table) && database.is_some_and(|database| db.name.is(database))
    })
}

/// A table that others refer to is not emptied at once, unless nobody asks.
pub(super) fn check_truncate(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
) -> Result<(), DdlError> {
    match referring(p, db, table).next() {
        Some((other_db, other, key)) if p.session.foreign_key_checks => Err(sql_error::refused(
            1701,
            format!(
                "Cannot truncate a table referenced in a foreign key constraint (`{}`.`{}` CONSTRAINT `{}`)",
                other_db.name.o, other.name.o, key.fk_name.o
            ),
        )),
        _ => Ok(()),
    }
}

/// A table that others refer to keeps its name: theirs would have to follow.
pub(super) fn check_rename(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
) -> Result<(), DdlError> {
    match referring(p, db, table).next() {
        Some(_) => Err(p.unsupported("RENAME of tables that foreign keys refer to")),
        None => Ok(()),
    }
}

/// A column that a foreign key names keeps its name: the key's would have to follow.
pub(super) fn check_column(
    p: &Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    column: &ColumnInfo,
) -> Result<(), DdlError> {
    let is_it = |names: &[CiStr]| names.iter().any(|name| name.l == column.name.l);
    let own = table.fk_info.iter().flatten().any(|key| is_it(&key.cols));
    let referred = referring(p, db, table).any(|(_, _, key)| is_it(&key.ref_cols));
    match own || referred {
        true => Err(p.unsupported("RENAME of columns of foreign keys")),
        false => Ok(()),
    }
}
