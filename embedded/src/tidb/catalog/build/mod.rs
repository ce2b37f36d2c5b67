//! From definitions to the schema's structures.

pub(crate) mod column;
pub(crate) mod default;
pub(crate) mod expression_index;
pub(crate) mod index;
pub(crate) mod name;
pub(crate) mod partition;
pub(crate) mod partition_check;
pub(crate) mod partition_expr;
pub(crate) mod partition_interval;
pub(crate) mod statement;
pub(crate) mod table;
pub(crate) mod ttl;
pub(crate) mod types;
pub(crate) mod view;
