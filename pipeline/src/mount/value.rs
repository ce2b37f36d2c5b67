//! A column's value, borrowed from the row's bytes.

use std::borrow::Cow;

/// A value still in TiDB's form; its text is made when it is written (see [`super::text`]).
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// A signed integer, YEAR.
    Int(i64),
    /// An unsigned integer, the number of a BIT, the index of an ENUM, the mask of a SET.
    Uint(u64),
    /// FLOAT (widened) and DOUBLE.
    Float(f64),
    /// DECIMAL with its header of precision and scale.
    Decimal(Cow<'a, [u8]>),
    /// DATE, DATETIME, TIMESTAMP (in UTC), packed.
    Time(u64),
    /// TIME, nanoseconds.
    Duration(i64),
    /// CHAR, VARCHAR, TEXT, BINARY, VARBINARY, BLOB.
    Bytes(Cow<'a, [u8]>),
    /// JSON: type code and value.
    Json(&'a [u8]),
    /// VECTOR: dimension and elements.
    Vector(&'a [u8]),
    /// A text that goes out as it is: defaults in their own spelling.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// Whether it is SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same value without owning anything.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Int(number) => Value::Int(*number),
            Value::Uint(number) => Value::Uint(*number),
            Value::Float(number) => Value::Float(*number),
            Value::Decimal(bytes) => Value::Decimal(Cow::Borrowed(bytes)),
            Value::Time(packed) => Value::Time(*packed),
            Value::Duration(nanos) => Value::Duration(*nanos),
            Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            Value::Json(bytes) => Value::Json(bytes),
            Value::Vector(bytes) => Value::Vector(bytes),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        }
    }
}
