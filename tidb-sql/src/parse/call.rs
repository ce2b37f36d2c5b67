//! Calls.

use super::cursor::Cursor;
use super::expr::plain;
use crate::ast::{
    BinaryOp, CastStyle, CastType, DataType, Expr, Frame, FrameBound, Function, Literal, TimeUnit,
    TypeKind, Window, WindowSpec,
};
use crate::{ParseError, Release};

/// Units of time.
const UNITS: [&str; 20] = [
    "MICROSECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_SECOND",
    "HOUR_MINUTE",
    "DAY_MICROSECOND",
    "DAY_SECOND",
    "DAY_MINUTE",
    "DAY_HOUR",
    "YEAR_MONTH",
];
/// Functions that need no parentheses.
const BARE: [&str; 10] = [
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_USER",
    "CURRENT_ROLE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];
const AGGREGATES: [&str; 22] = [
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "GROUP_CONCAT",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
    "APPROX_COUNT_DISTINCT",
    "APPROX_PERCENTILE",
    "ANY_VALUE",
    "JSON_SUM_CRC32",
];
const WINDOW_FUNCTIONS: [&str; 11] = [
    "ROW_NUMBER",
    "RANK",
    "DENSE_RANK",
    "CUME_DIST",
    "PERCENT_RANK",
    "NTILE",
    "LEAD",
    "LAG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "NTH_VALUE",
];
/// Reserved words that are functions before a parenthesis.
const RESERVED_FUNCTIONS: [&str; 14] = [
    "IF",
    "LEFT",
    "RIGHT",
    "REPLACE",
    "INSERT",
    "REPEAT",
    "DATABASE",
    "SCHEMA",
    "INTERVAL",
    "CURRENT_DATE",
    "UTC_DATE",
    "TIDB_CURRENT_TSO",
    "ASCII",
    "RELEASE",
];

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

impl Cursor<'_> {
    /// A call, if one is next.
    pub(super) fn call(&mut self) -> Result<Option<Expr>, ParseError> {
        let Some(token) = self
            .peek()
            .filter(|t| t.kind == crate::lexer::TokenKind::Word)
        else {
            return Ok(None);
        };
        let word = token.text;
        if !self.is_sign_at(1, "(") {
            return self.bare_call(word);
        }
        if let Some(call) = self.special_call(word)? {
            return Ok(Some(call));
        }
        if is_one_of(word, &AGGREGATES) {
            return self.aggregate(word).map(Some);
        }
        if is_one_of(word, &WINDOW_FUNCTIONS) {
            return self.window_function(word).map(Some);
        }
        let known = is_one_of(word, &BARE) || is_one_of(word, &RESERVED_FUNCTIONS);
        if !known && crate::keywords::is_reserved(word) {
            return Ok(None);
        }
        let name = word.to_owned();
        self.advance();
        let args = self.arguments()?;
        Ok(Some(plain(&name, args)))
    }

    /// A call without parentheses.
    fn bare_call(&mut self, word: &str) -> Result<Option<Expr>, ParseError> {
        if self.eat_all(&["NEXT", "VALUE", "FOR"]) {
            let sequence = Function::Sequence("NEXTVAL", self.table_name()?);
            return Ok(Some(Expr::Function(sequence)));
        }
        if !is_one_of(word, &BARE) || self.is_sign_at(1, ".") {
            if self.is_word_at(0, "INTERVAL") {
                return self.interval_first().map(Some);
            }
            return Ok(None);
        }
        let name = word.to_owned();
        self.advance();
        Ok(Some(plain(&name, Vec::new())))
    }

    /// `INTERVAL a unit + b`.
    fn interval_first(&mut self) -> Result<Expr, ParseError> {
        self.expect("INTERVAL")?;
        let interval = Box::new(self.expr()?);
        let unit = self.time_unit()?;
        self.expect_sign("+")?;
        Ok(Expr::Function(Function::DateArithmetic {
            name: "DATE_ADD",
            date: Box::new(self.simple()?),
            interval,
            unit,
        }))
    }

    /// `( a, b )` or `()`.
    fn arguments(&mut self) -> Result<Vec<Expr>, ParseError> {
        self.expect_sign("(")?;
        let args = match self.is_sign(")") {
            true => Vec::new(),
            false => self.list(Self::expr)?,
        };
        self.expect_sign(")")?;
        Ok(args)
    }

    /// Calls with a grammar of their own.
    fn special_call(&mut self, word: &str) -> Result<Option<Expr>, ParseError> {
        let upper = word.to_ascii_uppercase();
        let call = match upper.as_str() {
            "CAST" => self.cast()?,
            "CONVERT" => self.convert_call()?,
            "EXTRACT" => {
                self.open();
                let unit = self.time_unit()?;
                self.expect("FROM")?;
                let from = Box::new(self.expr()?);
                self.expect_sign(")")?;
                Expr::Function(Function::Extract(unit, from))
            }
            "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" => self.date_arithmetic(&upper)?,
            "TIMESTAMPADD" | "TIMESTAMPDIFF" => {
                let name = match upper.as_str() {
                    "TIMESTAMPADD" => "TIMESTAMPADD",
                    _ => "TIMESTAMPDIFF",
                };
                self.open();
                let unit = self.time_unit()?;
                self.expect_sign(",")?;
                let args = self.list(Self::expr)?;
                self.expect_sign(")")?;
                Expr::Function(Function::WithUnit(name, unit, args))
            }
            "GET_FORMAT" => {
                self.open();
                let kind = self.expect_any(&["DATE", "TIME", "DATETIME", "TIMESTAMP"])?;
                self.expect_sign(",")?;
                let format = Box::new(self.expr()?);
                self.expect_sign(")")?;
                Expr::Function(Function::GetFormat(kind, format))
            }
            "CHAR" => {
                self.open();
                let args = self.list(Self::expr)?;
                let charset = match self.eat("USING") {
                    true => Some(self.charset_name()?),
                    false => None,
                };
                self.expect_sign(")")?;
                Expr::Function(Function::Char(args, charset))
            }
            "POSITION" => {
                self.open();
                let part = Box::new(self.deeper(Self::simple)?);
                self.expect("IN")?;
                let whole = Box::new(self.expr()?);
                self.expect_sign(")")?;
                Expr::Function(Function::Position(part, whole))
            }
            "MOD" => {
                self.open();
                let left = Box::new(self.expr()?);
                self.expect_sign(",")?;
                let right = Box::new(self.expr()?);
                self.expect_sign(")")?;
                Expr::Binary(left, BinaryOp::Mod, right)
            }
            "WEIGHT_STRING" => self.weight_string(word)?,
            "TRIM" => self.trim()?,
            "SUBSTRING" | "SUBSTR" | "MID" => self.substring(word)?,
            "ROW" => {
                self.advance();
                Expr::Row(self.parenthesised(Self::expr)?)
            }
            "VALUES" => {
                self.open();
                let column = self.column_name()?;
                self.expect_sign(")")?;
                Expr::Values(column)
            }
            "MATCH" => self.match_against()?,
            "NEXTVAL" | "LASTVAL" => {
                let name = match upper.as_str() {
                    "NEXTVAL" => "NEXTVAL",
                    _ => "LASTVAL",
                };
                self.open();
                let sequence = self.table_name()?;
                self.expect_sign(")")?;
                Expr::Function(Function::Sequence(name, sequence))
            }
            _ => return Ok(None),
        };
        Ok(Some(call))
    }

    /// Steps over a function's name and its parenthesis, which are known to be there.
    fn open(&mut self) {
        self.advance();
        self.advance();
    }

    fn cast(&mut self) -> Result<Expr, ParseError> {
        self.open();
        let expr = Box::new(self.expr()?);
        self.expect("AS")?;
        let to = self.cast_type()?;
        let to = match (self.eat_since(Release::V6_5, "ARRAY"), to) {
            (true, CastType::Type(inner)) => CastType::Array(inner),
            (true, CastType::Signed) => CastType::Array(DataType::new(TypeKind::BigInt)),
            (true, CastType::Unsigned) => CastType::Array(DataType {
                unsigned: true,
                ..DataType::new(TypeKind::BigInt)
            }),
            (_, to) => to,
        };
        self.expect_sign(")")?;
        Ok(Expr::Cast {
            style: CastStyle::Cast,
            expr,
            to,
        })
    }

    fn convert_call(&mut self) -> Result<Expr, ParseError> {
        self.open();
        let expr = Box::new(self.expr()?);
        if self.eat("USING") {
            let charset = self.charset_name()?;
            self.expect_sign(")")?;
            return Ok(Expr::Function(Function::ConvertUsing(expr, charset)));
        }
        self.expect_sign(",")?;
        let to = self.cast_type()?;
        self.expect_sign(")")?;
        Ok(Expr::Cast {
            style: CastStyle::Convert,
            expr,
            to,
        })
    }

    fn cast_type(&mut self) -> Result<CastType, ParseError> {
        if self.eat("SIGNED") {
            self.eat_any(&["INTEGER", "INT"]);
            return Ok(CastType::Signed);
        }
        if self.eat("UNSIGNED") {
            self.eat_any(&["INTEGER", "INT"]);
            return Ok(CastType::Unsigned);
        }
        if self.eat_any(&["DECIMAL", "DEC"]).is_some() {
            let mut to = DataType::new(TypeKind::Decimal);
            (to.length, to.scale) = self.precision()?;
            return Ok(CastType::Type(to));
        }
        if self.eat("BINARY") {
            let mut to = DataType::new(TypeKind::Binary);
            to.length = self.length()?;
            return Ok(CastType::Type(to));
        }
        if self.eat_any(&["CHAR", "CHARACTER"]).is_some() {
            let length = self.length()?;
            return Ok(CastType::Type(self.text(TypeKind::Char, length)?));
        }
        const KINDS: [(&str, TypeKind); 8] = [
            ("DATE", TypeKind::Date),
            ("DATETIME", TypeKind::DateTime),
            ("TIME", TypeKind::Time),
            ("YEAR", TypeKind::Year),
            ("JSON", TypeKind::Json),
            ("DOUBLE", TypeKind::Double),
            ("FLOAT", TypeKind::Float),
            ("REAL", TypeKind::Double),
        ];
        let found = KINDS.iter().find(|(word, _)| self.eat(word));
        let Some((_, kind)) = found else {
            return Err(self.unexpected());
        };
        let mut to = DataType::new(*kind);
        match kind {
            TypeKind::DateTime | TypeKind::Time => to.length = self.length()?,
            // Digits of 32 bits, or more.
            TypeKind::Float if self.length()?.is_some_and(|digits| digits > 24) => {
                to.kind = TypeKind::Double;
            }
            _ => {}
        }
        Ok(CastType::Type(to))
    }

    fn date_arithmetic(&mut self, name: &str) -> Result<Expr, ParseError> {
        self.open();
        let date = Box::new(self.expr()?);
        self.expect_sign(",")?;
        let name = match name {
            "DATE_ADD" => "DATE_ADD",
            "DATE_SUB" => "DATE_SUB",
            "ADDDATE" => "ADDDATE",
            _ => "SUBDATE",
        };
        let days = matches!(name, "ADDDATE" | "SUBDATE") && !self.is_word_at(0, "INTERVAL");
        let (interval, unit) = match days {
            true => (self.expr()?, TimeUnit("DAY")),
            false => {
                self.expect("INTERVAL")?;
                (self.expr()?, self.time_unit()?)
            }
        };
        self.expect_sign(")")?;
        Ok(Expr::Function(Function::DateArithmetic {
            name,
            date,
            interval: Box::new(interval),
            unit,
        }))
    }

    fn trim(&mut self) -> Result<Expr, ParseError> {
        self.open();
        let direction = self.eat_any(&["BOTH", "LEADING", "TRAILING"]);
        let mut remove = None;
        if direction.is_none() || !self.is("FROM") {
            let first = self.expr()?;
            if direction.is_none() && self.eat_sign(")") {
                return Ok(Expr::Function(Function::Trim {
                    direction,
                    remove,
                    text: Box::new(first),
                }));
            }
            remove = Some(Box::new(first));
        } else {
            // Blanks, if nothing is said.
            remove = Some(Box::new(Expr::Literal(Literal::String {
                charset: None,
                value: " ".to_owned(),
            })));
        }
        self.expect("FROM")?;
        let text = Box::new(self.expr()?);
        self.expect_sign(")")?;
        Ok(Expr::Function(Function::Trim {
            direction,
            remove,
            text,
        }))
    }

    /// `SUBSTRING(a FROM b FOR c)` is `SUBSTRING(a, b, c)`.
    fn substring(&mut self, word: &str) -> Result<Expr, ParseError> {
        let name = word.to_owned();
        self.open();
        let mut args = vec![self.expr()?];
        let words = self.eat("FROM");
        if !words {
            self.expect_sign(",")?;
        }
        args.push(self.expr()?);
        if words && self.eat("FOR") || !words && self.eat_sign(",") {
            args.push(self.expr()?);
        }
        self.expect_sign(")")?;
        Ok(plain(&name, args))
    }

    /// `WEIGHT_STRING(a)`, or `WEIGHT_STRING(a AS CHAR(n))`.
    fn weight_string(&mut self, word: &str) -> Result<Expr, ParseError> {
        let name = word.to_owned();
        self.open();
        let text = self.expr()?;
        let call = match self.eat("AS") {
            true => {
                let kind = self.expect_any(&["CHAR", "CHARACTER", "BINARY"])?;
                let kind = if kind == "BINARY" { kind } else { "CHAR" };
                let length = self.required_length()?;
                Expr::Function(Function::WeightString(Box::new(text), kind, length))
            }
            false => plain(&name, vec![text]),
        };
        self.expect_sign(")")?;
        Ok(call)
    }

    fn match_against(&mut self) -> Result<Expr, ParseError> {
        self.advance();
        let columns = self.parenthesised(Self::column_name)?;
        self.expect("AGAINST")?;
        self.expect_sign("(")?;
        let against = Box::new(self.deeper(Self::simple)?);
        let modifier = if self.eat_all(&["IN", "BOOLEAN", "MODE"]) {
            Some("IN BOOLEAN MODE")
        } else if self.eat_all(&["WITH", "QUERY", "EXPANSION"]) {
            Some("WITH QUERY EXPANSION")
        } else if self.eat_all(&["IN", "NATURAL", "LANGUAGE", "MODE"]) {
            self.eat_all(&["WITH", "QUERY", "EXPANSION"])
                .then_some("WITH QUERY EXPANSION")
        } else {
            None
        };
        self.expect_sign(")")?;
        Ok(Expr::Match {
            columns,
            against,
            modifier,
        })
    }

    fn aggregate(&mut self, word: &str) -> Result<Expr, ParseError> {
        let name = word.to_owned();
        self.open();
        let distinct = self.eat_any(&["DISTINCT", "DISTINCTROW"]).is_some();
        self.eat("ALL");
        let args = match self.eat_sign("*") {
            // TiDB counts a constant.
            true => vec![Expr::Literal(Literal::Integer(1))],
            false => self.list(Self::expr)?,
        };
        let mut order = Vec::new();
        let mut separator = None;
        if name.eq_ignore_ascii_case("GROUP_CONCAT") {
            order = self.order_by()?;
            separator = Some(match self.eat("SEPARATOR") {
                true => self.string()?,
                false => ",".to_owned(),
            });
        }
        self.expect_sign(")")?;
        if self.is("OVER") && order.is_empty() {
            return self.over(name, distinct, args);
        }
        Ok(Expr::Function(Function::Aggregate {
            name,
            distinct,
            args,
            order,
            separator,
        }))
    }

    fn window_function(&mut self, word: &str) -> Result<Expr, ParseError> {
        let name = word.to_owned();
        self.advance();
        let args = self.arguments()?;
        self.over(name, false, args)
    }

    fn over(&mut self, name: String, distinct: bool, args: Vec<Expr>) -> Result<Expr, ParseError> {
        let from_last = self.eat_all(&["FROM", "LAST"]);
        if !from_last {
            self.eat_all(&["FROM", "FIRST"]);
        }
        let ignore_nulls = self.eat_all(&["IGNORE", "NULLS"]);
        if !ignore_nulls {
            self.eat_all(&["RESPECT", "NULLS"]);
        }
        self.expect("OVER")?;
        let window = match self.is_sign("(") {
            true => Window::Spec(self.window_spec()?),
            false => Window::Named(self.name()?),
        };
        Ok(Expr::Window {
            name,
            distinct,
            args,
            from_last,
            ignore_nulls,
            window,
        })
    }

    /// `( … )` behind OVER.
    pub(super) fn window_spec(&mut self) -> Result<WindowSpec, ParseError> {
        self.expect_sign("(")?;
        let mut spec = WindowSpec::default();
        if self.is_name() {
            spec.base = Some(self.name()?);
        }
        if self.eat_all(&["PARTITION", "BY"]) {
            spec.partition = self.order_items()?;
        }
        spec.order = self.order_by()?;
        if let Some(kind) = self.eat_any(&["ROWS", "RANGE", "GROUPS"]) {
            spec.frame = Some(match self.eat("BETWEEN") {
                true => {
                    let start = self.frame_bound()?;
                    self.expect("AND")?;
                    let end = self.frame_bound()?;
                    Frame { kind, start, end }
                }
                false => Frame {
                    kind,
                    start: self.frame_bound()?,
                    end: FrameBound::CurrentRow,
                },
            });
        }
        self.expect_sign(")")?;
        Ok(spec)
    }

    fn frame_bound(&mut self) -> Result<FrameBound, ParseError> {
        if self.eat_all(&["CURRENT", "ROW"]) {
            return Ok(FrameBound::CurrentRow);
        }
        let (mut by, mut unit) = (None, None);
        if self.eat("INTERVAL") {
            by = Some(Box::new(self.expr()?));
            unit = Some(self.time_unit()?);
        } else if !self.eat("UNBOUNDED") {
            by = Some(Box::new(self.simple()?));
        }
        let following = self.expect_any(&["PRECEDING", "FOLLOWING"])? == "FOLLOWING";
        Ok(FrameBound::Away {
            by,
            unit,
            following,
        })
    }

    pub(super) fn time_unit(&mut self) -> Result<TimeUnit, ParseError> {
        if let Some(unit) = self.eat_any(&UNITS) {
            return Ok(TimeUnit(unit));
        }
        let odbc = UNITS.iter().copied().find(|unit| {
            self.peek().is_some_and(|token| {
                token.text.len() == unit.len() + 8
                    && token.text.to_ascii_uppercase() == format!("SQL_TSI_{unit}")
            })
        });
        match odbc {
            Some(unit) => {
                self.advance();
                Ok(TimeUnit(unit))
            }
            None => Err(self.missing("a unit of time")),
        }
    }
}
