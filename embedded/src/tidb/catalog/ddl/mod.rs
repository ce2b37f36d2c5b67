//! From a DDL statement to its [`Plan`](super::Plan).

mod alter;
mod alter_column;
mod alter_index;
mod alter_options;
mod cache;
mod change;
mod column;
mod database;
mod drop;
mod exchange;
mod foreign_key;
mod generated;
mod index;
mod modify;
mod multi;
mod names;
mod partition;
mod partition_change;
pub(crate) mod partition_error;
mod partition_sugar;
mod placement;
mod planner;
mod recover;
mod rename;
mod reorganize;
mod rewrite;
mod run;
mod sequence;
pub(crate) mod sql_error;
mod table;
mod view;

pub(crate) use column::Position;
pub(crate) use index::add_flags as index_flags;
pub(crate) use planner::unsupported;
pub(crate) use run::run;
