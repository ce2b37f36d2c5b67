//! Dates and times.

use super::CastError;
use crate::tidb::catalog::Zone;
use crate::tidb::catalog::model::{FieldType, Tp};
use crate::tidb::codec::{Datum, Duration, Time};

/// Digits of a type's fraction of a second.
pub(super) fn fsp(ft: &FieldType) -> usize {
    usize::try_from(ft.decimal).unwrap_or(0)
}

pub(super) fn text(time: &Time, ft: &FieldType) -> String {
    match ft.tp {
        Tp::Date => time.date_text(),
        _ => time.datetime_text(fsp(ft)),
    }
}

/// Whether so many microseconds can be told by a type.
fn is_told(micro: u64, ft: &FieldType) -> bool {
    let unit = 10_u64.pow(6 - u32::try_from(fsp(ft).min(6)).unwrap_or(6));
    micro.is_multiple_of(unit)
}

/// A date or time stamp as clocks show it: a TIMESTAMP is kept in UTC.
pub(super) fn local(time: Time, from: &FieldType, zone: &Zone) -> Result<Time, CastError> {
    match from.tp {
        Tp::Timestamp => zone.to_local(time).ok_or_else(|| {
            CastError::unserved("a TIMESTAMP of zeros, or of which clocks show the time twice")
        }),
        _ => Ok(time),
    }
}

/// A date or time stamp of the type; `time` is as clocks show it.
pub(super) fn to_calendar(time: Time, to: &FieldType, zone: &Zone) -> Result<Datum, CastError> {
    let has_time = (time.hour, time.minute, time.second, time.micro) != (0, 0, 0, 0);
    if to.tp == Tp::Date && has_time {
        return Err(CastError::unserved("a time of day for DATE"));
    }
    if !is_told(time.micro.into(), to) {
        return Err(CastError::unserved("fractions of a second that are lost"));
    }
    if to.tp != Tp::Timestamp {
        return Ok(Datum::Time(time));
    }
    let utc = zone.to_utc_unless_twice(time);
    utc.map(Datum::Time).ok_or_else(|| {
        CastError::unserved("what no TIMESTAMP is, or a time that clocks show twice")
    })
}

pub(super) fn to_time(time: Duration, to: &FieldType) -> Result<Datum, CastError> {
    let nanos = time.0.unsigned_abs();
    match is_told(nanos / 1000, to) {
        true => Ok(Datum::Duration(time)),
        false => Err(CastError::unserved("fractions of a second that are lost")),
    }
}

/// A text that is a date or time stamp just as it is printed.
pub(super) fn text_to_calendar(
    text: &str,
    to: &FieldType,
    zone: &Zone,
) -> Result<Datum, CastError> {
    let unserved = || CastError::unserved(format!("{text:?} as a date"));
    let time = Time::parse(text).map_err(|_| unserved())?;
    let digits = text
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let is_printed = text == time.date_text() || text == time.datetime_text(digits);
    let days = match time.month {
        2 if time.year % 4 == 0 && (time.year % 100 != 0 || time.year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let exists = time.year > 0 && time.month > 0 && (1..=days).contains(&time.day);
    match is_printed && exists {
        true => to_calendar(time, to, zone),
        false => Err(unserved()),
    }
}
