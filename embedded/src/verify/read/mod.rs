//! A reader of what TiDB keeps in TiKV, written from the documents alone: it shares no code with `tidb::codec`, which
//! writes these bytes here, so that neither can hide the other's mistakes.
//!
//! Spec: `docs/spec/row-and-key-codecs.md` for rows, keys and values, `docs/spec/tidb-schema.md` for the schema.

pub mod cell;
pub mod datum;
pub mod decimal;
pub mod default;
pub mod entry;
pub mod input;
pub mod json;
pub mod key;
pub mod model;
pub mod row;
pub mod schema;
pub mod text;
pub mod time;

pub use cell::Cell;
pub use datum::Value;
pub use input::Input;
pub use key::{Handle, Key};
pub use model::{Column, Index, Table};

/// Bytes or a text that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Unreadable {
    what: &'static str,
    why: String,
}

impl Unreadable {
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self {
            what,
            why: why.into(),
        }
    }
}
