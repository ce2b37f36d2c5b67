//! The constants of partitions: from SQL texts to values of columns, and back to TiDB's spelling of them.

use tidb_sql::ast::{Expr, Literal, UnaryOp};

use super::options;
use crate::tidb::catalog::model::{FieldType, TableInfo, Tp};
use crate::tidb::codec::{Datum, Duration, Time};

/// Why a constant is none of a column. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundError {
    /// Not an expression.
    #[error("read it: {0}")]
    Syntax(String),
    /// A value of another type than the column's.
    #[error("use it for a column of type {0:?}")]
    Type(Tp),
    /// A kind of constant that TiDB takes and this one does not.
    #[error("evaluate it: the embedded TiDB reads numbers, strings, dates and NULL")]
    NotServed,
}

/// A stored constant as a value of the column at this offset.
pub fn of_column(text: &str, table: &TableInfo, offset: usize) -> Result<Datum, BoundError> {
    let tree = tidb_sql::parse_expr(text, &options(table.written_by()))
        .map_err(|e| BoundError::Syntax(e.to_string()))?;
    let column = table
        .columns
        .get(offset)
        .ok_or_else(|| BoundError::Syntax("its column does not exist".to_owned()))?;
    datum(&tree, &column.field_type)
}

/// A constant as a value of a column.
pub fn datum(tree: &Expr, ft: &FieldType) -> Result<Datum, BoundError> {
    let wrong = || BoundError::Type(ft.tp);
    Ok(match tree {
        Expr::Paren(inner) => datum(inner, ft)?,
        Expr::Literal(Literal::Null) => Datum::Null,
        Expr::Literal(Literal::Integer(n)) => number((*n).into(), ft)?,
        Expr::Unary(UnaryOp::Plus, inner) => datum(inner, ft)?,
        Expr::Unary(UnaryOp::Minus, inner) => match &**inner {
            Expr::Literal(Literal::Integer(n)) => number(-i128::from(*n), ft)?,
            Expr::Paren(_) => return Err(BoundError::NotServed),
            _ => return Err(wrong()),
        },
        Expr::Literal(Literal::String { value, .. } | Literal::Temporal(_, value)) => match ft.tp {
            Tp::Date => Datum::Time(Time {
                hour: 0,
                minute: 0,
                second: 0,
                micro: 0,
                ..time(value, ft).ok_or_else(wrong)?
            }),
            Tp::Datetime => Datum::Time(time(value, ft).ok_or_else(wrong)?),
            Tp::Duration => {
                Datum::Duration(Duration::from_literal(value, fsp(ft)).ok_or_else(wrong)?)
            }
            tp if tp.is_string() => Datum::Bytes(value.clone().into_bytes()),
            _ => return Err(wrong()),
        },
        Expr::Literal(Literal::Hex { value, .. }) if ft.tp.is_string() => {
            Datum::Bytes(value.clone())
        }
        Expr::Literal(_) => return Err(wrong()),
        _ => return Err(BoundError::NotServed),
    })
}

fn fsp(ft: &FieldType) -> usize {
    usize::try_from(ft.decimal).unwrap_or(0)
}

fn time(text: &str, ft: &FieldType) -> Option<Time> {
    Time::from_literal(text, fsp(ft))
}

fn number(value: i128, ft: &FieldType) -> Result<Datum, BoundError> {
    let wrong = |_| BoundError::Type(ft.tp);
    if matches!(ft.tp, Tp::Date | Tp::Datetime) {
        let time = u64::try_from(value).ok().and_then(Time::from_number);
        return Ok(Datum::Time(time.ok_or(BoundError::Type(ft.tp))?));
    }
    match ft.tp.is_integer() || ft.tp == Tp::Year {
        false => Err(BoundError::Type(ft.tp)),
        true if ft.is_unsigned() && ft.tp != Tp::Year => {
            u64::try_from(value).map(Datum::Uint).map_err(wrong)
        }
        true => i64::try_from(value).map(Datum::Int).map_err(wrong),
    }
}

/// A value as TiDB 8.5 writes it into a table's description.
pub fn text(value: &Datum, ft: &FieldType) -> String {
    let fsp = fsp(ft);
    match value {
        Datum::Int(n) => n.to_string(),
        Datum::Uint(n) => n.to_string(),
        Datum::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.chars().any(char::is_control) => quoted(text),
            _ => format!("0x{}", hex::encode(bytes)),
        },
        Datum::Time(time) if ft.tp == Tp::Date => quoted(&time.date_text()),
        Datum::Time(time) => quoted(&time.datetime_text(fsp)),
        Datum::Duration(time) => quoted(&time.text(fsp)),
        _ => "NULL".to_owned(),
    }
}

/// A string in single quotes.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
