//! What rows have in a column that was added after they were written (`docs/spec/row-and-key-codecs.md §3`).

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{CodecError, Datum, Duration, Time, json};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::model::{ColumnInfo, FieldType, Tp};

/// The value of `column` in a row that lacks it: its origin default, or NULL. A virtual column is NULL here, as it is in
/// no row.
pub fn origin_value(column: &ColumnInfo) -> Result<Datum, CodecError> {
    if column.is_virtual() {
        return Ok(Datum::Null);
    }
    let failed = |why: String| CodecError::Column {
        column: column.name.o.clone(),
        why: format!("its origin default: {why}"),
    };
    if let Some(bits) = column.origin_default_bit.iter().flatten().next() {
        let bytes = BASE64_STANDARD
            .decode(bits)
            .map_err(|e| failed(e.to_string()))?;
        return number(&bytes)
            .map(Datum::Uint)
            .ok_or_else(|| failed(format!("{} bytes of a BIT", bytes.len())));
    }
    let Some(text) = column.origin_default.as_deref() else {
        return Ok(Datum::Null);
    };
    parse(&column.field_type, text).map_err(failed)
}

/// A value that MariaDB printed for a column of this type.
pub fn of_text(ft: &FieldType, text: &[u8]) -> Result<Datum, String> {
    if ft.tp.is_string() {
        return Ok(Datum::Bytes(text.to_vec()));
    }
    parse(ft, std::str::from_utf8(text).map_err(|e| e.to_string())?)
}

fn parse(ft: &FieldType, text: &str) -> Result<Datum, String> {
    let unknown = || format!("{text:?} is no value of type {:?}", ft.tp);
    Ok(match ft.tp {
        Tp::Bit => Datum::Uint(number(text.as_bytes()).ok_or_else(unknown)?),
        Tp::Enum => {
            let at = ft.elems.iter().flatten().position(|e| e == text);
            Datum::Uint(at.ok_or_else(unknown)? as u64 + 1)
        }
        Tp::Set if text.is_empty() => Datum::Uint(0),
        Tp::Set => {
            let mut mask = 0;
            for part in text.split(',') {
                let at = ft.elems.iter().flatten().position(|e| e == part);
                mask |= 1_u64 << at.filter(|at| *at < 64).ok_or_else(unknown)?;
            }
            Datum::Uint(mask)
        }
        Tp::Year => Datum::Int(text.parse().map_err(|_| unknown())?),
        Tp::Float => Datum::Float(f64::from(text.parse::<f32>().map_err(|_| unknown())?)),
        Tp::Double => Datum::Float(text.parse().map_err(|_| unknown())?),
        Tp::NewDecimal => Datum::Decimal(text.parse().map_err(|_| unknown())?),
        Tp::Duration => Datum::Duration(Duration::parse(text).map_err(|e| e.to_string())?),
        // TiDB writes `null` here, which all releases read alike.
        Tp::Json => {
            Datum::Json(json::from_text(text, TidbVersion::V8_5).map_err(|e| e.to_string())?)
        }
        tp if tp.is_calendar() => Datum::Time(Time::parse(text).map_err(|e| e.to_string())?),
        tp if tp.is_integer() && ft.is_unsigned() => {
            Datum::Uint(text.parse().map_err(|_| unknown())?)
        }
        tp if tp.is_integer() => Datum::Int(text.parse().map_err(|_| unknown())?),
        tp if tp.is_string() => {
            let mut bytes = text.as_bytes().to_vec();
            // BINARY(n) is filled up.
            if let (Tp::String, true, Ok(flen)) =
                (tp, ft.is_binary_string(), usize::try_from(ft.flen))
            {
                bytes.resize(bytes.len().max(flen), 0);
            }
            Datum::Bytes(bytes)
        }
        _ => return Err(unknown()),
    })
}

fn number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |n, b| (n << 8) | u64::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidb::catalog::TidbVersion;
    use crate::tidb::catalog::model::{CiStr, flag};
    use crate::tidb::codec::Decimal;

    fn value(tp: Tp, flags: u64, text: &str) -> Result<Datum, CodecError> {
        let mut ft = FieldType::new(TidbVersion::V8_5, tp);
        ft.flag = flags;
        ft.flen = 4;
        ft.charset = if flags & flag::BINARY == 0 {
            "utf8mb4"
        } else {
            "binary"
        }
        .to_owned();
        ft.elems = Some(vec!["a".to_owned(), "b".to_owned()]);
        let mut column = ColumnInfo::new(TidbVersion::V8_5, CiStr::new("c"), ft);
        column.origin_default = Some(text.to_owned());
        origin_value(&column)
    }

    #[test]
    fn each_type_has_its_value() {
        let bytes = |b: &[u8]| Datum::Bytes(b.to_vec());
        for (tp, flags, text, expected) in [
            (Tp::Long, 0, "-7", Datum::Int(-7)),
            (
                Tp::LongLong,
                flag::UNSIGNED,
                "18446744073709551615",
                Datum::Uint(u64::MAX),
            ),
            (Tp::Float, 0, "1.1", Datum::Float(f64::from(1.1_f32))),
            (
                Tp::NewDecimal,
                0,
                "1.50",
                Datum::Decimal("1.50".parse::<Decimal>().unwrap()),
            ),
            (Tp::Enum, 0, "b", Datum::Uint(2)),
            (Tp::Set, 0, "a,b", Datum::Uint(3)),
            (Tp::Varchar, 0, "x", bytes(b"x")),
            (Tp::String, flag::BINARY, "x", bytes(b"x\0\0\0")),
            (Tp::Year, 0, "2024", Datum::Int(2024)),
        ] {
            assert_eq!(value(tp, flags, text), Ok(expected), "{tp:?} {text}");
        }
        assert!(value(Tp::Enum, 0, "c").is_err());
        assert!(value(Tp::Long, 0, "x").is_err());
    }
}
