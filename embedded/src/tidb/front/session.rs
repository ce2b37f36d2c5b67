//! One client's connection.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::charsets::Charsets;
use super::json::Shape;
use super::prepared::Prepared;
use super::relay::{Answered, Passing};
use super::rights::Rights;
use super::temporary::Name;
use super::variables::Values;
use super::{FrontError, Shared, errors};
use crate::client::Ts;
use crate::tidb::catalog::{TableInfo, Warning};
use crate::tidb::wire::capability::{DEPRECATE_EOF, MULTI_STATEMENTS, STATUS_MORE_RESULTS};
use crate::tidb::wire::handshake::Login;
use crate::tidb::wire::packet::{EOF, ERR, OK};
use crate::tidb::wire::{
    Agreed, Backend, Channel, EofPacket, ErrPacket, OkPacket, Transport, WireError, command,
};

/// A client, its connection to MariaDB, and what the front knows of the session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) client: Channel<Transport>,
    pub(super) backend: Backend,
    pub(super) shared: Arc<Shared>,
    pub(super) capabilities: u32,
    /// What was agreed on with the client; none in the clear.
    pub(super) tls: Option<Agreed>,
    pub(super) database: Option<String>,
    /// The account that it is logged in as.
    pub(super) user: String,
    /// Its privileges, as they were when the statement under way asked for them.
    pub(super) rights: Rights,
    /// Status bits as last told by MariaDB.
    pub(super) status: u16,
    pub(super) in_transaction: bool,
    /// `@@tidb_current_ts` of the open transaction, once asked for.
    pub(super) transaction_ts: Option<Ts>,
    /// Variables of TiDB that MariaDB does not have.
    pub(super) variables: Values,
    /// Character sets of which MariaDB has others.
    pub(super) charsets: Charsets,
    /// Warnings of the last statement, if it was the front that ran it.
    pub(super) warnings: Option<Vec<Warning>>,
    /// The table of whose AUTO_RANDOM values the statement under way may make some.
    pub(super) makes_ids: Option<Arc<TableInfo>>,
    pub(super) prepared: HashMap<u32, Prepared>,
    /// Texts of the statements that PREPARE named.
    pub(super) texts: HashMap<String, String>,
    /// Columns of the cursors that prepared statements opened.
    pub(super) cursors: HashMap<u32, Shape>,
    pub(super) last_special: u32,
    /// Its temporary tables.
    pub(super) temporary: HashMap<Name, Arc<TableInfo>>,
    /// Whether `sql_mode` has ANSI_QUOTES.
    pub(super) ansi_quotes: bool,
    peer: SocketAddr,
}

impl Session {
    pub(super) fn new(
        client: Channel<Transport>,
        backend: Backend,
        (login, status): (Login, u16),
        peer: SocketAddr,
        shared: Arc<Shared>,
    ) -> Self {
        let variables = shared.globals().clone();
        Self {
            tls: client.tls(),
            client,
            backend,
            shared,
            capabilities: login.capabilities,
            database: login.database,
            user: login.user,
            rights: Rights::Given(vec![]),
            status,
            in_transaction: false,
            transaction_ts: None,
            variables,
            charsets: Charsets::default(),
            warnings: None,
            makes_ids: None,
            prepared: HashMap::new(),
            texts: HashMap::new(),
            cursors: HashMap::new(),
            last_special: 0,
            temporary: HashMap::new(),
            ansi_quotes: false,
            peer,
        }
    }

