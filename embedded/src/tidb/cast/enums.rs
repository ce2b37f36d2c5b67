//! ENUM.

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
