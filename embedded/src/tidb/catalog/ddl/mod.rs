//! From a DDL statement to its [`Plan`](super::Plan).

mod alter;
mod alter_options;
mod change;
mod column;
mod database;
mod exchange;
mod index;
mod modify;
mod multi;
mod names;
mod partition;
mod partition_change;
pub(crate) mod partition_error;
mod partition_sugar;
mod planner;
mod rename;
mod reorganize;
mod run;
pub(crate) mod sql_error;
mod table;

pub(crate) use column::Position;
pub(crate) use index::add_flags as index_flags;
pub(crate) use planner::unsupported;
pub(crate) use run::run;
