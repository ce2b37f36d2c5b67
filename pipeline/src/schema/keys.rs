//! Keys of TiDB's metadata (spec/tidb-schema.md §5).

use crate::{
    model::Span,
    mount::{MountError, memcomparable},
};

const META_PREFIX: u8 = b'm';
const HASH_DATA: u64 = b'h' as u64;
const LIST_DATA: u64 = b'l' as u64;
const LIST_META: u64 = b'L' as u64;

/// A key of the metadata, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetaKey {
    /// A field of a hash.
    Hash {
        /// The hash.
        key: Vec<u8>,
        /// The field.
        field: Vec<u8>,
    },
    /// An element of a list.
    List {
        /// The list.
        key: Vec<u8>,
        /// The element's place.
        index: i64,
    },
    /// A string, or the bookkeeping of a hash or list.
    Other {
        /// The key.
        key: Vec<u8>,
        /// The kind, as TiDB's letter.
        kind: u64,
    },
}

impl MetaKey {
    /// Takes a raw key apart; `None` if it is not of the metadata.
    pub fn decode(raw: &[u8]) -> Result<Option<Self>, MountError> {
        let Some((&META_PREFIX, rest)) = raw.split_first() else {
            return Ok(None);
        };
        let mut key = Vec::new();
        let rest = memcomparable::get_bytes(rest, &mut key)?;
        let (kind, rest) = memcomparable::get_u64(rest)?;
        Ok(Some(match kind {
            HASH_DATA => {
                let mut field = Vec::new();
                memcomparable::get_bytes(rest, &mut field)?;
                MetaKey::Hash { key, field }
            }
            LIST_DATA => MetaKey::List {
                key,
                index: memcomparable::get_i64(rest)?.0,
            },
            _ => MetaKey::Other { key, kind },
        }))
    }
}

/// The range of a hash's fields from `first` on, before `end`.
pub fn hash_range(key: &str, first: &str, end: &str) -> Span {
    let bound = |field: &str| {
        let mut bound = head(key, HASH_DATA);
        memcomparable::put_bytes(&mut bound, field.as_bytes());
        bound
    };
    Span::new(bound(first), bound(end))
}

/// The range of a list's elements.
pub fn list_range(key: &str) -> Span {
    Span::new(head(key, LIST_DATA), head(key, LIST_DATA + 1))
}

/// The key of a list's bookkeeping.
pub fn list_meta(key: &str) -> Vec<u8> {
    head(key, LIST_META)
}

fn head(key: &str, kind: u64) -> Vec<u8> {
    let mut raw = vec![META_PREFIX];
    memcomparable::put_bytes(&mut raw, key.as_bytes());
    raw.extend_from_slice(&kind.to_be_bytes());
    raw
}
