//! What a user may see and do where MariaDB is not asked: what the front tells from TiDB's schema, and changes of the schema
//! in which MariaDB has no part. MariaDB keeps the privileges; the rules are TiDB's.

use super::FrontError;
use super::accounts::ROOT;
use super::session::Session;
use super::text::{Text, literal};
use crate::tidb::catalog::model::lower_case;
use crate::tidb::wire::ErrPacket;

/// The privilege to log in, with which nothing is seen.
const USAGE: &str = "USAGE";

/// The privileges of a user.
#[derive(Debug, Clone)]
pub(super) enum Rights {
    /// `root` may do everything.
    All,
    /// Database pattern, table and privilege; empty where it is for all.
    Given(Vec<(String, String, String)>),
}

impl Rights {
    fn given(&self) -> &[(String, String, String)] {
        match self {
            Self::All => &[],
            Self::Given(given) => given,
        }
    }

    /// Whether the user has a privilege on a table.
    pub(super) fn may(&self, privilege: &str, database: &str, table: &str) -> bool {
        matches!(self, Self::All)
            || self.given().iter().any(|(d, t, given)| {
                given == privilege && is_within(d, database) && (t.is_empty() || is(t, table))
            })
    }

    /// Whether the user has a privilege on the whole server.
    pub(super) fn may_everywhere(&self, privilege: &str) -> bool {
        matches!(self, Self::All)
            || self
                .given()
                .iter()
                .any(|(d, _, given)| d.is_empty() && given == privilege)
    }

    /// Whether the user has any privilege on a table.
    pub(super) fn sees(&self, database: &str, table: &str) -> bool {
        matches!(self, Self::All)
            || self.given().iter().any(|(d, t, given)| {
                given != USAGE && is_within(d, database) && (t.is_empty() || is(t, table))
            })
    }

    /// Whether the user has any privilege on a database or something in it.
    pub(super) fn sees_database(&self, database: &str) -> bool {
        let virtual_one = super::served::is_system(database) && !is(database, "mysql");
        virtual_one
            || matches!(self, Self::All)
            || self
                .given()
                .iter()
                .any(|(d, _, given)| given != USAGE && is_within(d, database))
    }
}

fn is(one: &str, other: &str) -> bool {
    lower_case(one) == lower_case(other)
}

/// Whether a database is meant by a pattern of a grant: `%` is any text, `_` any character, `\` takes that from them.
fn is_within(pattern: &str, database: &str) -> bool {
    fn matches(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['%', rest @ ..], _) => (0..=name.len()).any(|n| matches(rest, &name[n..])),
            (['\\', p, rest @ ..], [n, name @ ..]) => p == n && matches(rest, name),
            (['_', rest @ ..], [_, name @ ..]) => matches(rest, name),
            ([p, rest @ ..], [n, name @ ..]) => p == n && matches(rest, name),
            _ => false,
        }
    }
    let chars = |text: &str| lower_case(text).chars().collect::<Vec<_>>();
    pattern.is_empty() || matches(&chars(pattern), &chars(database))
}

/// What TiDB says to those who lack a privilege on the whole server.
pub(super) fn lacks(privilege: &str) -> ErrPacket {
    let message = format!(
        "Access denied; you need (at least one of) the {privilege} privilege(s) for this operation"
    );
    ErrPacket::new(1227, "42000", message)
}

impl Session {
    /// The privileges of the session's user.
    pub(super) async fn rights(&mut self) -> Result<Rights, FrontError> {
        if self.user == ROOT {
            return Ok(Rights::All);
        }
        let of = |columns: &str, table: &str| {
            format!(
                "SELECT {columns}, PRIVILEGE_TYPE FROM information_schema.{table} WHERE GRANTEE = \
                 CONCAT('''', {}, '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')",
                literal(&self.user)
            )
        };
        let query = [
            of("'', ''", "user_privileges"),
            of("TABLE_SCHEMA, ''", "schema_privileges"),
            of("TABLE_SCHEMA, TABLE_NAME", "table_privileges"),
            of("TABLE_SCHEMA, TABLE_NAME", "column_privileges"),
        ]
        .join(" UNION ALL ");
        let rows = self.backend.rows(&query).await?;
        let given = rows.rows.iter().map(|row| {
            let text = |n: usize| {
                let value = row.get(n).and_then(Option::as_ref);
                value.map_or(String::new(), |v| String::from_utf8_lossy(v).into_owned())
            };
            (text(0), text(1), text(2))
        });
        Ok(Rights::Given(given.collect()))
    }

    /// What is said to those who lack a privilege on a table.
    pub(super) fn denied(&self, command: &str, table: &str) -> ErrPacket {
        let message = format!(
            "{command} command denied to user '{}'@'%' for table '{table}'",
            self.user
        );
        ErrPacket::new(1142, "42000", message)
    }

    /// Why the schema of a table is not told to the user, if it is not. Temporary tables are the session's own.
    pub(super) fn hidden(&self, database: &str, table: &str) -> Option<ErrPacket> {
        let own = (lower_case(database), lower_case(table));
        let sees = self.temporary.contains_key(&own) || self.rights.sees(database, table);
        (!sees).then(|| self.denied("SHOW", table))
    }

    /// Why the user may not change the schema, where MariaDB has no part in the change.
    pub(super) async fn may_not_change(
        &mut self,
        sql: &str,
    ) -> Result<Option<ErrPacket>, FrontError> {
        let rights = self.rights().await?;
        let Ok(plain) = self.plain(sql) else {
            return Ok(None);
        };
        let Ok(text) = Text::new(&plain) else {
            return Ok(None);
        };
        let table = match (text.are(0, &["ALTER", "TABLE"]), text.full_name(2)) {
            (true, Some((database, table, _))) => {
                let database = database.or_else(|| self.database.clone());
                Some((database.unwrap_or_default(), table))
            }
            _ => None,
        };
        Ok(match table {
            Some((database, table)) => {
                (!rights.may("ALTER", &database, &table)).then(|| self.denied("ALTER", &table))
            }
            None => (!rights.may_everywhere("SUPER")).then(|| lacks("SUPER")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_are_for_patterns_of_databases() {
        let given = |list: &[(&str, &str, &str)]| {
            let own =
                |(d, t, p): &(&str, &str, &str)| (d.to_string(), t.to_string(), p.to_string());
            Rights::Given(list.iter().map(own).collect())
        };
        let rights = given(&[
            ("", "", "USAGE"),
            ("a\\_b%", "", "ALTER"),
            ("d", "t", "SELECT"),
        ]);
        assert!(rights.sees("a_b1", "x") && rights.may("ALTER", "A_B", "x"));
        assert!(!rights.sees("aXb1", "x"));
        assert!(rights.sees("d", "T") && !rights.sees("d", "u"));
        assert!(rights.sees_database("d") && !rights.sees_database("e"));
        assert!(!rights.may("INSERT", "d", "t") && !rights.may_everywhere("ALTER"));
        let rights = given(&[("", "", "SUPER")]);
        assert!(rights.may_everywhere("SUPER") && rights.sees("d", "t"));
        assert!(Rights::All.sees("d", "t") && Rights::All.may("ALTER", "d", "t"));
    }
}
