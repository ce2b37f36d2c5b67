//! Arithmetic and bits.

use num_bigint::BigInt;

use super::{
    error::EvalError,
    number::{self, Decimal},
    value::{Datum, Type},
};

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide {
        /// Digits that a quotient has more than its dividend, at least.
        digits: usize,
    },
    /// DIV
    DivideWhole,
    Modulo,
}

impl Arithmetic {
    /// The result in a type of numbers; NULL where a side is, and for divisions by zero.
    pub(super) fn apply(
        self,
        tp: &Type,
        a: Datum<'_>,
        b: Datum<'_>,
    ) -> Result<Datum<'static>, EvalError> {
        if a.is_null() || b.is_null() {
            return Ok(Datum::Null);
        }
        match tp {
            Type::Real => {
                let Some((a, b)) = a.real()?.zip(b.real()?) else {
                    return Ok(Datum::Null);
                };
                self.reals(a, b)
            }
            Type::Int { unsigned } => match (&a, &b) {
                (Datum::Int(a), Datum::Int(b)) => self.wholes(*a, *b, *unsigned),
                _ => match a.exact().zip(b.exact()) {
                    Some((a, b)) => match a.divide_whole(&b) {
                        Some(quotient) => number::whole(&quotient, *unsigned).map(Datum::Int),
                        None => Ok(Datum::Null),
                    },
                    None => Ok(Datum::Null),
                },
            },
            _ => match a.exact().zip(b.exact()) {
                Some((a, b)) => self.decimals(&a, &b),
                None => Ok(Datum::Null),
            },
        }
    }

    fn wholes(self, a: i128, b: i128, unsigned: bool) -> Result<Datum<'static>, EvalError> {
        let result = match self {
            Self::Add => a.checked_add(b),
            Self::Subtract => a.checked_sub(b),
            Self::Multiply => a.checked_mul(b),
            Self::DivideWhole | Self::Divide { .. } if b == 0 => return Ok(Datum::Null),
            Self::DivideWhole | Self::Divide { .. } => a.checked_div(b),
            Self::Modulo if b == 0 => return Ok(Datum::Null),
            Self::Modulo => a.checked_rem(b),
        };
        // What even this cannot hold is out of any range.
        number::in_range(result.unwrap_or(i128::MAX), unsigned).map(Datum::Int)
    }

    fn decimals(self, a: &Decimal, b: &Decimal) -> Result<Datum<'static>, EvalError> {
        let result = match self {
            Self::Add => Some(a.add(b)?),
            Self::Subtract => Some(a.subtract(b)?),
            Self::Multiply => Some(a.multiply(b)?),
            Self::Divide { digits } => a.divide(b, digits),
            Self::DivideWhole => a.divide(b, 0),
            Self::Modulo => a.remainder(b),
        };
        Ok(result.map_or(Datum::Null, Datum::Decimal))
    }

    fn reals(self, a: f64, b: f64) -> Result<Datum<'static>, EvalError> {
        let result = match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            _ if b == 0.0 => return Ok(Datum::Null),
            Self::Divide { .. } | Self::DivideWhole => a / b,
            Self::Modulo => a % b,
        };
        number::finite(result).map(Datum::Real)
    }
}

/// `-a`.
pub(super) fn negate(tp: &Type, value: &Datum<'_>) -> Result<Datum<'static>, EvalError> {
    Ok(match (value, tp) {
        (Datum::Int(number), Type::Int { .. }) => Datum::Int(number::in_range(-number, false)?),
        (Datum::Decimal(number), _) => Datum::Decimal(number.negate()),
        (value, _) => value
            .real()?
            .map_or(Datum::Null, |number| Datum::Real(-number)),
    })
}

/// An operation on bits, of which there are 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    And,
    Or,
    Xor,
    Left,
    Right,
}

impl Bits {
    pub(super) fn apply(self, a: &Datum<'_>, b: &Datum<'_>) -> Result<Datum<'static>, EvalError> {
        let Some((a, b)) = bits(a).zip(bits(b)) else {
            return Ok(Datum::Null);
        };
        let shift = u32::try_from(b).unwrap_or(u32::MAX);
        let result = match self {
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
            Self::Left => a.checked_shl(shift).unwrap_or(0),
            Self::Right => a.checked_shr(shift).unwrap_or(0),
        };
        Ok(Datum::Int(result.into()))
    }
}

/// `~a`.
pub(super) fn invert(value: &Datum<'_>) -> Result<Datum<'static>, EvalError> {
    Ok(bits(value).map_or(Datum::Null, |bits| Datum::Int((!bits).into())))
}

/// The 64 bits of a whole number of either sign.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn bits(value: &Datum<'_>) -> Option<u64> {
    match value {
        Datum::Int(number) => Some(*number as u64),
        _ => None,
    }
}

/// ABS, SIGN, FLOOR, CEIL and ROUND of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfOne {
    Abs,
    Sign,
    Floor,
    Ceil,
}

impl OfOne {
    pub(super) fn apply(self, tp: &Type, value: &Datum<'_>) -> Result<Datum<'static>, EvalError> {
        Ok(match value {
            Datum::Int(number) => Datum::Int(match self {
                Self::Abs => {
                    let unsigned = matches!(tp, Type::Int { unsigned: true });
                    number::in_range(number.abs(), unsigned)?
                }
                Self::Sign => number.signum(),
                Self::Floor | Self::Ceil => *number,
            }),
            Datum::Decimal(number) => match self {
                Self::Abs if number.is_negative() => Datum::Decimal(number.negate()),
                Self::Abs => Datum::Decimal(number.clone()),
                Self::Sign if number.is_zero() => Datum::Int(0),
                Self::Sign if number.is_negative() => Datum::Int(-1),
                Self::Sign => Datum::Int(1),
                Self::Floor => exact_whole(&number.whole(-1))?,
                Self::Ceil => exact_whole(&number.whole(1))?,
            },
            value => match value.real()? {
                None => Datum::Null,
                Some(number) => match self {
                    Self::Abs => Datum::Real(number.abs()),
                    Self::Sign if number == 0.0 => Datum::Int(0),
                    Self::Sign => Datum::Int(if number < 0.0 { -1 } else { 1 }),
                    Self::Floor => Datum::Real(number.floor()),
                    Self::Ceil => Datum::Real(number.ceil()),
                },
            },
        })
    }
}

/// A whole DECIMAL, which may be beyond BIGINT.
fn exact_whole(number: &BigInt) -> Result<Datum<'static>, EvalError> {
    Decimal::parse(&number.to_string())
        .map(Datum::Decimal)
        .ok_or(EvalError::Range { what: "DECIMAL" })
}
