//! Character sets and collations that TiDB knows.

use super::{DdlError, TidbVersion};
use crate::tidb::catalog::ddl::sql_error;

struct Charset {
    name: &'static str,
    default_collation: &'static str,
    /// Bytes of the longest character.
    max_len: i64,
}

const CHARSETS: [Charset; 6] = [
    Charset {
        name: "utf8mb4",
        default_collation: "utf8mb4_bin",
        max_len: 4,
    },
    Charset {
        name: "utf8",
        default_collation: "utf8_bin",
        max_len: 3,
    },
    Charset {
        name: "latin1",
        default_collation: "latin1_bin",
        max_len: 1,
    },
    Charset {
        name: "ascii",
        default_collation: "ascii_bin",
        max_len: 1,
    },
    Charset {
        name: "binary",
        default_collation: "binary",
        max_len: 1,
    },
    Charset {
        name: "gbk",
        default_collation: "gbk_chinese_ci",
        max_len: 2,
    },
];

/// Collations that exist with the new collation framework on.
const NEW_COLLATIONS: [&str; 13] = [
    "ascii_bin",
    "binary",
    "gbk_bin",
    "gbk_chinese_ci",
    "latin1_bin",
    "utf8_bin",
    "utf8_general_ci",
    "utf8_unicode_ci",
    "utf8mb4_0900_ai_ci",
    "utf8mb4_0900_bin",
    "utf8mb4_bin",
    "utf8mb4_general_ci",
    "utf8mb4_unicode_ci",
];

/// A character set by its name in any case, `utf8mb3` included.
fn find(name: &str, version: TidbVersion) -> Option<&'static Charset> {
    let name = name.to_lowercase();
    let name = if name == "utf8mb3" { "utf8" } else { &name };
    CHARSETS
        .iter()
        .find(|c| c.name == name && (c.name != "gbk" || version >= TidbVersion::V8_5))
}

/// The canonical name of a character set.
pub(crate) fn charset(name: &str, version: TidbVersion) -> Result<&'static str, DdlError> {
    find(name, version)
        .map(|c| c.name)
        .ok_or_else(|| sql_error::unknown_charset(name))
}

/// The collation of a character set that names none.
pub(crate) fn default_collation(charset: &str) -> Option<&'static str> {
    CHARSETS
        .iter()
        .find(|c| c.name == charset)
        .map(|c| c.default_collation)
}

/// Bytes of the longest character of a character set.
pub(crate) fn max_len(charset: &str) -> i64 {
    CHARSETS
        .iter()
        .find(|c| c.name == charset)
        .map_or(4, |c| c.max_len)
}

/// A collation's canonical name and its character set.
pub(crate) fn collation(
    name: &str,
    version: TidbVersion,
) -> Result<(String, &'static str), DdlError> {
    let lower = name.to_lowercase().replace("utf8mb3_", "utf8_");
    let charset = match lower.split_once('_') {
        None if lower == "binary" => Some("binary"),
        None => None,
        Some((charset, _)) => find(charset, version).map(|c| c.name),
    };
    let unknown = || sql_error::unknown_collation(name);
    let charset = charset.ok_or_else(unknown)?;
    let known = NEW_COLLATIONS.contains(&lower.as_str());
    match version {
        _ if known && !(version == TidbVersion::V4_0 && lower == "utf8mb4_0900_bin") => {}
        // Without the framework, 4.0 takes the names of most of MySQL's collations and sorts by bytes.
        TidbVersion::V4_0 if lower != "utf8mb4_0900_bin" => {}
        TidbVersion::V4_0 => return Err(unknown()),
        TidbVersion::V8_5 => return Err(sql_error::unsupported_collation(name)),
    }
    Ok((lower, charset))
}

/// What a CHARACTER SET and a COLLATE clause say together, given what holds without them.
pub(crate) fn resolve(
    version: TidbVersion,
    charset_clause: Option<&str>,
    collate_clause: Option<&str>,
    inherited: (&str, &str),
) -> Result<(String, String), DdlError> {
    Ok(match (charset_clause, collate_clause) {
        (None, None) => (inherited.0.to_owned(), inherited.1.to_owned()),
        (Some(cs), None) => {
            let cs = charset(cs, version)?;
            (
                cs.to_owned(),
                default_collation(cs).unwrap_or_default().to_owned(),
            )
        }
        (None, Some(co)) => {
            let (co, cs) = collation(co, version)?;
            (cs.to_owned(), co)
        }
        (Some(cs), Some(co)) => {
            let cs = charset(cs, version)?;
            let (co, of) = collation(co, version)?;
            if of != cs {
                return Err(sql_error::charset_collation_mismatch(&co, cs));
            }
            (cs.to_owned(), co)
        }
    })
}
