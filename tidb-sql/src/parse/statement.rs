//! Which statement it is.

use super::cursor::Cursor;
use crate::ast::{DatabaseOption, Recover, Statement, Temporary};
use crate::{ParseError, Release};

impl Cursor<'_> {
    pub(super) fn statement(&mut self) -> Result<Statement, ParseError> {
        if self.eat("CREATE") {
            return self.create();
        }
        if self.eat("ALTER") {
            return self.alter();
        }
        if self.eat("DROP") {
            return self.drop();
        }
        if self.eat("TRUNCATE") {
            self.eat("TABLE");
            return Ok(Statement::TruncateTable(self.table_name()?));
        }
        if self.eat("RENAME") {
            self.expect_any(&["TABLE", "TABLES"])?;
            let pairs = self.list(|c| {
                let from = c.table_name()?;
                c.expect("TO")?;
                Ok((from, c.table_name()?))
            })?;
            return Ok(Statement::RenameTable(pairs));
        }
        if self.eat("RECOVER") {
            return self.recover();
        }
        if self.eat("FLASHBACK") {
            return self.flashback();
        }
        Err(self.unexpected())
    }

    fn create(&mut self) -> Result<Statement, ParseError> {
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            return Ok(Statement::CreateDatabase {
                if_not_exists: self.eat_if_not_exists(),
                name: self.name()?,
                options: self.database_options()?,
            });
        }
        if self.eat("TABLE") {
            return self.create_table(Temporary::No);
        }
        if self.eat_since(Release::V6_5, "GLOBAL") {
            self.expect_all(&["TEMPORARY", "TABLE"])?;
            return self.create_table(Temporary::Global);
        }
        if self.eat("TEMPORARY") {
            self.expect("TABLE")?;
            return self.create_table(Temporary::Session);
        }
        if self.eat("SEQUENCE") {
            return self.create_sequence();
        }
        let replaced = self.eat_all(&["OR", "REPLACE"]);
        if self.release() >= Release::V6_5 && self.eat_all(&["PLACEMENT", "POLICY"]) {
            return Ok(Statement::CreatePlacementPolicy {
                or_replace: replaced,
                if_not_exists: self.eat_if_not_exists(),
                name: self.name()?,
                options: self.placement_options()?,
            });
        }
        if !replaced && let Some(kind) = self.eat_index_kind() {
            return self.create_index(kind);
        }
        self.create_view(replaced)
    }

    fn alter(&mut self) -> Result<Statement, ParseError> {
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            return self.alter_database();
        }
        if self.release() >= Release::V6_5 {
            if self.eat("SEQUENCE") {
                return Ok(Statement::AlterSequence {
                    if_exists: self.eat_if_exists(),
                    name: self.table_name()?,
                    options: self.sequence_options(true)?,
                });
            }
            if self.eat_all(&["PLACEMENT", "POLICY"]) {
                return Ok(Statement::AlterPlacementPolicy {
                    if_exists: self.eat_if_exists(),
                    name: self.name()?,
                    options: self.placement_options()?,
                });
            }
        }
        self.eat("IGNORE");
        self.expect("TABLE")?;
        self.alter_table()
    }

    fn alter_database(&mut self) -> Result<Statement, ParseError> {
        // A word that begins an option is none that a database without quotes can have here.
        let starts_option = ["DEFAULT", "CHARACTER", "COLLATE", "SET"]
            .iter()
            .any(|word| self.is_word_at(0, word))
            || ["CHARSET", "ENCRYPTION", "PLACEMENT"].iter().any(|word| {
                self.is_word_at(0, word)
                    && ![
                        "DEFAULT",
                        "CHARACTER",
                        "CHARSET",
                        "COLLATE",
                        "ENCRYPTION",
                        "PLACEMENT",
                        "SET",
                    ]
                    .iter()
                    .any(|word| self.is_word_at(1, word))
            });
        let name = match starts_option {
            true => None,
            false => Some(self.name()?),
        };
        let options = self.database_options()?;
        match options.is_empty() {
            true => Err(self.unexpected()),
            false => Ok(Statement::AlterDatabase { name, options }),
        }
    }

    fn database_options(&mut self) -> Result<Vec<DatabaseOption>, ParseError> {
        let mut options = Vec::new();
        loop {
            let default = self.eat("DEFAULT");
            if self.eat_charset() {
                self.eat_equals();
                options.push(DatabaseOption::Charset(self.charset_name()?));
            } else if self.eat("COLLATE") {
                self.eat_equals();
                options.push(DatabaseOption::Collate(self.collation_name()?));
            } else if self.eat("ENCRYPTION") {
                self.eat_equals();
                options.push(DatabaseOption::Encryption(self.string()?));
            } else if self.release() >= Release::V6_5 && self.is_word_at(0, "PLACEMENT") {
                options.push(DatabaseOption::PlacementPolicy(self.placement_policy()?));
            } else if self.eat_all(&["SET", "TIFLASH", "REPLICA"]) {
                let (count, labels) = self.tiflash_replica()?;
                options.push(DatabaseOption::TiFlashReplica { count, labels });
            } else if default {
                return Err(self.unexpected());
            } else {
                return Ok(options);
            }
        }
    }

    fn drop(&mut self) -> Result<Statement, ParseError> {
        if self.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
            return Ok(Statement::DropDatabase {
                if_exists: self.eat_if_exists(),
                name: self.name()?,
            });
        }
        if self.eat("VIEW") {
            let if_exists = self.eat_if_exists();
            let names = self.table_names()?;
            self.eat_any(&["RESTRICT", "CASCADE"]);
            return Ok(Statement::DropView { if_exists, names });
        }
        if self.eat("INDEX") {
            let if_exists = self.eat_if_exists();
            let name = self.name()?;
            self.expect("ON")?;
            return Ok(Statement::DropIndex {
                if_exists,
                name,
                table: self.table_name()?,
                locks: self.index_locks()?,
            });
        }
        if self.eat("SEQUENCE") {
            return Ok(Statement::DropSequence {
                if_exists: self.eat_if_exists(),
                names: self.table_names()?,
            });
        }
        if self.release() >= Release::V6_5 && self.eat_all(&["PLACEMENT", "POLICY"]) {
            return Ok(Statement::DropPlacementPolicy {
                if_exists: self.eat_if_exists(),
                name: self.name()?,
            });
        }
        let temporary = match () {
            () if self.eat_since(Release::V6_5, "GLOBAL") => {
                self.expect("TEMPORARY")?;
                Temporary::Global
            }
            () if self.eat("TEMPORARY") => Temporary::Session,
            () => Temporary::No,
        };
        self.expect_any(&["TABLE", "TABLES"])?;
        let if_exists = self.eat_if_exists();
        let names = self.table_names()?;
        self.eat_any(&["RESTRICT", "CASCADE"]);
        Ok(Statement::DropTable {
            temporary,
            if_exists,
            names,
        })
    }

    fn recover(&mut self) -> Result<Statement, ParseError> {
        self.expect("TABLE")?;
        if self.eat_all(&["BY", "JOB"]) {
            return Ok(Statement::RecoverTable(Recover::Job(self.number()?)));
        }
        let name = self.table_name()?;
        let jobs = match self.at_end() || self.is_sign(";") {
            true => None,
            false => Some(self.number()?),
        };
        Ok(Statement::RecoverTable(Recover::Table(name, jobs)))
    }

    fn flashback(&mut self) -> Result<Statement, ParseError> {
        let to = |c: &mut Self| match c.eat("TO") {
            true => c.name().map(Some),
            false => Ok(None),
        };
        if self.eat("TABLE") {
            return Ok(Statement::FlashbackTable {
                name: self.table_name()?,
                to: to(self)?,
            });
        }
        self.expect_any(&["DATABASE", "SCHEMA"])?;
        Ok(Statement::FlashbackDatabase {
            name: self.name()?,
            to: to(self)?,
        })
    }
}
