//! Tables of TiDB's that are not kept but made when a statement reads them: those of `information_schema`, and
//! `mysql.tidb`.
//!
//! The rows of one go to MariaDB as JSON in a user variable, and in its place in the statement stands a JSON_TABLE over
//! that: conditions, joins and orders are MariaDB's work, in both protocols.

mod cluster;
mod columns;
mod keys;
mod server;
mod tables;
mod views;

use serde_json::{Map, Value};

use super::FrontError;
use super::errors;
use super::rewrite::{CARRIER, follows_table};
use super::rights::{self, Rights};
use super::session::Session;
use super::text::{Text, literal, quoted};
use crate::tidb::catalog::Zone;
use crate::tidb::catalog::model::lower_case;
use crate::tidb::wire::ErrPacket;

/// `ER_NO_SUCH_TABLE`.
const NO_TABLE: u16 = 1146;

/// Tables of `information_schema` that have no rows here, with MariaDB's columns, which are MySQL's.
const EMPTY: [&str; 10] = [
    "check_constraints",
    "column_privileges",
    "events",
    "files",
    "optimizer_trace",
    "parameters",
    "plugins",
    "referential_constraints",
    "routines",
    "triggers",
];

/// Tables of `information_schema` that are served as MariaDB has them.
const AS_IN_MARIADB: [&str; 8] = [
    "global_status",
    "global_variables",
    "processlist",
    "profiling",
    "session_status",
    "session_variables",
    "table_privileges",
    "user_privileges",
];

/// Tables of MariaDB's that TiDB does not have, by the beginnings of their names.
const FOREIGN: [&str; 16] = [
    "all_plugins",
    "applicable_roles",
    "client_statistics",
    "enabled_roles",
    "geometry_columns",
    "index_statistics",
    "innodb_",
    "key_caches",
    "keywords",
    "spatial_ref_sys",
    "sql_functions",
    "system_variables",
    "table_statistics",
    "thread_pool_",
    "user_statistics",
    "wsrep_",
];

/// Tables that tell of the cluster, to those who may see what others do.
const OF_THE_CLUSTER: [&str; 4] = [
    "cluster_info",
    "tidb_servers_info",
    "tikv_region_status",
    "tikv_store_status",
];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text of at most so many characters.
    Text(u16),
    /// A text of any length.
    Long,
    /// A number.
    Number,
    /// A time, given in UTC and told in the session's time zone.
    Time,
}

/// A table with its rows.
#[derive(Debug, Default)]
struct MemTable {
    columns: Vec<(&'static str, Kind)>,
    rows: Vec<Vec<Value>>,
}

/// What stands for a table in a statement.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) sql: String,
    /// The place after the table.
    pub(super) after: usize,
    /// The user variable that holds its rows, with them.
    pub(super) carrier: Option<(String, String)>,
}

type Made = Result<Option<Standing>, ErrPacket>;

impl MemTable {
    /// The rows as an array of objects: a value that is NULL is left out. Times are told in the session's time zone.
    fn json(&self, zone: &Zone) -> String {
        let cell = |(i, value): (usize, &Value)| match (value, self.columns.get(i)) {
            (Value::Null, _) | (_, None) => None,
            (Value::String(time), Some((_, Kind::Time))) => {
                Some((i.to_string(), zone.shown(time, 0).into()))
            }
            (value, Some(_)) => Some((i.to_string(), value.clone())),
        };
        let rows = self.rows.iter().map(|row| {
            let cells = row.iter().enumerate().filter_map(cell);
            Value::Object(cells.collect::<Map<_, _>>())
        });
        Value::Array(rows.collect()).to_string()
    }

    /// Leaves out the rows of what a user may not see.
    fn keep_seen(&mut self, rights: &Rights) {
        let place = |names: &[&str]| {
            let mut columns = self.columns.iter();
            columns.position(|(name, _)| names.contains(name))
        };
        let Some(database) = place(&["TABLE_SCHEMA", "SCHEMA_NAME"]) else {
            return;
        };
        let table = place(&["TABLE_NAME"]);
        self.rows.retain(|row| {
            let text = |n: usize| row.get(n).and_then(Value::as_str).unwrap_or_default();
            match table {
                Some(table) => rights.sees(text(database), text(table)),
                None => rights.sees_database(text(database)),
            }
        });
    }

