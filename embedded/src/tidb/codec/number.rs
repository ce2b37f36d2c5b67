//! Memcomparable and variable-length numbers (`docs/spec/row-and-key-codecs.md §1`).

use super::{CodecError, take_array};

const SIGN: u64 = 1 << 63;

/// Appends an `i64` so that byte order is numeric order: sign bit flipped, big-endian.
pub fn put_comparable_int(out: &mut Vec<u8>, v: i64) {
    out.extend_from_slice(&(v as u64 ^ SIGN).to_be_bytes());
}

/// Reads what [`put_comparable_int`] wrote.
pub fn comparable_int(input: &mut &[u8]) -> Result<i64, CodecError> {
    Ok((u64::from_be_bytes(take_array(input, "a comparable int")?) ^ SIGN) as i64)
}

/// Appends a `u64` big-endian.
pub fn put_comparable_uint(out: &mut Vec<u8>, v: u64) {
    out.extend_from_slice(&v.to_be_bytes());
}

/// Reads a big-endian `u64`.
pub fn comparable_uint(input: &mut &[u8]) -> Result<u64, CodecError> {
    Ok(u64::from_be_bytes(take_array(input, "a comparable uint")?))
}

/// Appends a `u64` so that byte order is *descending* numeric order (the timestamp of an MVCC key).
pub fn put_descending_uint(out: &mut Vec<u8>, v: u64) {
    put_comparable_uint(out, !v);
}

/// Appends an `f64` so that byte order is numeric order. Negative zero is written as zero.
pub fn put_comparable_float(out: &mut Vec<u8>, v: f64) {
    let bits = (v + 0.0).to_bits();
    let bits = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    out.extend_from_slice(&bits.to_be_bytes());
}

/// Reads what [`put_comparable_float`] wrote.
pub fn comparable_float(input: &mut &[u8]) -> Result<f64, CodecError> {
    let bits = u64::from_be_bytes(take_array(input, "a comparable float")?);
    Ok(f64::from_bits(if bits & SIGN == 0 {
        !bits
    } else {
        bits ^ SIGN
    }))
}

/// Appends a `u64` as LEB128.
pub fn put_uvarint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

/// Reads a LEB128 `u64`.
pub fn uvarint(input: &mut &[u8]) -> Result<u64, CodecError> {
    let mut v = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take_array(input, "a uvarint")?;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            break;
        }
        v |= part << shift;
        if byte & 0x80 == 0 {
            return Ok(v);
        }
    }
    Err(CodecError::malformed("a uvarint", "more than 64 bits"))
}

/// Appends an `i64` zig-zagged, then as LEB128.
pub fn put_varint(out: &mut Vec<u8>, v: i64) {
    put_uvarint(out, ((v << 1) ^ (v >> 63)) as u64);
}

/// Reads what [`put_varint`] wrote.
pub fn varint(input: &mut &[u8]) -> Result<i64, CodecError> {
    let u = uvarint(input)?;
    Ok((u >> 1) as i64 ^ -((u & 1) as i64))
}

/// Appends an `i64` little-endian in the fewest of 1, 2, 4, 8 bytes that hold it (row format v2).
pub fn put_min_int(out: &mut Vec<u8>, v: i64) {
    if let Ok(v) = i8::try_from(v) {
        out.extend_from_slice(&v.to_le_bytes());
    } else if let Ok(v) = i16::try_from(v) {
        out.extend_from_slice(&v.to_le_bytes());
    } else if let Ok(v) = i32::try_from(v) {
        out.extend_from_slice(&v.to_le_bytes());
    } else {
        out.extend_from_slice(&v.to_le_bytes());
    }
}

/// Reads a whole slice of 1, 2, 4 or 8 bytes as a little-endian signed int.
pub fn min_int(bytes: &[u8]) -> Result<i64, CodecError> {
    Ok(match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i64::from(i16::from_le_bytes([a, b])),
        [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return Err(bad_width("a row's int", bytes.len())),
    })
}

/// Appends a `u64` little-endian in the fewest of 1, 2, 4, 8 bytes that hold it (row format v2).
pub fn put_min_uint(out: &mut Vec<u8>, v: u64) {
    if let Ok(v) = u8::try_from(v) {
        out.push(v);
    } else if let Ok(v) = u16::try_from(v) {
        out.extend_from_slice(&v.to_le_bytes());
    } else if let Ok(v) = u32::try_from(v) {
        out.extend_from_slice(&v.to_le_bytes());
    } else {
        out.extend_from_slice(&v.to_le_bytes());
    }
}

/// Reads a whole slice of 1, 2, 4 or 8 bytes as a little-endian unsigned int.
pub fn min_uint(bytes: &[u8]) -> Result<u64, CodecError> {
    Ok(match *bytes {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => return Err(bad_width("a row's unsigned int", bytes.len())),
    })
}

fn bad_width(what: &'static str, n: usize) -> CodecError {
    CodecError::malformed(what, format!("{n} bytes, expected 1, 2, 4 or 8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comparable_ints_keep_order(a: i64, b: i64) {
            let (mut x, mut y) = (vec![], vec![]);
            put_comparable_int(&mut x, a);
            put_comparable_int(&mut y, b);
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
            prop_assert_eq!(comparable_int(&mut &x[..]), Ok(a));
        }

        #[test]
        fn comparable_floats_keep_order(a in proptest::num::f64::NORMAL, b in proptest::num::f64::NORMAL) {
            let (mut x, mut y) = (vec![], vec![]);
            put_comparable_float(&mut x, a);
            put_comparable_float(&mut y, b);
            prop_assert_eq!(a.partial_cmp(&b), Some(x.cmp(&y)));
            prop_assert_eq!(comparable_float(&mut &x[..]), Ok(a));
        }

        #[test]
        fn varints_round_trip(a: i64, b: u64) {
            let mut x = vec![];
            put_varint(&mut x, a);
            put_uvarint(&mut x, b);
            let mut rest = &x[..];
            prop_assert_eq!(varint(&mut rest), Ok(a));
            prop_assert_eq!(uvarint(&mut rest), Ok(b));
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn minimal_ints_round_trip(a: i64, shift in 0..64_u32) {
            let (a, b) = (a >> shift, (a as u64) >> shift);
            let (mut x, mut y) = (vec![], vec![]);
            put_min_int(&mut x, a);
            put_min_uint(&mut y, b);
            prop_assert_eq!(min_int(&x), Ok(a));
            prop_assert_eq!(min_uint(&y), Ok(b));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = (varint(&mut &bytes[..]), comparable_float(&mut &bytes[..]), min_int(&bytes));
        }
    }
}
