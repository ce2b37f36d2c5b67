//! DEFAULT: constants, what whole numbers come to, CURRENT_TIMESTAMP. TiDB's functions in defaults are refused by name.

use tidb_sql::ast::{self, BinaryOp, ColumnOption, Expr, Function, Literal, UnaryOp};

use super::Reader;
use crate::tidb::catalog::statement::DefaultValue;
use crate::tidb::catalog::{DdlError, sql_error};

/// What CURRENT_TIMESTAMP is called.
const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];
/// Functions that TiDB takes as defaults.
const ALLOWED: [&str; 9] = [
    "CURRENT_DATE",
    "CURDATE",
    "JSON_ARRAY",
    "JSON_OBJECT",
    "JSON_QUOTE",
    "NEXTVAL",
    "RAND",
    "UUID",
    "UUID_TO_BIN",
];
/// Functions that TiDB takes as defaults in one form each: `DATE_FORMAT(NOW(), '%Y-%m')`, `REPLACE(UUID(), '-', '')`.
const ALLOWED_ONCE: [&str; 4] = ["DATE_FORMAT", "REPLACE", "STR_TO_DATE", "UPPER"];

/// Refuses the functions that TiDB refuses in a column's default.
pub(super) fn check_functions(column: &ast::ColumnDef) -> Result<(), DdlError> {
    let calls = column.options.iter().filter_map(|option| match option {
        ColumnOption::Default(Expr::Function(Function::Plain { name, args, .. })) => {
            Some((name, args))
        }
        _ => None,
    });
    let among = |names: &[&str], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
    for (name, args) in calls {
        if among(&NOW, name) || among(&ALLOWED, name) {
            continue;
        }
        let of_call = |arg: &Expr| matches!(arg, Expr::Function(_));
        let with_args = match among(&ALLOWED_ONCE, name) {
            // What is left of these may be one that TiDB takes.
            true if args.first().is_some_and(of_call) => continue,
            true => " with disallowed args",
            false => "",
        };
        return Err(sql_error::refused(
            3770,
            format!(
                "Default value expression of column '{}' contains a disallowed function: `{}{with_args}`.",
                column.name.name,
                name.to_lowercase()
            ),
        ));
    }
    Ok(())
}

impl Reader<'_> {
    pub(super) fn default_value(self, value: &Expr) -> Result<DefaultValue, DdlError> {
        match value {
            Expr::Literal(literal) => self.literal(literal, false),
            Expr::Paren(inner) => self.default_value(inner),
            Expr::Unary(op @ (UnaryOp::Minus | UnaryOp::Plus), operand) => {
                match (&**operand, constant(value)) {
                    (Expr::Literal(literal), _) => self.literal(literal, *op == UnaryOp::Minus),
                    (_, Some(number)) => Ok(DefaultValue::Number(number.to_string())),
                    _ => Err(self.unsupported("expressions as defaults")),
                }
            }
            Expr::Binary(..) => match constant(value) {
                Some(number) => Ok(DefaultValue::Number(number.to_string())),
                None => Err(self.unsupported("expressions as defaults")),
            },
            other => self.now(other).map(DefaultValue::Now),
        }
    }

    /// Digits of the fraction of CURRENT_TIMESTAMP.
    pub(super) fn now(self, value: &Expr) -> Result<u64, DdlError> {
        if let Expr::Function(Function::Plain {
            schema: None,
            name,
            args,
        }) = value
            && NOW.iter().any(|now| now.eq_ignore_ascii_case(name))
        {
            match args.as_slice() {
                [] => return Ok(0),
                [Expr::Literal(Literal::Integer(fsp))] => return Ok(*fsp),
                _ => {}
            }
        }
        Err(self.unsupported("expressions as defaults"))
    }

    fn literal(self, literal: &Literal, negative: bool) -> Result<DefaultValue, DdlError> {
        let sign = if negative { "-" } else { "" };
        Ok(match literal {
            Literal::Integer(number) => DefaultValue::Number(format!("{sign}{number}")),
            Literal::Decimal(digits) => DefaultValue::Number(format!("{sign}{digits}")),
            Literal::Float(number) => DefaultValue::Number(format!("{sign}{number}")),
            Literal::Bool(truth) => DefaultValue::Number(format!("{sign}{}", u8::from(*truth))),
            _ if negative => return Err(self.unsupported("expressions as defaults")),
            Literal::Null => DefaultValue::Null,
            Literal::String { value, .. } => DefaultValue::Text(value.clone()),
            Literal::Hex { value, .. } | Literal::Bits { value, .. } => {
                DefaultValue::Bytes(value.clone())
            }
            Literal::Temporal(_, text) => DefaultValue::Text(text.clone()),
        })
    }
}

/// What sums, differences and products of whole numbers come to.
fn constant(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(Literal::Integer(n)) => i64::try_from(*n).ok(),
        Expr::Paren(inner) => constant(inner),
        Expr::Unary(UnaryOp::Minus, inner) => constant(inner)?.checked_neg(),
        Expr::Unary(UnaryOp::Plus, inner) => constant(inner),
        Expr::Binary(a, op, b) => {
            let (a, b) = (constant(a)?, constant(b)?);
            match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Subtract => a.checked_sub(b),
                BinaryOp::Multiply => a.checked_mul(b),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Expr {
        tidb_sql::parse_expr(text, &tidb_sql::ParseOptions::default()).unwrap()
    }

    #[test]
    fn whole_numbers_are_counted_together() {
        for (text, expected) in [
            ("1 + 1", Some(2)),
            ("-(2 * 3 - 1)", Some(-5)),
            ("9223372036854775807 + 1", None),
            ("1 / 2", None),
            ("a + 1", None),
        ] {
            assert_eq!(constant(&parsed(text)), expected, "{text}");
        }
    }

    #[test]
    fn functions_are_refused_as_tidb_refuses_them() {
        let refusal = |default: &str| {
            let sql = format!("create table t (c varchar(40) default ({default}))");
            let parsed = tidb_sql::parse_one(&sql, &tidb_sql::ParseOptions::default()).unwrap();
            let ast::Statement::CreateTable(table) = parsed else {
                panic!("{sql} is another statement");
            };
            check_functions(&table.columns[0])
                .err()
                .map(|e| e.to_string())
        };
        let told = |what: &str| {
            Some(format!(
                "Default value expression of column 'c' contains a disallowed function: `{what}`."
            ))
        };
        assert_eq!(refusal("upper('abc')"), told("upper with disallowed args"));
        assert_eq!(refusal("lower('abc')"), told("lower"));
        assert_eq!(refusal("uuid()"), None);
        assert_eq!(refusal("now()"), None);
    }
}
