//! From an expression as it is read to one of known types.

use std::borrow::Cow;

use tidb_sql::{
    Release,
    ast::{BinaryOp, Expr, Truth, UnaryOp},
    collation,
    restore::restore_expr,
};

use super::{
    build::{
        Refusal, bits_type, calculated, case, cast, constant, like, literal, node, number_type,
        regexp,
    },
    column::{Columns, type_of},
    compare::Operator,
    error::CompileError,
    eval::{Node, Op},
    sides::{between, compared, one_of},
    value::{Collation, Datum, Strength, Type},
};
use crate::{compat::Compat, schema::TableInfo};

/// Digits that a quotient has more than its dividend, at least, by TiDB's own default. In TiCDC v8.4.0 the session that
/// evaluates conditions has not taken up that default and adds none: there `5 / 2` is 2.
const DIVISION_DIGITS: usize = 4;

/// How deep an expression may be; AND, OR and lists count once.
const MAX_DEPTH: usize = 100;

/// What must be left of the stack before a level is entered, and what is added when less is left.
const STACK_LEFT: usize = 128 << 10;
const STACK_ADDED: usize = 2 << 20;

/// A part of an expression as TiDB spells it.
pub(super) fn shown(expr: &Expr) -> String {
    restore_expr(expr, Release::V8_5)
}

