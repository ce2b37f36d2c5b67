//! What a change of a row does to its record and to the entries of its indexes.

use super::effect::NetEffect;
use super::writer::Changes;
use crate::client::Change;
use crate::tidb::catalog::TableInfo;
use crate::tidb::catalog::model::IndexInfo;
use crate::tidb::codec::{CodecError, Datum, Handle, index, keys, row};

/// A row before or after a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// One for each of the table's columns, in table order.
    pub values: Vec<Datum>,
    /// `_tidb_rowid`, where the table has it.
    pub row_id: Option<i64>,
}

impl Image {
    fn handle(&self, table: &TableInfo) -> Result<Handle, CodecError> {
        row::handle(table, &self.values, self.row_id)
    }

    fn as_indexed<'a>(&'a self, table: &TableInfo, handle: &'a Handle) -> index::Row<'a> {
        index::Row {
            physical_id: table.id,
            values: &self.values,
            handle,
        }
    }
}

/// A row appears, and with it its entries.
pub fn insert(table: &TableInfo, new: &Image, effect: &mut NetEffect) -> Result<(), CodecError> {
    let handle = new.handle(table)?;
    effect.insert(
        keys::record_key(table.id, &handle),
        row::encode_row(table, &new.values)?,
    );
    let indexed = new.as_indexed(table, &handle);
    index::written(table).try_for_each(|index| {
        effect.put_entry(index::entry(table, index, indexed)?);
        Ok(())
    })
}

/// A row goes, and with it its entries.
pub fn delete(table: &TableInfo, old: &Image, effect: &mut NetEffect) -> Result<(), CodecError> {
    let handle = old.handle(table)?;
    effect.delete(keys::record_key(table.id, &handle));
    let indexed = old.as_indexed(table, &handle);
    index::written(table).try_for_each(|index| {
        effect.delete(index::key(table, index, indexed)?.0);
        Ok(())
    })
}

/// A row changes. While the columns of its clustered primary key stay, only the indexes of which a column changed are
/// written, those whose entry is the same afterwards too. Else it is a row that goes and one that comes, even under the
/// same handle: entries hold what the handle lost of the primary key.
pub fn update(
    table: &TableInfo,
    old: &Image,
    new: &Image,
    effect: &mut NetEffect,
) -> Result<(), CodecError> {
    let handle = old.handle(table)?;
    if new.handle(table)? != handle {
        delete(table, old, effect)?;
        return insert(table, new, effect);
    }
    effect.update(
        keys::record_key(table.id, &handle),
        row::encode_row(table, &new.values)?,
    );
    let (before, after) = (
        old.as_indexed(table, &handle),
        new.as_indexed(table, &handle),
    );
    let moved = table
        .common_handle_index()
        .is_some_and(|primary| is_touched(primary, old, new));
    index::written(table)
        .filter(|index| moved || is_touched(index, old, new))
        .try_for_each(|index| {
            effect.delete(index::key(table, index, before)?.0);
            effect.put_entry(index::entry(table, index, after)?);
            Ok(())
        })
}

/// Whether a value of the index changed, by its bytes: `a` and `A` differ under every collation.
fn is_touched(index: &IndexInfo, old: &Image, new: &Image) -> bool {
    index
        .columns
        .iter()
        .any(|part| old.values.get(part.offset) != new.values.get(part.offset))
}

/// Puts the entries of a row that is there already in some indexes.
pub fn put_entries<'a>(
    changes: &mut Changes,
    table: &TableInfo,
    indexes: impl IntoIterator<Item = &'a IndexInfo>,
    row: index::Row<'_>,
) -> Result<(), CodecError> {
    for index in indexes {
        let entry = index::entry(table, index, row)?;
        changes.insert(entry.key.into(), Change::Put(entry.value.into()));
    }
    Ok(())
}
