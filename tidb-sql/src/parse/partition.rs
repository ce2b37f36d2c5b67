//! Partitions.

use super::cursor::Cursor;
use crate::ast::{
    Expr, PartitionBy, PartitionDef, PartitionInterval, PartitionMethod, PartitionValues,
    SubPartitionDef, TableOption,
};
use crate::{ParseError, Release};

impl Cursor<'_> {
    pub(super) fn partition_by(&mut self) -> Result<PartitionBy, ParseError> {
        self.expect_all(&["PARTITION", "BY"])?;
        let method = self.partition_method()?;
        let is_range = matches!(
            method,
            PartitionMethod::Range(_) | PartitionMethod::RangeColumns(_)
        );
        let interval = match is_range && self.eat_since(Release::V6_5, "INTERVAL") {
            true => Some(self.partition_interval()?),
            false => None,
        };
        let mut count = match self.eat("PARTITIONS") {
            true => Some(self.number()?),
            false => None,
        };
        let mut sub = match self.eat_all(&["SUBPARTITION", "BY"]) {
            true => {
                let method = self.partition_method()?;
                let count = match self.eat("SUBPARTITIONS") {
                    true => Some(self.number()?),
                    false => None,
                };
                Some((method, count))
            }
            false => None,
        };
        let definitions = match self.is_sign("(") {
            true => self.partition_defs()?,
            false => Vec::new(),
        };
        if let (Some((_, count @ None)), Some(first)) = (&mut sub, definitions.first()) {
            // Counted by their names, where the first partition has some.
            *count = Some(first.sub.len() as u64).filter(|n| *n > 0);
        }
        let hashed = matches!(
            method,
            PartitionMethod::Hash { .. } | PartitionMethod::Key { .. }
        );
        if hashed && count.is_none() {
            count = Some(1);
        }
        let mut update_indexes = Vec::new();
        if self.release() >= Release::V8_5 && self.eat_all(&["UPDATE", "INDEXES"]) {
            update_indexes = self.parenthesised(|c| {
                let name = c.name()?;
                Ok((name, c.expect_any(&["GLOBAL", "LOCAL"])? == "GLOBAL"))
            })?;
        }
        Ok(PartitionBy {
            method,
            interval,
            count,
            sub,
            definitions,
            update_indexes,
        })
    }

    fn partition_method(&mut self) -> Result<PartitionMethod, ParseError> {
        let linear = self.eat("LINEAR");
        if self.eat("HASH") {
            let expr = self.in_parentheses()?;
            return Ok(PartitionMethod::Hash { linear, expr });
        }
        if self.eat("KEY") {
            let algorithm = match self.eat("ALGORITHM") {
                true => {
                    self.expect_sign("=")?;
                    Some(self.number()?)
                }
                false => None,
            };
            let columns = match self.is_sign("(") && self.is_sign_at(1, ")") {
                true => {
                    self.advance();
                    self.advance();
                    Vec::new()
                }
                false => self.parenthesised(Self::column_name)?,
            };
            return Ok(PartitionMethod::Key {
                linear,
                algorithm,
                columns,
            });
        }
        if linear {
            return Err(self.unexpected());
        }
        let is_range = self.expect_any(&["RANGE", "LIST"])? == "RANGE";
        if self.eat_any(&["COLUMNS", "FIELDS"]).is_some() {
            let columns = self.parenthesised(Self::column_name)?;
            return Ok(match is_range {
                true => PartitionMethod::RangeColumns(columns),
                false => PartitionMethod::ListColumns(columns),
            });
        }
        let expr = self.in_parentheses()?;
        Ok(match is_range {
            true => PartitionMethod::Range(expr),
            false => PartitionMethod::List(expr),
        })
    }

    /// `(expr)`, without the parentheses.
    pub(super) fn in_parentheses(&mut self) -> Result<Expr, ParseError> {
        self.expect_sign("(")?;
        let expr = self.expr()?;
        self.expect_sign(")")?;
        Ok(expr)
    }

    /// What stands behind INTERVAL.
    fn partition_interval(&mut self) -> Result<PartitionInterval, ParseError> {
        self.expect_sign("(")?;
        let expr = self.expr()?;
        let unit = match self.is_sign(")") {
            true => None,
            false => Some(self.time_unit()?),
        };
        self.expect_sign(")")?;
        let mut interval = PartitionInterval {
            expr,
            unit,
            first: None,
            last: None,
            null: false,
            maxvalue: false,
        };
        if self.eat_all(&["FIRST", "PARTITION", "LESS", "THAN"]) {
            interval.first = Some(self.in_parentheses()?);
            self.expect_all(&["LAST", "PARTITION", "LESS", "THAN"])?;
            interval.last = Some(self.in_parentheses()?);
        }
        interval.null = self.eat_all(&["NULL", "PARTITION"]);
        interval.maxvalue = self.eat_all(&["MAXVALUE", "PARTITION"]);
        Ok(interval)
    }

    pub(super) fn partition_defs(&mut self) -> Result<Vec<PartitionDef>, ParseError> {
        self.parenthesised(Self::partition_def)
    }

    fn partition_def(&mut self) -> Result<PartitionDef, ParseError> {
        self.expect("PARTITION")?;
        let name = self.name()?;
        let values = self.partition_values()?;
        let options = self.partition_options()?;
        let sub = match self.is_sign("(") {
            true => self.parenthesised(|c| {
                c.expect("SUBPARTITION")?;
                Ok(SubPartitionDef {
                    name: c.name()?,
                    options: c.partition_options()?,
                })
            })?,
            false => Vec::new(),
        };
        Ok(PartitionDef {
            name,
            values,
            options,
            sub,
        })
    }

    pub(super) fn partition_options(&mut self) -> Result<Vec<TableOption>, ParseError> {
        let mut options = Vec::new();
        while let Some(option) = self.partition_option()? {
            options.push(option);
        }
        Ok(options)
    }

    fn partition_values(&mut self) -> Result<PartitionValues, ParseError> {
        if self.eat("DEFAULT") {
            return Ok(PartitionValues::Default);
        }
        if !self.eat("VALUES") {
            return Ok(PartitionValues::None);
        }
        if self.eat("LESS") {
            self.expect("THAN")?;
            if self.eat("MAXVALUE") {
                return Ok(PartitionValues::LessThan(vec![Expr::MaxValue]));
            }
            let bounds = self.parenthesised(Self::bound)?;
            return Ok(PartitionValues::LessThan(bounds));
        }
        self.expect("IN")?;
        let values = self.parenthesised(|c| match c.eat("DEFAULT") {
            true => Ok(vec![Expr::Default(None)]),
            false => c.bound().map(|value| match value {
                Expr::Row(values) => values,
                Expr::Paren(value) => vec![*value],
                other => vec![other],
            }),
        })?;
        Ok(match values.as_slice() {
            [one] if one.as_slice() == [Expr::Default(None)] => PartitionValues::Default,
            _ => PartitionValues::In(values),
        })
    }

    /// A value, or MAXVALUE.
    fn bound(&mut self) -> Result<Expr, ParseError> {
        match self.eat("MAXVALUE") {
            true => Ok(Expr::MaxValue),
            false => self.expr(),
        }
    }
}
