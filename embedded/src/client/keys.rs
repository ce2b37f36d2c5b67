//! Keys as PD and regions know them: memcomparable-wrapped.

use bytes::Bytes;

const GROUP: usize = 8;
const MARKER: u8 = 0xff;

/// The smallest raw key above `raw`.
pub(crate) fn after(raw: &[u8]) -> Bytes {
    [raw, &[0]].concat().into()
}

/// Wraps a raw key (`docs/spec/tikv-cdc-protocol.md §3`): groups of eight bytes, zero-padded, each followed by
/// `0xff - padding`.
pub(crate) fn encode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity((raw.len() / GROUP + 1) * (GROUP + 1));
    let mut rest = raw;
    loop {
        let taken = rest.len().min(GROUP);
        let (group, tail) = rest.split_at(taken);
        out.extend_from_slice(group);
        out.resize(out.len() + GROUP - taken, 0);
        out.push(MARKER - (GROUP - taken) as u8);
        if taken < GROUP {
            return out;
        }
        rest = tail;
    }
}

/// Unwraps a region boundary. Boundaries that are no wrapped keys give `None`.
pub(crate) fn decode(mut wrapped: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(wrapped.len());
    loop {
        let (group, tail) = wrapped.split_at_checked(GROUP + 1)?;
        let padding = usize::from(MARKER - group[GROUP]);
        let (data, pad) = group[..GROUP].split_at_checked(GROUP.checked_sub(padding)?)?;
        if pad.iter().any(|b| *b != 0) {
            return None;
        }
        out.extend_from_slice(data);
        if padding > 0 {
            return tail.is_empty().then_some(out);
        }
        wrapped = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_are_padded_and_marked() {
        assert_eq!(encode(b""), hex::decode("0000000000000000f7").unwrap());
        assert_eq!(encode(b"abc"), hex::decode("6162630000000000fa").unwrap());
        assert_eq!(
            encode(b"12345678"),
            hex::decode("3132333435363738ff0000000000000000f7").unwrap()
        );
        assert_eq!(decode(b"not wrapped"), None);
    }

    proptest! {
        #[test]
        fn wrapping_keeps_order_and_comes_off(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
            prop_assert_eq!(decode(&encode(&a)), Some(a));
        }

        #[test]
        fn arbitrary_boundaries_never_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
