//! PARTITION BY KEY: TiDB takes the CRC-32 of the columns' texts, each under its collation.

use crate::tidb::catalog::model::{ColumnInfo, FieldType, TableInfo, Tp};
use crate::tidb::codec::{CodecError, Datum, collate};

/// The hash of a row's columns.
pub(super) fn of(
    table: &TableInfo,
    columns: &[usize],
    values: &[Datum],
) -> Result<u32, CodecError> {
    let mut hash = crc32fast::Hasher::new();
    for offset in columns {
        let (Some(column), Some(value)) = (table.columns.get(*offset), values.get(*offset)) else {
            continue;
        };
        if value.is_null() {
            hash.update(&[0]);
        } else {
            hash.update(&text(table, column, value)?);
        }
    }
    Ok(hash.finalize())
}

/// Whether columns of this type have a text here that is TiDB's.
pub(crate) fn is_served(ft: &FieldType) -> bool {
    ft.tp.is_integer()
        || matches!(
            ft.tp,
            Tp::Year | Tp::Date | Tp::Datetime | Tp::Duration | Tp::NewDecimal | Tp::Enum | Tp::Set
        )
        || ft.tp.is_string() && !ft.tp.is_blob()
}

fn text(table: &TableInfo, column: &ColumnInfo, value: &Datum) -> Result<Vec<u8>, CodecError> {
    let ft = &column.field_type;
    let fsp = usize::try_from(ft.decimal).unwrap_or(0);
    let text = match value {
        Datum::Bytes(bytes) if table.new_collations() => {
            return Ok(collate::sort_key(&ft.collate, bytes)?.into_owned());
        }
        Datum::Bytes(bytes) => return Ok(bytes.clone()),
        Datum::Uint(number) if ft.tp == Tp::Enum => member(ft, *number),
        Datum::Uint(bits) if ft.tp == Tp::Set => (0..64)
            .filter(|n| bits & (1 << n) != 0)
            .map(|n| member(ft, n + 1))
            .collect::<Vec<_>>()
            .join(","),
        Datum::Int(number) => number.to_string(),
        Datum::Uint(number) => number.to_string(),
        Datum::Time(time) if ft.tp == Tp::Date => time.date_text(),
        Datum::Time(time) => time.datetime_text(fsp),
        Datum::Duration(time) => time.text(fsp),
        Datum::Decimal(number) => number.round(fsp).to_string(),
        other => {
            return Err(CodecError::Column {
                column: column.name.o.clone(),
                why: format!("{} has no hash", other.kind()),
            });
        }
    };
    Ok(text.into_bytes())
}

fn member(ft: &FieldType, number: u64) -> String {
    let place = usize::try_from(number).unwrap_or(0).checked_sub(1);
    let members = ft.elems.as_deref().unwrap_or_default();
    place
        .and_then(|n| members.get(n))
        .cloned()
        .unwrap_or_default()
}
