//! One form for values of both sides, to compare and to show.

use super::model::tp;
use super::{Column, Unreadable, Value, json, time};

/// A value's text, or the bytes of a string; none for NULL.
pub type Cell = Option<Vec<u8>>;

/// The greatest integer of JSON: in 4.0 those beyond the signed ones are doubles.
pub fn max_json_int(new: bool) -> u64 {
    if new { u64::MAX } else { i64::MAX as u64 }
}

/// A value of TiKV's.
pub fn of_tikv(column: &Column, value: &Value) -> Result<Cell, Unreadable> {
    let ft = &column.field_type;
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Int(n) => n.to_string().into_bytes(),
        Value::Uint(n) => n.to_string().into_bytes(),
        Value::Float(n) => float(*n),
        Value::Decimal(text) => text.clone().into_bytes(),
        Value::Bytes(bytes) => bytes.clone(),
        Value::Time(packed) if ft.tp == tp::DATE => time::date(*packed)?.into_bytes(),
        Value::Time(packed) => time::datetime(*packed, ft.fraction())?.into_bytes(),
        Value::Duration(nanos) => time::duration(*nanos, ft.fraction()).into_bytes(),
        Value::Json(binary) => json::from_binary(binary)?.to_string().into_bytes(),
    }))
}

/// A value of MariaDB's, as [`expression`] selects it.
pub fn of_mariadb(column: &Column, text: &[u8], max_json_int: u64) -> Result<Cell, Unreadable> {
    let ft = &column.field_type;
    let number = ft.is_integer()
        || matches!(
            ft.tp,
            tp::YEAR
                | tp::ENUM
                | tp::SET
                | tp::BIT
                | tp::FLOAT
                | tp::DOUBLE
                | tp::DECIMAL
                | tp::JSON
        );
    if !number {
        return Ok(Some(text.to_vec()));
    }
    let failed = |why: String| Unreadable::new("a value of MariaDB's", why);
    let text = std::str::from_utf8(text).map_err(|e| failed(e.to_string()))?;
    Ok(Some(match ft.tp {
        tp::JSON => json::from_text(text, max_json_int)?
            .to_string()
            .into_bytes(),
        tp::FLOAT | tp::DOUBLE => {
            let number = text.parse::<f64>();
            float(number.map_err(|e| failed(format!("{text:?}: {e}")))?)
        }
        tp::DECIMAL => text.as_bytes().to_vec(),
        _ => {
            let number = text.parse::<i128>();
            let number = number.map_err(|e| failed(format!("{text:?}: {e}")))?;
            number.to_string().into_bytes()
        }
    }))
}

/// How a column is selected from MariaDB so that nothing of it is lost.
pub fn expression(column: &Column, quoted: &str) -> String {
    match column.field_type.tp {
        // The text of a FLOAT has six digits.
        tp::FLOAT => format!("CAST({quoted} AS DOUBLE)"),
        tp::ENUM | tp::SET | tp::BIT => format!("CAST({quoted} AS UNSIGNED)"),
        // TiKV has UTF-8 whatever the character set is.
        _ if column.field_type.is_text() => format!("CONVERT({quoted} USING utf8mb4)"),
        _ => quoted.to_owned(),
    }
}

/// Zero has one sign.
fn float(number: f64) -> Vec<u8> {
    format!("{:?}", number + 0.0).into_bytes()
}

/// A cell in words.
pub fn show(cell: &Cell) -> String {
    const SHOWN: usize = 80;
    let Some(bytes) = cell else {
        return "NULL".to_owned();
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("x'{}'", hex::encode(bytes)),
    };
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], bytes.len()),
        None => text,
    }
}
