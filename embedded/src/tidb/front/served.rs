//! Statements whose answer is TiDB's own: it is put together here and told by MariaDB as the result of a SELECT, so that
//! it comes in whichever protocol the client uses.

use std::fmt::Write as _;

use super::FrontError;
use super::errors;
use super::policy::SYSTEM_DATABASES;
use super::session::Session;
use super::statement::Route;
use super::text::{Kind, Text, literal, quoted};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::wire::ErrPacket;

/// The databases that TiDB shows besides those of its schema.
pub(super) fn virtual_databases(release: TidbVersion) -> impl Iterator<Item = &'static str> {
    let sys = (release >= TidbVersion::V8_5).then_some("sys");
    ["INFORMATION_SCHEMA", "METRICS_SCHEMA", "PERFORMANCE_SCHEMA"]
        .into_iter()
        .chain(sys)
}

/// What `SELECT tidb_version()` says of a release.
pub(super) fn build_text(release: &str) -> String {
    format!(
        "Release Version: {release}\nEdition: Community\nGit Commit Hash: None\nGit Branch: None\n\
         UTC Build Time: None\nGoVersion: None\nRace Enabled: false\nCheck Table Before Drop: false\nStore: tikv"
    )
}

/// A SELECT that yields these rows of SQL expressions under these column names.
pub(super) fn select(columns: &[&str], rows: &[Vec<String>]) -> String {
    let one = |values: &[String]| {
        let list: Vec<String> = values
            .iter()
            .zip(columns)
            .map(|(value, name)| format!("{value} AS {}", quoted(name)))
            .collect();
        format!("SELECT {}", list.join(", "))
    };
    if rows.is_empty() {
        let blanks = vec!["''".to_owned(); columns.len()];
        return format!("{} FROM DUAL WHERE FALSE", one(&blanks));
    }
    rows.iter()
        .map(|r| one(r))
        .collect::<Vec<_>>()
        .join(" UNION ALL ")
}

/// Where the rows of a result are chosen by a pattern or condition at the end of a SHOW statement.
pub(super) fn filtered(
    rows: &str,
    column: &str,
    text: &Text<'_>,
    from: usize,
) -> Result<String, ErrPacket> {
    let mut out = format!("SELECT * FROM ({rows}) AS `shown`");
    if text.is(from, "LIKE") {
        let pattern = text
            .string(from + 1)
            .ok_or_else(|| errors::syntax_at_token(text, from + 1))?;
        let _ = write!(out, " WHERE {} LIKE {}", quoted(column), literal(&pattern));
    } else if text.is(from, "WHERE") {
        let _ = write!(out, " WHERE ({})", condition(text, from + 1)?);
    } else if from < text.tokens.len() {
        return Err(errors::syntax_at_token(text, from));
    }
    Ok(out)
}

/// The condition from the n-th token on, which must be one expression: MariaDB reads it within parentheses.
fn condition<'t>(text: &'t Text<'_>, n: usize) -> Result<&'t str, ErrPacket> {
    let mut depth = 0_i32;
    for (i, token) in text.tokens.iter().enumerate().skip(n) {
        match token.kind {
            Kind::Sign('(') => depth += 1,
            Kind::Sign(')') => depth -= 1,
            Kind::Word if text.is(i, "SELECT") || text.is(i, "TABLE") || text.is(i, "VALUES") => {
                return Err(errors::unsupported("queries in SHOW … WHERE"));
            }
            _ => {}
        }
        if depth < 0 {
            return Err(errors::syntax_at_token(text, i));
        }
    }
    match (text.tokens.get(n), text.tokens.last()) {
        (Some(first), Some(last)) if depth == 0 => Ok(&text.sql[first.range.start..last.range.end]),
        _ => Err(errors::syntax_at_token(text, text.tokens.len())),
    }
}

impl Session {
    /// The table that is named at the n-th token, after its database, and the place behind it.
    pub(super) fn named_table(
        &self,
        text: &Text<'_>,
        n: usize,
    ) -> Result<(String, String, usize), ErrPacket> {
        let (database, table, after) = text
            .full_name(n)
            .ok_or_else(|| errors::syntax_at_token(text, n))?;
        let database = database.or_else(|| self.database.clone());
        Ok((database.ok_or_else(no_database)?, table, after))
    }

    /// The place behind [`Session::named_table`], which has to exist.
    pub(super) fn existing_table(&self, text: &Text<'_>, n: usize) -> Result<usize, ErrPacket> {
        let (database, table, after) = self.named_table(text, n)?;
        match self.shared.apply.catalog().table(&database, &table) {
            Some(_) => Ok(after),
            None => Err(unknown_table(&database, &table)),
        }
    }
}

pub(super) type Served = Result<Result<Route, ErrPacket>, FrontError>;

pub(super) fn served(query: String) -> Served {
    Ok(Ok(Route::Served { query }))
}

pub(super) fn refused(error: ErrPacket) -> Served {
    Ok(Err(error))
}

pub(super) fn is_system(database: &str) -> bool {
    SYSTEM_DATABASES
        .iter()
        .any(|db| db.eq_ignore_ascii_case(database))
}

pub(super) fn no_database() -> ErrPacket {
    ErrPacket::new(1046, "3D000", "No database selected")
}

pub(super) fn unknown_database(name: &str) -> ErrPacket {
    ErrPacket::new(1049, "42000", format!("Unknown database '{name}'"))
}

pub(super) fn unknown_table(database: &str, table: &str) -> ErrPacket {
    ErrPacket::new(
        1146,
        "42S02",
        format!("Table '{database}.{table}' doesn't exist"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_one_expression() {
        let of = |sql: &str| {
            let text = Text::new(sql).unwrap();
            filtered("rows", "c", &text, 0).map_err(|error| error.code)
        };
        assert_eq!(
            of("where a = 1 or (b) -- c").as_deref(),
            Ok("SELECT * FROM (rows) AS `shown` WHERE (a = 1 or (b))")
        );
        assert_eq!(
            of("like 'a''b'").as_deref(),
            Ok("SELECT * FROM (rows) AS `shown` WHERE `c` LIKE 'a''b'")
        );
        for (sql, code) in [
            ("where 1) union (select 1", 1064),
            ("where (1", 1064),
            ("where", 1064),
            ("where a in (select 1)", 1235),
            ("where 1 union select user from mysql.user", 1235),
        ] {
            assert_eq!(of(sql), Err(code), "{sql}");
        }
    }
}
