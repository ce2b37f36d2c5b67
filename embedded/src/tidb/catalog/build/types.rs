//! From a type as written to a [`FieldType`]: default lengths, limits, flags, character set.

use super::super::model::{FieldType, Tp, flag};
use super::super::{DdlError, TidbVersion, charset, ddl::sql_error};

/// A type as written, reduced to what matters.
#[derive(Debug, Clone)]
pub(crate) struct TypeSpec {
    pub(crate) tp: Tp,
    /// The first number in parentheses: length, width, precision, or fraction digits of a time.
    pub(crate) length: Option<u64>,
    /// The second one.
    pub(crate) scale: Option<u64>,
    pub(crate) unsigned: bool,
    pub(crate) zerofill: bool,
    /// BINARY, VARBINARY, BLOB and kin: bytes, whatever the table's character set.
    pub(crate) bytes: bool,
    pub(crate) charset: Option<String>,
    pub(crate) collate: Option<String>,
    pub(crate) elems: Vec<String>,
}

impl TypeSpec {
    pub(crate) fn new(tp: Tp) -> Self {
        Self {
            tp,
            length: None,
            scale: None,
            unsigned: false,
            zerofill: false,
            bytes: false,
            charset: None,
            collate: None,
            elems: vec![],
        }
    }
}

const MAX_PRECISION: u64 = 65;
const MAX_SCALE: u64 = 30;
const MAX_FSP: u64 = 6;
const MAX_CHAR: i64 = 255;
const MAX_VARCHAR_BYTES: i64 = 65_535;
const MAX_BIT: u64 = 64;
const MAX_FLOAT_PRECISION: u64 = 53;
/// FLOAT(p) above this is a DOUBLE.
const MAX_SINGLE_PRECISION: u64 = 24;
const LONG_BLOB_LEN: i64 = 4_294_967_295;
/// Blob types by their capacity in bytes.
const BLOBS: [(Tp, i64); 4] = [
    (Tp::TinyBlob, 255),
    (Tp::Blob, 65_535),
    (Tp::MediumBlob, 16_777_215),
    (Tp::LongBlob, LONG_BLOB_LEN),
];

/// Makes the type of column `name`. `inherited` are character set and collation of its table.
pub(crate) fn field_type(
    version: TidbVersion,
    name: &str,
    spec: &TypeSpec,
    inherited: (&str, &str),
) -> Result<FieldType, DdlError> {
    let mut ft = FieldType::new(version, spec.tp);
    (ft.charset, ft.collate) = charset_of(version, spec, inherited)?;
    match spec.tp {
        tp if tp.is_integer() => {
            ft.flen = spec
                .length
                .map_or_else(|| width(tp, spec.unsigned), |n| n as i64)
        }
        Tp::Float | Tp::Double => float(&mut ft, name, spec)?,
        Tp::NewDecimal => decimal(&mut ft, version, name, spec)?,
        Tp::Date => ft.flen = 10,
        Tp::Datetime | Tp::Timestamp | Tp::Duration => {
            let fsp = spec.length.unwrap_or(0);
            if fsp > MAX_FSP {
                return Err(sql_error::too_big_fsp(name, fsp));
            }
            let whole = if spec.tp == Tp::Duration { 10 } else { 19 };
            ft.flen = whole + if fsp > 0 { fsp as i64 + 1 } else { 0 };
            ft.decimal = fsp as i64;
        }
        Tp::Year => {
            ft.flen = 4;
            ft.flag |= flag::UNSIGNED | flag::ZEROFILL;
        }
        Tp::Bit => {
            let bits = spec.length.unwrap_or(1);
            if bits == 0 || bits > MAX_BIT {
                return Err(sql_error::refused(
                    1439,
                    format!("Display width out of range for column '{name}' (max = {MAX_BIT})"),
                ));
            }
            ft.flen = bits as i64;
            ft.flag |= flag::UNSIGNED;
        }
        Tp::Json => ft.flen = LONG_BLOB_LEN,
        Tp::Enum | Tp::Set => members(&mut ft, name, &spec.elems)?,
        Tp::String => {
            ft.flen = spec.length.unwrap_or(1) as i64;
            if ft.flen > MAX_CHAR {
                return Err(sql_error::column_too_big(name, MAX_CHAR));
            }
        }
        Tp::Varchar => {
            ft.flen = spec.length.unwrap_or(1) as i64;
            let max = MAX_VARCHAR_BYTES / charset::max_len(&ft.charset);
            if ft.flen > max {
                return Err(sql_error::column_too_big(name, max));
            }
        }
        tp if tp.is_blob() => blob(&mut ft, name, spec)?,
        _ => {}
    }
    if spec.zerofill {
        ft.flag |= flag::ZEROFILL | flag::UNSIGNED;
    }
    if spec.unsigned {
        ft.flag |= flag::UNSIGNED;
    }
    let binary_kind = ft.tp.is_calendar() || matches!(ft.tp, Tp::Duration | Tp::Json);
    if binary_kind || ft.is_binary_string() {
        ft.flag |= flag::BINARY;
    }
    Ok(ft)
}

