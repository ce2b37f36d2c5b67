//! Expressions of SQL over the columns of one table, as event filters have them.
//!
//! TiCDC lets TiDB's own engine evaluate them. What a user would write is evaluated here by TiDB's rules: three-valued logic,
//! types of comparisons, collations, exact numbers. Everything else is refused by name when the expression is compiled:
//! [`CompileError::Unsupported`].
//!
//! | what | which |
//! |---|---|
//! | columns | `c`, `t.c`; of JSON and VECTOR only IS NULL; no virtual generated ones |
//! | literals | numbers, texts, TRUE, FALSE, NULL, `x'41'`, `b'1'`, `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'` |
//! | logic | AND, OR, XOR, NOT, `!`, `&&`, `\|\|`, IS [NOT] NULL, TRUE, FALSE, UNKNOWN |
//! | comparisons | `=` `<=>` `<>` `<` `<=` `>` `>=`, [NOT] BETWEEN, [NOT] IN (list), [NOT] LIKE, [NOT] REGEXP with a constant |
//! | arithmetic | `+` `-` `*` `/` DIV `%` MOD, `&` `\|` `^` `~` `<<` `>>` |
//! | branches | CASE, IF, IFNULL, NULLIF, COALESCE, GREATEST, LEAST, ISNULL |
//! | texts | LOWER, UPPER, LENGTH, CHAR_LENGTH, CONCAT, SUBSTRING, LEFT, RIGHT, TRIM, LTRIM, RTRIM, REPLACE, INSTR, LOCATE, POSITION |
//! | numbers | ABS, SIGN, FLOOR, CEIL, ROUND, MOD |
//! | times | YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, DATE |
//! | casts | CAST and CONVERT to SIGNED, UNSIGNED, CHAR, DATE; COLLATE |
//!
//! A row is concerned where the value is a whole number, and 1: TiCDC looks at nothing else.

mod arithmetic;
mod branch;
mod build;
mod call;
mod column;
mod compare;
mod compile;
mod error;
mod eval;
mod function;
mod moment;
mod number;
mod pattern;
mod sides;
mod text;
mod value;

#[cfg(test)]
mod tests;

use tidb_sql::{ParseOptions, ast, parse_expr};

pub use error::{CompileError, EvalError};

use crate::{compat::Compat, mount::Value, schema::TableInfo};
use column::Columns;
use compile::Compiler;
use eval::Node;
use jiff::tz::TimeZone;
use value::{Datum, Type};

/// An expression that fits a table.
#[derive(Debug)]
pub struct Expr {
    root: Node,
    columns: Columns,
}

/// Reads an expression by itself.
///
/// # Errors
/// [`CompileError::Syntax`].
pub fn parse(text: &str) -> Result<ast::Expr, CompileError> {
    Ok(parse_expr(text, &ParseOptions::default())?)
}

impl Expr {
    /// Makes an expression fit a table. TIMESTAMP columns are as a clock in `time_zone` shows them, quotients have the digits
    /// that they have in the TiCDC of `compat`.
    ///
    /// # Errors
    /// [`CompileError`].
    pub fn new(
        text: &str,
        table: &TableInfo,
        time_zone: &TimeZone,
        compat: Compat,
    ) -> Result<Self, CompileError> {
        let parsed = parse(text)?;
        let mut columns = Columns::new(time_zone.clone());
        let root = Compiler::new(table, &mut columns, compat).compile(&parsed)?;
        match root.tp {
            // Only these have a number that TiCDC looks at; of a BIT it looks at another field.
            Type::Int { .. } | Type::Year | Type::Named(_) => Ok(Self { root, columns }),
            _ => Err(CompileError::Unsupported {
                part: compile::shown(&parsed),
                what: format!(
                    "it is {}, which TiCDC takes for no condition; compare it with something",
                    root.tp.name()
                ),
            }),
        }
    }

    /// Whether the expression is 1 for a row, whose values are aligned with [`TableInfo::columns`].
    ///
    /// # Errors
    /// [`EvalError`], where TiDB has one, or would warn a client and go on with another value.
    pub fn is_one(&self, row: &[Value<'_>]) -> Result<bool, EvalError> {
        Ok(match self.root.eval(&self.columns.of(row))? {
            Datum::Int(number) => number == 1,
            Datum::Named(number, _) => number == 1,
            _ => false,
        })
    }
}
