//! Sequences in the binlog: MariaDB logs how far one was taken as a row of it, and TiDB keeps the same under its `SID`.

use super::ApplyError;
use super::binlog::BinlogError;
use super::binlog::event::{RowsEvent, TableMap};
use super::table::full_name;
use crate::tidb::catalog::model::SequenceInfo;
use crate::tidb::wire::{Reader, WireError};

/// Columns of a sequence's row in MariaDB: the first value that was not taken yet is the first.
const WIDTH: usize = 8;

/// A sequence as the binlog describes it.
#[derive(Debug)]
pub(super) struct SequenceMapping {
    table: String,
    id: i64,
    increment: i64,
}

impl SequenceMapping {
    /// TiDB's sequence of this id.
    pub(super) fn new(map: &TableMap, id: i64, sequence: &SequenceInfo) -> Self {
        Self {
            table: full_name(map),
            id,
            increment: sequence.increment,
        }
    }

    /// Its id and the last value that was taken, after the rows of an event.
    pub(super) fn taken(&self, event: &RowsEvent) -> Result<(i64, i64), ApplyError> {
        if event.width != WIDTH {
            return Err(ApplyError::Columns {
                table: self.table.clone(),
                why: format!(
                    "a sequence's row has {} columns, expected {WIDTH}",
                    event.width
                ),
            });
        }
        let next = next_value(&event.images).map_err(BinlogError::from)?;
        Ok((self.id, next.saturating_sub(self.increment)))
    }
}

/// The first value that the last of these rows leaves.
fn next_value(images: &[u8]) -> Result<i64, WireError> {
    let mut images = Reader::new(images, "a sequence's row");
    let mut next = 0;
    while !images.is_empty() {
        images.take(WIDTH.div_ceil(8))?;
        next = images.u64()? as i64;
        // Six more numbers of eight bytes, and a switch.
        images.take(6 * 8 + 1)?;
    }
    Ok(next)
}
