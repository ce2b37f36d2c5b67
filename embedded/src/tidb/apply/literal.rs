//! Values of rows in TiKV, in MariaDB's SQL.

use std::borrow::Cow;

use crate::tidb::catalog::model::ColumnInfo;
use crate::tidb::codec::{CodecError, Datum, json, json_text};
use crate::tidb::partition::bound;
use crate::tidb::wire::WireError;
use crate::tidb::wire::backend::Backend;

/// Rows in one statement, at most.
pub(super) const ROWS: usize = 256;
/// Bytes from which on a statement gets no further row, and which it has of a value at most: a longer value is put together in a
/// variable, since a row may be longer than a statement (`max_allowed_packet`).
pub(super) const BYTES: usize = 1 << 20;

/// Why a value cannot be given to MariaDB. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
pub(super) enum LiteralError {
    /// It is no value of its type.
    #[error(transparent)]
    Damaged(#[from] CodecError),
    /// MariaDB did not take it.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// A value in SQL. `bytes` counts on by those of its text.
pub(super) async fn literal(
    backend: &mut Backend,
    column: &ColumnInfo,
    value: &Datum,
    bytes: &mut usize,
) -> Result<String, LiteralError> {
    let ft = &column.field_type;
    let text: Cow<'_, [u8]> = match value {
        Datum::Float(number) => return Ok(format!("{number:e}")),
        Datum::Decimal(number) => return Ok(number.to_string()),
        Datum::Bytes(bytes) => Cow::Borrowed(bytes),
        Datum::Json(binary) => Cow::Owned(json_text::print(&json::decode(binary)?).into_bytes()),
        other => return Ok(bound::text(other, ft)),
    };
    *bytes += text.len();
    let held = match text.len() {
        ..=BYTES => hex_literal(&text),
        // No other row of the statement has such a value in this column: it would have been the last.
        _ => put_together(backend, column, &text).await?,
    };
    Ok(match ft.charset.as_str() {
        "binary" => held,
        // TiKV has UTF-8 whatever the column's character set is.
        _ => format!("CONVERT({held} USING utf8mb4)"),
    })
}

/// Puts a long value into a variable, which it names.
async fn put_together(
    backend: &mut Backend,
    column: &ColumnInfo,
    value: &[u8],
) -> Result<String, WireError> {
    let variable = format!("@_tidb_{}", column.offset);
    for (n, piece) in value.chunks(BYTES).enumerate() {
        let piece = hex_literal(piece);
        let set = match n {
            0 => format!("SET {variable} = {piece}"),
            _ => format!("SET {variable} = CONCAT({variable}, {piece})"),
        };
        backend.execute(&set).await?;
    }
    Ok(variable)
}

fn hex_literal(bytes: &[u8]) -> String {
    format!("x'{}'", hex::encode(bytes))
}
