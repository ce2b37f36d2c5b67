//! Configuration of a changefeed: its sink URI, its file, its filter, and what they settle on.
//!
//! Everything here follows the TiCDC of the chosen [`Compat`](crate::compat::Compat), text of errors included
//! (`spec/sink-uri.md`).

pub mod dispatch;
pub mod file;
pub mod filter;
pub mod golang;
pub mod kafka;
pub mod large;
pub mod legacy;
pub mod replica;
pub mod security;
pub mod server;
pub mod topic;
pub mod uri;
pub mod validate;
