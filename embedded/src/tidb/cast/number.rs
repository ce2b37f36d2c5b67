//! Numbers.

use super::CastError;
use crate::tidb::catalog::model::{FieldType, Tp};
use crate::tidb::codec::{Datum, Decimal};

/// The least and the greatest value of an integer type.
fn range(ft: &FieldType) -> (i128, i128) {
    let bits = match ft.tp {
        Tp::Tiny => 8,
        Tp::Short => 16,
        Tp::Int24 => 24,
        Tp::Long => 32,
        _ => 64,
    };
    match ft.is_unsigned() {
        true => (0, (1 << bits) - 1),
        false => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
    }
}

pub(super) fn to_int(number: i128, to: &FieldType) -> Result<Datum, CastError> {
    let (least, greatest) = range(to);
    if number < least || number > greatest {
        return Err(CastError::overflow(number, to));
    }
    let overflow = |_| CastError::overflow(number, to);
    if to.is_unsigned() {
        u64::try_from(number).map(Datum::Uint).map_err(overflow)
    } else {
        i64::try_from(number).map(Datum::Int).map_err(overflow)
    }
}

/// A number without fraction; others are rounded, and MariaDB tells a note of it.
pub(super) fn decimal_to_int(value: &Decimal, to: &FieldType) -> Result<Datum, CastError> {
    let whole = value.round(0);
    let text = whole.to_string();
    if decimal(&text)?.round(value.scale()) != *value {
        return Err(CastError::unserved(format!("the fraction of {value}")));
    }
    let number = text.parse();
    number.map_or_else(
        |_| Err(CastError::unserved(format!("a number as large as {value}"))),
        |number| to_int(number, to),
    )
}

/// The bits of a number that has no more of them than the type. TiDB tells the column and the value if it is an integer's.
pub(super) fn to_bit(
    number: i128,
    column: Option<&str>,
    to: &FieldType,
) -> Result<Datum, CastError> {
    let bits =
        u64::try_from(number).map_err(|_| CastError::unserved(format!("{number} as bits")))?;
    let width = u32::try_from(to.flen).unwrap_or(u64::BITS);
    if bits.checked_shr(width).unwrap_or(0) == 0 {
        return Ok(Datum::Uint(bits));
    }
    Err(match column {
        Some(column) => CastError::truncated(column, &number.to_string()),
        None => CastError::unserved(format!("{number} in {width} bits")),
    })
}

/// Bits of a number without fraction.
pub(super) fn decimal_to_bit(value: &Decimal, to: &FieldType) -> Result<Datum, CastError> {
    let unserved = || CastError::unserved(format!("{value} as bits"));
    let whole = value.round(0);
    if decimal(&whole.to_string())?.round(value.scale()) != *value {
        return Err(unserved());
    }
    let number = whole.to_string().parse().map_err(|_| unserved())?;
    to_bit(number, None, to)
}

/// Bits of a whole number that a double tells from all others.
pub(super) fn float_to_bit(value: f64, to: &FieldType) -> Result<Datum, CastError> {
    let is_told = value >= 0.0 && value < (1_u64 << f64::MANTISSA_DIGITS) as f64;
    if !is_told || value.fract() != 0.0 || value.is_sign_negative() {
        return Err(CastError::unserved(format!("{value} as bits")));
    }
    to_bit(value as i128, None, to)
}

pub(super) fn decimal(text: &str) -> Result<Decimal, CastError> {
    text.parse()
        .map_err(|_| CastError::unserved(format!("the number {text:?}")))
}

pub(super) fn to_decimal(value: &Decimal, to: &FieldType) -> Result<Datum, CastError> {
    let (precision, scale) = to.decimal_shape();
    if to.is_unsigned() && value.is_negative() {
        return Err(CastError::unserved("a negative number for UNSIGNED"));
    }
    if value.integer_digits() > precision.saturating_sub(scale) {
        return Err(CastError::decimal_overflow(to));
    }
    let rounded = value.round(scale);
    if rounded.round(value.scale().max(scale)) != value.round(value.scale().max(scale)) {
        return Err(CastError::unserved(format!("the last digits of {value}")));
    }
    Ok(Datum::Decimal(rounded))
}

/// A float, if it is one of the narrower type too.
pub(super) fn to_float(value: f64, to: &FieldType) -> Result<Datum, CastError> {
    if to.is_unsigned() && value < 0.0 {
        return Err(CastError::unserved("a negative number for UNSIGNED"));
    }
    let value = match to.tp {
        Tp::Float => f64::from(value as f32),
        _ => value,
    };
    match value.is_finite() {
        true => Ok(Datum::Float(value)),
        false => Err(CastError::unserved("a number beyond those of FLOAT")),
    }
}

pub(super) fn int_to_float(number: i128, to: &FieldType) -> Result<Datum, CastError> {
    let float = number as f64;
    let narrow = match to.tp {
        Tp::Float => f64::from(number as f32),
        _ => float,
    };
    // Beyond what the type can tell apart the two round on different ways.
    if narrow as i128 != number {
        return Err(CastError::unserved(format!("the last digits of {number}")));
    }
    to_float(narrow, to)
}

/// The digits of a text that is an integer and nothing else.
fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

/// Whether a text begins and ends as a number that is written in another way: `1.5`, `1e3`, ` 7`.
fn is_other_number(text: &str) -> bool {
    let trimmed = text.trim();
    let starts = trimmed.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    starts && trimmed.parse::<f64>().is_ok()
}

pub(super) fn text_to_int(text: &str, to: &FieldType) -> Result<Datum, CastError> {
    match integer(text) {
        Some(number) if number < 0 && to.is_unsigned() => {
            Err(CastError::unserved("a negative number for UNSIGNED"))
        }
        Some(number) if i64::try_from(number).is_err() && u64::try_from(number).is_err() => {
            Err(CastError::unserved(format!("a number as large as {text}")))
        }
        Some(number) => to_int(number, to),
        None if is_other_number(text) => {
            Err(CastError::unserved(format!("{text:?} as an integer")))
        }
        None => Err(CastError::Fails {
            code: 1292,
            message: format!("Truncated incorrect DOUBLE value: '{text}'"),
        }),
    }
}

pub(super) fn text_to_decimal(text: &str, to: &FieldType) -> Result<Datum, CastError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = digits.split_once('.').unwrap_or((digits, "0"));
    let is_plain = [plain.0, plain.1]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !is_plain {
        return Err(CastError::unserved(format!("{text:?} as a DECIMAL")));
    }
    to_decimal(&decimal(text.strip_prefix('+').unwrap_or(text))?, to)
}