    /// Serves commands until the client leaves or, between two commands, `stop` is cancelled.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), FrontError> {
        loop {
            self.client.restart();
            let payload = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                payload = self.client.read() => payload?,
            };
            let Some((command, body)) = payload.split_first() else {
                let error = ErrPacket::new(1047, "08S01", "Unknown command");
                self.client.write(&error.encode()).await?;
                self.client.flush().await?;
                continue;
            };
            if *command == command::QUIT {
                return Ok(());
            }
            match self.command(*command, body).await {
                // PD and TiKV are asked, and MariaDB's errors are read to their end, before a client is answered: it
                // hears of them and goes on.
                Err(FrontError::Pd(error)) => self.fail(&errors::pd(&error)).await?,
                Err(FrontError::Client(error)) => self.fail(&errors::client(&error)).await?,
                Err(FrontError::Wire(WireError::Server { error, .. })) => self.fail(&error).await?,
                done => done?,
            }
            self.client.flush().await?;
        }
    }

    async fn command(&mut self, command: u8, body: &[u8]) -> Result<(), FrontError> {
        self.makes_ids = None;
        match command {
            command::QUERY => self.query(body).await,
            command::INIT_DB => {
                let Some(name) = self.readable(body).map(Cow::into_owned) else {
                    return self.fail(&errors::unreadable()).await;
                };
                self.pass_on(command, body).await?;
                if self.relay(Passing::default()).await? == Answered::Done {
                    self.database = Some(name);
                }
                Ok(())
            }
            command::PING => {
                self.pass_on(command, body).await?;
                self.relay(Passing::default()).await.map(|_| ())
            }
            command::STATISTICS => {
                self.pass_on(command, body).await?;
                let text = self.backend.channel.read().await?;
                Ok(self.client.write(&text).await?)
            }
            command::FIELD_LIST => self.field_list(body).await,
            command::SET_OPTION => self.set_option(body).await,
            command::CHANGE_USER => self.change_user(body).await,
            command::RESET_CONNECTION => {
                self.pass_on(command, body).await?;
                self.reset();
                self.relay(Passing::default()).await.map(|_| ())
            }
            command::STMT_PREPARE => self.prepare(body).await,
            command::STMT_EXECUTE => self.execute(body).await,
            command::STMT_FETCH => self.fetch(body).await,
            command::STMT_SEND_LONG_DATA => self.pass_on(command, body).await,
            command::STMT_CLOSE => self.close_statement(body).await,
            command::STMT_RESET => self.reset_statement(body).await,
            other => {
                let message = format!("command {other} is not supported by the embedded TiDB");
                self.fail(&ErrPacket::new(1047, "08S01", message)).await
            }
        }
    }

    /// Where the client is.
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends a command to MariaDB as it came.
    pub(super) async fn pass_on(&mut self, command: u8, body: &[u8]) -> Result<(), FrontError> {
        Ok(self.backend.send(command, body).await?)
    }

    /// Answers with an error.
    pub(super) async fn fail(&mut self, error: &ErrPacket) -> Result<(), FrontError> {
        Ok(self.client.write(&error.encode()).await?)
    }

    /// Answers with an OK of the front's own making.
    pub(super) async fn succeed(&mut self, warnings: usize, more: bool) -> Result<(), FrontError> {
        let mut ok = OkPacket {
            status: self.status,
            warnings: u16::try_from(warnings).unwrap_or(u16::MAX),
            ..OkPacket::default()
        };
        if more {
            ok.status |= STATUS_MORE_RESULTS;
        }
        Ok(self.client.write(&ok.encode_plain(OK)).await?)
    }

    /// Forgets what a session forgets when it begins anew.
    pub(super) fn reset(&mut self) {
        self.prepared.clear();
        self.texts.clear();
        self.ansi_quotes = false;
        self.temporary.clear();
        self.cursors.clear();
        self.charsets = Charsets::default();
        self.variables = self.shared.globals().clone();
        self.warnings = None;
        self.transaction_ts = None;
    }

    /// Columns of a table, without the invisible one.
    async fn field_list(&mut self, body: &[u8]) -> Result<(), FrontError> {
        self.pass_on(command::FIELD_LIST, body).await?;
        loop {
            let payload = self.backend.channel.read().await?;
            let ends = match payload.first() {
                Some(&ERR) => true,
                Some(&EOF) => payload.len() < 0xff_ffff,
                _ => false,
            };
            if ends
                && payload.first() == Some(&EOF)
                && self.backend.capabilities() & DEPRECATE_EOF != 0
            {
                let ok = OkPacket::parse(&payload, self.backend.capabilities())?;
                return Ok(self.client.write(&ok.encode_plain(EOF)).await?);
            }
            if ends {
                return Ok(self.client.write(&payload).await?);
            }
            let column = self.backend.column(&payload)?;
            if column.name != crate::tidb::apply::table::ROW_ID.as_bytes() {
                let column = column.encode();
                self.client.write(&column).await?;
            }
        }
    }

    /// Multi-statements are cut apart here, so MariaDB need not know.
    async fn set_option(&mut self, body: &[u8]) -> Result<(), FrontError> {
        match body {
            [0, 0] => self.capabilities |= MULTI_STATEMENTS,
            [1, 0] => self.capabilities &= !MULTI_STATEMENTS,
            _ => {
                let error = ErrPacket::new(1047, "08S01", "Unknown option");
                return self.fail(&error).await;
            }
        }
        let eof = if self.capabilities & DEPRECATE_EOF != 0 {
            let ok = OkPacket {
                status: self.status,
                ..OkPacket::default()
            };
            ok.encode_plain(EOF)
        } else {
            EofPacket {
                warnings: 0,
                status: self.status,
            }
            .encode()
        };
        Ok(self.client.write(&eof).await?)
    }
}
