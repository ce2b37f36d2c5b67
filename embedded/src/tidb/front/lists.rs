//! `SHOW VARIABLES`, `SHOW CHARSET`, `SHOW COLLATION`.

use std::fmt::Write as _;

use super::rewrite::mariadb_name;
use super::served::{Served, filtered, refused, select, served};
use super::session::Session;
use super::text::{Text, literal};
use super::variables;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::mariadb::sql_mode;

/// A character set: name, description, default collation, bytes a character.
pub(super) type Charset = (&'static str, &'static str, &'static str, u8);

/// The character sets of 8.5. (Those that cannot be had here are refused by CREATE TABLE.)
const CHARSETS: [Charset; 6] = [
    ("ascii", "US ASCII", "ascii_bin", 1),
    ("binary", "binary", "binary", 1),
    (
        GBK,
        "Chinese Internal Code Specification",
        "gbk_chinese_ci",
        2,
    ),
    ("latin1", "Latin1", "latin1_bin", 1),
    ("utf8", "UTF-8 Unicode", "utf8_bin", 3),
    ("utf8mb4", "UTF-8 Unicode", "utf8mb4_bin", 4),
];

/// Came after 4.0.
const GBK: &str = "gbk";
/// The order in which 4.0 tells its character sets.
const ORDER_OF_4_0: [&str; 5] = ["utf8", "utf8mb4", "ascii", "latin1", "binary"];

/// The one engine.
pub(super) const ENGINE: [&str; 6] = [
    "InnoDB",
    "DEFAULT",
    "Supports transactions, row-level locking, and foreign keys",
    "YES",
    "YES",
    "YES",
];

/// A collation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Collation {
    pub(super) name: &'static str,
    pub(super) charset: &'static str,
    /// Its number in the protocol.
    pub(super) id: u16,
    /// Length of a sort key, in characters of its own.
    pub(super) sort_len: u8,
    pub(super) default: bool,
}

const fn known(name: &'static str, charset: &'static str, id: u16, sort_len: u8) -> Collation {
    Collation {
        name,
        charset,
        id,
        sort_len,
        default: false,
    }
}

/// The collations of 8.5.
const COLLATIONS: [Collation; 13] = [
    known("ascii_bin", "ascii", 65, 1),
    known("binary", "binary", 63, 1),
    known("gbk_bin", GBK, 87, 1),
    known("gbk_chinese_ci", GBK, 28, 1),
    known("latin1_bin", "latin1", 47, 1),
    known("utf8_bin", "utf8", 83, 1),
    known("utf8_general_ci", "utf8", 33, 1),
    known("utf8_unicode_ci", "utf8", 192, 8),
    known("utf8mb4_0900_ai_ci", "utf8mb4", 255, 0),
    known("utf8mb4_0900_bin", "utf8mb4", 309, 1),
    known("utf8mb4_bin", "utf8mb4", 46, 1),
    known("utf8mb4_general_ci", "utf8mb4", 45, 1),
    known("utf8mb4_unicode_ci", "utf8mb4", 224, 8),
];

impl Collation {
    pub(super) fn is_of_mysql_8(&self) -> bool {
        self.name.contains("0900")
    }

    /// Whether spaces at the end count.
    pub(super) fn pad(&self) -> &'static str {
        if self.name == "binary" || self.is_of_mysql_8() {
            "NO PAD"
        } else {
            "PAD SPACE"
        }
    }
}

/// A collation by its name.
pub(super) fn collation(name: &str) -> Option<Collation> {
    let name = name.to_ascii_lowercase().replacen("utf8mb3_", "utf8_", 1);
    COLLATIONS.into_iter().find(|known| known.name == name)
}

/// A release's character sets, in its order.
pub(super) fn charsets(release: TidbVersion) -> Vec<Charset> {
    match release {
        TidbVersion::V8_5 => CHARSETS.to_vec(),
        TidbVersion::V4_0 => ORDER_OF_4_0
            .iter()
            .filter_map(|name| CHARSETS.into_iter().find(|charset| charset.0 == *name))
            .collect(),
    }
}

