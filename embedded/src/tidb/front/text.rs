//! SQL text as tokens: as much of its shape as deciding and rewriting need.

use std::borrow::Cow;
use std::ops::Range;

use tidb_sql::{Release, SqlMode};

use super::scan;

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or name.
    Word,
    /// A name in back quotes.
    Quoted,
    /// A string.
    Text,
    /// A number, hexadecimal and bit literals included.
    Number,
    /// `@name`.
    UserVariable,
    /// `@@name`, `@@scope.name`.
    SystemVariable,
    /// One character of anything else.
    Sign(char),
}

/// A SQL text and its tokens; comments are none.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    pub(super) sql: Cow<'a, str>,
    pub(super) tokens: Vec<Token>,
}

/// Why a text has no tokens: a string, quoted name or comment has no end, or there is a character that begins nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where it begins.
    pub(super) at: usize,
}

impl<'a> Text<'a> {
    /// Cuts a text into tokens. One that the client typed has to be made plain before ([`Session::plain`]): this reads it as
    /// the newest release does without modes.
    ///
    /// [`Session::plain`]: super::session::Session::plain
    pub(super) fn new(sql: &'a str) -> Result<Self, Broken> {
        let reading = (SqlMode::default(), Release::default());
        let scanned = scan::scan(sql, reading)?;
        match scan::plain(sql, &scanned) {
            Cow::Borrowed(sql) => {
                let tokens = scan::pieces(sql, &scanned)?;
                let sql = Cow::Borrowed(sql);
                Ok(Self { sql, tokens })
            }
            Cow::Owned(plain) => {
                let tokens = scan::pieces(&plain, &scan::scan(&plain, reading)?)?;
                let sql = Cow::Owned(plain);
                Ok(Self { sql, tokens })
            }
        }
    }

    /// A token's text.
    pub(super) fn of(&self, token: &Token) -> &str {
        &self.sql[token.range.clone()]
    }

    /// The text of the n-th token; empty beyond the end.
    pub(super) fn get(&self, n: usize) -> &str {
        self.tokens.get(n).map_or("", |t| self.of(t))
    }

    /// Whether the n-th token is this keyword.
    pub(super) fn is(&self, n: usize, word: &str) -> bool {
        self.tokens
            .get(n)
            .is_some_and(|t| t.kind == Kind::Word && self.of(t).eq_ignore_ascii_case(word))
    }

    /// Whether the n-th token is this sign.
    pub(super) fn is_sign(&self, n: usize, sign: char) -> bool {
        self.tokens
            .get(n)
            .is_some_and(|t| t.kind == Kind::Sign(sign))
    }

    /// Whether the tokens from the n-th on are these keywords.
    pub(super) fn are(&self, n: usize, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(i, word)| self.is(n + i, word))
    }

    /// Whether these keywords follow one another anywhere.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        (0..self.tokens.len()).any(|n| self.are(n, words))
    }

    /// The n-th token as a name, its quotes taken off.
    pub(super) fn name(&self, n: usize) -> Option<String> {
        let token = self.tokens.get(n)?;
        match token.kind {
            Kind::Word => Some(self.of(token).to_owned()),
            Kind::Quoted => Some(unquote(self.of(token), '`')),
            _ => None,
        }
    }

    /// A name with an optional database before it, from the n-th token on, and the place after it.
    pub(super) fn full_name(&self, n: usize) -> Option<(Option<String>, String, usize)> {
        let first = self.name(n)?;
        if self.is_sign(n + 1, '.') {
            let second = self.name(n + 2)?;
            return Some((Some(first), second, n + 3));
        }
        Some((None, first, n + 1))
    }

    /// The n-th token as a string's value.
    pub(super) fn string(&self, n: usize) -> Option<String> {
        let token = self.tokens.get(n).filter(|t| t.kind == Kind::Text)?;
        Some(string_value(self.of(token)))
    }

    /// The text from the n-th token on.
    pub(super) fn from(&self, n: usize) -> &str {
        self.tokens
            .get(n)
            .map_or("", |t| &self.sql[t.range.start..])
    }
}

/// A string's value: quotes and escapes taken off.
pub(super) fn string_value(literal: &str) -> String {
    let Some(quote) = literal.chars().next() else {
        return String::new();
    };
    let inner = &literal[1..literal.len().saturating_sub(1).max(1)];
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some('b') => out.push('\u{8}'),
                Some('Z') => out.push('\u{1a}'),
                Some(other) => out.push(other),
                None => {}
            },
            c if c == quote && chars.peek() == Some(&quote) => {
                chars.next();
                out.push(quote);
            }
            c => out.push(c),
        }
    }
    out
}

/// A string literal of this value.
pub(super) fn literal(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A name in back quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn unquote(quoted: &str, quote: char) -> String {
    let inner = quoted.trim_start_matches(quote);
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    let twice: String = [quote, quote].iter().collect();
    inner.replace(&twice, &quote.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(sql: &str) -> Vec<String> {
        let text = Text::new(sql).unwrap();
        text.tokens.iter().map(|t| text.of(t).to_owned()).collect()
    }

    #[test]
    fn pieces_are_found() {
        assert_eq!(
            pieces("SELECT `a``b`, 'it''s \\' x', @@session.`x`, @v -- c\n, 1.5e3 # d"),
            [
                "SELECT",
                "`a``b`",
                ",",
                "'it''s \\' x'",
                ",",
                "@@session.`x`",
                ",",
                "@v",
                ",",
                "1.5e3"
            ]
        );
        assert_eq!(pieces("a--1"), ["a", "-", "-", "1"]);
        assert_eq!(pieces("a.b"), ["a", ".", "b"]);
        assert_eq!(pieces("a->>'$'"), ["a", "-", ">", ">", "'$'"]);
        let text = Text::new("drop table 1a, d.`2`, 1e5, @x.y, 0x1g").unwrap();
        let names: Vec<_> = (0..text.tokens.len())
            .filter_map(|n| text.name(n))
            .collect();
        assert_eq!(names, ["drop", "table", "1a", "d", "2", "0x1g"]);
    }

    #[test]
    fn comments_that_tidb_runs_are_opened() {
        assert_eq!(
            pieces("/*!40101 SET NAMES utf8 */"),
            ["SET", "NAMES", "utf8"]
        );
        assert_eq!(
            pieces("a /*T![clustered_index] CLUSTERED */ b"),
            ["a", "CLUSTERED", "b"]
        );
        assert_eq!(pieces("a /*T! x */ b"), ["a", "x", "b"]);
        assert_eq!(pieces("a /*M! x */ /* y */ /*+ z */ b"), ["a", "b"]);
        assert_eq!(pieces("'/*! no */'"), ["'/*! no */'"]);
    }

    #[test]
    fn unclosed_pieces_are_told() {
        assert_eq!(Text::new("select 'a").unwrap_err(), Broken { at: 7 });
        assert_eq!(Text::new("select /* a").unwrap_err(), Broken { at: 7 });
    }

    proptest! {
        #[test]
        fn literals_round_trip(value in ".*") {
            prop_assert_eq!(string_value(&literal(&value)), value);
        }
    }
}
