//! Answers of MariaDB on their way to the client.

use std::borrow::Cow;

use bytes::Bytes;

use super::FrontError;
use super::session::Session;
use crate::tidb::apply::Gtid;
use crate::tidb::wire::capability::{
    DEPRECATE_EOF, STATUS_CURSOR_EXISTS, STATUS_IN_TRANSACTION, STATUS_MORE_RESULTS,
};
use crate::tidb::wire::packet::{EOF, ERR, LOCAL_INFILE, OK};
use crate::tidb::wire::{
    EofPacket, ErrPacket, OkPacket, Reader, WireError, put_lenenc, put_lenenc_bytes,
};

/// How an answer is passed on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Passing<'a> {
    /// Another result follows.
    pub(super) more: bool,
    /// Names that stand for others in column names: text to find, text to show.
    pub(super) renames: &'a [(String, String)],
    /// What TiDB says in place of MariaDB's error.
    pub(super) statement: &'a str,
    /// The table that the statement writes, for messages.
    pub(super) target: Option<&'a str>,
}

/// What an answer was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answered {
    /// Success.
    Done,
    /// An error; nothing after it is run.
    Failed,
}

impl Session {
    /// Passes on the answer to a statement. An OK waits until TiKV has what MariaDB committed.
    pub(super) async fn relay(&mut self, passing: Passing<'_>) -> Result<Answered, FrontError> {
        let first = self.backend.channel.read().await?;
        match first.first() {
            Some(&OK) => {
                let ok = OkPacket::parse(&first, self.backend.capabilities())?;
                self.pass_ok(ok, OK, passing.more).await?;
                return Ok(Answered::Done);
            }
            Some(&ERR) => return self.pass_error(&first, passing).await,
            Some(&LOCAL_INFILE) | None => {
                return Err(
                    WireError::malformed("MariaDB's answer", "it asks for a local file").into(),
                );
            }
            Some(_) => {}
        }
        let columns = Reader::new(&first, "a column count").lenenc()?;
        self.client.write(&first).await?;
        for _ in 0..columns {
            let column = self.backend.channel.read().await?;
            let column = rename(&column, passing.renames)?;
            self.client.write(&column).await?;
        }
        if self.backend.capabilities() & DEPRECATE_EOF == 0 {
            let eof = self.backend.channel.read().await?;
            self.client.write(&eof).await?;
            if EofPacket::parse(&eof)?.status & STATUS_CURSOR_EXISTS != 0 {
                return Ok(Answered::Done);
            }
        }
        self.relay_rows(passing).await
    }

    /// Passes on rows up to their end.
    pub(super) async fn relay_rows(
        &mut self,
        passing: Passing<'_>,
    ) -> Result<Answered, FrontError> {
        loop {
            let payload = self.backend.channel.read().await?;
            match payload.first() {
                Some(&ERR) => return self.pass_error(&payload, passing).await,
                Some(&EOF) if self.backend.end_of_rows(&payload)?.is_some() => {
                    if self.backend.capabilities() & DEPRECATE_EOF != 0 {
                        let ok = OkPacket::parse(&payload, self.backend.capabilities())?;
                        self.pass_ok(ok, EOF, passing.more).await?;
                    } else {
                        let mut eof = EofPacket::parse(&payload)?;
                        self.note_status(eof.status)?;
                        self.note_warnings(eof.warnings);
                        if passing.more {
                            eof.status |= STATUS_MORE_RESULTS;
                        }
                        self.client.write(&eof.encode()).await?;
                    }
                    return Ok(Answered::Done);
                }
                _ => self.client.write(&payload).await?,
            }
        }
    }

    /// Holds an OK back until its commit is in TiKV, then passes it on.
    pub(super) async fn pass_ok(
        &mut self,
        mut ok: OkPacket,
        header: u8,
        more: bool,
    ) -> Result<(), FrontError> {
        self.hold(&ok).await?;
        self.note_warnings(ok.warnings);
        if more {
            ok.status |= STATUS_MORE_RESULTS;
        }
        self.client.write(&ok.encode_plain(header)).await?;
        Ok(())
    }

    /// Waits until what an OK tells of is in TiKV.
    pub(super) async fn hold(&mut self, ok: &OkPacket) -> Result<(), FrontError> {
        self.note_status(ok.status)?;
        if let Some(database) = ok.tracked_schema()? {
            self.database = Some(database).filter(|d| !d.is_empty());
        }
        let Some(gtid) = ok.tracked_variable("last_gtid")? else {
            return Ok(());
        };
        let gtid: Gtid = String::from_utf8_lossy(&gtid)
            .parse()
            .map_err(|e| WireError::malformed("last_gtid in an OK packet", format!("{e}")))?;
        self.shared.apply.wait(gtid).await?;
        Ok(())
    }

    /// MariaDB keeps the warnings of statements before one without tables; TiDB does not.
    fn note_warnings(&mut self, warnings: u16) {
        if warnings == 0 {
            self.warnings = Some(Vec::new());
        }
    }

    fn note_status(&mut self, status: u16) -> Result<(), FrontError> {
        if status & STATUS_MORE_RESULTS != 0 {
            return Err(WireError::malformed(
                "MariaDB's answer",
                "more than one result to one statement",
            )
            .into());
        }
        self.in_transaction = status & STATUS_IN_TRANSACTION != 0;
        if !self.in_transaction {
            self.transaction_ts = None;
        }
        self.status = status;
        Ok(())
    }

    async fn pass_error(
        &mut self,
        payload: &[u8],
        passing: Passing<'_>,
    ) -> Result<Answered, FrontError> {
        let error = ErrPacket::parse(payload)?;
        let error = super::errors::as_tidb(
            error,
            passing.statement,
            passing.target,
            self.shared.version,
        );
        self.client.write(&error.encode()).await?;
        Ok(Answered::Failed)
    }
}

/// A column definition with the names that stand for others replaced.
fn rename<'a>(column: &'a Bytes, renames: &[(String, String)]) -> Result<Cow<'a, [u8]>, WireError> {
    if renames.is_empty() {
        return Ok(Cow::Borrowed(column));
    }
    let mut r = Reader::new(column, "a column definition");
    let mut out = Vec::with_capacity(column.len());
    for _ in 0..4 {
        // Catalog, database, table, original table.
        put_lenenc_bytes(&mut out, r.lenenc_bytes()?);
    }
    let mut name = String::from_utf8_lossy(r.lenenc_bytes()?).into_owned();
    for (found, shown) in renames {
        name = name.replace(found, shown);
    }
    put_lenenc(&mut out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(r.rest());
    Ok(Cow::Owned(out))
}
