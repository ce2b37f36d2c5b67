//! Users and privileges: MariaDB keeps them, and checks what each may do on its own connection.
//!
//! `root` is the server's own account there, which has no password and everything allowed; so it stays as it is. All clients
//! come from this machine: accounts are told apart by their names, not by hosts.

use std::collections::BTreeMap;

use super::errors;
use super::relay::Answered;
use super::requirement;
use super::session::Session;
use super::text::{Kind, Text, literal, quoted};
use super::{FrontError, policy};
use crate::tidb::wire::handshake::NATIVE_PASSWORD;
use crate::tidb::wire::{ErrPacket, WireError};

/// The account that everything is allowed to.
pub(super) const ROOT: &str = "root";
/// Accounts of MariaDB's own.
const RESERVED: [&str; 4] = [ROOT, "mariadb.sys", "mysql", "public"];
/// What TiDB says to a GRANT to nobody, and what MariaDB says.
const NO_SUCH_GRANTEE: (u16, u16) = (1410, 1133);

/// Clauses of TiDB that MariaDB does not have, or has otherwise.
const UNSERVED: [&str; 6] = [
    "COMMENT",
    "ATTRIBUTE",
    "RESOURCE",
    "ROLE",
    "TOKEN_ISSUER",
    "FAILED_LOGIN_ATTEMPTS",
];

impl Session {
    /// Runs a statement about users or privileges. DDL statements and these come one after the other in the binlog.
    pub(super) async fn accounts(&mut self, sql: &str, more: bool) -> Result<Answered, FrontError> {
        let Ok(text) = Text::new(sql) else {
            return self.refuse(&errors::syntax_at(sql, 0)).await;
        };
        if self.user == ROOT
            && text.is(0, "SET")
            && text.is_sign(2, '=')
            && text.string(3).as_deref() == Some("")
        {
            // It has none.
            self.succeed(0, more).await?;
            self.warnings = Some(vec![]);
            return Ok(Answered::Done);
        }
        let rewritten = match for_mariadb(&text, &self.user) {
            Ok(rewritten) => rewritten,
            Err(refusal) => return self.refuse(&refusal).await,
        };
        let mut change = match requirement::change(&text, &self.user) {
            Ok(change) => change,
            Err(refusal) => return self.refuse(&refusal).await,
        };
        let shared = std::sync::Arc::clone(&self.shared);
        let _one_at_a_time = shared.ddl.lock().await;
        if let Some(change) = change.as_mut().filter(|_| text.is(0, "CREATE")) {
            self.leave_out_those_there(change).await?;
        }
        let executed = self.backend.execute(&rewritten).await;
        if let Some(change) = change.filter(|_| executed.is_ok() || text.is(0, "CREATE")) {
            self.keep_requirement(&change).await?;
        }
        shared.read_requirements().await?;
        match executed {
            Ok(ok) => {
                self.hold(&ok).await?;
                self.succeed(0, more).await?;
                self.warnings = Some(vec![]);
                Ok(Answered::Done)
            }
            Err(WireError::Server { error, .. }) if error.code == NO_SUCH_GRANTEE.1 => {
                let message = "You are not allowed to create a user with GRANT";
                let refusal = ErrPacket::new(NO_SUCH_GRANTEE.0, "42000", message);
                self.refuse(&refusal).await
            }
            Err(WireError::Server { error, .. }) => self.refuse(&error).await,
            Err(other) => Err(other.into()),
        }
    }
}

/// What TiDB says to those who may not set global variables: `root` alone may here.
pub(super) fn no_global_variables() -> ErrPacket {
    let message = "Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLES_ADMIN privilege(s) for this \
                   operation";
    ErrPacket::new(1227, "42000", message)
}

/// An account that a statement names.
#[derive(Debug, PartialEq, Eq)]
enum Account {
    /// `CURRENT_USER`, `CURRENT_USER()`, `USER()`.
    Own,
    Named(String),
}

