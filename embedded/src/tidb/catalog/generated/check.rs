//! What TiDB refuses of generated columns, with its codes.

use tidb_sql::ast::{Expr, Function};

use super::super::DdlError;
use super::super::ddl::sql_error;
use super::super::model::{ColumnInfo, flag};
use super::Generated;

/// Functions whose value hangs on more than their arguments.
const DISALLOWED: [&str; 35] = [
    "BENCHMARK",
    "CONNECTION_ID",
    "CURDATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURTIME",
    "DATABASE",
    "FOUND_ROWS",
    "GET_LOCK",
    "IS_FREE_LOCK",
    "IS_USED_LOCK",
    "LAST_INSERT_ID",
    "LOAD_FILE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NAME_CONST",
    "NOW",
    "RAND",
    "RELEASE_ALL_LOCKS",
    "RELEASE_LOCK",
    "ROW_COUNT",
    "SCHEMA",
    "SESSION_USER",
    "SLEEP",
    "SYSDATE",
    "SYSTEM_USER",
    "USER",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "UUID",
    "UUID_SHORT",
    "VERSION",
];

/// Checks one column against those of its table, which stand in table order. A column that is yet to be added may read
/// all that are before `offset`.
pub(crate) fn check(
    columns: &[ColumnInfo],
    name: &str,
    offset: usize,
    generated: &Generated,
) -> Result<(), DdlError> {
    disallowed(name, &generated.expr)?;
    for read in self::columns(&generated.expr) {
        let found = columns.iter().find(|c| c.name.l == read);
        let Some(found) = found.filter(|c| !c.hidden) else {
            return Err(sql_error::unknown_column(
                &read,
                "generated column function",
            ));
        };
        if found.is_generated() && found.offset >= offset {
            return Err(sql_error::refused(
                3107,
                "Generated column can refer only to generated columns defined prior to it.",
            ));
        }
        if found.field_type.has(flag::AUTO_INCREMENT) {
            return Err(sql_error::refused(
                3109,
                format!("Generated column '{name}' cannot refer to auto-increment column."),
            ));
        }
    }
    Ok(())
}

/// Names of the columns that an expression reads, in lower case, each once.
pub(super) fn columns(expr: &Expr) -> Vec<String> {
    let mut out = vec![];
    visit(expr, &mut |e| {
        if let Expr::Column(name) = e {
            let name = name.name.to_lowercase();
            if !out.contains(&name) {
                out.push(name);
            }
        }
    });
    out
}

fn disallowed(name: &str, expr: &Expr) -> Result<(), DdlError> {
    let mut found = None;
    visit(expr, &mut |e| {
        let why = match e {
            Expr::Function(Function::Plain { name, .. })
                if DISALLOWED.iter().any(|d| d.eq_ignore_ascii_case(name)) =>
            {
                (3102, "contains a disallowed function.")
            }
            Expr::InQuery { .. }
            | Expr::Query(_)
            | Expr::Exists { .. }
            | Expr::Compare { .. }
            | Expr::Variable { .. }
            | Expr::Values(_) => (3102, "contains a disallowed function."),
            Expr::Row(_) => (3764, "cannot refer to a row value."),
            _ => return,
        };
        found.get_or_insert(why);
    });
    let mut uses_group = false;
    visit(expr, &mut |e| {
        uses_group |= matches!(e, Expr::Function(Function::Aggregate { .. }));
    });
    if uses_group {
        return Err(sql_error::refused(1111, "Invalid use of group function"));
    }
    match found {
        None => Ok(()),
        Some((code, why)) => Err(sql_error::refused(
            code,
            format!("Expression of generated column '{name}' {why}"),
        )),
    }
}

/// Calls `see` with an expression and all that it is made of.
fn visit(expr: &Expr, see: &mut impl FnMut(&Expr)) {
    see(expr);
    match expr {
        Expr::Unary(_, a) | Expr::Paren(a) | Expr::Collate(a, _) | Expr::Cast { expr: a, .. } => {
            visit(a, see);
        }
        Expr::Is { expr: a, .. }
        | Expr::InQuery { expr: a, .. }
        | Expr::Compare { expr: a, .. } => {
            visit(a, see);
        }
        Expr::Binary(a, _, b) => {
            visit(a, see);
            visit(b, see);
        }
        Expr::Between {
            expr, low, high, ..
        } => [expr, low, high].into_iter().for_each(|e| visit(e, see)),
        Expr::In { expr, list, .. } => {
            visit(expr, see);
            list.iter().for_each(|e| visit(e, see));
        }
        Expr::Like { expr, pattern, .. } | Expr::Regexp { expr, pattern, .. } => {
            visit(expr, see);
            visit(pattern, see);
        }
        Expr::Case {
            operand,
            arms,
            otherwise,
        } => {
            operand.iter().chain(otherwise).for_each(|e| visit(e, see));
            for arm in arms {
                visit(&arm.when, see);
                visit(&arm.then, see);
            }
        }
        Expr::Row(items) => items.iter().for_each(|e| visit(e, see)),
        Expr::Function(function) => visit_call(function, see),
        Expr::Window { args, .. } => args.iter().for_each(|e| visit(e, see)),
        _ => {}
    }
}

fn visit_call(function: &Function, see: &mut impl FnMut(&Expr)) {
    match function {
        Function::Plain { args, .. }
        | Function::Aggregate { args, .. }
        | Function::WithUnit(_, _, args)
        | Function::Char(args, _) => args.iter().for_each(|e| visit(e, see)),
        Function::DateArithmetic { date, interval, .. } => {
            visit(date, see);
            visit(interval, see);
        }
        Function::Extract(_, a) | Function::GetFormat(_, a) | Function::ConvertUsing(a, _) => {
            visit(a, see);
        }
        Function::Position(a, b) => {
            visit(a, see);
            visit(b, see);
        }
        Function::Trim { remove, text, .. } => {
            remove.iter().for_each(|e| visit(e, see));
            visit(text, see);
        }
        _ => {}
    }
}
