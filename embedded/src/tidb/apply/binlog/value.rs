//! Values in row images, and what they are for TiDB.

use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::model::{ColumnInfo, Tp};
use crate::tidb::codec::{CodecError, Datum, Decimal, Duration, Time, gbk, json};
use crate::tidb::wire::{Reader, WireError};

use super::event::WireColumn;

/// MySQL's type numbers as they occur in row events.
pub(super) mod kind {
    pub(crate) const TINY: u8 = 1;
    pub(crate) const SHORT: u8 = 2;
    pub(crate) const LONG: u8 = 3;
    pub(crate) const FLOAT: u8 = 4;
    pub(crate) const DOUBLE: u8 = 5;
    pub(crate) const LONG_LONG: u8 = 8;
    pub(crate) const INT24: u8 = 9;
    pub(crate) const DATE: u8 = 10;
    pub(crate) const YEAR: u8 = 13;
    pub(crate) const NEW_DATE: u8 = 14;
    pub(crate) const VARCHAR: u8 = 15;
    pub(crate) const BIT: u8 = 16;
    pub(crate) const TIMESTAMP2: u8 = 17;
    pub(crate) const DATETIME2: u8 = 18;
    pub(crate) const TIME2: u8 = 19;
    pub(crate) const NEW_DECIMAL: u8 = 246;
    pub(crate) const ENUM: u8 = 247;
    pub(crate) const SET: u8 = 248;
    pub(crate) const BLOB: u8 = 252;
    pub(crate) const VAR_STRING: u8 = 253;
    pub(crate) const STRING: u8 = 254;
}

/// Year 0 of a YEAR byte.
const YEAR_BASE: i64 = 1900;
/// A DATETIME's integer part is stored with this added.
const DATETIME_OFFSET: i64 = 0x80_0000_0000;
/// A TIME's integer part is stored with this added.
const TIME_OFFSET: i64 = 0x80_0000;

/// Why a value could not be taken over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error("MariaDB's type {kind} does not fit TiDB's type {tp:?}")]
    Type { kind: u8, tp: Tp },
}

/// Reads a 64-bit signed number column that TiDB has no column for (`_tidb_rowid`).
pub(crate) fn read_row_id(r: &mut Reader<'_>, wire: &WireColumn) -> Result<i64, ValueError> {
    match wire.kind {
        kind::LONG_LONG => Ok(r.u64()? as i64),
        kind => Err(ValueError::Type {
            kind,
            tp: Tp::LongLong,
        }),
    }
}

/// Reads a value that is not NULL, as this TiDB keeps it.
pub(crate) fn read(
    r: &mut Reader<'_>,
    wire: &WireColumn,
    column: &ColumnInfo,
    version: TidbVersion,
) -> Result<Datum, ValueError> {
    let tp = column.field_type.tp;
    let fits = |ok: bool| {
        if ok {
            Ok(())
        } else {
            Err(ValueError::Type {
                kind: wire.kind,
                tp,
            })
        }
    };
    let [meta, meta2] = wire.meta;
    Ok(match wire.kind {
        kind::TINY => integer(r, 1, column, fits)?,
        kind::SHORT => integer(r, 2, column, fits)?,
        kind::INT24 => integer(r, 3, column, fits)?,
        kind::LONG => integer(r, 4, column, fits)?,
        kind::LONG_LONG => integer(r, 8, column, fits)?,
        kind::FLOAT => {
            fits(tp == Tp::Float)?;
            let value = to_decimals(f32::from_bits(r.u32()?).into(), column);
            Datum::Float((value as f32).into())
        }
        kind::DOUBLE => {
            fits(tp == Tp::Double)?;
            Datum::Float(to_decimals(f64::from_bits(r.u64()?), column))
        }
        kind::NEW_DECIMAL => {
            fits(tp == Tp::NewDecimal)?;
            let mut rest = r.rest();
            let value = Decimal::read_binary(&mut rest, meta.into(), meta2.into())?;
            r.take(r.rest().len() - rest.len())?;
            Datum::Decimal(value)
        }
        kind::YEAR => {
            fits(tp == Tp::Year)?;
            Datum::Int(match r.u8()? {
                0 => 0,
                year => YEAR_BASE + i64::from(year),
            })
        }
        kind::DATE | kind::NEW_DATE => {
            fits(tp == Tp::Date)?;
            let v = r.uint(3)?;
            Datum::Time(Time {
                year: (v >> 9) as u16,
                month: ((v >> 5) & 15) as u8,
                day: (v & 31) as u8,
                ..Time::default()
            })
        }
        kind::TIMESTAMP2 => {
            fits(tp == Tp::Timestamp)?;
            let seconds = r.uint_be(4)? as u32;
            Datum::Time(Time::from_unix(seconds, fraction(r, meta)? as u32))
        }
        kind::DATETIME2 => {
            fits(tp == Tp::Datetime)?;
            let packed = r.uint_be(5)? as i64 - DATETIME_OFFSET;
            let (ymd, hms) = ((packed >> 17) as u32, packed as u32 & 0x1_ffff);
            let ym = ymd >> 5;
            Datum::Time(Time {
                year: (ym / 13) as u16,
                month: (ym % 13) as u8,
                day: (ymd & 31) as u8,
                hour: (hms >> 12) as u8,
                minute: ((hms >> 6) & 63) as u8,
                second: (hms & 63) as u8,
                micro: fraction(r, meta)? as u32,
            })
        }
        kind::TIME2 => {
            fits(tp == Tp::Duration)?;
            Datum::Duration(time(r, meta)?)
        }
        kind::VARCHAR | kind::VAR_STRING | kind::STRING => {
            fits(tp.is_string())?;
            let max = u16::from_le_bytes(wire.meta);
            let len = r.uint(if max > u8::MAX.into() { 2 } else { 1 })? as usize;
            text(r.take(len)?, column)?
        }
        kind::BLOB => {
            let len = r.uint(meta.into())? as usize;
            let bytes = r.take(len)?;
            if tp == Tp::Json {
                let text = String::from_utf8_lossy(bytes);
                return Ok(Datum::Json(json::from_text(&text, version)?));
            }
            fits(tp.is_string())?;
            text(bytes, column)?
        }
        kind::ENUM => {
            fits(tp == Tp::Enum)?;
            Datum::Uint(r.uint(meta.into())?)
        }
        kind::SET => {
            fits(tp == Tp::Set)?;
            Datum::Uint(r.uint(meta.into())?)
        }
        kind::BIT => {
            fits(tp == Tp::Bit)?;
            let bits = usize::from(meta2) * 8 + usize::from(meta);
            Datum::Uint(r.uint_be(bits.div_ceil(8).min(8))?)
        }
        kind => return Err(ValueError::Type { kind, tp }),
    })
}

