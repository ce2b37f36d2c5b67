//! ALTER TABLE: one job a change. MariaDB gets all changes in one statement.

use super::super::build::column as build_column;
use super::super::build::expression_index;
use super::super::build::index as build_index;
use super::super::build::partition as build_partition;
use super::super::build::partition_check;
use super::super::build::statement::{Change, ColumnDef, IndexDef, IndexKind, TableName};
use super::super::build::table::first_column;
use super::super::build::{default, default::DefaultValue};
use super::super::model::{Action, CiStr, ColumnInfo, DbInfo, TableInfo, Tree, flag};
use super::super::{Database, DdlError, mariadb};
use super::change::{Edit, Op};
use super::column::{Position, column_name};
use super::modify::{self, checked};
use super::planner::Planner;
use super::{
    alter_options, cache, foreign_key, generated, index, multi, names, partition_change,
    partition_error, placement, rename, sql_error,
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
    if several || ops.len() > 1 {
        generated::among_others(p, table, &ops)?;
        multi::check(p, table, &ops)?;
        multi::run(p, &db.info, table, ops);
    } else {
        ops.into_iter().for_each(|op| op.run(p, &db.info, table));
    }
    if !clauses.is_empty() {
        let table = mariadb::full_name(&db.info, &table.name.o);
        p.plan
            .mariadb
            .push(format!("ALTER TABLE {table} {}", clauses.join(", ")));
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
        } => add(p, db, table, column, position, *if_not_exists)?,
        Change::DropColumn { name, if_exists } => drop(p, table, name, *if_exists)?,
        Change::ModifyColumn {
            old,
            column,
            position,
            if_exists,
        } => change_column(p, (db, table), old, column, position, *if_exists)?,
        Change::RenameColumn { from, to } => rename_column(p, db, table, from, to)?,
        Change::SetDefault { column, value } => Some(default_of(p, table, column, value.as_ref())?),
        Change::AddIndex {
            index,
            if_not_exists,
        } => add_index(p, table, index, *if_not_exists)?,
        Change::DropIndex { name, if_exists } => drop_index(p, table, name, *if_exists)?,
        Change::DropPrimaryKey => Some(drop_primary_key(p, table)?),
        Change::RenameIndex { from, to } => rename_index(p, table, from, to)?,
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

fn partition_builder<'a>(p: &Planner<'a>, table: &'a TableInfo) -> build_partition::Builder<'a> {
    build_partition::Builder {
        version: p.version(),
        query: p.query,
        table,
        utc_offset: p.session.utc_offset,
    }
}

/// A column that the table is partitioned by stays.
fn keeps_partitions(
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

fn position_clause(position: &Position) -> String {
    match position {
        Position::Unspecified | Position::Listed => String::new(),
        Position::First => " FIRST".to_owned(),
        Position::After(name) => format!(" AFTER {}", mariadb::quoted(&name.o)),
    }
}

/// The column that AFTER names must exist; its name is kept as the statement has it.
fn check_position(table: &TableInfo, position: &Position) -> Result<(), DdlError> {
    match position {
        Position::After(name) if table.column(&name.l).is_none() => {
            Err(sql_error::unknown_column(&name.o, &table.name.o))
        }
        _ => Ok(()),
    }
}

fn add(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    def: &ColumnDef,
    position: &Position,
    if_not_exists: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    if let Some(existing) = table.column(&def.name) {
        let error = sql_error::duplicate_column(&existing.name.o);
        return if if_not_exists {
            p.note(error).map(|()| None)
        } else {
            Err(error)
        };
    }
    for (given, constraint) in [
        (def.auto_increment, "AUTO_INCREMENT"),
        (def.primary.is_some(), "PRIMARY KEY"),
        (def.unique, "UNIQUE KEY"),
    ] {
        if given {
            return Err(sql_error::refused(
                8200,
                format!(
                    "unsupported add column '{}' constraint {constraint} when altering '{}.{}'",
                    def.name, db.name.o, table.name.o
                ),
            ));
        }
    }
    check_position(table, position)?;
    if let Some(generated) = &def.generated {
        generated::check_added(table, def, generated, position)?;
    }
    let mut column = build_column::column(
        p.version(),
        p.session,
        def,
        (&table.charset, &table.collate),
    )?;
    build_column::finish(p.version(), &mut column, def.default.is_some());
    column.id = table.max_col_id + 1;
    let origin = default::origin(p.version(), p.session, &column);
    column.origin_default = origin.text;
    if p.modern() {
        column.origin_default_bit = Some(origin.bits);
    }
    let mut clause = format!(
        "ADD COLUMN {}{}",
        mariadb::column(p.query, table, &column)?,
        position_clause(position)
    );
    for check in mariadb::checks(p.query, table, &column)? {
        clause.push_str(", ADD ");
        clause.push_str(&check);
    }
    let op = Op::AddColumn {
        column: Box::new(column),
        position: position.clone(),
    };
    Ok(Some((op, Some(clause))))
}

fn drop(
    p: &mut Planner<'_>,
    table: &TableInfo,
    name: &str,
    if_exists: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let Some(column) = table.column(name) else {
        let error = if p.modern() {
            sql_error::cannot_drop(name)
        } else {
            sql_error::no_such_column_to_drop(name)
        };
        return if if_exists {
            p.note(error).map(|()| None)
        } else {
            Err(error)
        };
    };
    keeps_partitions(p, table, column)?;
    generated::is_read_by_none(table, column)?;
    if table.columns.len() == 1 {
        return Err(sql_error::no_columns_left(&column.name.o));
    }
    if column.field_type.has(flag::PRI_KEY) && table.pk_is_handle {
        return Err(sql_error::refused(
            8200,
            "Unsupported drop integer primary key",
        ));
    }
    let covering = table.indexes.iter().find(|i| {
        i.columns.iter().any(|c| c.offset == column.offset)
            && (i.is_primary || i.columns.len() > 1 || !p.modern())
    });
    if covering.is_some() {
        let kind = if p.modern() {
            "composite index covered or Primary Key covered now"
        } else {
            "index covered now"
        };
        return Err(sql_error::refused(
            8200,
            format!("can't drop column {} with {kind}", column.name.o),
        ));
    }
    let mut clause = format!("DROP COLUMN {}", mariadb::quoted(&column.name.o));
    for name in mariadb::check_names(p.query, table, column)? {
        clause.push_str(&format!(", DROP CONSTRAINT {name}"));
    }
    Ok(Some((
        Op::DropColumn(Box::new(column.clone())),
        Some(clause),
    )))
}

fn change_column(
    p: &mut Planner<'_>,
    (db, table): (&DbInfo, &TableInfo),
    old: &str,
    def: &ColumnDef,
    position: &Position,
    if_exists: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let Some(old) = table.column(old) else {
        let error = sql_error::unknown_column(old, &table.name.o);
        return if if_exists {
            p.note(error).map(|()| None)
        } else {
            Err(error)
        };
    };
    if !old.name.is(&def.name) && table.column(&def.name).is_some() {
        return Err(sql_error::duplicate_column(&def.name));
    }
    check_position(table, position)?;
    generated::stays(p, table, old, def)?;
    let (column, rewrites) = checked(p, table, old, def)?;
    if column.name.l != old.name.l {
        foreign_key::check_column(p, db, table, old)?;
    }
    if column.name.l != old.name.l || column.field_type.tp != old.field_type.tp {
        keeps_partitions(p, table, old)?;
    }
    let clause = format!(
        "CHANGE COLUMN {} {}{}",
        mariadb::quoted(&old.name.o),
        mariadb::column(p.query, table, &column)?,
        position_clause(position)
    );
    let (old, column) = (Box::new(old.clone()), Box::new(column));
    let op = match rewrites {
        true => Op::Rewrite {
            old,
            column,
            position: position.clone(),
        },
        false => Op::Modify {
            old,
            column,
            position: Some(position.clone()),
        },
    };
    Ok(Some((op, Some(clause))))
}

fn rename_column(
    p: &mut Planner<'_>,
    db: &DbInfo,
    table: &TableInfo,
    from: &str,
    to: &str,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let Some(old) = table.column(from) else {
        return Err(sql_error::unknown_column(from, &table.name.o));
    };
    if old.name.o == to {
        return Ok(None);
    }
    if !old.name.is(to) && table.column(to).is_some() {
        return Err(sql_error::duplicate_column(to));
    }
    build_column::check_name("column", to)?;
    foreign_key::check_column(p, db, table, old)?;
    keeps_partitions(p, table, old)?;
    generated::is_read_by_none(table, old)?;
    if old.is_generated() {
        return Err(p.unsupported("renaming a generated column"));
    }
    let column = ColumnInfo {
        name: CiStr::new(to),
        ..old.clone()
    };
    let clause = format!(
        "CHANGE COLUMN {} {}",
        mariadb::quoted(&old.name.o),
        mariadb::column(p.query, table, &column)?
    );
    let op = Op::Modify {
        old: Box::new(old.clone()),
        column: Box::new(column),
        position: None,
    };
    Ok(Some((op, Some(clause))))
}

fn default_of(
    p: &mut Planner<'_>,
    table: &TableInfo,
    name: &str,
    value: Option<&DefaultValue>,
) -> Result<(Op, Option<String>), DdlError> {
    let mut column = table
        .column(name)
        .ok_or_else(|| sql_error::unknown_column(name, &table.name.o))?
        .clone();
    if column.is_generated() {
        return Err(sql_error::refused(
            1221,
            "Incorrect usage of DEFAULT and generated column",
        ));
    }
    (column.default, column.default_bit) = (None, None);
    match value {
        None => column.field_type.flag |= flag::NO_DEFAULT,
        Some(DefaultValue::Null) if column.field_type.is_not_null() => {
            return Err(sql_error::invalid_default(name));
        }
        Some(value) => {
            let stored = default::stored(p.session, name, &column.field_type, value)?;
            (column.default, column.default_bit) = (stored.text, stored.bits);
            column.field_type.flag &= !flag::NO_DEFAULT;
        }
    }
    let clause = format!(
        "MODIFY COLUMN {}",
        mariadb::column(p.query, table, &column)?
    );
    Ok((Op::SetDefault(Box::new(column)), Some(clause)))
}

fn add_index(
    p: &mut Planner<'_>,
    table: &TableInfo,
    def: &IndexDef,
    if_not_exists: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let is_primary = matches!(def.kind, IndexKind::Primary(_));
    expression_index::check(p.version(), def, false)?;
    if is_primary {
        if table.pk_is_handle || table.indexes.iter().any(|i| i.is_primary) {
            return Err(if p.modern() {
                sql_error::multiple_primary_keys()
            } else {
                sql_error::refused(
                    8200,
                    "Unsupported add primary key, alter-primary-key is false",
                )
            });
        }
        modify::check_new_primary_key(p, table, def)?;
    }
    let mut name = match &def.name {
        _ if is_primary => build_index::PRIMARY.to_owned(),
        Some(name) => name.clone(),
        None => {
            let first = first_column(table, def);
            build_index::unused_name(first, &|n| table.index(n).is_some())
        }
    };
    build_column::check_name("index", &name)?;
    if table.index(&name).is_some() {
        let error = if p.modern() {
            sql_error::duplicate_key_name(&name)
        } else {
            sql_error::index_exists(&name)
        };
        if !if_not_exists {
            return Err(error);
        }
        p.note(error)?;
        if !p.modern() || is_primary {
            return Ok(None);
        }
        // TiDB goes on and adds the index, under no name: recorded in `v8.4/ddl-column-index`.
        name = String::new();
        if table.index(&name).is_some() {
            return Err(sql_error::index_exists(&name));
        }
    }
    let mut def = def.clone();
    let hidden = expression_index::hidden(p.version(), p.query, table, &mut def, &name)?;
    let columns = [&table.columns[..], &hidden[..]].concat();
    let info = build_index::index(p.version(), &def, CiStr::new(name), &columns)?;
    if let (true, Some(partition)) = (info.is_unique, table.partitions()) {
        let builder = partition_builder(p, table);
        let columns = partition_check::partition_columns(&builder, partition);
        let parts: Vec<usize> = info.columns.iter().map(|part| part.offset).collect();
        partition_check::check_key(&builder, &columns, &parts, is_primary, &info.name.o)?;
    }
    let mut clauses = vec![];
    for column in &hidden {
        let definition = mariadb::column(p.query, table, column)?;
        clauses.push(format!("ADD COLUMN {definition}"));
        let checks = mariadb::checks(p.query, table, column)?;
        clauses.extend(checks.iter().map(|check| format!("ADD {check}")));
    }
    clauses.push(format!("ADD {}", mariadb::index(&info)));
    let clause = clauses.join(", ");
    let args = index_args_v4(&def, &info.name, info.is_unique);
    let op = Op::AddIndex {
        indexes: vec![info],
        hidden,
        args_v4: args,
    };
    Ok(Some((op, Some(clause))))
}

/// The arguments of 4.0: uniqueness, name, columns, options, hidden columns.
fn index_args_v4(def: &IndexDef, name: &CiStr, unique: bool) -> Tree {
    let columns = def
        .columns
        .iter()
        .map(|(column, length)| {
            Tree::Object(vec![
                ("Column", column_name(&CiStr::new(column))),
                ("Length", length.map_or(-1, |n| n as i64).into()),
                ("Expr", Tree::Null),
            ])
        })
        .collect();
    let options = if def.has_options {
        Tree::Object(vec![
            ("KeyBlockSize", Tree::Int(0)),
            ("Tp", i64::from(def.index_type.unwrap_or(0)).into()),
            ("Comment", def.comment.as_deref().unwrap_or_default().into()),
            ("ParserName", Tree::name(&CiStr::default())),
            ("Visibility", Tree::Int(if def.invisible { 2 } else { 0 })),
        ])
    } else {
        Tree::Null
    };
    Tree::List(vec![
        unique.into(),
        Tree::name(name),
        Tree::List(columns),
        options,
        Tree::List(vec![]),
    ])
}

fn drop_index(
    p: &mut Planner<'_>,
    table: &TableInfo,
    name: &str,
    if_exists: bool,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    if name.eq_ignore_ascii_case(build_index::PRIMARY) {
        return drop_primary_key(p, table).map(Some);
    }
    let Some(index) = table.index(name) else {
        let error = sql_error::no_such_index(name);
        return if if_exists {
            p.note(error).map(|()| None)
        } else {
            Err(error)
        };
    };
    let mut clause = format!("DROP INDEX {}", mariadb::index_name(&index.name));
    for column in generated::hidden_of(table, index) {
        for name in mariadb::check_names(p.query, table, column)? {
            clause.push_str(&format!(", DROP CONSTRAINT {name}"));
        }
        clause.push_str(&format!(
            ", DROP COLUMN {}",
            mariadb::quoted(&column.name.o)
        ));
    }
    Ok(Some((Op::DropIndex(index.clone()), Some(clause))))
}

fn drop_primary_key(
    p: &mut Planner<'_>,
    table: &TableInfo,
) -> Result<(Op, Option<String>), DdlError> {
    if !p.modern() {
        return Err(sql_error::refused(
            8200,
            "Unsupported drop primary key when alter-primary-key is false",
        ));
    }
    if !table.has_row_id() {
        return Err(sql_error::refused(
            8200,
            "Unsupported drop primary key when the table is using clustered index",
        ));
    }
    let index = table
        .indexes
        .iter()
        .find(|i| i.is_primary)
        .ok_or_else(|| sql_error::cannot_drop(build_index::PRIMARY))?;
    Ok((
        Op::DropIndex(index.clone()),
        Some("DROP PRIMARY KEY".to_owned()),
    ))
}

fn rename_index(
    p: &mut Planner<'_>,
    table: &TableInfo,
    from: &str,
    to: &str,
) -> Result<Option<(Op, Option<String>)>, DdlError> {
    let Some(index) = table.index(from).filter(|i| !i.is_primary) else {
        return Err(sql_error::key_does_not_exist(from, &table.name.o));
    };
    if index.name.o == to {
        return Ok(None);
    }
    if table.index(to).is_some_and(|other| other.id != index.id) {
        return Err(sql_error::duplicate_key_name(to));
    }
    build_column::check_name("index", to)?;
    if generated::hidden_of(table, index).next().is_some() {
        return Err(p.unsupported("renaming an expression index"));
    }
    let clause = format!(
        "RENAME INDEX {} TO {}",
        mariadb::index_name(&index.name),
        mariadb::quoted(to)
    );
    let op = index::rename(p, &index.name, &CiStr::new(to));
    Ok(Some((op, Some(clause))))
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
    build_column::check_name("table", &to.table)?;
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
