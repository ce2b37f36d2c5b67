//! Users and privileges: MariaDB keeps them, and checks what each may do on its own connection.
//!
//! `root` is the server's own account there, which has no password and everything allowed; so it stays as it is. All clients
//! come from this machine: accounts are told apart by their names, not by hosts.

use super::errors;
use super::relay::Answered;
use super::session::Session;
use super::text::{Kind, Text, quoted};
use super::{FrontError, served};
use crate::tidb::wire::handshake::NATIVE_PASSWORD;
use crate::tidb::wire::{ErrPacket, WireError};

/// The account that everything is allowed to.
pub(super) const ROOT: &str = "root";
/// Accounts of MariaDB's own.
const RESERVED: [&str; 4] = [ROOT, "mariadb.sys", "mysql", "public"];
/// What TiDB says to a GRANT to nobody, and what MariaDB says.
const NO_SUCH_GRANTEE: (u16, u16) = (1410, 1133);

/// Clauses of TiDB that MariaDB does not have, or has otherwise.
const UNSERVED: [&str; 7] = [
    "REQUIRE",
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
        let rewritten = match Text::new(sql).map(|text| for_mariadb(&text)) {
            Ok(Ok(rewritten)) => rewritten,
            Ok(Err(refusal)) => return self.refuse(&refusal).await,
            Err(_) => return self.refuse(&errors::syntax_at(sql, 0)).await,
        };
        let shared = std::sync::Arc::clone(&self.shared);
        let _one_at_a_time = shared.ddl.lock().await;
        match self.backend.execute(&rewritten).await {
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

    /// `SHOW GRANTS [FOR account]`.
    pub(super) async fn show_grants(&mut self, text: &Text<'_>, n: usize) -> served::Served {
        let user = match text.is(n, "FOR") {
            true if text.is(n + 1, "CURRENT_USER") => self.user.clone(),
            true => match account(text, n + 1) {
                Some((user, _)) => user,
                None => return served::refused(errors::syntax_at_token(text, n + 1)),
            },
            false => self.user.clone(),
        };
        let title = match text.is(n, "FOR") || self.user != ROOT {
            true => format!("Grants for {user}@%"),
            false => "Grants for User".to_owned(),
        };
        if user == ROOT {
            let all = "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION";
            let row = vec![super::text::literal(all)];
            return served::served(served::select(&[&title], &[row]));
        }
        let query = format!("SHOW GRANTS FOR {}@'%'", quoted(&user));
        let rows = match self.backend.rows(&query).await {
            Ok(rows) => rows,
            Err(WireError::Server { error, .. }) => return served::refused(error),
            Err(other) => return Err(other.into()),
        };
        let rows: Vec<Vec<String>> = rows
            .rows
            .iter()
            .filter_map(|row| row.first()?.as_ref())
            .map(|grant| {
                vec![super::text::literal(&as_tidb(
                    &String::from_utf8_lossy(grant),
                    &user,
                ))]
            })
            .collect();
        served::served(served::select(&[&title], &rows))
    }
}

/// What TiDB says to those who may not set global variables: `root` alone may here.
pub(super) fn no_global_variables() -> ErrPacket {
    let message = "Access denied; you need (at least one of) the SUPER or SYSTEM_VARIABLES_ADMIN privilege(s) for this \
                   operation";
    ErrPacket::new(1227, "42000", message)
}

/// A grant as TiDB tells it: without the password, the account in single quotes.
fn as_tidb(grant: &str, user: &str) -> String {
    const PASSWORD: &str = " IDENTIFIED BY PASSWORD '";
    let mut out = grant.to_owned();
    if let Some(from) = out.find(PASSWORD)
        && let Some(len) = out[from + PASSWORD.len()..].find('\'')
    {
        out.replace_range(from..from + PASSWORD.len() + len + 1, "");
    }
    let account = format!("{}@`%`", quoted(user));
    out.replace(&account, &format!("'{user}'@'%'"))
}

/// The account at the n-th token, and the place after it.
fn account(text: &Text<'_>, n: usize) -> Option<(String, usize)> {
    let user = text.string(n).or_else(|| text.name(n))?;
    let host = text
        .tokens
        .get(n + 1)
        .is_some_and(|t| t.kind == Kind::UserVariable);
    Some((user, n + 1 + usize::from(host)))
}

/// The statement as MariaDB has it, if it has it.
fn for_mariadb(text: &Text<'_>) -> Result<String, ErrPacket> {
    let verb = text.get(0).to_ascii_uppercase();
    let grants = verb == "GRANT" || verb == "REVOKE";
    if grants && !text.has(&["ON"]) && !text.are(1, &["ALL", "PRIVILEGES"]) {
        return Err(errors::unsupported("roles"));
    }
    for n in 0..text.tokens.len() {
        if let Some(word) = UNSERVED.iter().find(|word| text.is(n, word)) {
            let nothing = text.are(n, &["REQUIRE", "NONE"]);
            if !nothing {
                return Err(errors::unsupported(&format!("{word} of users")));
            }
        }
        let is_host = text
            .tokens
            .get(n + 1)
            .is_some_and(|t| t.kind == Kind::UserVariable);
        let names = is_host || n > 0 && (text.is(n - 1, "USER") || text.is(n - 1, "EXISTS"));
        let user = text.string(n).or_else(|| text.name(n));
        if names
            && let Some(user) = user
            && RESERVED.iter().any(|r| r.eq_ignore_ascii_case(&user))
        {
            return Err(errors::unsupported(&format!(
                "changes of the account {user}"
            )));
        }
        if text
            .tokens
            .get(n)
            .is_some_and(|t| t.kind == Kind::UserVariable)
        {
            let host = text.get(n)[1..].trim_matches(['\'', '`', '"']).to_owned();
            if host != "%" && !host.eq_ignore_ascii_case("localhost") {
                return Err(errors::unsupported(&format!(
                    "accounts of the host {host}: all clients come from this machine"
                )));
            }
        }
    }
    password_clauses(text)
}

/// `IDENTIFIED WITH mysql_native_password BY 'x'` is IDENTIFIED BY there, with AS it is VIA and USING.
fn password_clauses(text: &Text<'_>) -> Result<String, ErrPacket> {
    let mut out = String::new();
    let mut copied = 0;
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
        out.push_str(&text.sql[copied..text.tokens[n + 1].range.start]);
        out.push_str(with);
        copied = text.tokens[n + 3].range.end;
    }
    out.push_str(&text.sql[copied..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_mariadbs_or_refused() {
        let of = |sql: &str| for_mariadb(&Text::new(sql).unwrap()).map_err(|e| e.message);
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
        ] {
            assert_eq!(of(sql).as_deref(), Ok(mariadb), "{sql}");
        }
        for sql in [
            "create user u identified with caching_sha2_password by 'x'",
            "alter user root identified by 'x'",
            "drop user 'root'@'%'",
            "create user 'u'@'10.0.0.1'",
            "create user u require ssl",
            "grant r to u",
        ] {
            assert!(of(sql).unwrap_err().contains("does not support"), "{sql}");
        }
    }

    #[test]
    fn grants_are_told_without_passwords() {
        assert_eq!(
            as_tidb(
                "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*AB'",
                "u"
            ),
            "GRANT USAGE ON *.* TO 'u'@'%'"
        );
    }
}
