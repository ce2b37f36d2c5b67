//! JSON. MariaDB keeps it as it was typed; that this is what TiDB shows is seen to elsewhere
//! ([`is_of_typed_json`](super::is_of_typed_json)).

use serde_json::Value;

use super::{CastError, number, text};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::model::FieldType;
use crate::tidb::codec::{Datum, json, json_text};

/// The value of a JSON text. Columns that are changed so are of 8.5.
pub(super) fn of_text(text: &str) -> Result<Datum, CastError> {
    json::from_text(text, TidbVersion::V8_5)
        .map(Datum::Json)
        .map_err(|why| CastError::unserved(format!("{text:?} as JSON ({why})")))
}

/// A value as a text, or a whole number as an integer.
pub(super) fn from_json(
    binary: &[u8],
    column: &str,
    to_integer: bool,
    to: &FieldType,
) -> Result<Datum, CastError> {
    let value = json::decode(binary)
        .map_err(|why| CastError::unserved(format!("what no JSON text is ({why})")))?;
    let shown = json_text::print(&value);
    if !to_integer {
        return text::to_text(shown.as_bytes(), column, None, to);
    }
    let whole = match &value {
        Value::Number(number) if !number.is_f64() => shown.parse().ok(),
        _ => None,
    };
    whole
        .and_then(|number| number::to_int(number, to).ok())
        .ok_or_else(|| CastError::unserved(format!("the JSON {shown} as an integer")))
}
