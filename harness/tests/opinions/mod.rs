//! Several readers of the same changes, and how what they tell is compared.

pub mod canal;
pub mod connector;
pub mod debezium;
#[allow(dead_code)]
#[path = "../../../embedded/tests/cluster/dice.rs"]
pub mod dice;
pub mod history;
pub mod load;
pub mod tables;
pub mod topic;
