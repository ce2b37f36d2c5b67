//! Types of expressions and their values.

use std::{borrow::Cow, sync::Arc};

use super::{
    error::EvalError,
    number::{self, Decimal},
};
use crate::mount::time::{self, Parts};

/// How firmly a text holds to its collation (MySQL's coercibility).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Made of a number or a time.
    Made,
    /// A constant.
    Constant,
    /// A column.
    Column,
    /// `COLLATE`.
    Explicit,
}

/// By what a text is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collation {
    pub(super) name: Arc<str>,
    pub(super) strength: Strength,
}

impl Collation {
    pub(super) fn new(name: &str, strength: Strength) -> Self {
        Self {
            name: name.into(),
            strength,
        }
    }

    /// Of constants, and of texts that are made of something else: what a TiCDC server's own session has.
    pub(super) fn constant(strength: Strength) -> Self {
        Self::new("utf8mb4_bin", strength)
    }
}

/// What kind of values an expression has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    /// Whole numbers, truth values among them.
    Int {
        unsigned: bool,
    },
    Year,
    Bit,
    Decimal,
    Real,
    Text(Collation),
    /// ENUM and SET: a number with a name.
    Named(Collation),
    /// `x'41'`: bytes or a number.
    Hex,
    Date,
    DateTime {
        fsp: usize,
    },
    Time {
        fsp: usize,
    },
    /// JSON and VECTOR, of which only NULL is told from the rest.
    Opaque(&'static str),
}

impl Type {
    pub(super) const TRUTH: Type = Type::Int { unsigned: false };

    /// What it is called in messages.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Type::Null => "NULL",
            Type::Int { .. } => "a whole number",
            Type::Year => "a YEAR",
            Type::Bit => "a BIT",
            Type::Decimal => "a DECIMAL",
            Type::Real => "a DOUBLE",
            Type::Text(_) => "a text",
            Type::Named(_) => "an ENUM or SET",
            Type::Hex => "a hexadecimal or bit literal",
            Type::Date => "a DATE",
            Type::DateTime { .. } => "a DATETIME",
            Type::Time { .. } => "a TIME",
            Type::Opaque(name) => name,
        }
    }
}

/// A value. Whole numbers of either sign are in one range.
#[derive(Debug, Clone)]
pub(super) enum Datum<'a> {
    Null,
    Int(i128),
    Decimal(Decimal),
    Real(f64),
    Text(Cow<'a, [u8]>),
    /// The number and the name.
    Named(u64, Cow<'a, [u8]>),
    /// DATE, DATETIME and TIMESTAMP in the server's time zone, packed as TiDB does: later is greater.
    Time(u64),
    /// Nanoseconds.
    Duration(i64),
    /// Something that is not NULL.
    Opaque,
}

impl Datum<'_> {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Datum::Null)
    }

    pub(super) fn truth(known: Option<bool>) -> Datum<'static> {
        known.map_or(Datum::Null, |truth| Datum::Int(i128::from(truth)))
    }

    /// As an exact number. Nothing for NULL and what is none.
    pub(super) fn exact(&self) -> Option<Decimal> {
        match self {
            Datum::Int(number) => Some((*number).into()),
            Datum::Decimal(number) => Some(number.clone()),
            Datum::Named(number, _) => Some(i128::from(*number).into()),
            _ => None,
        }
    }

    /// As a real number, NULL being none.
    pub(super) fn real(&self) -> Result<Option<f64>, EvalError> {
        Ok(match self {
            Datum::Int(number) => Some(*number as f64),
            Datum::Decimal(number) => Some(number.to_real()),
            Datum::Real(number) => Some(*number),
            Datum::Text(text) => Some(number::real_of(text)?),
            Datum::Named(number, _) => Some(*number as f64),
            _ => None,
        })
    }

    /// Whether it holds: neither zero nor NULL.
    pub(super) fn holds(&self) -> Result<Option<bool>, EvalError> {
        Ok(match self {
            Datum::Int(number) => Some(*number != 0),
            Datum::Decimal(number) => Some(!number.is_zero()),
            _ => self.real()?.map(|number| number != 0.0),
        })
    }
}

impl<'a> Datum<'a> {
    /// As a text; `tp` says how times are written. NULL is none.
    pub(super) fn text(self, tp: &Type) -> Option<Cow<'a, [u8]>> {
        Some(match self {
            Datum::Text(text) | Datum::Named(_, text) => text,
            Datum::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Datum::Decimal(number) => Cow::Owned(number.text().into_bytes()),
            Datum::Time(packed) => {
                let parts = Parts::unpack(packed).ok()?;
                let mut out = Vec::new();
                match tp {
                    Type::DateTime { fsp } => parts.write_datetime(*fsp, &mut out),
                    _ => parts.write_date(&mut out),
                }
                Cow::Owned(out)
            }
            Datum::Duration(nanos) => {
                let fsp = match tp {
                    Type::Time { fsp } => *fsp,
                    _ => 0,
                };
                let mut out = Vec::new();
                time::write_duration(nanos, fsp, &mut out);
                Cow::Owned(out)
            }
            Datum::Null | Datum::Real(_) | Datum::Opaque => return None,
        })
    }
}
