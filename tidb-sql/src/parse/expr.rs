//! Expressions, by precedence.

use super::cursor::Cursor;
use crate::ast::{
    BinaryOp, CaseArm, CastStyle, CastType, DataType, Expr, Function, Literal, Truth, TypeKind,
    UnaryOp,
};
use crate::lexer::{self, TokenKind};
use crate::{ParseError, charset};

/// How tightly operators bind, loosest first.
mod level {
    pub(super) const OR: u8 = 1;
    pub(super) const XOR: u8 = 2;
    pub(super) const AND: u8 = 3;
    pub(super) const NOT: u8 = 4;
    pub(super) const COMPARE: u8 = 5;
    pub(super) const PREDICATE: u8 = 6;
    pub(super) const BIT_OR: u8 = 7;
    pub(super) const BIT_AND: u8 = 8;
    pub(super) const SHIFT: u8 = 9;
    pub(super) const ADD: u8 = 10;
    pub(super) const MULTIPLY: u8 = 11;
    pub(super) const BIT_XOR: u8 = 12;
    pub(super) const CONCAT: u8 = 13;
}

impl Cursor<'_> {
    pub(super) fn expr(&mut self) -> Result<Expr, ParseError> {
        self.deeper(|c| c.expr_from(level::OR))
    }

    /// An expression of operators that bind at least as tightly as `least`.
    fn expr_from(&mut self, least: u8) -> Result<Expr, ParseError> {
        let mut left = if least <= level::NOT
            && !self.options.mode.high_not_precedence
            && self.is_word_at(0, "NOT")
            && !self.is_word_at(1, "EXISTS")
        {
            self.advance();
            self.higher()?;
            let operand = self.deeper(|c| c.expr_from(level::NOT))?;
            Expr::Unary(UnaryOp::Not, Box::new(operand))
        } else {
            self.simple()?
        };
        loop {
            if let Some((op, level)) = self.binary_op(least) {
                self.advance();
                self.higher()?;
                left = self.binary(left, op, level)?;
            } else if least <= level::CONCAT
                && self.options.mode.pipes_as_concat
                && self.eat_sign("||")
            {
                self.higher()?;
                let right = self.simple()?;
                left = plain("CONCAT", vec![left, right]);
            } else if least <= level::COMPARE && self.eat("IS") {
                self.higher()?;
                let negated = self.eat("NOT");
                let truth = match self.expect_any(&["NULL", "TRUE", "FALSE", "UNKNOWN"])? {
                    "TRUE" => Truth::True,
                    "FALSE" => Truth::False,
                    _ => Truth::Null,
                };
                left = Expr::Is {
                    expr: Box::new(left),
                    negated,
                    truth,
                };
            } else if least <= level::PREDICATE && self.is_predicate() {
                self.higher()?;
                left = self.predicate(left)?;
            } else {
                return Ok(left);
            }
        }
    }

    /// The operator that is next, if it binds tightly enough.
    fn binary_op(&mut self, least: u8) -> Option<(BinaryOp, u8)> {
        let token = self.peek()?;
        let found = match token.kind {
            TokenKind::Sign => match token.text {
                "||" if !self.options.mode.pipes_as_concat => (BinaryOp::Or, level::OR),
                "&&" => (BinaryOp::And, level::AND),
                "=" => (BinaryOp::Eq, level::COMPARE),
                "<=>" => (BinaryOp::NullSafeEq, level::COMPARE),
                "!=" | "<>" => (BinaryOp::Ne, level::COMPARE),
                "<" => (BinaryOp::Lt, level::COMPARE),
                "<=" => (BinaryOp::Le, level::COMPARE),
                ">" => (BinaryOp::Gt, level::COMPARE),
                ">=" => (BinaryOp::Ge, level::COMPARE),
                "|" => (BinaryOp::BitOr, level::BIT_OR),
                "&" => (BinaryOp::BitAnd, level::BIT_AND),
                "<<" => (BinaryOp::ShiftLeft, level::SHIFT),
                ">>" => (BinaryOp::ShiftRight, level::SHIFT),
                "+" => (BinaryOp::Add, level::ADD),
                "-" => (BinaryOp::Subtract, level::ADD),
                "*" => (BinaryOp::Multiply, level::MULTIPLY),
                "/" => (BinaryOp::Divide, level::MULTIPLY),
                "%" => (BinaryOp::Mod, level::MULTIPLY),
                "^" => (BinaryOp::BitXor, level::BIT_XOR),
                _ => return None,
            },
            TokenKind::Word => match token.text.to_ascii_uppercase().as_str() {
                "OR" => (BinaryOp::Or, level::OR),
                "XOR" => (BinaryOp::Xor, level::XOR),
                "AND" => (BinaryOp::And, level::AND),
                "DIV" => (BinaryOp::IntDivide, level::MULTIPLY),
                "MOD" => (BinaryOp::Mod, level::MULTIPLY),
                _ => return None,
            },
            _ => return None,
        };
        Some(found).filter(|(_, level)| *level >= least)
    }

    fn binary(&mut self, left: Expr, op: BinaryOp, level: u8) -> Result<Expr, ParseError> {
        if level == level::COMPARE
            && let Some(quantifier) = self.eat_any(&["ANY", "SOME", "ALL"])
        {
            self.expect_sign("(")?;
            let query = Box::new(self.query()?);
            self.expect_sign(")")?;
            return Ok(Expr::Compare {
                expr: Box::new(left),
                op,
                all: quantifier == "ALL",
                query,
            });
        }
        let adds = matches!(op, BinaryOp::Add | BinaryOp::Subtract);
        if adds && self.is_word_at(0, "INTERVAL") {
            self.advance();
            let interval = Box::new(self.expr()?);
            return Ok(Expr::Function(Function::DateArithmetic {
                name: match op {
                    BinaryOp::Add => "DATE_ADD",
                    _ => "DATE_SUB",
                },
                date: Box::new(left),
                interval,
                unit: self.time_unit()?,
            }));
        }
        let right = self.deeper(|c| c.expr_from(level + 1))?;
        Ok(Expr::Binary(Box::new(left), op, Box::new(right)))
    }

    fn is_predicate(&mut self) -> bool {
        const WORDS: [&str; 6] = ["BETWEEN", "IN", "LIKE", "ILIKE", "REGEXP", "RLIKE"];
        if self.is_word_at(0, "MEMBER") {
            return self.is_word_at(1, "OF");
        }
        if self.is_word_at(0, "NOT") {
            return WORDS.iter().any(|word| self.is_word_at(1, word));
        }
        WORDS.iter().any(|word| self.is_word_at(0, word))
    }

    fn predicate(&mut self, left: Expr) -> Result<Expr, ParseError> {
        if self.eat_all(&["MEMBER", "OF"]) {
            self.expect_sign("(")?;
            let array = Box::new(self.simple()?);
            self.expect_sign(")")?;
            return Ok(Expr::Function(Function::MemberOf(Box::new(left), array)));
        }
        let negated = self.eat("NOT");
        let expr = Box::new(left);
        if self.eat("BETWEEN") {
            let low = Box::new(self.deeper(|c| c.expr_from(level::BIT_OR))?);
            self.expect("AND")?;
            let high = Box::new(self.deeper(|c| c.expr_from(level::PREDICATE))?);
            return Ok(Expr::Between {
                expr,
                negated,
                low,
                high,
            });
        }
        if self.eat("IN") {
            self.expect_sign("(")?;
            if self.is_query_at(0) {
                let query = Box::new(self.query()?);
                self.expect_sign(")")?;
                return Ok(Expr::InQuery {
                    expr,
                    negated,
                    query,
                });
            }
            let list = self.list(Self::expr)?;
            self.expect_sign(")")?;
            return Ok(Expr::In {
                expr,
                negated,
                list,
            });
        }
        if let Some(word) = self.eat_any(&["LIKE", "ILIKE"]) {
            let pattern = Box::new(self.simple()?);
            let escape = match self.eat("ESCAPE") {
                true => Some(self.string()?).filter(|text| !matches!(text.as_str(), "\\" | "")),
                false => None,
            };
            return Ok(Expr::Like {
                expr,
                negated,
                ignore_case: word == "ILIKE",
                pattern,
                escape,
            });
        }
        self.expect_any(&["REGEXP", "RLIKE"])?;
        Ok(Expr::Regexp {
            expr,
            negated,
            pattern: Box::new(self.simple()?),
        })
    }

    /// An operand: what binds more tightly than any operator between two.
    pub(super) fn simple(&mut self) -> Result<Expr, ParseError> {
        let mut expr = self.deeper(Self::operand)?;
        while self.eat("COLLATE") {
            self.higher()?;
            expr = Expr::Collate(Box::new(expr), self.collation_name()?);
        }
        Ok(expr)
    }

    fn operand(&mut self) -> Result<Expr, ParseError> {
        let prefixes = [
            ("-", UnaryOp::Minus),
            ("+", UnaryOp::Plus),
            ("~", UnaryOp::BitNot),
            ("!", UnaryOp::Bang),
        ];
        for (sign, op) in prefixes {
            if self.eat_sign(sign) {
                self.higher()?;
                return Ok(Expr::Unary(op, Box::new(self.simple()?)));
            }
        }
        if self.options.mode.high_not_precedence && self.eat("NOT") {
            self.higher()?;
            return Ok(Expr::Unary(UnaryOp::Bang, Box::new(self.simple()?)));
        }
        if let Some(literal) = self.literal()? {
            return Ok(Expr::Literal(literal));
        }
        if self.is_sign("(") {
            return self.parenthesis();
        }
        if self.eat_sign("{") {
            return self.odbc();
        }
        let negated = self.is_word_at(0, "NOT") && self.is_word_at(1, "EXISTS");
        if negated {
            self.advance();
        }
        if self.is_sign_at(1, "(") && self.eat("EXISTS") {
            self.expect_sign("(")?;
            let query = Box::new(self.query()?);
            self.expect_sign(")")?;
            return Ok(Expr::Exists { negated, query });
        }
        if self.eat("CASE") {
            return self.case();
        }
        if self.eat("BINARY") {
            self.higher()?;
            return Ok(Expr::Cast {
                style: CastStyle::Binary,
                expr: Box::new(self.simple()?),
                to: CastType::Type(DataType::new(TypeKind::Binary)),
            });
        }
        if self.eat("DEFAULT") {
            let column = match self.eat_sign("(") {
                true => {
                    let column = self.column_name()?;
                    self.expect_sign(")")?;
                    Some(column)
                }
                false => None,
            };
            return Ok(Expr::Default(column));
        }
        if self.is_sign("@") || self.is_sign("@@") {
            return self.variable();
        }
        if let Some(call) = self.call()? {
            return Ok(call);
        }
        if self.is_name() {
            return self.column();
        }
        Err(self.missing("an expression"))
    }

    /// A column, with the JSON paths behind it.
    fn column(&mut self) -> Result<Expr, ParseError> {
        let column = Expr::Column(self.column_name()?);
        let unquote = if self.eat_sign("->>") {
            true
        } else if self.eat_sign("->") {
            false
        } else {
            return Ok(column);
        };
        let path = Expr::Literal(Literal::String {
            charset: None,
            value: self.string()?,
        });
        let extract = plain("JSON_EXTRACT", vec![column, path]);
        Ok(match unquote {
            true => plain("JSON_UNQUOTE", vec![extract]),
            false => extract,
        })
    }

    fn parenthesis(&mut self) -> Result<Expr, ParseError> {
        self.expect_sign("(")?;
        if self.is_query_at(0) {
            let query = Box::new(self.query()?);
            self.expect_sign(")")?;
            return Ok(Expr::Query(query));
        }
        let mut items = self.list(Self::expr)?;
        self.expect_sign(")")?;
        Ok(match (items.pop(), items.is_empty()) {
            (Some(one), true) => Expr::Paren(Box::new(one)),
            (last, _) => Expr::Row(items.into_iter().chain(last).collect()),
        })
    }

    /// `{d '2020-02-02'}` and the like, from behind the brace; under another word the expression by itself.
    fn odbc(&mut self) -> Result<Expr, ParseError> {
        const KEYWORDS: [(&str, &str); 3] = [("d", "DATE"), ("t", "TIME"), ("ts", "TIMESTAMP")];
        let word = self.name()?;
        let keyword = KEYWORDS.iter().find(|(name, _)| *name == word);
        let expr = match (keyword, self.expr()?) {
            (
                Some((_, keyword)),
                Expr::Literal(Literal::String {
                    charset: None,
                    value,
                }),
            ) => Expr::Literal(Literal::Temporal(keyword, value)),
            (_, expr) => expr,
        };
        self.expect_sign("}")?;
        Ok(expr)
    }

    fn case(&mut self) -> Result<Expr, ParseError> {
        let operand = match self.is("WHEN") {
            true => None,
            false => Some(Box::new(self.expr()?)),
        };
        let mut arms = Vec::new();
        while self.eat("WHEN") {
            let when = self.expr()?;
            self.expect("THEN")?;
            arms.push(CaseArm {
                when,
                then: self.expr()?,
            });
        }
        if arms.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = match self.eat("ELSE") {
            true => Some(Box::new(self.expr()?)),
            false => None,
        };
        self.expect("END")?;
        Ok(Expr::Case {
            operand,
            arms,
            otherwise,
        })
    }

    fn variable(&mut self) -> Result<Expr, ParseError> {
        let system = !self.eat_sign("@");
        if system {
            self.expect_sign("@@")?;
        }
        let mut scope = None;
        if system && self.is_sign_at(1, ".") {
            scope = self.eat_any(&["GLOBAL", "SESSION", "LOCAL", "INSTANCE"]);
            if scope.is_some() {
                self.expect_sign(".")?;
            }
        }
        let name = match self.is_kind(TokenKind::Text) {
            true => self.string()?,
            false => self.any_word()?,
        };
        Ok(Expr::Variable {
            system,
            scope,
            name: name.to_lowercase(),
        })
    }

    /// A constant, if one is next.
    pub(super) fn literal(&mut self) -> Result<Option<Literal>, ParseError> {
        let Some(token) = self.peek() else {
            return Ok(None);
        };
        let literal = match token.kind {
            TokenKind::Text => {
                return Ok(Some(Literal::String {
                    charset: None,
                    value: self.string()?,
                }));
            }
            TokenKind::Integer => match token.text.parse() {
                Ok(value) => Literal::Integer(value),
                Err(_) => Literal::Decimal(decimal(token.text)),
            },
            TokenKind::Decimal => Literal::Decimal(decimal(token.text)),
            TokenKind::Float => {
                let value: f64 = token.text.parse().unwrap_or(f64::INFINITY);
                if !value.is_finite() {
                    return Err(self.bad_value("double"));
                }
                Literal::Float(value)
            }
            TokenKind::Hex | TokenKind::Bits => self.bytes(None)?,
            TokenKind::Word if self.is_sign_at(1, ".") => return Ok(None),
            TokenKind::Word => return self.word_literal(token.text),
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }

    /// The bytes of the token that is next.
    fn bytes(&self, charset: Option<String>) -> Result<Literal, ParseError> {
        let Some(token) = self.peek() else {
            return Err(self.unexpected());
        };
        Ok(match token.kind {
            TokenKind::Hex => Literal::Hex {
                charset,
                value: lexer::hex_value(token.text)
                    .ok_or_else(|| self.bad_value("hexadecimal literal"))?,
            },
            _ => Literal::Bits {
                charset,
                value: lexer::bits_value(token.text)
                    .ok_or_else(|| self.bad_value("bit literal"))?,
            },
        })
    }

    /// A constant that begins with a word.
    fn word_literal(&mut self, word: &str) -> Result<Option<Literal>, ParseError> {
        let next = self.peek_at(1).map(|token| token.kind);
        let introduced = matches!(
            next,
            Some(TokenKind::Text | TokenKind::Hex | TokenKind::Bits)
        );
        let literal = match word.to_ascii_uppercase().as_str() {
            "NULL" => Literal::Null,
            "TRUE" => Literal::Bool(true),
            "FALSE" => Literal::Bool(false),
            "DATE" | "TIME" | "TIMESTAMP" if next == Some(TokenKind::Text) => {
                let keyword = self
                    .eat_any(&["DATE", "TIMESTAMP", "TIME"])
                    .unwrap_or("DATE");
                return Ok(Some(Literal::Temporal(keyword, self.string()?)));
            }
            "N" if next == Some(TokenKind::Text) => {
                self.advance();
                return Ok(Some(Literal::String {
                    charset: Some("utf8".to_owned()),
                    value: self.string()?,
                }));
            }
            _ if introduced && word.starts_with('_') => {
                let Some(charset) = word.get(1..).and_then(charset::charset) else {
                    return Ok(None);
                };
                self.advance();
                let charset = Some(charset.to_owned());
                if next == Some(TokenKind::Text) {
                    return Ok(Some(Literal::String {
                        charset,
                        value: self.string()?,
                    }));
                }
                self.bytes(charset)?
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }
}

/// A call by its name.
pub(super) fn plain(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function::Plain {
        schema: None,
        name: name.to_owned(),
        args,
    })
}

/// A number's digits as TiDB's decimals print them: a 0 before the point, no zeros before that, no point at the end.
fn decimal(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    match fraction {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals() {
        for (text, expected) in [
            ("1.50", "1.50"),
            (".5", "0.5"),
            ("007.1", "7.1"),
            ("5.", "5"),
        ] {
            assert_eq!(decimal(text), expected);
        }
    }
}
