//! JSON in result sets: MariaDB keeps it as text and shows it as it was typed, TiDB shows the text of its binary form.

use std::borrow::Cow;

use crate::tidb::catalog::TidbVersion;
use crate::tidb::codec::json_text;
use crate::tidb::wire::column::Extent;
use crate::tidb::wire::{ColumnDefinition, Reader, WireError, put_lenenc_bytes};

/// First byte of a row of the binary protocol.
const BINARY_ROW: usize = 1;
/// Bits of a binary row's NULL bitmap that stand for no column.
const BITMAP_OFFSET: usize = 2;
/// A NULL in a row of the text protocol.
const TEXT_NULL: u8 = 0xfb;

/// What there is to know of a result set's columns to show its rows.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    version: TidbVersion,
    /// Whether the rows are of the binary protocol.
    binary: bool,
    /// Where a binary value ends, and whether it is JSON.
    columns: Vec<(Extent, bool)>,
}

impl Shape {
    /// That of a result set without columns so far.
    pub(super) fn new(version: TidbVersion, binary: bool) -> Self {
        Self {
            version,
            binary,
            columns: vec![],
        }
    }

    /// One more column, as MariaDB defines it.
    pub(super) fn add(&mut self, column: &ColumnDefinition<'_>) {
        self.columns.push((Extent::of(column.kind), column.is_json));
    }

    /// A row of MariaDB's as TiDB shows it.
    pub(super) fn shown<'a>(&self, row: &'a [u8]) -> Result<Cow<'a, [u8]>, WireError> {
        if !self.columns.iter().any(|(_, is_json)| *is_json) {
            return Ok(Cow::Borrowed(row));
        }
        let shown = if self.binary {
            self.binary_row(row)?
        } else {
            self.text_row(row)?
        };
        Ok(Cow::Owned(shown))
    }

    fn text_row(&self, row: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut r = Reader::new(row, "a row");
        let mut out = Vec::with_capacity(row.len());
        for (_, is_json) in &self.columns {
            match r.nullable_bytes()? {
                None => out.push(TEXT_NULL),
                Some(text) if *is_json => put_lenenc_bytes(&mut out, &self.normal(text)),
                Some(text) => put_lenenc_bytes(&mut out, text),
            }
        }
        out.extend_from_slice(r.rest());
        Ok(out)
    }

    fn binary_row(&self, row: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut r = Reader::new(row, "a binary row");
        let head = r.take(BINARY_ROW + (self.columns.len() + BITMAP_OFFSET).div_ceil(8))?;
        let nulls = &head[BINARY_ROW..];
        let mut out = Vec::with_capacity(row.len());
        out.extend_from_slice(head);
        for (i, (extent, is_json)) in self.columns.iter().enumerate() {
            let bit = i + BITMAP_OFFSET;
            if nulls[bit / 8] & (1 << (bit % 8)) != 0 {
                continue;
            }
            if *is_json {
                put_lenenc_bytes(&mut out, &self.normal(r.lenenc_bytes()?));
                continue;
            }
            let before = r.rest();
            extent.skip(&mut r)?;
            out.extend_from_slice(&before[..before.len() - r.rest().len()]);
        }
        out.extend_from_slice(r.rest());
        Ok(out)
    }

    /// The text that TiDB shows; what is no JSON stays.
    fn normal<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| json_text::normal(text, self.version).ok())
            .map_or(Cow::Borrowed(text), |shown| Cow::Owned(shown.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(binary: bool, columns: &[(u8, bool)]) -> Shape {
        let mut shape = Shape::new(TidbVersion::V8_5, binary);
        shape.columns = columns
            .iter()
            .map(|(kind, is_json)| (Extent::of(*kind), *is_json))
            .collect();
        shape
    }

    #[test]
    fn text_rows_show_json_as_tidb_does() {
        let shape = shape(
            false,
            &[
                (3, false),
                (252, true),
                (252, true),
                (252, false),
                (252, true),
            ],
        );
        let row = b"\x011\x0d{\"b\":1,\"a\":2}\xfb\x03[1,\x02{b";
        let shown = b"\x011\x10{\"a\": 2, \"b\": 1}\xfb\x03[1,\x02{b";
        assert_eq!(&shape.shown(row).unwrap()[..], shown);
        assert!(shape.shown(&row[..5]).is_err());
    }

    #[test]
    fn binary_rows_show_json_as_tidb_does() {
        // TINY, JSON, DATETIME, JSON that is NULL, DOUBLE, VARCHAR, SHORT, JSON.
        let kinds = [1, 252, 12, 252, 5, 253, 2, 252];
        let columns: Vec<(u8, bool)> = kinds.map(|kind| (kind, kind == 252)).to_vec();
        let shape = shape(true, &columns);
        let with = |first: &[u8], last: &[u8]| {
            let mut row = vec![0, 0b10_0000, 0, 7];
            put_lenenc_bytes(&mut row, first);
            row.extend_from_slice(&[4, 0xe8, 0x07, 1, 2]);
            row.extend_from_slice(&1.5_f64.to_le_bytes());
            put_lenenc_bytes(&mut row, b"[1,2]");
            row.extend_from_slice(&[1, 0]);
            put_lenenc_bytes(&mut row, last);
            row
        };
        let row = with(b"[1,2]", b"1.0");
        assert_eq!(&shape.shown(&row).unwrap()[..], with(b"[1, 2]", b"1"));
        assert!(shape.shown(&row[..9]).is_err());
    }

    #[test]
    fn rows_without_json_pass() {
        let shape = shape(true, &[(252, false)]);
        assert!(matches!(
            shape.shown(b"anything").unwrap(),
            Cow::Borrowed(_)
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_rows_never_panic(
            row: Vec<u8>, binary: bool, columns in proptest::collection::vec((0_u8..255, any::<bool>()), 0..12)
        ) {
            let _ = shape(binary, &columns).shown(&row);
        }
    }
}
