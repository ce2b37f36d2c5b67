//! `SHOW VARIABLES`, `SHOW CHARSET`, `SHOW COLLATION`.

use super::rewrite::{mariadb_name, overrides};
use super::served::{Served, filtered, refused, select, served};
use super::session::Session;
use super::text::{Text, literal};
use super::variables;
use crate::tidb::catalog::TidbVersion;

/// TiDB's character sets as far as they are served: name, description, default collation, bytes a character.
const CHARSETS: [(&str, &str, &str, u8); 5] = [
    ("ascii", "US ASCII", "ascii_bin", 1),
    ("binary", "binary", "binary", 1),
    ("latin1", "Latin1", "latin1_bin", 1),
    ("utf8", "UTF-8 Unicode", "utf8_bin", 3),
    ("utf8mb4", "UTF-8 Unicode", "utf8mb4_bin", 4),
];

/// TiDB's collations as far as they are served: name, character set, protocol number.
const COLLATIONS: [(&str, &str, u16); 9] = [
    ("ascii_bin", "ascii", 65),
    ("binary", "binary", 63),
    ("latin1_bin", "latin1", 47),
    ("utf8_bin", "utf8", 83),
    ("utf8_general_ci", "utf8", 33),
    ("utf8_unicode_ci", "utf8", 192),
    ("utf8mb4_bin", "utf8mb4", 46),
    ("utf8mb4_general_ci", "utf8mb4", 45),
    ("utf8mb4_unicode_ci", "utf8mb4", 224),
];

impl Session {
    pub(super) fn show_charsets(&self, text: &Text<'_>, n: usize) -> Served {
        let columns = ["Charset", "Description", "Default collation", "Maxlen"];
        let rows: Vec<_> = CHARSETS
            .iter()
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
        let rows: Vec<_> = COLLATIONS
            .iter()
            .filter(|(name, ..)| modern || name.ends_with("_bin") || *name == "binary")
            .map(|(name, charset, id)| {
                let default = CHARSETS
                    .iter()
                    .any(|(_, _, collation, _)| collation == name);
                let pad = if *name == "binary" {
                    "NO PAD"
                } else {
                    "PAD SPACE"
                };
                let mut row = vec![
                    literal(name),
                    literal(charset),
                    id.to_string(),
                    literal(if default { "Yes" } else { "" }),
                    literal("Yes"),
                    "1".to_owned(),
                ];
                if modern {
                    row.push(literal(pad));
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
        let mut rows: Vec<Vec<String>> = overrides(&self.shared.server_version)
            .iter()
            .map(|(name, value)| vec![literal(name), literal(value)])
            .collect();
        rows.extend(
            variables::all().map(|v| vec![literal(v.name), literal(&self.tidb_value(v, global))]),
        );
        let hidden: Vec<String> = overrides(&self.shared.server_version)
            .iter()
            .map(|(name, _)| literal(&name.to_ascii_uppercase()))
            .collect();
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
        let query = format!(
            "SELECT {names}, VARIABLE_VALUE AS `Value` FROM information_schema.{source} WHERE VARIABLE_NAME NOT IN ({}) \
             UNION ALL {}",
            hidden.join(", "),
            select(&["Variable_name", "Value"], &rows)
        );
        match filtered(&query, "Variable_name", text, n) {
            Ok(query) => served(format!("{query} ORDER BY `Variable_name`")),
            Err(error) => refused(error),
        }
    }
}
