//! SQL text as tokens: as much of its shape as deciding and rewriting need.

use std::borrow::Cow;
use std::ops::Range;

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

/// Why a text has no tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// A string, quoted name or comment has no end.
    Unclosed {
        /// Where it begins.
        at: usize,
    },
}

impl<'a> Text<'a> {
    /// Cuts a text into tokens. Comments that TiDB runs (`/*! … */`, `/*T! … */`) are opened up, so that MariaDB runs
    /// them too; those that only MariaDB would run (`/*M! … */`) are blanked.
    pub(super) fn new(sql: &'a str) -> Result<Self, Broken> {
        let sql = open_comments(sql)?;
        let tokens = tokens(&sql)?;
        Ok(Self { sql, tokens })
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

    /// The statements of a text as they are typed, cut at its semicolons; empty ones are left out. `typed` is the text that
    /// the tokens are of, before its comments were opened: a DDL job keeps them.
    pub(super) fn statements(&self, typed: &str) -> Vec<String> {
        let semicolons = self.tokens.iter().filter(|t| t.kind == Kind::Sign(';'));
        let ends = semicolons.map(|t| t.range.clone());
        let mut out = Vec::new();
        let mut from = 0;
        for end in ends.chain(std::iter::once(typed.len()..typed.len())) {
            let piece = from..end.start;
            from = end.end;
            let within = |t: &&Token| piece.contains(&t.range.start);
            let count = self.tokens.iter().filter(within).count();
            if let Some(first) = self.tokens.iter().find(within) {
                let as_typed = typed[piece.clone()].trim();
                // A semicolon in an opened comment parts that.
                out.push(match Text::new(as_typed) {
                    Ok(text) if text.tokens.len() == count => as_typed.to_owned(),
                    _ => self.sql[first.range.start..piece.end].trim_end().to_owned(),
                });
            }
        }
        out
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

fn is_word_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b == b'$' || b >= 0x80
}

fn is_word(b: u8) -> bool {
    is_word_start(b) || b.is_ascii_digit()
}

/// The end of a quoted piece that begins at `at`.
pub(super) fn quoted_end(bytes: &[u8], at: usize) -> Result<usize, Broken> {
    let quote = bytes[at];
    let mut i = at + 1;
    while let Some(b) = bytes.get(i) {
        if *b == b'\\' && quote != b'`' {
            i += 2;
        } else if *b == quote {
            if bytes.get(i + 1) == Some(&quote) {
                i += 2;
            } else {
                return Ok(i + 1);
            }
        } else {
            i += 1;
        }
    }
    Err(Broken::Unclosed { at })
}

/// The end of a comment that begins at `at`, if one does.
pub(super) fn comment_end(bytes: &[u8], at: usize) -> Result<Option<usize>, Broken> {
    let rest = &bytes[at..];
    let to_line_end = || {
        let end = rest.iter().position(|b| *b == b'\n');
        Ok(Some(end.map_or(bytes.len(), |n| at + n)))
    };
    if rest.starts_with(b"#") {
        return to_line_end();
    }
    if rest.starts_with(b"--") && rest.get(2).is_none_or(u8::is_ascii_whitespace) {
        return to_line_end();
    }
    if rest.starts_with(b"/*") {
        let end = rest[2..].windows(2).position(|w| w == b"*/");
        return match end {
            Some(n) => Ok(Some(at + 2 + n + 2)),
            None => Err(Broken::Unclosed { at }),
        };
    }
    Ok(None)
}

/// The length of the opening of a comment whose content TiDB runs.
fn run_by_tidb(comment: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        comment[from..]
            .iter()
            .take(6)
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    if comment.starts_with(b"/*!") {
        return Some(3 + digits(3));
    }
    if comment.starts_with(b"/*T!") {
        if comment.get(4) == Some(&b'[') {
            let close = comment.iter().position(|b| *b == b']')?;
            return Some(close + 1);
        }
        return Some(4 + digits(4));
    }
    None
}

fn open_comments(sql: &str) -> Result<Cow<'_, str>, Broken> {
    if !sql.contains("/*") {
        return Ok(Cow::Borrowed(sql));
    }
    let mut out = sql.as_bytes().to_vec();
    let mut i = 0;
    let mut changed = false;
    while i < out.len() {
        match out[i] {
            b'\'' | b'"' | b'`' => i = quoted_end(&out, i)?,
            b'/' | b'-' | b'#' => match comment_end(&out, i)? {
                None => i += 1,
                Some(end) => {
                    if let Some(opening) = run_by_tidb(&out[i..end]) {
                        out[i..i + opening].fill(b' ');
                        out[end - 2..end].fill(b' ');
                        changed = true;
                        i += opening;
                    } else {
                        if out[i..end].starts_with(b"/*M!") {
                            out[i..end].fill(b' ');
                            changed = true;
                        }
                        i = end;
                    }
                }
            },
            _ => i += 1,
        }
    }
    if !changed {
        return Ok(Cow::Borrowed(sql));
    }
    // Only whole ASCII marks and whole comments were blanked.
    Ok(Cow::Owned(String::from_utf8_lossy(&out).into_owned()))
}

fn tokens(sql: &str) -> Result<Vec<Token>, Broken> {
    let bytes = sql.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        if b.is_ascii_whitespace() {
            i += 1;
            continue;
        }
        if let Some(end) = comment_end(bytes, i)? {
            i = end;
            continue;
        }
        let start = i;
        let word_end =
            |from: usize| from + bytes[from..].iter().take_while(|b| is_word(**b)).count();
        let kind = match b {
            b'\'' | b'"' => {
                i = quoted_end(bytes, i)?;
                Kind::Text
            }
            b'`' => {
                i = quoted_end(bytes, i)?;
                Kind::Quoted
            }
            b'@' if bytes.get(i + 1) == Some(&b'@') => {
                i = variable_end(bytes, i + 2)?;
                Kind::SystemVariable
            }
            b'@' => {
                i = variable_end(bytes, i + 1)?;
                Kind::UserVariable
            }
            b if b.is_ascii_digit() => {
                // `1e5`, `0xff`, but also names such as `1st`: neither matters here.
                i = word_end(i);
                if bytes.get(i) == Some(&b'.') {
                    i = word_end(i + 1);
                }
                Kind::Number
            }
            b if is_word_start(b) => {
                i = word_end(i);
                Kind::Word
            }
            _ => {
                i += 1;
                Kind::Sign(b.into())
            }
        };
        out.push(Token {
            kind,
            range: start..i,
        });
    }
    Ok(out)
}

