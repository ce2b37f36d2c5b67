//! What a value of one column type becomes in another, when a column is changed and its rows are written again.
//!
//! TiDB casts by its own rules and MariaDB by its own. Only what both make the same of is served; the rest is refused by
//! name before anything is changed, so that both sides hold the same rows. A value that TiDB cannot cast fails with TiDB's
//! error.

mod enums;
mod number;
mod temporal;
mod text;

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
    Time,
    Year,
    Enum,
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
        Tp::Duration => Class::Time,
        Tp::Year => Class::Year,
        Tp::Enum => Class::Enum,
        _ => Class::Other,
    }
}

/// Whether values of one type can be cast to the other, as far as the types tell.
pub fn is_served(from: &FieldType, to: &FieldType) -> bool {
    use Class as C;
    if from.has(super::catalog::model::flag::ZEROFILL) && class(to) == C::Text {
        // MariaDB fills it up with zeros.
        return false;
    }
    matches!(
        (class(from), class(to)),
        (C::Int, C::Int | C::Text | C::Decimal | C::Float)
            | (
                C::Text,
                C::Int | C::Text | C::Decimal | C::Date | C::Datetime | C::Enum
            )
            | (C::Decimal, C::Decimal | C::Int | C::Text)
            | (C::Float, C::Float)
            | (C::Date | C::Datetime, C::Date | C::Datetime | C::Text)
            | (C::Time, C::Time | C::Text)
            | (C::Year, C::Int | C::Text)
            | (C::Enum, C::Enum | C::Text)
    )
}

/// A value of a column of type `from` as a value of type `to`, NULL as NULL.
///
/// # Errors
/// If TiDB fails in strict mode, or if MariaDB may make another value.
pub fn cast(
    value: &Datum,
    column: &str,
    from: &FieldType,
    to: &FieldType,
) -> Result<Datum, CastError> {
    let unserved = || CastError::unserved(format!("{} of type {:?}", value.kind(), from.tp));
    match (value, class(to)) {
        (Datum::Null, _) => Ok(Datum::Null),
        (Datum::Time(time), Class::Date | Class::Datetime) => temporal::to_calendar(*time, to),
        (Datum::Duration(time), Class::Time) => temporal::to_time(*time, to),
        (Datum::Float(v), Class::Float) => number::to_float(*v, to),
        (Datum::Decimal(v), Class::Decimal) => number::to_decimal(v, to),
        (Datum::Decimal(v), Class::Int) => number::decimal_to_int(v, to),
        (Datum::Uint(number), class) if from.tp == Tp::Enum => {
            let name = enums::name(*number, from)?;
            match class {
                Class::Enum => enums::to_enum(name, column, to),
                _ => text::to_text(name.as_bytes(), column, None, to),
            }
        }
        (Datum::Int(_) | Datum::Uint(_), class) => {
            let number = match value {
                Datum::Int(v) => i128::from(*v),
                Datum::Uint(v) => i128::from(*v),
                _ => return Err(unserved()),
            };
            match class {
                Class::Int => number::to_int(number, to),
                Class::Decimal => number::to_decimal(&number::decimal(&number.to_string())?, to),
                Class::Float => number::int_to_float(number, to),
                Class::Text if from.tp == Tp::Year && number == 0 => {
                    Err(CastError::unserved("the year 0"))
                }
                Class::Text => text::to_text(number.to_string().as_bytes(), column, None, to),
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
                Class::Date | Class::Datetime => temporal::text_to_calendar(text, to),
                Class::Enum => enums::to_enum(text, column, to),
                _ => Err(unserved()),
            }
        }
        (_, Class::Text) => {
            let shown = match value {
                Datum::Decimal(v) => v.to_string(),
                Datum::Time(v) => temporal::text(v, from),
                Datum::Duration(v) => v.text(temporal::fsp(from)),
                _ => return Err(unserved()),
            };
            text::to_text(shown.as_bytes(), column, None, to)
        }
        _ => Err(unserved()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidb::catalog::TidbVersion;
    use crate::tidb::catalog::model::flag;

    fn ft(tp: Tp, flen: i64, decimal: i64) -> FieldType {
        let mut ft = FieldType::new(TidbVersion::V8_5, tp);
        (ft.flen, ft.decimal) = (flen, decimal);
        let charset = if tp.is_string() { "utf8mb4" } else { "binary" };
        ft.charset = charset.to_owned();
        ft
    }

    fn text(text: &str) -> Datum {
        Datum::Bytes(text.as_bytes().to_vec())
    }

    fn fails(code: u16, message: &str) -> Result<Datum, CastError> {
        Err(CastError::Fails {
            code,
            message: message.to_owned(),
        })
    }

    /// The texts of 1265 and 1292 are recorded, in `ddl-column-index` and `errors`.
    #[test]
    fn values_that_fit_are_cast_and_others_fail() {
        let (varchar, int) = (ft(Tp::Varchar, 3, 0), ft(Tp::Long, 11, 0));
        let (tiny, decimal) = (ft(Tp::Tiny, 4, 0), ft(Tp::NewDecimal, 4, 2));
        for (value, from, to, expected) in [
            (Datum::Int(123), &int, &varchar, Ok(text("123"))),
            (
                Datum::Int(12345),
                &int,
                &varchar,
                fails(1265, "Data truncated for column 'v', value is '12345'"),
            ),
            (text("-7"), &varchar, &int, Ok(Datum::Int(-7))),
            (
                text("a"),
                &varchar,
                &int,
                fails(1292, "Truncated incorrect DOUBLE value: 'a'"),
            ),
            (
                Datum::Int(300),
                &int,
                &tiny,
                fails(1690, "constant 300 overflows tinyint"),
            ),
            (
                Datum::Int(12),
                &int,
                &decimal,
                Ok(Datum::Decimal("12.00".parse().unwrap())),
            ),
            (
                text("123.4"),
                &varchar,
                &decimal,
                fails(1690, "DECIMAL value is out of range in '(4, 2)'"),
            ),
            (Datum::Null, &int, &varchar, Ok(Datum::Null)),
        ] {
            assert_eq!(cast(&value, "v", from, to), expected, "{value:?}");
        }
    }

    #[test]
    fn what_the_two_may_cast_otherwise_is_not_served() {
        let (varchar, int) = (ft(Tp::Varchar, 3, 0), ft(Tp::Long, 11, 0));
        let decimal = ft(Tp::NewDecimal, 4, 1);
        for (value, from, to) in [
            (text("1.5"), &varchar, &int),
            (text("1e3"), &varchar, &int),
            (text(" 7"), &varchar, &int),
            (text("abc  "), &ft(Tp::Varchar, 9, 0), &varchar),
            (text("2.55"), &varchar, &decimal),
            (Datum::Decimal("2.5".parse().unwrap()), &decimal, &int),
            (text("2024-02-30"), &varchar, &ft(Tp::Date, 10, 0)),
            (
                Datum::Float(1e300),
                &ft(Tp::Double, 22, -1),
                &ft(Tp::Float, 12, -1),
            ),
            (text("é"), &varchar, &{
                let mut latin1 = varchar.clone();
                latin1.charset = "latin1".to_owned();
                latin1
            }),
        ] {
            let outcome = cast(&value, "v", from, to);
            assert!(
                matches!(outcome, Err(CastError::Unserved(_))),
                "{value:?}: {outcome:?}"
            );
        }
        let mut filled = ft(Tp::Long, 11, 0);
        filled.flag |= flag::UNSIGNED | flag::ZEROFILL;
        assert!(!is_served(&filled, &varchar));
        assert!(!is_served(&varchar, &ft(Tp::Json, -1, 0)));
    }
}
