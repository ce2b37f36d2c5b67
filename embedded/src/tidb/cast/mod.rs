//! What a value of one column type becomes in another, when a column is changed and its rows are written again.
//!
//! TiDB casts by its own rules and MariaDB by its own. Only what both make the same of is served; the rest is refused by
//! name before anything is changed, so that both sides hold the same rows. A value that TiDB cannot cast fails with TiDB's
//! error.

mod enums;
mod json;
mod number;
mod temporal;
#[cfg(test)]
mod tests;
mod text;

use super::catalog::Zone;
use super::catalog::model::{FieldType, Tp};
use super::codec::Datum;

/// Why a value has no counterpart in the other type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CastError {
    /// TiDB refuses it too, in strict mode.
    Fails {
        /// MySQL's number.
        code: u16,
        /// Its text.
        message: String,
    },
    /// MariaDB may make something else of it than TiDB.
    Unserved(String),
}

impl CastError {
    fn unserved(what: impl Into<String>) -> Self {
        Self::Unserved(what.into())
    }

    /// 1265, which tells the column and the value as it was.
    fn truncated(column: &str, value: &str) -> Self {
        Self::Fails {
            code: 1265,
            message: format!("Data truncated for column '{column}', value is '{value}'"),
        }
    }

    /// 1690 of an integer.
    fn overflow(value: impl std::fmt::Display, to: &FieldType) -> Self {
        let name = match to.tp {
            Tp::Tiny => "tinyint",
            Tp::Short => "smallint",
            Tp::Int24 => "mediumint",
            Tp::Long => "int",
            _ => "bigint",
        };
        Self::Fails {
            code: 1690,
            message: format!("constant {value} overflows {name}"),
        }
    }

    /// 1690 of a number that has too many digits before the point.
    fn decimal_overflow(to: &FieldType) -> Self {
        Self::Fails {
            code: 1690,
            message: format!(
                "DECIMAL value is out of range in '({}, {})'",
                to.flen, to.decimal
            ),
        }
    }
}

/// Types between which the same values are cast alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Int,
    Decimal,
    Float,
    Text,
    Date,
    Datetime,
    Timestamp,
    Time,
    Year,
    Enum,
    Set,
    Bit,
    Json,
    Other,
}

fn class(ft: &FieldType) -> Class {
    match ft.tp {
        tp if tp.is_integer() => Class::Int,
        tp if tp.is_string() => Class::Text,
        Tp::NewDecimal => Class::Decimal,
        // With a number of digits, values are rounded to it.
        Tp::Float | Tp::Double if ft.decimal < 0 => Class::Float,
        Tp::Date => Class::Date,
        Tp::Datetime => Class::Datetime,
        Tp::Timestamp => Class::Timestamp,
        Tp::Duration => Class::Time,
        Tp::Year => Class::Year,
        Tp::Enum => Class::Enum,
        Tp::Set => Class::Set,
        Tp::Bit => Class::Bit,
        Tp::Json => Class::Json,
        _ => Class::Other,
    }
}

/// Whether TiDB changes a column of one type to the other at all.
pub fn is_allowed(from: &FieldType, to: &FieldType) -> bool {
    use Class as C;
    if from.tp == to.tp {
        return true;
    }
    let is_float = |tp| matches!(tp, Tp::Float | Tp::Double);
    let class_of = |ft: &FieldType| match class(ft) {
        C::Other if is_float(ft.tp) => C::Float,
        class => class,
    };
    !matches!(
        (class_of(from), class_of(to)),
        (
            C::Date | C::Datetime | C::Timestamp | C::Time | C::Year | C::Json,
            C::Bit | C::Enum | C::Set
        ) | (C::Text, C::Bit)
            | (C::Decimal | C::Float | C::Bit, C::Enum | C::Set)
            | (
                C::Enum | C::Set | C::Bit | C::Decimal | C::Float,
                C::Date | C::Datetime | C::Timestamp
            )
            | (C::Enum | C::Set | C::Bit, C::Time)
    )
}

/// Whether values of one type can be cast to the other, as far as the types tell.
pub fn is_served(from: &FieldType, to: &FieldType) -> bool {
    use Class as C;
    match (class(from), class(to)) {
        // TiDB tells unsigned numbers in JSON from signed ones, MariaDB does not.
        (C::Int, C::Json) => !from.is_unsigned(),
        (C::Int, C::Int | C::Text | C::Decimal | C::Float | C::Enum | C::Set | C::Bit)
        | (C::Text, C::Int | C::Text | C::Decimal | C::Enum | C::Set)
        | (C::Text, C::Date | C::Datetime | C::Timestamp)
        | (C::Decimal, C::Decimal | C::Int | C::Text | C::Bit)
        | (C::Float, C::Float | C::Bit)
        | (C::Date | C::Datetime | C::Timestamp, C::Date | C::Datetime | C::Timestamp | C::Text)
        | (C::Time, C::Time | C::Text)
        | (C::Year, C::Int | C::Text | C::Json)
        | (
            C::Enum | C::Set,
            C::Enum | C::Set | C::Text | C::Int | C::Decimal | C::Float | C::Bit,
        )
        | (C::Bit, C::Bit | C::Int | C::Decimal | C::Float)
        | (C::Json, C::Text | C::Int) => true,
        // To BLOB and TEXT it makes its bytes.
        (C::Bit, C::Text) => !to.tp.is_blob(),
        (C::Text, C::Json) => !matches!(from.charset.as_str(), "binary" | "gbk"),
        _ => false,
    }
}

