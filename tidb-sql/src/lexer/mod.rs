//! From a text to tokens: nothing is lost, every byte of the text belongs to one token.

mod literal;
mod scan;

pub(crate) use literal::{bits_value, hex_value};
pub use literal::{name_value, string_value};

use crate::{ParseError, Place, Release, SqlMode};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// White space.
    Space,
    /// A comment.
    Comment,
    /// The beginning of a comment whose content counts: `/*!40101`, `/*T![auto_rand]`.
    SpecialOpen,
    /// Its end.
    SpecialClose,
    /// A word: a keyword or a name without quotes.
    Word,
    /// A quoted name: `` `x` ``, with ANSI_QUOTES also `"x"`.
    QuotedName,
    /// A string: `'x'`, without ANSI_QUOTES also `"x"`. One token may not hold several strings.
    Text,
    /// `0x1F` or `x'1F'`.
    Hex,
    /// `0b101` or `b'101'`.
    Bits,
    /// A whole number.
    Integer,
    /// A number with a point.
    Decimal,
    /// A number with an exponent.
    Float,
    /// An operator or a punctuation mark.
    Sign,
}

impl TokenKind {
    /// Whether a parser skips it.
    pub fn is_trivia(self) -> bool {
        matches!(
            self,
            Self::Space | Self::Comment | Self::SpecialOpen | Self::SpecialClose
        )
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// As written.
    pub text: &'a str,
    /// Where it begins, in bytes.
    pub start: usize,
}

impl Token<'_> {
    /// Where it ends, in bytes.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword, in any case.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this sign.
    pub fn is_sign(&self, sign: &str) -> bool {
        self.kind == TokenKind::Sign && self.text == sign
    }
}

/// Cuts a text into tokens as the newest release does.
pub fn tokens(text: &str, mode: SqlMode) -> Result<Vec<Token<'_>>, ParseError> {
    tokens_of(text, mode, Release::default())
}

/// Cuts a text into tokens as a release does: it decides which special comments are opened.
pub fn tokens_of(
    text: &str,
    mode: SqlMode,
    release: Release,
) -> Result<Vec<Token<'_>>, ParseError> {
    let mut scanner = scan::Scanner::new(text, mode, release);
    let mut out = Vec::new();
    while let Some(token) = scanner
        .next_token()
        .map_err(|(start, what)| ParseError::Unclosed {
            at: Place::new(text, start, text.len()),
            what,
        })?
    {
        out.push(token);
    }
    Ok(out)
}
