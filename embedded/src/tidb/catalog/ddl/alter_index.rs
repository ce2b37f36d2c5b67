//! The changes of ALTER TABLE that are about indexes.

use super::super::build::column as build_column;
use super::super::build::expression_index;
use super::super::build::index as build_index;
use super::super::build::partition_check;
use super::super::build::statement::{IndexDef, IndexKind};
use super::super::build::table::first_column;
use super::super::model::{CiStr, IndexInfo, TableInfo, Tree};
use super::super::{DdlError, mariadb};
use super::alter::partition_builder;
use super::change::Op;
use super::column::column_name;
use super::modify;
use super::planner::Planner;
use super::{generated, index, sql_error};

pub(super) fn add(
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
    let definition = mariadb::index(p.query, p.version(), &columns, &info)?;
    clauses.push(format!("ADD {definition}"));
    let clause = clauses.join(", ");
    let args = args_v4(&def, &info.name, info.is_unique);
    let op = Op::AddIndex {
        indexes: vec![info],
        hidden,
        args_v4: args,
    };
    Ok(Some((op, Some(clause))))
}

/// The arguments of 4.0: uniqueness, name, columns, options, hidden columns.
fn args_v4(def: &IndexDef, name: &CiStr, unique: bool) -> Tree {
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

pub(super) fn drop(
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
    clause.push_str(&own_key(table, index));
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

pub(super) fn drop_primary_key(
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
    let clause = format!("DROP PRIMARY KEY{}", own_key(table, index));
    Ok((Op::DropIndex(index.clone()), Some(clause)))
}

/// The clause that keeps a key on an AUTO_INCREMENT column at MariaDB, which wants one, when this index goes.
fn own_key(table: &TableInfo, index: &IndexInfo) -> String {
    let led = |i: &IndexInfo| i.columns.first().map(|part| part.offset);
    match table.auto_increment_column() {
        Some(auto) if led(index) == Some(auto.offset) => {
            format!(", ADD {}", mariadb::auto_increment_key(auto, true))
        }
        _ => String::new(),
    }
}

pub(super) fn rename(
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