/// The account at the n-th token, and the place after it.
fn account(text: &Text<'_>, n: usize) -> Result<(Account, usize), ErrPacket> {
    let called = text.is_sign(n + 1, '(') && text.is_sign(n + 2, ')');
    if text.is(n, "CURRENT_USER") || text.is(n, "USER") && called {
        return Ok((Account::Own, n + if called { 3 } else { 1 }));
    }
    let user = text.string(n).or_else(|| text.name(n));
    let user = user.ok_or_else(|| errors::syntax_at_token(text, n))?;
    if !policy::is_kind(text, n + 1, Kind::UserVariable) {
        return Ok((Account::Named(user), n + 1));
    }
    let host = text.get(n + 1)[1..].trim_matches(['\'', '`', '"']);
    if host != "%" && !host.eq_ignore_ascii_case("localhost") {
        return Err(errors::unsupported(&format!(
            "accounts of the host {host}: all clients come from this machine"
        )));
    }
    Ok((Account::Named(user), n + 2))
}

/// Places outside parentheses, from the n-th token on.
fn outside(text: &Text<'_>, n: usize) -> impl Iterator<Item = usize> {
    let mut depth = 0_i32;
    let tokens = text.tokens.iter().enumerate().skip(n);
    tokens.filter_map(move |(i, token)| {
        match token.kind {
            Kind::Sign('(') => depth += 1,
            Kind::Sign(')') => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(i)
    })
}

/// The places at which a statement names accounts.
fn named(text: &Text<'_>) -> Result<Vec<usize>, ErrPacket> {
    let behind = |word: &str| {
        let found = outside(text, 1).find(|n| text.is(*n, word) && !text.is_sign(n - 1, '.'));
        let end = text.tokens.len();
        found
            .map(|n| n + 1)
            .ok_or_else(|| errors::syntax_at_token(text, end))
    };
    let first = if text.is(0, "GRANT") {
        behind("TO")?
    } else if text.is(0, "REVOKE") {
        behind("FROM")?
    } else if text.are(2, &["IF", "NOT", "EXISTS"]) {
        5
    } else if text.are(2, &["IF", "EXISTS"]) {
        4
    } else {
        2
    };
    let renames = text.is(0, "RENAME");
    let parts = outside(text, first)
        .filter(|n| text.is_sign(*n, ',') || renames && text.is(*n, "TO"))
        .map(|n| n + 1);
    Ok(std::iter::once(first).chain(parts).collect())
}

/// The account at the n-th token, and whether it is named as the session's own.
pub(super) fn user_at(
    text: &Text<'_>,
    n: usize,
    session_user: &str,
) -> Result<(String, bool), ErrPacket> {
    Ok(match account(text, n)?.0 {
        Account::Own => (session_user.to_owned(), true),
        Account::Named(user) => (user, false),
    })
}

/// The accounts that a statement names.
pub(super) fn users(text: &Text<'_>, session_user: &str) -> Result<Vec<String>, ErrPacket> {
    let at = named(text)?;
    at.into_iter()
        .map(|n| Ok(user_at(text, n, session_user)?.0))
        .collect()
}

/// An account for MariaDB, if it may be changed.
fn changed(account: Account, session_user: &str) -> Result<String, ErrPacket> {
    let user = match account {
        Account::Own => session_user.to_owned(),
        Account::Named(user) => user,
    };
    match RESERVED.iter().any(|r| r.eq_ignore_ascii_case(&user)) {
        true => Err(errors::unsupported(&format!(
            "changes of the account {user}"
        ))),
        false => Ok(format!("{}@'%'", quoted(&user))),
    }
}

/// What the name of a privilege begins with. Names of others, which 8.x takes, are a matter of syntax to MariaDB.
const PRIVILEGES: [&str; 24] = [
    "ALL",
    "ALTER",
    "CREATE",
    "DELETE",
    "DROP",
    "EVENT",
    "EXECUTE",
    "FILE",
    "GRANT",
    "INDEX",
    "INSERT",
    "LOCK",
    "PROCESS",
    "PROXY",
    "REFERENCES",
    "RELOAD",
    "REPLICATION",
    "SELECT",
    "SHOW",
    "SHUTDOWN",
    "SUPER",
    "TRIGGER",
    "UPDATE",
    "USAGE",
];

/// A statement of this user's as MariaDB has it, if it has it.
pub(super) fn for_mariadb(text: &Text<'_>, user: &str) -> Result<String, ErrPacket> {
    if text.is(0, "SET") {
        return set_password(text, user);
    }
    let grants = text.is(0, "GRANT") || text.is(0, "REVOKE");
    if grants && !text.has(&["ON"]) && !text.are(1, &["ALL", "PRIVILEGES"]) {
        return Err(errors::unsupported("roles"));
    }
    // Before it is asked whose account that is, as the parser does.
    if grants && !PRIVILEGES.iter().any(|word| text.is(1, word)) {
        return Err(errors::syntax_at_token(text, 1));
    }
    if grants && text.is(1, "PROXY") {
        return Err(errors::unsupported("GRANT PROXY"));
    }
    for n in 0..text.tokens.len() {
        // MariaDB's own ways to log in.
        if text.are(n, &["IDENTIFIED", "VIA"]) {
            return Err(errors::syntax_at_token(text, n + 1));
        }
        if let Some(word) = UNSERVED.iter().find(|word| text.is(n, word)) {
            return Err(errors::unsupported(&format!("{word} of users")));
        }
    }
    let mut edits = password_clauses(text)?;
    if let Some((n, Some(_))) = requirement::clause(text)? {
        // Its own connection to a client is not under TLS.
        edits.insert(n, (n + 1, "NONE".to_owned()));
    }
    for n in named(text)? {
        let (account, end) = account(text, n)?;
        let is_own = account == Account::Own;
        let account = changed(account, user)?;
        if is_own {
            edits.insert(n, (end, account));
        }
    }
    let mut out = String::new();
    let mut copied = 0;
    for (from, (to, replacement)) in edits {
        out.push_str(&text.sql[copied..text.tokens[from].range.start]);
        out.push_str(&replacement);
        copied = text.tokens[to - 1].range.end;
    }
    out.push_str(&text.sql[copied..]);
    Ok(out)
}

/// `SET PASSWORD [FOR account] = …`, where the password is a text, or in a call of PASSWORD.
fn set_password(text: &Text<'_>, user: &str) -> Result<String, ErrPacket> {
    let (account, equals) = match text.is(2, "FOR") {
        true => account(text, 3)?,
        false => (Account::Own, 2),
    };
    if !text.is_sign(equals, '=') {
        return Err(errors::syntax_at_token(text, equals));
    }
    let called = text.is(equals + 1, "PASSWORD") && text.is_sign(equals + 2, '(');
    let at = equals + if called { 3 } else { 1 };
    let end = at + 1 + usize::from(called);
    let password = text
        .string(at)
        .filter(|_| !called || text.is_sign(at + 1, ')'));
    match password {
        Some(password) if text.tokens.len() == end => Ok(format!(
            "SET PASSWORD FOR {} = PASSWORD({})",
            changed(account, user)?,
            literal(&password)
        )),
        _ => Err(errors::syntax_at_token(text, at)),
    }
}

/// Tokens that are replaced: up to which, and by what. By the number of the first one.
type Edits = BTreeMap<usize, (usize, String)>;

/// `IDENTIFIED WITH mysql_native_password BY 'x'` is IDENTIFIED BY there, with AS it is VIA and USING.
fn password_clauses(text: &Text<'_>) -> Result<Edits, ErrPacket> {
    let mut out = Edits::new();
    for n in 0..text.tokens.len() {
        if !text.are(n, &["IDENTIFIED", "WITH"]) {
            continue;
        }
        let plugin = text.string(n + 2).or_else(|| text.name(n + 2));
        let plugin = plugin.ok_or_else(|| errors::syntax_at_token(text, n + 2))?;
        if plugin != NATIVE_PASSWORD {
            return Err(errors::unsupported(&format!(
                "the authentication plugin {plugin}"
            )));
        }
        let with = match text.is(n + 3, "AS") {
            true => "VIA mysql_native_password USING",
            false if text.is(n + 3, "BY") => "BY",
            false => continue,
        };
        out.insert(n + 1, (n + 4, with.to_owned()));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_mariadbs_or_refused() {
        let of = |sql: &str| for_mariadb(&Text::new(sql).unwrap(), "me").map_err(|e| e.message);
        for (sql, mariadb) in [
            (
                "create user 'u'@'%' identified by 'x'",
                "create user 'u'@'%' identified by 'x'",
            ),
            (
                "create user u identified with 'mysql_native_password' by 'x', w",
                "create user u identified BY 'x', w",
            ),
            (
                "alter user u identified with mysql_native_password as '*AB'",
                "alter user u identified VIA mysql_native_password USING '*AB'",
            ),
            (
                "grant select on d.* to u require none",
                "grant select on d.* to u require none",
            ),
            (
                "create user u identified by 'x' require ssl account lock",
                "create user u identified by 'x' require NONE account lock",
            ),
            ("alter user u require x509", "alter user u require NONE"),
            (
                "grant select (public) on mysql.root to u, current_user() with grant option",
                "grant select (public) on mysql.root to u, `me`@'%' with grant option",
            ),
            (
                "alter user user() identified by 'root', w identified by 'x'",
                "alter user `me`@'%' identified by 'root', w identified by 'x'",
            ),
            (
                "set password = 'it''s'",
                "SET PASSWORD FOR `me`@'%' = PASSWORD('it''s')",
            ),
            (
                "set password for 'u'@'%' = password('x')",
                "SET PASSWORD FOR `u`@'%' = PASSWORD('x')",
            ),
        ] {
            assert_eq!(of(sql).as_deref(), Ok(mariadb), "{sql}");
        }
        for sql in [
            "create user u identified with caching_sha2_password by 'x'",
            "alter user root identified by 'x'",
            "drop user 'root'@'%'",
            "create user 'u'@'10.0.0.1'",
            "create user u require subject '/CN=u'",
            "grant r to u",
            "alter user u identified by 'x', root identified by 'x'",
            "drop user u, 'root'",
            "rename user u to mysql",
            "rename user u to w, root to x",
            "grant select on d.* to u, `root`@'%'",
            "revoke all privileges on d.* from u, root",
            "grant proxy on root to u",
            "set password for root = 'x'",
        ] {
            assert!(of(sql).unwrap_err().contains("does not support"), "{sql}");
        }
        for sql in [
            "alter user u identified via unix_socket",
            "alter user u identified by 'x' or identified via unix_socket",
            "drop user",
            "grant select on d.*",
            "set password = x",
            "set password = 'x', sql_log_bin = 0",
        ] {
            assert!(of(sql).unwrap_err().contains("SQL syntax"), "{sql}");
        }
    }

    #[test]
    fn the_servers_own_account_is_nobodys_to_change() {
        for sql in [
            "alter user current_user() identified by 'x'",
            "alter user current_user identified by 'x'",
            "alter user u, user() identified by 'x'",
            "drop user current_user",
            "rename user current_user to u",
            "revoke all privileges on *.* from current_user()",
            "set password = 'x'",
        ] {
            let refused = for_mariadb(&Text::new(sql).unwrap(), ROOT).unwrap_err();
            assert!(
                refused.message.ends_with("changes of the account root"),
                "{sql}"
            );
        }
    }
}
