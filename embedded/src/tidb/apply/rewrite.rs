//! Rows that get a value of a changed column's new type.
//!
//! They are read twice. [`check`] reads them before MariaDB hears of the statement, while nobody can write to the table: it
//! finds out whether each value can be cast. [`write`] makes the values, page by page, at the statement's place in the binlog,
//! for no change feed, as TiDB does it. After a crash it is done again: a row that has its value is left as it is.

use bytes::Bytes;

use super::ApplyError;
use super::writer::{Changes, Writer};
use crate::client::{Change, Client, Pair};
use crate::tidb::cast::{self, CastError};
use crate::tidb::catalog::model::{ColumnInfo, Tp};
use crate::tidb::catalog::{Failure, RowRewrite};
use crate::tidb::codec::origin::origin_value;
use crate::tidb::codec::{Datum, keys, row};

/// Why rows cannot be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// TiDB refuses the statement before it has a job.
    Refused(Failure),
    /// TiDB rolls its job back.
    Fails(Failure),
    /// MariaDB may make another value than TiDB.
    Unserved(String),
}

/// Whether all values of the rows that are there now can be cast.
pub async fn check(client: &Client, rewrite: &RowRewrite) -> Result<Option<Misfit>, ApplyError> {
    let snapshot = client.snapshot(client.tso().await?);
    let columns = Columns::of(rewrite)?;
    let not_null = columns.into.field_type.is_not_null();
    let is_timestamp = |column: &ColumnInfo| column.field_type.tp == Tp::Timestamp;
    let becomes_now = not_null && is_timestamp(columns.into) && !is_timestamp(columns.from);
    let mut misfit = None;
    for physical_id in rewrite.table.physical_ids() {
        let end = keys::record_end(physical_id);
        let mut from = Some(Bytes::from(keys::record_prefix(physical_id)));
        while let Some(start) = from {
            let (pairs, next) = snapshot.page(&start, &end).await?;
            for pair in &pairs {
                let values = values(rewrite, pair)?;
                let value = &values[columns.from.offset];
                if value.is_null() && becomes_now {
                    let what = "NULL that becomes the time of the statement";
                    misfit = misfit.or(Some(Misfit::Unserved(what.to_owned())));
                } else if value.is_null() && not_null {
                    // All rows are looked through for NULL before the first is cast.
                    return Ok(Some(Misfit::Refused(null(columns.from))));
                }
                if misfit.is_none() {
                    misfit = columns
                        .cast(value, rewrite)
                        .err()
                        .map(|e| columns.misfit(e, rewrite));
                }
            }
            from = next;
        }
    }
    Ok(misfit)
}

/// What TiDB says of a NULL in a column that becomes NOT NULL.
fn null(column: &ColumnInfo) -> Failure {
    Failure {
        code: 1265,
        message: format!("Data truncated for column '{}' at row 1", column.name.l),
    }
}

/// Writes the rows again, some in a transaction; how many there are.
pub(super) async fn write(writer: &mut Writer, rewrite: &RowRewrite) -> Result<i64, ApplyError> {
    let columns = Columns::of(rewrite)?;
    let snapshot = writer.snapshot().await?;
    let mut rows = 0;
    for physical_id in rewrite.table.physical_ids() {
        let end = keys::record_end(physical_id);
        let mut from = Some(Bytes::from(keys::record_prefix(physical_id)));
        while let Some(start) = from {
            let (pairs, next) = writer.page(&snapshot, &start, &end).await?;
            let mut changes = Changes::new();
            for pair in &pairs {
                if let Some(value) = columns.rewritten(rewrite, pair)? {
                    changes.insert(pair.key.clone(), Change::Put(value.into()));
                }
            }
            rows += pairs.len();
            writer.reorganize(changes).await?;
            from = next;
        }
    }
    tracing::debug!(table = rewrite.table.name.o, rows, "rewritten");
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// The column that is read and the one that is written.
struct Columns<'a> {
    from: &'a ColumnInfo,
    into: &'a ColumnInfo,
}

fn failed(rewrite: &RowRewrite, why: impl std::fmt::Display) -> ApplyError {
    ApplyError::Rewrite {
        table: rewrite.table.name.o.clone(),
        why: why.to_string(),
    }
}

fn values(rewrite: &RowRewrite, pair: &Pair) -> Result<Vec<Datum>, ApplyError> {
    let decoded = keys::decode_record_key(&pair.key).and_then(|(_, handle)| {
        row::decode_row(&rewrite.table, &handle, &pair.value, origin_value)
    });
    decoded.map_err(|why| failed(rewrite, why))
}

impl<'a> Columns<'a> {
    fn of(rewrite: &'a RowRewrite) -> Result<Self, ApplyError> {
        let column = |id: i64| {
            let found = rewrite.table.columns.iter().find(|c| c.id == id);
            found.ok_or_else(|| failed(rewrite, format!("it has no column {id}")))
        };
        Ok(Self {
            from: column(rewrite.from)?,
            into: column(rewrite.into)?,
        })
    }

    fn cast(&self, value: &Datum, rewrite: &RowRewrite) -> Result<Datum, CastError> {
        let types = (&self.from.field_type, &self.into.field_type);
        cast::cast(value, &self.from.name.o, types, &rewrite.zone)
    }

    fn misfit(&self, error: CastError, rewrite: &RowRewrite) -> Misfit {
        match error {
            CastError::Fails { code, message } if rewrite.strict && rewrite.alone => {
                Misfit::Fails(Failure { code, message })
            }
            CastError::Fails { message, .. } if rewrite.strict => Misfit::Unserved(format!(
                "a change that rolls several others back ({message})"
            )),
            // TiDB keeps what is left of the value.
            CastError::Fails { message, .. } => {
                Misfit::Unserved(format!("a value that is not kept as it is ({message})"))
            }
            CastError::Unserved(what) => Misfit::Unserved(format!(
                "a change of column {:?}, of which MariaDB may keep another value than TiDB: {what}",
                self.from.name.o
            )),
        }
    }

    /// The row with the new value; none if it has one.
    fn rewritten(&self, rewrite: &RowRewrite, pair: &Pair) -> Result<Option<Vec<u8>>, ApplyError> {
        let cells = row::disassemble(&pair.value).map_err(|why| failed(rewrite, why))?;
        if cells.iter().any(|(id, _)| *id == self.into.id) {
            return Ok(None);
        }
        let mut values = values(rewrite, pair)?;
        let value = self
            .cast(&values[self.from.offset], rewrite)
            .map_err(|why| failed(rewrite, format!("{why:?}")))?;
        values[self.into.offset] = value;
        let row = row::encode_writable(&rewrite.table, &values);
        row.map(Some).map_err(|why| failed(rewrite, why))
    }
}
