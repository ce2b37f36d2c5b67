//! Differences that are known, each with its reason.

use crate::load::Message;

/// What was written down of rows and statements that the recorded changefeed leaves out: a changefeed does not follow the
/// tables of the first kind, and sends nothing of the second.
pub(crate) fn is_nothing(message: &Message) -> bool {
    message.error.as_deref().is_some_and(|error| {
        error.starts_with("[CDC:ErrSnapshotTableNotFound]") || error == "ignored by event filter"
    })
}

/// Where a recording has no more messages although statements follow.
pub(crate) fn ends(version: &str, name: &str, step: u32) -> Option<&'static str> {
    let ends = (version, name, step) == ("v6.5", "ddl-table", 70);
    ends.then_some("v6.5.3 stopped at a statement under ANSI_QUOTES")
}

/// A partition that v8.4.0 has none for.
pub(crate) const PANICS: &str = "v8.4.0 panics on a stored column behind a virtual one";
