//! The stream of events from MariaDB.

use std::path::Path;
use std::time::Duration;

use bytes::{Buf as _, Bytes};

use super::BinlogError;
use super::event::{Event, FORMAT_DESCRIPTION};
use crate::tidb::apply::gtid::Gtid;
use crate::tidb::wire::backend::server;
use crate::tidb::wire::packet::{ERR, OK};
use crate::tidb::wire::{Backend, EofPacket, WireError, command};

/// The reader's own id among MariaDB's replicas.
const REPLICA_ID: u32 = 2;
/// First position of events in a binlog file.
const FIRST_POSITION: u32 = 4;
/// How often MariaDB says that it is alive while nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long nothing at all may come.
const SILENCE: Duration = Duration::from_secs(60);
/// Length of an event's checksum, in bytes.
const CHECKSUM_LEN: usize = 4;
const NO_CHECKSUM: u8 = 0;
const CRC32: u8 = 1;
/// The newest protocol of MariaDB's replication: events come as they are written.
const CAPABILITY: u32 = 4;

/// Events in the order in which MariaDB committed.
#[derive(Debug)]
pub struct BinlogStream {
    backend: Backend,
    /// Whether events of the current file end with a checksum.
    checksums: bool,
}

impl BinlogStream {
    /// Begins after the transaction `after`.
    pub async fn open(socket: &Path, after: Gtid) -> Result<Self, BinlogError> {
        let mut backend = Backend::connect(socket).await?;
        let settings = format!(
            "SET @master_binlog_checksum = @@global.binlog_checksum, @mariadb_slave_capability = {CAPABILITY}, \
             @master_heartbeat_period = {}, @slave_connect_state = '{after}', @slave_gtid_strict_mode = 1",
            HEARTBEAT.as_nanos()
        );
        backend.execute(&settings).await?;
        let mut body = FIRST_POSITION.to_le_bytes().to_vec();
        body.extend_from_slice(&0_u16.to_le_bytes());
        body.extend_from_slice(&REPLICA_ID.to_le_bytes());
        backend.send(command::BINLOG_DUMP, &body).await?;
        Ok(Self {
            backend,
            checksums: false,
        })
    }

    /// The next event.
    pub async fn next(&mut self) -> Result<Event, BinlogError> {
        let mut payload = tokio::time::timeout(SILENCE, self.backend.channel.read())
            .await
            .map_err(|_| BinlogError::Unexpected {
                what: format!("silence of {} s", SILENCE.as_secs()),
            })??;
        match payload.first() {
            Some(&OK) => {
                payload.advance(1);
                let event = self.checked(payload)?;
                Event::parse(&event)
            }
            Some(&ERR) => Err(server("read the binlog", &payload).into()),
            _ if EofPacket::is(&payload) => Err(BinlogError::Ended),
            _ => Err(WireError::malformed("a binlog packet", "neither event nor error").into()),
        }
    }

    /// The event without its checksum, if events of this file have one.
    fn checked(&mut self, mut event: Bytes) -> Result<Bytes, WireError> {
        let bad = |why: String| WireError::malformed("a binlog event", why);
        let (Some(kind), Some(len)) = (event.get(4), event.get(9..13)) else {
            return Err(bad(format!("{} bytes are no header", event.len())));
        };
        let told = len
            .iter()
            .rev()
            .fold(0, |acc, b| (acc << 8) | usize::from(*b));
        if told != event.len() {
            return Err(bad(format!(
                "length {told}, but {} bytes came",
                event.len()
            )));
        }
        if *kind == FORMAT_DESCRIPTION {
            // Its last bytes tell how events are checked, and check itself.
            let algorithm = event
                .len()
                .checked_sub(CHECKSUM_LEN + 1)
                .map(|at| event[at]);
            self.checksums = match algorithm {
                Some(NO_CHECKSUM) => false,
                Some(CRC32) => true,
                other => return Err(bad(format!("checksum algorithm {other:?}"))),
            };
            return Ok(event);
        }
        if !self.checksums {
            return Ok(event);
        }
        let body = event.len().saturating_sub(CHECKSUM_LEN);
        let expected = event.split_off(body);
        if crc32fast::hash(&event).to_le_bytes() != expected[..] {
            return Err(bad("its checksum is wrong".to_owned()));
        }
        Ok(event)
    }
}
