//! Values that come as texts: defaults, and what MariaDB says of columns that no row in TiKV has.

use super::model::{FieldType, flag, tp};
use super::{Unreadable, Value};

/// The value of a text; of ENUM, SET and BIT the text of their number.
pub fn value(ft: &FieldType, text: &[u8]) -> Result<Value, Unreadable> {
    if ft.is_string() {
        return Ok(Value::Bytes(text.to_vec()));
    }
    let shown = String::from_utf8_lossy(text);
    let value = match ft.tp {
        tp::FLOAT => shown.parse::<f32>().ok().map(|n| Value::Float(n.into())),
        tp::DOUBLE => shown.parse().ok().map(Value::Float),
        tp::DECIMAL => Some(Value::Decimal(shown.clone().into_owned())),
        tp::ENUM | tp::SET | tp::BIT => shown.parse().ok().map(Value::Uint),
        tp::TIME => nanos(&shown).map(Value::Duration),
        tp::YEAR => shown.parse().ok().map(Value::Int),
        _ if ft.is_calendar() => pack(&shown).map(Value::Time),
        _ if ft.is_integer() && ft.has(flag::UNSIGNED) => shown.parse().ok().map(Value::Uint),
        _ if ft.is_integer() => shown.parse().ok().map(Value::Int),
        _ => None,
    };
    value.ok_or_else(|| {
        let why = format!("{shown:?} in a column of type {}", ft.tp);
        Unreadable::new("a text", why)
    })
}

/// Microseconds of the digits behind a point.
fn micros(fraction: &str) -> Option<u64> {
    match fraction.is_empty() {
        true => Some(0),
        false => format!("{fraction:0<6.6}").parse().ok(),
    }
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[u64; N]> {
    let numbers = text.split(separator).map(|n| n.parse().ok());
    numbers.collect::<Option<Vec<u64>>>()?.try_into().ok()
}

fn pack(text: &str) -> Option<u64> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (date, time) = text.split_once(' ').unwrap_or((text, "0:0:0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let date = (year * 13 + month) << 5 | day;
    let time = hour << 12 | minute << 6 | second;
    Some((date << 17 | time) << 24 | micros(fraction)?)
}

fn nanos(text: &str) -> Option<i64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let [hour, minute, second] = numbers(text, ':')?;
    let seconds = (hour * 60 + minute) * 60 + second;
    let nanos = i64::try_from((seconds * 1_000_000 + micros(fraction)?) * 1000).ok()?;
    Some(if negative { -nanos } else { nanos })
}
