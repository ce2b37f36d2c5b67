//! What can be wrong with an expression, and with a row that is held against it.

use tidb_sql::ParseError;

use crate::mount::MountError;

/// Why an expression cannot be used. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// It is no expression.
    #[error(transparent)]
    Syntax(#[from] ParseError),
    /// The table has no such column.
    #[error("find the column {column}")]
    UnknownColumn {
        /// The column as it is written.
        column: String,
    },
    /// TiDB may evaluate it, this pipeline does not.
    #[error("evaluate {part}: {what}")]
    Unsupported {
        /// The part of the expression, as TiDB spells it.
        part: String,
        /// What about it.
        what: String,
    },
}

/// Why an expression has no value for a row. Messages read after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A result that its type cannot hold.
    #[error("compute: a value is out of range of {what}")]
    Range {
        /// The type.
        what: &'static str,
    },
    /// A text that is no value of the type that it is compared with.
    #[error("compare: {text:?} is no {what}")]
    Truncated {
        /// The type.
        what: &'static str,
        /// The text, or its beginning.
        text: String,
    },
    /// The column's value cannot be read.
    #[error(transparent)]
    Value(#[from] MountError),
}

/// Characters of a text that are told: errors are logged, stored and sent, and a row has megabytes.
const TOLD: usize = 64;

impl EvalError {
    /// A text that is no value of a type.
    pub(super) fn truncated(what: &'static str, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = match text.char_indices().nth(TOLD) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.into_owned(),
        };
        Self::Truncated { what, text }
    }
}
