//! Column definitions, and values of rows as far as their definitions tell where they end.

use super::{Reader, WireError, put_lenenc_bytes};

/// `MYSQL_TYPE_JSON`.
pub const TYPE_JSON: u8 = 245;
/// The collation `binary`, by protocol number.
const COLLATION_BINARY: u16 = 63;
/// The column is of a BLOB type.
const FLAG_BLOB: u16 = 1 << 4;
/// The column is binary.
const FLAG_ZEROFILL: u16 = 1 << 6;
const FLAG_BINARY: u16 = 1 << 7;
/// Kind of extended metadata: the format of a column's values.
const METADATA_FORMAT: u8 = 1;
const FORMAT_JSON: &[u8] = b"json";
/// Length of the fields of fixed size.
const FIXED_LEN: u64 = 12;

/// A column of a result set, a table or a prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition<'a> {
    /// Catalog, database, table, original table.
    origin: [&'a [u8]; 4],
    /// Its name.
    pub name: &'a [u8],
    /// The name of the table's column that it shows.
    original_name: &'a [u8],
    /// Whether MariaDB, which keeps JSON as text, says that it holds JSON.
    pub is_json: bool,
    collation: u16,
    length: u32,
    /// Its type, by protocol number.
    pub kind: u8,
    flags: u16,
    decimals: u8,
    /// A filler, and with the columns of a table a default value.
    rest: &'a [u8],
}

impl<'a> ColumnDefinition<'a> {
    /// Reads the definition; `extended` says whether it comes with MariaDB's extended metadata.
    pub fn parse(payload: &'a [u8], extended: bool) -> Result<Self, WireError> {
        let mut r = Reader::new(payload, "a column definition");
        let mut origin = [&[][..]; 4];
        for part in &mut origin {
            *part = r.lenenc_bytes()?;
        }
        let name = r.lenenc_bytes()?;
        let original_name = r.lenenc_bytes()?;
        let mut is_json = false;
        if extended {
            let mut metadata = Reader::new(r.lenenc_bytes()?, "a column's extended metadata");
            while !metadata.is_empty() {
                let kind = metadata.u8()?;
                let value = metadata.lenenc_bytes()?;
                is_json |= kind == METADATA_FORMAT && value == FORMAT_JSON;
            }
        }
        let fixed = r.lenenc()?;
        if fixed != FIXED_LEN {
            return Err(r.bad(format!("fields of {fixed} bytes, expected {FIXED_LEN}")));
        }
        Ok(Self {
            origin,
            name,
            original_name,
            is_json,
            collation: r.u16()?,
            length: r.u32()?,
            kind: r.u8()?,
            flags: r.u16()?,
            decimals: r.u8()?,
            rest: r.rest(),
        })
    }

    /// The same column under another name.
    pub fn named<'b>(self, name: &'b [u8]) -> ColumnDefinition<'b>
    where
        'a: 'b,
    {
        ColumnDefinition { name, ..self }
    }

    /// The database, the table and the column that it shows, if it is one of a table's.
    pub fn source(&self) -> Option<[&'a str; 3]> {
        let [_, database, _, table] = self.origin;
        let names = [database, table, self.original_name].map(std::str::from_utf8);
        let [Ok(database), Ok(table), Ok(column)] = names else {
            return None;
        };
        (!table.is_empty()).then_some([database, table, column])
    }

    /// The same column with ZEROFILL.
    pub fn zerofill(mut self) -> Self {
        self.flags |= FLAG_ZEROFILL;
        self
    }

    /// The definition for a client: without extended metadata, with JSON as the type of JSON.
    pub fn encode(&self) -> Vec<u8> {
        let (mut collation, mut kind, mut flags) = (self.collation, self.kind, self.flags);
        if self.is_json {
            (collation, kind) = (COLLATION_BINARY, TYPE_JSON);
            flags = flags & !FLAG_BLOB | FLAG_BINARY;
        }
        let mut out = Vec::new();
        for part in self.origin.iter().chain([&self.name, &self.original_name]) {
            put_lenenc_bytes(&mut out, part);
        }
        out.push(FIXED_LEN as u8);
        out.extend_from_slice(&collation.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.push(kind);
        out.extend_from_slice(&flags.to_le_bytes());
        out.push(self.decimals);
        out.extend_from_slice(self.rest);
        out
    }
}