fn variable_end(bytes: &[u8], from: usize) -> Result<usize, Broken> {
    let mut i = from;
    loop {
        match bytes.get(i) {
            Some(b'`' | b'\'' | b'"') if i == from || bytes[i - 1] == b'.' => {
                i = quoted_end(bytes, i)?;
            }
            Some(b'.') => i += 1,
            Some(b) if is_word(*b) => i += 1,
            _ => return Ok(i),
        }
    }
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
    fn statements_are_cut_at_semicolons() {
        let sql = " select ';' ; ; insert into t values (1) ; -- the end";
        let text = Text::new(sql).unwrap();
        assert_eq!(
            text.statements(sql),
            ["select ';'", "insert into t values (1)"]
        );
        let sql = "/*!40101 SET NAMES utf8 */; create table t (a int /*T! x */); /* b */;";
        assert_eq!(
            Text::new(sql).unwrap().statements(sql),
            [
                "/*!40101 SET NAMES utf8 */",
                "create table t (a int /*T! x */)"
            ]
        );
        let sql = "/*! select 1; select 2 */";
        assert_eq!(
            Text::new(sql).unwrap().statements(sql),
            ["select 1", "select 2"]
        );
    }

    #[test]
    fn unclosed_pieces_are_told() {
        assert_eq!(
            Text::new("select 'a").unwrap_err(),
            Broken::Unclosed { at: 7 }
        );
        assert_eq!(
            Text::new("select /* a").unwrap_err(),
            Broken::Unclosed { at: 7 }
        );
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(sql in ".*") {
            if let Ok(text) = Text::new(&sql) {
                text.statements(&sql);
            }
        }

        #[test]
        fn literals_round_trip(value in ".*") {
            prop_assert_eq!(string_value(&literal(&value)), value);
        }
    }
}
