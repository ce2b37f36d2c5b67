//! Types of columns.

use super::cursor::Cursor;
use crate::ast::{DataType, TypeKind};
use crate::lexer::{self, TokenKind};
use crate::{ParseError, Release};

/// FLOAT(p) above this many bits is a DOUBLE.
const SINGLE_BITS: u64 = 24;
/// FLOAT(p) above this many bits is an error, which is found later.
const DOUBLE_BITS: u64 = 53;

impl Cursor<'_> {
    pub(super) fn data_type(&mut self) -> Result<DataType, ParseError> {
        if let Some(kind) = self.integer_kind() {
            let mut out = DataType::new(kind);
            out.length = self.length()?;
            self.number_attributes(&mut out);
            return Ok(out);
        }
        if self.eat_any(&["BOOL", "BOOLEAN"]).is_some() {
            let mut out = DataType::new(TypeKind::TinyInt);
            out.length = Some(1);
            self.number_attributes(&mut out);
            return Ok(out);
        }
        if self
            .eat_any(&["DECIMAL", "NUMERIC", "FIXED", "DEC"])
            .is_some()
        {
            let mut out = DataType::new(TypeKind::Decimal);
            (out.length, out.scale) = self.precision()?;
            self.number_attributes(&mut out);
            return Ok(out);
        }
        if let Some(kind) = self.float_kind() {
            return self.float(kind);
        }
        if let Some(kind) = self.time_kind() {
            let mut out = DataType::new(kind);
            if kind != TypeKind::Date {
                out.length = self.length()?;
            }
            if kind == TypeKind::Year {
                // What is said of its sign and zeros is forgotten.
                self.number_attributes(&mut DataType::new(kind));
            }
            return Ok(out);
        }
        if self.eat("BIT") {
            let mut out = DataType::new(TypeKind::Bit);
            out.length = Some(self.length()?.unwrap_or(1));
            return Ok(out);
        }
        if self.eat("JSON") {
            return Ok(DataType::new(TypeKind::Json));
        }
        if self.eat_since(Release::V8_5, "VECTOR") {
            if self.eat_sign("<") {
                self.expect("FLOAT")?;
                self.expect_sign(">")?;
            }
            let mut out = DataType::new(TypeKind::Vector);
            out.length = self.length()?;
            return Ok(out);
        }
        self.string_type()
    }

    fn integer_kind(&mut self) -> Option<TypeKind> {
        const KINDS: [(&str, TypeKind); 12] = [
            ("INT", TypeKind::Int),
            ("INTEGER", TypeKind::Int),
            ("BIGINT", TypeKind::BigInt),
            ("TINYINT", TypeKind::TinyInt),
            ("SMALLINT", TypeKind::SmallInt),
            ("MEDIUMINT", TypeKind::MediumInt),
            ("MIDDLEINT", TypeKind::MediumInt),
            ("INT1", TypeKind::TinyInt),
            ("INT2", TypeKind::SmallInt),
            ("INT3", TypeKind::MediumInt),
            ("INT4", TypeKind::Int),
            ("INT8", TypeKind::BigInt),
        ];
        let found = KINDS.iter().find(|(word, _)| self.eat(word));
        found.map(|(_, kind)| *kind)
    }

    fn float_kind(&mut self) -> Option<TypeKind> {
        if self.eat_any(&["FLOAT", "FLOAT4"]).is_some() {
            return Some(TypeKind::Float);
        }
        if self.eat("FLOAT8") {
            return Some(TypeKind::Double);
        }
        if self.eat("REAL") {
            return Some(match self.options.mode.real_as_float {
                true => TypeKind::Float,
                false => TypeKind::Double,
            });
        }
        if self.eat("DOUBLE") {
            self.eat("PRECISION");
            return Some(TypeKind::Double);
        }
        None
    }

    fn float(&mut self, kind: TypeKind) -> Result<DataType, ParseError> {
        let mut out = DataType::new(kind);
        (out.length, out.scale) = self.precision()?;
        match (out.length, out.scale) {
            (Some(_), None) if kind == TypeKind::Double => {
                return Err(self.missing("a number of digits behind the point"));
            }
            (Some(bits), None) if bits <= DOUBLE_BITS => {
                if bits > SINGLE_BITS {
                    out.kind = TypeKind::Double;
                }
                out.length = None;
            }
            _ => {}
        }
        self.number_attributes(&mut out);
        Ok(out)
    }

    fn time_kind(&mut self) -> Option<TypeKind> {
        const KINDS: [(&str, TypeKind); 6] = [
            ("DATE", TypeKind::Date),
            ("DATETIME", TypeKind::DateTime),
            ("TIMESTAMP", TypeKind::Timestamp),
            ("TIME", TypeKind::Time),
            ("YEAR", TypeKind::Year),
            ("SQL_TSI_YEAR", TypeKind::Year),
        ];
        let found = KINDS.iter().find(|(word, _)| self.eat(word));
        found.map(|(_, kind)| *kind)
    }

    fn string_type(&mut self) -> Result<DataType, ParseError> {
        let national = self.eat("NATIONAL");
        if let Some(word) = self.eat_any(&["CHAR", "CHARACTER", "NCHAR"]) {
            let long = word == "NCHAR" && self.eat_any(&["VARCHAR", "VARCHARACTER"]).is_some();
            if long || self.eat("VARYING") {
                return self.varchar();
            }
            let length = self.length()?;
            return self.text(TypeKind::Char, length);
        }
        if self
            .eat_any(&["VARCHAR", "VARCHARACTER", "NVARCHAR"])
            .is_some()
        {
            return self.varchar();
        }
        if national {
            return Err(self.unexpected());
        }
        if self.eat("LONG") {
            if self.eat("VARBINARY") {
                return Ok(DataType::new(TypeKind::MediumBlob));
            }
            let _ = self.eat_all(&["CHAR", "VARYING"])
                || self.eat_all(&["CHARACTER", "VARYING"])
                || self.eat_any(&["VARCHAR", "VARCHARACTER"]).is_some();
            return self.text(TypeKind::MediumText, None);
        }
        const BYTES: [(&str, TypeKind); 6] = [
            ("BINARY", TypeKind::Binary),
            ("VARBINARY", TypeKind::VarBinary),
            ("BLOB", TypeKind::Blob),
            ("TINYBLOB", TypeKind::TinyBlob),
            ("MEDIUMBLOB", TypeKind::MediumBlob),
            ("LONGBLOB", TypeKind::LongBlob),
        ];
        if let Some((_, kind)) = BYTES.iter().find(|(word, _)| self.eat(word)) {
            let mut out = DataType::new(*kind);
            out.length = match kind {
                TypeKind::Binary | TypeKind::Blob => self.length()?,
                TypeKind::VarBinary => Some(self.required_length()?),
                _ => None,
            };
            return Ok(out);
        }
        const TEXTS: [(&str, TypeKind); 4] = [
            ("TEXT", TypeKind::Text),
            ("TINYTEXT", TypeKind::TinyText),
            ("MEDIUMTEXT", TypeKind::MediumText),
            ("LONGTEXT", TypeKind::LongText),
        ];
        if let Some((_, kind)) = TEXTS.iter().find(|(word, _)| self.eat(word)) {
            let length = match kind {
                TypeKind::Text => self.length()?,
                _ => None,
            };
            return self.text(*kind, length);
        }
        let kind = match self.eat_any(&["ENUM", "SET"]) {
            Some("ENUM") => TypeKind::Enum,
            Some(_) => TypeKind::Set,
            None => return Err(self.missing("a type")),
        };
        let members = self.parenthesised(Self::member)?;
        let mut out = self.text(kind, None)?;
        out.members = members;
        Ok(out)
    }

    fn varchar(&mut self) -> Result<DataType, ParseError> {
        let length = self.required_length()?;
        self.text(TypeKind::VarChar, Some(length))
    }

    /// A member of ENUM or SET: trailing spaces are lost.
    fn member(&mut self) -> Result<String, ParseError> {
        let bytes = match self.peek() {
            Some(token) if token.kind == TokenKind::Hex => lexer::hex_value(token.text),
            Some(token) if token.kind == TokenKind::Bits => lexer::bits_value(token.text),
            _ => return Ok(self.string()?.trim_end_matches(' ').to_owned()),
        };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| self.bad_value("text"))?;
        self.advance();
        Ok(text.trim_end_matches(' ').to_owned())
    }

    /// A text type with its character set and BINARY, in either order.
    pub(super) fn text(
        &mut self,
        kind: TypeKind,
        length: Option<u64>,
    ) -> Result<DataType, ParseError> {
        let mut out = DataType::new(kind);
        out.length = length;
        loop {
            if self.eat_charset() {
                out.charset = Some(self.charset_name()?);
            } else if self.eat("ASCII") {
                out.charset = Some("latin1".to_owned());
            } else if self.eat("BYTE") {
                out.charset = Some("binary".to_owned());
            } else if self.eat("BINARY") {
                out.binary = true;
            } else {
                break;
            }
        }
        if out.charset.as_deref() == Some("binary") {
            out.kind = kind.of_bytes();
            out.charset = None;
            out.binary = false;
        }
        Ok(out)
    }

    fn number_attributes(&mut self, out: &mut DataType) {
        loop {
            if self.eat("UNSIGNED") {
                out.unsigned = true;
            } else if self.eat("ZEROFILL") {
                (out.zerofill, out.unsigned) = (true, true);
            } else if !self.eat("SIGNED") {
                return;
            }
        }
    }

    /// `[(n)]`.
    pub(super) fn length(&mut self) -> Result<Option<u64>, ParseError> {
        if !self.is_sign("(") {
            return Ok(None);
        }
        self.required_length().map(Some)
    }

    pub(super) fn required_length(&mut self) -> Result<u64, ParseError> {
        self.expect_sign("(")?;
        let length = self.number()?;
        self.expect_sign(")")?;
        Ok(length)
    }

    /// `[(m[, d])]`.
    pub(super) fn precision(&mut self) -> Result<(Option<u64>, Option<u64>), ParseError> {
        if !self.eat_sign("(") {
            return Ok((None, None));
        }
        let digits = self.number()?;
        let scale = match self.eat_sign(",") {
            true => Some(self.number()?),
            false => None,
        };
        self.expect_sign(")")?;
        Ok((Some(digits), scale))
    }
}