    /// A table over the rows in a user variable. It is no derived table: in such a one's columns MariaDB does not tell
    /// names as they are written in the statement.
    fn standing(&self, carrier: &str) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, (name, kind))| {
                let sql = match kind {
                    Kind::Text(n) => format!("VARCHAR({n}) COLLATE utf8mb4_bin"),
                    Kind::Long => "LONGTEXT COLLATE utf8mb4_bin".to_owned(),
                    Kind::Number => "BIGINT".to_owned(),
                    Kind::Time => "DATETIME".to_owned(),
                };
                format!("{} {sql} PATH '$.\"{i}\"'", quoted(name))
            })
            .collect();
        format!(
            "JSON_TABLE({carrier}, '$[*]' COLUMNS ({}))",
            columns.join(", ")
        )
    }
}

impl Session {
    /// What stands for the table that is named at the n-th token, if it is one that is made, or why it cannot be read.
    pub(super) async fn memtable(&mut self, text: &Text<'_>, n: usize) -> Result<Made, FrontError> {
        let qualified = text.is_sign(n + 1, '.') && (n == 0 || !text.is_sign(n - 1, '.'));
        let Some((named, table, after)) = text.full_name(n) else {
            return Ok(Ok(None));
        };
        let Some(database) = named.clone().or_else(|| self.database.clone()) else {
            return Ok(Ok(None));
        };
        let (database, lower) = (lower_case(&database), lower_case(&table));
        // The way back to where a list begins is long in a long statement.
        let may_be_made = ["information_schema", "mysql"].contains(&database.as_str());
        if !may_be_made || !(qualified || in_table_list(text, n)) {
            return Ok(Ok(None));
        }
        if text.is_sign(after, '.') {
            // A column of such a table: what stands for it has no database.
            let is_it =
                named.is_some() && database == "information_schema" && !listed_as_alias(text, n);
            return Ok(Ok(is_it.then(|| Standing {
                sql: quoted(&table),
                after,
                carrier: None,
            })));
        }
        if text.is_sign(after, '(') {
            return Ok(Ok(None));
        }
        let alias =
            if text.is(after, "AS") || text.name(after).is_some_and(|word| !follows_table(&word)) {
                String::new()
            } else {
                format!(" AS {}", quoted(&table))
            };
        if database == "information_schema" && EMPTY.contains(&lower.as_str()) {
            let sql = format!("(SELECT * FROM information_schema.{lower} LIMIT 0){alias}");
            let carrier = None;
            return Ok(Ok(Some(Standing {
                sql,
                after,
                carrier,
            })));
        }
        let made = match database.as_str() {
            "information_schema" => self.make(&lower).await?,
            "mysql" if lower == "tidb" => Some(self.mysql_tidb().await?),
            _ => return Ok(Ok(None)),
        };
        let Some(mut made) = made else {
            return Ok(unmade(&lower).map_or(Ok(None), Err));
        };
        let rights = self.rights().await?;
        if database == "mysql" && !rights.may("SELECT", "mysql", &lower) {
            return Ok(Err(self.denied("SELECT", &lower)));
        }
        if OF_THE_CLUSTER.contains(&lower.as_str()) && !rights.may_everywhere("PROCESS") {
            return Ok(Err(rights::lacks("PROCESS")));
        }
        made.keep_seen(&rights);
        let carrier = format!("{CARRIER}table_{lower}");
        let zone = self.catalog_session().await?.zone;
        let sql = format!("{}{alias}", made.standing(&carrier));
        let carrier = Some((carrier, literal(&made.json(&zone))));
        Ok(Ok(Some(Standing {
            sql,
            after,
            carrier,
        })))
    }

    /// Makes a table of `information_schema`.
    async fn make(&mut self, name: &str) -> Result<Option<MemTable>, FrontError> {
        let release = self.shared.version;
        let catalog = self.shared.apply.catalog();
        Ok(Some(match name {
            "character_sets" => server::character_sets(release),
            "cluster_info" => self.cluster_info().await?,
            "collation_character_set_applicability" => server::applicability(release),
            "collations" => server::collations(release),
            "columns" => {
                let zone = self.catalog_session().await?.zone;
                columns::columns(&catalog, &zone)
            }
            "engines" => server::engines(),
            "key_column_usage" => keys::key_column_usage(&catalog),
            "partitions" => tables::partitions(&catalog),
            "schemata" => tables::schemata(&catalog),
            "statistics" => keys::statistics(&catalog),
            "table_constraints" => keys::table_constraints(&catalog),
            "tables" => tables::tables(&catalog),
            "tidb_indexes" => keys::tidb_indexes(&catalog),
            "tidb_servers_info" => self.servers_info(),
            "tikv_region_status" => self.region_status().await?,
            "tikv_store_status" => self.store_status().await?,
            "views" => views::views(&catalog),
            _ => return Ok(None),
        }))
    }
}

