//! The scanner.

use super::{Token, TokenKind};
use crate::{Release, SqlMode};

/// Features whose special comments TiDB opens; others are comments to it.
const FEATURES: [&str; 10] = [
    "auto_rand",
    "auto_id_cache",
    "auto_rand_base",
    "clustered_index",
    "force_inc",
    "placement",
    "ttl",
    "resource_group",
    "global_index",
    "pre_split",
];

/// How many of them, from the first, 4.0 opens.
const FEATURES_OF_4_0: usize = 3;

/// Signs of more than one character, longer ones first.
const LONG_SIGNS: [&str; 13] = [
    "<=>", "->>", "->", ">=", "<=", "<>", "!=", "<<", ">>", "&&", "||", ":=", "@@",
];

/// Where an unclosed token begins and what it is.
type Unclosed = (usize, &'static str);

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    mode: SqlMode,
    release: Release,
    in_special: bool,
}

fn is_space(b: u8) -> bool {
    b.is_ascii_whitespace() || b == 0x0b
}

fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, mode: SqlMode, release: Release) -> Self {
        Self {
            text,
            at: 0,
            mode,
            release,
            in_special: false,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The byte `n` places ahead; 0 behind the end.
    fn byte(&self, n: usize) -> u8 {
        self.text.as_bytes().get(self.at + n).copied().unwrap_or(0)
    }

    /// Bytes from `from` on for which the condition holds.
    fn run(&self, from: usize, holds: impl Fn(u8) -> bool) -> usize {
        self.rest()
            .bytes()
            .skip(from)
            .take_while(|b| holds(*b))
            .count()
    }

    fn take(&mut self, kind: TokenKind, len: usize) -> Token<'a> {
        let start = self.at;
        self.at = (start + len).min(self.text.len());
        Token {
            kind,
            text: self.text.get(start..self.at).unwrap_or_default(),
            start,
        }
    }

    pub(super) fn next_token(&mut self) -> Result<Option<Token<'a>>, Unclosed> {
        if self.at >= self.text.len() {
            return match self.in_special {
                true => Err((self.at, "a special comment")),
                false => Ok(None),
            };
        }
        let first = self.byte(0);
        let token = match first {
            b if is_space(b) => {
                let len = self.run(0, is_space);
                self.take(TokenKind::Space, len)
            }
            b'#' => self.line_comment(),
            b'-' if self.is_dash_comment() => self.line_comment(),
            b'/' if self.byte(1) == b'*' => self.block_comment()?,
            b'*' if self.in_special && self.byte(1) == b'/' => {
                self.in_special = false;
                self.take(TokenKind::SpecialClose, 2)
            }
            b'\'' => self.quoted(0, TokenKind::Text)?,
            b'"' if self.mode.ansi_quotes => self.quoted(0, TokenKind::QuotedName)?,
            b'"' => self.quoted(0, TokenKind::Text)?,
            b'`' => self.quoted(0, TokenKind::QuotedName)?,
            b'x' | b'X' if self.byte(1) == b'\'' => self.quoted(1, TokenKind::Hex)?,
            b'b' | b'B' if self.byte(1) == b'\'' => self.quoted(1, TokenKind::Bits)?,
            b if b.is_ascii_digit() => self.number(),
            b'.' if self.byte(1).is_ascii_digit() && !self.follows_name() => self.number(),
            b if is_word_byte(b) => {
                let len = self.run(0, is_word_byte);
                self.take(TokenKind::Word, len)
            }
            _ => {
                let long = LONG_SIGNS.iter().find(|s| self.rest().starts_with(**s));
                self.take(TokenKind::Sign, long.map_or(1, |s| s.len()))
            }
        };
        Ok(Some(token))
    }

    /// `--` begins a comment before white space or the end.
    fn is_dash_comment(&self) -> bool {
        self.byte(1) == b'-' && (self.at + 2 >= self.text.len() || is_space(self.byte(2)))
    }

    /// Whether the byte before belongs to a name, so that a point separates two names.
    fn follows_name(&self) -> bool {
        let before = self
            .at
            .checked_sub(1)
            .and_then(|n| self.text.as_bytes().get(n));
        before.is_some_and(|b| is_word_byte(*b) || *b == b'`')
    }

    fn line_comment(&mut self) -> Token<'a> {
        let len = self.run(0, |b| b != b'\n');
        self.take(TokenKind::Comment, len)
    }

    fn block_comment(&mut self) -> Result<Token<'a>, Unclosed> {
        if !self.in_special
            && let Some(len) = self.special_open()
        {
            self.in_special = true;
            return Ok(self.take(TokenKind::SpecialOpen, len));
        }
        let end = self.rest().get(2..).and_then(|rest| rest.find("*/"));
        let end = end.ok_or((self.at, "a comment"))?;
        Ok(self.take(TokenKind::Comment, end + 4))
    }

    /// The length of the mark that opens a special comment.
    fn special_open(&self) -> Option<usize> {
        match (self.byte(2), self.byte(3)) {
            (b'!', _) => {
                let digits = self.run(3, |b| b.is_ascii_digit()).min(6);
                Some(3 + if digits >= 5 { digits } else { 0 })
            }
            (b'T', b'!') if self.byte(4) == b'[' => {
                let close = self.rest().find(']')?;
                let features = self.rest().get(5..close)?;
                let features_known = match self.release {
                    Release::V4_0 => &FEATURES[..FEATURES_OF_4_0],
                    Release::V6_5 | Release::V8_5 => &FEATURES[..],
                };
                let known = features
                    .split(',')
                    .all(|f| features_known.contains(&f.trim()));
                known.then_some(close + 1)
            }
            (b'T', b'!') => Some(4),
            _ => None,
        }
    }

    /// A quoted token whose quote stands `lead` bytes ahead.
    fn quoted(&mut self, lead: usize, kind: TokenKind) -> Result<Token<'a>, Unclosed> {
        let quote = self.byte(lead);
        let escapes = kind == TokenKind::Text && !self.mode.no_backslash_escapes;
        let bytes = self.rest().as_bytes();
        let mut n = lead + 1;
        loop {
            match bytes.get(n) {
                None => {
                    let what = match kind {
                        TokenKind::QuotedName => "a quoted name",
                        _ => "a string",
                    };
                    return Err((self.at, what));
                }
                Some(b'\\') if escapes => n += 2,
                Some(b) if *b == quote => {
                    if bytes.get(n + 1) == Some(&quote) {
                        n += 2;
                    } else {
                        return Ok(self.take(kind, n + 1));
                    }
                }
                Some(_) => n += 1,
            }
        }
    }

    fn number(&mut self) -> Token<'a> {
        if self.byte(0) == b'0' {
            let (kind, digits) = match self.byte(1) {
                b'x' => (TokenKind::Hex, self.run(2, |b| b.is_ascii_hexdigit())),
                b'b' => (TokenKind::Bits, self.run(2, |b| matches!(b, b'0' | b'1'))),
                _ => (TokenKind::Integer, 0),
            };
            if digits > 0 && !is_word_byte(self.byte(2 + digits)) {
                return self.take(kind, 2 + digits);
            }
        }
        let whole = self.run(0, |b| b.is_ascii_digit());
        let mut len = whole;
        let mut kind = TokenKind::Integer;
        if self.byte(len) == b'.' {
            kind = TokenKind::Decimal;
            len += 1 + self.run(len + 1, |b| b.is_ascii_digit());
        }
        if matches!(self.byte(len), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(len + 1), b'+' | b'-'));
            let digits = self.run(len + 1 + sign, |b| b.is_ascii_digit());
            if digits > 0 {
                return self.take(TokenKind::Float, len + 1 + sign + digits);
            }
        }
        // Names may begin with digits.
        if kind == TokenKind::Integer && is_word_byte(self.byte(len)) {
            let len = self.run(0, is_word_byte);
            return self.take(TokenKind::Word, len);
        }
        self.take(kind, len)
    }
}
