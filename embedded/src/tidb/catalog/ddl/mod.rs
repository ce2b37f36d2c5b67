//! From a parsed DDL statement to its [`Plan`](super::Plan).

mod column;
mod database;
mod index;
mod planner;
mod rename;
pub(crate) mod sql_error;
mod table;
