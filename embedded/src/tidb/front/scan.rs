//! How a text of the client's is read: with TiDB's own scanner, which knows the comments that a release runs and the names in
//! double quotes of ANSI_QUOTES. What MariaDB would read otherwise is written so that it reads the same.

use std::borrow::Cow;
use std::ops::Range;

use tidb_sql::lexer::{self, TokenKind, name_value};
use tidb_sql::{Release, SqlMode};

use super::session::Session;
use super::text::{Broken, Kind, Token, quoted};
use crate::tidb::catalog::TidbVersion;

type Scanned<'a> = lexer::Token<'a>;

impl Session {
    /// What the reading of a text depends on.
    pub(super) fn reading(&self) -> (SqlMode, Release) {
        let mode = SqlMode {
            ansi_quotes: self.ansi_quotes,
            ..SqlMode::default()
        };
        let release = match self.shared.version {
            TidbVersion::V4_0 => Release::V4_0,
            TidbVersion::V8_5 => Release::V8_5,
        };
        (mode, release)
    }

    /// A text with all its names in back quotes, and without comments that TiDB and MariaDB do not read alike.
    pub(super) fn plain<'s>(&self, sql: &'s str) -> Result<Cow<'s, str>, Broken> {
        let reading = self.reading();
        Ok(plain(sql, &scan(sql, reading)?))
    }
}

/// Cuts a text into TiDB's tokens.
pub(super) fn scan(
    sql: &str,
    (mode, release): (SqlMode, Release),
) -> Result<Vec<Scanned<'_>>, Broken> {
    let scanned = lexer::tokens_of(sql, mode, release).map_err(|error| Broken {
        at: error.place().map_or(sql.len(), |place| place.start),
    })?;
    // MariaDB takes some for white space, and a comment for begun where `--` stands before one.
    let control = |t: &&Scanned| t.kind == TokenKind::Sign && t.text.contains(char::is_control);
    match scanned.iter().find(control) {
        Some(token) => Err(Broken { at: token.start }),
        None => Ok(scanned),
    }
}

/// What stands for a token in a plain text, if something else does.
fn replaced(token: &Scanned<'_>) -> Option<String> {
    // Even where TiDB does not run one, what reads the plain text must not.
    let foreign = ["/*!", "/*M!", "/*T!"]
        .iter()
        .any(|s| token.text.starts_with(s));
    match token.kind {
        TokenKind::SpecialOpen | TokenKind::SpecialClose => Some(" ".repeat(token.text.len())),
        // Lines stay lines, for errors.
        TokenKind::Comment if foreign => Some(
            token
                .text
                .bytes()
                .map(|b| if b == b'\n' { '\n' } else { ' ' })
                .collect(),
        ),
        TokenKind::QuotedName if token.text.starts_with('"') => {
            Some(quoted(&name_value(token.text)))
        }
        _ => None,
    }
}

