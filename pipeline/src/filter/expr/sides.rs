//! Comparisons out of both sides: as what they are compared.

use std::borrow::Cow;

use tidb_sql::collation;

use super::{
    branch::stronger,
    build::{Refusal, constant, copied, node, text_of},
    compare::{Comparison, Mode, Operator},
    eval::{Node, Op},
    moment,
    number::{self, Decimal},
    value::{Collation, Datum, Strength, Type},
};

/// Both sides of a comparison as they are compared: constants in the other side's type.
fn sides(a: Node, b: Node) -> Result<(Mode, Node, Node), Refusal> {
    use Type::{Bit, Date, DateTime, Decimal, Hex, Int, Named, Null, Real, Text, Time, Year};
    let exact = |tp: &Type| matches!(tp, Int { .. } | Year | Bit | Decimal);
    if a.tp == Null || b.tp == Null {
        return Ok((Mode::Null, a, b));
    }
    let a = hex_side(a, &b.tp)?;
    let b = hex_side(b, &a.tp)?;
    for (year, other) in [(&a, &b), (&b, &a)] {
        let few = match &other.op {
            Op::Constant(value) => value
                .real()
                .ok()
                .flatten()
                .is_some_and(|n| (0.0..100.0).contains(&n)),
            _ => false,
        };
        if year.tp == Year && few {
            return Err("a YEAR compared with one of two digits".to_owned());
        }
    }
    let mode = match (&a.tp, &b.tp) {
        (x, y) if exact(x) && exact(y) => Mode::Exact,
        (Named(_), y) if exact(y) => Mode::Exact,
        (x, Named(_)) if exact(x) => Mode::Exact,
        (Text(x) | Named(x), Text(y) | Named(y)) => match stronger(x, y) {
            Some(together) if collation::is_known(&together.name) => {
                Mode::Text(together.name.to_string())
            }
            Some(together) => {
                return Err(format!(
                    "texts are not compared under {} here",
                    together.name
                ));
            }
            None => {
                return Err(format!(
                    "texts of the collations {} and {} are compared: say with COLLATE by which",
                    x.name, y.name
                ));
            }
        },
        (x, Text(_)) if exact(x) && b.constant && !a.constant => {
            return Ok((Mode::Exact, a, number_constant(b)?));
        }
        (Text(_), y) if exact(y) && a.constant && !b.constant => {
            return Ok((Mode::Exact, number_constant(a)?, b));
        }
        (x, y)
            if (exact(x) || matches!(x, Real | Text(_) | Named(_)))
                && (exact(y) || matches!(y, Real | Text(_) | Named(_))) =>
        {
            Mode::Real
        }
        (Date | DateTime { .. }, Date | DateTime { .. }) => Mode::Time,
        (Date | DateTime { .. }, Text(_)) => return Ok((Mode::Time, a, moment_constant(b)?)),
        (Text(_), Date | DateTime { .. }) => return Ok((Mode::Time, moment_constant(a)?, b)),
        (Time { .. }, Time { .. }) => Mode::Duration,
        (Time { .. }, Text(_)) if b.constant => {
            return Ok((Mode::Duration, a, duration_constant(b)?));
        }
        (Text(_), Time { .. }) if a.constant => {
            return Ok((Mode::Duration, duration_constant(a)?, b));
        }
        (Hex, _) | (_, Hex) => {
            return Err("a hexadecimal or bit literal compared with this".to_owned());
        }
        (x, y) => return Err(format!("{} compared with {}", x.name(), y.name())),
    };
    if mode == Mode::Real {
        for side in [&a, &b] {
            if let Some(text) = text_of(side) {
                number::real_of(text).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok((mode, a, b))
}

/// A literal of bytes is a number beside numbers, and a text beside binary texts.
fn hex_side(side: Node, other: &Type) -> Result<Node, Refusal> {
    if side.tp != Type::Hex {
        return Ok(side);
    }
    let bytes = text_of(&side).unwrap_or_default().to_vec();
    match other {
        Type::Int { .. } | Type::Bit if bytes.len() <= 8 => {
            let number = bytes
                .iter()
                .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
            Ok(constant(
                Datum::Int(number.into()),
                Type::Int { unsigned: true },
            ))
        }
        Type::Text(collation) if &*collation.name == "binary" => Ok(constant(
            Datum::Text(Cow::Owned(bytes)),
            Type::Text(Collation::new("binary", Strength::Constant)),
        )),
        _ => Ok(side),
    }
}

fn number_constant(side: Node) -> Result<Node, Refusal> {
    let text = text_of(&side).unwrap_or_default();
    let number = match number::constant_of(text)? {
        Some(number) => number,
        // With an exponent, or nothing.
        None => {
            let real = number::real_of(text).map_err(|error| error.to_string())?;
            Decimal::parse(&real.to_string()).ok_or("a number that is too large")?
        }
    };
    Ok(constant(Datum::Decimal(number), Type::Decimal))
}

fn moment_constant(side: Node) -> Result<Node, Refusal> {
    let Some(text) = text_of(&side) else {
        return Ok(side);
    };
    let moment = std::str::from_utf8(text).ok().and_then(moment::parse);
    match moment {
        Some(packed) => Ok(constant(Datum::Time(packed), Type::DateTime { fsp: 6 })),
        None => Err(format!(
            "{:?} is not read as a date and time; YYYY-MM-DD hh:mm:ss is",
            String::from_utf8_lossy(text)
        )),
    }
}

fn duration_constant(side: Node) -> Result<Node, Refusal> {
    let text = text_of(&side).unwrap_or_default();
    let nanos = std::str::from_utf8(text)
        .ok()
        .and_then(moment::parse_duration);
    match nanos {
        Some(nanos) => Ok(constant(Datum::Duration(nanos), Type::Time { fsp: 6 })),
        None => Err(format!(
            "{:?} is not read as a time; hh:mm:ss is",
            String::from_utf8_lossy(text)
        )),
    }
}

pub(super) fn compared(operator: Operator, a: Node, b: Node) -> Result<Node, Refusal> {
    let constant = a.constant && b.constant;
    let (mode, a, b) = sides(a, b)?;
    let comparison = Comparison { operator, mode };
    Ok(node(
        Op::Compare(comparison, Box::new(a), Box::new(b)),
        Type::TRUTH,
        constant,
    ))
}

fn all_of(parts: Vec<Node>, or: bool) -> Node {
    let constant = parts.iter().all(|part| part.constant);
    let op = match or {
        true => Op::Or(parts),
        false => Op::And(parts),
    };
    node(op, Type::TRUTH, constant)
}

pub(super) fn between(value: Node, low: Node, high: Node) -> Result<Node, Refusal> {
    if let Some(again) = copied(&value) {
        let parts = vec![
            compared(Operator::Ge, value, low)?,
            compared(Operator::Le, again, high)?,
        ];
        return Ok(all_of(parts, false));
    }
    let (low_mode, value, low) = sides(value, low)?;
    let (high_mode, value, high) = sides(value, high)?;
    let side = |operator, mode, bound| (Comparison { operator, mode }, bound);
    let bounds = [
        side(Operator::Ge, low_mode, low),
        side(Operator::Le, high_mode, high),
    ];
    let op = Op::Between(Box::new(value), Box::new(bounds));
    Ok(node(op, Type::TRUTH, false))
}

pub(super) fn one_of(mut value: Node, list: Vec<Node>) -> Result<Node, Refusal> {
    if value.constant {
        let parts: Result<Vec<_>, Refusal> = list
            .into_iter()
            .map(|part| match copied(&value) {
                Some(value) => compared(Operator::Eq, value, part),
                None => Err("a constant that is none".to_owned()),
            })
            .collect();
        return Ok(all_of(parts?, true));
    }
    let mut compiled = Vec::with_capacity(list.len());
    for part in list {
        let (mode, same, part) = sides(value, part)?;
        value = same;
        let operator = Operator::Eq;
        compiled.push((Comparison { operator, mode }, part));
    }
    Ok(node(Op::In(Box::new(value), compiled), Type::TRUTH, false))
}
