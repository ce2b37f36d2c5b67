//! Generated columns in ALTER TABLE.

use super::super::build::statement::{ColumnDef, Generated};
use super::super::model::{ColumnInfo, IndexInfo, TableInfo};
use super::super::{DdlError, generated};
use super::change::Op;
use super::column::Position;
use super::planner::Planner;
use super::sql_error;

/// What TiDB checks of a generated column that is added.
pub(super) fn check_added(
    table: &TableInfo,
    def: &ColumnDef,
    generated: &Generated,
    position: &Position,
) -> Result<(), DdlError> {
    if generated.stored {
        return Err(not_supported(
            "Adding generated stored column through ALTER TABLE",
        ));
    }
    let offset = position.target(table, table.columns.len());
    generated::check(&table.columns, &def.name, offset, generated)
}

/// A column that others are generated from can neither go nor get another name.
pub(super) fn is_read_by_none(table: &TableInfo, column: &ColumnInfo) -> Result<(), DdlError> {
    let reads = |c: &&ColumnInfo| {
        let mut names = c.dependences.iter().flat_map(|names| names.keys());
        names.any(|name| *name == column.name.l)
    };
    match table.columns.iter().find(reads) {
        None => Ok(()),
        Some(reader) if reader.hidden => Err(sql_error::refused(
            3837,
            format!(
                "Column '{}' has an expression index dependency and cannot be dropped or renamed",
                column.name.o
            ),
        )),
        Some(_) => Err(sql_error::refused(
            3108,
            format!(
                "Column '{}' has a generated column dependency.",
                column.name.o
            ),
        )),
    }
}

/// MODIFY and CHANGE leave generated columns, and what they are generated from, as they are.
pub(super) fn stays(
    p: &Planner<'_>,
    table: &TableInfo,
    old: &ColumnInfo,
    def: &ColumnDef,
) -> Result<(), DdlError> {
    let stored = |generated: Option<&Generated>| generated.is_some_and(|g| g.stored);
    if old.generated_stored != stored(def.generated.as_ref()) {
        return Err(not_supported("Changing the STORED status"));
    }
    if old.is_generated() || def.generated.is_some() {
        return Err(p.unsupported("MODIFY and CHANGE of generated columns"));
    }
    if is_read_by_none(table, old).is_err() {
        return Err(p.unsupported(format!(
            "MODIFY and CHANGE of the column {:?}, which others are generated from",
            old.name.o
        )));
    }
    Ok(())
}

fn not_supported(what: &str) -> DdlError {
    sql_error::refused(
        3106,
        format!("'{what}' is not supported for generated columns."),
    )
}

/// The hidden columns that an index was made with.
pub(super) fn hidden_of<'a>(
    table: &'a TableInfo,
    index: &'a IndexInfo,
) -> impl Iterator<Item = &'a ColumnInfo> {
    let columns = index.columns.iter();
    let columns = columns.filter_map(|part| table.columns.get(part.offset));
    columns.filter(|column| column.hidden)
}

/// An expression index comes and goes in a statement of its own.
pub(super) fn among_others(p: &Planner<'_>, table: &TableInfo, ops: &[Op]) -> Result<(), DdlError> {
    let has_hidden = |op: &Op| match op {
        Op::AddIndex { hidden, .. } => !hidden.is_empty(),
        Op::DropIndex(index) => hidden_of(table, index).next().is_some(),
        _ => false,
    };
    match ops.iter().any(has_hidden) {
        true => Err(p.unsupported("expression indexes among other changes")),
        false => Ok(()),
    }
}
