//! The text of a value, as canal-json carries it and as dispatchers hash it (spec/canal-json.md §3).

use std::io::Write;

use jiff::tz::TimeZone;

use crate::{
    compat::Release,
    schema::{Column, field},
};

use super::{
    decimal,
    error::{MountError, take},
    json, time,
    value::Value,
};

/// What the text of a value depends on beside the column.
#[derive(Debug, Clone)]
pub struct TextRules {
    /// Where TIMESTAMP columns are shown: the server's `--tz`.
    pub time_zone: TimeZone,
    /// Which TiCDC's spelling.
    pub release: Release,
}

impl TextRules {
    /// Appends the text of `value`; nothing for NULL. Strings are appended as their bytes.
    pub fn write(
        &self,
        value: &Value<'_>,
        column: &Column,
        out: &mut Vec<u8>,
    ) -> Result<(), MountError> {
        match value {
            Value::Null => {}
            Value::Int(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes())
            }
            Value::Uint(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes())
            }
            Value::Float(number) => self.write_float(*number, column, out),
            Value::Decimal(bytes) => decimal::write_text(bytes, out)?,
            Value::Time(packed) => self.write_time(*packed, column, out)?,
            Value::Duration(nanos) => time::write_duration(*nanos, column.fsp(), out),
            Value::Bytes(bytes) => out.extend_from_slice(bytes),
            Value::Json(bytes) => json::write_text(bytes, out)?,
            Value::Vector(bytes) => write_vector(bytes, out)?,
            Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        }
        Ok(())
    }

    /// Whether two values of a column have the same text.
    pub fn same(&self, a: &Value<'_>, b: &Value<'_>, column: &Column) -> Result<bool, MountError> {
        if a == b || a.is_null() || b.is_null() {
            return Ok(a == b);
        }
        if let (Value::Bytes(_), Value::Bytes(_))
        | (Value::Int(_), Value::Int(_))
        | (Value::Uint(_), Value::Uint(_)) = (a, b)
        {
            return Ok(false);
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.write(a, column, &mut left)?;
        self.write(b, column, &mut right)?;
        Ok(left == right)
    }

    /// Never an exponent; NaN and infinities are 0. FLOAT has the digits of 32 bits, in old releases of 64 (§0).
    fn write_float(&self, number: f64, column: &Column, out: &mut Vec<u8>) {
        let written = if !number.is_finite() {
            write!(out, "0")
        } else if column.tp() == field::FLOAT && !self.release.widens_floats() {
            write!(out, "{}", number as f32)
        } else {
            write!(out, "{number}")
        };
        written.expect("a Vec takes any text");
    }

    fn write_time(
        &self,
        packed: u64,
        column: &Column,
        out: &mut Vec<u8>,
    ) -> Result<(), MountError> {
        let parts = time::Parts::unpack(packed)?;
        match column.tp() {
            field::DATE | field::NEWDATE => parts.write_date(out),
            field::TIMESTAMP => parts
                .in_zone(&self.time_zone)?
                .write_datetime(column.fsp(), out),
            _ => parts.write_datetime(column.fsp(), out),
        }
        Ok(())
    }
}

fn write_vector(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), MountError> {
    let (dimension, elements) = take::<4>(bytes, "vector")?;
    let dimension = u32::from_le_bytes(dimension) as usize;
    if elements.len() != dimension.saturating_mul(4) {
        return Err(MountError::invalid(
            "vector",
            format!("{} bytes for {dimension} elements", elements.len()),
        ));
    }
    out.push(b'[');
    for (at, element) in elements.chunks_exact(4).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let (element, _) = take::<4>(element, "vector")?;
        write!(out, "{}", f32::from_le_bytes(element)).expect("a Vec takes any text");
    }
    out.push(b']');
    Ok(())
}
