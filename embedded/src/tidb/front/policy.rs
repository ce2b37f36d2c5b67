//! The allow-list: which statements may pass, and what is said to the others.

use super::errors;
use super::text::{Kind, Text};
use crate::tidb::apply::table::ROW_ID;
use crate::tidb::wire::ErrPacket;

/// Databases that belong to the server.
pub(super) const SYSTEM_DATABASES: [&str; 5] = [
    "mysql",
    "information_schema",
    "performance_schema",
    "metrics_schema",
    "sys",
];

/// What a statement is, as far as its way through the front goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Reads.
    Query,
    /// Writes rows.
    Dml,
    /// Begins, ends or marks a transaction, and other statements that MariaDB runs as they are.
    Plain,
    /// Changes the schema.
    Ddl,
    /// `SET`.
    Set,
    /// `SHOW`.
    Show,
    /// `DESC t`, `EXPLAIN …`.
    Explain,
    /// `PREPARE` from a text.
    Prepare,
    /// `KILL`.
    Kill,
    /// `ADMIN …`.
    Admin,
    /// `SPLIT TABLE`.
    Split,
    /// `ANALYZE TABLE`.
    Analyze,
    /// Users and privileges.
    Accounts,
    /// `FLUSH`.
    Flush,
    /// `LOCK TABLES`.
    LockTables,
    /// `UNLOCK TABLES`.
    UnlockTables,
}

/// Statements of TiDB that are not served, by their first words.
const UNSERVED: [(&[&str], &str); 19] = [
    (&["ALTER", "INSTANCE"], "ALTER INSTANCE"),
    (&["ALTER", "RESOURCE"], "resource groups"),
    (&["BACKUP"], "BACKUP"),
    (&["BATCH"], "BATCH"),
    (&["BINLOG"], "BINLOG"),
    (&["CALIBRATE"], "CALIBRATE RESOURCE"),
    (&["CANCEL"], "CANCEL"),
    (&["CREATE", "BINDING"], "plan bindings"),
    (&["CREATE", "GLOBAL", "BINDING"], "plan bindings"),
    (&["CREATE", "RESOURCE"], "resource groups"),
    (&["CREATE", "ROLE"], "users and privileges"),
    (&["DROP", "RESOURCE"], "resource groups"),
    (&["DROP", "ROLE"], "users and privileges"),
    (&["FLASHBACK", "CLUSTER"], "FLASHBACK CLUSTER"),
    (&["FLASHBACK", "DATABASE"], "FLASHBACK DATABASE"),
    (&["FLASHBACK", "SCHEMA"], "FLASHBACK DATABASE"),
    (&["IMPORT"], "IMPORT INTO"),
    (&["LOAD", "STATS"], "LOAD STATS"),
    (&["TRACE"], "TRACE"),
];

/// Constructs that MariaDB reads and TiDB does not, or only TiDB's way.
const FOREIGN: [&[&str]; 7] = [
    &["RETURNING"],
    &["SYSTEM_TIME"],
    &["PORTION", "OF"],
    &["PREVIOUS", "VALUE", "FOR"],
    &["INTO", "OUTFILE"],
    &["INTO", "DUMPFILE"],
    &["DELETE", "HISTORY"],
];

/// Classes by the first word.
fn class_of(text: &Text<'_>) -> Option<Class> {
    let first = text.get(0).to_ascii_uppercase();
    Some(match first.as_str() {
        "SELECT" | "WITH" | "TABLE" | "VALUES" | "(" => Class::Query,
        "INSERT" | "REPLACE" | "UPDATE" | "DELETE" => Class::Dml,
        "LOAD" if text.is(1, "DATA") => Class::Dml,
        "BEGIN" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "USE" | "DO" | "EXECUTE"
        | "DEALLOCATE" => Class::Plain,
        "START" if text.is(1, "TRANSACTION") => Class::Plain,
        "CREATE" | "DROP" | "ALTER" | "RENAME" if text.is(1, "USER") => Class::Accounts,
        "GRANT" | "REVOKE" => Class::Accounts,
        "CREATE" | "DROP" | "ALTER" | "TRUNCATE" | "RENAME" | "RECOVER" | "FLASHBACK" => Class::Ddl,
        "SET" if text.is(1, "PASSWORD") => Class::Accounts,
        "SET" => Class::Set,
        "SHOW" => Class::Show,
        "DESC" | "DESCRIBE" | "EXPLAIN" => Class::Explain,
        "PREPARE" => Class::Prepare,
        "KILL" => Class::Kill,
        "ADMIN" => Class::Admin,
        "SPLIT" => Class::Split,
        "ANALYZE" => Class::Analyze,
        "FLUSH" => Class::Flush,
        "LOCK" => Class::LockTables,
        "UNLOCK" => Class::UnlockTables,
        _ => return None,
    })
}