/// Whether it depends on the time zone what a value becomes.
pub fn depends_on_zone(from: &FieldType, to: &FieldType) -> bool {
    class(from) == Class::Timestamp || class(to) == Class::Timestamp
}

/// Whether MariaDB has a value of JSON as it was typed, and makes that of it, where TiDB makes the text that it shows.
pub fn is_of_typed_json(from: &FieldType) -> bool {
    class(from) == Class::Json
}

/// A value of a column of type `from` as a value of type `to`, NULL as NULL, in the time zone of the session that changes the
/// column.
///
/// # Errors
/// If TiDB fails in strict mode, or if MariaDB may make another value.
pub fn cast(
    value: &Datum,
    column: &str,
    (from, to): (&FieldType, &FieldType),
    zone: &Zone,
) -> Result<Datum, CastError> {
    let unserved = || CastError::unserved(format!("{} of type {:?}", value.kind(), from.tp));
    match (value, class(to)) {
        (Datum::Null, _) => Ok(Datum::Null),
        (Datum::Time(time), Class::Date | Class::Datetime | Class::Timestamp) => {
            temporal::to_calendar(temporal::local(*time, from, zone)?, to, zone)
        }
        (Datum::Duration(time), Class::Time) => temporal::to_time(*time, to),
        (Datum::Float(v), Class::Float) => number::to_float(*v, to),
        (Datum::Float(v), Class::Bit) => number::float_to_bit(*v, to),
        (Datum::Decimal(v), Class::Decimal) => number::to_decimal(v, to),
        (Datum::Decimal(v), Class::Int) => number::decimal_to_int(v, to),
        (Datum::Decimal(v), Class::Bit) => number::decimal_to_bit(v, to),
        (Datum::Json(binary), class) => json::from_json(binary, column, class == Class::Int, to),
        (Datum::Uint(number), class @ (Class::Enum | Class::Set | Class::Text))
            if matches!(from.tp, Tp::Enum | Tp::Set) =>
        {
            let name = match from.tp {
                Tp::Enum => enums::name(*number, from)?.to_owned(),
                _ => enums::names(*number, from)?,
            };
            match class {
                Class::Enum => enums::to_enum(&name, column, to),
                Class::Set => enums::to_set(&name, column, to),
                _ => text::to_text(name.as_bytes(), column, None, to),
            }
        }
        (Datum::Int(_) | Datum::Uint(_), class) => {
            let number = match value {
                Datum::Int(v) => i128::from(*v),
                Datum::Uint(v) => i128::from(*v),
                _ => return Err(unserved()),
            };
            if from.tp == Tp::Enum && number == 0 {
                return Err(CastError::unserved("an ENUM without a value"));
            }
            if from.tp == Tp::Year && number == 0 && matches!(class, Class::Text | Class::Json) {
                return Err(CastError::unserved("the year 0"));
            }
            // TiDB takes the bits of a SET for a double.
            if from.tp == Tp::Set && number > 1 << f64::MANTISSA_DIGITS {
                return Err(CastError::unserved("a SET of so many members as a number"));
            }
            match class {
                Class::Int => number::to_int(number, to),
                Class::Decimal => number::to_decimal(&number::decimal(&number.to_string())?, to),
                Class::Float => number::int_to_float(number, to),
                Class::Bit => number::to_bit(number, from.tp.is_integer().then_some(column), to),
                Class::Enum => enums::number_to_enum(number, to),
                Class::Set => enums::number_to_set(number, to),
                Class::Json => json::of_text(&number.to_string()),
                Class::Text => {
                    let made = text::to_text(number.to_string().as_bytes(), column, None, to);
                    match (made, from.tp) {
                        // TiDB tells its bytes.
                        (Err(CastError::Fails { .. }), Tp::Bit) => {
                            Err(CastError::unserved("a BIT that does not fit"))
                        }
                        (made, _) => made,
                    }
                }
                _ => Err(unserved()),
            }
        }
        (Datum::Bytes(bytes), Class::Text) => text::to_text(bytes, column, Some(from), to),
        (Datum::Bytes(bytes), class) => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| CastError::unserved("bytes that are no text"))?;
            match class {
                Class::Int => number::text_to_int(text, to),
                Class::Decimal => number::text_to_decimal(text, to),
                Class::Date | Class::Datetime | Class::Timestamp => {
                    temporal::text_to_calendar(text, to, zone)
                }
                Class::Enum => enums::to_enum(text, column, to),
                Class::Set => enums::to_set(text, column, to),
                Class::Json => json::of_text(text),
                _ => Err(unserved()),
            }
        }
        (_, Class::Text) => {
            let shown = match value {
                Datum::Decimal(v) => v.to_string(),
                Datum::Time(v) => temporal::text(&temporal::local(*v, from, zone)?, from),
                Datum::Duration(v) => v.text(temporal::fsp(from)),
                _ => return Err(unserved()),
            };
            text::to_text(shown.as_bytes(), column, None, to)
        }
        _ => Err(unserved()),
    }
}
