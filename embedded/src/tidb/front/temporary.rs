//! Temporary tables of a session (8.5). They are MariaDB's: it writes nothing of them to its binlog, and so TiKV hears nothing
//! of them, as with TiDB's own.

use std::sync::Arc;

use super::FrontError;
use super::errors;
use super::relay::Answered;
use super::session::Session;
use super::text::{Text, quoted};
use crate::tidb::catalog::model::lower_case;
use crate::tidb::catalog::{TableInfo, Warning};
use crate::tidb::wire::{ErrPacket, WireError};

/// Database and table, in lower case.
pub(super) type Name = (String, String);

/// A statement about tables, as far as temporary ones matter.
enum About {
    Create {
        if_not_exists: bool,
        name: Name,
    },
    Drop {
        if_exists: bool,
        only_temporary: bool,
        names: Vec<Name>,
    },
    Truncate(Name),
    /// TiDB does not do these to temporary tables.
    Other(&'static str, Vec<Name>),
}

impl Session {
    /// A table by its name: a temporary one hides others.
    pub(super) fn table_info(&self, database: &str, table: &str) -> Option<Arc<TableInfo>> {
        let name = (lower_case(database), lower_case(table));
        let temporary = self.temporary.get(&name).cloned();
        temporary.or_else(|| self.shared.apply.catalog().table(database, table).cloned())
    }

    /// Runs what is about temporary tables, but for what makes one; none for other statements.
    pub(super) async fn about_temporary(
        &mut self,
        sql: &str,
        more: bool,
    ) -> Result<Option<Answered>, FrontError> {
        let plain = match self.plain(sql) {
            Ok(plain) => plain.into_owned(),
            Err(_) => return Ok(None),
        };
        let Ok(text) = Text::new(&plain) else {
            return Ok(None);
        };
        if self.temporary.is_empty() && !text.is(1, "TEMPORARY") {
            return Ok(None);
        }
        let has = |name: &Name| self.temporary.contains_key(name);
        let statement = match self.read_about(&text) {
            None => return Ok(None),
            Some(About::Create {
                if_not_exists,
                name,
            }) => {
                if !has(&name) {
                    return Ok(None);
                }
                let message = format!("Table '{}.{}' already exists", name.0, name.1);
                if if_not_exists {
                    return self.noted(1050, message, more).await.map(Some);
                }
                let error = ErrPacket::new(1050, "42S01", message);
                return self.refuse(&error).await.map(Some);
            }
            Some(About::Drop {
                if_exists,
                only_temporary,
                names,
            }) => {
                let missing: Vec<&Name> = names.iter().filter(|name| !has(name)).collect();
                match missing.first() {
                    Some(_) if !only_temporary && missing.len() == names.len() => return Ok(None),
                    Some(_) if !only_temporary => {
                        let what = "DROP TABLE of temporary tables together with others";
                        return self.refuse(&errors::unsupported(what)).await.map(Some);
                    }
                    Some((database, table)) => {
                        let message = format!("Unknown table '{database}.{table}'");
                        if if_exists && names.len() == 1 {
                            return self.noted(1051, message, more).await.map(Some);
                        }
                        let error = ErrPacket::new(1051, "42S02", message);
                        return self.refuse(&error).await.map(Some);
                    }
                    None => {}
                }
                let list: Vec<String> = names.iter().map(full).collect();
                for name in &names {
                    self.temporary.remove(name);
                }
                format!("DROP TEMPORARY TABLE {}", list.join(", "))
            }
            Some(About::Truncate(name)) => match has(&name) {
                false => return Ok(None),
                true => format!("TRUNCATE TABLE {}", full(&name)),
            },
            Some(About::Other(what, names)) => {
                if !names.iter().any(has) {
                    return Ok(None);
                }
                let message = format!("TiDB doesn't support {what} for local temporary table");
                let error = ErrPacket::new(8200, "HY000", message);
                return self.refuse(&error).await.map(Some);
            }
        };
        match self.backend.execute(&statement).await {
            Ok(ok) => self.hold(&ok).await?,
            Err(WireError::Server { error, .. }) => return self.refuse(&error).await.map(Some),
            Err(other) => return Err(other.into()),
        }
        self.succeed(0, more).await?;
        self.warnings = Some(vec![]);
        Ok(Some(Answered::Done))
    }