/// A release's collations, in its order. 4.0 without the new framework has those that compare bytes, by number.
pub(super) fn collations(release: TidbVersion) -> Vec<Collation> {
    let mut out = COLLATIONS.to_vec();
    if release == TidbVersion::V4_0 {
        out.retain(|c| c.charset != GBK && !c.is_of_mysql_8() && !c.name.ends_with("_ci"));
        out.sort_by_key(|c| c.id);
    }
    let charsets = charsets(release);
    for found in &mut out {
        found.default = charsets
            .iter()
            .any(|(_, _, default, _)| *default == found.name);
    }
    out
}

impl Session {
    pub(super) fn show_charsets(&self, text: &Text<'_>, n: usize) -> Served {
        let columns = ["Charset", "Description", "Default collation", "Maxlen"];
        let rows: Vec<_> = charsets(self.shared.version)
            .into_iter()
            .map(|(name, description, collation, max)| {
                vec![
                    literal(name),
                    literal(description),
                    literal(collation),
                    max.to_string(),
                ]
            })
            .collect();
        match filtered(&select(&columns, &rows), "Charset", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    pub(super) fn show_collations(&self, text: &Text<'_>, n: usize) -> Served {
        let modern = self.shared.version >= TidbVersion::V8_5;
        let mut columns = vec![
            "Collation",
            "Charset",
            "Id",
            "Default",
            "Compiled",
            "Sortlen",
        ];
        if modern {
            columns.push("Pad_attribute");
        }
        let rows: Vec<_> = collations(self.shared.version)
            .into_iter()
            .map(|collation| {
                let mut row = vec![
                    literal(collation.name),
                    literal(collation.charset),
                    collation.id.to_string(),
                    literal(if collation.default { "Yes" } else { "" }),
                    literal("Yes"),
                    collation.sort_len.to_string(),
                ];
                if modern {
                    row.push(literal(collation.pad()));
                }
                row
            })
            .collect();
        match filtered(&select(&columns, &rows), "Collation", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    pub(super) fn show_variables(&self, text: &Text<'_>, n: usize) -> Served {
        let global = text.is(1, "GLOBAL");
        let source = if global {
            "GLOBAL_VARIABLES"
        } else {
            "SESSION_VARIABLES"
        };
        let release = self.shared.version;
        let mut told = self.shared.told();
        let charsets = self.charsets.all_told().filter(|_| !global);
        told.extend(charsets.map(|(name, value)| (name, value.to_owned())));
        let mut rows: Vec<Vec<String>> = told
            .iter()
            .map(|(name, value)| vec![literal(name), literal(value)])
            .collect();
        rows.extend(
            variables::all(release)
                .map(|v| vec![literal(v.name), literal(&self.tidb_value(v, global))]),
        );
        // MariaDB's values of those are not TiDB's.
        let hidden: Vec<String> = told
            .iter()
            .map(|(name, _)| *name)
            .chain(variables::all(release).map(|v| v.name))
            .map(|name| literal(&name.to_ascii_uppercase()))
            .collect();
        let mut alone = String::new();
        for start in variables::mariadbs_alone(release) {
            let pattern = start.to_ascii_uppercase().replace('_', "\\_");
            let _ = write!(
                alone,
                " AND VARIABLE_NAME NOT LIKE {}",
                literal(&format!("{pattern}%"))
            );
        }
        let mut names = "LOWER(VARIABLE_NAME)".to_owned();
        for new in ["transaction_isolation", "transaction_read_only"] {
            if let Some(old) = mariadb_name(new) {
                // Both names are known, as in MySQL 5.7 and TiDB.
                rows.push(vec![
                    literal(new),
                    format!(
                        "(SELECT VARIABLE_VALUE FROM information_schema.{source} WHERE VARIABLE_NAME = {})",
                        literal(old)
                    ),
                ]);
            }
        }
        names.push_str(" AS `Variable_name`");
        let value = format!(
            "IF(VARIABLE_NAME = 'SQL_MODE', {}, VARIABLE_VALUE)",
            sql_mode::of_client("VARIABLE_VALUE")
        );
        let query = format!(
            "SELECT {names}, {value} AS `Value` FROM information_schema.{source} WHERE VARIABLE_NAME NOT IN ({}){alone} \
             UNION ALL {}",
            hidden.join(", "),
            select(&["Variable_name", "Value"], &rows)
        );
        match filtered(&query, "Variable_name", text, n) {
            Ok(query) => served(format!("{query} ORDER BY BINARY `Variable_name`")),
            Err(error) => refused(error),
        }
    }
}
