//! The memcomparable form of keys, in which PD and raftstore know them (`spec/tikv-cdc-protocol.md §3`).
//!
//! A key is cut into groups of 8 bytes, zero-padded, each followed by a marker `0xFF - padding`; a key whose length is a
//! multiple of 8 ends with a group of its own that is all padding. Encoded keys order as the raw ones do.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::model::Span;

const GROUP: usize = 8;
const ENCODED_GROUP: usize = GROUP + 1;
const MARKER: u8 = 0xFF;

/// One encoded group: `chunk` holds at most 8 bytes, fewer only in a key's last group.
fn group(chunk: &[u8]) -> [u8; ENCODED_GROUP] {
    let mut out = [0; ENCODED_GROUP];
    out[..chunk.len()].copy_from_slice(chunk);
    out[GROUP] = MARKER - (GROUP - chunk.len()) as u8;
    out
}

/// The encoded groups of a key: the whole ones and, always, one that is padded.
fn groups(raw: &[u8]) -> impl Iterator<Item = [u8; ENCODED_GROUP]> + '_ {
    (0..=raw.len() / GROUP).map(|i| group(&raw[i * GROUP..raw.len().min((i + 1) * GROUP)]))
}

/// The memcomparable form of `raw`.
pub(crate) fn encode(raw: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity((raw.len() / GROUP + 1) * ENCODED_GROUP);
    groups(raw).for_each(|group| out.extend_from_slice(&group));
    out.into()
}

/// The raw form of `encoded`, or nothing where it is no encoded key (a region boundary set by hand, for example).
pub(crate) fn decode(encoded: &[u8]) -> Option<Bytes> {
    let mut out = Vec::with_capacity(encoded.len() / ENCODED_GROUP * GROUP);
    let mut chunks = encoded.chunks_exact(ENCODED_GROUP);
    for chunk in chunks.by_ref() {
        let padding = usize::from(MARKER - chunk[GROUP]);
        let data = GROUP.checked_sub(padding)?;
        out.extend_from_slice(&chunk[..data]);
        if padding > 0 {
            let zeros = chunk[data..GROUP].iter().all(|&b| b == 0);
            return (zeros && chunks.len() == 0 && chunks.remainder().is_empty())
                .then(|| out.into());
        }
    }
    None
}

/// Compares a raw key with an encoded one, without encoding the raw one into memory of its own.
pub(crate) fn cmp_encoded(raw: &[u8], encoded: &[u8]) -> Ordering {
    let mut rest = encoded;
    for group in groups(raw) {
        let (head, tail) = rest.split_at(rest.len().min(ENCODED_GROUP));
        match group[..].cmp(head) {
            Ordering::Equal => rest = tail,
            other => return other,
        }
    }
    if rest.is_empty() {
        Ordering::Equal
    } else {
        Ordering::Less
    }
}

/// The span of encoded keys that holds what the raw `span` holds.
pub(crate) fn encode_span(span: &Span) -> Span {
    let bound = |key: &Bytes| {
        if key.is_empty() {
            Bytes::new()
        } else {
            encode(key)
        }
    };
    Span {
        start: bound(&span.start),
        end: bound(&span.end),
    }
}

/// Whether the raw `key` lies in the span of encoded keys.
pub(crate) fn encoded_span_contains(span: &Span, key: &[u8]) -> bool {
    cmp_encoded(key, &span.start).is_ge()
        && (span.end.is_empty() || cmp_encoded(key, &span.end).is_lt())
}

/// What two spans have in common, if anything.
pub(crate) fn intersect(a: &Span, b: &Span) -> Option<Span> {
    let start = a.start.clone().max(b.start.clone());
    let end = match (a.end.is_empty(), b.end.is_empty()) {
        (true, _) => b.end.clone(),
        (_, true) => a.end.clone(),
        _ => a.end.clone().min(b.end.clone()),
    };
    let common = Span { start, end };
    (!common.is_empty()).then_some(common)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_forms() {
        assert_eq!(hex::encode(encode(b"")), "0000000000000000f7");
        assert_eq!(hex::encode(encode(b"abc")), "6162630000000000fa");
        assert_eq!(
            hex::encode(encode(b"abcdefgh")),
            "6162636465666768ff0000000000000000f7"
        );
        assert_eq!(decode(b"abc"), None);
        assert_eq!(decode(&hex::decode("6162630000000100fa").unwrap()), None);
        assert_eq!(decode(&hex::decode("6162636465666768ff").unwrap()), None);
        assert_eq!(decode(&hex::decode("6162630000000000fa00").unwrap()), None);
    }

    #[test]
    fn spans_intersect() {
        let span = |a: &'static str, b: &'static str| Span::new(a, b);
        assert_eq!(
            intersect(&span("a", "m"), &span("c", "")),
            Some(span("c", "m"))
        );
        assert_eq!(
            intersect(&span("a", ""), &span("c", "")),
            Some(span("c", ""))
        );
        assert_eq!(intersect(&span("a", "c"), &span("c", "")), None);
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 0..20)
    }

    proptest! {
        #[test]
        fn round_trip_and_order(a in key(), b in key(), junk in key()) {
            prop_assert_eq!(decode(&encode(&a)), Some(Bytes::from(a.clone())));
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
            prop_assert_eq!(cmp_encoded(&a, &encode(&b)), a.cmp(&b));
            // A boundary that is no encoded key still has its place in the order.
            prop_assert_eq!(cmp_encoded(&a, &junk), encode(&a)[..].cmp(&junk[..]));
            if let Some(raw) = decode(&junk) {
                prop_assert_eq!(&encode(&raw)[..], &junk[..]);
            }
        }
    }
}
