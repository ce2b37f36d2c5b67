//! Why a text could not be read.

use std::fmt;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where the offending token begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its line, counted from 1.
    pub line: usize,
    /// The column where it ends, in bytes of its line, as TiDB counts in its messages.
    pub column: usize,
}

impl Place {
    pub(crate) fn new(text: &str, start: usize, end: usize) -> Self {
        let before = &text.as_bytes()[..end.min(text.len())];
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |n| n + 1);
        Self {
            start,
            end,
            line: before.iter().filter(|b| **b == b'\n').count() + 1,
            column: before.len() - line_start,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// Why a text could not be read. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A string, a quoted name or a comment has no end.
    #[error("read the SQL text at {at}: {what} is not closed")]
    Unclosed {
        /// Where it begins.
        at: Place,
        /// What it is.
        what: &'static str,
    },
    /// Another token was expected.
    #[error("read the SQL text at {at}: expected {expected}, found {found}")]
    Syntax {
        /// The token.
        at: Place,
        /// What could have stood there.
        expected: String,
        /// The token as written, or the text's end.
        found: String,
    },
    /// A number, a length or a literal out of its range.
    #[error("read the SQL text at {at}: {found} is no {what}")]
    Value {
        /// The literal.
        at: Place,
        /// What it should be.
        what: &'static str,
        /// The literal as written.
        found: String,
    },
    /// TiDB does not know this character set (its error 1115).
    #[error("read the SQL text at {at}: unknown character set {name:?}")]
    UnknownCharset {
        /// Where it is named.
        at: Place,
        /// The name as written.
        name: String,
    },
    /// TiDB does not know this collation (its error 1273).
    #[error("read the SQL text at {at}: unknown collation {name:?}")]
    UnknownCollation {
        /// Where it is named.
        at: Place,
        /// The name as written.
        name: String,
    },
    /// Nested more deeply than this parser follows.
    #[error("read the SQL text at {at}: nested too deeply (at most {limit} levels)")]
    TooDeep {
        /// Where the limit was passed.
        at: Place,
        /// The limit.
        limit: usize,
    },
    /// Exactly one statement was expected.
    #[error("read the SQL text: expected one statement, found {found}")]
    NotOne {
        /// How many there are.
        found: usize,
    },
}

impl ParseError {
    /// Where, if it is about one place.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Unclosed { at, .. }
            | Self::Syntax { at, .. }
            | Self::Value { at, .. }
            | Self::UnknownCharset { at, .. }
            | Self::UnknownCollation { at, .. }
            | Self::TooDeep { at, .. } => Some(*at),
            Self::NotOne { .. } => None,
        }
    }

    /// TiDB's own words for a syntax error (MySQL's error 1064) in `text`.
    pub fn as_tidb(&self, text: &str) -> String {
        let place = self
            .place()
            .unwrap_or_else(|| Place::new(text, text.len(), text.len()));
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your TiDB version for the right \
             syntax to use {place} near \"{}\" ",
            text.get(place.start..).unwrap_or_default()
        )
    }
}
