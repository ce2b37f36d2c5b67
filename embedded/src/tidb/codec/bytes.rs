//! Memcomparable and length-prefixed byte strings (`docs/spec/row-and-key-codecs.md §1`).

use super::{CodecError, number, take};

const GROUP: usize = 8;
const MARKER: u8 = 0xff;

/// Appends `data` in groups of eight, zero padded, each followed by `0xff - padding`.
pub fn put_comparable_bytes(out: &mut Vec<u8>, data: &[u8]) {
    out.reserve((data.len() / GROUP + 1) * (GROUP + 1));
    let mut groups = data.chunks_exact(GROUP);
    for group in &mut groups {
        out.extend_from_slice(group);
        out.push(MARKER);
    }
    let rest = groups.remainder();
    let pad = GROUP - rest.len();
    out.extend_from_slice(rest);
    out.resize(out.len() + pad, 0);
    out.push(MARKER - pad as u8);
}

/// `data` in memcomparable form: the form of keys in TiKV's data column families and in PD.
pub fn comparable(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_comparable_bytes(&mut out, data);
    out
}

/// Reads what [`put_comparable_bytes`] wrote and leaves `input` behind it.
pub fn comparable_bytes(input: &mut &[u8]) -> Result<Vec<u8>, CodecError> {
    const WHAT: &str = "comparable bytes";
    let mut out = Vec::new();
    loop {
        let group = take(input, GROUP + 1, WHAT)?;
        let pad = usize::from(MARKER - group[GROUP]);
        let Some(len) = GROUP.checked_sub(pad) else {
            return Err(CodecError::malformed(
                WHAT,
                format!("marker {:#04x}", group[GROUP]),
            ));
        };
        out.extend_from_slice(&group[..len]);
        if pad > 0 {
            return if group[len..GROUP].iter().all(|b| *b == 0) {
                Ok(out)
            } else {
                Err(CodecError::malformed(WHAT, "padding is not zero"))
            };
        }
    }
}

/// Appends a zig-zag varint length and the data.
pub fn put_compact_bytes(out: &mut Vec<u8>, data: &[u8]) {
    number::put_varint(out, data.len() as i64);
    out.extend_from_slice(data);
}

/// Reads what [`put_compact_bytes`] wrote.
pub fn compact_bytes<'a>(input: &mut &'a [u8]) -> Result<&'a [u8], CodecError> {
    let len = number::varint(input)?;
    let len = usize::try_from(len)
        .map_err(|_| CodecError::malformed("compact bytes", format!("length {len}")))?;
    take(input, len, "compact bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comparable_bytes_keep_order(a: Vec<u8>, b: Vec<u8>) {
            let (x, y) = (comparable(&a), comparable(&b));
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
            prop_assert_eq!(comparable_bytes(&mut &x[..]), Ok(a));
        }

        #[test]
        fn compact_bytes_round_trip(a: Vec<u8>) {
            let mut x = vec![];
            put_compact_bytes(&mut x, &a);
            prop_assert_eq!(compact_bytes(&mut &x[..]), Ok(&a[..]));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = (comparable_bytes(&mut &bytes[..]), compact_bytes(&mut &bytes[..]));
        }
    }
}
