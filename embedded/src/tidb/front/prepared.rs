//! Prepared statements of the binary protocol.

use std::borrow::Cow;

use super::relay::{Answered, Passing, told};
use super::rewrite::Rewritten;
use super::session::Session;
use super::statement::Route;
use super::{FrontError, errors, scan};
use crate::tidb::wire::capability::DEPRECATE_EOF;
use crate::tidb::wire::packet::{ERR, OK};
use crate::tidb::wire::{ErrPacket, OkPacket, Reader, command};

/// Ids of statements that the front runs itself begin here; MariaDB counts from 1.
const SPECIAL: u32 = 1 << 31;
/// Length of the packet that answers a prepare.
const STMT_ID_LEN: usize = 4;

/// A statement that a client prepared.
#[derive(Debug, Clone)]
pub(super) enum Prepared {
    /// MariaDB runs it; the texts to tell errors with.
    AtMariaDb {
        sql: String,
        target: Option<String>,
        rewritten: Rewritten,
    },
    /// The front runs this text anew each time.
    AtFront { sql: String },
}

impl Session {
    pub(super) async fn prepare(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let Some(sql) = self.readable(body) else {
            return self.fail(&errors::unreadable()).await;
        };
        let made_readable = matches!(sql, Cow::Owned(_));
        // What is run is the one statement of the text, without a semicolon behind it.
        let sql = match scan::statements(&sql, self.reading()) {
            Ok(mut statements) if statements.len() == 1 => statements.remove(0),
            _ => sql.into_owned(),
        };
        let route = match self.route_prepared(&sql).await? {
            Ok(route) => route,
            Err(refusal) => return self.fail(&refusal).await,
        };
        // A job keeps the statement as it was typed.
        if made_readable && matches!(route, Route::Ddl) {
            return self.fail(&errors::unreadable()).await;
        }
        let Route::Forward { rewritten, target } = route else {
            self.last_special += 1;
            let id = SPECIAL + self.last_special;
            self.prepared.insert(id, Prepared::AtFront { sql });
            return self.answer_prepare(id).await;
        };
        self.carry(&rewritten).await?;
        self.pass_on(command::STMT_PREPARE, rewritten.sql.as_bytes())
            .await?;
        let first = self.backend.channel.read().await?;
        if first.first() == Some(&ERR) {
            let error = ErrPacket::parse(&first)?;
            let error = errors::as_tidb(
                error,
                &sql,
                target.as_deref(),
                self.shared.version,
                &self.shared.apply.catalog(),
            );
            return self.fail(&error).await;
        }
        let mut r = Reader::new(&first, "the answer to a prepare");
        r.u8()?;
        let id = r.u32()?;
        let (columns, parameters) = (r.u16()?, r.u16()?);
        self.client.write(&first).await?;
        for count in [parameters, columns] {
            if count == 0 {
                continue;
            }
            for _ in 0..count {
                let payload = self.backend.channel.read().await?;
                let column = self.flagged(self.backend.column(&payload)?);
                let definition = told(column, &rewritten.renames);
                self.client.write(&definition).await?;
            }
            if self.backend.capabilities() & DEPRECATE_EOF == 0 {
                let eof = self.backend.channel.read().await?;
                self.client.write(&eof).await?;
            }
        }
        self.prepared.insert(
            id,
            Prepared::AtMariaDb {
                sql,
                target,
                rewritten,
            },
        );
        Ok(())
    }

    /// A statement without parameters, whose columns are told when it is run.
    async fn answer_prepare(&mut self, id: u32) -> Result<(), FrontError> {
        let mut answer = vec![OK];
        answer.extend_from_slice(&id.to_le_bytes());
        // No columns, no parameters, a filler, no warnings.
        answer.extend_from_slice(&[0; 7]);
        Ok(self.client.write(&answer).await?)
    }