/// How a value in a row of the binary protocol ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It has so many bytes.
    Fixed(usize),
    /// Its first byte tells how many follow: dates and times.
    Short,
    /// It is a string with its length.
    Prefixed,
}

impl Extent {
    /// That of a type, by protocol number.
    pub fn of(kind: u8) -> Self {
        match kind {
            // TINY, then SHORT and YEAR, then LONG, FLOAT and INT24, then DOUBLE and LONGLONG.
            1 => Self::Fixed(1),
            2 | 13 => Self::Fixed(2),
            3 | 4 | 9 => Self::Fixed(4),
            5 | 8 => Self::Fixed(8),
            // NULL.
            6 => Self::Fixed(0),
            // TIMESTAMP, DATE, TIME, DATETIME.
            7 | 10..=12 => Self::Short,
            _ => Self::Prefixed,
        }
    }

    /// Takes one value off a row, with all that belongs to it.
    pub fn skip(self, r: &mut Reader<'_>) -> Result<(), WireError> {
        let len = match self {
            Self::Fixed(len) => len,
            Self::Short => r.u8()?.into(),
            Self::Prefixed => return r.lenenc_bytes().map(|_| ()),
        };
        r.take(len).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A definition of MariaDB's with this extended metadata, none for a connection without.
    fn definition(metadata: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        for text in ["def", "test", "t", "t0", "j", "j0"] {
            put_lenenc_bytes(&mut out, text.as_bytes());
        }
        if let Some(metadata) = metadata {
            put_lenenc_bytes(&mut out, metadata);
        }
        // Length, utf8mb4_general_ci, 4 GiB, BLOB, NOT NULL and BLOB, decimals, filler.
        out.extend_from_slice(&[12, 45, 0, 0xff, 0xff, 0xff, 0xff, 252, 0x11, 0, 0, 0, 0]);
        out
    }

    #[test]
    fn json_columns_become_those_of_tidb() {
        let from_mariadb = definition(Some(b"\x00\x05point\x01\x04json"));
        let read = ColumnDefinition::parse(&from_mariadb, true).unwrap();
        assert!(read.is_json);
        assert_eq!((read.name, read.kind), (&b"j"[..], 252));
        let told = read.encode();
        let at = told.len() - 13;
        assert_eq!(
            &told[at..],
            &[12, 63, 0, 0xff, 0xff, 0xff, 0xff, 245, 0x81, 0, 0, 0, 0]
        );
        assert_eq!(&told[..at], &definition(None)[..at]);
    }

    #[test]
    fn other_columns_lose_their_metadata_only() {
        for metadata in [&b""[..], b"\x00\x04json", b"\x01\x03xml"] {
            let from_mariadb = definition(Some(metadata));
            let read = ColumnDefinition::parse(&from_mariadb, true).unwrap();
            assert!(!read.is_json);
            assert_eq!(read.encode(), definition(None));
        }
        let plain = definition(None);
        assert_eq!(
            ColumnDefinition::parse(&plain, false).unwrap().encode(),
            plain
        );
    }

    #[test]
    fn defaults_of_table_columns_stay() {
        let mut listed = definition(None);
        put_lenenc_bytes(&mut listed, b"{}");
        assert_eq!(
            ColumnDefinition::parse(&listed, false).unwrap().encode(),
            listed
        );
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(bytes: Vec<u8>, extended: bool, kind: u8) {
            if let Ok(column) = ColumnDefinition::parse(&bytes, extended) {
                let _ = column.encode();
            }
            let _ = Extent::of(kind).skip(&mut Reader::new(&bytes, "a test"));
        }
    }
}
