//! Entries of indexes (`docs/spec/row-and-key-codecs.md §10`).

use std::collections::BTreeMap;

use super::{Handle, Index, Input, Table, Unreadable, Value, datum, row};

const WHAT: &str = "an index entry";
const VERSION: u8 = 125;
const PARTITION: u8 = 126;
const COMMON_HANDLE: u8 = 127;
const ROW: u8 = 128;

/// What an entry says.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The columns; strings as their sort keys.
    pub values: Vec<Value>,
    /// The row it is of.
    pub handle: Handle,
    /// Whether the handle is in the key: then other rows may have the same values.
    pub handle_in_key: bool,
    /// The partition of the row, in an index over all of them.
    pub partition: Option<i64>,
    /// Layout of the restored columns.
    pub version: u8,
    /// What the key lost, by column id.
    pub restored: BTreeMap<i64, Option<Vec<u8>>>,
}

/// What the value of an entry says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntryValue {
    /// The handle of a unique entry.
    pub handle: Option<Handle>,
    /// See [`Entry::partition`].
    pub partition: Option<i64>,
    /// See [`Entry::version`].
    pub version: u8,
    /// See [`Entry::restored`].
    pub restored: BTreeMap<i64, Option<Vec<u8>>>,
}

impl Entry {
    /// Reads an entry: what follows the index's id in the key, and the value.
    pub fn read(
        table: &Table,
        index: &Index,
        key: &[u8],
        value: &[u8],
    ) -> Result<Self, Unreadable> {
        let mut input = Input::new(WHAT, key);
        let values = index
            .parts
            .iter()
            .map(|_| datum::read(&mut input))
            .collect::<Result<Vec<_>, _>>()?;
        let in_key = match (input.is_empty(), table.clustered()) {
            (true, _) => None,
            (false, Some(_)) => Some(Handle::read(input.rest())?),
            (false, None) => {
                let handle = datum::read(&mut input)?;
                match handle {
                    Value::Int(handle) if input.is_empty() => Some(Handle::Int(handle)),
                    other => return Err(input.error(format!("{other:?} behind the columns"))),
                }
            }
        };
        let value = EntryValue::read(value)?;
        let (handle, handle_in_key) = match (in_key, value.handle) {
            (Some(handle), None) => (handle, true),
            (None, Some(handle)) => (handle, false),
            (Some(_), Some(_)) => return Err(input.error("a handle in key and value")),
            (None, None) => return Err(input.error("no handle")),
        };
        Ok(Self {
            values,
            handle,
            handle_in_key,
            partition: value.partition,
            version: value.version,
            restored: value.restored,
        })
    }
}

impl EntryValue {
    /// Reads a value in any layout.
    pub fn read(value: &[u8]) -> Result<Self, Unreadable> {
        let int = |bytes: [u8; 8]| Some(Handle::Int(i64::from_be_bytes(bytes)));
        let mut out = Self::default();
        // Up to nine bytes there is no tail's length.
        if let Ok(handle) = value.try_into() {
            out.handle = int(handle);
            return Ok(out);
        }
        let mut input = Input::new(WHAT, value);
        let tail = usize::from(input.byte()?);
        if value == b"0" {
            return Ok(out);
        }
        let len = input.rest().len().checked_sub(tail);
        let len = len.ok_or_else(|| input.error(format!("a tail of {tail} bytes")))?;
        let mut options = Input::new(WHAT, input.take(len)?);
        if let Ok(handle) = input.rest().try_into() {
            out.handle = int(handle);
        }
        while let Some(option) = options.rest().first().copied() {
            if option == ROW {
                let cells = row::cells(options.rest())?.into_iter();
                out.restored = cells.map(|(id, c)| (id, c.map(<[u8]>::to_vec))).collect();
                break;
            }
            options.take(1)?;
            match option {
                VERSION => out.version = options.byte()?,
                COMMON_HANDLE => {
                    let len = usize::from(u16::from_be_bytes(options.array()?));
                    out.handle = Some(Handle::read(options.take(len)?)?);
                }
                PARTITION => out.partition = Some(options.int()?),
                other => return Err(options.error(format!("option {other}"))),
            }
        }
        Ok(out)
    }
}
