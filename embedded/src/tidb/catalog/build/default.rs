//! DEFAULT values as TiDB stores them: checked, and turned into text.

use super::super::model::{ColumnInfo, FieldType, NOW, Tp};
use super::super::{DdlError, Session, TidbVersion, ddl::sql_error};
use crate::tidb::codec::{Decimal, Duration, Time, tso};
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// A default as written, as far as it is served.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DefaultValue {
    Null,
    /// A number, as written.
    Number(String),
    Text(String),
    /// `b'101'`, `0x05`: bytes.
    Bytes(Vec<u8>),
    /// `CURRENT_TIMESTAMP(fsp)`.
    Now(u64),
}

/// What a default is when it is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Stored {
    pub(crate) text: Option<String>,
    /// Base64 of a BIT's bytes.
    pub(crate) bits: Option<String>,
}

/// Checks the default of column `name` and gives its stored form.
pub(crate) fn stored(
    session: &Session,
    name: &str,
    ft: &FieldType,
    value: &DefaultValue,
) -> Result<Stored, DdlError> {
    let invalid = || sql_error::invalid_default(name);
    let text = match value {
        DefaultValue::Null => return Ok(Stored::default()),
        DefaultValue::Now(fsp) => {
            let fits = matches!(ft.tp, Tp::Timestamp | Tp::Datetime) && *fsp as i64 == ft.decimal;
            return if fits {
                Ok(Stored::text(NOW))
            } else {
                Err(invalid())
            };
        }
        DefaultValue::Number(text) | DefaultValue::Text(text) => text.clone(),
        DefaultValue::Bytes(bytes) if ft.tp == Tp::Bit => {
            return bit(ft, bytes).ok_or_else(invalid);
        }
        DefaultValue::Bytes(bytes) if ft.tp.is_string() => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        DefaultValue::Bytes(bytes) => number_of(bytes).ok_or_else(invalid)?.to_string(),
    };
    if ft.tp.is_blob() || ft.tp == Tp::Json {
        return Err(sql_error::blob_default(name));
    }
    let text = match ft.tp {
        Tp::Bit => {
            let number: u64 = text.parse().map_err(|_| invalid())?;
            return bit(ft, &number.to_be_bytes()).ok_or_else(invalid);
        }
        tp if tp.is_integer() => integer(ft, &text).ok_or_else(invalid)?,
        Tp::Float | Tp::Double => float(ft, &text).ok_or_else(invalid)?,
        Tp::NewDecimal => decimal(ft, &text).ok_or_else(invalid)?,
        Tp::Year => year(&text).ok_or_else(invalid)?,
        Tp::Date | Tp::Datetime | Tp::Timestamp => {
            let time = calendar(value, &text, fsp(ft)).ok_or_else(invalid)?;
            match ft.tp {
                Tp::Date => time.date_text(),
                Tp::Datetime => time.datetime_text(fsp(ft)),
                _ => {
                    let utc = session.zone.to_utc(time).ok_or_else(invalid)?;
                    utc.datetime_text(fsp(ft))
                }
            }
        }
        Tp::Duration => duration(ft, &text).ok_or_else(invalid)?,
        Tp::Enum => member(ft, &text).ok_or_else(invalid)?,
        Tp::Set => set(ft, &text).ok_or_else(invalid)?,
        _ if text.chars().count() as i64 > ft.flen => return Err(invalid()),
        _ => text,
    };
    Ok(Stored::text(&text))
}

impl Stored {
    fn text(text: &str) -> Self {
        Self {
            text: Some(text.to_owned()),
            bits: None,
        }
    }
}

/// What rows that were written before an added column have: its default, or the type's zero if it may not be NULL.
/// A default of now is the statement's time.
pub(crate) fn origin(version: TidbVersion, session: &Session, column: &ColumnInfo) -> Stored {
    let ft = &column.field_type;
    if column.default.is_some() || column.default_bit.is_some() {
        let text = match column.default.as_deref() {
            Some(NOW) => Some(now(session, ft)),
            _ => column.default.clone(),
        };
        return Stored {
            text,
            bits: column
                .default_bit
                .clone()
                .filter(|_| version >= TidbVersion::V8_5),
        };
    }
    if !ft.is_not_null() || column.is_generated() {
        return Stored::default();
    }
    let zero = match ft.tp {
        Tp::Enum => ft
            .elems
            .iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default(),
        Tp::Date | Tp::NewDate => "0000-00-00".to_owned(),
        Tp::Datetime | Tp::Timestamp => Time::default().datetime_text(fsp(ft)),
        Tp::Duration => Duration::default().text(fsp(ft)),
        Tp::String if ft.charset == "binary" => "\0".repeat(usize::try_from(ft.flen).unwrap_or(0)),
        Tp::Json => "null".to_owned(),
        Tp::Set | Tp::Bit => String::new(),
        tp if tp.is_string() => String::new(),
        _ => "0".to_owned(),
    };
    Stored::text(&zero)
}

