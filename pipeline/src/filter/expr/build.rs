//! Parts of an expression out of those that they are made of: in which types they work, and what is refused.

use std::borrow::Cow;

use tidb_sql::{
    ast::{BinaryOp, CastStyle, CastType, Literal, TypeKind},
    collation,
};

use super::{
    arithmetic::{Arithmetic, Bits},
    branch::{merged, stronger},
    call::Call,
    eval::{Node, Op},
    moment, number,
    pattern::Like,
    value::{Collation, Datum, Strength, Type},
};

/// What cannot be evaluated, without its place.
pub(super) type Refusal = String;

pub(super) fn node(op: Op, tp: Type, constant: bool) -> Node {
    Node { op, tp, constant }
}

pub(super) fn constant(value: Datum<'static>, tp: Type) -> Node {
    node(Op::Constant(value), tp, true)
}

/// A constant once more.
pub(super) fn copied(constant: &Node) -> Option<Node> {
    match &constant.op {
        Op::Constant(value) => Some(node(Op::Constant(value.clone()), constant.tp.clone(), true)),
        _ => None,
    }
}

/// The text of a constant.
pub(super) fn text_of(constant: &Node) -> Option<&[u8]> {
    match &constant.op {
        Op::Constant(Datum::Text(text)) => Some(text),
        _ => None,
    }
}

pub(super) fn literal(value: &Literal) -> Result<Node, Refusal> {
    let constant_text = || Type::Text(Collation::constant(Strength::Constant));
    Ok(match value {
        Literal::Null => constant(Datum::Null, Type::Null),
        Literal::Bool(truth) => constant(Datum::Int((*truth).into()), Type::TRUTH),
        Literal::Integer(number) => {
            let unsigned = i64::try_from(*number).is_err();
            constant(Datum::Int((*number).into()), Type::Int { unsigned })
        }
        Literal::Decimal(text) => match number::constant_of(text.as_bytes())? {
            Some(number) => constant(Datum::Decimal(number), Type::Decimal),
            None => return Err("it is no number".to_owned()),
        },
        Literal::Float(number) => constant(Datum::Real(*number), Type::Real),
        Literal::String {
            charset: None,
            value,
        } => {
            let text = Cow::Owned(value.clone().into_bytes());
            constant(Datum::Text(text), constant_text())
        }
        Literal::Hex {
            charset: None,
            value,
        }
        | Literal::Bits {
            charset: None,
            value,
        } => constant(Datum::Text(Cow::Owned(value.clone())), Type::Hex),
        Literal::String { .. } | Literal::Hex { .. } | Literal::Bits { .. } => {
            return Err("a literal of a character set of its own".to_owned());
        }
        Literal::Temporal("TIME", text) => match moment::parse_duration(text) {
            Some(nanos) => constant(Datum::Duration(nanos), Type::Time { fsp: 6 }),
            None => return Err("it is no time".to_owned()),
        },
        Literal::Temporal(keyword, text) => match moment::parse(text) {
            Some(packed) if *keyword == "DATE" => constant(Datum::Time(packed), Type::Date),
            Some(packed) => constant(Datum::Time(packed), Type::DateTime { fsp: 6 }),
            None => return Err("it is no date and time".to_owned()),
        },
    })
}

/// In which type a value takes part in arithmetic.
pub(super) fn number_type(tp: &Type) -> Result<Type, Refusal> {
    Ok(match tp {
        Type::Null => Type::TRUTH,
        Type::Int { .. } | Type::Decimal | Type::Real => tp.clone(),
        Type::Year => Type::Int { unsigned: true },
        Type::Bit | Type::Text(_) | Type::Named(_) => Type::Real,
        tp => return Err(format!("{} as a number", tp.name())),
    })
}

pub(super) fn bits_type(tp: &Type) -> Result<(), Refusal> {
    match tp {
        Type::Null | Type::Int { .. } | Type::Year | Type::Bit => Ok(()),
        tp => Err(format!("the bits of {}", tp.name())),
    }
}

pub(super) fn calculated(
    op: BinaryOp,
    a: Node,
    b: Node,
    division_digits: usize,
) -> Result<Node, Refusal> {
    let all_constant = a.constant && b.constant;
    let bits = match op {
        BinaryOp::BitAnd => Some(Bits::And),
        BinaryOp::BitOr => Some(Bits::Or),
        BinaryOp::BitXor => Some(Bits::Xor),
        BinaryOp::ShiftLeft => Some(Bits::Left),
        BinaryOp::ShiftRight => Some(Bits::Right),
        _ => None,
    };
    if let Some(bits) = bits {
        bits_type(&a.tp)?;
        bits_type(&b.tp)?;
        let tp = Type::Int { unsigned: true };
        return Ok(node(
            Op::Bits(bits, Box::new(a), Box::new(b)),
            tp,
            all_constant,
        ));
    }
    let arithmetic = match op {
        BinaryOp::Add => Arithmetic::Add,
        BinaryOp::Subtract => Arithmetic::Subtract,
        BinaryOp::Multiply => Arithmetic::Multiply,
        BinaryOp::Divide => Arithmetic::Divide {
            digits: division_digits,
        },
        BinaryOp::IntDivide => Arithmetic::DivideWhole,
        BinaryOp::Mod => Arithmetic::Modulo,
        _ => return Err("an operator that is not evaluated".to_owned()),
    };
    arithmetic_node(arithmetic, a, b)
}

