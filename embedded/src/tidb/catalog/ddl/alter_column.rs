//! The changes of ALTER TABLE that are about columns.

use super::super::build::column as build_column;
use super::super::build::statement::ColumnDef;
use super::super::build::{default, default::DefaultValue, ttl};
use super::super::model::{CiStr, ColumnInfo, DbInfo, TableInfo, flag};
use super::super::{DdlError, mariadb};
use super::alter::keeps_partitions;
use super::change::{Op, is_told_in_utc};
use super::column::Position;
use super::modify::checked;
use super::planner::Planner;
use super::{foreign_key, generated, sql_error};

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

pub(super) fn add(
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
    let mut at_mariadb = column.clone();
    if mariadb::is_filled_otherwise(&column) {
        // The default becomes it later.
        at_mariadb.default.clone_from(&column.origin_default);
    }
    let mut clause = format!(
        "ADD COLUMN {}{}",
        mariadb::column(p.query, table, &at_mariadb)?,
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

/// Whether a column says when rows expire.
fn expires_by(table: &TableInfo, column: &ColumnInfo) -> bool {
    let mut ttl = table.ttl_info.iter().flatten();
    ttl.any(|ttl| ttl.column.is(&column.name.l))
}

pub(super) fn drop(
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
    if expires_by(table, column) {
        return Err(sql_error::refused(
            8149,
            format!(
                "Cannot drop column '{}': needed in TTL config",
                column.name.o
            ),
        ));
    }
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

pub(super) fn change(
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
    if expires_by(table, old) {
        ttl::check_type(&column.name.o, column.field_type.tp)?;
    }
    if column.name.l != old.name.l {
        foreign_key::check_column(p, db, table, old)?;
    }
    if column.name.l != old.name.l || column.field_type.tp != old.field_type.tp {
        keeps_partitions(p, table, old)?;
    }
    let mut at_mariadb = column.clone();
    if rewrites && is_told_in_utc(&column) {
        // The default becomes it later.
        at_mariadb.default = None;
    }
    let clause = format!(
        "CHANGE COLUMN {} {}{}",
        mariadb::quoted(&old.name.o),
        mariadb::column(p.query, table, &at_mariadb)?,
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

pub(super) fn rename(
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

pub(super) fn set_default(
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
