//! From a DDL statement to its [`Plan`](super::Plan).

mod alter;
mod column;
mod database;
mod index;
mod modify;
mod names;
mod planner;
mod rename;
mod run;
pub(crate) mod sql_error;
mod table;

pub(crate) use column::Position;
pub(crate) use index::add_flags as index_flags;
pub(crate) use planner::unsupported;
pub(crate) use run::run;
