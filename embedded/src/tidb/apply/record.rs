//! What is kept in TiKV beside the data, outside the key space of tables and schema.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ApplyError, Gtid};
use crate::client::{Snapshot, Ts};
use crate::tidb::catalog::{ClusteredIndex, Dropped, Failure, Session, Zone};

/// What the keys of [`Applied`] begin with.
const APPLIED: &[u8] = b"embedded_tidb_applied";
/// The first key behind them.
const APPLIED_END: &[u8] = b"embedded_tidb_appliee";
/// How many keys of [`Applied`] there are, and so how many transactions may be under way at once.
pub const SLOTS: usize = 16;
/// The key of [`Intent`].
pub const INTENT_KEY: &[u8] = b"embedded_tidb_intent";

/// How far the binlog is applied. Every transaction writes it, as its primary key: so the fate of an interrupted
/// transaction is told by this key alone. Transactions that are under way at once have keys of their own; the position is
/// the furthest one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Which MariaDB data this is the position in.
    pub identity: String,
    /// The last transaction applied, as `0-1-N`.
    pub gtid: String,
}

impl Applied {
    /// The position.
    pub fn gtid(&self) -> Result<Gtid, ApplyError> {
        self.gtid.parse().map_err(|e| ApplyError::Record {
            what: "the applied position",
            why: format!("{e}"),
        })
    }

    /// Reads it; none in a TiKV that no embedded TiDB has used.
    pub async fn load(snapshot: &Snapshot) -> Result<Option<Self>, ApplyError> {
        let slots = snapshot.scan(APPLIED, APPLIED_END).await?;
        let mut furthest: Option<(Gtid, Self)> = None;
        for slot in slots {
            let applied: Self = decode(&slot.value, "the applied position")?;
            let gtid = applied.gtid()?;
            if furthest.as_ref().is_none_or(|(known, _)| *known < gtid) {
                furthest = Some((gtid, applied));
            }
        }
        Ok(furthest.map(|(_, applied)| applied))
    }

    /// The key of the `n`th transaction since the start.
    pub fn key(n: usize) -> Bytes {
        [APPLIED, format!("_{:02}", n % SLOTS).as_bytes()]
            .concat()
            .into()
    }

    /// Whether a key is one of a position.
    pub fn is_key(key: &[u8]) -> bool {
        key.starts_with(APPLIED)
    }
}

/// A DDL statement that is under way. It is written before MariaDB hears of the statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The statement as the client sent it.
    pub sql: String,
    /// The session it came from.
    pub session: IntentSession,
    /// The schema that its plan is made from is that of this TSO.
    pub schema_ts: Ts,
    /// How many statements MariaDB is to run for it.
    pub statements: usize,
    /// How many of them were seen in the binlog.
    pub seen: usize,
    /// Start TSOs of the plan's transactions that were begun; the last one may not be committed.
    pub starts: Vec<Ts>,
    /// How many rows were worked on before a transaction of the plan, which its job tells.
    #[serde(default)]
    pub rows: BTreeMap<usize, i64>,
    /// Why the plan is rolled back, if a value did not fit a column's new type.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// The stored form of the session of a DDL statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentSession {
    database: Option<String>,
    connection_id: u64,
    sql_mode: u64,
    charset: String,
    collation: String,
    utc_offset: i32,
    #[serde(default)]
    time_zone: String,
    now: u64,
    foreign_key_checks: bool,
    clustered_index: String,
    #[serde(default)]
    next_auto_increment: Option<i64>,
    #[serde(default)]
    dropped: Option<Box<Dropped>>,
}

impl From<&Session> for IntentSession {
    fn from(session: &Session) -> Self {
        Self {
            database: session.database.clone(),
            connection_id: session.connection_id,
            sql_mode: session.sql_mode,
            charset: session.charset.clone(),
            collation: session.collation.clone(),
            utc_offset: session.zone.utc_offset(),
            time_zone: session.zone.name().to_owned(),
            now: session.now,
            foreign_key_checks: session.foreign_key_checks,
            clustered_index: clustered_index_name(session.clustered_index).to_owned(),
            next_auto_increment: session.next_auto_increment,
            dropped: session.dropped.clone(),
        }
    }
}

impl From<IntentSession> for Session {
    fn from(stored: IntentSession) -> Self {
        Self {
            database: stored.database,
            connection_id: stored.connection_id,
            sql_mode: stored.sql_mode,
            charset: stored.charset,
            collation: stored.collation,
            zone: Zone::new(&stored.time_zone, stored.utc_offset),
            now: stored.now,
            foreign_key_checks: stored.foreign_key_checks,
            clustered_index: clustered_index(&stored.clustered_index).unwrap_or_default(),
            next_auto_increment: stored.next_auto_increment,
            dropped: stored.dropped,
        }
    }
}

/// `tidb_enable_clustered_index` as its variable prints it.
pub fn clustered_index_name(value: ClusteredIndex) -> &'static str {
    match value {
        ClusteredIndex::On => "ON",
        ClusteredIndex::Off => "OFF",
        ClusteredIndex::IntOnly => "INT_ONLY",
    }
}

/// A value of `tidb_enable_clustered_index` as its variable takes it.
pub fn clustered_index(text: &str) -> Option<ClusteredIndex> {
    match text.to_ascii_uppercase().as_str() {
        "ON" | "1" => Some(ClusteredIndex::On),
        "OFF" | "0" => Some(ClusteredIndex::Off),
        "INT_ONLY" => Some(ClusteredIndex::IntOnly),
        _ => None,
    }
}

impl Intent {
    /// Reads it; none when no statement is under way.
    pub async fn load(snapshot: &Snapshot) -> Result<Option<Self>, ApplyError> {
        match snapshot.get(INTENT_KEY).await? {
            None => Ok(None),
            Some(bytes) => decode(&bytes, "the intent of a DDL statement").map(Some),
        }
    }
}

/// The stored form.
pub fn encode(record: &impl Serialize) -> Result<Bytes, ApplyError> {
    serde_json::to_vec(record)
        .map(Bytes::from)
        .map_err(|e| ApplyError::Record {
            what: "a record to be written",
            why: e.to_string(),
        })
}

fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &'static str) -> Result<T, ApplyError> {
    serde_json::from_slice(bytes).map_err(|e| ApplyError::Record {
        what,
        why: e.to_string(),
    })
}
