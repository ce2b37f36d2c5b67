//! `SHOW …`.

use super::FrontError;
use super::errors;
use super::served::{
    Served, filtered, is_system, no_database, refused, select, served, unknown_database,
    unknown_table, virtual_databases,
};
use super::session::Session;
use super::text::{Text, literal, quoted};
use crate::tidb::catalog::auto_ids::Counter;
use crate::tidb::catalog::{TableInfo, TidbVersion, Warning, show};
use crate::tidb::wire::ErrPacket;

/// The columns of SHOW TABLE STATUS, as expressions over `information_schema.tables`.
const STATUS_COLUMNS: [(&str, &str); 18] = [
    ("Name", "TABLE_NAME"),
    ("Engine", "ENGINE"),
    ("Version", "VERSION"),
    ("Row_format", "ROW_FORMAT"),
    ("Rows", "TABLE_ROWS"),
    ("Avg_row_length", "AVG_ROW_LENGTH"),
    ("Data_length", "DATA_LENGTH"),
    ("Max_data_length", "MAX_DATA_LENGTH"),
    ("Index_length", "INDEX_LENGTH"),
    ("Data_free", "DATA_FREE"),
    ("Auto_increment", "AUTO_INCREMENT"),
    ("Create_time", "CREATE_TIME"),
    ("Update_time", "UPDATE_TIME"),
    ("Check_time", "CHECK_TIME"),
    ("Collation", "TABLE_COLLATION"),
    ("Checksum", "IFNULL(CHECKSUM, '')"),
    ("Create_options", "CREATE_OPTIONS"),
    ("Comment", "TABLE_COMMENT"),
];

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
            "TABLE" if text.is(n + 1, "STATUS") => self.show_table_status(text, n + 2).await,
            "COLUMNS" | "FIELDS" => self.show_columns(text, n + 1).await,
            "VARIABLES" => self.show_variables(text, n + 1),
            "CREATE" if text.is(n + 1, "TABLE") => self.show_create_table(text, n + 2).await,
            "CREATE" if text.is(n + 1, "VIEW") || text.is(n + 1, "SEQUENCE") => {
                self.show_create_object(text, n + 2, &text.get(n + 1).to_ascii_uppercase())
            }
            "CREATE" if text.is(n + 1, "DATABASE") || text.is(n + 1, "SCHEMA") => {
                self.show_create_database(text, n + 2)
            }
            "CREATE" if text.is(n + 1, "USER") => self.show_create_user(text, n + 2).await,
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
            "TABLE" => self.show_table(text, n + 1).await,
            "WARNINGS" | "ERRORS" => match self.warnings.take() {
                Some(warnings) => {
                    let query = show_warnings(&warnings, word == "ERRORS");
                    self.warnings = Some(warnings);
                    served(query)
                }
                None => self.forwarded(text).await,
            },
            "GRANTS" => self.show_grants(text, n + 1).await,
            "ENGINES" => {
                let columns = [
                    "Engine",
                    "Support",
                    "Comment",
                    "Transactions",
                    "XA",
                    "Savepoints",
                ];
                served(select(
                    &columns,
                    &[super::lists::ENGINE.map(literal).to_vec()],
                ))
            }
            "CHARSET" => self.show_charsets(text, n + 1),
            "CHARACTER" if text.is(n + 1, "SET") => self.show_charsets(text, n + 2),
            "COLLATION" => self.show_collations(text, n + 1),
            "PLUGINS" => served(select(
                &["Name", "Status", "Type", "Library", "License", "Version"],
                &[],
            )),
            "PRIVILEGES" => super::privileges::show(self.shared.version),
            "PROCESSLIST" => self.show_processes(text, n + 1),
            "STATUS" => self.show_status(text, n + 1).await,
            "COUNT" => self.forwarded(text).await,
            "INDEX" | "INDEXES" | "KEYS" => self.show_index(text, n + 1),
            "SLAVE" | "REPLICA" if self.shared.version >= TidbVersion::V8_5 => {
                refused(ErrPacket::new(
                    errors::NOT_SUPPORTED,
                    "42000",
                    "This version of TiDB doesn't yet support 'SHOW {REPLICA | SLAVE} STATUS'",
                ))
            }
            "SLAVE" | "REPLICA" | "BINLOG" | "BINARY" | "RELAYLOG" | "AUTHORS" | "CONTRIBUTORS"
            | "EXPLAIN" | "LOCALES" => refused(errors::syntax_at_token(text, n)),
            _ => refused(errors::unsupported(&format!("SHOW {word}"))),
        }
    }

    fn show_databases(&self, text: &Text<'_>, n: usize) -> Served {
        let catalog = self.shared.apply.catalog();
        let mut names: Vec<String> = catalog
            .databases()
            .map(|db| db.info.name.o.clone())
            .filter(|name| self.rights.sees_database(name))
            .collect();
        names.extend(virtual_databases(self.shared.version).map(str::to_owned));
        names.sort();
        let rows: Vec<_> = names.iter().map(|name| vec![literal(name)]).collect();
        match filtered(&select(&["Database"], &rows), "Database", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    /// The table of `FROM`/`IN t [FROM db]` at the n-th token after its database, if there is one, and the place behind.
    pub(super) fn table_clause(
        &self,
        text: &Text<'_>,
        n: usize,
    ) -> Result<(Option<String>, String, usize), ErrPacket> {
        let (database, table, after) = (text.is(n, "FROM") || text.is(n, "IN"))
            .then(|| text.full_name(n + 1))
            .flatten()
            .ok_or_else(|| errors::syntax_at_token(text, n))?;
        match self.database_clause(text, after) {
            (Some(named), behind) if behind > after => Ok((Some(named), table, behind)),
            _ => Ok((database.or_else(|| self.database.clone()), table, after)),
        }
    }

    /// The database that `FROM`/`IN` at the n-th token names, or the current one, and the place after it.
    pub(super) fn database_clause(&self, text: &Text<'_>, n: usize) -> (Option<String>, usize) {
        if (text.is(n, "FROM") || text.is(n, "IN"))
            && let Some(name) = text.name(n + 1)
        {
            return (Some(name), n + 2);
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
        let database = &db.info.name.o;
        let mut tables: Vec<_> = db
            .tables()
            .filter(|table| self.rights.sees(database, &table.name.o))
            .collect();
        tables.sort_by_key(|table| &table.name.l);
        let full = text.is(1, "FULL");
        let title = format!("Tables_in_{}", db.info.name.o);
        let columns: &[&str] = if full {
            &[&title, "Table_type"]
        } else {
            &[&title]
        };
        let rows: Vec<_> = tables
            .iter()
            .map(|table| {
                let mut row = vec![literal(&table.name.o)];
                if full {
                    row.push(literal(super::objects::kind(table)));
                }
                row
            })
            .collect();
        match filtered(&select(columns, &rows), &title, text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }

    /// `SHOW TABLE STATUS [FROM db] [LIKE … | WHERE …]`.
    async fn show_table_status(&mut self, text: &Text<'_>, n: usize) -> Served {
        let (database, n) = self.database_clause(text, n);
        let Some(database) = database else {
            return refused(no_database());
        };
        let columns: Vec<String> = STATUS_COLUMNS
            .iter()
            .map(|(name, expression)| format!("{expression} AS {}", quoted(name)))
            .collect();
        let query = format!(
            "SELECT {} FROM information_schema.tables WHERE LOWER(TABLE_SCHEMA) = LOWER({}) ORDER BY TABLE_NAME",
            columns.join(", "),
            literal(&database)
        );
        let query = match filtered(&query, "Name", text, n) {
            Ok(query) => query,
            Err(error) => return refused(error),
        };
        match Text::new(&query) {
            Ok(query) => self.forwarded(&query).await,
            Err(_) => refused(errors::syntax_at_token(text, n)),
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
        let Some(info) = self.table_info(&database, &table) else {
            return refused(unknown_table(&database, &table));
        };
        if let Some(refusal) = self.hidden(&database, &table) {
            return refused(refusal);
        }
        let info = &*info;
        if let Some(query) = super::objects::show_create(info) {
            return served(query);
        }
        let options = show::ShowOptions {
            database: Some(&database),
            auto_increment: self.next_auto_increment(&database, info).await?,
            auto_random: info.auto_random_column().and_then(|_| {
                let taken = catalog
                    .database(&database)?
                    .counter(info, Counter::AutoRandom);
                u64::try_from(taken).ok().map(|n| n + 1)
            }),
            zone: self.catalog_session().await?.zone,
        };
        let row = vec![
            literal(&info.name.o),
            literal(&show::create_table(info, options)),
        ];
        served(select(&["Table", "Create Table"], &[row]))
    }

    /// The next value of AUTO_INCREMENT: TiDB tells what the next range begins with, of AUTO_ID_CACHE=1 the value itself.
    async fn next_auto_increment(
        &mut self,
        database: &str,
        info: &TableInfo,
    ) -> Result<Option<u64>, FrontError> {
        if info.auto_increment_column().is_none() {
            return Ok(None);
        }
        let catalog = self.shared.apply.catalog();
        let taken = catalog
            .database(database)
            .map_or(0, |db| db.counter(info, Counter::AutoIncrement));
        if info.auto_id_cache != 1 {
            return Ok(u64::try_from(taken).ok().map(|n| n + 1));
        }
        let next = self.mariadb_auto_increment(database, &info.name.o).await?;
        Ok(next.and_then(|next| next.try_into().ok()))
    }

    /// The value that MariaDB gives next to an AUTO_INCREMENT column.
    pub(super) async fn mariadb_auto_increment(
        &mut self,
        database: &str,
        table: &str,
    ) -> Result<Option<i64>, FrontError> {
        let query = format!(
            "SELECT auto_increment FROM information_schema.tables WHERE table_schema = {} AND table_name = {}",
            literal(database),
            literal(table)
        );
        Ok(self.backend.value(&query).await?.parse().ok())
    }

    /// `SHOW TABLE t NEXT_ROW_ID`, `SHOW TABLE t REGIONS`.
    async fn show_table(&mut self, text: &Text<'_>, n: usize) -> Served {
        let Some((database, table, after)) = text.full_name(n) else {
            return refused(errors::syntax_at_token(text, n));
        };
        let regions = text.is(after, "REGIONS");
        if !regions && !text.is(after, "NEXT_ROW_ID") {
            return refused(errors::unsupported(&format!(
                "SHOW TABLE … {}",
                text.get(after)
            )));
        }
        let Some(database) = database.or_else(|| self.database.clone()) else {
            return refused(no_database());
        };
        let catalog = self.shared.apply.catalog();
        let found = catalog
            .database(&database)
            .and_then(|db| Some((db, db.table(&table)?)));
        let Some((db, info)) = found else {
            return refused(unknown_table(&database, &table));
        };
        if let Some(refusal) = self.hidden(&database, &table) {
            return refused(refusal);
        }
        if regions {
            return self.show_regions(text, info, after + 1).await;
        }
        let columns = [
            "DB_NAME",
            "TABLE_NAME",
            "COLUMN_NAME",
            "NEXT_GLOBAL_ROW_ID",
            "ID_TYPE",
        ];
        let rows: Vec<Vec<String>> = info
            .next_row_ids(db)
            .into_iter()
            .map(|(column, next, kind)| {
                vec![
                    literal(&db.info.name.o),
                    literal(&info.name.o),
                    literal(&column),
                    next.to_string(),
                    literal(kind),
                ]
            })
            .collect();
        served(select(&columns, &rows))
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

    fn show_index(&self, text: &Text<'_>, n: usize) -> Served {
        let (database, table, n) = match self.table_clause(text, n) {
            Ok(found) => found,
            Err(error) => return refused(error),
        };
        let Some(database) = database else {
            return refused(no_database());
        };
        let Some(info) = self.table_info(&database, &table) else {
            return refused(unknown_table(&database, &table));
        };
        if let Some(refusal) = self.hidden(&database, &table) {
            return refused(refusal);
        }
        let (columns, rows) = super::indexes::rows(&info);
        match filtered(&select(&columns, &rows), "Key_name", text, n) {
            Ok(query) => served(query),
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
