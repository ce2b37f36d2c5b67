//! Answers of MariaDB on their way to the client.

use bytes::Bytes;

use super::FrontError;
use super::json::Shape;
use super::session::Session;
use crate::tidb::apply::Gtid;
use crate::tidb::catalog::TableInfo;
use crate::tidb::catalog::auto_ids::{FIRST_MADE, LARGEST_GIVEN};
use crate::tidb::catalog::model::flag;
use crate::tidb::wire::capability::{
    DEPRECATE_EOF, STATUS_CURSOR_EXISTS, STATUS_IN_TRANSACTION, STATUS_MORE_RESULTS,
};
use crate::tidb::wire::packet::{EOF, ERR, LOCAL_INFILE, OK};
use crate::tidb::wire::{
    ColumnDefinition, EofPacket, ErrPacket, OkPacket, Reader, WireError, command,
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
    /// A prepared statement that is run: rows come in the binary protocol, and a cursor may be opened under this id.
    pub(super) prepared: Option<u32>,
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
        self.relay_from(first, passing).await
    }

    /// Passes on an answer whose first packet was read.
    pub(super) async fn relay_from(
        &mut self,
        mut first: Bytes,
        passing: Passing<'_>,
    ) -> Result<Answered, FrontError> {
        if first.first() == Some(&LOCAL_INFILE) {
            self.pass_file(&first).await?;
            first = self.backend.channel.read().await?;
        }
        match first.first() {
            Some(&OK) => {
                let ok = OkPacket::parse(&first, self.backend.capabilities())?;
                self.pass_ok(ok, OK, passing.more).await?;
                return Ok(Answered::Done);
            }
            Some(&ERR) => return self.pass_error(&first, passing).await,
            Some(&LOCAL_INFILE) | None => {
                let why = "neither OK, error nor rows";
                return Err(WireError::malformed("MariaDB's answer", why).into());
            }
            Some(_) => {}
        }
        let columns = Reader::new(&first, "a column count").lenenc()?;
        self.client.write(&first).await?;
        let mut shape = Shape::new(self.shared.version, passing.prepared.is_some());
        for _ in 0..columns {
            let payload = self.backend.channel.read().await?;
            let column = self.backend.column(&payload)?;
            shape.add(&column);
            let column = told(self.flagged(column), passing.renames);
            self.client.write(&column).await?;
        }
        if self.backend.capabilities() & DEPRECATE_EOF == 0 {
            let eof = self.backend.channel.read().await?;
            self.client.write(&eof).await?;
            if EofPacket::parse(&eof)?.status & STATUS_CURSOR_EXISTS != 0 {
                self.note_cursor(passing, shape);
                return Ok(Answered::Done);
            }
        }
        let answered = self.relay_rows(passing, &shape).await?;
        if self.status & STATUS_CURSOR_EXISTS != 0 {
            self.note_cursor(passing, shape);
        }
        Ok(answered)
    }

    /// A column as TiDB flags it: MariaDB knows nothing of ZEROFILL.
    pub(super) fn flagged<'a>(&self, column: ColumnDefinition<'a>) -> ColumnDefinition<'a> {
        let Some([database, table, name]) = column.source() else {
            return column;
        };
        let info = self.table_info(database, table);
        let found = info.as_ref().and_then(|info| info.column(name));
        match found {
            Some(found) if found.field_type.has(flag::ZEROFILL) => column.zerofill(),
            _ => column,
        }
    }

    /// Asks the client for a file on MariaDB's behalf and passes on what it sends, up to an empty packet. Where a row
    /// cannot be read MariaDB reads on to the end, and answers with the error then.
    async fn pass_file(&mut self, request: &[u8]) -> Result<(), FrontError> {
        self.client.write(request).await?;
        self.client.flush().await?;
        loop {
            let part = self.client.read().await?;
            self.backend.channel.write(&part).await?;
            if part.is_empty() {
                return Ok(self.backend.channel.flush().await?);
            }
        }
    }

    /// Rows of a cursor are fetched later.
    fn note_cursor(&mut self, passing: Passing<'_>, shape: Shape) {
        if let Some(id) = passing.prepared {
            self.cursors.insert(id, shape);
        }
    }

    /// Passes on the rows that a client fetches from the cursor of a prepared statement.
    pub(super) async fn fetch(&mut self, body: &[u8]) -> Result<(), FrontError> {
        let id = Reader::new(body, "a fetch").u32()?;
        let shape = self
            .cursors
            .get(&id)
            .cloned()
            .unwrap_or_else(|| Shape::new(self.shared.version, true));
        self.pass_on(command::STMT_FETCH, body).await?;
        self.relay_rows(Passing::default(), &shape)
            .await
            .map(|_| ())
    }

    /// Passes on rows up to their end.
    async fn relay_rows(
        &mut self,
        passing: Passing<'_>,
        shape: &Shape,
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
                _ => self.client.write(&shape.shown(&payload)?).await?,
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
        if let Some(table) = self.makes_ids.take()
            && let Some(id) = self.made_ids(&table).await?
        {
            ok.last_insert_id = id;
        }
        self.note_warnings(ok.warnings);
        if more {
            ok.status |= STATUS_MORE_RESULTS;
        }
        self.client.write(&ok.encode_plain(header)).await?;
        Ok(())
    }

    /// The first AUTO_RANDOM value that an INSERT made, or the one that the client gave, from which the counter goes on then.
    async fn made_ids(&mut self, table: &TableInfo) -> Result<Option<u64>, FrontError> {
        let query = format!("SELECT {FIRST_MADE}, {LARGEST_GIVEN}");
        let rows = self.backend.rows(&query).await?;
        let value = |n: usize| -> Option<u64> {
            let text = rows.rows.first()?.get(n)?.as_ref()?;
            String::from_utf8_lossy(text).parse().ok()
        };
        let (made, given) = (value(0), value(1));
        if let Some(made) = made {
            // What LAST_INSERT_ID() tells from now on.
            self.backend
                .execute(&format!("DO LAST_INSERT_ID({made})"))
                .await?;
        }
        if let Some(given) = given {
            let ok = self.backend.execute(&table.pass_auto_random(given)).await?;
            self.hold(&ok).await?;
        }
        Ok(made.or(given))
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

    pub(super) async fn pass_error(
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
            &self.shared.apply.catalog(),
        );
        self.refuse(&error).await
    }
}

/// A column definition for the client, with the names that stand for others replaced.
pub(super) fn told(column: ColumnDefinition<'_>, renames: &[(String, String)]) -> Vec<u8> {
    if renames.is_empty() {
        return column.encode();
    }
    let mut name = String::from_utf8_lossy(column.name).into_owned();
    for (found, shown) in renames {
        name = name.replace(found, shown);
    }
    column.named(name.as_bytes()).encode()
}
