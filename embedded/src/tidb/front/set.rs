//! `SET`.

use super::relay::{Answered, Passing};
use super::rewrite::{mariadb_name, variable_name};
use super::session::Session;
use super::set_tidb::{in_scope, insecure};
use super::text::{Kind, Text, literal};
use super::variables::{self, REQUIRE_TLS, ROW_FORMAT, Refusal, SNAPSHOT, Variable};
use super::{FrontError, accounts, charsets, errors, globals};
use crate::tidb::catalog::{DEFAULT_SQL_MODE, Warning, is_sql_mode};
use crate::tidb::mariadb::sql_mode;
use crate::tidb::wire::packet::OK;
use crate::tidb::wire::{ErrPacket, command};

/// Settings of TiDB's that are pinned here: what reaches TiKV depends on them.
const PINNED: [&str; 14] = [
    "binlog_format",
    "binlog_row_image",
    "character_set_database",
    "character_set_server",
    "collation_database",
    "collation_server",
    "default_storage_engine",
    "default_tmp_storage_engine",
    "gtid_mode",
    "log_bin",
    "max_allowed_packet",
    "server_id",
    "sql_log_bin",
    "storage_engine",
];

/// What a SET statement comes to.
#[derive(Debug, Default)]
struct Settings {
    /// Assignments for MariaDB.
    forwarded: Vec<String>,
    /// Assignments to variables of TiDB: whether globally, which, and the value.
    kept: Vec<(bool, &'static Variable, String)>,
    /// MariaDB's variables that are given global values.
    globals: Vec<String>,
    /// Whether the session's `sql_mode` has ANSI_QUOTES, where it is set.
    ansi_quotes: Option<bool>,
    /// What becomes of the connection's character sets.
    charsets: Vec<charsets::Change>,
    warnings: Vec<Warning>,
}

type Checked<T> = Result<Result<T, ErrPacket>, FrontError>;

/// Returns early with a refusal.
macro_rules! allowed {
    ($checked:expr) => {
        match $checked {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

impl Session {
    /// Runs a SET statement and answers.
    pub(super) async fn set(&mut self, sql: &str, more: bool) -> Result<Answered, FrontError> {
        let Ok(text) = Text::new(sql) else {
            return self.refuse(&errors::syntax_at(sql, 0)).await;
        };
        let settings = match self.settings(&text).await? {
            Ok(settings) => settings,
            Err(refusal) => return self.refuse(&refusal).await,
        };
        self.warnings = Some(Vec::new());
        let answered = if settings.forwarded.is_empty() {
            self.keep_globals(&settings).await?;
            self.succeed(settings.warnings.len(), more).await?;
            self.warnings = Some(settings.warnings);
            Answered::Done
        } else {
            let statement = format!("SET {}", settings.forwarded.join(", "));
            let text = match Text::new(&statement) {
                Ok(text) => text,
                Err(_) => return self.refuse(&errors::syntax_at(sql, 0)).await,
            };
            let rewritten = match self.rewrite(&text).await? {
                Ok(rewritten) => rewritten,
                Err(refusal) => return self.refuse(&refusal).await,
            };
            self.carry(&rewritten).await?;
            self.pass_on(command::QUERY, rewritten.sql.as_bytes())
                .await?;
            let passing = Passing {
                more,
                statement: sql,
                ..Passing::default()
            };
            let first = self.backend.channel.read().await?;
            if first.first() == Some(&OK) {
                self.keep_globals(&settings).await?;
            }
            self.relay_from(first, passing).await?
        };
        if answered == Answered::Done {
            self.ansi_quotes = settings.ansi_quotes.unwrap_or(self.ansi_quotes);
            for (global, variable, value) in settings.kept {
                self.keep(global, variable, value);
            }
            for change in &settings.charsets {
                self.charsets.change(change);
            }
        }
        Ok(answered)
    }

    /// Keeps global values for the next start, before the client hears of them.
    async fn keep_globals(&self, settings: &Settings) -> Result<(), FrontError> {
        let kept = settings.kept.iter().filter(|(global, ..)| *global);
        let tidb = kept.map(|(_, variable, value)| (variable.name, value.as_str()));
        Ok(globals::keep(&self.shared.socket, tidb, &settings.globals).await?)
    }

    fn keep(&mut self, global: bool, variable: &'static Variable, value: String) {
        if global {
            self.shared.globals().insert(variable.name, value);
        } else {
            self.variables.insert(variable.name, value);
        }
    }

    async fn settings(&mut self, text: &Text<'_>) -> Checked<Settings> {
        let mut out = Settings::default();
        let scope =
            usize::from(text.is(1, "GLOBAL") || text.is(1, "SESSION") || text.is(1, "LOCAL"));
        if text.is(1 + scope, "TRANSACTION") {
            allowed!(transaction(text, 2 + scope));
            if text.is(1, "GLOBAL") {
                out.globals
                    .extend(["tx_isolation", "tx_read_only"].map(str::to_owned));
            }
            out.forwarded.push(text.from(1).to_owned());
            return Ok(Ok(out));
        }
        if text.is(1, "STATEMENT") {
            return Ok(Err(errors::syntax_at_token(text, 1)));
        }
        for (word, what) in [
            ("ROLE", "users and privileges"),
            ("DEFAULT", "users and privileges"),
            ("RESOURCE", "resource groups"),
            ("CONFIG", "SET CONFIG"),
        ] {
            if text.is(1, word) {
                return Ok(Err(errors::unsupported(what)));
            }
        }
        for (from, to) in assignments(text) {
            allowed!(self.assignment(text, from, to, &mut out).await?);
        }
        Ok(Ok(out))
    }

    /// One assignment: the tokens from `from` up to but not including `to`.
    async fn assignment(
        &mut self,
        text: &Text<'_>,
        from: usize,
        to: usize,
        out: &mut Settings,
    ) -> Checked<()> {
        let Some(first) = text.tokens.get(from).filter(|_| from < to) else {
            return Ok(Err(errors::syntax_at_token(text, from)));
        };
        let whole = between(text, from, to);
        if first.kind == Kind::UserVariable {
            out.forwarded.push(whole.to_owned());
            return Ok(Ok(()));
        }
        if text.is(from, "NAMES") || text.is(from, "CHARSET") || text.is(from, "CHARACTER") {
            let (set, change) = allowed!(charsets::names(text, from, to, self.shared.version));
            out.forwarded.push(set);
            out.charsets.push(change);
            return Ok(Ok(()));
        }
        let mut n = from;
        let (scope, name) = if first.kind == Kind::SystemVariable {
            variable_name(text.of(first))
        } else {
            let scoped = ["GLOBAL", "SESSION", "LOCAL", "PERSIST"]
                .iter()
                .find(|w| text.is(n, w));
            n += usize::from(scoped.is_some());
            let Some(name) = text.name(n) else {
                return Ok(Err(errors::syntax_at_token(text, n)));
            };
            (
                scoped.map(|s| s.to_ascii_lowercase()),
                name.to_ascii_lowercase(),
            )
        };
        n += 1;
        if text.is_sign(n, ':') {
            n += 1;
        }
        if !text.is_sign(n, '=') || n + 1 >= to {
            return Ok(Err(errors::syntax_at_token(text, n)));
        }
        let value = Value {
            text,
            from: n + 1,
            to,
        };
        let global = scope.as_deref() == Some("global");
        let prefix = if global { "GLOBAL " } else { "SESSION " };
        if name == "sql_mode" {
            let mode = allowed!(self.sql_mode(value).await?);
            let ansi = variables::has_ansi_quotes(&mode);
            if global {
                out.globals.push(name);
            }
            match global {
                true if ansi => {
                    return Ok(Err(errors::unsupported(
                        "ANSI_QUOTES in the global sql_mode",
                    )));
                }
                true => {}
                false => out.ansi_quotes = Some(ansi),
            }
            out.forwarded.push(format!(
                "{prefix}sql_mode = {}",
                literal(&sql_mode::at_mariadb(&mode))
            ));
            return Ok(Ok(()));
        }
        let release = self.shared.version;
        if global && self.user != accounts::ROOT {
            return Ok(Err(accounts::no_global_variables()));
        }
        if let Some(variable) = variables::tidb(release, &name) {
            allowed!(in_scope(variable, global, release));
            let value = if text.is(value.from, "DEFAULT") {
                variable.default.to_owned()
            } else {
                allowed!(self.value(value).await?).unwrap_or_default()
            };
            if name == SNAPSHOT && !value.is_empty() {
                return Ok(Err(self.snapshot_refusal(&value).await?));
            }
            match variable.accept(&value) {
                Ok(value) => {
                    if name == ROW_FORMAT && !global && value != variable.default {
                        return Ok(Err(errors::unsupported("rows in version 1")));
                    }
                    if name == REQUIRE_TLS && value == "ON" && self.tls.is_none() {
                        return Ok(Err(insecure()));
                    }
                    out.warnings.extend(deprecated(variable, &value));
                    out.kept.push((global, variable, value));
                }
                Err(refusal) => return Ok(Err(refused(variable, &value, &refusal))),
            }
            return Ok(Ok(()));
        }
        if PINNED.contains(&name.as_str()) {
            return Ok(Err(errors::unsupported(&format!("setting {name}"))));
        }
        if !variables::is_shared(&name) {
            return Ok(Err(errors::unknown_variable(&name)));
        }
        if name.ends_with("_isolation") {
            let level = allowed!(self.value(value).await?).unwrap_or_default();
            allowed!(isolation(&level));
        }
        if name == "time_zone" {
            let zone = allowed!(self.value(value).await?).unwrap_or_default();
            self.introduce_zone(&zone).await?;
        }
        let is_collation = name == "collation_connection";
        if (is_collation || name.starts_with("character_set_")) && !global {
            let charset = if value.text.is(value.from, "NULL") {
                String::new()
            } else if value.text.is(value.from, "DEFAULT") {
                if is_collation {
                    "utf8mb4_bin"
                } else {
                    "utf8mb4"
                }
                .to_owned()
            } else {
                allowed!(self.value(value).await?).unwrap_or_default()
            };
            let release = self.shared.version;
            if let Some(assigned) = charsets::assignment(&name, &charset, release) {
                let (set, change) = allowed!(assigned);
                out.forwarded.push(set);
                out.charsets.push(change);
                return Ok(Ok(()));
            }
        }
        let name = mariadb_name(&name).unwrap_or(&name);
        if global {
            out.globals.push(name.to_owned());
        }
        let value = between(text, value.from, value.to);
        out.forwarded.push(format!("{prefix}{name} = {value}"));
        Ok(Ok(()))
    }

    /// The value of the right side: a bare word is its own text.
    async fn value(&mut self, value: Value<'_, '_>) -> Checked<Option<String>> {
        if value.to == value.from + 1
            && let Some(word) = value.text.name(value.from)
        {
            return Ok(Ok(Some(word)));
        }
        let expression = between(value.text, value.from, value.to).to_owned();
        self.evaluate(&expression).await
    }

    async fn sql_mode(&mut self, value: Value<'_, '_>) -> Checked<String> {
        if value.text.is(value.from, "DEFAULT") {
            return Ok(Ok(DEFAULT_SQL_MODE.to_owned()));
        }
        let mode = allowed!(self.value(value).await?).unwrap_or_default();
        if let Some(refused) = variables::refused_sql_mode(&mode) {
            if is_sql_mode(&refused) {
                return Ok(Err(errors::unsupported(&format!("sql_mode {refused}"))));
            }
            // TiDB passes on an error's text.
            let message = format!(
                "ERROR 1231 (42000): Variable 'sql_mode' can't be set to the value of '{refused}'"
            );
            return Ok(Err(ErrPacket::new(1105, "HY000", message)));
        }
        Ok(Ok(mode))
    }
}

/// The right side of an assignment.
#[derive(Clone, Copy)]
struct Value<'t, 's> {
    text: &'t Text<'s>,
    from: usize,
    to: usize,
}

/// Where assignments begin and end: between commas outside parentheses.
fn assignments(text: &Text<'_>) -> Vec<(usize, usize)> {
    let mut out = Vec::new();
    let (mut depth, mut from) = (0_i32, 1);
    for (n, token) in text.tokens.iter().enumerate().skip(1) {
        match token.kind {
            Kind::Sign('(') => depth += 1,
            Kind::Sign(')') => depth -= 1,
            Kind::Sign(',') if depth == 0 => {
                out.push((from, n));
                from = n + 1;
            }
            _ => {}
        }
    }
    out.push((from, text.tokens.len()));
    out
}

fn between<'t>(text: &'t Text<'_>, from: usize, to: usize) -> &'t str {
    match (text.tokens.get(from), text.tokens.get(to - 1)) {
        (Some(first), Some(last)) => &text.sql[first.range.start..last.range.end],
        _ => "",
    }
}

fn transaction(text: &Text<'_>, n: usize) -> Result<(), ErrPacket> {
    if text.has(&["AS", "OF"]) {
        return Err(errors::unsupported("reads of the past (AS OF TIMESTAMP)"));
    }
    match (0..text.tokens.len()).find(|i| *i >= n && text.is(*i, "LEVEL")) {
        Some(level) => isolation(&format!("{}-{}", text.get(level + 1), text.get(level + 2))),
        None => Ok(()),
    }
}

/// TiDB has two isolation levels.
fn isolation(level: &str) -> Result<(), ErrPacket> {
    let level = level.to_ascii_uppercase();
    if level == "READ-COMMITTED" || level == "REPEATABLE-READ" {
        return Ok(());
    }
    let level = level.trim_end_matches('-');
    let message = format!(
        "The isolation level '{level}' is not supported. Set tidb_skip_isolation_level_check=1 to skip this error"
    );
    Err(ErrPacket::new(8048, "HY000", message))
}

/// What TiDB says about a value that it takes.
fn deprecated(variable: &Variable, value: &str) -> Option<Warning> {
    let message = "'INT_ONLY' is deprecated and will be removed in a future release. Please use 'ON' or 'OFF' instead";
    let is_it = variable.name == "tidb_enable_clustered_index" && value == "INT_ONLY";
    is_it.then(|| Warning {
        level: "Warning",
        code: 1287,
        message: message.to_owned(),
    })
}

fn refused(variable: &Variable, value: &str, refusal: &Refusal) -> ErrPacket {
    let name = variable.name;
    match refusal {
        Refusal::Wrong => ErrPacket::new(
            1231,
            "42000",
            format!("Variable '{name}' can't be set to the value of '{value}'"),
        ),
        Refusal::ReadOnly => ErrPacket::new(
            1238,
            "HY000",
            format!("Variable '{name}' is a read only variable"),
        ),
        Refusal::Unsupported => errors::unsupported(&format!("{name} = {value}")),
    }
}
