//! Checksums that rows carry (spec/row-and-key-codecs.md §11): TiDB writes them if `tidb_enable_row_level_checksum` is on.

use crc32fast::Hasher;
use jiff::tz::TimeZone;

use super::{
    Mounter, SplitRule, TextRules,
    error::{MountError, take},
    row::RowValue,
    value::Value,
};
use crate::{compat::Release, model::RawKv, schema::TableInfo};

/// Length of the table's part of a record key: what follows is the handle.
const BEFORE_HANDLE: usize = 11;
/// Bits of the header: the version, and whether a second checksum follows.
const VERSION: u8 = 0b111;
const EXTRA: u8 = 1 << 3;

/// A row that does not have the checksum that it carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {} row {key} of `{schema}`.`{table}` has the checksum {computed}, and carries {carried} (version {version})",
    if *.old { "old" } else { "new" }
)]
pub struct Mismatch {
    /// The database.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The raw key, in hexadecimal.
    pub key: String,
    /// It is the row before the change.
    pub old: bool,
    /// How the checksum is made.
    pub version: u8,
    /// What it carries.
    pub carried: u32,
    /// What it has.
    pub computed: u32,
}

/// What a row carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Carried {
    version: u8,
    first: u32,
    /// Of the row under the schema beside a DDL job that runs.
    extra: Option<u32>,
    /// Bytes of the row up to the header, that one included.
    covered: usize,
}

impl Carried {
    fn of(value: &[u8]) -> Result<Option<Self>, MountError> {
        if value.is_empty() {
            return Ok(None);
        }
        let RowValue::V2(row) = RowValue::parse(value)? else {
            return Ok(None);
        };
        let Some(trailer) = row.checksums()? else {
            return Ok(None);
        };
        let ([header], rest) = take::<1>(trailer, "row checksum header")?;
        let (first, rest) = take::<4>(rest, "row checksum")?;
        let extra = match header & EXTRA {
            0 => None,
            _ => Some(take::<4>(rest, "second row checksum")?.0),
        };
        Ok(Some(Self {
            version: header & VERSION,
            first: u32::from_le_bytes(first),
            extra: extra.map(u32::from_le_bytes),
            covered: value.len() - trailer.len() + 1,
        }))
    }
}

/// Holds both rows of a change against the checksums that they carry; the first that is wrong.
///
/// Of the old row, version 0 is not told: it counts the columns of the schema that the row was written under.
///
/// # Errors
/// [`MountError`] for bytes that are no row, and for a checksum of a version that is not known.
pub fn verify(
    kv: &RawKv,
    table: &TableInfo,
    release: Release,
) -> Result<Option<Mismatch>, MountError> {
    for (old, value) in [(true, &kv.old_value), (false, &kv.value)] {
        let Some(carried) = Carried::of(value)? else {
            continue;
        };
        let computed = match carried.version {
            0 if old => continue,
            0 => of_columns(kv, table, release)?,
            1 => of_bytes(value, carried, &kv.key),
            2 => of_bytes(
                value,
                carried,
                kv.key.get(BEFORE_HANDLE..).unwrap_or_default(),
            ),
            version => {
                return Err(MountError::invalid(
                    "row checksum header",
                    format!("version {version}"),
                ));
            }
        };
        if computed != carried.first && Some(computed) != carried.extra {
            return Ok(Some(Mismatch {
                schema: table.schema.clone(),
                table: table.name.clone(),
                key: hex::encode(&kv.key),
                old,
                version: carried.version,
                carried: carried.first,
                computed,
            }));
        }
    }
    Ok(None)
}

/// Versions 1 and 2: the row's bytes, and its key or handle.
fn of_bytes(value: &[u8], carried: Carried, behind: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(value.get(..carried.covered).unwrap_or_default());
    hasher.update(behind);
    hasher.finalize()
}

/// Version 0: the values of all columns that are not NULL, in the order of their ids.
fn of_columns(kv: &RawKv, table: &TableInfo, release: Release) -> Result<u32, MountError> {
    // TIMESTAMP counts in UTC.
    let mounter = Mounter {
        text: TextRules {
            time_zone: TimeZone::UTC,
            release,
        },
        split: SplitRule::Keep,
    };
    let event = mounter.mount(kv, table)?;
    let values = event.and_then(|event| event.new).unwrap_or_default();
    let mut columns: Vec<_> = table.columns.iter().zip(&values).collect();
    columns.sort_by_key(|(column, _)| column.id);
    let mut hasher = Hasher::new();
    let mut text = Vec::new();
    for (column, value) in columns {
        match value {
            Value::Null => {}
            Value::Int(number) => hasher.update(&number.to_le_bytes()),
            Value::Uint(number) => hasher.update(&number.to_le_bytes()),
            Value::Float(number) => {
                let number = if number.is_finite() { *number } else { 0.0 };
                hasher.update(&number.to_bits().to_le_bytes());
            }
            Value::Vector(_) => {
                return Err(MountError::invalid(
                    "row checksum",
                    "of version 0 with a VECTOR, which no TiDB writes",
                ));
            }
            value => {
                text.clear();
                mounter.text.write(value, column, &mut text)?;
                // No value is that large.
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                hasher.update(&length.to_le_bytes());
                hasher.update(&text);
            }
        }
    }
    Ok(hasher.finalize())
}
