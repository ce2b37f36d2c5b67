//! Queries.

use super::cursor::Cursor;
use crate::ast::{
    CommonTable, Expr, IndexHint, Join, JoinKind, Limit, Lock, OrderBy, Query, QueryBody, Select,
    SelectItem, SetOperator, TableRef,
};
use crate::lexer::TokenKind;
use crate::{ParseError, Release};

/// Words that SELECT may be followed by, in the order in which TiDB writes them.
const MODIFIERS: [&str; 9] = [
    "HIGH_PRIORITY",
    "LOW_PRIORITY",
    "DELAYED",
    "SQL_SMALL_RESULT",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_NO_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "STRAIGHT_JOIN",
];

impl Cursor<'_> {
    /// Whether a query begins `n` tokens ahead, in any number of parentheses: not an expression or a list of tables
    /// that only begins with one.
    pub(super) fn is_query_at(&self, n: usize) -> bool {
        let mut parentheses = 0;
        while self.is_sign_at(n + parentheses, "(") {
            parentheses += 1;
        }
        let first = n + parentheses;
        let begins = self.is_word_at(first, "SELECT")
            || self.is_word_at(first, "WITH")
            || self.is_word_at(first, "TABLE")
            || self.is_word_at(first, "VALUES") && self.is_word_at(first + 1, "ROW");
        if !begins || parentheses == 0 {
            return begins;
        }
        let mut open = 1;
        let mut at = first;
        while open > 0 {
            let Some(token) = self.peek_at(at) else {
                return true;
            };
            open += usize::from(token.is_sign("("));
            open -= usize::from(token.is_sign(")"));
            at += 1;
        }
        for _ in 1..parentheses {
            if !self.is_sign_at(at, ")") {
                break;
            }
            at += 1;
        }
        self.goes_on_as_query_at(at)
    }

    /// Whether what stands behind a query's parenthesis leaves it a query.
    fn goes_on_as_query_at(&self, n: usize) -> bool {
        const WORDS: [&str; 8] = [
            "UNION",
            "EXCEPT",
            "INTERSECT",
            "ORDER",
            "LIMIT",
            "FOR",
            "LOCK",
            "WITH",
        ];
        self.peek_at(n).is_none_or(|token| {
            token.is_sign(")") || token.is_sign(";") || WORDS.iter().any(|word| token.is_word(word))
        })
    }

    pub(super) fn query(&mut self) -> Result<Query, ParseError> {
        self.deeper(Self::query_inside)
    }

    fn query_inside(&mut self) -> Result<Query, ParseError> {
        let mut with = Vec::new();
        let mut recursive = false;
        if self.eat_since(Release::V6_5, "WITH") {
            recursive = self.eat("RECURSIVE");
            with = self.list(|c| {
                let name = c.name()?;
                let columns = match c.is_sign("(") {
                    true => c.parenthesised(Self::name)?,
                    false => Vec::new(),
                };
                c.expect("AS")?;
                c.expect_sign("(")?;
                let query = c.query()?;
                c.expect_sign(")")?;
                Ok(CommonTable {
                    name,
                    columns,
                    query,
                })
            })?;
        }
        let first = self.query_term()?;
        let mut rest = Vec::new();
        while let Some(operator) = self.set_operator() {
            self.higher()?;
            rest.push((operator, self.query_term()?));
        }
        let body = match rest.is_empty() {
            true => first,
            false => QueryBody::Set {
                first: Box::new(first),
                rest,
            },
        };
        Ok(Query {
            recursive,
            with,
            body,
            order: self.order_by()?,
            limit: self.limit()?,
            lock: self.row_lock()?,
        })
    }

    fn set_operator(&mut self) -> Option<SetOperator> {
        let word = self.eat_any(&["UNION", "EXCEPT", "INTERSECT"])?;
        let all = self.eat("ALL");
        if !all {
            self.eat_any(&["DISTINCT", "DISTINCTROW"]);
        }
        Some(match (word, all) {
            ("UNION", false) => SetOperator::Union,
            ("UNION", true) => SetOperator::UnionAll,
            ("EXCEPT", false) => SetOperator::Except,
            ("EXCEPT", true) => SetOperator::ExceptAll,
            (_, false) => SetOperator::Intersect,
            (_, true) => SetOperator::IntersectAll,
        })
    }

    fn query_term(&mut self) -> Result<QueryBody, ParseError> {
        if self.eat_sign("(") {
            let inner = self.query()?;
            self.expect_sign(")")?;
            return Ok(QueryBody::Paren(Box::new(inner)));
        }
        if self.eat_since(Release::V6_5, "TABLE") {
            return Ok(QueryBody::Table(self.table_name()?));
        }
        if self.eat_since(Release::V6_5, "VALUES") {
            return Ok(QueryBody::Values(self.list(|c| {
                c.expect("ROW")?;
                c.parenthesised(Self::expr)
            })?));
        }
        self.expect("SELECT")?;
        self.select()
            .map(|select| QueryBody::Select(Box::new(select)))
    }

    fn select(&mut self) -> Result<Select, ParseError> {
        let mut select = Select::default();
        loop {
            if let Some(word) = self.eat_any(&MODIFIERS) {
                select.modifiers.push(word);
            } else if self.eat_any(&["DISTINCT", "DISTINCTROW"]).is_some() {
                select.distinct = true;
            } else if self.eat("ALL") {
                select.explicit_all = true;
            } else if !self.eat("SQL_CACHE") {
                break;
            }
        }
        let order = |word: &&str| MODIFIERS.iter().position(|known| known == word);
        select.modifiers.sort_by_key(order);
        select.modifiers.dedup();
        select.items = self.list(Self::select_item)?;
        if self.eat("FROM") && !self.eat("DUAL") {
            select.from = self.table_refs()?;
        }
        if self.eat("WHERE") {
            select.filter = Some(self.expr()?);
        }
        if self.eat_all(&["GROUP", "BY"]) {
            select.group = self.order_items()?;
            select.rollup = self.eat_all(&["WITH", "ROLLUP"]);
        }
        if self.eat("HAVING") {
            select.having = Some(self.expr()?);
        }
        if self.eat("WINDOW") {
            select.windows = self.list(|c| {
                let name = c.name()?;
                c.expect("AS")?;
                Ok((name, c.window_spec()?))
            })?;
        }
        Ok(select)
    }

    fn select_item(&mut self) -> Result<SelectItem, ParseError> {
        if self.eat_sign("*") {
            return Ok(SelectItem::Wildcard {
                schema: None,
                table: None,
            });
        }
        let starred =
            |dots: usize| self.is_sign_at(dots * 2 - 1, ".") && self.is_sign_at(dots * 2, "*");
        let parts = if self.is_name() && starred(1) {
            1
        } else if self.is_name() && self.is_sign_at(1, ".") && starred(2) {
            2
        } else {
            let from = self.peek().map_or(self.text.len(), |token| token.start);
            let expr = Box::new(self.expr()?);
            let to = self.before().map_or(from, |token| token.end());
            return Ok(SelectItem::Expr {
                expr,
                text: self.text[from..to].to_owned(),
                alias: self.column_alias()?,
            });
        };
        let mut names = Vec::new();
        for _ in 0..parts {
            names.push(self.any_word()?);
            self.expect_sign(".")?;
        }
        self.expect_sign("*")?;
        let table = names.pop();
        Ok(SelectItem::Wildcard {
            schema: names.pop(),
            table,
        })
    }

    fn column_alias(&mut self) -> Result<Option<String>, ParseError> {
        if self.eat("AS") {
            return self.string_or_name().map(Some);
        }
        match self.is_name() || self.is_kind(TokenKind::Text) {
            true => self.string_or_name().map(Some),
            false => Ok(None),
        }
    }

    fn table_refs(&mut self) -> Result<Vec<TableRef>, ParseError> {
        self.list(Self::table_ref)
    }

    fn table_ref(&mut self) -> Result<TableRef, ParseError> {
        let mut left = self.deeper(Self::table_factor)?;
        loop {
            let natural = self.eat("NATURAL");
            let kind = if self.eat("STRAIGHT_JOIN") {
                JoinKind::Straight
            } else if let Some(side) = self.eat_any(&["LEFT", "RIGHT"]) {
                self.eat("OUTER");
                self.expect("JOIN")?;
                match side {
                    "LEFT" => JoinKind::Left,
                    _ => JoinKind::Right,
                }
            } else if self.eat_any(&["INNER", "CROSS"]).is_some() {
                self.expect("JOIN")?;
                JoinKind::Inner
            } else if self.eat("JOIN") {
                JoinKind::Inner
            } else if natural {
                return Err(self.unexpected());
            } else {
                return Ok(left);
            };
            self.higher()?;
            let right = self.deeper(Self::table_factor)?;
            let on = match self.eat("ON") {
                true => Some(self.expr()?),
                false => None,
            };
            let using = match on.is_none() && self.eat("USING") {
                true => self.parenthesised(Self::column_name)?,
                false => Vec::new(),
            };
            left = TableRef::Join(Box::new(Join {
                left,
                kind,
                natural,
                right,
                on,
                using,
            }));
        }
    }

    fn table_factor(&mut self) -> Result<TableRef, ParseError> {
        if self.is_sign("(") && self.is_query_at(1) {
            self.expect_sign("(")?;
            let query = Box::new(self.query()?);
            self.expect_sign(")")?;
            let alias = self.table_alias()?;
            return Ok(TableRef::Query { query, alias });
        }
        if self.eat_sign("(") {
            let refs = self.table_refs()?;
            self.expect_sign(")")?;
            return Ok(TableRef::Paren(refs));
        }
        let name = self.table_name()?;
        let partitions = match self.eat("PARTITION") {
            true => self.parenthesised(Self::name)?,
            false => Vec::new(),
        };
        let alias = self.table_alias()?;
        let mut hints = Vec::new();
        while let Some(hint) = self.index_hint()? {
            hints.push(hint);
        }
        Ok(TableRef::Table {
            name,
            partitions,
            alias,
            hints,
        })
    }

    fn table_alias(&mut self) -> Result<Option<String>, ParseError> {
        match self.eat("AS") || self.is_name() {
            true => self.name().map(Some),
            false => Ok(None),
        }
    }

    fn index_hint(&mut self) -> Result<Option<IndexHint>, ParseError> {
        let Some(kind) = self.eat_any(&["USE", "IGNORE", "FORCE"]) else {
            return Ok(None);
        };
        self.expect_any(&["INDEX", "KEY"])?;
        let scope = match self.eat("FOR") {
            true if self.eat("JOIN") => Some("JOIN"),
            true if self.eat_all(&["ORDER", "BY"]) => Some("ORDER BY"),
            true => {
                self.expect_all(&["GROUP", "BY"])?;
                Some("GROUP BY")
            }
            false => None,
        };
        self.expect_sign("(")?;
        let names = match self.is_sign(")") {
            true => Vec::new(),
            false => self.list(|c| match c.peek() {
                Some(token) if c.eat("PRIMARY") => Ok(token.text.to_owned()),
                _ => c.name(),
            })?,
        };
        self.expect_sign(")")?;
        Ok(Some(IndexHint { kind, scope, names }))
    }

    /// `[ORDER BY …]`.
    pub(super) fn order_by(&mut self) -> Result<Vec<OrderBy>, ParseError> {
        match self.eat_all(&["ORDER", "BY"]) {
            true => self.order_items(),
            false => Ok(Vec::new()),
        }
    }

    pub(super) fn order_items(&mut self) -> Result<Vec<OrderBy>, ParseError> {
        self.list(|c| {
            Ok(OrderBy {
                expr: c.expr()?,
                desc: c.descending(),
            })
        })
    }

    fn limit(&mut self) -> Result<Option<Limit>, ParseError> {
        if !self.eat("LIMIT") {
            return Ok(None);
        }
        let number = |c: &mut Self| {
            Ok::<_, ParseError>(Expr::Literal(crate::ast::Literal::Integer(c.number()?)))
        };
        let first = number(self)?;
        if self.eat_sign(",") {
            return Ok(Some(Limit {
                offset: Some(first),
                count: number(self)?,
            }));
        }
        let offset = match self.eat("OFFSET") {
            true => Some(number(self)?),
            false => None,
        };
        Ok(Some(Limit {
            offset,
            count: first,
        }))
    }

    fn row_lock(&mut self) -> Result<Option<Lock>, ParseError> {
        let kind = if self.eat_all(&["FOR", "UPDATE"]) {
            "FOR UPDATE"
        } else if self.release() >= Release::V6_5 && self.eat_all(&["FOR", "SHARE"])
            || self.eat_all(&["LOCK", "IN", "SHARE", "MODE"])
        {
            "FOR SHARE"
        } else {
            return Ok(None);
        };
        let tables = match self.eat("OF") {
            true => self.table_names()?,
            false => Vec::new(),
        };
        let wait = if self.eat("NOWAIT") {
            Some("NOWAIT".to_owned())
        } else if self.eat_all(&["SKIP", "LOCKED"]) {
            Some("SKIP LOCKED".to_owned())
        } else if self.eat("WAIT") {
            Some(format!("WAIT {}", self.number()?))
        } else {
            None
        };
        Ok(Some(Lock { kind, tables, wait }))
    }
}
