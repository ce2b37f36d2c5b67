//! Row keys: `t{table id}_r{handle}` (spec/row-and-key-codecs.md §8).

use super::{
    datum::{self, Datum},
    error::{MountError, take_slice},
    memcomparable,
};

const TABLE_PREFIX: u8 = b't';
const RECORD_SEPARATOR: &[u8] = b"_r";

/// A row's handle as its key holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowHandle<'a> {
    /// `_tidb_rowid` or the integer primary key (an unsigned one with its bits reinterpreted).
    Int(i64),
    /// The datums of the clustered primary key.
    Common(&'a [u8]),
}

/// The physical table id of a key of a table's row or index; `None` for other keys.
pub fn physical_id(key: &[u8]) -> Option<i64> {
    let (&TABLE_PREFIX, rest) = key.split_first()? else {
        return None;
    };
    memcomparable::get_i64(rest).ok().map(|(id, _)| id)
}

/// Takes a row's key apart; `None` for a key that is no row's.
pub fn decode_row_key(key: &[u8]) -> Result<Option<(i64, RowHandle<'_>)>, MountError> {
    let Some((&TABLE_PREFIX, rest)) = key.split_first() else {
        return Ok(None);
    };
    let (table_id, rest) = memcomparable::get_i64(rest)?;
    let (separator, handle) = take_slice(rest, RECORD_SEPARATOR.len(), "row key")?;
    if separator != RECORD_SEPARATOR {
        return Ok(None);
    }
    let handle = match handle.len() {
        0..8 => {
            return Err(MountError::Short {
                what: "row handle",
                len: handle.len(),
                expected: 8,
            });
        }
        8 => RowHandle::Int(memcomparable::get_i64(handle)?.0),
        _ => RowHandle::Common(handle),
    };
    Ok(Some((table_id, handle)))
}

/// The first key of a table's rows, and the first behind them.
pub fn row_range(physical_id: i64) -> (Vec<u8>, Vec<u8>) {
    let mut start = vec![TABLE_PREFIX];
    memcomparable::put_i64(&mut start, physical_id);
    let mut end = start.clone();
    start.extend_from_slice(RECORD_SEPARATOR);
    end.extend_from_slice(b"_s");
    (start, end)
}

/// The datums of a common handle; `parts` of them are wanted (what follows is padding).
pub fn decode_common_handle(mut handle: &[u8], parts: usize) -> Result<Vec<Datum<'_>>, MountError> {
    let mut datums = Vec::with_capacity(parts);
    for _ in 0..parts {
        let (datum, rest) = datum::get(handle)?;
        datums.push(datum);
        handle = rest;
    }
    match handle.iter().all(|&byte| byte == 0) {
        true => Ok(datums),
        false => Err(MountError::invalid(
            "common handle",
            format!("{} bytes behind {parts} columns", handle.len()),
        )),
    }
}

/// Refuses a value that is not the type's (used where a datum meets a column).
pub(super) fn mismatch(datum: &Datum<'_>) -> MountError {
    MountError::invalid("datum", format!("{datum:?} is not of the column's type"))
}

/// The table id of a meta or table key for messages; the key itself in hexadecimal otherwise.
pub fn describe(key: &[u8]) -> String {
    match physical_id(key) {
        Some(id) => format!("of table {id}, {}", hex::encode(key)),
        None => hex::encode(key),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn other_keys_are_told_from_rows() {
        assert_eq!(decode_row_key(b"mDB:1"), Ok(None));
        assert_eq!(
            decode_row_key(&hex::decode("7480000000000000685f698000000000000001").unwrap()),
            Ok(None)
        );
        assert!(decode_row_key(b"t\x80").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = decode_row_key(&bytes);
            let _ = decode_common_handle(&bytes, 3);
        }
    }
}