/// What a statement is, or why it may not pass.
pub(super) fn classify(text: &Text<'_>) -> Result<Class, ErrPacket> {
    let unserved = UNSERVED.iter().find(|(words, _)| text.are(0, words));
    if let Some((_, what)) = unserved {
        return Err(errors::unsupported(what));
    }
    let Some(class) = class_of(text) else {
        return Err(errors::syntax_at_token(text, 0));
    };
    match class {
        Class::Ddl => ddl(text)?,
        Class::Query | Class::Dml | Class::Plain => constructs(text, class)?,
        _ => {}
    }
    Ok(class)
}

/// What may be created, dropped and so on; the rest TiDB's grammar does not have.
fn ddl(text: &Text<'_>) -> Result<(), ErrPacket> {
    // One of these words alone is the new name.
    let to_past = |n: &usize| text.is(*n, "TIMESTAMP") || text.is(*n, "TSO");
    let last = text.tokens.len().saturating_sub(1);
    if text.is(0, "FLASHBACK")
        && (3..last).any(|n| text.is(n, "TO") && to_past(&(n + 1)) && n + 1 < last)
    {
        return Err(errors::unsupported("FLASHBACK TABLE … TO TIMESTAMP"));
    }
    let object = (1..text.tokens.len())
        .find(|n| {
            !["UNIQUE", "FULLTEXT", "SPATIAL"]
                .iter()
                .any(|w| text.is(*n, w))
        })
        .unwrap_or(1);
    const OBJECTS: [&str; 8] = [
        "TABLE",
        "TABLES",
        "DATABASE",
        "SCHEMA",
        "INDEX",
        "VIEW",
        "SEQUENCE",
        "PLACEMENT",
    ];
    let known = OBJECTS.iter().any(|w| text.is(object, w));
    let truncate =
        text.is(0, "TRUNCATE") || text.is(1, "TEMPORARY") || text.are(1, &["GLOBAL", "TEMPORARY"]);
    // `CREATE OR REPLACE VIEW` is TiDB's, `CREATE OR REPLACE TABLE` is not.
    let replaced_view =
        text.are(1, &["OR", "REPLACE"]) && (text.has(&["VIEW"]) || text.is(3, "PLACEMENT"));
    let defined_view = (text.is(1, "ALGORITHM") || text.is(1, "DEFINER") || text.is(1, "SQL"))
        && text.has(&["VIEW"]);
    if known || truncate || replaced_view || defined_view {
        return Ok(());
    }
    Err(errors::syntax_at_token(text, 1))
}

fn constructs(text: &Text<'_>, class: Class) -> Result<(), ErrPacket> {
    for words in FOREIGN {
        if let Some(n) = (0..text.tokens.len()).find(|n| text.are(*n, words)) {
            let is_name = n > 0 && (text.is_sign(n - 1, '.') || text.is_sign(n + 1, '.'));
            if is_name {
                continue;
            }
            if words[0] == "INTO" {
                return Err(errors::unsupported("SELECT … INTO OUTFILE"));
            }
            return Err(errors::syntax_at_token(text, n));
        }
    }
    // 4.0 reads over it; its statement is without.
    let share = text.has(&["LOCK", "IN", "SHARE", "MODE"]) || text.has(&["FOR", "SHARE"]);
    if share {
        let message = "function LOCK IN SHARE MODE has only noop implementation in tidb now, use \
                       tidb_enable_noop_functions to enable these functions";
        return Err(ErrPacket::new(errors::NOT_SUPPORTED, "42000", message));
    }
    if text.is(0, "BEGIN") && text.is(1, "NOT") {
        return Err(errors::syntax_at_token(text, 1));
    }
    if text.is(0, "EXECUTE") && text.is(1, "IMMEDIATE") {
        return Err(errors::syntax_at_token(text, 2));
    }
    if text.is(0, "START") && text.has(&["AS", "OF"]) {
        return Err(errors::unsupported("reads of the past (AS OF TIMESTAMP)"));
    }
    if text.is(0, "LOAD") && !text.has(&["LOCAL", "INFILE"]) {
        return Err(errors::unsupported("LOAD DATA of files at the server"));
    }
    if class == Class::Dml
        && let Some(database) = system_table(text)
    {
        return Err(errors::unsupported(&format!(
            "writing to tables of {database}"
        )));
    }
    Ok(())
}

