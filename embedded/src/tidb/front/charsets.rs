//! Character sets of a connection.
//!
//! TiDB's latin1 is UTF-8 under another name: MariaDB is told utf8mb4, and what the session's variables tell is kept here. GBK
//! is MariaDB's own; of SQL texts in it only those in ASCII are read.

use std::collections::BTreeMap;

use super::ddl::refusal;
use super::errors;
use super::text::Text;
use crate::tidb::catalog::{TidbVersion, charset};
use crate::tidb::wire::ErrPacket;

const CLIENT: &str = "character_set_client";
const CONNECTION: &str = "character_set_connection";
const RESULTS: &str = "character_set_results";
const COLLATION: &str = "collation_connection";

const GBK: &str = "gbk";
const LATIN1: &str = "latin1";

/// TiDB's default collations, which are not MariaDB's.
const COLLATIONS: [(&str, &str); 7] = [
    ("utf8mb4", "utf8mb4_bin"),
    ("utf8", "utf8_bin"),
    ("utf8mb3", "utf8_bin"),
    (LATIN1, "latin1_bin"),
    ("ascii", "ascii_bin"),
    ("binary", "binary"),
    (GBK, "gbk_chinese_ci"),
];

/// The character sets of a session, as far as MariaDB does not tell them.
#[derive(Debug, Default)]
pub(super) struct Charsets {
    told: BTreeMap<&'static str, &'static str>,
    client_is_gbk: bool,
}

/// What a SET statement changes of them, once it has succeeded.
#[derive(Debug)]
pub(super) struct Change {
    variables: &'static [&'static str],
    charset: &'static str,
}

/// An assignment for MariaDB, and what it changes.
type Assignment = (String, Change);

impl Charsets {
    /// The value of a variable of which MariaDB has another.
    pub(super) fn told(&self, name: &str) -> Option<&'static str> {
        self.told.get(name).copied()
    }

    /// All of those.
    pub(super) fn all_told(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.told.iter().map(|(name, value)| (*name, *value))
    }

    /// Whether a SQL text of the client's can be read.
    pub(super) fn can_read(&self, sql: &[u8]) -> bool {
        !self.client_is_gbk || sql.is_ascii()
    }

    pub(super) fn change(&mut self, change: &Change) {
        for name in change.variables {
            let is_connection = *name == CONNECTION;
            if change.charset == LATIN1 {
                self.told.insert(name, LATIN1);
                if is_connection {
                    self.told.insert(COLLATION, "latin1_bin");
                }
            } else {
                self.told.remove(name);
                if is_connection {
                    self.told.remove(COLLATION);
                }
            }
            if *name == CLIENT {
                self.client_is_gbk = change.charset == GBK;
            }
        }
    }
}

/// A character set that a connection may have, and its default collation.
fn find(name: &str, version: TidbVersion) -> Result<(&'static str, &'static str), ErrPacket> {
    charset::charset(name, version).map_err(|error| refusal(&error))?;
    let known = COLLATIONS
        .into_iter()
        .find(|(charset, _)| charset.eq_ignore_ascii_case(name));
    known.ok_or_else(|| errors::unsupported(&format!("character set {name} of a connection")))
}

/// The same at MariaDB.
fn at_mariadb((charset, collation): (&'static str, &'static str)) -> (&'static str, &'static str) {
    match charset {
        LATIN1 => ("utf8mb4", "utf8mb4_bin"),
        _ => (charset, collation),
    }
}

