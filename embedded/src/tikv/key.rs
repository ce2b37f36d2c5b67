//! Keys: raw as clients send them, wrapped (memcomparable) as regions are cut, versioned as versions are stored.

use bytes::Bytes;

pub(crate) use crate::client::keys::{after, decode as unwrap, encode as wrap};

/// Milliseconds since 1970 of a timestamp.
pub(crate) fn physical(ts: u64) -> u64 {
    ts >> 18
}

/// The wrapped key followed by the inverted timestamp: newer versions come first.
pub(crate) fn versioned(raw: &[u8], ts: u64) -> Bytes {
    let mut out = wrap(raw);
    out.extend_from_slice(&(!ts).to_be_bytes());
    out.into()
}

/// The raw key and the timestamp of a versioned key.
pub(crate) fn split_versioned(versioned: &[u8]) -> Option<(Vec<u8>, u64)> {
    let (wrapped, ts) = versioned.split_last_chunk::<8>()?;
    Some((unwrap(wrapped)?, !u64::from_be_bytes(*ts)))
}

/// A range of raw keys; an empty end is +inf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Range {
    pub(crate) start: Bytes,
    pub(crate) end: Bytes,
}

impl Range {
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.start <= key && (self.end.is_empty() || key < &*self.end)
    }

    /// What lies in both.
    pub(crate) fn intersect(&self, other: &Self) -> Self {
        let start = self.start.clone().max(other.start.clone());
        let end = match (self.end.is_empty(), other.end.is_empty()) {
            (true, _) => other.end.clone(),
            (_, true) => self.end.clone(),
            _ => self.end.clone().min(other.end.clone()),
        };
        Self { start, end }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.end.is_empty() && self.start >= self.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn versions_stand_together_newest_first(a: Vec<u8>, b: Vec<u8>, s: u64, t: u64) {
            let (x, y) = (versioned(&a, s), versioned(&b, t));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b).then(t.cmp(&s)));
            prop_assert_eq!(split_versioned(&x), Some((a, s)));
        }

        #[test]
        fn an_intersection_holds_what_both_hold(a: [u8; 2], b: [u8; 2], c: [u8; 2], d: [u8; 2], key: [u8; 2]) {
            let range = |s: [u8; 2], e: [u8; 2]| Range {
                start: Bytes::copy_from_slice(&s[..usize::from(s[0] % 3)]),
                end: Bytes::copy_from_slice(&e[..usize::from(e[0] % 3)]),
            };
            let (x, y) = (range(a, b), range(c, d));
            let both = x.intersect(&y);
            prop_assert_eq!(both.contains(&key), x.contains(&key) && y.contains(&key));
            if both.is_empty() {
                prop_assert!(!both.contains(&key));
            }
        }
    }
}