fn charset_of(
    version: TidbVersion,
    spec: &TypeSpec,
    inherited: (&str, &str),
) -> Result<(String, String), DdlError> {
    let is_text = (spec.tp.is_string() || matches!(spec.tp, Tp::Enum | Tp::Set)) && !spec.bytes;
    if !is_text {
        return Ok(("binary".to_owned(), "binary".to_owned()));
    }
    let (charset_clause, collate_clause) = (spec.charset.as_deref(), spec.collate.as_deref());
    charset::resolve(version, charset_clause, collate_clause, inherited)
}

/// The display width of an integer type that names none.
fn width(tp: Tp, unsigned: bool) -> i64 {
    match (tp, unsigned) {
        (Tp::Tiny, false) => 4,
        (Tp::Tiny, true) => 3,
        (Tp::Short, false) => 6,
        (Tp::Short, true) => 5,
        (Tp::Int24, false) => 9,
        (Tp::Int24, true) => 8,
        (Tp::Long, false) => 11,
        (Tp::Long, true) => 10,
        _ => 20,
    }
}

fn float(ft: &mut FieldType, name: &str, spec: &TypeSpec) -> Result<(), DdlError> {
    match (spec.length, spec.scale) {
        (Some(m), Some(d)) => {
            if d > MAX_SCALE {
                return Err(sql_error::too_big_scale(name, d));
            }
            if d > m {
                return Err(sql_error::scale_above_precision(name));
            }
            (ft.flen, ft.decimal) = (m as i64, d as i64);
            return Ok(());
        }
        (Some(p), None) if p > MAX_FLOAT_PRECISION => {
            return Err(sql_error::refused(
                1063,
                format!("Incorrect column specifier for column '{name}'"),
            ));
        }
        (Some(p), None) if p > MAX_SINGLE_PRECISION => ft.tp = Tp::Double,
        _ => {}
    }
    ft.flen = if ft.tp == Tp::Float { 12 } else { 22 };
    ft.decimal = -1;
    Ok(())
}

fn decimal(
    ft: &mut FieldType,
    version: TidbVersion,
    name: &str,
    spec: &TypeSpec,
) -> Result<(), DdlError> {
    let default_precision = if version == TidbVersion::V4_0 { 11 } else { 10 };
    // DECIMAL(0) means DECIMAL(10).
    let precision = spec
        .length
        .map_or(default_precision, |p| if p == 0 { 10 } else { p });
    let scale = spec.scale.unwrap_or(0);
    if scale > MAX_SCALE {
        return Err(sql_error::too_big_scale(name, scale));
    }
    if precision > MAX_PRECISION {
        return Err(sql_error::too_big_precision(name, precision));
    }
    if scale > precision {
        return Err(sql_error::scale_above_precision(name));
    }
    (ft.flen, ft.decimal) = (precision as i64, scale as i64);
    Ok(())
}

fn members(ft: &mut FieldType, name: &str, elems: &[String]) -> Result<(), DdlError> {
    let kind = if ft.tp == Tp::Enum { "ENUM" } else { "SET" };
    // Trailing spaces of members are lost, and no two may be the same then.
    let elems: Vec<String> = elems
        .iter()
        .map(|e| e.trim_end_matches(' ').to_owned())
        .collect();
    for (i, elem) in elems.iter().enumerate() {
        if elems[..i].contains(elem) {
            return Err(sql_error::duplicate_member(name, elem, kind));
        }
    }
    let lengths = elems.iter().map(|e| e.len() as i64);
    ft.flen = if ft.tp == Tp::Enum {
        lengths.max().unwrap_or(0)
    } else {
        lengths.sum::<i64>() + elems.len().saturating_sub(1) as i64
    };
    ft.elems = Some(elems);
    Ok(())
}

/// TEXT(n) and BLOB(n) take the smallest type that holds n characters.
fn blob(ft: &mut FieldType, name: &str, spec: &TypeSpec) -> Result<(), DdlError> {
    let bytes = match spec.length {
        Some(n) if ft.tp == Tp::Blob => i64::try_from(n)
            .ok()
            .and_then(|n| n.checked_mul(charset::max_len(&ft.charset)))
            .unwrap_or(i64::MAX),
        _ => BLOBS
            .iter()
            .find(|(tp, _)| *tp == ft.tp)
            .map_or(0, |(_, n)| *n),
    };
    let fitting = BLOBS.iter().find(|(_, capacity)| bytes <= *capacity);
    let Some((tp, capacity)) = fitting else {
        return Err(sql_error::refused(
            1439,
            format!("Display width out of range for column '{name}' (max = {LONG_BLOB_LEN})"),
        ));
    };
    (ft.tp, ft.flen) = (*tp, *capacity);
    Ok(())
}
