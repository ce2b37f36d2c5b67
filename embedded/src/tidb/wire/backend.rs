//! A connection to MariaDB over its socket.

use std::path::Path;

use bytes::Bytes;
use tokio::net::UnixStream;

use super::capability::{
    BACKEND, BACKEND_EXTENDED, DEPRECATE_EOF, EXTENDED_METADATA, PASSED_ON, STATUS_MORE_RESULTS,
};
use super::handshake::{Greeting, Login, NATIVE_PASSWORD};
use super::packet::{EOF, ERR, LOCAL_INFILE, OK};
use super::{
    Channel, ColumnDefinition, EofPacket, ErrPacket, OkPacket, Reader, WireError, command,
};

const PEER: &str = "MariaDB";
/// MariaDB's own user; no password, for the socket is in a private folder.
const USER: &str = "root";
/// Largest payload taken from MariaDB: a row may hold several columns of `max_allowed_packet`.
const LIMIT: usize = 1 << 30;
/// A payload of this length or more that begins as an OK packet is a row.
const ROW_MIN_LEN: usize = 0xff_ffff;
/// `utf8mb4_bin`.
const UTF8MB4_BIN: u8 = 46;

/// A connection to MariaDB.
#[derive(Debug)]
pub struct Backend {
    /// Its packets.
    pub channel: Channel<UnixStream>,
    greeting: Greeting,
    capabilities: u32,
    extended: u32,
}

/// The rows of a result set in text form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Values by row, NULL as none.
    pub rows: Vec<Vec<Option<Bytes>>>,
}

impl Rows {
    /// The one value of a result of one row and column.
    pub fn single(&self) -> Option<&Bytes> {
        self.rows.first()?.first()?.as_ref()
    }
}

/// What a statement answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// No rows.
    Ok(OkPacket),
    /// Rows.
    Rows(Rows),
}

impl Backend {
    /// Connects as far as MariaDB's greeting.
    pub async fn open(socket: &Path) -> Result<Self, WireError> {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(|source| WireError::Io { peer: PEER, source })?;
        let mut channel = Channel::new(stream, PEER, LIMIT);
        let payload = channel.read().await?;
        if payload.first() == Some(&ERR) {
            return Err(server("connect", &payload));
        }
        Ok(Self {
            channel,
            greeting: Greeting::parse(&payload)?,
            capabilities: BACKEND,
            extended: 0,
        })
    }

    /// The connection's id at MariaDB.
    pub fn connection_id(&self) -> u32 {
        self.greeting.connection_id
    }

    /// What proofs of passwords are made with.
    pub fn salt(&self) -> [u8; 20] {
        self.greeting.salt
    }

    /// The capabilities agreed on.
    pub fn capabilities(&self) -> u32 {
        self.capabilities
    }