/// `NAMES x [COLLATE y]`, `CHARACTER SET x`, `CHARSET x`, from one token up to another.
pub(super) fn names(
    text: &Text<'_>,
    from: usize,
    to: usize,
    version: TidbVersion,
) -> Result<Assignment, ErrPacket> {
    let is_names = text.is(from, "NAMES");
    let n = from + if text.is(from, "CHARACTER") { 2 } else { 1 };
    let name = text
        .string(n)
        .or_else(|| text.name(n))
        .ok_or_else(|| errors::syntax_at_token(text, n))?;
    let variables: &[&str] = match is_names {
        true => &[CLIENT, CONNECTION, RESULTS],
        false => &[CLIENT, RESULTS],
    };
    let verb = if is_names { "NAMES" } else { "CHARACTER SET" };
    if name.eq_ignore_ascii_case("default") {
        let charset = "utf8mb4";
        return Ok((format!("{verb} DEFAULT"), Change { variables, charset }));
    }
    let found = find(&name, version)?;
    let (charset, mut collation) = at_mariadb(found);
    let change = Change {
        variables,
        charset: found.0,
    };
    if !is_names {
        return Ok((format!("CHARACTER SET {charset}"), change));
    }
    let wanted = (n + 1 < to && text.is(n + 1, "COLLATE"))
        .then(|| text.string(n + 2).or_else(|| text.name(n + 2)))
        .flatten();
    if let Some(wanted) = wanted.as_deref().filter(|_| charset == found.0) {
        collation = wanted;
    }
    Ok((format!("NAMES {charset} COLLATE {collation}"), change))
}

/// An assignment of a character set to one of the session's variables; none if `variable` is no such one.
pub(super) fn assignment(
    variable: &str,
    value: &str,
    version: TidbVersion,
) -> Option<Result<Assignment, ErrPacket>> {
    let variables: &'static [&'static str] = match variable {
        CLIENT => &[CLIENT],
        CONNECTION => &[CONNECTION],
        RESULTS => &[RESULTS],
        _ => return None,
    };
    // Results as they are.
    if variable == RESULTS && value.is_empty() {
        let charset = "binary";
        return Some(Ok((
            format!("SESSION {RESULTS} = NULL"),
            Change { variables, charset },
        )));
    }
    Some(find(value, version).map(|found| {
        let (charset, collation) = at_mariadb(found);
        let change = Change {
            variables,
            charset: found.0,
        };
        let set = match variable {
            CONNECTION => format!("SESSION {COLLATION} = {collation}"),
            _ => format!("SESSION {variable} = {charset}"),
        };
        (set, change)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sql: &str, version: TidbVersion) -> Result<Assignment, u16> {
        let text = Text::new(sql).unwrap();
        names(&text, 1, text.tokens.len(), version).map_err(|e| e.code)
    }

    #[test]
    fn latin1_is_utf8_under_another_name() {
        let mut charsets = Charsets::default();
        let (sql, change) = set("set names latin1", TidbVersion::V8_5).unwrap();
        assert_eq!(sql, "NAMES utf8mb4 COLLATE utf8mb4_bin");
        charsets.change(&change);
        assert_eq!(charsets.told(CLIENT), Some(LATIN1));
        assert_eq!(charsets.told(COLLATION), Some("latin1_bin"));
        let changed = assignment(CONNECTION, "utf8mb4", TidbVersion::V8_5);
        let (sql, change) = changed.unwrap().unwrap();
        assert_eq!(sql, "SESSION collation_connection = utf8mb4_bin");
        charsets.change(&change);
        assert_eq!(charsets.told(COLLATION), None);
        assert_eq!(charsets.told(RESULTS), Some(LATIN1));
        let (_, change) = set("set names utf8", TidbVersion::V8_5).unwrap();
        charsets.change(&change);
        assert_eq!(charsets.all_told().count(), 0);
    }

    #[test]
    fn gbk_is_read_in_ascii_and_unknown_to_4_0() {
        let mut charsets = Charsets::default();
        assert_eq!(set("set names gbk", TidbVersion::V4_0).unwrap_err(), 1115);
        let (sql, change) = set("set names 'GBK' collate gbk_bin", TidbVersion::V8_5).unwrap();
        assert_eq!(sql, "NAMES gbk COLLATE gbk_bin");
        charsets.change(&change);
        assert!(charsets.can_read(b"select 1") && !charsets.can_read("select 'é'".as_bytes()));
        assert_eq!(set("set names utf16", TidbVersion::V8_5).unwrap_err(), 1115);
    }
}
