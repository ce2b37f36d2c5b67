//! What accounts require of a client's connection: `REQUIRE SSL`, `REQUIRE X509`.
//!
//! MariaDB would hold its own connection to that, which is a socket in a private folder: it is told NONE. It keeps what TiDB
//! was told beside what it knows of an account, and the front enforces it.

use std::collections::BTreeMap;

use super::Shared;
use super::accounts;
use super::errors;
use super::session::Session;
use super::text::{Text, literal};
use crate::tidb::wire::{Agreed, Backend, ErrPacket, WireError};

/// Where it stands in `mysql.global_priv`.
const PLACE: &str = "$.tidb_require";
/// Requirements of TiDB that are not served.
const UNSERVED: [&str; 5] = ["SUBJECT", "ISSUER", "CIPHER", "SAN", "TOKEN_ISSUER"];

/// What an account requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirement {
    /// TLS.
    Ssl,
    /// TLS and a certificate of the client's own that the server's authority vouches for.
    X509,
}

/// By account.
pub(super) type Requirements = BTreeMap<String, Requirement>;

impl Requirement {
    fn from_word(word: &str) -> Option<Self> {
        [Self::Ssl, Self::X509]
            .into_iter()
            .find(|known| known.word().eq_ignore_ascii_case(word))
    }

    /// As SQL has it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ssl => "SSL",
            Self::X509 => "X509",
        }
    }

    /// Whether a connection is as required.
    pub(super) fn is_met(self, tls: Option<Agreed>) -> bool {
        match self {
            Self::Ssl => tls.is_some(),
            Self::X509 => tls.is_some_and(|tls| tls.certified),
        }
    }
}

/// The place of the word behind REQUIRE in a statement about users, and what it asks for: none for NONE.
pub(super) fn clause(text: &Text<'_>) -> Result<Option<(usize, Option<Requirement>)>, ErrPacket> {
    let Some(n) = (0..text.tokens.len()).find(|n| text.is(*n, "REQUIRE")) else {
        return Ok(None);
    };
    let at = n + 1;
    if text.is(at, "NONE") {
        return Ok(Some((at, None)));
    }
    if let Some(word) = UNSERVED.iter().find(|word| text.is(at, word)) {
        return Err(errors::unsupported(&format!("REQUIRE {word} of users")));
    }
    match Requirement::from_word(text.get(at)) {
        Some(_) if text.is(0, "GRANT") => Err(errors::unsupported("REQUIRE in GRANT")),
        Some(required) => Ok(Some((at, Some(required)))),
        None => Err(errors::syntax_at_token(text, at)),
    }
}

/// What a statement makes of requirements.
#[derive(Debug)]
pub(super) struct Change {
    required: Option<Requirement>,
    users: Vec<String>,
}

/// What a statement about accounts will make of their requirements; none if nothing.
pub(super) fn change(text: &Text<'_>, session_user: &str) -> Result<Option<Change>, ErrPacket> {
    let creates = text.is(0, "CREATE");
    if !creates && !text.is(0, "ALTER") {
        return Ok(None);
    }
    let required = clause(text)?.and_then(|(_, required)| required);
    if creates && required.is_none() {
        return Ok(None);
    }
    let users = accounts::users(text, session_user)?;
    Ok(Some(Change { required, users }))
}

impl Session {
    /// Leaves out the accounts that are there: a CREATE USER leaves them as they are.
    pub(super) async fn leave_out_those_there(&self, change: &mut Change) -> Result<(), WireError> {
        let list: Vec<String> = change.users.iter().map(|user| literal(user)).collect();
        let query = format!(
            "SELECT User FROM mysql.global_priv WHERE User IN ({})",
            list.join(", ")
        );
        let mut own = Backend::connect(&self.shared.socket).await?;
        let found = own.rows(&query).await?;
        let there: Vec<String> = found.rows.iter().map(|row| first(row)).collect();
        change.users.retain(|user| !there.contains(user));
        Ok(())
    }

    /// Keeps what a statement made of requirements, whose accounts are as it left them by now: a CREATE USER of several may
    /// have made some before it failed. As in TiDB an ALTER USER without the clause takes a requirement back.
    pub(super) async fn keep_requirement(&self, change: &Change) -> Result<(), WireError> {
        let changed = match change.required {
            Some(required) => format!("JSON_SET(Priv, '{PLACE}', '{}')", required.word()),
            None => format!("JSON_REMOVE(Priv, '{PLACE}')"),
        };
        let statements: Vec<String> = change
            .users
            .iter()
            .map(|user| {
                format!(
                    "UPDATE mysql.global_priv SET Priv = {changed} WHERE User = {}",
                    literal(user)
                )
            })
            .collect();
        Backend::run_unlogged(&self.shared.socket, &statements).await
    }
}

impl Shared {
    /// Reads what accounts require.
    ///
    /// # Errors
    /// MariaDB did not answer.
    pub async fn read_requirements(&self) -> Result<(), WireError> {
        let query = format!(
            "SELECT User, JSON_VALUE(Priv, '{PLACE}') FROM mysql.global_priv WHERE JSON_VALUE(Priv, '{PLACE}') IS NOT NULL"
        );
        let mut own = Backend::connect(&self.socket).await?;
        let read = own.rows(&query).await?.rows;
        let read = read.iter().filter_map(|row| {
            let required = row.get(1)?.as_ref()?;
            let required = Requirement::from_word(&String::from_utf8_lossy(required))?;
            Some((first(row), required))
        });
        let read: Requirements = read.collect();
        *self.requirements_kept() = read;
        Ok(())
    }

    /// Whether a connection is as a user's account requires.
    pub(super) fn admits(&self, user: &str, tls: Option<Agreed>) -> bool {
        let required = self.requirements_kept().get(user).copied();
        required.is_none_or(|required| required.is_met(tls))
    }
}

/// The text of a row's first value.
fn first(row: &[Option<bytes::Bytes>]) -> String {
    let value = row.first().and_then(Option::as_ref);
    value.map_or(String::new(), |v| String::from_utf8_lossy(v).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_read_or_refused() {
        let of = |sql: &str| clause(&Text::new(sql).unwrap()).map_err(|e| e.code);
        assert_eq!(of("create user u"), Ok(None));
        assert_eq!(of("create user `require`"), Ok(None));
        assert_eq!(of("create user u require none"), Ok(Some((4, None))));
        assert_eq!(
            of("alter user u require ssl account lock"),
            Ok(Some((4, Some(Requirement::Ssl))))
        );
        assert_eq!(
            of("alter user u require x509"),
            Ok(Some((4, Some(Requirement::X509))))
        );
        for (sql, code) in [
            ("create user u require subject '/CN=x'", 1235),
            ("create user u require cipher 'x' and issuer 'y'", 1235),
            ("grant select on d.* to u require ssl", 1235),
            ("create user u require", 1064),
            ("create user u require tls", 1064),
        ] {
            assert_eq!(of(sql), Err(code), "{sql}");
        }
    }

    #[test]
    fn a_connection_is_as_required_or_not() {
        let tls = |certified| {
            Some(Agreed {
                suite: 0x1301,
                version: "TLSv1.3",
                certified,
            })
        };
        assert!(!Requirement::Ssl.is_met(None));
        assert!(Requirement::Ssl.is_met(tls(false)));
        assert!(!Requirement::X509.is_met(None));
        assert!(!Requirement::X509.is_met(tls(false)));
        assert!(Requirement::X509.is_met(tls(true)));
    }
}
