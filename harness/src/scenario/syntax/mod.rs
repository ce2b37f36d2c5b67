//! The text of a scenario: a plain SQL file with directive lines `-- @name arguments`.
//!
//! Parsing never fails: it gives a [`Tree`] that covers every byte of the file, and a list of errors. What the pieces mean
//! together is settled in [`plan`](super::plan).

pub mod directive;
mod split;
mod version;

use std::fmt;
use std::ops::Range;

pub use directive::Directive;
pub use version::{Comparison, Version};

/// The pieces of a file, in order; together they are the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The pieces.
    pub elements: Vec<Element>,
}

/// One piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What a piece is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Blanks and line ends.
    Space,
    /// A comment.
    Comment,
    /// A directive line; `None` if it was not understood (there is an error then).
    Directive(Option<Directive>),
    /// A statement with its `;`; the text is without it.
    Statement(String),
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hint.is_empty() {
            return write!(f, "{}", self.what);
        }
        write!(f, "{} ({})", self.what, self.hint)
    }
}

/// A parsed file: always a tree, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// All of it.
    pub tree: Tree,
    /// In order of lines.
    pub errors: Vec<SyntaxError>,
}

/// Parses a file.
pub fn parse(text: &str) -> Parsed {
    let mut errors = Vec::new();
    let elements = split::split(text)
        .into_iter()
        .map(|piece| {
            let source = &text[piece.span.clone()];
            let kind = match piece.kind {
                split::Kind::Space => Kind::Space,
                split::Kind::Comment => Kind::Comment,
                split::Kind::Directive => Kind::Directive(match Directive::parse(source) {
                    Ok(directive) => Some(directive),
                    Err((what, hint)) => {
                        let line = piece.line;
                        errors.push(SyntaxError { line, what, hint });
                        None
                    }
                }),
                split::Kind::Statement => {
                    let sql = source.strip_suffix(';').unwrap_or(source);
                    Kind::Statement(sql.trim().to_owned())
                }
            };
            if let Some((line, what, hint)) = piece.wrong {
                let (what, hint) = (what.to_owned(), hint.to_owned());
                errors.push(SyntaxError { line, what, hint });
            }
            Element {
                line: piece.line,
                span: piece.span,
                kind,
            }
        })
        .collect();
    errors.sort_by_key(|error| error.line);
    Parsed {
        tree: Tree { elements },
        errors,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statements(text: &str) -> Vec<String> {
        let parsed = parse(text);
        assert_eq!(parsed.errors, [], "{text}");
        let of = |element: Element| match element.kind {
            Kind::Statement(sql) => Some(sql),
            _ => None,
        };
        parsed.tree.elements.into_iter().filter_map(of).collect()
    }

    fn error(text: &str) -> (usize, String) {
        let parsed = parse(text);
        assert_eq!(parsed.errors.len(), 1, "{:?}", parsed.errors);
        (parsed.errors[0].line, parsed.errors[0].to_string())
    }

    #[test]
    fn semicolons_inside_strings_names_and_comments_end_nothing() {
        let text = "-- a; b\nINSERT INTO `a;``b` VALUES ('x;''y\\';', \"z;\"\"\"); # c;\nSELECT /* ; */ 1 -- ;\n+ 1;\n";
        assert_eq!(
            statements(text),
            [
                "INSERT INTO `a;``b` VALUES ('x;''y\\';', \"z;\"\"\")",
                "SELECT /* ; */ 1 -- ;\n+ 1"
            ]
        );
    }

    #[test]
    fn two_dashes_without_a_blank_are_not_a_comment() {
        assert_eq!(statements("SELECT 1--1;"), ["SELECT 1--1"]);
        assert_eq!(statements("SELECT 1; --\n"), ["SELECT 1"]);
    }

    #[test]
    fn a_directive_in_a_string_is_text() {
        assert_eq!(
            statements("SELECT '\n-- @bad\n';"),
            ["SELECT '\n-- @bad\n'"]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, what) in [
            ("SELECT 1;\nSELECT 2", 2, "the statement is not ended"),
            (
                "SELECT 1;\n\nSELECT 'x;\n",
                3,
                "the string that begins with ' is not ended",
            ),
            (
                "SELECT `x;\n",
                1,
                "the name that begins with ` is not ended",
            ),
            ("/* x\n", 1, "the comment is not ended"),
            ("SELECT\n-- @query\n1;", 2, "a directive inside a statement"),
            (";", 1, "an empty statement"),
            ("--@query\nSELECT 1;", 1, "no blank between `--` and `@`"),
            (
                "\n-- @qeury\n",
                2,
                "unknown directive `@qeury` (did you mean `@query`?)",
            ),
            ("-- @zzz\n", 1, "unknown directive `@zzz` (there are "),
            (
                "-- @error\n",
                1,
                "`@error`: no error code (write `-- @error CODE`",
            ),
        ] {
            let (at, message) = error(text);
            assert_eq!(at, line, "{text}: {message}");
            assert!(message.contains(what), "{text}: {message}");
        }
    }

    #[test]
    fn several_errors_are_all_found() {
        let parsed = parse("-- @a\n-- @query\nSELECT 1;\n-- @b\nSELECT 2");
        assert_eq!(
            parsed.errors.iter().map(|e| e.line).collect::<Vec<_>>(),
            [1, 4, 5]
        );
    }

    proptest! {
        #[test]
        fn every_byte_is_in_the_tree(text in r#"([-@;'"`#/* \n\\a-zé0]|-- @query|-- @error 1|SELECT 1;|/\*|\*/){0,40}"#) {
            let parsed = parse(&text);
            let mut at = 0;
            for element in &parsed.tree.elements {
                prop_assert_eq!(element.span.start, at);
                prop_assert!(element.span.end > at);
                prop_assert_eq!(element.line, text[..at].matches('\n').count() + 1);
                at = element.span.end;
            }
            prop_assert_eq!(at, text.len());
            for error in &parsed.errors {
                prop_assert!(error.line >= 1 && error.line <= text.matches('\n').count() + 1);
            }
        }

        #[test]
        fn anything_is_parsed(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn statements_come_out_as_they_went_in(bodies in proptest::collection::vec(r"[a-z][a-z0-9 (),]{0,20}[a-z]('[^'\\]*')?", 0..8)) {
            let text: String = bodies.iter().map(|body| format!("-- note\n{body};\n\n")).collect();
            prop_assert_eq!(statements(&text), bodies);
        }
    }
}
