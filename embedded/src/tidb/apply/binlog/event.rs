//! What an event says.

use bytes::Bytes;

use super::BinlogError;
use crate::tidb::apply::gtid::Gtid;
use crate::tidb::wire::{Reader, WireError};

const HEADER_LEN: usize = 19;

const QUERY: u8 = 2;
const STOP: u8 = 3;
const ROTATE: u8 = 4;
pub(super) const FORMAT_DESCRIPTION: u8 = 15;
const XID: u8 = 16;
const TABLE_MAP: u8 = 19;
const WRITE_ROWS: u8 = 23;
const UPDATE_ROWS: u8 = 24;
const DELETE_ROWS: u8 = 25;
const HEARTBEAT: u8 = 27;
const ANNOTATE_ROWS: u8 = 160;
const BINLOG_CHECKPOINT: u8 = 161;
const GTID: u8 = 162;
const GTID_LIST: u8 = 163;

/// Flag of a GTID event: one statement follows, not a transaction.
const GTID_STANDALONE: u8 = 1;
/// Metadata of a table's description: its columns' names.
const METADATA_COLUMN_NAMES: u8 = 4;
/// A table number that stands for no table: it only ends a statement.
const NO_TABLE: u64 = 0xff_ffff;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A transaction begins, or one statement follows.
    Begin {
        /// Its id.
        gtid: Gtid,
        /// One statement follows.
        standalone: bool,
    },
    /// A statement: DDL, or control of the transaction.
    Query {
        /// The database it ran in.
        schema: String,
        /// Its text.
        sql: String,
    },
    /// A transaction's rows end and are committed.
    Commit,
    /// A table that row events refer to.
    Table(TableMap),
    /// Rows of a table.
    Rows(RowsEvent),
    /// Nothing of interest.
    Other,
}

/// A table as row events see it.
#[derive(Debug, Clone, PartialEq)]
pub struct TableMap {
    /// Number within the binlog.
    pub id: u64,
    /// Its database.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// Its columns.
    pub columns: Vec<WireColumn>,
}

/// A column as row events carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireColumn {
    /// Its name.
    pub name: String,
    /// MySQL's type number, the real one where a string type hides it.
    pub kind: u8,
    /// Two bytes whose meaning depends on the type.
    pub meta: [u8; 2],
}

/// What happened to the rows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsKind {
    /// Inserted: one image each.
    Write,
    /// Changed: two images each, before and after.
    Update,
    /// Deleted: one image each.
    Delete,
}

/// Rows of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsEvent {
    /// The table's number within the binlog.
    pub table_id: u64,
    /// What happened to them.
    pub kind: RowsKind,
    /// Number of columns.
    pub width: usize,
    /// The images, one after the other.
    pub images: Bytes,
}

impl Event {
    /// Reads an event, without checksum.
    pub fn parse(bytes: &Bytes) -> Result<Self, BinlogError> {
        let mut header = Reader::new(bytes, "a binlog event's header");
        header.u32()?;
        let kind = header.u8()?;
        header.take(HEADER_LEN - 5)?;
        let body = bytes.slice(HEADER_LEN..);
        Ok(match kind {
            GTID => gtid(&body)?,
            QUERY => query(&body)?,
            XID => Self::Commit,
            TABLE_MAP => Self::Table(table_map(&body)?),
            WRITE_ROWS => rows(&body, RowsKind::Write)?,
            UPDATE_ROWS => rows(&body, RowsKind::Update)?,
            DELETE_ROWS => rows(&body, RowsKind::Delete)?,
            FORMAT_DESCRIPTION | ROTATE | STOP | HEARTBEAT | ANNOTATE_ROWS | BINLOG_CHECKPOINT
            | GTID_LIST => Self::Other,
            other => {
                return Err(BinlogError::Unexpected {
                    what: format!("event of type {other}"),
                });
            }
        })
    }
}

fn gtid(body: &[u8]) -> Result<Event, WireError> {
    let mut r = Reader::new(body, "a GTID event");
    let sequence = r.u64()?;
    let domain = r.u32()?;
    let flags = r.u8()?;
    if domain != Gtid::DOMAIN {
        return Err(r.bad(format!("domain {domain}, expected {}", Gtid::DOMAIN)));
    }
    Ok(Event::Begin {
        gtid: Gtid(sequence),
        standalone: flags & GTID_STANDALONE != 0,
    })
}