/// A text as MariaDB may read it: comments that TiDB runs (`/*! … */`, `/*T! … */`) are opened up, those that only MariaDB
/// would run (`/*M! … */`) are blanked, names are in back quotes.
pub(super) fn plain<'s>(sql: &'s str, scanned: &[Scanned<'_>]) -> Cow<'s, str> {
    plain_part(sql, 0..sql.len(), scanned)
}

/// The same of a part of a text, whose tokens these are.
fn plain_part<'s>(sql: &'s str, part: Range<usize>, scanned: &[Scanned<'_>]) -> Cow<'s, str> {
    let mut out = String::new();
    let mut copied = part.start;
    for token in scanned {
        if let Some(replacement) = replaced(token) {
            out.push_str(&sql[copied..token.start]);
            if out.ends_with("--") && !replacement.starts_with('`') {
                // Two signs before a comment; before white space they would begin one.
                out.insert(out.len() - 1, ' ');
            }
            out.push_str(&replacement);
            copied = token.end();
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(&sql[part]);
    }
    out.push_str(&sql[copied..part.end]);
    Cow::Owned(out)
}

/// The statements of a text as they are typed, cut at its semicolons; empty ones are left out.
pub(super) fn statements(sql: &str, reading: (SqlMode, Release)) -> Result<Vec<String>, Broken> {
    let scanned = scan(sql, reading)?;
    let mut out = Vec::new();
    for piece in scanned.split(|token| token.is_sign(";")) {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
            continue;
        };
        if piece.iter().all(|token| token.kind.is_trivia()) {
            continue;
        }
        let of = |kind| piece.iter().filter(|token| token.kind == kind).count();
        let part = first.start..last.end();
        // A semicolon in an opened comment parts that.
        let is_whole = of(TokenKind::SpecialOpen) == of(TokenKind::SpecialClose);
        let statement = match is_whole {
            true => Cow::Borrowed(&sql[part]),
            false => plain_part(sql, part, piece),
        };
        out.push(statement.trim().to_owned());
    }
    Ok(out)
}

/// The tokens of a plain text, comments left out.
pub(super) fn pieces(sql: &str, scanned: &[Scanned<'_>]) -> Result<Vec<Token>, Broken> {
    let mut out: Vec<Token> = Vec::with_capacity(scanned.len());
    let mut end = 0;
    for token in scanned.iter().filter(|token| !token.kind.is_trivia()) {
        if token.start < end {
            // Part of a variable's name.
            if token.end() > end {
                return Err(Broken { at: token.start });
            }
            continue;
        }
        let (start, kind) = (token.start, token.kind);
        end = token.end();
        let kind = match kind {
            TokenKind::Word => Kind::Word,
            TokenKind::QuotedName => Kind::Quoted,
            TokenKind::Text => Kind::Text,
            TokenKind::Sign if token.text == "@@" => {
                end = variable_end(sql, end)?;
                Kind::SystemVariable
            }
            TokenKind::Sign if token.text == "@" => {
                end = variable_end(sql, end)?;
                Kind::UserVariable
            }
            TokenKind::Sign => {
                out.extend(token.text.char_indices().map(|(n, sign)| Token {
                    kind: Kind::Sign(sign),
                    range: start + n..start + n + sign.len_utf8(),
                }));
                continue;
            }
            _ => Kind::Number,
        };
        let range = start..end;
        out.push(Token { kind, range });
    }
    Ok(out)
}

/// Where the name of a variable ends that begins at `from`.
fn variable_end(sql: &str, from: usize) -> Result<usize, Broken> {
    let bytes = sql.as_bytes();
    let mut i = from;
    loop {
        match bytes.get(i) {
            Some(b'`' | b'\'' | b'"') if i == from || bytes[i - 1] == b'.' => {
                i = quoted_end(bytes, i)?;
            }
            Some(b) if *b == b'.' || is_word(*b) => i += 1,
            _ => return Ok(i),
        }
    }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80
}

/// The end of a quoted piece that begins at `at`.
fn quoted_end(bytes: &[u8], at: usize) -> Result<usize, Broken> {
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
    Err(Broken { at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSI: SqlMode = SqlMode {
        ansi_quotes: true,
        no_backslash_escapes: false,
        pipes_as_concat: false,
        high_not_precedence: false,
        real_as_float: false,
    };

    fn read(sql: &str, mode: SqlMode, release: Release) -> String {
        plain(sql, &scan(sql, (mode, release)).unwrap()).into_owned()
    }

    fn cut(sql: &str, mode: SqlMode) -> Vec<String> {
        statements(sql, (mode, Release::V8_5)).unwrap()
    }

    #[test]
    fn names_are_put_in_back_quotes() {
        for (typed, plain) in [
            (r#"select "a" from "d"."t""#, "select `a` from `d`.`t`"),
            (r#"select "a""b`c\" "#, "select `a\"b``c\\` "),
            (r#"select '"' -- "x"#, r#"select '"' -- "x"#),
            (r#"/* "x */ select `"`"#, r#"/* "x */ select `"`"#),
            (r#"/*! select "x" */"#, "    select `x`   "),
            ("select 1--/*! */1", "select 1- -      1"),
        ] {
            assert_eq!(read(typed, ANSI, Release::V8_5), plain);
        }
        let unclosed = scan("select \"a", (ANSI, Release::V8_5)).unwrap_err();
        assert_eq!(unclosed, Broken { at: 7 });
    }

    #[test]
    fn comments_are_read_as_the_release_reads_them() {
        let sql = "a /*T![ttl] b */ /*T![auto_rand] c */ /*T![nobody] d */ /*! e /*! f */ g */";
        let words = |release| -> Vec<String> {
            let plain = read(sql, SqlMode::default(), release);
            let scanned = scan(&plain, (SqlMode::default(), release)).unwrap();
            let tokens = pieces(&plain, &scanned).unwrap();
            tokens
                .iter()
                .map(|t| plain[t.range.clone()].to_owned())
                .collect()
        };
        assert_eq!(words(Release::V8_5), ["a", "b", "c", "e", "g"]);
        assert_eq!(words(Release::V4_0), ["a", "c", "e", "g"]);
        let nested = read("/*! a /*! b\n */ */", SqlMode::default(), Release::V8_5);
        assert!(
            !nested.contains("/*") && nested.contains('\n'),
            "{nested:?}"
        );
    }

    #[test]
    fn control_characters_are_read_nowhere_but_in_texts() {
        let broken = |sql: &str| scan(sql, (SqlMode::default(), Release::V8_5)).err();
        assert_eq!(broken("select 1 --\u{1} 2"), Some(Broken { at: 11 }));
        assert_eq!(broken("select\u{7f}1"), Some(Broken { at: 6 }));
        assert_eq!(broken("select\u{b}'\u{1}' -- \u{1}\n+ 1 --\u{b}'"), None);
    }

    #[test]
    fn statements_are_cut_at_semicolons() {
        let default = SqlMode::default();
        for (sql, mode, expected) in [
            (
                " select ';' ; ; insert into t values (1) ; -- the end",
                default,
                vec!["select ';'", "insert into t values (1)"],
            ),
            (
                "/*!40101 SET NAMES utf8 */; create table t (a int /*T! x */); /* b */;",
                default,
                vec![
                    "/*!40101 SET NAMES utf8 */",
                    "create table t (a int /*T! x */)",
                ],
            ),
            (
                "/*! select 1; select 2 */",
                default,
                vec!["select 1", "select 2"],
            ),
            (
                "select 1--/*!1 a;select*/2",
                default,
                vec!["select 1- -   1 a", "select  2"],
            ),
            (
                r#"select "a\"; select 2"#,
                ANSI,
                vec![r#"select "a\""#, "select 2"],
            ),
            (
                r#"select "a\"; select 2""#,
                default,
                vec![r#"select "a\"; select 2""#],
            ),
        ] {
            assert_eq!(cut(sql, mode), expected);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(sql in ".*", ansi_quotes: bool) {
            let reading = (SqlMode { ansi_quotes, ..SqlMode::default() }, Release::V4_0);
            if let Ok(scanned) = scan(&sql, reading) {
                let plain = plain(&sql, &scanned);
                let again = scan(&plain, (SqlMode::default(), Release::V4_0));
                if let Ok(again) = again {
                    let _ = pieces(&plain, &again);
                }
            }
            let _ = statements(&sql, reading);
        }

        #[test]
        fn a_plain_text_is_plain(sql in "(a|`|'|\"|/\\*|\\*/|/\\*!|/\\*M!|/\\*T!|--| |\n|;|\\\\){0,16}") {
            let reading = (SqlMode::default(), Release::V8_5);
            if let Ok(scanned) = scan(&sql, reading) {
                let once = plain(&sql, &scanned).into_owned();
                let again = scan(&once, reading).unwrap();
                prop_assert_eq!(plain(&once, &again).into_owned(), once.clone());
            }
        }
    }
}
