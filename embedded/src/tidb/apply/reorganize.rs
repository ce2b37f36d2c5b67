//! Rows that a reorganisation of partitions writes again, under the ids of the partitions they go to.
//!
//! The applier is the only writer, so what TiKV holds between two of its transactions is what MariaDB held at that place
//! of the binlog. The rows are written for no change feed, as TiDB does it: whoever subscribes to the new partitions has
//! had them from the old ones. What the old partitions held stays until it is collected, as after DROP TABLE. Doing it
//! twice, after a crash, writes the same again.

use std::sync::Arc;

use bytes::Bytes;

use super::ApplyError;
use super::writer::{Changes, Writer};
use crate::client::{Change, Source};
use crate::tidb::catalog::model::{ColumnInfo, Tp};
use crate::tidb::catalog::{RowMove, TableInfo};
use crate::tidb::codec::keys::{decode_record_key, record_key, record_prefix};
use crate::tidb::codec::{CodecError, Datum, Duration, Time, row};
use crate::tidb::partition::Partitioning;

/// Rows in a transaction, about.
const BATCH: usize = 1024;

/// Writes the rows again, some in a transaction.
pub(super) async fn move_rows(writer: &mut Writer, rows: &RowMove) -> Result<(), ApplyError> {
    let failed = |source| ApplyError::Move {
        table: rows.table.name.o.clone(),
        source,
    };
    let to = Target {
        table: &rows.into,
        partitions: Partitioning::of(&rows.into)?,
    };
    let client = writer.client().clone();
    let snapshot = client.snapshot(client.tso().await?);
    let mut moved = 0;
    let mut changes = Changes::new();
    for id in &rows.from {
        let start = record_prefix(*id);
        let end = next_prefix(&start);
        let mut from = Some(Bytes::from(start));
        while let Some(start) = from {
            let (pairs, next) = snapshot.page(&start, &end).await?;
            for pair in pairs {
                let (_, handle) = decode_record_key(&pair.key).map_err(failed)?;
                let values =
                    row::decode_row(&rows.table, &handle, &pair.value, absent).map_err(failed)?;
                let key = record_key(to.id(&values)?, &handle);
                changes.insert(key.into(), Change::Put(pair.value));
            }
            if changes.len() >= BATCH {
                moved += write(writer, std::mem::take(&mut changes)).await?;
            }
            from = next;
        }
    }
    moved += write(writer, changes).await?;
    tracing::debug!(
        table = rows.table.name.o,
        rows = moved,
        "moved to other partitions"
    );
    Ok(())
}

/// Commits rows; how many they were.
async fn write(writer: &mut Writer, changes: Changes) -> Result<usize, ApplyError> {
    if !changes.is_empty() {
        let at = writer.gtid();
        writer
            .commit_as(Source::Reorganization, at, |_| Ok(changes.clone()))
            .await?;
    }
    Ok(changes.len())
}

struct Target<'a> {
    table: &'a Arc<TableInfo>,
    partitions: Option<Partitioning>,
}

impl Target<'_> {
    fn id(&self, values: &[Datum]) -> Result<i64, ApplyError> {
        match &self.partitions {
            None => Ok(self.table.id),
            Some(partitions) => Ok(partitions.locate(values)?.id),
        }
    }
}

/// The first key behind those that begin with `prefix`, which does not end in 0xff.
fn next_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// A column that was added after the row was written, with what it had then.
fn absent(column: &ColumnInfo) -> Result<Datum, CodecError> {
    let Some(text) = &column.origin_default else {
        return Ok(Datum::Null);
    };
    let ft = &column.field_type;
    let wrong = |_| CodecError::Column {
        column: column.name.o.clone(),
        why: format!("its default {text:?} is no whole number"),
    };
    Ok(match ft.tp {
        tp if tp.is_calendar() => Datum::Time(Time::parse(text)?),
        Tp::Duration => Datum::Duration(Duration::parse(text)?),
        tp if tp.is_string() => Datum::Bytes(text.clone().into_bytes()),
        tp if tp.is_integer() && ft.is_unsigned() => Datum::Uint(text.parse().map_err(wrong)?),
        tp if tp.is_integer() || tp == Tp::Year => Datum::Int(text.parse().map_err(wrong)?),
        // No table is partitioned by a column of another type.
        _ => Datum::Null,
    })
}
