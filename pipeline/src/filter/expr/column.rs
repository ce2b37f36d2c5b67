//! Columns of a row as values of an expression.

use std::{borrow::Cow, sync::Arc};

use jiff::tz::TimeZone;

use super::{
    error::EvalError,
    moment,
    number::Decimal,
    value::{Collation, Datum, Strength, Type},
};
use crate::{
    mount::{Value, decimal, time::Parts},
    schema::{Column, field},
};

/// The columns that an expression names.
#[derive(Debug)]
pub(super) struct Columns {
    time_zone: TimeZone,
    used: Vec<Used>,
}

/// A column that is used.
#[derive(Debug)]
struct Used {
    /// Its place in the table.
    at: usize,
    tp: u8,
    /// Members of ENUM and SET.
    members: Vec<Arc<[u8]>>,
}

/// A row, and how its values are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    columns: &'a Columns,
    values: &'a [Value<'a>],
}

/// The type of a column's values.
pub(super) fn type_of(column: &Column) -> Type {
    let collation = || {
        let name = match column.field.charset.as_str() {
            "binary" => "binary",
            _ => column.field.collate.as_str(),
        };
        Collation::new(name, Strength::Column)
    };
    match column.tp() {
        field::YEAR => Type::Year,
        field::BIT => Type::Bit,
        field::FLOAT | field::DOUBLE => Type::Real,
        field::NEWDECIMAL => Type::Decimal,
        field::DATE | field::NEWDATE => Type::Date,
        field::DATETIME | field::TIMESTAMP => Type::DateTime { fsp: column.fsp() },
        field::DURATION => Type::Time { fsp: column.fsp() },
        field::ENUM | field::SET => Type::Named(collation()),
        field::JSON => Type::Opaque("a JSON"),
        field::VECTOR => Type::Opaque("a VECTOR"),
        tp if field::is_string(tp) => Type::Text(collation()),
        _ => Type::Int {
            unsigned: column.is_unsigned(),
        },
    }
}

impl Columns {
    pub(super) fn new(time_zone: TimeZone) -> Self {
        Self {
            time_zone,
            used: Vec::new(),
        }
    }

    /// Uses a column; under which number.
    pub(super) fn take(&mut self, at: usize, column: &Column) -> usize {
        let known = self.used.iter().position(|used| used.at == at);
        known.unwrap_or_else(|| {
            let members = column.field.elems.iter();
            self.used.push(Used {
                at,
                tp: column.tp(),
                members: members.map(|member| member.as_bytes().into()).collect(),
            });
            self.used.len() - 1
        })
    }

    pub(super) fn of<'a>(&'a self, values: &'a [Value<'a>]) -> Row<'a> {
        Row {
            columns: self,
            values,
        }
    }
}

impl<'a> Row<'a> {
    /// The value of a column.
    pub(super) fn value(&self, number: usize) -> Result<Datum<'a>, EvalError> {
        let Some(used) = self.columns.used.get(number) else {
            return Ok(Datum::Null);
        };
        Ok(match self.values.get(used.at).unwrap_or(&Value::Null) {
            Value::Null => Datum::Null,
            Value::Int(number) => Datum::Int((*number).into()),
            Value::Uint(number) => used.named(*number),
            Value::Float(number) => Datum::Real(*number),
            Value::Decimal(bytes) => {
                let mut text = Vec::new();
                decimal::write_text(bytes, &mut text)?;
                let text = std::str::from_utf8(&text).unwrap_or_default();
                Decimal::parse(text).map_or(Datum::Null, Datum::Decimal)
            }
            Value::Time(packed) => Datum::Time(self.local(used.tp, *packed)?),
            Value::Duration(nanos) => Datum::Duration(*nanos),
            Value::Bytes(bytes) => Datum::Text(Cow::Borrowed(bytes)),
            Value::Json(_) | Value::Vector(_) => Datum::Opaque,
            Value::Text(text) => used.spelled(text)?,
        })
    }

    /// TIMESTAMP is kept in UTC.
    fn local(&self, tp: u8, packed: u64) -> Result<u64, EvalError> {
        match tp {
            field::TIMESTAMP => {
                let parts = Parts::unpack(packed)?.in_zone(&self.columns.time_zone)?;
                Ok(parts.pack())
            }
            _ => Ok(packed),
        }
    }
}

impl Used {
    /// A number of ENUM, SET or BIT, or just a number.
    fn named(&self, number: u64) -> Datum<'_> {
        let member = |at: u64| {
            let at = usize::try_from(at).ok()?;
            self.members.get(at).map(|member| &**member)
        };
        match self.tp {
            field::ENUM => {
                let name = number.checked_sub(1).and_then(member).unwrap_or_default();
                Datum::Named(number, Cow::Borrowed(name))
            }
            field::SET => {
                let set = (0..64).filter(|bit| number >> bit & 1 == 1);
                let names: Vec<&[u8]> = set.filter_map(member).collect();
                Datum::Named(number, Cow::Owned(names.join(&b","[..])))
            }
            _ => Datum::Int(number.into()),
        }
    }

    /// A value in its own spelling, as defaults are kept.
    fn spelled<'a>(&'a self, text: &'a str) -> Result<Datum<'a>, EvalError> {
        let value = match self.tp {
            field::NEWDECIMAL => Decimal::parse(text).map(Datum::Decimal),
            field::FLOAT | field::DOUBLE => text.parse().ok().map(Datum::Real),
            field::DATE | field::NEWDATE | field::DATETIME | field::TIMESTAMP => {
                // Already in the server's time zone, and perhaps zero.
                crate::mount::time::parse_packed(text).map(Datum::Time)
            }
            field::DURATION => moment::parse_duration(text).map(Datum::Duration),
            field::ENUM => {
                let at = self.members.iter().position(|m| **m == *text.as_bytes());
                at.map(|at| self.named(at as u64 + 1))
            }
            field::SET => {
                let of = |name: &str| self.members.iter().position(|m| **m == *name.as_bytes());
                let names = text.split(',').filter(|name| !name.is_empty());
                let mask = names.map(|name| Some(1_u64 << of(name)?));
                let mask: Option<u64> = mask.sum();
                mask.map(|mask| self.named(mask))
            }
            field::JSON | field::VECTOR => Some(Datum::Opaque),
            tp if field::is_string(tp) => Some(Datum::Text(Cow::Borrowed(text.as_bytes()))),
            _ => text.parse().ok().map(Datum::Int),
        };
        value.ok_or_else(|| EvalError::truncated("value of the column's type", text.as_bytes()))
    }
}
