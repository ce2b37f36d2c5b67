//! Keys (`docs/spec/row-and-key-codecs.md §8`, `docs/spec/tidb-schema.md §5`).

use std::fmt;

use super::{Input, Unreadable};

/// What a key is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A row.
    Record {
        /// The table's id, or a partition's.
        table: i64,
        /// Which row.
        handle: Handle,
    },
    /// An entry of an index.
    Index {
        /// The table's id, or a partition's.
        table: i64,
        /// The index's id.
        index: i64,
        /// The columns, and maybe the handle.
        rest: Vec<u8>,
    },
    /// A part of the schema.
    Meta(Meta),
}

/// What tells a row from the others of its table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// An integer: the primary key, or `_tidb_rowid`.
    Int(i64),
    /// The columns of a clustered primary key.
    Common(Vec<u8>),
}

/// A key of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meta {
    /// A single value.
    Text(Vec<u8>),
    /// A field of a hash.
    Hash(Vec<u8>, Vec<u8>),
    /// A list, or the bounds of one.
    List(Vec<u8>),
}

impl Key {
    /// Reads a raw key; none if it is neither a table's nor the schema's.
    pub fn read(raw: &[u8]) -> Result<Option<Self>, Unreadable> {
        let mut input = Input::new("a key", raw);
        match raw.first() {
            Some(b't') => {
                input.take(1)?;
                let table = input.int()?;
                match &input.array()? {
                    b"_r" => {
                        let handle = Handle::read(input.rest())?;
                        Ok(Some(Self::Record { table, handle }))
                    }
                    b"_i" => Ok(Some(Self::Index {
                        table,
                        index: input.int()?,
                        rest: input.rest().to_vec(),
                    })),
                    other => Err(input.error(format!("{other:?} after a table's id"))),
                }
            }
            Some(b'm') => {
                input.take(1)?;
                Ok(Some(Self::Meta(Meta::read(input)?)))
            }
            _ => Ok(None),
        }
    }
}

impl Handle {
    /// Reads what follows `_r`: an integer's eight bytes, or at least nine.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut input = Input::new("a handle", bytes);
        match bytes.len() {
            0..8 => Err(input.error(format!("{} bytes", bytes.len()))),
            8 => Ok(Self::Int(input.int()?)),
            _ => Ok(Self::Common(bytes.to_vec())),
        }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(handle) => write!(f, "{handle}"),
            Self::Common(bytes) => f.write_str(&hex::encode(bytes)),
        }
    }
}

impl Meta {
    fn read(mut input: Input<'_>) -> Result<Self, Unreadable> {
        let name = input.bytes()?;
        let out = match input.uint()? as u8 {
            b's' => Self::Text(name),
            b'h' => Self::Hash(name, input.bytes()?),
            b'H' | b'L' => Self::List(name),
            b'l' => {
                input.int()?;
                Self::List(name)
            }
            other => return Err(input.error(format!("kind {other:#04x} in the schema"))),
        };
        match input.is_empty() {
            true => Ok(out),
            false => Err(input.error("bytes behind a key of the schema")),
        }
    }
}
