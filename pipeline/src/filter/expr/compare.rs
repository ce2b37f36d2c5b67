//! Comparisons: of which type they are, and their outcome.

use std::cmp::Ordering;

use tidb_sql::{ast::BinaryOp, collation};

use super::{
    error::EvalError,
    moment,
    value::{Datum, Type},
};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Eq,
    /// `<=>`
    Same,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Operator {
    pub(super) fn of(op: BinaryOp) -> Option<Self> {
        Some(match op {
            BinaryOp::Eq => Self::Eq,
            BinaryOp::NullSafeEq => Self::Same,
            BinaryOp::Ne => Self::Ne,
            BinaryOp::Lt => Self::Lt,
            BinaryOp::Le => Self::Le,
            BinaryOp::Gt => Self::Gt,
            BinaryOp::Ge => Self::Ge,
            _ => return None,
        })
    }
}

/// As what both sides are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// One of them is NULL.
    Null,
    Exact,
    Real,
    Text(String),
    Time,
    Duration,
}

/// A comparison.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    pub(super) operator: Operator,
    pub(super) mode: Mode,
}

impl Comparison {
    /// The outcome; nothing if a side is NULL.
    pub(super) fn holds(
        &self,
        (a, a_type): (Datum<'_>, &Type),
        (b, b_type): (Datum<'_>, &Type),
    ) -> Result<Option<bool>, EvalError> {
        if self.operator == Operator::Same && (a.is_null() || b.is_null()) {
            return Ok(Some(a.is_null() && b.is_null()));
        }
        let order = self.order((a, a_type), (b, b_type))?;
        Ok(order.map(|order| match self.operator {
            Operator::Eq | Operator::Same => order.is_eq(),
            Operator::Ne => order.is_ne(),
            Operator::Lt => order.is_lt(),
            Operator::Le => order.is_le(),
            Operator::Gt => order.is_gt(),
            Operator::Ge => order.is_ge(),
        }))
    }

    /// Which is greater; nothing if a side is NULL.
    pub(super) fn order(
        &self,
        (a, a_type): (Datum<'_>, &Type),
        (b, b_type): (Datum<'_>, &Type),
    ) -> Result<Option<Ordering>, EvalError> {
        if a.is_null() || b.is_null() {
            return Ok(None);
        }
        Ok(match &self.mode {
            Mode::Null => None,
            Mode::Exact => match (&a, &b) {
                (Datum::Int(a), Datum::Int(b)) => Some(a.cmp(b)),
                _ => a.exact().zip(b.exact()).map(|(a, b)| a.compare(&b)),
            },
            Mode::Real => {
                let both = a.real()?.zip(b.real()?);
                both.and_then(|(a, b)| a.partial_cmp(&b))
            }
            Mode::Text(name) => {
                let both = a.text(a_type).zip(b.text(b_type));
                // The collation was known when the expression was compiled.
                both.map(|(a, b)| {
                    let a = collation::sort_key(name, &a).unwrap_or_default();
                    a.cmp(&collation::sort_key(name, &b).unwrap_or_default())
                })
            }
            Mode::Time => {
                let both = moment_of(&a)?.zip(moment_of(&b)?);
                both.map(|(a, b)| a.cmp(&b))
            }
            Mode::Duration => match (a, b) {
                (Datum::Duration(a), Datum::Duration(b)) => Some(a.cmp(&b)),
                _ => None,
            },
        })
    }
}

/// A date and time, be it in a text.
fn moment_of(value: &Datum<'_>) -> Result<Option<u64>, EvalError> {
    let text = match value {
        Datum::Time(packed) => return Ok(Some(*packed)),
        Datum::Text(text) => text,
        _ => return Ok(None),
    };
    let moment = std::str::from_utf8(text).ok().and_then(moment::parse);
    match moment {
        Some(packed) => Ok(Some(packed)),
        None => Err(EvalError::truncated("DATETIME", text)),
    }
}
