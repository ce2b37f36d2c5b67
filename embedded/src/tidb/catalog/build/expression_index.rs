//! Indexes of expressions: each expression is a hidden virtual column, `_V$_<index>_<n>` (`docs/spec/tidb-schema.md §3.1`).

use tidb_sql::ast::{BinaryOp, Expr, Function, Literal};

use super::super::ddl::{sql_error, unsupported};
use super::super::generated::{self, Generated};
use super::super::model::{CiStr, ColumnInfo, FieldType, SchemaState, TableInfo, Tp, flag};
use super::super::{DdlError, TidbVersion};
use super::statement::{IndexDef, IndexKind};

/// The name of an index that begins with an expression and has none.
pub(crate) const UNNAMED: &str = "expression_index";
/// Flen of a whole number of 64 bits.
const BIGINT_WIDTH: i64 = 20;

/// Refuses expressions where TiDB has none.
pub(crate) fn check(version: TidbVersion, def: &IndexDef, in_create: bool) -> Result<(), DdlError> {
    if def.expressions.is_empty() {
        return Ok(());
    }
    if version == TidbVersion::V4_0 {
        let error = match in_create {
            true => (
                1235,
                "This version of TiDB doesn't yet support 'create table with expression index'",
            ),
            false => (
                8200,
                "Unsupported creating expression index without allow-expression-index in config",
            ),
        };
        return Err(sql_error::refused(error.0, error.1));
    }
    if matches!(def.kind, IndexKind::Primary(_)) {
        return Err(sql_error::refused(
            3756,
            "The primary key cannot be an expression index",
        ));
    }
    let is_column = |expr: &Expr| matches!(expr, Expr::Column(_));
    if def.expressions.iter().any(|(_, expr)| is_column(expr)) {
        return Err(sql_error::refused(
            3762,
            "Expression index on a column is not supported. Consider using a regular index instead",
        ));
    }
    Ok(())
}

/// Makes the hidden columns of index `name`, behind those of the table, and gives its definition their names.
pub(crate) fn hidden(
    version: TidbVersion,
    query: &str,
    table: &TableInfo,
    def: &mut IndexDef,
    name: &str,
) -> Result<Vec<ColumnInfo>, DdlError> {
    let mut out = vec![];
    for (n, (part, expr)) in def.expressions.iter().enumerate() {
        let column_name = format!("_V$_{name}_{part}");
        let offset = table.columns.len() + n;
        let generated = Generated {
            expr: expr.clone(),
            stored: false,
        };
        generated::check(&table.columns, &column_name, offset, &generated)?;
        let ft = field_type(version, table, expr)
            .ok_or_else(|| unsupported(query, "indexes of expressions like this one"))?;
        let mut column = ColumnInfo::new(version, CiStr::new(&column_name), ft);
        generated::describe(version, &mut column, &generated);
        column.hidden = true;
        column.id = table.max_col_id + n as i64 + 1;
        column.offset = offset;
        column.state = SchemaState::Public;
        if let Some(part) = def.columns.get_mut(*part) {
            part.0 = column_name;
        }
        out.push(column);
    }
    Ok(out)
}

/// The type that TiDB finds for an expression, of those that are recorded: UPPER and LOWER of a string; sums, differences
/// and products of whole numbers with a sign.
fn field_type(version: TidbVersion, table: &TableInfo, expr: &Expr) -> Option<FieldType> {
    match expr {
        Expr::Paren(inner) => field_type(version, table, inner),
        Expr::Function(Function::Plain { name, args, .. }) => {
            const FOLDS: [&str; 4] = ["UPPER", "UCASE", "LOWER", "LCASE"];
            let ([Expr::Column(column)], true) = (
                args.as_slice(),
                FOLDS.iter().any(|f| f.eq_ignore_ascii_case(name)),
            ) else {
                return None;
            };
            let of = &table.column(&column.name)?.field_type;
            let is_text = matches!(of.tp, Tp::Varchar | Tp::String) && !of.is_binary_string();
            is_text.then(|| FieldType {
                tp: Tp::VarString,
                flag: 0,
                flen: of.flen,
                decimal: -1,
                ..of.clone()
            })
        }
        Expr::Binary(a, BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply, b) => {
            let never_null = never_null(table, a)? & never_null(table, b)?;
            let mut ft = FieldType::new(version, Tp::LongLong);
            ft.flag = flag::BINARY | if never_null { flag::NOT_NULL } else { 0 };
            (ft.flen, ft.decimal) = (BIGINT_WIDTH, 0);
            (ft.charset, ft.collate) = ("binary".to_owned(), "binary".to_owned());
            Some(ft)
        }
        _ => None,
    }
}

/// Whether a whole number is never NULL; none if it is no such number.
fn never_null(table: &TableInfo, expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Literal(Literal::Integer(n)) if i64::try_from(*n).is_ok() => Some(true),
        Expr::Column(column) => {
            let ft = &table.column(&column.name)?.field_type;
            (ft.tp.is_integer() && !ft.is_unsigned()).then(|| ft.is_not_null())
        }
        _ => None,
    }
}