    /// Answers with a note.
    async fn noted(
        &mut self,
        code: u16,
        message: String,
        more: bool,
    ) -> Result<Answered, FrontError> {
        self.succeed(1, more).await?;
        self.warnings = Some(vec![Warning {
            level: "Note",
            code,
            message,
        }]);
        Ok(Answered::Done)
    }

    /// Makes the table that was planned.
    pub(super) async fn make_temporary(
        &mut self,
        database: &str,
        info: Arc<TableInfo>,
        statement: &str,
    ) -> Result<Option<ErrPacket>, FrontError> {
        match self.backend.execute(statement).await {
            Ok(ok) => self.hold(&ok).await?,
            Err(WireError::Server { error, .. }) => return Ok(Some(error)),
            Err(other) => return Err(other.into()),
        }
        let name = (lower_case(database), info.name.l.clone());
        self.temporary.insert(name, info);
        Ok(None)
    }

    /// The database of the table that CREATE TEMPORARY TABLE names.
    pub(super) fn database_of_created(&self, sql: &str) -> Option<String> {
        let plain = self.plain(sql).ok()?;
        match self.read_about(&Text::new(&plain).ok()?)? {
            About::Create { name, .. } => Some(name.0),
            _ => None,
        }
    }

    fn read_about(&self, text: &Text<'_>) -> Option<About> {
        let name = |n: usize| -> Option<(Name, usize)> {
            let (database, table, after) = text.full_name(n)?;
            let database = database.or_else(|| self.database.clone())?;
            Some(((lower_case(&database), lower_case(&table)), after))
        };
        let on = || (1..text.tokens.len()).find(|n| text.is(*n, "ON"));
        if text.are(0, &["CREATE", "TEMPORARY", "TABLE"]) {
            let if_not_exists = text.are(3, &["IF", "NOT", "EXISTS"]);
            let (name, _) = name(if if_not_exists { 6 } else { 3 })?;
            return Some(About::Create {
                if_not_exists,
                name,
            });
        }
        if text.is(0, "DROP") {
            let only_temporary = text.is(1, "TEMPORARY");
            let n = 1 + usize::from(only_temporary);
            if text.is(n, "INDEX") {
                return Some(About::Other("DROP INDEX", vec![name(on()? + 1)?.0]));
            }
            if !text.is(n, "TABLE") && !text.is(n, "TABLES") {
                return None;
            }
            let if_exists = text.are(n + 1, &["IF", "EXISTS"]);
            let mut n = n + if if_exists { 3 } else { 1 };
            let mut names = vec![];
            loop {
                let (name, after) = name(n)?;
                names.push(name);
                if !text.is_sign(after, ',') {
                    break;
                }
                n = after + 1;
            }
            return Some(About::Drop {
                if_exists,
                only_temporary,
                names,
            });
        }
        if text.is(0, "TRUNCATE") {
            let n = 1 + usize::from(text.is(1, "TABLE"));
            return Some(About::Truncate(name(n)?.0));
        }
        if text.are(0, &["ALTER", "TABLE"]) {
            return Some(About::Other("ALTER TABLE", vec![name(2)?.0]));
        }
        if text.are(0, &["RENAME", "TABLE"]) {
            // a TO b, c TO d
            let mut names = vec![];
            let mut n = 2;
            loop {
                let (from, to) = name(n)?;
                names.push(from);
                let (_, after) = text.is(to, "TO").then(|| name(to + 1))??;
                if !text.is_sign(after, ',') {
                    break;
                }
                n = after + 1;
            }
            return Some(About::Other("RENAME TABLE", names));
        }
        if text.is(0, "CREATE") && text.has(&["INDEX"]) {
            return Some(About::Other("CREATE INDEX", vec![name(on()? + 1)?.0]));
        }
        None
    }
}

fn full((database, table): &Name) -> String {
    format!("{}.{}", quoted(database), quoted(table))
}
