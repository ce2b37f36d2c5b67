//! Statements about transactions, and others that a release reads and does nothing for.

use super::errors;
use super::text::Text;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::wire::ErrPacket;

/// Why a statement is refused that one release knows and does nothing for.
pub(super) fn refused(text: &Text<'_>, version: TidbVersion) -> Option<ErrPacket> {
    if version >= TidbVersion::V8_5 {
        if text.are(0, &["CREATE", "PROCEDURE"]) {
            // Its grammar is known, and nothing behind it.
            let message = "Unsupported type *resolve.NodeW";
            return Some(ErrPacket::new(8108, "HY000", message));
        }
        let begins = text.is(0, "START") && !text.has(&["AS", "OF"]);
        return (begins && text.has(&["READ", "ONLY"])).then(|| errors::only_noop("READ ONLY"));
    }
    let called = |function: &str| {
        (0..text.tokens.len()).any(|n| text.is(n, function) && text.is_sign(n + 1, '('))
    };
    ["get_lock", "release_lock"]
        .into_iter()
        .find(|function| called(function))
        .map(errors::only_noop)
}

/// What a statement that begins or ends a transaction is to MariaDB, where TiDB reads words that MariaDB does not know, or
/// does nothing for them: READ ONLY (4.0; later it is refused) and AND CHAIN.
pub(super) fn transaction(text: &Text<'_>) -> Option<&'static str> {
    if text.are(0, &["BEGIN", "PESSIMISTIC"])
        || text.are(0, &["START", "TRANSACTION", "READ", "ONLY"])
    {
        return Some("BEGIN");
    }
    if !text.has(&["AND", "CHAIN"]) {
        return None;
    }
    ["COMMIT", "ROLLBACK"]
        .into_iter()
        .find(|word| text.is(0, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_differ() {
        for (sql, old, new) in [
            ("select get_lock('a', 1)", Some(1235), None),
            ("select get_lock from t", None, None),
            ("start transaction read only", None, Some(1235)),
            ("create procedure p() select 1", None, Some(8108)),
        ] {
            let text = Text::new(sql).unwrap();
            let code = |version| refused(&text, version).map(|error| error.code);
            assert_eq!(code(TidbVersion::V4_0), old, "{sql}");
            assert_eq!(code(TidbVersion::V8_5), new, "{sql}");
        }
    }

    #[test]
    fn what_tidb_does_nothing_for_is_left_out() {
        for (sql, expected) in [
            ("begin pessimistic", Some("BEGIN")),
            ("start transaction read only", Some("BEGIN")),
            ("start transaction", None),
            ("commit work and chain", Some("COMMIT")),
            ("rollback and chain", Some("ROLLBACK")),
            ("commit", None),
        ] {
            assert_eq!(transaction(&Text::new(sql).unwrap()), expected, "{sql}");
        }
    }
}
