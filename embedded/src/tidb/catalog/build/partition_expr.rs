//! TiDB's spelling of partitioning functions: that of its parser's `Restore` in 8.5, of its `Format` in 4.0.

use tidb_sql::ast::{BinaryOp, Expr, Function, Literal, UnaryOp};

use super::super::TidbVersion;
use crate::tidb::partition::bound::quoted;

/// An expression that [`Node::compile`](crate::tidb::partition::expr::Node::compile) takes, as a table's description
/// holds it.
pub(crate) fn spelled(version: TidbVersion, expr: &Expr) -> String {
    let modern = version >= TidbVersion::V8_5;
    let list = |args: &[Expr]| {
        let texts: Vec<String> = args.iter().map(|arg| spelled(version, arg)).collect();
        texts.join(", ")
    };
    match expr {
        Expr::Column(name) => format!("`{}`", name.name.replace('`', "``")),
        Expr::Literal(literal) => constant(version, literal),
        Expr::Paren(inner) => format!("({})", spelled(version, inner)),
        Expr::Unary(op, inner) => {
            let sign = match op {
                UnaryOp::Minus => "-",
                _ => "+",
            };
            format!("{sign}{}", spelled(version, inner))
        }
        Expr::Binary(a, op, b) => {
            let op = match op {
                BinaryOp::Add => "+",
                BinaryOp::Subtract => "-",
                BinaryOp::Multiply => "*",
                BinaryOp::Mod => "%",
                _ if modern => "DIV",
                _ => "div",
            };
            let text = format!("{} {op} {}", spelled(version, a), spelled(version, b));
            if modern { format!("({text})") } else { text }
        }
        Expr::Function(Function::Plain { name, args, .. }) if name.eq_ignore_ascii_case("mod") => {
            let text = list(args).replacen(", ", " % ", 1);
            if modern { format!("({text})") } else { text }
        }
        Expr::Function(Function::Plain { name, args, .. }) => {
            let name = match modern {
                true => name.to_uppercase(),
                false => name.to_lowercase(),
            };
            format!("{name}({})", list(args))
        }
        Expr::Function(Function::Extract(unit, from)) => {
            let from = spelled(version, from);
            match modern {
                true => format!("EXTRACT({} FROM {from})", unit.keyword()),
                false => format!("extract({}, {from})", unit.keyword()),
            }
        }
        // Nothing else is a partitioning function.
        _ => String::new(),
    }
}

fn constant(version: TidbVersion, literal: &Literal) -> String {
    match literal {
        Literal::Integer(n) => n.to_string(),
        Literal::Bool(truth) => u8::from(*truth).to_string(),
        Literal::String { value, .. } | Literal::Temporal(_, value) => match version {
            TidbVersion::V4_0 => {
                format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
            }
            TidbVersion::V8_5 => quoted(value),
        },
        _ => "NULL".to_owned(),
    }
}
