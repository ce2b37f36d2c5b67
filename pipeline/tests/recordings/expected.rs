//! Differences that are known, each with its reason.

/// Changefeeds that other stages decide about.
pub(crate) fn out_of_scope(pipeline: &str) -> Option<&'static str> {
    match pipeline {
        "filter" => Some("table and event filters are another stage"),
        _ => None,
    }
}

/// Where a recording has no more messages although statements follow.
pub(crate) fn ends(version: &str, name: &str, step: u32) -> Option<&'static str> {
    let ends = (version, name, step) == ("v6.5", "ddl-table", 70);
    ends.then_some("v6.5.3 stopped at a statement under ANSI_QUOTES")
}

/// A partition that v8.4.0 has none for.
pub(crate) const PANICS: &str = "v8.4.0 panics on a stored column behind a virtual one";