/// Compiles the parts of an expression.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    table: &'a TableInfo,
    columns: &'a mut Columns,
    division_digits: usize,
    depth: usize,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(table: &'a TableInfo, columns: &'a mut Columns, compat: Compat) -> Self {
        Self {
            table,
            columns,
            division_digits: match compat >= Compat::V8_5 {
                true => 0,
                false => DIVISION_DIGITS,
            },
            depth: 0,
        }
    }

    /// Compiles a part.
    pub(super) fn compile(&mut self, expr: &Expr) -> Result<Node, CompileError> {
        let refuse = |what: Refusal| CompileError::Unsupported {
            part: shown(expr),
            what,
        };
        if self.depth >= MAX_DEPTH {
            return Err(CompileError::Unsupported {
                part: "the expression".to_owned(),
                what: format!("it is nested more deeply than {MAX_DEPTH} levels"),
            });
        }
        self.depth += 1;
        let compiled = stacker::maybe_grow(STACK_LEFT, STACK_ADDED, || self.part(expr, &refuse))?;
        self.depth -= 1;
        self.folded(compiled).map_err(refuse)
    }

    /// What has no column has a value already.
    fn folded(&self, compiled: Node) -> Result<Node, Refusal> {
        if !compiled.constant || matches!(compiled.op, Op::Constant(_)) {
            return Ok(compiled);
        }
        let value = match compiled.eval(&self.columns.of(&[])) {
            Ok(Datum::Text(text)) => Datum::Text(Cow::Owned(text.into_owned())),
            Ok(Datum::Int(number)) => Datum::Int(number),
            Ok(Datum::Decimal(number)) => Datum::Decimal(number),
            Ok(Datum::Real(number)) => Datum::Real(number),
            Ok(Datum::Time(packed)) => Datum::Time(packed),
            Ok(Datum::Duration(nanos)) => Datum::Duration(nanos),
            Ok(Datum::Null | Datum::Named(..) | Datum::Opaque) => Datum::Null,
            Err(error) => return Err(error.to_string()),
        };
        Ok(constant(value, compiled.tp))
    }

    fn part(
        &mut self,
        expr: &Expr,
        refuse: &impl Fn(Refusal) -> CompileError,
    ) -> Result<Node, CompileError> {
        let not = |inner: Node, negated: bool| {
            let constant = inner.constant;
            match negated {
                true => node(Op::Not(Box::new(inner)), Type::TRUTH, constant),
                false => inner,
            }
        };
        Ok(match expr {
            Expr::Paren(inner) => self.compile(inner)?,
            Expr::Literal(value) => literal(value).map_err(refuse)?,
            Expr::Column(name) => {
                let written = [&name.schema, &name.table].into_iter().flatten();
                let written: Vec<&str> = written.map(String::as_str).chain([&*name.name]).collect();
                self.column(name.schema.is_some(), name.table.as_deref(), &name.name)
                    .map_err(|refusal| match refusal {
                        Some(what) => refuse(what),
                        None => CompileError::UnknownColumn {
                            column: written.join("."),
                        },
                    })?
            }
            Expr::Unary(UnaryOp::Not | UnaryOp::Bang, a) => not(self.condition(a)?, true),
            Expr::Unary(UnaryOp::Plus, a) => self.compile(a)?,
            Expr::Unary(UnaryOp::Minus, a) => {
                let a = self.compile(a)?;
                let tp = match number_type(&a.tp).map_err(refuse)? {
                    Type::Int { .. } => Type::TRUTH,
                    other => other,
                };
                let constant = a.constant;
                node(Op::Negate(Box::new(a)), tp, constant)
            }
            Expr::Unary(UnaryOp::BitNot, a) => {
                let a = self.compile(a)?;
                bits_type(&a.tp).map_err(refuse)?;
                let constant = a.constant;
                node(
                    Op::Invert(Box::new(a)),
                    Type::Int { unsigned: true },
                    constant,
                )
            }
            Expr::Binary(_, op @ (BinaryOp::And | BinaryOp::Or), _) => {
                let mut parts = Vec::new();
                let mut rest = expr;
                while let Expr::Binary(a, other, b) = rest
                    && other == op
                {
                    parts.push(self.condition(b)?);
                    rest = a;
                }
                parts.push(self.condition(rest)?);
                parts.reverse();
                let constant = parts.iter().all(|part| part.constant);
                let op = match op {
                    BinaryOp::And => Op::And(parts),
                    _ => Op::Or(parts),
                };
                node(op, Type::TRUTH, constant)
            }
            Expr::Binary(a, BinaryOp::Xor, b) => {
                let (a, b) = (self.condition(a)?, self.condition(b)?);
                let constant = a.constant && b.constant;
                node(Op::Xor(Box::new(a), Box::new(b)), Type::TRUTH, constant)
            }
            Expr::Binary(a, op, b) => {
                let (a, b) = (self.compile(a)?, self.compile(b)?);
                match Operator::of(*op) {
                    Some(operator) => compared(operator, a, b),
                    None => calculated(*op, a, b, self.division_digits),
                }
                .map_err(refuse)?
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let value = self.compile(expr)?;
                let (low, high) = (self.compile(low)?, self.compile(high)?);
                let inner = between(value, low, high).map_err(refuse)?;
                not(inner, *negated)
            }
            Expr::In {
                expr,
                negated,
                list,
            } => {
                let value = self.compile(expr)?;
                let list: Result<Vec<_>, _> = list.iter().map(|part| self.compile(part)).collect();
                not(one_of(value, list?).map_err(refuse)?, *negated)
            }
            Expr::Like {
                expr,
                negated,
                ignore_case: false,
                pattern,
                escape,
            } => {
                let (text, pattern) = (self.compile(expr)?, self.compile(pattern)?);
                let inner = like(text, pattern, escape.as_deref()).map_err(refuse)?;
                not(inner, *negated)
            }
            Expr::Regexp {
                expr,
                negated,
                pattern,
            } => {
                let (text, pattern) = (self.compile(expr)?, self.compile(pattern)?);
                not(regexp(text, &pattern).map_err(refuse)?, *negated)
            }
            Expr::Is {
                expr,
                negated,
                truth,
            } => {
                let op: fn(Box<Node>) -> Op = match truth {
                    Truth::Null => Op::IsNull,
                    Truth::True => |a| Op::Is(true, a),
                    Truth::False => |a| Op::Is(false, a),
                };
                let a = match truth {
                    Truth::Null => self.compile(expr)?,
                    _ => self.condition(expr)?,
                };
                let constant = a.constant;
                not(node(op(Box::new(a)), Type::TRUTH, constant), *negated)
            }
            Expr::Case {
                operand,
                arms,
                otherwise,
            } => {
                let mut compiled = Vec::new();
                for arm in arms {
                    let when = match operand.as_deref() {
                        None => self.condition(&arm.when)?,
                        Some(operand @ (Expr::Column(_) | Expr::Literal(_))) => {
                            let (a, b) = (self.compile(operand)?, self.compile(&arm.when)?);
                            compared(Operator::Eq, a, b).map_err(refuse)?
                        }
                        Some(_) => {
                            return Err(refuse("CASE of something else than a column".to_owned()));
                        }
                    };
                    compiled.push((when, self.compile(&arm.then)?));
                }
                let otherwise = match otherwise {
                    Some(value) => Some(self.compile(value)?),
                    None => None,
                };
                case(compiled, otherwise).map_err(refuse)?
            }
            Expr::Cast { style, expr, to } => {
                let value = self.compile(expr)?;
                cast(value, *style, to).map_err(refuse)?
            }
            Expr::Collate(inner, name) => {
                let mut inner = self.compile(inner)?;
                let name = name.to_ascii_lowercase();
                match &inner.tp {
                    Type::Text(_) | Type::Named(_) if collation::is_known(&name) => {
                        let explicit = Collation::new(&name, Strength::Explicit);
                        inner.tp = match inner.tp {
                            Type::Named(_) => Type::Named(explicit),
                            _ => Type::Text(explicit),
                        };
                        inner
                    }
                    Type::Text(_) | Type::Named(_) => {
                        return Err(refuse(format!("texts are not compared under {name} here")));
                    }
                    tp => return Err(refuse(format!("COLLATE of {}", tp.name()))),
                }
            }
            Expr::Function(function) => self.function(function, refuse)?,
            _ => {
                return Err(refuse(
                    "expressions of this kind are not evaluated".to_owned(),
                ));
            }
        })
    }

    /// A part that is true or false.
    pub(super) fn condition(&mut self, expr: &Expr) -> Result<Node, CompileError> {
        let compiled = self.compile(expr)?;
        match compiled.tp {
            Type::Named(_)
            | Type::Hex
            | Type::Date
            | Type::DateTime { .. }
            | Type::Time { .. }
            | Type::Opaque(_) => Err(CompileError::Unsupported {
                part: shown(expr),
                what: format!("{} as a condition", compiled.tp.name()),
            }),
            _ => Ok(compiled),
        }
    }

    /// A column by its name; `Err(None)` if there is none.
    fn column(
        &mut self,
        in_schema: bool,
        table: Option<&str>,
        name: &str,
    ) -> Result<Node, Option<Refusal>> {
        // TiDB resolves names in a table of no database.
        let other = table.is_some_and(|table| !table.eq_ignore_ascii_case(&self.table.name));
        if in_schema || other {
            return Err(None);
        }
        let is = |column: &str| column.to_lowercase() == name.to_lowercase();
        if self.table.virtual_columns.iter().any(|column| is(column)) {
            return Err(Some(
                "it is a virtual generated column, whose values are not in the change feed"
                    .to_owned(),
            ));
        }
        let columns = &self.table.columns;
        let at = columns
            .iter()
            .position(|column| is(&column.name))
            .ok_or(None)?;
        let column = &columns[at];
        let tp = type_of(column);
        Ok(node(Op::Column(self.columns.take(at, column)), tp, false))
    }
}
