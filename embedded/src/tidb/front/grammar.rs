//! What TiDB does not read, what 4.0 does not though 8.5 does, transactions that are not served, and `KILL`.

use super::errors;
use super::rewrite::Rewritten;
use super::session::Session;
use super::statement::Route;
use super::text::Text;
use super::variables;
use crate::tidb::catalog::{TidbVersion, Warning};
use crate::tidb::wire::ErrPacket;
use crate::tidb::wire::capability::STATUS_AUTOCOMMIT;

/// Statements that came after 4.0, by their first word.
const LATER: [&str; 6] = ["BATCH", "RELEASE", "SAVEPOINT", "TABLE", "VALUES", "WITH"];

/// `ER_UNKNOWN_ERROR`.
const UNKNOWN: u16 = 1105;
/// `ER_BAD_TABLE_ERROR`.
const BAD_TABLE: u16 = 1051;

/// The syntax error with which 4.0 answers a statement of 8.5.
pub(super) fn unread_by_4_0(text: &Text<'_>) -> Option<ErrPacket> {
    if LATER.iter().any(|word| text.is(0, word)) {
        return Some(errors::syntax_at_token(text, 0));
    }
    if text.is(0, "ROLLBACK") {
        let n = 1 + usize::from(text.is(1, "WORK"));
        if text.is(n, "TO") {
            return Some(errors::syntax_at_token(text, n));
        }
    }
    let share = (1..text.tokens.len()).find(|n| text.are(n - 1, &["FOR", "SHARE"]))?;
    Some(errors::syntax_at_token(text, share))
}

/// The syntax error about the row alias of MySQL 8.0.19, `INSERT … VALUES … AS new [(a, b)] ON DUPLICATE KEY UPDATE`: TiDB's parser
/// has it since 2026, after every release served here.
pub(super) fn row_alias(text: &Text<'_>) -> Option<ErrPacket> {
    if !text.is(0, "INSERT") && !text.is(0, "REPLACE") {
        return None;
    }
    let mut depth = 0_i32;
    let mut has_rows = false;
    for n in 1..text.tokens.len() {
        if text.is_sign(n, '(') {
            depth += 1;
        } else if text.is_sign(n, ')') {
            depth -= 1;
        } else if depth == 0 && !has_rows {
            // The rows of a query may well have an alias.
            if ["SELECT", "WITH", "TABLE"].iter().any(|w| text.is(n, w)) {
                return None;
            }
            has_rows = ["VALUES", "VALUE", "SET"].iter().any(|w| text.is(n, w));
        } else if depth == 0 && text.is(n, "AS") {
            return Some(errors::syntax_at_token(text, n));
        }
    }
    None
}

/// A statement that TiDB 8.5 reads and MariaDB does not, in MariaDB's words; or why it fails.
pub(super) fn in_mariadbs_words(text: &Text<'_>) -> Option<Result<String, ErrPacket>> {
    if text.is(0, "TABLE") {
        return Some(Ok(format!("SELECT * FROM {}", text.from(1))));
    }
    // TiDB reads it and finds no table.
    let rows = text.is(0, "VALUES") && text.is(1, "ROW");
    rows.then(|| Err(ErrPacket::new(BAD_TABLE, "42S02", "Unknown table ''")))
}

/// A reading statement of 4.0 without the lock that it reads over.
pub(super) fn without_share_lock(text: &Text<'_>) -> Option<String> {
    let n = (0..text.tokens.len()).find(|n| text.are(*n, &["LOCK", "IN", "SHARE", "MODE"]))?;
    let from = text.tokens[n].range.start;
    let to = text.tokens[n + 3].range.end;
    Some(format!("{}{}", &text.sql[..from], &text.sql[to..]))
}

impl Session {
    /// A statement in words that MariaDB reads, if it needs others; or why it is not read.
    pub(super) fn in_other_words(&self, text: &Text<'_>) -> Result<Option<String>, ErrPacket> {
        if let Some(refusal) = row_alias(text) {
            return Err(refusal);
        }
        match self.shared.version {
            TidbVersion::V8_5 => in_mariadbs_words(text).transpose(),
            TidbVersion::V4_0 => match unread_by_4_0(text) {
                Some(refusal) => Err(refusal),
                None => Ok(without_share_lock(text)),
            },
        }
    }

