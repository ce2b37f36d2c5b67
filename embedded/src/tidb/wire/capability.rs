//! Capability and status bits of the protocol.

/// Affected rows are those found, not those changed.
pub const FOUND_ROWS: u32 = 1 << 1;
/// Of every client, says MySQL. To MariaDB a peer that sets it is no MariaDB, and has no extended capabilities.
pub const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 1 << 2;
/// A database is named while connecting.
pub const CONNECT_WITH_DB: u32 = 1 << 3;
/// The client sends files of its own for LOAD DATA LOCAL.
pub const LOCAL_FILES: u32 = 1 << 7;
/// The 4.1 protocol.
pub const PROTOCOL_41: u32 = 1 << 9;
/// `interactive_timeout` instead of `wait_timeout`.
pub const INTERACTIVE: u32 = 1 << 10;
/// TLS follows.
pub const SSL: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
/// Authentication of 4.1.
pub const SECURE_CONNECTION: u32 = 1 << 15;
/// Several statements in one text.
pub const MULTI_STATEMENTS: u32 = 1 << 16;
/// Several results to one text.
pub const MULTI_RESULTS: u32 = 1 << 17;
/// Several results to one prepared statement.
pub const PS_MULTI_RESULTS: u32 = 1 << 18;
/// Authentication plugins by name.
pub const PLUGIN_AUTH: u32 = 1 << 19;
/// Attributes of the client.
pub const CONNECT_ATTRS: u32 = 1 << 20;
/// Authentication data with a length of any size.
pub const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
/// OK packets may carry what changed in the session.
pub const SESSION_TRACK: u32 = 1 << 23;
/// OK packets end result sets.
pub const DEPRECATE_EOF: u32 = 1 << 24;

/// What TiDB offers and this server serves, besides [`SSL`] where it has a certificate. (TiDB's compression is not.)
pub const OFFERED: u32 = LONG_PASSWORD
    | FOUND_ROWS
    | LONG_FLAG
    | CONNECT_WITH_DB
    | LOCAL_FILES
    | PROTOCOL_41
    | INTERACTIVE
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_STATEMENTS
    | MULTI_RESULTS
    | PLUGIN_AUTH
    | CONNECT_ATTRS;

/// What every connection to MariaDB asks for.
pub const BACKEND: u32 = LONG_FLAG
    | LOCAL_FILES
    | PROTOCOL_41
    | TRANSACTIONS
    | SECURE_CONNECTION
    | MULTI_RESULTS
    | PS_MULTI_RESULTS
    | PLUGIN_AUTH
    | SESSION_TRACK;

/// What a client's choice changes for its connection to MariaDB.
pub const PASSED_ON: u32 = FOUND_ROWS | INTERACTIVE | DEPRECATE_EOF;

/// Column definitions say more of their types: that a text is JSON. An extended capability: MariaDB's own, which travel
/// apart from those of MySQL.
pub const EXTENDED_METADATA: u32 = 1 << 3;

/// The extended capabilities that every connection to MariaDB asks for.
pub const BACKEND_EXTENDED: u32 = EXTENDED_METADATA;

/// A transaction is open.
pub const STATUS_IN_TRANSACTION: u16 = 0x0001;
/// Autocommit is on.
pub const STATUS_AUTOCOMMIT: u16 = 0x0002;
/// Another result follows.
pub const STATUS_MORE_RESULTS: u16 = 0x0008;
/// A cursor is open.
pub const STATUS_CURSOR_EXISTS: u16 = 0x0040;
/// The OK packet carries what changed in the session.
pub const STATUS_SESSION_STATE_CHANGED: u16 = 0x4000;
