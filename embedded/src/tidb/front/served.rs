//! Statements whose answer is TiDB's own: it is put together here and told by MariaDB as the result of a SELECT, so that
//! it comes in whichever protocol the client uses.

use std::fmt::Write as _;

use super::errors;
use super::policy::SYSTEM_DATABASES;
use super::rewrite::{mariadb_name, overrides};
use super::session::Session;
use super::statement::Route;
use super::text::{Text, literal, quoted};
use super::{FrontError, variables};
use crate::tidb::catalog::{TidbVersion, Warning, show};
use crate::tidb::wire::ErrPacket;

/// The databases that TiDB shows besides those of its schema.
const VIRTUAL_DATABASES: [&str; 4] = [
    "INFORMATION_SCHEMA",
    "METRICS_SCHEMA",
    "PERFORMANCE_SCHEMA",
    "sys",
];

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

/// What `SELECT tidb_version()` says of a release.
pub(super) fn build_text(release: &str) -> String {
    format!(
        "Release Version: {release}\nEdition: Community\nGit Commit Hash: None\nGit Branch: None\n\
         UTC Build Time: None\nGoVersion: None\nRace Enabled: false\nCheck Table Before Drop: false\nStore: tikv"
    )
}

/// A SELECT that yields these rows of SQL expressions under these column names.
fn select(columns: &[&str], rows: &[Vec<String>]) -> String {
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
fn filtered(rows: &str, column: &str, text: &Text<'_>, from: usize) -> Result<String, ErrPacket> {
    let mut out = format!("SELECT * FROM ({rows}) AS `shown`");
    if text.is(from, "LIKE") {
        let pattern = text
            .string(from + 1)
            .ok_or_else(|| errors::syntax_at_token(text, from + 1))?;
        let _ = write!(out, " WHERE {} LIKE {}", quoted(column), literal(&pattern));
    } else if text.is(from, "WHERE") {
        let _ = write!(out, " {}", text.from(from));
    } else if from < text.tokens.len() {
        return Err(errors::syntax_at_token(text, from));
    }
    Ok(out)
}

type Served = Result<Result<Route, ErrPacket>, FrontError>;

fn served(query: String) -> Served {
    Ok(Ok(Route::Served { query }))
}

fn refused(error: ErrPacket) -> Served {
    Ok(Err(error))
}

impl Session {
    /// `SHOW …`.
    pub(super) async fn show(&mut self, text: &Text<'_>) -> Served {
        let mut n = 1;
        while ["FULL", "GLOBAL", "SESSION", "EXTENDED"]
            .iter()
            .any(|w| text.is(n, w))
        {
            n += 1;
        }
        let word = text.get(n).to_ascii_uppercase();
        match word.as_str() {
            "DATABASES" | "SCHEMAS" => self.show_databases(text, n + 1),
            "TABLES" => self.show_tables(text, n + 1),
            "COLUMNS" | "FIELDS" => self.show_columns(text, n + 1),
            "VARIABLES" => self.show_variables(text, n + 1),
            "CREATE" if text.is(n + 1, "TABLE") => self.show_create_table(text, n + 2).await,
            "CREATE" if text.is(n + 1, "DATABASE") || text.is(n + 1, "SCHEMA") => {
                self.show_create_database(text, n + 2)
            }
            "MASTER" | "BINARY" if text.is(n + 1, "STATUS") => {
                let ts = self.shared.client.tso().await?;
                let columns = [
                    "File",
                    "Position",
                    "Binlog_Do_DB",
                    "Binlog_Ignore_DB",
                    "Executed_Gtid_Set",
                ];
                let empty = "''".to_owned();
                let row = vec![
                    "'tidb-binlog'".to_owned(),
                    ts.to_string(),
                    empty.clone(),
                    empty.clone(),
                    empty,
                ];
                served(select(&columns, &[row]))
            }
            "WARNINGS" | "ERRORS" => match self.warnings.take() {
                Some(warnings) => {
                    let query = show_warnings(&warnings, word == "ERRORS");
                    self.warnings = Some(warnings);
                    served(query)
                }
                None => self.forwarded(text).await,
            },
            "GRANTS" => served(select(
                &["Grants for User"],
                &[vec![literal(
                    "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION",
                )]],
            )),
            "ENGINES" => {
                let columns = [
                    "Engine",
                    "Support",
                    "Comment",
                    "Transactions",
                    "XA",
                    "Savepoints",
                ];
                let row = [
                    "InnoDB",
                    "DEFAULT",
                    "Supports transactions, row-level locking, and foreign keys",
                    "YES",
                    "YES",
                    "YES",
                ];
                served(select(&columns, &[row.map(literal).to_vec()]))
            }
            "CHARSET" => self.show_charsets(text, n + 1),
            "CHARACTER" if text.is(n + 1, "SET") => self.show_charsets(text, n + 2),
            "COLLATION" => self.show_collations(text, n + 1),
            "PLUGINS" => served(select(
                &["Name", "Status", "Type", "Library", "License", "Version"],
                &[],
            )),
            "PROCESSLIST" | "STATUS" | "COUNT" => self.forwarded(text).await,
            "INDEX" | "INDEXES" | "KEYS" => self.show_index(text, n + 1),
            "SLAVE" | "REPLICA" => refused(ErrPacket::new(
                errors::NOT_SUPPORTED,
                "42000",
                "This version of TiDB doesn't yet support 'SHOW {REPLICA | SLAVE} STATUS'",
            )),
            "BINLOG" | "BINARY" | "RELAYLOG" | "AUTHORS" | "CONTRIBUTORS" | "EXPLAIN"
            | "LOCALES" => refused(errors::syntax_at_token(text, n)),
            _ => refused(errors::unsupported(&format!("SHOW {word}"))),
        }
    }

    fn show_databases(&self, text: &Text<'_>, n: usize) -> Served {
        let catalog = self.shared.apply.catalog();
        let mut names: Vec<String> = catalog
            .databases()
            .map(|db| db.info.name.o.clone())
            .collect();
        names.extend(VIRTUAL_DATABASES.map(str::to_owned));
        names.sort();
        let rows: Vec<_> = names.iter().map(|name| vec![literal(name)]).collect();
        match filtered(&select(&["Database"], &rows), "Database", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    /// The database that `FROM`/`IN` at the n-th token names, or the current one, and the place after it.
    fn database_clause(&self, text: &Text<'_>, n: usize) -> (Option<String>, usize) {
        if text.is(n, "FROM") || text.is(n, "IN") {
            if let Some(name) = text.name(n + 1) {
                return (Some(name), n + 2);
            }
        }
        (self.database.clone(), n)
    }

    fn show_tables(&self, text: &Text<'_>, n: usize) -> Served {
        let (database, n) = self.database_clause(text, n);
        let Some(database) = database else {
            return refused(no_database());
        };
        if is_system(&database) {
            return refused(errors::unsupported(&format!("SHOW TABLES of {database}")));
        }
        let catalog = self.shared.apply.catalog();
        let Some(db) = catalog.database(&database) else {
            return refused(unknown_database(&database));
        };
        let mut names: Vec<&str> = db.tables().map(|t| t.name.o.as_str()).collect();
        names.sort_by_key(|name| name.to_lowercase());
        let full = text.is(1, "FULL");
        let title = format!("Tables_in_{}", db.info.name.o);
        let columns: &[&str] = if full {
            &[&title, "Table_type"]
        } else {
            &[&title]
        };
        let rows: Vec<_> = names
            .iter()
            .map(|name| {
                let mut row = vec![literal(name)];
                if full {
                    row.push("'BASE TABLE'".to_owned());
                }
                row
            })
            .collect();
        match filtered(&select(columns, &rows), &title, text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    async fn show_create_table(&mut self, text: &Text<'_>, n: usize) -> Served {
        let Some((database, table, _)) = text.full_name(n) else {
            return refused(errors::syntax_at_token(text, n));
        };
        let Some(database) = database.or_else(|| self.database.clone()) else {
            return refused(no_database());
        };
        let catalog = self.shared.apply.catalog();
        let Some(info) = catalog.table(&database, &table) else {
            return refused(unknown_table(&database, &table));
        };
        let options = show::ShowOptions {
            auto_increment: None,
            utc_offset: self.catalog_session().await?.utc_offset,
        };
        let row = vec![
            literal(&info.name.o),
            literal(&show::create_table(info, options)),
        ];
        served(select(&["Table", "Create Table"], &[row]))
    }

    fn show_create_database(&self, text: &Text<'_>, n: usize) -> Served {
        let n = if text.are(n, &["IF", "NOT", "EXISTS"]) {
            n + 3
        } else {
            n
        };
        let Some(name) = text.name(n) else {
            return refused(errors::syntax_at_token(text, n));
        };
        let catalog = self.shared.apply.catalog();
        let Some(db) = catalog.database(&name) else {
            return refused(unknown_database(&name));
        };
        let row = vec![
            literal(&db.info.name.o),
            literal(&show::create_database(&db.info)),
        ];
        served(select(&["Database", "Create Database"], &[row]))
    }

    /// `SHOW [FULL] COLUMNS FROM t [FROM db] [LIKE … | WHERE …]`.
    fn show_columns(&self, text: &Text<'_>, n: usize) -> Served {
        let Some((database, table, mut n)) = (text.is(n, "FROM") || text.is(n, "IN"))
            .then(|| text.full_name(n + 1))
            .flatten()
        else {
            return refused(errors::syntax_at_token(text, n));
        };
        let mut database = database.or_else(|| self.database.clone());
        if let (Some(named), after) = self.database_clause(text, n)
            && after > n
        {
            (database, n) = (Some(named), after);
        }
        let full = text.is(1, "FULL");
        self.columns_of(text, database, &table, full, n)
    }

    /// Columns of a table; of a server's own table as MariaDB tells them.
    pub(super) fn columns_of(
        &self,
        text: &Text<'_>,
        database: Option<String>,
        table: &str,
        full: bool,
        n: usize,
    ) -> Served {
        let Some(database) = database else {
            return refused(no_database());
        };
        let catalog = self.shared.apply.catalog();
        let Some(info) = catalog.table(&database, table) else {
            if is_system(&database) {
                let full = if full { "FULL " } else { "" };
                return served(format!(
                    "SHOW {full}COLUMNS FROM {}.{} {}",
                    quoted(&database),
                    quoted(table),
                    text.from(n)
                ));
            }
            return refused(unknown_table(&database, table));
        };
        let (columns, rows) = super::columns::rows(info, full);
        match filtered(&select(&columns, &rows), "Field", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    fn show_index(&self, text: &Text<'_>, n: usize) -> Served {
        let Some((database, table, mut n)) = (text.is(n, "FROM") || text.is(n, "IN"))
            .then(|| text.full_name(n + 1))
            .flatten()
        else {
            return refused(errors::syntax_at_token(text, n));
        };
        let mut database = database.or_else(|| self.database.clone());
        if let (Some(named), after) = self.database_clause(text, n)
            && after > n
        {
            (database, n) = (Some(named), after);
        }
        let Some(database) = database else {
            return refused(no_database());
        };
        let catalog = self.shared.apply.catalog();
        let Some(info) = catalog.table(&database, &table) else {
            return refused(unknown_table(&database, &table));
        };
        let (columns, rows) = super::indexes::rows(info);
        match filtered(&select(&columns, &rows), "Key_name", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    fn show_charsets(&self, text: &Text<'_>, n: usize) -> Served {
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

    fn show_collations(&self, text: &Text<'_>, n: usize) -> Served {
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

    fn show_variables(&self, text: &Text<'_>, n: usize) -> Served {
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

fn show_warnings(warnings: &[Warning], errors_only: bool) -> String {
    let rows: Vec<_> = warnings
        .iter()
        .filter(|w| !errors_only || w.level == "Error")
        .map(|w| vec![literal(w.level), w.code.to_string(), literal(&w.message)])
        .collect();
    select(&["Level", "Code", "Message"], &rows)
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
