//! Names, strings, numbers.

use super::cursor::Cursor;
use crate::ast::{ColumnName, TableName};
use crate::lexer::{self, TokenKind};
use crate::{ParseError, charset, keywords};

impl Cursor<'_> {
    /// Whether the next token can be a name. Reserved words can next to a point.
    pub(super) fn is_name(&self) -> bool {
        self.is_name_at(0)
    }

    pub(super) fn is_name_at(&self, n: usize) -> bool {
        self.peek_at(n).is_some_and(|token| match token.kind {
            TokenKind::QuotedName => true,
            TokenKind::Word => {
                !keywords::is_reserved(token.text)
                    || self.is_sign_at(n + 1, ".")
                    || n == 0 && self.before().is_some_and(|before| before.is_sign("."))
            }
            _ => false,
        })
    }

    pub(super) fn name(&mut self) -> Result<String, ParseError> {
        if !self.is_name() {
            return Err(self.missing("a name"));
        }
        self.any_word()
    }

    /// A name, reserved or not.
    pub(super) fn any_word(&mut self) -> Result<String, ParseError> {
        let Some(token) = self.peek() else {
            return Err(self.missing("a name"));
        };
        let name = match token.kind {
            TokenKind::QuotedName => lexer::name_value(token.text),
            TokenKind::Word => token.text.to_owned(),
            _ => return Err(self.missing("a name")),
        };
        self.advance();
        Ok(name)
    }

    pub(super) fn table_name(&mut self) -> Result<TableName, ParseError> {
        let first = self.name()?;
        if !self.eat_sign(".") {
            return Ok(TableName {
                schema: None,
                name: first,
            });
        }
        Ok(TableName {
            schema: Some(first),
            name: self.name()?,
        })
    }

    pub(super) fn column_name(&mut self) -> Result<ColumnName, ParseError> {
        let mut parts = vec![self.name()?];
        while parts.len() < 3 && self.eat_sign(".") {
            parts.push(self.name()?);
        }
        let name = parts.pop().unwrap_or_default();
        let table = parts.pop();
        Ok(ColumnName {
            schema: parts.pop(),
            table,
            name,
        })
    }

    pub(super) fn names(&mut self) -> Result<Vec<String>, ParseError> {
        self.list(Self::name)
    }

    pub(super) fn table_names(&mut self) -> Result<Vec<TableName>, ParseError> {
        self.list(Self::table_name)
    }

    /// A string; several next to one another are one.
    pub(super) fn string(&mut self) -> Result<String, ParseError> {
        if !self.is_kind(TokenKind::Text) {
            return Err(self.missing("a string"));
        }
        let mut value = String::new();
        while let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Text) {
            value.push_str(&lexer::string_value(token.text, self.options.mode));
            self.advance();
        }
        Ok(value)
    }

    /// A string or a name.
    pub(super) fn string_or_name(&mut self) -> Result<String, ParseError> {
        if self.is_kind(TokenKind::Text) {
            return self.string();
        }
        self.name()
    }

    /// A whole number.
    pub(super) fn number(&mut self) -> Result<u64, ParseError> {
        let token = self.peek().filter(|token| token.kind == TokenKind::Integer);
        let Some(token) = token else {
            return Err(self.missing("a number"));
        };
        let value = token.text.parse();
        let value = value.map_err(|_| self.bad_value("64-bit number"))?;
        self.advance();
        Ok(value)
    }

    /// A whole number that may be negative.
    pub(super) fn signed_number(&mut self) -> Result<i64, ParseError> {
        let negative = self.eat_sign("-");
        if !negative {
            self.eat_sign("+");
        }
        let at = self.mark();
        let value = i128::from(self.number()?);
        let value = if negative { -value } else { value };
        i64::try_from(value).map_err(|_| {
            self.reset(at);
            self.bad_value("signed 64-bit number")
        })
    }

    /// The canonical name of a character set.
    pub(super) fn charset_name(&mut self) -> Result<String, ParseError> {
        let at = self.place();
        let name = match self.eat("BINARY") {
            true => "binary".to_owned(),
            false => self.string_or_name()?,
        };
        let canonical = charset::charset(&name).map(str::to_owned);
        canonical.ok_or(ParseError::UnknownCharset { at, name })
    }

    /// The canonical name of a collation.
    pub(super) fn collation_name(&mut self) -> Result<String, ParseError> {
        let at = self.place();
        let name = match self.eat("BINARY") {
            true => "binary".to_owned(),
            false => self.string_or_name()?,
        };
        charset::collation(&name).ok_or(ParseError::UnknownCollation { at, name })
    }

    /// `CHARACTER SET`, `CHAR SET`, `CHARSET`.
    pub(super) fn eat_charset(&mut self) -> bool {
        self.eat("CHARSET") || self.eat_all(&["CHARACTER", "SET"]) || self.eat_all(&["CHAR", "SET"])
    }

    pub(super) fn eat_if_exists(&mut self) -> bool {
        self.eat_all(&["IF", "EXISTS"])
    }

    pub(super) fn eat_if_not_exists(&mut self) -> bool {
        self.eat_all(&["IF", "NOT", "EXISTS"])
    }
}
