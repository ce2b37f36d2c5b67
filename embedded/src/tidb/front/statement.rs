//! What is done with one SQL statement.

use std::borrow::Cow;
use std::sync::Arc;

use super::policy::{self, Class};
use super::relay::{Answered, Passing};
use super::rewrite::Rewritten;
use super::session::Session;
use super::text::{Broken, Text};
use super::{FrontError, bytes, control, errors, functions, rights, scan, served};
use crate::tidb::catalog::Warning;
use crate::tidb::catalog::auto_ids::{FIRST_MADE, LARGEST_GIVEN, MAY_GIVE};
use crate::tidb::wire::capability::{LOCAL_FILES, MULTI_STATEMENTS};
use crate::tidb::wire::{ErrPacket, WireError, command};

/// The way of a statement.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// MariaDB runs it.
    Forward {
        /// As MariaDB is to have it.
        rewritten: Rewritten,
        /// The table that it writes, for messages.
        target: Option<String>,
    },
    /// MariaDB tells an answer of the front's as the result of this query.
    Served { query: String },
    /// It changes the schema.
    Ddl,
    /// It is about users or privileges.
    Accounts,
    /// `SET`.
    Set,
    /// There is nothing to do for it here.
    Nothing { warnings: Vec<Warning> },
}

impl Route {
    /// MariaDB runs this text.
    pub(super) fn as_is(sql: String) -> Self {
        Self::Forward {
            rewritten: Rewritten {
                sql,
                ..Rewritten::default()
            },
            target: None,
        }
    }
}

pub(super) type Routed = Result<Result<Route, ErrPacket>, FrontError>;

impl Session {
    /// One or several statements in text form.
    pub(super) async fn query(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let Some(sql) = self.readable(body) else {
            return self.fail(&errors::unreadable()).await;
        };
        let made_readable = matches!(sql, Cow::Owned(_));
        let sql = &*sql;
        let statements = match scan::statements(sql, self.reading()) {
            Ok(statements) => statements,
            Err(broken) => return self.fail(&unclosed(sql, &broken)).await,
        };
        if statements.is_empty() {
            let error = ErrPacket::new(1065, "42000", "Query was empty");
            return self.fail(&error).await;
        }
        // A job keeps the statement as it was typed.
        if made_readable && statements.iter().any(|s| is_ddl(s)) {
            return self.fail(&errors::unreadable()).await;
        }
        if statements.len() > 1 && self.capabilities & MULTI_STATEMENTS == 0 {
            let message = "client has multi-statement capability disabled. Run SET GLOBAL \
                           tidb_multi_statement_mode='ON' after you understand the security risk";
            return self.fail(&ErrPacket::new(8130, "HY000", message)).await;
        }
        let last = statements.len() - 1;
        for (i, statement) in statements.iter().enumerate() {
            if self.run_text(statement, i < last, false).await? == Answered::Failed {
                break;
            }
        }
        Ok(())
    }

