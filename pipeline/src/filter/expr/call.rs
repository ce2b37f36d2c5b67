//! Calls of functions.

use std::borrow::Cow;

use super::{
    arithmetic::OfOne,
    column::Row,
    error::EvalError,
    eval::Node,
    number,
    text::{self, is_bytes},
    value::{Datum, Type},
};
use crate::mount::time::Parts;

/// A part of a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Number(OfOne),
    /// At so many digits behind the point.
    Round(i64),
    /// LENGTH
    Bytes,
    /// CHAR_LENGTH
    Characters,
    /// UPPER, else LOWER.
    Case(bool),
    Concat,
    Substring,
    Left,
    Right,
    /// The second argument is what is cut off, in front and behind.
    Trim(bool, bool),
    Replace,
    /// The first argument in the second; without regard to case.
    Position(bool),
    Unit(Unit),
    Date,
    ToSigned,
    ToUnsigned,
    ToText,
}

impl Call {
    /// The value; NULL if an argument is.
    pub(super) fn apply<'a>(
        self,
        tp: &Type,
        args: &'a [Node],
        row: &Row<'a>,
    ) -> Result<Datum<'a>, EvalError> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let value = arg.eval(row)?;
            if value.is_null() {
                return Ok(Datum::Null);
            }
            values.push((value, &arg.tp));
        }
        let mut values = values.into_iter();
        let Some((first, first_type)) = values.next() else {
            return Ok(Datum::Null);
        };
        match self {
            Call::Number(function) => return function.apply(tp, &first),
            Call::Round(places) => {
                return Ok(match first {
                    Datum::Decimal(number) => Datum::Decimal(number.round(places)),
                    other => other,
                });
            }
            Call::Unit(unit) => return unit_of(unit, &first),
            Call::Date => {
                return Ok(match first {
                    Datum::Time(packed) => Datum::Time(packed >> 41 << 41),
                    _ => Datum::Null,
                });
            }
            Call::ToSigned | Call::ToUnsigned => return whole(first, self == Call::ToUnsigned),
            _ => {}
        }
        let bytes = is_bytes(first_type);
        let Some(first) = first.text(first_type) else {
            return Ok(Datum::Null);
        };
        let mut more = Vec::new();
        for (value, tp) in values {
            let whole = match &value {
                Datum::Int(number) => Some(*number),
                _ => None,
            };
            more.push((value.text(tp).unwrap_or_default(), whole));
        }
        let text_at = |at: usize| more.get(at).map(|(text, _)| &**text).unwrap_or_default();
        let whole_at = |at: usize| more.get(at).and_then(|(_, whole)| *whole);
        let count = |count: usize| Ok(Datum::Int(count as i128));
        let owned = |text: Vec<u8>| Ok(Datum::Text(Cow::Owned(text)));
        match self {
            Call::Bytes => count(first.len()),
            Call::Characters => count(text::count(&first, bytes)),
            Call::Case(capitals) => owned(text::cased(&first, bytes, capitals)),
            Call::Concat => {
                let mut out = first.into_owned();
                more.iter()
                    .for_each(|(text, _)| out.extend_from_slice(text));
                owned(out)
            }
            Call::Substring => owned(text::part(
                &first,
                bytes,
                whole_at(0).unwrap_or(1),
                whole_at(1).unwrap_or(i128::MAX),
            )),
            Call::Left => owned(text::part(&first, bytes, 1, whole_at(0).unwrap_or(0))),
            Call::Right => owned(text::last(&first, bytes, whole_at(0).unwrap_or(0))),
            Call::Trim(leading, trailing) => Ok(Datum::Text(text::trimmed(
                first,
                text_at(0),
                leading,
                trailing,
            ))),
            Call::Replace => owned(text::replaced(&first, text_at(0), text_at(1))),
            Call::Position(true) => {
                let (part, whole) = (
                    text::cased(&first, bytes, false),
                    text::cased(text_at(0), bytes, false),
                );
                count(text::position(&part, &whole, bytes))
            }
            Call::Position(false) => count(text::position(&first, text_at(0), bytes)),
            _ => Ok(Datum::Text(first)),
        }
    }
}

fn unit_of(unit: Unit, value: &Datum<'_>) -> Result<Datum<'static>, EvalError> {
    let number: u64 = match value {
        Datum::Time(packed) => {
            let parts = Parts::unpack(*packed)?;
            match unit {
                Unit::Year => parts.year.into(),
                Unit::Month => parts.month.into(),
                Unit::Day => parts.day.into(),
                Unit::Hour => parts.hour.into(),
                Unit::Minute => parts.minute.into(),
                Unit::Second => parts.second.into(),
            }
        }
        Datum::Duration(nanos) => {
            let seconds = nanos.unsigned_abs() / 1_000_000_000;
            match unit {
                Unit::Hour => seconds / 3600,
                Unit::Minute => seconds / 60 % 60,
                _ => seconds % 60,
            }
        }
        _ => return Ok(Datum::Null),
    };
    Ok(Datum::Int(number.into()))
}

/// CAST to SIGNED and UNSIGNED: a whole number keeps its bits, a fraction is rounded, a text has to be a whole number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: Datum<'_>, unsigned: bool) -> Result<Datum<'static>, EvalError> {
    Ok(match value {
        Datum::Int(number) if unsigned => Datum::Int(i128::from(number as u64)),
        Datum::Int(number) => Datum::Int(i128::from(number as i64)),
        Datum::Decimal(number) => Datum::Int(number::whole(&number.whole(0), unsigned)?),
        Datum::Text(text) | Datum::Named(_, text) => {
            let number = std::str::from_utf8(&text)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            let number: i128 = number.ok_or_else(|| EvalError::truncated("INTEGER", &text))?;
            Datum::Int(number::in_range(number, unsigned)?)
        }
        _ => Datum::Null,
    })
}
