//! Values of several types in one place: CASE, IF, COALESCE, GREATEST.

use super::{
    column::Row,
    error::EvalError,
    eval::Node,
    value::{Collation, Datum, Type},
};

/// A value as one of the type that all branches have.
pub(super) fn converted<'a>(
    node: &'a Node,
    tp: &Type,
    row: &Row<'a>,
) -> Result<Datum<'a>, EvalError> {
    let value = node.eval(row)?;
    Ok(match tp {
        Type::Real => value.real()?.map_or(Datum::Null, Datum::Real),
        Type::Decimal => value.exact().map_or(Datum::Null, Datum::Decimal),
        Type::Text(_) => value.text(&node.tp).map_or(Datum::Null, Datum::Text),
        _ => value,
    })
}

/// The type that values of both types are made of; nothing if TiDB would make texts of numbers or times.
pub(super) fn merged(a: &Type, b: &Type) -> Option<Type> {
    let number = |tp: &Type| matches!(tp, Type::Int { .. } | Type::Decimal | Type::Real);
    Some(match (a, b) {
        (a, b) if a == b && !matches!(a, Type::Named(_) | Type::Bit | Type::Year | Type::Hex) => {
            a.clone()
        }
        (Type::Null, other) | (other, Type::Null) => match other {
            Type::Named(collation) => Type::Text(collation.clone()),
            Type::Bit | Type::Year | Type::Hex | Type::Opaque(_) => return None,
            other => other.clone(),
        },
        (Type::Text(a) | Type::Named(a), Type::Text(b) | Type::Named(b)) => {
            Type::Text(stronger(a, b)?)
        }
        (Type::Real, other) | (other, Type::Real) if number(other) => Type::Real,
        // Numbers of both signs are beyond either.
        (a, b) if number(a) && number(b) => Type::Decimal,
        (Type::DateTime { fsp }, Type::Date) | (Type::Date, Type::DateTime { fsp }) => {
            Type::DateTime { fsp: *fsp }
        }
        (Type::DateTime { fsp: a }, Type::DateTime { fsp: b }) => Type::DateTime { fsp: *a.max(b) },
        (Type::Time { fsp: a }, Type::Time { fsp: b }) => Type::Time { fsp: *a.max(b) },
        _ => return None,
    })
}

/// The collation of two texts together: of the one that holds to its own more firmly, of bytes if one is bytes. Nothing if
/// neither does.
pub(super) fn stronger(a: &Collation, b: &Collation) -> Option<Collation> {
    if a.name == b.name || a.strength > b.strength {
        return Some(match a.strength >= b.strength {
            true => a.clone(),
            false => b.clone(),
        });
    }
    if b.strength > a.strength {
        return Some(b.clone());
    }
    [a, b].into_iter().find(|c| &*c.name == "binary").cloned()
}
