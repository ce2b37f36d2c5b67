//! ENUM and SET.

use super::CastError;
use crate::tidb::catalog::model::FieldType;
use crate::tidb::codec::Datum;

/// The member of a number.
pub(super) fn name(number: u64, ft: &FieldType) -> Result<&str, CastError> {
    let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    at.and_then(|at| ft.elems.iter().flatten().nth(at))
        .map(String::as_str)
        .ok_or_else(|| CastError::unserved("an ENUM without a value"))
}

/// The number of a member.
pub(super) fn to_enum(text: &str, column: &str, to: &FieldType) -> Result<Datum, CastError> {
    let mut members = to.elems.iter().flatten();
    if let Some(at) = members.position(|member| member == text) {
        return Ok(Datum::Uint(at as u64 + 1));
    }
    let alike = |member: &String| member.to_lowercase() == text.trim_end().to_lowercase();
    let is_number = text.trim().parse::<f64>().is_ok();
    // Members that are equal under some collation, and numbers of members, are found by one or the other.
    match is_number || text.is_empty() || to.elems.iter().flatten().any(alike) {
        true => Err(CastError::unserved(format!("{text:?} as a member"))),
        false => Err(CastError::truncated(column, text)),
    }
}

/// The member of a number that was one.
pub(super) fn number_to_enum(number: i128, to: &FieldType) -> Result<Datum, CastError> {
    match u64::try_from(number).map(|number| (number, name(number, to))) {
        Ok((number, Ok(_))) => Ok(Datum::Uint(number)),
        _ => Err(CastError::unserved(format!("{number} as a member"))),
    }
}

/// The members that the bits of a number stand for.
pub(super) fn names(bits: u64, ft: &FieldType) -> Result<String, CastError> {
    let members = ft.elems.as_deref().unwrap_or(&[]);
    if bits.checked_shr(members.len() as u32).unwrap_or(0) != 0 {
        return Err(CastError::unserved("a SET with unknown members"));
    }
    let chosen = members
        .iter()
        .enumerate()
        .filter(|(at, _)| bits >> at & 1 != 0)
        .map(|(_, member)| member.as_str());
    Ok(chosen.collect::<Vec<_>>().join(","))
}

/// The bits of some members.
pub(super) fn to_set(text: &str, column: &str, to: &FieldType) -> Result<Datum, CastError> {
    if text.is_empty() {
        return Ok(Datum::Uint(0));
    }
    let members = to.elems.as_deref().unwrap_or(&[]);
    let bit = |part: &str| {
        let at = members.iter().position(|member| member == part)?;
        1_u64.checked_shl(at as u32)
    };
    let bits = text.split(',').map(bit);
    if let Some(bits) = bits.reduce(|all, one| Some(all? | one?)).flatten() {
        return Ok(Datum::Uint(bits));
    }
    let alike = |part: &str| {
        let part = part.trim_end().to_lowercase();
        members.iter().any(|member| member.to_lowercase() == part)
    };
    let is_number = text.trim().parse::<f64>().is_ok();
    // Of members that are equal under some collation one may be found.
    match is_number || text.split(',').all(alike) {
        true => Err(CastError::unserved(format!("{text:?} as members"))),
        false => Err(CastError::truncated(column, text)),
    }
}

/// The members of a number whose bits all stand for one.
pub(super) fn number_to_set(number: i128, to: &FieldType) -> Result<Datum, CastError> {
    match u64::try_from(number).map(|bits| (bits, names(bits, to))) {
        Ok((bits, Ok(_))) => Ok(Datum::Uint(bits)),
        _ => Err(CastError::unserved(format!("{number} as members"))),
    }
}