/// A system database that is named before a table.
fn system_table(text: &Text<'_>) -> Option<&'static str> {
    (0..text.tokens.len()).find_map(|n| {
        if !text.is_sign(n + 1, '.') || (n > 0 && text.is_sign(n - 1, '.')) {
            return None;
        }
        let name = text.name(n)?;
        SYSTEM_DATABASES
            .into_iter()
            .find(|db| db.eq_ignore_ascii_case(&name))
    })
}

/// The table that an INSERT, REPLACE, UPDATE, single-table DELETE or LOAD DATA writes.
pub(super) fn target(text: &Text<'_>) -> Option<(Option<String>, String)> {
    const NOISE: [&str; 8] = [
        "LOW_PRIORITY",
        "HIGH_PRIORITY",
        "DELAYED",
        "QUICK",
        "IGNORE",
        "INTO",
        "FROM",
        "TABLE",
    ];
    if text.is(0, "LOAD") {
        let into = (1..text.tokens.len()).find(|n| text.are(*n, &["INTO", "TABLE"]))?;
        let (database, table, _) = text.full_name(into + 2)?;
        return Some((database, table));
    }
    let n = (1..text.tokens.len()).find(|n| !NOISE.iter().any(|w| text.is(*n, w)))?;
    let (database, table, _) = text.full_name(n)?;
    Some((database, table))
}

/// Whether an INSERT, REPLACE or UPDATE names `_tidb_rowid` among the columns it writes.
pub(super) fn writes_row_id(text: &Text<'_>) -> bool {
    let is_it = |n: usize| {
        text.name(n)
            .is_some_and(|name| name.eq_ignore_ascii_case(ROW_ID))
    };
    if text.is(0, "LOAD") {
        return (1..text.tokens.len()).any(is_it);
    }
    let first =
        |words: &[&str]| (1..text.tokens.len()).find(|n| words.iter().any(|w| text.is(*n, w)));
    let listed = match first(&["VALUES", "VALUE", "SELECT", "SET", "TABLE", "WITH"]) {
        Some(end) if !text.is(0, "UPDATE") => (1..end).any(is_it),
        _ => false,
    };
    let assigned = first(&["SET", "UPDATE"]).is_some_and(|set| {
        let end = first(&["WHERE"]).unwrap_or(text.tokens.len());
        (set..end).any(|n| is_it(n) && text.is_sign(n + 1, '='))
    });
    listed || assigned
}

/// Whether a token is one of a kind.
pub(super) fn is_kind(text: &Text<'_>, n: usize, kind: Kind) -> bool {
    text.tokens.get(n).is_some_and(|t| t.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(sql: &str) -> Result<Class, (u16, String)> {
        classify(&Text::new(sql).unwrap()).map_err(|e| (e.code, e.message))
    }

    #[test]
    fn what_tidb_has_no_grammar_for_is_a_syntax_error() {
        for sql in [
            "selec 1",
            "create trigger tr before insert on t for each row set new.v = 'x'",
            "create function f() returns int return 1",
            "create event e on schedule every 1 day do select 1",
            "create or replace table t (a int)",
            "xa start 'x'",
            "handler t open",
            "insert into t values (1) returning id",
            "select * from t for system_time all",
            "execute immediate 'select 1'",
            "begin not atomic select 1; end",
            "call p()",
            "signal sqlstate '45000'",
        ] {
            assert_eq!(class(sql).unwrap_err().0, 1064, "{sql}");
        }
        assert_eq!(
            class("create trigger tr before insert on t for each row set new.v = 'x'")
                .unwrap_err()
                .1,
            "You have an error in your SQL syntax; check the manual that corresponds to your TiDB version for the right \
             syntax to use line 1 column 14 near \"trigger tr before insert on t for each row set new.v = 'x'\" "
        );
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        for sql in [
            "insert into mysql.user values (1)",
            "update `mysql`.tidb set a = 1",
            "delete t from t join sys.x",
            "select 1 into outfile 'x'",
            "start transaction read only as of timestamp now()",
        ] {
            let (code, message) = class(sql).unwrap_err();
            assert_eq!(code, 1235, "{sql}");
            assert!(
                message.contains("the embedded TiDB does not support"),
                "{message}"
            );
        }
    }

    #[test]
    fn ordinary_statements_pass() {
        for (sql, expected) in [
            ("(select 1) union (select 2)", Class::Query),
            ("with x as (select 1) select * from x", Class::Query),
            ("insert into t values (1)", Class::Dml),
            ("insert into t (mysql) values (1)", Class::Dml),
            ("start transaction", Class::Plain),
            ("create unique index i on t (a)", Class::Ddl),
            ("create user u", Class::Accounts),
            ("revoke select on d.* from u", Class::Accounts),
            ("truncate t", Class::Ddl),
            ("rename table a to b", Class::Ddl),
            ("recover table by job 5", Class::Ddl),
            ("flashback table t to timestamp", Class::Ddl),
            ("create or replace view v as select 1", Class::Ddl),
            ("set autocommit = 1", Class::Set),
            ("set password = ''", Class::Accounts),
        ] {
            assert_eq!(class(sql), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn the_written_table_is_found() {
        let of = |sql: &str| target(&Text::new(sql).unwrap());
        assert_eq!(
            of("insert ignore into `a b` values (1)"),
            Some((None, "a b".to_owned()))
        );
        assert_eq!(
            of("replace into d.t values (1)"),
            Some((Some("d".to_owned()), "t".to_owned()))
        );
        assert_eq!(of("update t set a = 1"), Some((None, "t".to_owned())));
        assert_eq!(of("delete from t"), Some((None, "t".to_owned())));
        assert_eq!(
            of("load data local infile 'f' replace into table d.t (a)"),
            Some((Some("d".to_owned()), "t".to_owned()))
        );
    }
}
