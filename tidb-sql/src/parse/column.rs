//! Definitions of columns.

use super::cursor::Cursor;
use crate::ast::{
    AutoRandom, Clustering, ColumnDef, ColumnOption, DataType, Expr, Function, Literal, TypeKind,
    UnaryOp,
};
use crate::{ParseError, Release};

impl Cursor<'_> {
    pub(super) fn column_def(&mut self) -> Result<ColumnDef, ParseError> {
        let name = self.column_name()?;
        let mut options = Vec::new();
        let data_type = if self.eat("SERIAL") {
            options.extend(serial());
            DataType {
                unsigned: true,
                ..DataType::new(TypeKind::BigInt)
            }
        } else {
            self.data_type()?
        };
        while self.column_option(&mut options)? {}
        Ok(ColumnDef {
            name,
            data_type,
            options,
        })
    }

    /// Reads an option, if there is one.
    fn column_option(&mut self, options: &mut Vec<ColumnOption>) -> Result<bool, ParseError> {
        let option = if self.eat_all(&["NOT", "NULL"]) {
            ColumnOption::NotNull
        } else if self.eat("NULL") {
            ColumnOption::Null
        } else if self.eat("AUTO_INCREMENT") {
            ColumnOption::AutoIncrement
        } else if self.eat("PRIMARY") {
            self.expect("KEY")?;
            self.primary_key()
        } else if self.eat("KEY") {
            self.primary_key()
        } else if self.eat("UNIQUE") {
            self.eat("KEY");
            ColumnOption::Unique {
                global: self.is_global(),
            }
        } else if self.eat("DEFAULT") {
            ColumnOption::Default(self.default_value()?)
        } else if self.eat_all(&["SERIAL", "DEFAULT", "VALUE"]) {
            options.extend(serial());
            return Ok(true);
        } else if self.eat_all(&["ON", "UPDATE"]) {
            let now = self.now()?;
            ColumnOption::OnUpdate(now.ok_or_else(|| self.missing("CURRENT_TIMESTAMP"))?)
        } else if self.eat("COMMENT") {
            ColumnOption::Comment(self.string()?)
        } else if self.is("CONSTRAINT") || self.is("CHECK") {
            return self.column_check(options).map(|()| true);
        } else if self.is("GENERATED") || self.is("AS") {
            self.generated()?
        } else if self.is("REFERENCES") {
            ColumnOption::References(self.reference()?)
        } else if self.eat("COLLATE") {
            ColumnOption::Collate(self.collation_name()?)
        } else if self.eat("COLUMN_FORMAT") {
            ColumnOption::Format(self.expect_any(&["DEFAULT", "FIXED", "DYNAMIC"])?)
        } else if self.eat("STORAGE") {
            ColumnOption::Storage(self.expect_any(&["DEFAULT", "DISK", "MEMORY"])?)
        } else if self.eat("AUTO_RANDOM") {
            ColumnOption::AutoRandom(self.auto_random()?)
        } else {
            return Ok(false);
        };
        options.push(option);
        Ok(true)
    }

    fn primary_key(&mut self) -> ColumnOption {
        ColumnOption::PrimaryKey {
            clustering: self.clustering(),
            global: self.is_global(),
        }
    }

    /// `[GLOBAL | LOCAL]`.
    fn is_global(&mut self) -> bool {
        self.release() >= Release::V8_5 && self.eat_any(&["GLOBAL", "LOCAL"]) == Some("GLOBAL")
    }

    pub(super) fn clustering(&mut self) -> Clustering {
        if self.eat_since(Release::V6_5, "CLUSTERED") {
            Clustering::Clustered
        } else if self.eat_since(Release::V6_5, "NONCLUSTERED") {
            Clustering::NonClustered
        } else {
            Clustering::Unspecified
        }
    }

    /// A check; NOT NULL behind it is an option of its own.
    fn column_check(&mut self, options: &mut Vec<ColumnOption>) -> Result<(), ParseError> {
        let name = match self.eat("CONSTRAINT") && !self.is("CHECK") {
            true => Some(self.name()?),
            false => None,
        };
        self.expect("CHECK")?;
        self.expect_sign("(")?;
        let expr = self.expr()?;
        self.expect_sign(")")?;
        options.push(ColumnOption::Check {
            name,
            expr,
            enforced: self.enforced(),
        });
        Ok(())
    }

    /// `[[NOT] ENFORCED]`.
    pub(super) fn enforced(&mut self) -> bool {
        if self.eat_all(&["NOT", "ENFORCED"]) {
            return false;
        }
        self.eat("ENFORCED");
        true
    }

    fn generated(&mut self) -> Result<ColumnOption, ParseError> {
        if self.eat("GENERATED") {
            self.expect("ALWAYS")?;
        }
        self.expect("AS")?;
        self.expect_sign("(")?;
        let expr = self.expr()?;
        self.expect_sign(")")?;
        let stored = self.eat_any(&["VIRTUAL", "STORED"]) == Some("STORED");
        Ok(ColumnOption::Generated { expr, stored })
    }

    fn auto_random(&mut self) -> Result<AutoRandom, ParseError> {
        let mut out = AutoRandom::default();
        if self.eat_sign("(") {
            out.shard_bits = Some(self.number()?);
            if self.release() >= Release::V6_5 && self.eat_sign(",") {
                out.range_bits = Some(self.number()?);
            }
            self.expect_sign(")")?;
        }
        Ok(out)
    }

    /// What DEFAULT may be: now, a constant, a call, the last also in parentheses.
    fn default_value(&mut self) -> Result<Expr, ParseError> {
        if let Some(next) = self.next_value()? {
            return Ok(next);
        }
        if let Some(now) = self.now()? {
            return Ok(now);
        }
        if self.release() >= Release::V6_5 && self.is_sign("(") {
            return self.deeper(|c| {
                c.expect_sign("(")?;
                let inner = match c.is_sign("(") {
                    true => c.default_value()?,
                    false => c.expr()?,
                };
                c.expect_sign(")")?;
                Ok(as_now(inner))
            });
        }
        if self.release() >= Release::V6_5 && self.is_sign_at(1, "(") {
            return self.simple();
        }
        self.signed_literal()
    }

    /// A constant with a sign.
    pub(super) fn signed_literal(&mut self) -> Result<Expr, ParseError> {
        let op = if self.eat_sign("-") {
            Some(UnaryOp::Minus)
        } else if self.eat_sign("+") {
            Some(UnaryOp::Plus)
        } else {
            None
        };
        let literal = self.literal()?;
        let literal = literal.ok_or_else(|| self.missing("a constant"))?;
        match op {
            None => Ok(Expr::Literal(literal)),
            Some(_)
                if !matches!(
                    literal,
                    Literal::Integer(_) | Literal::Decimal(_) | Literal::Float(_)
                ) =>
            {
                Err(self.missing("a number"))
            }
            Some(op) => Ok(Expr::Unary(op, Box::new(Expr::Literal(literal)))),
        }
    }

    /// CURRENT_TIMESTAMP under any of its names, with its digits; CURRENT_DATE.
    pub(super) fn now(&mut self) -> Result<Option<Expr>, ParseError> {
        let plain = |name: &str, args| {
            Expr::Function(Function::Plain {
                schema: None,
                name: name.to_owned(),
                args,
            })
        };
        if self.is_word_at(0, "NOW") && !self.is_sign_at(1, "(") {
            return Ok(None);
        }
        if self
            .eat_any(&["CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP", "NOW"])
            .is_some()
        {
            let mut args = Vec::new();
            if self.eat_sign("(") {
                if !self.is_sign(")") {
                    args.push(Expr::Literal(Literal::Integer(self.number()?)));
                }
                self.expect_sign(")")?;
            }
            return Ok(Some(plain("CURRENT_TIMESTAMP", args)));
        }
        let has_parentheses = self.is_sign_at(1, "(");
        if self.release() >= Release::V6_5
            && (self.eat("CURRENT_DATE") || has_parentheses && self.eat("CURDATE"))
        {
            if self.eat_sign("(") {
                self.expect_sign(")")?;
            }
            return Ok(Some(plain("CURRENT_DATE", Vec::new())));
        }
        Ok(None)
    }

    /// `NEXT VALUE FOR s`, `NEXTVAL(s)`.
    fn next_value(&mut self) -> Result<Option<Expr>, ParseError> {
        let sequence = |name| Some(Expr::Function(Function::Sequence("NEXTVAL", name)));
        if self.eat_all(&["NEXT", "VALUE", "FOR"]) {
            return Ok(sequence(self.table_name()?));
        }
        if self.is_sign_at(1, "(") && self.eat("NEXTVAL") {
            self.expect_sign("(")?;
            let name = self.table_name()?;
            self.expect_sign(")")?;
            return Ok(sequence(name));
        }
        Ok(None)
    }
}

/// What SERIAL means.
fn serial() -> [ColumnOption; 3] {
    [
        ColumnOption::NotNull,
        ColumnOption::AutoIncrement,
        ColumnOption::Unique { global: false },
    ]
}

/// In parentheses, the other names of CURRENT_TIMESTAMP and CURRENT_DATE are those too.
fn as_now(expr: Expr) -> Expr {
    const NAMES: [(&str, &str); 4] = [
        ("LOCALTIME", "CURRENT_TIMESTAMP"),
        ("LOCALTIMESTAMP", "CURRENT_TIMESTAMP"),
        ("NOW", "CURRENT_TIMESTAMP"),
        ("CURDATE", "CURRENT_DATE"),
    ];
    match expr {
        Expr::Function(Function::Plain {
            schema: None,
            name,
            args,
        }) => {
            let other = NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(&name));
            Expr::Function(Function::Plain {
                schema: None,
                name: other.map_or(name, |(_, other)| (*other).to_owned()),
                args,
            })
        }
        other => other,
    }
}
