//! What an expression is compiled to, and its value for a row.

use super::{
    arithmetic::{self, Arithmetic, Bits},
    branch,
    call::Call,
    column::Row,
    compare::Comparison,
    error::EvalError,
    pattern::Like,
    value::{Datum, Type},
};
use std::borrow::Cow;

/// A part of an expression.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) tp: Type,
    /// No column takes part.
    pub(super) constant: bool,
}

/// What a part does.
#[derive(Debug)]
pub(super) enum Op {
    Column(usize),
    Constant(Datum<'static>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Xor(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    /// Whether a value is between two others.
    Between(Box<Node>, Box<[(Comparison, Node); 2]>),
    /// Whether a value compares with one of these so.
    In(Box<Node>, Vec<(Comparison, Node)>),
    IsNull(Box<Node>),
    /// IS TRUE, IS FALSE.
    Is(bool, Box<Node>),
    /// With a pattern that is known; and one that is another part, with its escape and collation.
    Like(Box<Node>, Like),
    LikeAny {
        text: Box<Node>,
        pattern: Box<Node>,
        escape: Option<char>,
        collation: String,
    },
    Regexp(Box<Node>, regex::bytes::Regex),
    Arithmetic(Arithmetic, Box<Node>, Box<Node>),
    Negate(Box<Node>),
    Bits(Bits, Box<Node>, Box<Node>),
    Invert(Box<Node>),
    /// The first value whose condition holds; conditions and values are of this node's type.
    Case(Vec<(Node, Node)>, Option<Box<Node>>),
    /// The first that is not NULL.
    Coalesce(Vec<Node>),
    /// GREATEST, else LEAST.
    Extreme(bool, Comparison, Vec<Node>),
    Call(Call, Vec<Node>),
}

impl Node {
    pub(super) fn eval<'a>(&'a self, row: &Row<'a>) -> Result<Datum<'a>, EvalError> {
        Ok(match &self.op {
            Op::Column(number) => row.value(*number)?,
            Op::Constant(value) => borrowed(value),
            Op::And(parts) => Datum::truth(all(parts, row, true)?),
            Op::Or(parts) => Datum::truth(all(parts, row, false)?.map(|none| !none)),
            Op::Xor(a, b) => {
                let (a, b) = (a.eval(row)?.holds()?, b.eval(row)?.holds()?);
                Datum::truth(a.zip(b).map(|(a, b)| a != b))
            }
            Op::Not(a) => Datum::truth(a.eval(row)?.holds()?.map(|truth| !truth)),
            Op::Compare(comparison, a, b) => {
                let (a_value, b_value) = (a.eval(row)?, b.eval(row)?);
                Datum::truth(comparison.holds((a_value, &a.tp), (b_value, &b.tp))?)
            }
            Op::Between(a, bounds) => {
                let value = a.eval(row)?;
                let mut known = true;
                for (comparison, bound) in bounds.iter() {
                    let side = (bound.eval(row)?, &bound.tp);
                    match comparison.holds((value.clone(), &a.tp), side)? {
                        Some(true) => {}
                        Some(false) => return Ok(Datum::truth(Some(false))),
                        None => known = false,
                    }
                }
                Datum::truth(known.then_some(true))
            }
            Op::In(a, list) => {
                let value = a.eval(row)?;
                let mut known = true;
                for (comparison, part) in list {
                    let side = (part.eval(row)?, &part.tp);
                    match comparison.holds((value.clone(), &a.tp), side)? {
                        Some(true) => return Ok(Datum::truth(Some(true))),
                        Some(false) => {}
                        None => known = false,
                    }
                }
                Datum::truth(known.then_some(false))
            }
            Op::IsNull(a) => Datum::truth(Some(a.eval(row)?.is_null())),
            Op::Is(truth, a) => Datum::truth(Some(a.eval(row)?.holds()? == Some(*truth))),
            Op::Like(a, pattern) => {
                let text = a.text(row)?;
                Datum::truth(text.map(|text| pattern.matches(&text)))
            }
            Op::LikeAny {
                text,
                pattern,
                escape,
                collation,
            } => {
                let both = text.text(row)?.zip(pattern.text(row)?);
                Datum::truth(
                    both.map(|(text, pattern)| {
                        Like::new(&pattern, *escape, collation).matches(&text)
                    }),
                )
            }
            Op::Regexp(a, pattern) => {
                Datum::truth(a.text(row)?.map(|text| pattern.is_match(&text)))
            }
            Op::Arithmetic(op, a, b) => op.apply(&self.tp, a.eval(row)?, b.eval(row)?)?,
            Op::Negate(a) => arithmetic::negate(&self.tp, &a.eval(row)?)?,
            Op::Bits(op, a, b) => op.apply(&a.eval(row)?, &b.eval(row)?)?,
            Op::Invert(a) => arithmetic::invert(&a.eval(row)?)?,
            Op::Case(arms, otherwise) => {
                for (when, then) in arms {
                    if when.eval(row)?.holds()? == Some(true) {
                        return branch::converted(then, &self.tp, row);
                    }
                }
                match otherwise {
                    Some(value) => branch::converted(value, &self.tp, row)?,
                    None => Datum::Null,
                }
            }
            Op::Coalesce(parts) => {
                for part in parts {
                    let value = branch::converted(part, &self.tp, row)?;
                    if !value.is_null() {
                        return Ok(value);
                    }
                }
                Datum::Null
            }
            Op::Extreme(greatest, comparison, parts) => {
                let mut best: Option<Datum<'a>> = None;
                for part in parts {
                    let value = branch::converted(part, &self.tp, row)?;
                    if value.is_null() {
                        return Ok(Datum::Null);
                    }
                    let better = match &best {
                        None => true,
                        Some(best) => {
                            let order = comparison
                                .order((value.clone(), &self.tp), (best.clone(), &self.tp))?;
                            order.is_some_and(|order| match greatest {
                                true => order.is_gt(),
                                false => order.is_lt(),
                            })
                        }
                    };
                    if better {
                        best = Some(value);
                    }
                }
                best.unwrap_or(Datum::Null)
            }
            Op::Call(call, args) => call.apply(&self.tp, args, row)?,
        })
    }

    /// The value as a text, if it is not NULL.
    pub(super) fn text<'a>(&'a self, row: &Row<'a>) -> Result<Option<Cow<'a, [u8]>>, EvalError> {
        Ok(self.eval(row)?.text(&self.tp))
    }
}

/// Whether all parts hold, or none does (`truth` false). NULL is neither, and decides only if nothing else does.
fn all<'a>(parts: &'a [Node], row: &Row<'a>, truth: bool) -> Result<Option<bool>, EvalError> {
    let mut known = true;
    for part in parts {
        match part.eval(row)?.holds()? {
            Some(holds) if holds == truth => {}
            Some(_) => return Ok(Some(false)),
            None => known = false,
        }
    }
    Ok(known.then_some(true))
}

fn borrowed<'a>(value: &'a Datum<'static>) -> Datum<'a> {
    match value {
        Datum::Text(text) => Datum::Text(Cow::Borrowed(text)),
        value => value.clone(),
    }
}
