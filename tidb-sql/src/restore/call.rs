//! Calls and windows.

use super::Writer;
use crate::ast::{Expr, Frame, FrameBound, Function, Literal, Window, WindowSpec};

impl Writer {
    pub(super) fn function(&mut self, function: &Function) {
        match function {
            Function::Plain { schema, name, args } => {
                if let Some(schema) = schema {
                    self.name(schema);
                    self.text(".");
                }
                self.text(match &*name.to_uppercase() {
                    "INSERT" => "INSERT_FUNC",
                    "PASSWORD" => "PASSWORD_FUNC",
                    name => name,
                });
                self.text("(");
                self.list(args, ", ", Self::expr);
                self.text(")");
            }
            Function::Aggregate {
                name,
                distinct,
                args,
                order,
                separator,
            } => {
                self.text(match &*name.to_uppercase() {
                    "STD" | "STDDEV" => "STDDEV_POP",
                    "VARIANCE" => "VAR_POP",
                    name => name,
                });
                self.text("(");
                self.text_if(*distinct, "DISTINCT ");
                self.list(args, ", ", Self::expr);
                if !order.is_empty() {
                    self.text(" ORDER BY ");
                    self.list(order, ",", Self::order_by);
                }
                if let Some(separator) = separator {
                    self.text(" SEPARATOR ");
                    self.string_value(separator);
                }
                self.text(")");
            }
            Function::DateArithmetic {
                name,
                date,
                interval,
                unit,
            } => {
                self.text(name);
                self.text("(");
                self.expr(date);
                self.text(", INTERVAL ");
                self.expr(interval);
                self.text(" ");
                self.text(unit.keyword());
                self.text(")");
            }
            Function::Extract(unit, from) => {
                self.text("EXTRACT(");
                self.text(unit.keyword());
                self.text(" FROM ");
                self.expr(from);
                self.text(")");
            }
            Function::WithUnit(name, unit, args) => {
                self.text(name);
                self.text("(");
                self.text(unit.keyword());
                for arg in args {
                    self.text(", ");
                    self.expr(arg);
                }
                self.text(")");
            }
            Function::GetFormat(kind, format) => {
                self.text("GET_FORMAT(");
                self.text(kind);
                self.text(", ");
                self.expr(format);
                self.text(")");
            }
            Function::ConvertUsing(expr, charset) => {
                self.text("CONVERT(");
                self.expr(expr);
                self.text(" USING ");
                self.string(charset);
                self.text(")");
            }
            Function::Char(args, charset) => {
                self.text("CHAR_FUNC(");
                self.list(args, ", ", Self::expr);
                self.text(", ");
                match charset {
                    Some(charset) => self.string(charset),
                    None => self.text("NULL"),
                }
                self.text(")");
            }
            Function::Position(part, whole) => {
                self.text("POSITION(");
                self.expr(part);
                self.text(" IN ");
                self.expr(whole);
                self.text(")");
            }
            Function::Trim {
                direction,
                remove,
                text,
            } => {
                self.text("TRIM(");
                if let Some(direction) = direction {
                    self.text(direction);
                    self.text(" ");
                }
                match remove {
                    Some(remove) => self.expr(remove),
                    None if direction.is_some() => self.expr(&Expr::Literal(Literal::String {
                        charset: None,
                        value: " ".to_owned(),
                    })),
                    None => {}
                }
                self.text_if(direction.is_some() || remove.is_some(), " ");
                self.text_if(direction.is_some() || remove.is_some(), "FROM ");
                self.expr(text);
                self.text(")");
            }
            Function::WeightString(text, kind, length) => {
                self.text("WEIGHT_STRING(");
                self.expr(text);
                self.text(" AS ");
                self.text(kind);
                self.text("(");
                self.number(length);
                self.text("))");
            }
            Function::MemberOf(member, array) => {
                self.expr(member);
                self.text(" MEMBER OF (");
                self.expr(array);
                self.text(")");
            }
            Function::Sequence(name, sequence) => {
                self.text(name);
                self.text("(");
                self.table_name(sequence);
                self.text(")");
            }
        }
    }

    pub(super) fn window(&mut self, window: &Window) {
        match window {
            Window::Named(name) => self.name(name),
            Window::Spec(spec) => {
                self.text("(");
                self.window_spec(spec);
                self.text(")");
            }
        }
    }

    pub(super) fn window_spec(&mut self, spec: &WindowSpec) {
        let start = self.out.len();
        if let Some(base) = &spec.base {
            self.name(base);
        }
        for (lead, items, between) in [
            ("PARTITION BY ", &spec.partition, ", "),
            ("ORDER BY ", &spec.order, ","),
        ] {
            if !items.is_empty() {
                self.text_if(self.out.len() > start, " ");
                self.text(lead);
                self.list(items, between, Self::order_by);
            }
        }
        if let Some(frame) = &spec.frame {
            self.text_if(self.out.len() > start, " ");
            self.frame(frame);
        }
    }

    fn frame(&mut self, frame: &Frame) {
        self.text(frame.kind);
        self.text(" BETWEEN ");
        self.bound(&frame.start);
        self.text(" AND ");
        self.bound(&frame.end);
    }

    fn bound(&mut self, bound: &FrameBound) {
        let FrameBound::Away {
            by,
            unit,
            following,
        } = bound
        else {
            return self.text("CURRENT ROW");
        };
        match by {
            None => self.text("UNBOUNDED"),
            Some(by) => {
                self.text_if(unit.is_some(), "INTERVAL ");
                self.expr(by);
                if let Some(unit) = unit {
                    self.text(" ");
                    self.text(unit.keyword());
                }
            }
        }
        self.text(if *following {
            " FOLLOWING"
        } else {
            " PRECEDING"
        });
    }
}