    /// Reads a column definition of MariaDB's.
    pub fn column<'a>(&self, payload: &'a [u8]) -> Result<ColumnDefinition<'a>, WireError> {
        ColumnDefinition::parse(payload, self.extended & EXTENDED_METADATA != 0)
    }

    /// Logs in for a client with these capabilities, as this user with this proof of its password.
    pub async fn log_in(
        &mut self,
        client_capabilities: u32,
        collation: u8,
        database: Option<&str>,
        (user, proof): (&str, &[u8]),
    ) -> Result<OkPacket, WireError> {
        let wanted = BACKEND | (client_capabilities & PASSED_ON);
        self.capabilities = wanted & self.greeting.capabilities;
        self.extended = BACKEND_EXTENDED & self.greeting.extended;
        let login = Login {
            capabilities: self.capabilities,
            extended: self.extended,
            collation,
            user: user.to_owned(),
            auth: proof.to_vec(),
            database: database.map(str::to_owned),
            plugin: Some(NATIVE_PASSWORD.to_owned()),
        };
        self.channel.write(&login.encode()).await?;
        self.channel.flush().await?;
        let payload = self.channel.read().await?;
        match payload.first() {
            Some(&OK) => OkPacket::parse(&payload, self.capabilities),
            Some(&ERR) => Err(server("log in", &payload)),
            _ => Err(WireError::malformed(
                "MariaDB's answer to a login",
                "it asks for another proof of the password",
            )),
        }
    }

    /// A connection for the server's own use.
    pub async fn connect(socket: &Path) -> Result<Self, WireError> {
        let mut backend = Self::open(socket).await?;
        backend.log_in(0, UTF8MB4_BIN, None, (USER, &[])).await?;
        Ok(backend)
    }

    /// Runs statements on a connection of their own, out of the binlog: its reader has no business with them.
    pub async fn run_unlogged(socket: &Path, statements: &[String]) -> Result<(), WireError> {
        if statements.is_empty() {
            return Ok(());
        }
        let mut backend = Self::connect(socket).await?;
        backend.execute("SET SESSION sql_log_bin = 0").await?;
        for statement in statements {
            backend.execute(statement).await?;
        }
        Ok(())
    }

    /// Sends a command.
    pub async fn send(&mut self, command: u8, body: &[u8]) -> Result<(), WireError> {
        self.channel.restart();
        let mut payload = Vec::with_capacity(body.len() + 1);
        payload.push(command);
        payload.extend_from_slice(body);
        self.channel.write(&payload).await?;
        self.channel.flush().await
    }

    /// Runs one statement and gathers its answer.
    pub async fn query(&mut self, sql: &str) -> Result<Answer, WireError> {
        self.send(command::QUERY, sql.as_bytes()).await?;
        let what = || shorten(sql);
        let first = self.channel.read().await?;
        match first.first() {
            Some(&OK) => return Ok(Answer::Ok(OkPacket::parse(&first, self.capabilities)?)),
            Some(&ERR) => return Err(server(&what(), &first)),
            Some(&LOCAL_INFILE) | None => {
                return Err(WireError::malformed(
                    "MariaDB's answer",
                    "neither OK, error nor rows",
                ));
            }
            _ => {}
        }
        let columns = Reader::new(&first, "a column count").lenenc()?;
        for _ in 0..columns {
            self.channel.read().await?;
        }
        if self.capabilities & DEPRECATE_EOF == 0 {
            self.channel.read().await?;
        }
        let mut rows = Rows::default();
        loop {
            let payload = self.channel.read().await?;
            if payload.first() == Some(&ERR) {
                return Err(server(&what(), &payload));
            }
            if let Some(status) = self.end_of_rows(&payload)? {
                if status & STATUS_MORE_RESULTS != 0 {
                    return Err(WireError::malformed(
                        "MariaDB's answer",
                        "more than one result to one statement",
                    ));
                }
                return Ok(Answer::Rows(rows));
            }
            let mut r = Reader::new(&payload, "a row");
            let mut row = Vec::new();
            for _ in 0..columns {
                row.push(r.nullable_bytes()?.map(Bytes::copy_from_slice));
            }
            rows.rows.push(row);
        }
    }

    /// The status bits if a payload ends the rows of a result set.
    pub fn end_of_rows(&self, payload: &[u8]) -> Result<Option<u16>, WireError> {
        if self.capabilities & DEPRECATE_EOF == 0 {
            return match EofPacket::is(payload) {
                true => Ok(Some(EofPacket::parse(payload)?.status)),
                false => Ok(None),
            };
        }
        if payload.first() == Some(&EOF) && payload.len() < ROW_MIN_LEN {
            return Ok(Some(OkPacket::parse(payload, self.capabilities)?.status));
        }
        Ok(None)
    }

    /// Runs a statement that answers without rows.
    pub async fn execute(&mut self, sql: &str) -> Result<OkPacket, WireError> {
        match self.query(sql).await? {
            Answer::Ok(ok) => Ok(ok),
            Answer::Rows(_) => Err(WireError::malformed(
                "MariaDB's answer",
                "rows, expected none",
            )),
        }
    }

    /// Runs a statement that answers with rows.
    pub async fn rows(&mut self, sql: &str) -> Result<Rows, WireError> {
        match self.query(sql).await? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Ok(_) => Err(WireError::malformed(
                "MariaDB's answer",
                "no rows, expected some",
            )),
        }
    }

    /// The text of a statement's only value; empty for NULL.
    pub async fn value(&mut self, sql: &str) -> Result<String, WireError> {
        let rows = self.rows(sql).await?;
        Ok(rows
            .single()
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .unwrap_or_default())
    }
}

/// The error that MariaDB answered with.
pub fn server(what: &str, payload: &[u8]) -> WireError {
    match ErrPacket::parse(payload) {
        Ok(error) => WireError::Server {
            what: what.to_owned(),
            error,
        },
        Err(malformed) => malformed,
    }
}

/// The beginning of a statement, for messages.
pub fn shorten(sql: &str) -> String {
    const SHOWN: usize = 120;
    let mut out: String = sql.chars().take(SHOWN).collect();
    if out.len() < sql.len() {
        out.push('…');
    }
    out
}