fn query(body: &[u8]) -> Result<Event, WireError> {
    let mut r = Reader::new(body, "a query event");
    r.take(8)?;
    let schema_len = r.u8()?;
    r.u16()?;
    let status_len = r.u16()?;
    r.take(status_len.into())?;
    let schema = String::from_utf8_lossy(r.take(schema_len.into())?).into_owned();
    r.u8()?;
    let sql = String::from_utf8_lossy(r.rest()).into_owned();
    Ok(Event::Query { schema, sql })
}

fn table_map(body: &[u8]) -> Result<TableMap, WireError> {
    let mut r = Reader::new(body, "a table map event");
    let id = r.uint(6)?;
    r.u16()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let len = r.u8()?;
    let schema = text(r.take(len.into())?);
    r.u8()?;
    let len = r.u8()?;
    let table = text(r.take(len.into())?);
    r.u8()?;
    let width = r.lenenc()? as usize;
    let kinds = r.take(width)?;
    let mut meta = Reader::new(r.lenenc_bytes()?, "a table map's column metadata");
    r.take(width.div_ceil(8))?;
    let mut columns = kinds
        .iter()
        .map(|kind| column(*kind, &mut meta))
        .collect::<Result<Vec<_>, _>>()?;
    let mut named = 0;
    while !r.is_empty() {
        let field = r.u8()?;
        let data = r.lenenc_bytes()?;
        if field == METADATA_COLUMN_NAMES {
            let mut names = Reader::new(data, "a table map's column names");
            for column in &mut columns {
                column.name = text(names.lenenc_bytes()?);
                named += 1;
            }
        }
    }
    if named != width {
        return Err(r.bad(format!("it names {named} of {width} columns")));
    }
    Ok(TableMap {
        id,
        schema,
        table,
        columns,
    })
}

fn column(kind: u8, meta: &mut Reader<'_>) -> Result<WireColumn, WireError> {
    use super::value::kind as k;
    let mut bytes = [0; 2];
    let len = match kind {
        k::FLOAT | k::DOUBLE | k::BLOB | k::TIMESTAMP2 | k::DATETIME2 | k::TIME2 => 1,
        k::VARCHAR | k::VAR_STRING | k::BIT | k::NEW_DECIMAL | k::STRING | k::ENUM | k::SET => 2,
        k::TINY
        | k::SHORT
        | k::INT24
        | k::LONG
        | k::LONG_LONG
        | k::DATE
        | k::NEW_DATE
        | k::YEAR => 0,
        other => return Err(meta.bad(format!("column type {other}"))),
    };
    bytes[..len].copy_from_slice(meta.take(len)?);
    let (mut kind, mut meta) = (kind, bytes);
    if kind == k::STRING {
        // The real type and, for CHAR, two more bits of its length share the first byte.
        let length_bits = if meta[0] & 0x30 == 0x30 {
            0
        } else {
            u16::from((meta[0] & 0x30) ^ 0x30) << 4
        };
        kind = meta[0] | 0x30;
        meta = (u16::from(meta[1]) | length_bits).to_le_bytes();
    }
    Ok(WireColumn {
        name: String::new(),
        kind,
        meta,
    })
}

fn rows(body: &Bytes, kind: RowsKind) -> Result<Event, BinlogError> {
    let mut r = Reader::new(body, "a rows event");
    let table_id = r.uint(6)?;
    r.u16()?;
    if table_id == NO_TABLE {
        return Ok(Event::Other);
    }
    let width = r.lenenc()? as usize;
    let images = if kind == RowsKind::Update { 2 } else { 1 };
    for _ in 0..images {
        let present = r.take(width.div_ceil(8))?;
        let all = (0..width).all(|i| present[i / 8] & (1 << (i % 8)) != 0);
        if !all {
            return Err(BinlogError::Unexpected {
                what: "row image without all columns (binlog_row_image is not FULL)".to_owned(),
            });
        }
    }
    let images = body.slice(body.len() - r.rest().len()..);
    Ok(Event::Rows(RowsEvent {
        table_id,
        kind,
        width,
        images,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_events_never_panic(kind: u8, body: Vec<u8>) {
            let mut bytes = vec![0; HEADER_LEN];
            bytes[4] = kind;
            bytes.extend_from_slice(&body);
            let _ = Event::parse(&bytes.into());
        }
    }
}
