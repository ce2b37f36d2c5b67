//! Entries of an index that is added to a table with rows.
//!
//! Between the last state in which nobody reads the index and the step that makes it public, the rows of the table are
//! read, and their entries committed page by page, for no change feed, as TiDB does it. The applier is the only writer and
//! stands still meanwhile, so nothing changes under it. After a crash the step has not been taken, and all is put again.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::ApplyError;
use super::compute::Computer;
use super::rows;
use super::writer::{Changes, Writer};
use crate::client::Pair;
use crate::tidb::catalog::model::{IndexInfo, SchemaState, TableInfo};
use crate::tidb::catalog::{Catalog, Mutation};
use crate::tidb::codec::{CodecError, Datum, Handle, index, keys, origin, row};

/// Fills the indexes that become public when `mutations` are applied to `catalog`. Gives how many entries they got, which is
/// what TiDB's job counts; none if no index becomes public.
pub async fn fill(
    writer: &mut Writer,
    socket: &Path,
    catalog: &Catalog,
    mutations: &[Mutation],
) -> Result<Option<i64>, ApplyError> {
    let mut entries = None;
    for new in new_indexes(catalog, mutations)? {
        *entries.get_or_insert(0) += fill_table(writer, socket, &new).await?;
    }
    Ok(entries)
}

/// A table, and its indexes that are to be filled.
struct NewIndexes {
    name: String,
    table: Arc<TableInfo>,
    indexes: Vec<IndexInfo>,
}

fn new_indexes(catalog: &Catalog, mutations: &[Mutation]) -> Result<Vec<NewIndexes>, ApplyError> {
    let mut after = catalog.clone();
    after.apply(mutations)?;
    let mut out = Vec::new();
    for db in after.databases() {
        for table in db.tables() {
            let Some((_, before)) = catalog.table_by_id(table.id) else {
                continue;
            };
            let indexes = became_public(before, table);
            if !indexes.is_empty() {
                out.push(NewIndexes {
                    name: format!("`{}`.`{}`", db.info.name.o, table.name.o),
                    table: Arc::clone(table),
                    indexes,
                });
            }
        }
    }
    Ok(out)
}

/// The indexes with entries that are public in `after` and were not before.
fn became_public(before: &TableInfo, after: &TableInfo) -> Vec<IndexInfo> {
    let was_public = |id: i64| {
        before
            .indexes
            .iter()
            .any(|i| i.id == id && i.state == SchemaState::Public)
    };
    index::written(after)
        .filter(|i| i.state == SchemaState::Public && !was_public(i.id))
        .cloned()
        .collect()
}

async fn fill_table(
    writer: &mut Writer,
    socket: &Path,
    new: &NewIndexes,
) -> Result<i64, ApplyError> {
    let failed = |source| ApplyError::Row {
        table: new.name.clone(),
        source,
    };
    let mut computer = Computer::of(socket, &new.table, &new.indexes).await?;
    let snapshot = writer.snapshot().await?;
    let mut count = 0;
    for physical_id in new.table.physical_ids() {
        let end = keys::record_end(physical_id);
        let mut from = Some(Bytes::from(keys::record_prefix(physical_id)));
        while let Some(start) = from {
            let (pairs, next) = writer.page(&snapshot, &start, &end).await?;
            let (handles, mut values) = decoded(&new.table, &pairs).map_err(failed)?;
            if let Some(computer) = &mut computer {
                computer.fill(&mut values).await?;
            }
            let mut changes = Changes::new();
            for (handle, values) in handles.iter().zip(&values) {
                let row = index::Row {
                    physical_id,
                    values,
                    handle,
                };
                rows::put_entries(&mut changes, &new.table, &new.indexes, row).map_err(failed)?;
            }
            count += pairs.len();
            writer.reorganize(changes).await?;
            from = next;
        }
    }
    tracing::debug!(
        table = new.name,
        indexes = new.indexes.len(),
        rows = count,
        "filled"
    );
    Ok(i64::try_from(count * new.indexes.len()).unwrap_or(i64::MAX))
}

/// The handles of records, and the values of each.
pub(super) fn decoded(
    table: &TableInfo,
    pairs: &[Pair],
) -> Result<(Vec<Handle>, Vec<Vec<Datum>>), CodecError> {
    let rows = pairs.iter().map(|pair| {
        let (_, handle) = keys::decode_record_key(&pair.key)?;
        let values = row::decode_row(table, &handle, &pair.value, origin::origin_value)?;
        Ok((handle, values))
    });
    rows.collect::<Result<Vec<_>, _>>()
        .map(|rows| rows.into_iter().unzip())
}