pub(super) fn arithmetic_node(op: Arithmetic, a: Node, b: Node) -> Result<Node, Refusal> {
    let constant = a.constant && b.constant;
    let (a_type, b_type) = (number_type(&a.tp)?, number_type(&b.tp)?);
    let tp = match (&a_type, &b_type) {
        (Type::Real, _) | (_, Type::Real) if op == Arithmetic::DivideWhole => {
            return Err("DIV of a DOUBLE or a text".to_owned());
        }
        (Type::Real, _) | (_, Type::Real) => Type::Real,
        (Type::Int { unsigned: a }, Type::Int { unsigned: b }) => match op {
            Arithmetic::Divide { .. } => Type::Decimal,
            Arithmetic::Modulo => Type::Int { unsigned: *a },
            _ => Type::Int { unsigned: *a || *b },
        },
        _ if op == Arithmetic::DivideWhole => Type::TRUTH,
        _ => Type::Decimal,
    };
    Ok(node(
        Op::Arithmetic(op, Box::new(a), Box::new(b)),
        tp,
        constant,
    ))
}

/// The collation of what is taken for a text.
pub(super) fn text_collation(tp: &Type) -> Result<Collation, Refusal> {
    match tp {
        Type::Text(collation) | Type::Named(collation) => Ok(collation.clone()),
        Type::Null
        | Type::Int { .. }
        | Type::Year
        | Type::Decimal
        | Type::Date
        | Type::DateTime { .. }
        | Type::Time { .. } => Ok(Collation::constant(Strength::Made)),
        tp => Err(format!("{} as a text", tp.name())),
    }
}

fn together(a: &Node, b: &Node) -> Result<String, Refusal> {
    let (a, b) = (text_collation(&a.tp)?, text_collation(&b.tp)?);
    match stronger(&a, &b) {
        Some(collation) if collation::is_known(&collation.name) => Ok(collation.name.to_string()),
        _ => Err(format!(
            "texts of the collations {} and {} are not compared here",
            a.name, b.name
        )),
    }
}

pub(super) fn like(text: Node, pattern: Node, escape: Option<&str>) -> Result<Node, Refusal> {
    let collation = together(&text, &pattern)?;
    let escape = match escape {
        None => Some('\\'),
        Some(escape) => escape.chars().next(),
    };
    let constant = text.constant && pattern.constant;
    let op = match text_of(&pattern) {
        Some(known) => {
            let like = Like::new(known, escape, &collation);
            Op::Like(Box::new(text), like)
        }
        None => Op::LikeAny {
            text: Box::new(text),
            pattern: Box::new(pattern),
            escape,
            collation,
        },
    };
    Ok(node(op, Type::TRUTH, constant))
}

pub(super) fn regexp(text: Node, pattern: &Node) -> Result<Node, Refusal> {
    let collation = together(&text, pattern)?;
    let Some(known) = text_of(pattern).and_then(|known| std::str::from_utf8(known).ok()) else {
        return Err("REGEXP with a pattern that is no constant text".to_owned());
    };
    let insensitive = collation.ends_with("_ci");
    let compiled = regex::bytes::RegexBuilder::new(known)
        .case_insensitive(insensitive)
        .build()
        .map_err(|error| format!("the pattern: {error}"))?;
    let constant = text.constant;
    Ok(node(
        Op::Regexp(Box::new(text), compiled),
        Type::TRUTH,
        constant,
    ))
}

/// The type of all branches.
pub(super) fn merged_all<'n>(
    branches: impl IntoIterator<Item = &'n Node>,
) -> Result<Type, Refusal> {
    let mut tp = Type::Null;
    for branch in branches {
        tp = merged(&tp, &branch.tp).ok_or_else(|| {
            format!(
                "values of different types: {} and {}",
                tp.name(),
                branch.tp.name()
            )
        })?;
    }
    Ok(tp)
}

pub(super) fn case(arms: Vec<(Node, Node)>, otherwise: Option<Node>) -> Result<Node, Refusal> {
    let tp = merged_all(arms.iter().map(|(_, then)| then).chain(&otherwise))?;
    let constant = arms
        .iter()
        .all(|(when, then)| when.constant && then.constant)
        && otherwise.as_ref().is_none_or(|value| value.constant);
    Ok(node(Op::Case(arms, otherwise.map(Box::new)), tp, constant))
}

pub(super) fn cast(value: Node, style: CastStyle, to: &CastType) -> Result<Node, Refusal> {
    let from = value.tp.clone();
    let refused = || Err(format!("a cast of {} to this type", from.name()));
    let whole = matches!(
        from,
        Type::Int { .. } | Type::Decimal | Type::Text(_) | Type::Year | Type::Bit | Type::Null
    );
    let (call, tp) = match to {
        CastType::Signed if whole => (Call::ToSigned, Type::TRUTH),
        CastType::Unsigned if whole => (Call::ToUnsigned, Type::Int { unsigned: true }),
        CastType::Type(to) if to.length.is_none() && to.scale.is_none() => match to.kind {
            TypeKind::Char if to.charset.is_none() && !to.binary => {
                text_collation(&from)?;
                let collation = Collation::constant(Strength::Constant);
                (Call::ToText, Type::Text(collation))
            }
            TypeKind::Binary => match (&from, style) {
                (Type::Text(_), _) => {
                    let collation = Collation::new("binary", Strength::Constant);
                    (Call::ToText, Type::Text(collation))
                }
                _ => return refused(),
            },
            TypeKind::Date => match from {
                Type::Date | Type::DateTime { .. } => (Call::Date, Type::Date),
                _ => return refused(),
            },
            _ => return refused(),
        },
        _ => return refused(),
    };
    let constant = value.constant;
    Ok(node(Op::Call(call, vec![value]), tp, constant))
}
