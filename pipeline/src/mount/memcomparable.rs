//! The order-preserving encodings of TiDB's keys (spec/row-and-key-codecs.md §1).

use super::error::{MountError, take};

const SIGN: u64 = 1 << 63;
const GROUP: usize = 8;

/// Appends `number` with its sign bit flipped, big-endian.
pub fn put_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&(number as u64 ^ SIGN).to_be_bytes());
}

/// Reads what [`put_i64`] wrote, and the rest.
pub fn get_i64(bytes: &[u8]) -> Result<(i64, &[u8]), MountError> {
    let (head, rest) = take::<8>(bytes, "comparable integer")?;
    Ok(((u64::from_be_bytes(head) ^ SIGN) as i64, rest))
}

/// Reads a big-endian unsigned number, and the rest.
pub fn get_u64(bytes: &[u8]) -> Result<(u64, &[u8]), MountError> {
    let (head, rest) = take::<8>(bytes, "comparable unsigned integer")?;
    Ok((u64::from_be_bytes(head), rest))
}

/// Reads a float whose order is that of its bytes, and the rest.
pub fn get_f64(bytes: &[u8]) -> Result<(f64, &[u8]), MountError> {
    let (bits, rest) = get_u64(bytes)?;
    let bits = if bits & SIGN != 0 {
        bits & !SIGN
    } else {
        !bits
    };
    Ok((f64::from_bits(bits), rest))
}

/// Appends `data` in groups of eight bytes, each followed by 0xFF less the number of padding bytes.
pub fn put_bytes(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve((data.len() / GROUP + 1) * (GROUP + 1));
    for group in data.chunks_exact(GROUP) {
        out.extend_from_slice(group);
        out.push(0xff);
    }
    let tail = data.chunks_exact(GROUP).remainder();
    out.extend_from_slice(tail);
    out.resize(out.len() + GROUP - tail.len(), 0);
    out.push(0xff - (GROUP - tail.len()) as u8);
}

/// Reads what [`put_bytes`] wrote, appending the data to `data`; returns the rest.
pub fn get_bytes<'a>(mut bytes: &'a [u8], data: &mut Vec<u8>) -> Result<&'a [u8], MountError> {
    loop {
        let (group, rest) = take::<9>(bytes, "comparable bytes")?;
        let pad = usize::from(0xff - group[GROUP]);
        if pad > GROUP {
            return Err(MountError::invalid(
                "comparable bytes",
                format!("marker {:#04x}", group[GROUP]),
            ));
        }
        let (used, padding) = group[..GROUP].split_at(GROUP - pad);
        data.extend_from_slice(used);
        if pad > 0 {
            if padding.iter().any(|&byte| byte != 0) {
                return Err(MountError::invalid(
                    "comparable bytes",
                    "padding that is not zero",
                ));
            }
            return Ok(rest);
        }
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_round_trip_and_keep_their_order(a: Vec<u8>, b: Vec<u8>, rest: Vec<u8>) {
            let (mut ea, mut eb) = (Vec::new(), Vec::new());
            put_bytes(&mut ea, &a);
            put_bytes(&mut eb, &b);
            prop_assert_eq!(ea.cmp(&eb), a.cmp(&b));
            ea.extend_from_slice(&rest);
            let mut back = Vec::new();
            prop_assert_eq!(get_bytes(&ea, &mut back).unwrap(), &rest[..]);
            prop_assert_eq!(back, a);
        }

        #[test]
        fn integers_round_trip_and_keep_their_order(a: i64, b: i64) {
            let (mut ea, mut eb) = (Vec::new(), Vec::new());
            put_i64(&mut ea, a);
            put_i64(&mut eb, b);
            prop_assert_eq!(ea.cmp(&eb), a.cmp(&b));
            prop_assert_eq!(get_i64(&ea).unwrap(), (a, &[][..]));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = get_bytes(&bytes, &mut Vec::new());
            let _ = get_f64(&bytes);
        }
    }
}
