//! `SHOW GRANTS`, `SHOW CREATE USER`.

use serde::Deserialize;

use super::accounts::{self, ROOT};
use super::served::{Served, refused, select, served};
use super::session::Session;
use super::text::{Text, literal, quoted};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::wire::handshake::NATIVE_PASSWORD;
use crate::tidb::wire::{Backend, ErrPacket, WireError};

/// `ER_CANNOT_USER`.
const CANNOT_USER: u16 = 1396;

/// What MariaDB keeps of an account, as far as it is told.
#[derive(Debug, Default, Deserialize)]
struct Kept {
    #[serde(default)]
    authentication_string: String,
    #[serde(default)]
    tidb_require: Option<String>,
    #[serde(default)]
    account_locked: bool,
    /// 0 for a password that has expired.
    #[serde(default)]
    password_last_changed: Option<i64>,
    /// In days; -1 for the default, 0 for ever.
    #[serde(default)]
    password_lifetime: Option<i64>,
    #[serde(default)]
    max_user_connections: i64,
}

impl Kept {
    fn statement(&self, user: &str, release: TidbVersion) -> String {
        let password = &self.authentication_string;
        let required = self.tidb_require.as_deref().unwrap_or("NONE");
        let begin = format!(
            "CREATE USER '{user}'@'%' IDENTIFIED WITH '{NATIVE_PASSWORD}' AS '{password}' REQUIRE {required}"
        );
        if release == TidbVersion::V4_0 {
            return format!("{begin} PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK");
        }
        let connections = match self.max_user_connections {
            n if n > 0 => format!(" WITH MAX_USER_CONNECTIONS {n}"),
            _ => String::new(),
        };
        let expires = match (self.password_last_changed, self.password_lifetime) {
            (Some(0), _) => "PASSWORD EXPIRE".to_owned(),
            (_, Some(0)) => "PASSWORD EXPIRE NEVER".to_owned(),
            (_, Some(days)) if days > 0 => format!("PASSWORD EXPIRE INTERVAL {days} DAY"),
            _ => "PASSWORD EXPIRE DEFAULT".to_owned(),
        };
        let locked = if self.account_locked {
            "LOCK"
        } else {
            "UNLOCK"
        };
        format!(
            "{begin}{connections} {expires} ACCOUNT {locked} PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT"
        )
    }
}

impl Session {
    /// `SHOW GRANTS [FOR account]`.
    pub(super) async fn show_grants(&mut self, text: &Text<'_>, n: usize) -> Served {
        let named = text.is(n, "FOR");
        let user = match named.then(|| accounts::user_at(text, n + 1, &self.user)) {
            Some(Ok((user, _))) => user,
            None => self.user.clone(),
            Some(Err(refusal)) => return refused(refusal),
        };
        let title = match text.is(n, "FOR") || self.user != ROOT {
            true => format!("Grants for {user}@%"),
            false => "Grants for User".to_owned(),
        };
        if user == ROOT {
            let all = "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION";
            let row = vec![literal(all)];
            return served(select(&[&title], &[row]));
        }
        let query = format!("SHOW GRANTS FOR {}@'%'", quoted(&user));
        let rows = match self.backend.rows(&query).await {
            Ok(rows) => rows,
            Err(WireError::Server { error, .. }) => return refused(error),
            Err(other) => return Err(other.into()),
        };
        let rows: Vec<Vec<String>> = rows
            .rows
            .iter()
            .filter_map(|row| row.first()?.as_ref())
            .map(|grant| vec![literal(&as_tidb(&String::from_utf8_lossy(grant), &user))])
            .collect();
        served(select(&[&title], &rows))
    }

    /// `SHOW CREATE USER account`.
    pub(super) async fn show_create_user(&mut self, text: &Text<'_>, n: usize) -> Served {
        let (user, own) = match accounts::user_at(text, n, &self.user) {
            Ok(found) => found,
            Err(refusal) => return refused(refusal),
        };
        if !own {
            // MariaDB refuses this to the same ones.
            match self.backend.rows("SELECT 1 FROM mysql.user LIMIT 0").await {
                Ok(_) => {}
                Err(WireError::Server { error, .. }) => return refused(error),
                Err(other) => return Err(other.into()),
            }
        }
        let kept = match user == ROOT {
            true => Some("{}".to_owned()),
            false => {
                let query = format!(
                    "SELECT Priv FROM mysql.global_priv WHERE User = {} AND JSON_VALUE(Priv, '$.is_role') IS NULL",
                    literal(&user)
                );
                let mut own = Backend::connect(&self.shared.socket).await?;
                let rows = own.rows(&query).await?;
                rows.single()
                    .map(|json| String::from_utf8_lossy(json).into_owned())
            }
        };
        let Some(kept) = kept else {
            let message = format!("Operation SHOW CREATE USER failed for '{user}'@'%'");
            return refused(ErrPacket::new(CANNOT_USER, "HY000", message));
        };
        let kept: Kept = match serde_json::from_str(&kept) {
            Ok(kept) => kept,
            Err(error) => {
                let why = format!("read what MariaDB keeps of {user}: {error}");
                return Err(WireError::malformed("mysql.global_priv", why).into());
            }
        };
        let title = format!("CREATE USER for {user}@%");
        let row = vec![literal(&kept.statement(&user, self.shared.version))];
        served(select(&[&title], &[row]))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_told_as_its_release_tells_it() {
        let kept: Kept = serde_json::from_str(
            r#"{"access":0,"version_id":101100,"plugin":"mysql_native_password","authentication_string":"*AB",
                "password_last_changed":1700000000,"tidb_require":"SSL","account_locked":true,"max_user_connections":3}"#,
        )
        .unwrap();
        assert_eq!(
            kept.statement("u", TidbVersion::V8_5),
            "CREATE USER 'u'@'%' IDENTIFIED WITH 'mysql_native_password' AS '*AB' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3 \
             PASSWORD EXPIRE DEFAULT ACCOUNT LOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT"
        );
        assert_eq!(
            Kept::default().statement("root", TidbVersion::V4_0),
            "CREATE USER 'root'@'%' IDENTIFIED WITH 'mysql_native_password' AS '' REQUIRE NONE PASSWORD EXPIRE DEFAULT \
             ACCOUNT UNLOCK"
        );
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