/// A number in a column of so many digits behind the point, as TiDB rounds it: MariaDB's own is off by a bit at times.
fn to_decimals(value: f64, column: &ColumnInfo) -> f64 {
    let decimals = column.field_type.decimal;
    if decimals < 0 {
        return value;
    }
    let shift: f64 = format!("1e{decimals}").parse().unwrap_or(f64::INFINITY);
    let shifted = value * shift;
    match shifted.is_finite() {
        true => shifted.round_ties_even() / shift,
        false => value,
    }
}

fn integer(
    r: &mut Reader<'_>,
    width: usize,
    column: &ColumnInfo,
    fits: impl Fn(bool) -> Result<(), ValueError>,
) -> Result<Datum, ValueError> {
    fits(column.field_type.tp.is_integer())?;
    let raw = r.uint(width)?;
    if column.field_type.is_unsigned() {
        return Ok(Datum::Uint(raw));
    }
    let unused = 64 - 8 * width as u32;
    Ok(Datum::Int(((raw << unused) as i64) >> unused))
}

/// Microseconds of a fraction with so many digits.
fn fraction(r: &mut Reader<'_>, digits: u8) -> Result<u64, WireError> {
    let digits = digits.min(6);
    let raw = r.uint_be(usize::from(digits.div_ceil(2)))?;
    Ok(raw * scale(digits))
}

fn scale(digits: u8) -> u64 {
    match digits {
        0 => 0,
        1 | 2 => 10_000,
        3 | 4 => 100,
        _ => 1,
    }
}

/// A TIME: integer part and fraction are one number in two's complement, so that a negative fraction borrows from it.
fn time(r: &mut Reader<'_>, digits: u8) -> Result<Duration, WireError> {
    let digits = digits.min(6);
    let whole = r.uint_be(3)? as i64 - TIME_OFFSET;
    let width = u32::from(digits.div_ceil(2));
    let raw = r.uint_be(width as usize)? as i64;
    let joined = (whole << (8 * width)) + raw;
    let (negative, joined) = (joined < 0, joined.unsigned_abs());
    let hms = (joined >> (8 * width)) as u32;
    let micro = (joined & ((1 << (8 * width)) - 1)) * scale(digits);
    Ok(Duration::new(
        negative,
        (hms >> 12) & 0x3ff,
        (hms >> 6) & 63,
        hms & 63,
        micro as u32,
    ))
}

/// A text, or bytes, as TiDB holds them.
fn text(bytes: &[u8], column: &ColumnInfo) -> Result<Datum, CodecError> {
    if column.field_type.charset == "gbk" {
        return gbk::decode(bytes).map(Datum::Bytes);
    }
    Ok(Datum::Bytes(padded(bytes, column)))
}

/// BINARY(n) comes without its trailing zero bytes, which TiDB stores.
fn padded(bytes: &[u8], column: &ColumnInfo) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let field = &column.field_type;
    if field.tp == Tp::String && field.is_binary_string() {
        let len = usize::try_from(field.flen).unwrap_or(0);
        if out.len() < len {
            out.resize(len, 0);
        }
    }
    out
}
