//! Expressions.

use super::{Spelling, Writer};
use crate::Release;
use crate::ast::{
    BinaryOp, CastStyle, CastType, DataType, Expr, Literal, Truth, TypeKind, UnaryOp,
};
use crate::stack::on_enough_stack;

/// The character set of TiCDC's own connection, with which it introduces strings.
const CONNECTION_CHARSET: &str = "UTF8MB4";

/// Of a DECIMAL that says nothing of them.
const DECIMAL_DIGITS: u64 = 10;

impl Writer {
    pub(super) fn expr(&mut self, expr: &Expr) {
        on_enough_stack(|| self.expr_inside(expr));
    }

    fn expr_inside(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Column(name) => self.column_name(name),
            Expr::Unary(op, operand) => {
                self.text(match op {
                    UnaryOp::Not => "NOT ",
                    UnaryOp::Bang => "!",
                    UnaryOp::Minus => "-",
                    UnaryOp::Plus => "+",
                    UnaryOp::BitNot => "~",
                });
                self.expr(operand);
            }
            Expr::Binary(left, op, right) => {
                self.expr(left);
                match self.spelling {
                    Spelling::Statement => self.text(spelled(*op)),
                    Spelling::Generated => self.text(&format!(" {} ", spelled(*op).trim())),
                }
                self.expr(right);
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                self.expr(expr);
                self.text(if *negated {
                    " NOT BETWEEN "
                } else {
                    " BETWEEN "
                });
                self.expr(low);
                self.text(" AND ");
                self.expr(high);
            }
            Expr::In {
                expr,
                negated,
                list,
            } => {
                self.expr(expr);
                self.text(if *negated { " NOT IN (" } else { " IN (" });
                self.list(list, ",", Self::expr);
                self.text(")");
            }
            Expr::InQuery {
                expr,
                negated,
                query,
            } => {
                self.expr(expr);
                self.text(if *negated { " NOT IN (" } else { " IN (" });
                self.query(query);
                self.text(")");
            }
            Expr::Like {
                expr,
                negated,
                ignore_case,
                pattern,
                escape,
            } => {
                self.expr(expr);
                self.text(match (*negated, *ignore_case) {
                    (false, false) => " LIKE ",
                    (true, false) => " NOT LIKE ",
                    (false, true) => " ILIKE ",
                    (true, true) => " NOT ILIKE ",
                });
                self.expr(pattern);
                if let Some(escape) = escape {
                    self.text(" ESCAPE ");
                    self.string(escape);
                }
            }
            Expr::Regexp {
                expr,
                negated,
                pattern,
            } => {
                self.expr(expr);
                self.text(if *negated { " NOT REGEXP " } else { " REGEXP " });
                self.expr(pattern);
            }
            Expr::Is {
                expr,
                negated,
                truth,
            } => {
                self.expr(expr);
                self.text(if *negated { " IS NOT " } else { " IS " });
                self.text(match truth {
                    Truth::Null => "NULL",
                    Truth::True => "TRUE",
                    Truth::False => "FALSE",
                });
            }
            Expr::Case {
                operand,
                arms,
                otherwise,
            } => {
                self.text("CASE");
                if let Some(operand) = operand {
                    self.text(" ");
                    self.expr(operand);
                }
                for arm in arms {
                    self.text(" WHEN ");
                    self.expr(&arm.when);
                    self.text(" THEN ");
                    self.expr(&arm.then);
                }
                if let Some(otherwise) = otherwise {
                    self.text(" ELSE ");
                    self.expr(otherwise);
                }
                self.text(" END");
            }
            Expr::Paren(inner) => {
                self.text("(");
                self.expr(inner);
                self.text(")");
            }
            Expr::Row(items) => {
                self.text("ROW(");
                self.list(items, ",", Self::expr);
                self.text(")");
            }
            Expr::Function(function) => self.function(function),
            Expr::Window {
                name,
                distinct,
                args,
                from_last,
                ignore_nulls,
                window,
            } => {
                self.text(&name.to_uppercase());
                self.text("(");
                self.text_if(*distinct, "DISTINCT ");
                self.list(args, ", ", Self::expr);
                self.text(")");
                self.text_if(*from_last, " FROM LAST");
                self.text_if(*ignore_nulls, " IGNORE NULLS");
                self.text(" OVER ");
                self.window(window);
            }
            Expr::Cast { style, expr, to } => self.cast(*style, expr, to),
            Expr::Collate(inner, collation) => {
                self.expr(inner);
                self.text(" COLLATE ");
                self.text(collation);
            }
            Expr::Default(column) => {
                self.text("DEFAULT");
                if let Some(column) = column {
                    self.text("(");
                    self.column_name(column);
                    self.text(")");
                }
            }
            Expr::Values(column) => {
                self.text("VALUES(");
                self.column_name(column);
                self.text(")");
            }
            Expr::MaxValue => self.text("MAXVALUE"),
            Expr::Exists { negated, query } => {
                self.text(if *negated { "NOT EXISTS (" } else { "EXISTS (" });
                self.query(query);
                self.text(")");
            }
            Expr::Query(query) => {
                self.text("(");
                self.query(query);
                self.text(")");
            }
            Expr::Compare {
                expr,
                op,
                all,
                query,
            } => {
                self.expr(expr);
                self.text(spelled(*op));
                self.text(if *all { "ALL (" } else { "ANY (" });
                self.query(query);
                self.text(")");
            }
            Expr::Variable {
                system,
                scope,
                name,
            } => {
                self.text(if *system { "@@" } else { "@" });
                if let Some(scope) = scope {
                    self.text(scope);
                    self.text(".");
                }
                self.name(name);
            }
            Expr::Match {
                columns,
                against,
                modifier,
            } => {
                self.text("MATCH (");
                self.list(columns, ",", Self::column_name);
                self.text(") AGAINST (");
                self.expr(against);
                if let Some(modifier) = modifier {
                    self.text(" ");
                    self.text(modifier);
                }
                self.text(")");
            }
        }
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Null => self.text("NULL"),
            Literal::Bool(truth) => self.text(if *truth { "TRUE" } else { "FALSE" }),
            Literal::Integer(number) => self.number(number),
            Literal::Decimal(digits) => self.text(digits),
            Literal::Float(number) => self.text(&scientific(*number)),
            Literal::String { charset, value } => {
                self.text_introducer(charset.as_deref());
                self.string_value(value);
            }
            // What introduces bytes is lost.
            Literal::Hex { value, .. } => {
                self.text("x'");
                for byte in value {
                    self.text(&format!("{byte:02x}"));
                }
                self.text("'");
            }
            Literal::Bits { value, .. } => {
                let bits: String = value.iter().map(|byte| format!("{byte:08b}")).collect();
                let short = bits.trim_start_matches('0');
                self.text("b'");
                self.text(if short.is_empty() && !bits.is_empty() {
                    "0"
                } else {
                    short
                });
                self.text("'");
            }
            Literal::Temporal(keyword, value) => {
                self.text(keyword);
                self.text(" ");
                self.string_value(value);
            }
        }
    }

    /// What stands before a string. In the tables that 4.0 describes only what the statement has.
    fn text_introducer(&mut self, charset: Option<&str>) {
        let left_out = self.spelling == Spelling::Generated && self.release < Release::V6_5;
        match charset {
            None if left_out => {}
            charset => self.introducer(charset.unwrap_or(CONNECTION_CHARSET)),
        }
    }

    fn introducer(&mut self, charset: &str) {
        self.text("_");
        self.text(&charset.to_uppercase());
    }

    fn cast(&mut self, style: CastStyle, expr: &Expr, to: &CastType) {
        match style {
            CastStyle::Cast => {
                self.text("CAST(");
                self.expr(expr);
                self.text(" AS ");
                self.cast_type(to);
                self.text(")");
            }
            CastStyle::Convert => {
                self.text("CONVERT(");
                self.expr(expr);
                self.text(", ");
                self.cast_type(to);
                self.text(")");
            }
            CastStyle::Binary => {
                self.text("BINARY ");
                self.expr(expr);
            }
        }
    }

    fn cast_type(&mut self, to: &CastType) {
        match to {
            CastType::Signed => self.text("SIGNED"),
            CastType::Unsigned => self.text("UNSIGNED"),
            CastType::Type(data_type) => self.cast_to(data_type),
            CastType::Array(data_type) => {
                match data_type.kind {
                    TypeKind::BigInt if data_type.unsigned => self.text("UNSIGNED"),
                    TypeKind::BigInt => self.text("SIGNED"),
                    _ => self.cast_to(data_type),
                }
                self.text(" ARRAY");
            }
        }
    }

    /// Texts and bytes are CHAR and BINARY here; a character set is told unless it is the connection's.
    fn cast_to(&mut self, to: &DataType) {
        let bytes = to.binary || matches!(to.kind, TypeKind::Binary | TypeKind::VarBinary);
        // 6.5 has no word for it.
        if self.release == Release::V6_5 && to.kind == TypeKind::Binary && to.length.is_some() {
            return;
        }
        match to.kind {
            _ if bytes => self.text("BINARY"),
            TypeKind::VarChar => self.text("CHAR"),
            kind => self.text(kind.keyword()),
        }
        let untold = matches!(
            to.kind,
            TypeKind::Float | TypeKind::Double | TypeKind::Vector
        ) || matches!(to.kind, TypeKind::DateTime | TypeKind::Time)
            && to.length == Some(0);
        let default = (to.kind == TypeKind::Decimal).then_some(DECIMAL_DIGITS);
        if let Some(length) = to.length.or(default)
            && !untold
        {
            self.text("(");
            self.number(length);
            if let Some(scale) = to.scale.filter(|scale| *scale > 0) {
                self.text(", ");
                self.number(scale);
            }
            self.text(")");
        }
        let told = |charset: &&String| !charset.eq_ignore_ascii_case(CONNECTION_CHARSET);
        if let Some(charset) = to.charset.as_ref().filter(told)
            && !bytes
        {
            self.text(" CHARSET ");
            self.text(&charset.to_uppercase());
        }
    }
}

/// Words have blanks around them, signs have not.
fn spelled(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => " OR ",
        BinaryOp::Xor => " XOR ",
        BinaryOp::And => " AND ",
        BinaryOp::Eq => "=",
        BinaryOp::NullSafeEq => "<=>",
        BinaryOp::Ne => "!=",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::BitOr => "|",
        BinaryOp::BitAnd => "&",
        BinaryOp::ShiftLeft => "<<",
        BinaryOp::ShiftRight => ">>",
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::IntDivide => " DIV ",
        BinaryOp::Mod => "%",
        BinaryOp::BitXor => "^",
    }
}

/// Shortest digits with an exponent of at least two, as Go writes it.
fn scientific(number: f64) -> String {
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}