    /// A text of the client's, if it can be read.
    pub(super) fn readable<'b>(&self, body: &'b [u8]) -> Option<Cow<'b, str>> {
        let readable = self.charsets.can_read(body);
        readable
            .then(|| bytes::readable(body, self.reading()))
            .flatten()
    }

    /// Runs one statement and answers, in the binary protocol if `binary`.
    pub(super) async fn run_text(
        &mut self,
        sql: &str,
        more: bool,
        binary: bool,
    ) -> Result<Answered, FrontError> {
        let plain = match self.plain(sql) {
            Ok(plain) => plain,
            Err(broken) => return self.refuse(&unclosed(sql, &broken)).await,
        };
        match self.route(&plain).await? {
            Err(refusal) => self.refuse(&refusal).await,
            Ok(route) => self.take(route, (sql, &plain), more, binary).await,
        }
    }

    /// Answers with an error that the front found, which SHOW WARNINGS then tells again.
    pub(super) async fn refuse(&mut self, refusal: &ErrPacket) -> Result<Answered, FrontError> {
        self.warnings = Some(vec![Warning {
            level: "Error",
            code: refusal.code,
            message: refusal.message.clone(),
        }]);
        self.fail(refusal).await?;
        Ok(Answered::Failed)
    }

    async fn take(
        &mut self,
        route: Route,
        (typed, sql): (&str, &str),
        more: bool,
        binary: bool,
    ) -> Result<Answered, FrontError> {
        match route {
            Route::Forward { rewritten, target } => {
                self.warnings = None;
                self.carry(&rewritten).await?;
                let passing = Passing {
                    more,
                    renames: &rewritten.renames,
                    statement: &rewritten.sql,
                    target: target.as_deref(),
                    prepared: None,
                };
                if binary {
                    return self.run_binary(&rewritten.sql, passing).await;
                }
                self.pass_on(command::QUERY, rewritten.sql.as_bytes())
                    .await?;
                self.relay(passing).await
            }
            Route::Served { query } if binary => {
                let passing = Passing {
                    statement: &query,
                    ..Passing::default()
                };
                self.run_binary(&query, passing).await
            }
            Route::Served { query } => {
                let told = is_about_warnings(sql).then(|| self.warnings.clone());
                self.pass_on(command::QUERY, query.as_bytes()).await?;
                let passing = Passing {
                    more,
                    statement: &query,
                    ..Passing::default()
                };
                let answered = self.relay(passing).await?;
                if let Some(told) = told {
                    self.warnings = told;
                }
                Ok(answered)
            }
            // A job keeps the statement as it was typed.
            Route::Ddl => self.ddl(typed, more).await,
            Route::Accounts => self.accounts(sql, more).await,
            Route::Set => self.set(sql, more).await,
            Route::Nothing { warnings } => {
                self.succeed(warnings.len(), more).await?;
                self.warnings = Some(warnings);
                Ok(Answered::Done)
            }
        }
    }

    /// Gives TiDB's values to the user variables that stand for them.
    pub(super) async fn carry(&mut self, rewritten: &Rewritten) -> Result<(), FrontError> {
        if rewritten.carriers.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = rewritten
            .carriers
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        self.backend
            .execute(&format!("SET {}", list.join(", ")))
            .await?;
        Ok(())
    }

    /// Decides about a statement of the text protocol.
    pub(super) async fn route(&mut self, sql: &str) -> Routed {
        let text = match Text::new(sql) {
            Ok(text) => text,
            Err(broken) => return Ok(Err(unclosed(sql, &broken))),
        };
        let other_words = match self.in_other_words(&text) {
            Ok(sql) => sql,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let text = match other_words.as_deref().map(Text::new) {
            None => text,
            Some(Ok(text)) => text,
            Some(Err(broken)) => return Ok(Err(unclosed(sql, &broken))),
        };
        if let Some(refusal) = control::refused(&text, self.shared.version) {
            return Ok(Err(refusal));
        }
        let class = match policy::classify(&text) {
            Ok(class) => class,
            Err(refusal) => return Ok(Err(refusal)),
        };
        match class {
            Class::Plain if text.is(0, "EXECUTE") => self.execute_text(&text).await,
            Class::Query | Class::Dml | Class::Plain => self.forwarded(&text).await,
            Class::Ddl => Ok(Ok(Route::Ddl)),
            Class::Accounts => Ok(Ok(Route::Accounts)),
            Class::Set => Ok(Ok(Route::Set)),
            Class::Show | Class::Explain => {
                self.rights = self.rights().await?;
                match class {
                    Class::Show => self.show(&text).await,
                    _ => self.explain(&text).await,
                }
            }
            Class::Prepare => self.prepare_text(&text).await,
            Class::Kill => Ok(self.kill(&text)),
            Class::Admin if !self.rights().await?.may_everywhere("SUPER") => {
                Ok(Err(rights::lacks("SUPER")))
            }
            Class::Admin => self.admin(&text).await,
            Class::Split => self.split(&text).await,
            Class::Analyze => Ok(self.analyze(&text)),
            Class::Flush => Ok(match text.has(&["WITH", "READ", "LOCK"]) {
                true => Err(errors::no_read_lock()),
                false => Ok(Route::Nothing { warnings: vec![] }),
            }),
            Class::LockTables => Ok(self.lock_tables(&text)),
            Class::UnlockTables => Ok(Ok(Route::Nothing {
                warnings: self.no_table_locks("UNLOCK"),
            })),
        }
    }

    /// Decides about a statement of the binary protocol.
    pub(super) async fn route_prepared(&mut self, sql: &str) -> Routed {
        let statements = match scan::statements(sql, self.reading()) {
            Ok(statements) => statements,
            Err(broken) => return Ok(Err(unclosed(sql, &broken))),
        };
        match statements.as_slice() {
            [] => Ok(Err(ErrPacket::new(1065, "42000", "Query was empty"))),
            [one] => match self.plain(one) {
                Ok(plain) => self.route(&plain).await,
                Err(broken) => Ok(Err(unclosed(one, &broken))),
            },
            _ => {
                let message = "Can not prepare multiple statements";
                Ok(Err(ErrPacket::new(8115, "HY000", message)))
            }
        }
    }

    /// MariaDB runs it, with TiDB's values in the places that are TiDB's.
    pub(super) async fn forwarded(&mut self, text: &Text<'_>) -> Routed {
        let writes = matches!(policy::classify(text), Ok(Class::Dml));
        if let Some(refusal) = self.optimistic(text, writes) {
            return Ok(Err(refusal));
        }
        if text.is(0, "LOAD") && self.capabilities & LOCAL_FILES == 0 {
            let message = "The used command is not allowed with this MySQL version";
            return Ok(Err(ErrPacket::new(1148, "42000", message)));
        }
        if let Some(plain) = control::transaction(text) {
            return Ok(Ok(Route::as_is(plain.to_owned())));
        }
        let target = policy::target(text).filter(|_| writes);
        if let Some((database, table)) = &target {
            let database = database.as_deref().or(self.database.as_deref());
            if database.is_some_and(served::is_system) {
                let what = format!("writing to tables of {}", database.unwrap_or_default());
                return Ok(Err(errors::unsupported(&what)));
            }
            tracing::trace!(table, "a write");
        }
        if writes && let Some(refusal) = self.writes_object(text) {
            return Ok(Err(refusal));
        }
        if writes && !self.switched_on("tidb_opt_write_row_id") && policy::writes_row_id(text) {
            let message = "insert, update and replace statements for _tidb_rowid are not supported";
            return Ok(Err(ErrPacket::new(1105, "HY000", message)));
        }
        if functions::has_invalid_json(text, self.shared.version) {
            return Ok(Err(errors::invalid_json()));
        }
        self.introduce_zones(text).await?;
        self.makes_ids = target.as_ref().and_then(|(database, table)| {
            let database = database.as_deref().or(self.database.as_deref())?;
            let catalog = self.shared.apply.catalog();
            let table = catalog.table(database, table)?;
            (table.auto_random_bits > 0).then(|| Arc::clone(table))
        });
        let makes_ids = self.makes_ids.is_some();
        let may_give = if self.switched_on("allow_auto_random_explicit_insert") {
            "1"
        } else {
            "NULL"
        };
        Ok(self.rewrite(text).await?.map(|mut rewritten| {
            if makes_ids {
                let variables = [
                    (FIRST_MADE, "NULL"),
                    (LARGEST_GIVEN, "NULL"),
                    (MAY_GIVE, may_give),
                ];
                let set = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
                rewritten.carriers.extend(set);
            }
            Route::Forward {
                rewritten,
                target: target.map(|(_, table)| table),
            }
        }))
    }

    /// `DESC t` and `DESC t column`; plans would be MariaDB's.
    async fn explain(&mut self, text: &Text<'_>) -> Routed {
        const OF_STATEMENTS: [&str; 10] = [
            "SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", "WITH", "FORMAT", "ANALYZE", "FOR",
            "TABLE",
        ];
        let statement = OF_STATEMENTS.iter().any(|w| text.is(1, w)) || text.is_sign(1, '(');
        if statement {
            return Ok(Err(errors::unsupported(
                "EXPLAIN of a statement: its plan would be MariaDB's",
            )));
        }
        let Some((database, table, n)) = text.full_name(1) else {
            return Ok(Err(errors::syntax_at_token(text, 1)));
        };
        let database = database.or_else(|| self.database.clone());
        if let Some(column) = text.name(n) {
            let condition = format!("x LIKE {}", super::text::literal(&column));
            let like = match Text::new(&condition) {
                Ok(like) => like,
                Err(_) => return Ok(Err(errors::syntax_at_token(text, n))),
            };
            return self.columns_of(&like, database, &table, false, 1).await;
        }
        self.columns_of(text, database, &table, false, n).await
    }

    /// The value of an expression, NULL as none.
    pub(super) async fn evaluate(
        &mut self,
        expression: &str,
    ) -> Result<Result<Option<String>, ErrPacket>, FrontError> {
        let query = format!("SELECT ({expression})");
        let text = match Text::new(&query) {
            Ok(text) => text,
            Err(broken) => return Ok(Err(unclosed(&query, &broken))),
        };
        let rewritten = match self.rewrite(&text).await? {
            Ok(rewritten) => rewritten,
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.carry(&rewritten).await?;
        match self.backend.rows(&rewritten.sql).await {
            Ok(rows) => Ok(Ok(rows
                .single()
                .map(|v| String::from_utf8_lossy(v).into_owned()))),
            Err(WireError::Server { error, .. }) => Ok(Err(error)),
            Err(other) => Err(other.into()),
        }
    }
}

fn is_ddl(sql: &str) -> bool {
    Text::new(sql).is_ok_and(|text| matches!(policy::classify(&text), Ok(Class::Ddl)))
}

/// `SHOW WARNINGS` and `SHOW ERRORS` leave what they tell as it is.
fn is_about_warnings(sql: &str) -> bool {
    Text::new(sql)
        .is_ok_and(|text| text.is(0, "SHOW") && (text.is(1, "WARNINGS") || text.is(1, "ERRORS")))
}

/// What is answered to a text that cannot be read.
pub(super) fn unclosed(sql: &str, broken: &Broken) -> ErrPacket {
    errors::syntax_at(sql, broken.at)
}
