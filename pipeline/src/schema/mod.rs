//! The tables of the cluster over time, from meta keys and DDL jobs.
