//! Character sets of a connection.
//!
//! TiDB's latin1 is UTF-8 under another name: MariaDB is told utf8mb4, and what the session's variables tell is kept here. GBK
//! is MariaDB's own; of SQL texts in it only those in ASCII are read. MariaDB reads SQL as utf8mb4 even then: among the client's
//! texts stands SQL of the front's own, with names and values in UTF-8. What a prepared statement is run with is in GBK.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ddl::refusal;
use super::text::Text;
use super::{errors, lists};
use crate::tidb::catalog::{TidbVersion, charset, sql_error};
use crate::tidb::wire::ErrPacket;

const CLIENT: &str = "character_set_client";
const CONNECTION: &str = "character_set_connection";
const RESULTS: &str = "character_set_results";
const COLLATION: &str = "collation_connection";

const ASCII: &str = "ascii";
const GBK: &str = "gbk";
const LATIN1: &str = "latin1";

/// TiDB's default collations, which are not MariaDB's.
const COLLATIONS: [(&str, &str); 7] = [
    ("utf8mb4", "utf8mb4_bin"),
    ("utf8", "utf8_bin"),
    ("utf8mb3", "utf8_bin"),
    (LATIN1, "latin1_bin"),
    (ASCII, "ascii_bin"),
    ("binary", "binary"),
    (GBK, "gbk_chinese_ci"),
];

