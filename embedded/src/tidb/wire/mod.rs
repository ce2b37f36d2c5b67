//! MySQL's client/server protocol, as far as a proxy in front of MariaDB and a reader of its binlog need it.
//!
//! [`channel`] moves packets, [`packet`] reads and builds the few whose content matters here, [`mod@column`] the definitions
//! of columns, [`handshake`] holds both sides of the connection phase, [`transport`] is a client's stream with or without TLS,
//! [`backend`] is a connection to MariaDB. Nothing received is trusted: every length is
//! checked, and a malformed packet is an error, never a panic.

pub mod backend;
pub mod capability;
pub mod channel;
pub mod column;
pub mod handshake;
pub mod packet;
mod reader;
pub mod transport;

pub use backend::{Backend, Rows};
pub use channel::Channel;
pub use column::ColumnDefinition;
pub use packet::{EofPacket, ErrPacket, OkPacket};
pub use reader::{Reader, put_lenenc, put_lenenc_bytes};
pub use transport::{Agreed, Transport};

/// First byte of a command packet.
pub mod command {
    /// Closes the connection.
    pub const QUIT: u8 = 0x01;
    /// Changes the current database.
    pub const INIT_DB: u8 = 0x02;
    /// One SQL text, or several.
    pub const QUERY: u8 = 0x03;
    /// Columns of a table.
    pub const FIELD_LIST: u8 = 0x04;
    /// A line of statistics.
    pub const STATISTICS: u8 = 0x09;
    /// Is the server alive?
    pub const PING: u8 = 0x0e;
    /// Logs in anew on the same connection.
    pub const CHANGE_USER: u8 = 0x11;
    /// Streams the binlog.
    pub const BINLOG_DUMP: u8 = 0x12;
    /// Prepares a statement.
    pub const STMT_PREPARE: u8 = 0x16;
    /// Runs a prepared statement.
    pub const STMT_EXECUTE: u8 = 0x17;
    /// Sends a part of a parameter.
    pub const STMT_SEND_LONG_DATA: u8 = 0x18;
    /// Forgets a prepared statement.
    pub const STMT_CLOSE: u8 = 0x19;
    /// Forgets what was sent for a prepared statement.
    pub const STMT_RESET: u8 = 0x1a;
    /// Multi-statements on or off.
    pub const SET_OPTION: u8 = 0x1b;
    /// Fetches from a cursor.
    pub const STMT_FETCH: u8 = 0x1c;
    /// Resets the session.
    pub const RESET_CONNECTION: u8 = 0x1f;
}

/// Why talking to a peer failed. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The peer closed the connection.
    #[error("read from {peer}: it closed the connection")]
    Closed {
        /// Who.
        peer: &'static str,
    },
    /// The connection broke.
    #[error("talk to {peer}: {source}")]
    Io {
        /// Who.
        peer: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The peer's TLS handshake failed.
    #[error("agree on TLS with {peer}: {source}")]
    Tls {
        /// Who.
        peer: &'static str,
        /// What was the matter.
        source: std::io::Error,
    },
    /// A packet came out of order.
    #[error("read from {peer}: packet number {found}, expected {expected}")]
    Sequence {
        /// Who.
        peer: &'static str,
        /// The number expected.
        expected: u8,
        /// The number found.
        found: u8,
    },
    /// A packet is larger than allowed.
    #[error("read from {peer}: a packet of more than {limit} bytes")]
    TooLarge {
        /// Who.
        peer: &'static str,
        /// Greatest size allowed, in bytes.
        limit: usize,
    },
    /// A packet's content breaks the protocol's rules.
    #[error("read {what}: {why}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// The rule that is broken.
        why: String,
    },
    /// The server answered with an error.
    #[error("{what}: {} ({}): {}", error.code, error.state, error.message)]
    Server {
        /// What it was asked for.
        what: String,
        /// Its answer.
        error: ErrPacket,
    },
}

impl WireError {
    pub(crate) fn malformed(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed {
            what,
            why: why.into(),
        }
    }
}
