//! Rows that a reorganisation of partitions writes again, with their index entries, under the ids of the partitions they
//! go to.
//!
//! The applier is the only writer, so what TiKV holds between two of its transactions is what MariaDB held at that place
//! of the binlog. The rows are written for no change feed, as TiDB does it: whoever subscribes to the new partitions has
//! had them from the old ones. What the old partitions held stays until it is collected, as after DROP TABLE. Doing it
//! twice, after a crash, writes the same again.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::ApplyError;
use super::backfill::decoded;
use super::compute::Computer;
use super::rows;
use super::writer::{Changes, Writer};
use crate::client::Change;
use crate::tidb::catalog::{RowMove, TableInfo};
use crate::tidb::codec::keys::{record_end, record_key, record_prefix};
use crate::tidb::codec::{Datum, index};
use crate::tidb::partition::Partitioning;

/// Keys in a transaction, about.
const BATCH: usize = 1024;

/// Writes the rows again, some in a transaction. Gives what TiDB's job counts of them: those of the last partition that had
/// any, since its worker begins to count anew with each.
pub(super) async fn move_rows(
    writer: &mut Writer,
    socket: &Path,
    moves: &RowMove,
) -> Result<i64, ApplyError> {
    let failed = |source| ApplyError::Move {
        table: moves.table.name.o.clone(),
        source,
    };
    let to = Target {
        table: &moves.into,
        partitions: Partitioning::of(&moves.into)?,
    };
    let mut computer = Computer::of(socket, &moves.table, index::written(&moves.table)).await?;
    let snapshot = writer.snapshot().await?;
    let mut moved = 0;
    let mut counted = 0;
    let mut changes = Changes::new();
    for id in &moves.from {
        let mut here = 0;
        let end = record_end(*id);
        let mut from = Some(Bytes::from(record_prefix(*id)));
        while let Some(start) = from {
            let (pairs, next) = writer.page(&snapshot, &start, &end).await?;
            here += pairs.len();
            let (handles, mut values) = decoded(&moves.table, &pairs).map_err(failed)?;
            if let Some(computer) = &mut computer {
                computer.fill(&mut values).await?;
            }
            for ((pair, handle), values) in pairs.into_iter().zip(&handles).zip(&values) {
                let table = to.table_of(values)?;
                let row = index::Row {
                    physical_id: table.id,
                    values,
                    handle,
                };
                rows::put_entries(&mut changes, table, index::written(table), row)
                    .map_err(failed)?;
                let key = record_key(table.id, handle);
                changes.insert(key.into(), Change::Put(pair.value));
            }
            if changes.len() >= BATCH {
                moved += changes.len();
                writer.reorganize(std::mem::take(&mut changes)).await?;
            }
            from = next;
        }
        if here > 0 {
            counted = here;
        }
    }
    moved += changes.len();
    writer.reorganize(changes).await?;
    tracing::debug!(
        table = moves.table.name.o,
        keys = moved,
        "moved to other partitions"
    );
    Ok(i64::try_from(counted).unwrap_or(i64::MAX))
}

struct Target<'a> {
    table: &'a Arc<TableInfo>,
    partitions: Option<Partitioning>,
}

impl Target<'_> {
    fn table_of(&self, values: &[Datum]) -> Result<&TableInfo, ApplyError> {
        match &self.partitions {
            None => Ok(self.table),
            Some(partitions) => Ok(partitions.locate(values)?),
        }
    }
}
