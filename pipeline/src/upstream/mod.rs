//! The TiDB cluster as a source: PD, reads at a timestamp, TiKV's change feed.