fn now(session: &Session, ft: &FieldType) -> String {
    let ms = tso::physical_ms(session.now);
    let seconds = u32::try_from(ms / 1000).unwrap_or(u32::MAX);
    let time = Time::from_unix(seconds, (ms % 1000) as u32 * 1000);
    let utc = time.datetime_text(fsp(ft));
    match ft.tp {
        Tp::Timestamp => utc,
        _ => session.zone.shown(&utc, ft.decimal),
    }
}

fn fsp(ft: &FieldType) -> usize {
    usize::try_from(ft.decimal).unwrap_or(0)
}

fn number_of(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
}

/// A BIT default keeps its bytes twice: as text, where they may be damaged, and as base64.
fn bit(ft: &FieldType, bytes: &[u8]) -> Option<Stored> {
    let number = bytes
        .iter()
        .skip_while(|b| **b == 0)
        .copied()
        .collect::<Vec<u8>>();
    let value = number_of(&number)?;
    if ft.flen < 64 && value >> ft.flen != 0 {
        return None;
    }
    let len = usize::try_from(ft.flen).ok()?.div_ceil(8);
    let bytes = &value.to_be_bytes()[8 - len..];
    Some(Stored {
        text: Some(String::from_utf8_lossy(bytes).into_owned()),
        bits: Some(BASE64_STANDARD.encode(bytes)),
    })
}

fn integer(ft: &FieldType, text: &str) -> Option<String> {
    let bits: u32 = match ft.tp {
        Tp::Tiny => 8,
        Tp::Short => 16,
        Tp::Int24 => 24,
        Tp::Long => 32,
        _ => 64,
    };
    let value: Decimal = text.trim().parse().ok()?;
    let value: i128 = value.round(0).to_string().parse().ok()?;
    let range = if ft.is_unsigned() {
        0..=(1_i128 << bits) - 1
    } else {
        -(1_i128 << (bits - 1))..=(1_i128 << (bits - 1)) - 1
    };
    range.contains(&value).then(|| value.to_string())
}

fn float(ft: &FieldType, text: &str) -> Option<String> {
    let value: f64 = text.trim().parse().ok().filter(|v: &f64| v.is_finite())?;
    if ft.is_unsigned() && value < 0.0 {
        return None;
    }
    Some(match ft.tp {
        Tp::Float => (value as f32).to_string(),
        _ => value.to_string(),
    })
}

fn decimal(ft: &FieldType, text: &str) -> Option<String> {
    let value: Decimal = text.trim().parse().ok()?;
    let scale = usize::try_from(ft.decimal).ok()?;
    let value = if value.scale() > scale {
        value.round(scale)
    } else {
        value
    };
    let fits = value.integer_digits() as i64 <= ft.flen - ft.decimal
        && !(ft.is_unsigned() && value.is_negative());
    fits.then(|| value.to_string())
}

fn year(text: &str) -> Option<String> {
    let value: i64 = text.trim().parse().ok()?;
    let value = match value {
        0 if text.trim().len() == 1 => 0,
        0..=69 => 2000 + value,
        70..=99 => 1900 + value,
        1901..=2155 => value,
        _ => return None,
    };
    Some(value.to_string())
}

/// A date, with its fraction rounded to `fsp` digits.
fn calendar(value: &DefaultValue, text: &str, fsp: usize) -> Option<Time> {
    let time = match value {
        DefaultValue::Number(_) => Time::from_number(text.parse().ok()?)?,
        _ => Time::from_literal(text, fsp)?,
    };
    (time == Time::default() || time.is_real()).then_some(time)
}

fn duration(ft: &FieldType, text: &str) -> Option<String> {
    let fsp = fsp(ft);
    Duration::from_literal(text, fsp).map(|time| time.text(fsp))
}

fn member(ft: &FieldType, text: &str) -> Option<String> {
    let fits = |e: &&String| e.to_lowercase() == text.trim_end_matches(' ').to_lowercase();
    ft.elems.iter().flatten().find(fits).cloned()
}

fn set(ft: &FieldType, text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let wanted: Vec<String> = text
        .split(',')
        .map(|part| member(ft, part))
        .collect::<Option<_>>()?;
    let ordered: Vec<String> = ft
        .elems
        .iter()
        .flatten()
        .filter(|e| wanted.contains(e))
        .cloned()
        .collect();
    Some(ordered.join(","))
}
