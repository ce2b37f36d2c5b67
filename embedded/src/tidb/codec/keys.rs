//! Keys of tables and of the schema (`docs/spec/row-and-key-codecs.md §8`, `docs/spec/tidb-schema.md §5`).
//! All are raw keys, before the memcomparable wrap that TiKV and PD use.

use super::{CodecError, Handle, bytes, number, take};

/// Length of `t` and a table id.
const TABLE_PREFIX_LEN: usize = 9;
/// Length of a record key's prefix: table prefix and `_r`.
pub const RECORD_PREFIX_LEN: usize = TABLE_PREFIX_LEN + 2;
/// Length of an int handle; a common handle is always longer.
const INT_HANDLE_LEN: usize = 8;

/// `t{table_id}`.
pub fn table_prefix(table_id: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(32);
    out.push(b't');
    number::put_comparable_int(&mut out, table_id);
    out
}

/// The table id of a key that begins with one.
pub fn table_of(key: &[u8]) -> Option<i64> {
    let mut id = key.strip_prefix(b"t")?;
    number::comparable_int(&mut id).ok()
}

/// `t{table_id}_r`: where the records of a table begin.
pub fn record_prefix(table_id: i64) -> Vec<u8> {
    let mut out = table_prefix(table_id);
    out.extend_from_slice(b"_r");
    out
}

/// Where the records of a table end, exclusive.
pub fn record_end(table_id: i64) -> Vec<u8> {
    let mut out = table_prefix(table_id);
    out.extend_from_slice(b"_s");
    out
}

/// `t{table_id}_r{handle}`.
pub fn record_key(table_id: i64, handle: &Handle) -> Vec<u8> {
    let mut out = record_prefix(table_id);
    match handle {
        Handle::Int(h) => number::put_comparable_int(&mut out, *h),
        Handle::Common(bytes) => out.extend_from_slice(bytes),
    }
    out
}

/// Table id and handle of a record key.
pub fn decode_record_key(key: &[u8]) -> Result<(i64, Handle), CodecError> {
    const WHAT: &str = "a record key";
    let mut rest = key;
    if take(&mut rest, 1, WHAT)? != b"t" {
        return Err(CodecError::malformed(WHAT, "it does not begin with t"));
    }
    let table_id = number::comparable_int(&mut rest)?;
    if take(&mut rest, 2, WHAT)? != b"_r" {
        return Err(CodecError::malformed(WHAT, "no _r after the table id"));
    }
    let handle = match rest.len() {
        INT_HANDLE_LEN => Handle::Int(number::comparable_int(&mut rest)?),
        n if n > INT_HANDLE_LEN => Handle::Common(rest.to_vec()),
        n => {
            return Err(CodecError::Short {
                what: "a handle",
                need: INT_HANDLE_LEN,
                have: n,
            });
        }
    };
    Ok((table_id, handle))
}

/// `t{table_id}_i{index_id}`: where the entries of an index begin.
pub fn index_prefix(table_id: i64, index_id: i64) -> Vec<u8> {
    let mut out = table_prefix(table_id);
    out.extend_from_slice(b"_i");
    number::put_comparable_int(&mut out, index_id);
    out
}

/// A key of the schema, the part of the key space under `m`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetaKey {
    /// One value under a name.
    String(Vec<u8>),
    /// A field of a hash.
    Hash(Vec<u8>, Vec<u8>),
    /// An element of a list.
    List(Vec<u8>, i64),
    /// A list's bounds.
    ListMeta(Vec<u8>),
}

impl MetaKey {
    /// A string key.
    pub fn string(key: impl Into<Vec<u8>>) -> Self {
        Self::String(key.into())
    }

    /// A hash field.
    pub fn hash(key: impl Into<Vec<u8>>, field: impl Into<Vec<u8>>) -> Self {
        Self::Hash(key.into(), field.into())
    }

    /// The raw key.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![b'm'];
        let mut start = |key: &[u8], kind: u8| {
            bytes::put_comparable_bytes(&mut out, key);
            number::put_comparable_uint(&mut out, u64::from(kind));
        };
        match self {
            Self::String(key) => start(key, b's'),
            Self::Hash(key, field) => {
                start(key, b'h');
                bytes::put_comparable_bytes(&mut out, field);
            }
            Self::List(key, index) => {
                start(key, b'l');
                number::put_comparable_int(&mut out, *index);
            }
            Self::ListMeta(key) => start(key, b'L'),
        }
        out
    }

    /// Reads a raw key under `m`.
    pub fn decode(raw: &[u8]) -> Result<Self, CodecError> {
        const WHAT: &str = "a schema key";
        let mut rest = raw;
        if take(&mut rest, 1, WHAT)? != b"m" {
            return Err(CodecError::malformed(WHAT, "it does not begin with m"));
        }
        let key = bytes::comparable_bytes(&mut rest)?;
        let kind = number::comparable_uint(&mut rest)?;
        let out = match u8::try_from(kind) {
            Ok(b's') => Self::String(key),
            Ok(b'h') => Self::Hash(key, bytes::comparable_bytes(&mut rest)?),
            Ok(b'l') => Self::List(key, number::comparable_int(&mut rest)?),
            Ok(b'L') => Self::ListMeta(key),
            _ => return Err(CodecError::malformed(WHAT, format!("kind {kind:#x}"))),
        };
        if rest.is_empty() {
            Ok(out)
        } else {
            Err(CodecError::malformed(
                WHAT,
                format!("{} bytes too many", rest.len()),
            ))
        }
    }

    /// The prefix of all fields of a hash.
    pub fn hash_prefix(key: &[u8]) -> Vec<u8> {
        let mut out = vec![b'm'];
        bytes::put_comparable_bytes(&mut out, key);
        number::put_comparable_uint(&mut out, u64::from(b'h'));
        out
    }
}