    /// Why a transaction cannot be had: rows are locked as they are written, which an optimistic one does not do.
    pub(super) fn optimistic(&self, text: &Text<'_>, writes: bool) -> Option<ErrPacket> {
        let refusal = || Some(errors::unsupported("optimistic transactions"));
        if text.is(0, "BEGIN") && text.is(1, "OPTIMISTIC") {
            return refusal();
        }
        let mode = variables::tidb(self.shared.version, "tidb_txn_mode")?;
        if self.in_transaction || self.tidb_value(mode, false) == mode.default {
            return None;
        }
        let begins = (text.is(0, "BEGIN") && !text.is(1, "PESSIMISTIC")) || text.is(0, "START");
        // A statement on its own is tried again by TiDB until it meets no conflict.
        let implicit = writes && self.status & STATUS_AUTOCOMMIT == 0;
        if begins || implicit { refusal() } else { None }
    }

    /// `KILL [TIDB] [CONNECTION | QUERY] id`. Of connections that are not there TiDB only warns.
    pub(super) fn kill(&self, text: &Text<'_>) -> Result<Route, ErrPacket> {
        let named = text.is(1, "TIDB");
        let mut n = 1 + usize::from(named);
        n += usize::from(text.is(n, "CONNECTION") || text.is(n, "QUERY"));
        let id: u64 = text
            .get(n)
            .parse()
            .map_err(|_| errors::syntax_at_token(text, n))?;
        let known = u32::try_from(id).is_ok_and(|id| self.shared.sessions().contains_key(&id));
        let message = match self.shared.version {
            TidbVersion::V4_0 if !named => {
                "Invalid operation. Please use 'KILL TIDB [CONNECTION | QUERY] connectionID' instead"
            }
            TidbVersion::V8_5 if !known => {
                "Kill failed: Received a 32bits truncated ConnectionID, expect 64bits. Please execute 'KILL \
                 [CONNECTION | QUERY] ConnectionID' to send a Kill without truncating ConnectionID."
            }
            TidbVersion::V4_0 if !known => return Ok(Route::Nothing { warnings: vec![] }),
            _ => {
                let sql = format!("KILL {}", text.from(1 + usize::from(named)));
                let rewritten = Rewritten {
                    sql,
                    ..Rewritten::default()
                };
                return Ok(Route::Forward {
                    rewritten,
                    target: None,
                });
            }
        };
        Ok(Route::Nothing {
            warnings: vec![Warning {
                level: "Warning",
                code: UNKNOWN,
                message: message.to_owned(),
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_4_0_is_not_read() {
        for (sql, near) in [
            ("with x as (select 1) select 1", "column 4 near \"with x"),
            ("table t", "column 5 near \"table t\""),
            ("savepoint s1", "column 9 near \"savepoint s1\""),
            ("rollback to s1", "column 11 near \"to s1\""),
            ("select * from t for share", "column 25 near \"share\""),
        ] {
            let text = Text::new(sql).unwrap();
            let refusal = unread_by_4_0(&text).unwrap();
            assert_eq!(refusal.code, 1064, "{sql}");
            assert!(refusal.message.contains(near), "{sql}: {}", refusal.message);
        }
        for sql in ["select 1", "rollback", "select * from t for update"] {
            assert_eq!(unread_by_4_0(&Text::new(sql).unwrap()), None, "{sql}");
        }
    }

    #[test]
    fn row_aliases_are_not_read() {
        for (sql, near) in [
            (
                "insert into t values (1, 2) as new on duplicate key update b = new.b",
                "line 1 column 30 near \"as new on",
            ),
            (
                "INSERT INTO t\nSET id = 1, v = 2\nAS new (a, b) ON DUPLICATE KEY UPDATE v = b",
                "line 3 column 3 near \"AS new (a, b)",
            ),
            (
                "replace t (a) value (1), (cast(2 as signed)) as n",
                "line 1 column 47 near \"as n\"",
            ),
        ] {
            let refusal = row_alias(&Text::new(sql).unwrap()).unwrap();
            assert_eq!(refusal.code, 1064, "{sql}");
            assert!(refusal.message.contains(near), "{sql}: {}", refusal.message);
        }
        for sql in [
            "insert into t values (cast(1 as signed)) on duplicate key update b = values(b) + 1",
            "insert into t (a, `values`) select a as x, b from u as v on duplicate key update b = v.b",
            "insert into t set a = cast(1 as char)",
            "insert into t (select a as b from u)",
            "select 1 as a",
        ] {
            assert_eq!(row_alias(&Text::new(sql).unwrap()), None, "{sql}");
        }
    }

    #[test]
    fn tables_are_read_in_mariadbs_words() {
        let of = |sql: &str| in_mariadbs_words(&Text::new(sql).unwrap());
        assert_eq!(
            of("table d.t order by 1"),
            Some(Ok("SELECT * FROM d.t order by 1".to_owned()))
        );
        assert_eq!(of("select 1"), None);
        let text = Text::new("select * from t lock in share mode").unwrap();
        assert_eq!(
            without_share_lock(&text).as_deref(),
            Some("select * from t ")
        );
    }
}
