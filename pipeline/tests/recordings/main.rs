//! What the real TiCDC sent for recorded changes, held against the schema, mount and codec stages: metadata, DDL jobs
//! and row changes go in statement by statement, and every recorded message of every changefeed must come out.

mod canonical;
mod compare;
mod expected;
#[path = "../fake/mod.rs"]
mod fake;
mod feed;
mod load;
mod meta;
mod partitions;
mod replay;
mod report;
mod whole;

use pipeline::compat::Compat;

/// Replays all recordings of a version; fails on any difference that is not named in [`expected`].
fn replay_all(version: &str, compat: Compat) {
    let names = load::names(version);
    assert!(!names.is_empty(), "no recordings of {version}");
    let reports: Vec<_> = names
        .iter()
        .map(|name| replay::replay(version, name, compat))
        .collect();
    report::print(version, &reports);
    report::assert_none_wrong(&reports);
}

#[test]
fn v8_4() {
    replay_all("v8.4", Compat::V8_5);
}

#[test]
fn v4_0() {
    replay_all("v4.0", Compat::V4_0_9);
}

#[test]
fn v6_5() {
    replay_all("v6.5", Compat::V6_5);
}