    pub(super) async fn execute(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let id = Reader::new(body, "an execute").u32()?;
        match self.prepared.get(&id).cloned() {
            None => {
                let message = format!("Unknown prepared statement handler ({id}) given to EXECUTE");
                self.fail(&ErrPacket::new(1243, "HY000", message)).await
            }
            Some(Prepared::AtMariaDb {
                sql,
                target,
                rewritten,
            }) => {
                self.warnings = None;
                if !rewritten.carriers.is_empty() {
                    // TiDB's values are those of the moment of execution.
                    match self.route_prepared(&sql).await? {
                        Ok(Route::Forward { rewritten, .. }) => self.carry(&rewritten).await?,
                        Ok(_) => return self.execute_at_front(&sql).await,
                        Err(refusal) => return self.refuse(&refusal).await.map(|_| ()),
                    }
                }
                let charset = self.charsets.of_parameters();
                if let Some(charset) = charset {
                    self.read_as(charset).await?;
                }
                self.pass_on(command::STMT_EXECUTE, body).await?;
                let passing = Passing {
                    renames: &rewritten.renames,
                    statement: &sql,
                    target: target.as_deref(),
                    prepared: Some(id),
                    ..Passing::default()
                };
                let relayed = self.relay(passing).await;
                if charset.is_some() {
                    self.read_as("utf8mb4").await?;
                }
                relayed.map(|_| ())
            }
            Some(Prepared::AtFront { sql }) => self.execute_at_front(&sql).await,
        }
    }

    /// Lets MariaDB read what it is sent as of this character set.
    async fn read_as(&mut self, charset: &str) -> Result<(), FrontError> {
        let set = format!("SET SESSION character_set_client = {charset}");
        self.backend.execute(&set).await?;
        Ok(())
    }

    async fn execute_at_front(&mut self, sql: &str) -> Result<(), FrontError> {
        self.run_text(sql, false, true).await.map(|_| ())
    }

    /// Runs a query at MariaDB so that its rows come in the binary protocol.
    pub(super) async fn run_binary(
        &mut self,
        query: &str,
        passing: Passing<'_>,
    ) -> Result<Answered, FrontError> {
        self.pass_on(command::STMT_PREPARE, query.as_bytes())
            .await?;
        let first = self.backend.channel.read().await?;
        if first.first() == Some(&ERR) {
            return self.pass_error(&first, passing).await;
        }
        let mut r = Reader::new(&first, "the answer to a prepare");
        r.u8()?;
        let id = r.u32()?;
        let (columns, parameters) = (r.u16()?, r.u16()?);
        for count in [parameters, columns] {
            let eof = u16::from(count > 0 && self.backend.capabilities() & DEPRECATE_EOF == 0);
            for _ in 0..count + eof {
                self.backend.channel.read().await?;
            }
        }
        let mut execute = id.to_le_bytes().to_vec();
        // No cursor, one iteration.
        execute.extend_from_slice(&[0, 1, 0, 0, 0]);
        self.pass_on(command::STMT_EXECUTE, &execute).await?;
        let passing = Passing {
            prepared: Some(id),
            ..passing
        };
        let answered = self.relay(passing).await?;
        self.pass_on(command::STMT_CLOSE, &id.to_le_bytes()).await?;
        Ok(answered)
    }

    pub(super) async fn close_statement(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let id = Reader::new(body, "a close").u32()?;
        self.cursors.remove(&id);
        match self.prepared.remove(&id) {
            Some(Prepared::AtMariaDb { .. }) => self.pass_on(command::STMT_CLOSE, body).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn reset_statement(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let id = Reader::new(&body[..body.len().min(STMT_ID_LEN)], "a reset").u32()?;
        if id >= SPECIAL {
            let ok = OkPacket {
                status: self.status,
                ..OkPacket::default()
            };
            return Ok(self.client.write(&ok.encode_plain(OK)).await?);
        }
        self.pass_on(command::STMT_RESET, body).await?;
        self.relay(Passing::default()).await.map(|_| ())
    }
}