/// The character sets of a session, as far as MariaDB does not tell them.
#[derive(Debug, Default)]
pub(super) struct Charsets {
    told: BTreeMap<&'static str, &'static str>,
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
        self.of_parameters().is_none() || sql.is_ascii()
    }

    /// The character set in which the client sends parameters, if MariaDB is told of another one for SQL texts.
    pub(super) fn of_parameters(&self) -> Option<&'static str> {
        self.told(CLIENT).filter(|charset| is_narrow(charset))
    }

    pub(super) fn change(&mut self, change: &Change) {
        for name in change.variables {
            let is_connection = *name == CONNECTION;
            if is_connection {
                self.told.remove(COLLATION);
            }
            if change.charset == LATIN1 || *name == CLIENT && is_narrow(change.charset) {
                self.told.insert(name, change.charset);
                if is_connection {
                    self.told.insert(COLLATION, "latin1_bin");
                }
            } else {
                self.told.remove(name);
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

/// Whether SQL texts in a character set are read only as far as they are in ASCII.
fn is_narrow(charset: &str) -> bool {
    charset == GBK || charset == ASCII
}

/// A collation of a connection, by its name.
fn collation(name: &str, charset: &str) -> Result<&'static str, ErrPacket> {
    let found = lists::collation(name);
    let found = found.ok_or_else(|| refusal(&sql_error::unknown_collation(name)))?;
    if !found
        .charset
        .eq_ignore_ascii_case(&charset.replace("utf8mb3", "utf8"))
    {
        let error = sql_error::charset_collation_mismatch(found.name, charset);
        return Err(refusal(&error));
    }
    match found.is_of_mysql_8() {
        true => Err(errors::unsupported(&format!(
            "collation {} of a connection",
            found.name
        ))),
        false => Ok(found.name),
    }
}

/// An assignment of a collation, which brings its character set along.
fn collation_of_connection(name: &str, version: TidbVersion) -> Result<Assignment, ErrPacket> {
    let known = lists::collation(name);
    let known = known.ok_or_else(|| refusal(&sql_error::unknown_collation(name)))?;
    let found = find(known.charset, version)?;
    let wanted = collation(name, found.0)?;
    let (charset, default) = at_mariadb(found);
    let collation = if charset == found.0 { wanted } else { default };
    let change = Change {
        variables: &[CONNECTION],
        charset: found.0,
    };
    Ok((format!("SESSION {COLLATION} = {collation}"), change))
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
    let mut end = n + 1;
    if is_names && end < to && text.is(end, "COLLATE") {
        let wanted = text.string(end + 1).or_else(|| text.name(end + 1));
        let wanted = wanted.ok_or_else(|| errors::syntax_at_token(text, end + 1))?;
        let wanted = self::collation(&wanted, found.0)?;
        if charset == found.0 {
            collation = wanted;
        }
        end += 2;
    }
    if end < to {
        return Err(errors::syntax_at_token(text, end));
    }
    let mut set = match is_names {
        true => format!("NAMES {charset} COLLATE {collation}"),
        false => format!("CHARACTER SET {charset}"),
    };
    if is_narrow(charset) {
        let _ = write!(set, ", SESSION {CLIENT} = utf8mb4");
    }
    Ok((set, change))
}

/// An assignment of a character set to one of the session's variables, or of a collation; none if `variable` is no such one.
pub(super) fn assignment(
    variable: &str,
    value: &str,
    version: TidbVersion,
) -> Option<Result<Assignment, ErrPacket>> {
    let variables: &'static [&'static str] = match variable {
        CLIENT => &[CLIENT],
        CONNECTION => &[CONNECTION],
        RESULTS => &[RESULTS],
        COLLATION => return Some(collation_of_connection(value, version)),
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
            CLIENT if is_narrow(charset) => format!("SESSION {CLIENT} = utf8mb4"),
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
        assert_eq!(
            sql,
            "NAMES gbk COLLATE gbk_bin, SESSION character_set_client = utf8mb4"
        );
        charsets.change(&change);
        assert_eq!(charsets.told(CLIENT), Some(GBK));
        assert_eq!(charsets.told(CONNECTION), None);
        assert_eq!(charsets.of_parameters(), Some(GBK));
        assert!(charsets.can_read(b"select 1") && !charsets.can_read("select 'é'".as_bytes()));
        assert_eq!(set("set names utf16", TidbVersion::V8_5).unwrap_err(), 1115);
        let (_, change) = set("set names utf8mb4", TidbVersion::V8_5).unwrap();
        charsets.change(&change);
        assert_eq!(charsets.of_parameters(), None);
    }

    #[test]
    fn a_collation_of_the_connection_is_one_of_tidb() {
        let set = |value: &str| {
            let assigned = assignment(COLLATION, value, TidbVersion::V8_5).unwrap();
            assigned
                .map(|(sql, change)| (sql, change.charset))
                .map_err(|e| e.code)
        };
        let plain = "SESSION collation_connection = utf8mb4_general_ci".to_owned();
        assert_eq!(set("UTF8MB4_general_ci"), Ok((plain, "utf8mb4")));
        let latin1 = "SESSION collation_connection = utf8mb4_bin".to_owned();
        assert_eq!(set("latin1_bin"), Ok((latin1, LATIN1)));
        for (value, code) in [
            ("utf8mb4_czech_ci", 1273),
            ("", 1273),
            ("utf8mb4_0900_ai_ci", 1235),
        ] {
            assert_eq!(set(value), Err(code), "{value}");
        }
    }

    #[test]
    fn collations_are_those_that_are_listed() {
        let set = |sql: &str| set(sql, TidbVersion::V8_5).map(|(sql, _)| sql);
        for (sql, code) in [
            (
                "set names utf8mb4 collate 'utf8mb4_bin, sql_log_bin=0'",
                1273,
            ),
            ("set names latin1 collate 'latin1_bin, sql_log_bin=0'", 1273),
            ("set names utf8mb4 collate `x`", 1273),
            ("set names utf8mb4 collate utf8_bin", 1253),
            ("set names utf8mb4 collate utf8mb4_0900_ai_ci", 1235),
            ("set names utf8mb4 collate", 1064),
            ("set names utf8mb4 sql_log_bin", 1064),
            ("set character set utf8mb4 collate utf8mb4_bin", 1064),
        ] {
            assert_eq!(set(sql), Err(code), "{sql}");
        }
        assert_eq!(
            set("set names utf8mb4 collate UTF8MB4_General_CI").as_deref(),
            Ok("NAMES utf8mb4 COLLATE utf8mb4_general_ci")
        );
        assert_eq!(
            set("set names latin1 collate latin1_bin").as_deref(),
            Ok("NAMES utf8mb4 COLLATE utf8mb4_bin")
        );
    }
}
