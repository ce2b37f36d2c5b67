//! What a changefeed takes of what happens upstream: tables, DDL statements, transactions, rows.
//!
//! [`Scope`] is the whole of it. [`events`] are the event filters of a changefeed's file, whose conditions are [`expr`].

pub mod events;
pub mod expr;
mod kinds;
mod scope;
#[cfg(test)]
mod tests;

pub use events::{EventFilters, RowFilters};
pub use scope::Scope;
