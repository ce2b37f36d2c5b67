//! Cutting a file into blanks, comments, directive lines and statements, as a MySQL client would: strings, quoted names
//! and comments are skipped, `;` ends a statement.

use std::ops::Range;

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Comment,
    Directive,
    Statement,
}

/// A piece, and what is wrong with it: line, what, hint.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) line: usize,
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    pub(super) wrong: Option<(usize, &'static str, &'static str)>,
}

/// Cuts a file; the pieces cover it.
pub(super) fn split(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let rest = &text[at..];
        let (length, kind, wrong) = piece(rest, starts_line(text, at));
        let span = at..at + length;
        pieces.push(Piece {
            line,
            span: span.clone(),
            kind,
            wrong: wrong.map(|(offset, what, hint)| {
                (line + rest[..offset].matches('\n').count(), what, hint)
            }),
        });
        line += text[span].matches('\n').count();
        at += length;
    }
    pieces
}

/// Whether only blanks stand between the line's start and `at`.
fn starts_line(text: &str, at: usize) -> bool {
    let before = text[..at].rsplit('\n').next().unwrap_or("");
    before.trim().is_empty()
}

type Wrong = Option<(usize, &'static str, &'static str)>;

/// The first piece of a text that is not empty.
fn piece(rest: &str, starts_line: bool) -> (usize, Kind, Wrong) {
    let blanks = rest.len() - rest.trim_start().len();
    if blanks > 0 {
        return (blanks, Kind::Space, None);
    }
    if starts_line && rest.starts_with("--@") {
        let wrong = Some((0, "no blank between `--` and `@`", "write `-- @…`"));
        return (to_line_end(rest), Kind::Comment, wrong);
    }
    if starts_line && directive(rest) {
        return (to_line_end(rest), Kind::Directive, None);
    }
    if let Some((length, ended)) = comment(rest) {
        let wrong = (!ended).then_some((0, "the comment is not ended", "end it with `*/`"));
        return (length, Kind::Comment, wrong);
    }
    statement(rest)
}

fn statement(rest: &str) -> (usize, Kind, Wrong) {
    let mut at = 0;
    let mut wrong: Wrong = None;
    while let Some(c) = rest[at..].chars().next() {
        let here = &rest[at..];
        match c {
            ';' => {
                if at == 0 {
                    wrong = Some((0, "an empty statement", "remove the `;`"));
                }
                return (at + 1, Kind::Statement, wrong);
            }
            '\'' | '"' | '`' => match quoted(here, c) {
                Some(length) => at += length,
                None => {
                    let what = match c {
                        '`' => "the name that begins with ` is not ended",
                        '"' => "the string that begins with \" is not ended",
                        _ => "the string that begins with ' is not ended",
                    };
                    let wrong = wrong.or(Some((at, what, "")));
                    return (rest.len(), Kind::Statement, wrong);
                }
            },
            _ => match comment(here) {
                Some((length, ended)) => {
                    if !ended {
                        wrong =
                            wrong.or(Some((at, "the comment is not ended", "end it with `*/`")));
                        return (rest.len(), Kind::Statement, wrong);
                    }
                    if directive(here) && starts_line(rest, at) {
                        let what = "a directive inside a statement";
                        wrong = wrong.or(Some((at, what, "end the statement with `;` before it")));
                    }
                    at += length;
                }
                None => at += c.len_utf8(),
            },
        }
    }
    let wrong = wrong.or(Some((0, "the statement is not ended", "end it with `;`")));
    (rest.len(), Kind::Statement, wrong)
}

fn directive(rest: &str) -> bool {
    let after = rest.strip_prefix("--");
    after.is_some_and(|after| {
        let trimmed = after.trim_start_matches([' ', '\t']);
        trimmed.len() < after.len() && trimmed.starts_with('@')
    })
}

/// The length of the comment that the text begins with, and whether it is ended.
fn comment(rest: &str) -> Option<(usize, bool)> {
    if let Some(inside) = rest.strip_prefix("/*") {
        return Some(match inside.find("*/") {
            Some(end) => (2 + end + 2, true),
            None => (rest.len(), false),
        });
    }
    let dashes = rest
        .strip_prefix("--")
        .is_some_and(|after| after.is_empty() || after.starts_with(char::is_whitespace));
    (rest.starts_with('#') || dashes).then(|| (to_line_end(rest), true))
}

/// Up to the line's end, without it.
fn to_line_end(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// The length of the string or name that the text begins with; `None` if it does not end.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && quote != '`' {
            characters.next();
        } else if c == quote {
            if characters.peek().is_none_or(|(_, next)| *next != quote) {
                return Some(at + c.len_utf8());
            }
            characters.next();
        }
    }
    None
}