/// Whether tables are listed where the n-th token stands.
fn in_table_list(text: &Text<'_>, n: usize) -> bool {
    const BEFORE: [&str; 3] = ["FROM", "JOIN", "STRAIGHT_JOIN"];
    const OTHERS: [&str; 15] = [
        "SELECT", "WHERE", "ON", "BY", "HAVING", "SET", "VALUES", "VALUE", "USING", "LIMIT",
        "LIKE", "AS", "INTO", "UPDATE", "CALL",
    ];
    let Some(before) = n.checked_sub(1) else {
        return false;
    };
    let is_one_of = |words: &[&str], i: usize| words.iter().any(|word| text.is(i, word));
    if !text.is_sign(before, ',') && !text.is_sign(before, '(') {
        return is_one_of(&BEFORE, before) && !(before > 0 && text.is(before - 1, "SELECT"));
    }
    let mut depth = 0_usize;
    for i in (0..n).rev() {
        if text.is_sign(i, ')') {
            depth += 1;
        } else if text.is_sign(i, '(') {
            // Arguments of a function, columns of an index hint.
            let called = i
                .checked_sub(1)
                .is_some_and(|i| text.name(i).is_some() && !is_one_of(&BEFORE, i));
            if depth == 0 && called {
                return false;
            }
            depth = depth.saturating_sub(1);
        } else if depth == 0 && is_one_of(&BEFORE, i) {
            return !(i > 0 && text.is(i - 1, "SELECT"));
        } else if depth == 0 && is_one_of(&OTHERS, i) {
            return false;
        }
    }
    false
}

/// Whether the name before a second dot is no database here: `FROM t AS information_schema` nobody writes.
fn listed_as_alias(text: &Text<'_>, n: usize) -> bool {
    n > 0 && (text.is(n - 1, "AS") || text.is_sign(n - 1, '.'))
}

/// Why a table of `information_schema` that is not made cannot be read, if it cannot.
fn unmade(name: &str) -> Option<ErrPacket> {
    if AS_IN_MARIADB.contains(&name) {
        return None;
    }
    if FOREIGN.iter().any(|start| name.starts_with(start)) {
        let message = format!("Table 'INFORMATION_SCHEMA.{name}' doesn't exist");
        return Some(ErrPacket::new(NO_TABLE, "42S02", message));
    }
    Some(errors::unsupported(&format!(
        "the table information_schema.{name}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_json_without_nulls() {
        let table = MemTable {
            columns: vec![
                ("A", Kind::Text(64)),
                ("B", Kind::Number),
                ("C", Kind::Time),
            ],
            rows: vec![
                vec![
                    "it's \"x\"".into(),
                    Value::Null,
                    "2024-01-01 00:00:00".into(),
                ],
                vec![Value::Null, 7.into(), Value::Null],
            ],
        };
        assert_eq!(
            table.json(&Zone::new("+01:00", 3600)),
            r#"[{"0":"it's \"x\"","2":"2024-01-01 01:00:00"},{"1":7}]"#
        );
        let sql = table.standing("@v");
        assert!(
            sql.starts_with("JSON_TABLE(@v, '$[*]' COLUMNS (`A` VARCHAR(64)"),
            "{sql}"
        );
        assert!(sql.contains("`B` BIGINT PATH '$.\"1\"'"), "{sql}");
    }

    #[test]
    fn tables_are_listed_after_more_than_from() {
        for (sql, expected) in [
            ("select tables from a", false),
            ("select 1, tables from a", false),
            ("select * from tables", true),
            ("select * from a, tables", true),
            ("select * from (tables)", true),
            ("select * from (a join (b, tables))", true),
            ("select * from a x straight_join tables", true),
            ("select straight_join tables from a", false),
            ("select straight_join 1, tables from a", false),
            ("select * from a where f(a, tables)", false),
            ("select * from a join b using (tables)", false),
            ("select * from (select 1) x, tables", true),
            ("select count(*), tables from a", false),
            ("select * from a use index (tables)", false),
            ("select * from a order by 1, tables", false),
            ("select (tables) from a", false),
        ] {
            let text = Text::new(sql).unwrap();
            let n = (0..text.tokens.len())
                .find(|n| text.is(*n, "tables"))
                .unwrap();
            assert_eq!(in_table_list(&text, n), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_not_made_is_refused_by_name() {
        assert_eq!(unmade("innodb_trx").map(|e| e.code), Some(NO_TABLE));
        assert_eq!(
            unmade("slow_query").map(|e| e.code),
            Some(errors::NOT_SUPPORTED)
        );
        assert_eq!(unmade("processlist"), None);
    }
}
