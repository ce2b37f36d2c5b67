//! The packets whose content matters to a proxy: OK, EOF, ERR.

use super::capability::{SESSION_TRACK, STATUS_SESSION_STATE_CHANGED};
use super::{Reader, WireError, put_lenenc, put_lenenc_bytes};

/// First byte of an OK packet.
pub const OK: u8 = 0x00;
/// First byte of an EOF packet, and of an OK packet that ends a result set.
pub const EOF: u8 = 0xfe;
/// First byte of an error.
pub const ERR: u8 = 0xff;
/// First byte of a request for a local file.
pub const LOCAL_INFILE: u8 = 0xfb;
/// An EOF packet is shorter than this; a row may begin with the same byte.
const EOF_MAX_LEN: usize = 9;

/// Kind of session change: a system variable.
const TRACK_SYSTEM_VARIABLE: u8 = 0;
/// Kind of session change: the current database.
const TRACK_SCHEMA: u8 = 1;

/// A statement succeeded, or a result set ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OkPacket {
    /// Rows changed or found.
    pub affected_rows: u64,
    /// The first generated AUTO_INCREMENT value.
    pub last_insert_id: u64,
    /// Status bits.
    pub status: u16,
    /// Number of warnings.
    pub warnings: u16,
    /// Text for people.
    pub info: Vec<u8>,
    /// What changed in the session, raw.
    pub session_state: Vec<u8>,
}

impl OkPacket {
    /// Reads an OK packet of a connection with these capabilities, whichever its first byte.
    pub fn parse(payload: &[u8], capabilities: u32) -> Result<Self, WireError> {
        let mut r = Reader::new(payload, "an OK packet");
        r.u8()?;
        let mut ok = Self {
            affected_rows: r.lenenc()?,
            last_insert_id: r.lenenc()?,
            status: r.u16()?,
            warnings: r.u16()?,
            ..Self::default()
        };
        if !r.is_empty() {
            ok.info = r.lenenc_bytes()?.to_vec();
        }
        let tracked =
            capabilities & SESSION_TRACK != 0 && ok.status & STATUS_SESSION_STATE_CHANGED != 0;
        if tracked && !r.is_empty() {
            ok.session_state = r.lenenc_bytes()?.to_vec();
        }
        Ok(ok)
    }

    /// The packet for a client that asked for no session changes. `header` is [`OK`] or, at the end of a result set,
    /// [`EOF`].
    pub fn encode_plain(&self, header: u8) -> Vec<u8> {
        let mut out = vec![header];
        put_lenenc(&mut out, self.affected_rows);
        put_lenenc(&mut out, self.last_insert_id);
        out.extend_from_slice(&(self.status & !STATUS_SESSION_STATE_CHANGED).to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        if !self.info.is_empty() {
            // With its length, whatever the protocol's description says.
            put_lenenc_bytes(&mut out, &self.info);
        }
        out
    }

    /// The packet for a client that asked for session changes.
    pub fn encode_tracked(&self, header: u8) -> Vec<u8> {
        let mut out = vec![header];
        put_lenenc(&mut out, self.affected_rows);
        put_lenenc(&mut out, self.last_insert_id);
        out.extend_from_slice(&self.status.to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        put_lenenc_bytes(&mut out, &self.info);
        if self.status & STATUS_SESSION_STATE_CHANGED != 0 {
            put_lenenc_bytes(&mut out, &self.session_state);
        }
        out
    }

    /// The new current database, if it is among the session's changes; empty for none.
    pub fn tracked_schema(&self) -> Result<Option<String>, WireError> {
        let mut entries = Reader::new(&self.session_state, "session changes");
        let mut found = None;
        while !entries.is_empty() {
            let kind = entries.u8()?;
            let data = entries.lenenc_bytes()?;
            if kind == TRACK_SCHEMA {
                let name = Reader::new(data, "a change of database").lenenc_bytes()?;
                found = Some(String::from_utf8_lossy(name).into_owned());
            }
        }
        Ok(found)
    }

    /// The new value of a system variable among the session's changes.
    pub fn tracked_variable(&self, name: &str) -> Result<Option<Vec<u8>>, WireError> {
        let mut entries = Reader::new(&self.session_state, "session changes");
        let mut found = None;
        while !entries.is_empty() {
            let kind = entries.u8()?;
            let data = entries.lenenc_bytes()?;
            if kind != TRACK_SYSTEM_VARIABLE {
                continue;
            }
            let mut pairs = Reader::new(data, "a session variable's change");
            while !pairs.is_empty() {
                let variable = pairs.lenenc_bytes()?;
                let value = pairs.lenenc_bytes()?;
                if variable == name.as_bytes() {
                    found = Some(value.to_vec());
                }
            }
        }
        Ok(found)
    }
}

/// The end of columns or rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EofPacket {
    /// Number of warnings.
    pub warnings: u16,
    /// Status bits.
    pub status: u16,
}

impl EofPacket {
    /// Whether a payload is an EOF packet (and not a row).
    pub fn is(payload: &[u8]) -> bool {
        payload.first() == Some(&EOF) && payload.len() < EOF_MAX_LEN
    }

    /// Reads it.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload, "an EOF packet");
        r.u8()?;
        Ok(Self {
            warnings: r.u16()?,
            status: r.u16()?,
        })
    }

    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![EOF];
        out.extend_from_slice(&self.warnings.to_le_bytes());
        out.extend_from_slice(&self.status.to_le_bytes());
        out
    }
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket {
    /// MySQL's number.
    pub code: u16,
    /// Five characters.
    pub state: String,
    /// The text.
    pub message: String,
}

impl ErrPacket {
    /// An error of this code and text.
    pub fn new(code: u16, state: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            state: state.to_owned(),
            message: message.into(),
        }
    }

    /// Reads it.
    pub fn parse(payload: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(payload, "an error packet");
        r.u8()?;
        let code = r.u16()?;
        let mut state = "HY000".to_owned();
        if r.rest().first() == Some(&b'#') {
            r.u8()?;
            state = String::from_utf8_lossy(r.take(5)?).into_owned();
        }
        Ok(Self {
            code,
            state,
            message: String::from_utf8_lossy(r.rest()).into_owned(),
        })
    }

    /// The packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![ERR];
        out.extend_from_slice(&self.code.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(self.state.as_bytes());
        out.extend_from_slice(self.message.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tracked(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in pairs {
            let mut data = Vec::new();
            put_lenenc_bytes(&mut data, name.as_bytes());
            put_lenenc_bytes(&mut data, value.as_bytes());
            out.push(TRACK_SYSTEM_VARIABLE);
            put_lenenc_bytes(&mut out, &data);
        }
        out.push(TRACK_SCHEMA);
        put_lenenc_bytes(&mut out, b"\x04test");
        out
    }

    #[test]
    fn the_gtid_is_found_among_the_changes() {
        let ok = OkPacket {
            affected_rows: 300,
            status: STATUS_SESSION_STATE_CHANGED | 2,
            info: b"Rows matched: 1".to_vec(),
            session_state: tracked(&[("autocommit", "ON"), ("last_gtid", "0-1-17")]),
            ..OkPacket::default()
        };
        let read = OkPacket::parse(&ok.encode_tracked(OK), SESSION_TRACK).unwrap();
        assert_eq!(read, ok);
        assert_eq!(
            read.tracked_variable("last_gtid").unwrap(),
            Some(b"0-1-17".to_vec())
        );
        assert_eq!(read.tracked_variable("nope").unwrap(), None);
        assert_eq!(read.tracked_schema().unwrap(), Some("test".to_owned()));
        let plain = OkPacket::parse(&read.encode_plain(OK), 0).unwrap();
        assert_eq!(plain.status, 2);
        assert_eq!(plain.affected_rows, 300);
        assert_eq!(plain.info, read.info);
        assert!(plain.session_state.is_empty());
    }

    #[test]
    fn errors_round_trip() {
        let err = ErrPacket::new(1062, "23000", "Duplicate entry '1' for key 't.PRIMARY'");
        assert_eq!(ErrPacket::parse(&err.encode()).unwrap(), err);
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(bytes: Vec<u8>, capabilities: u32) {
            if let Ok(ok) = OkPacket::parse(&bytes, capabilities) {
                let _ = ok.tracked_variable("last_gtid");
                let _ = ok.tracked_schema();
            }
            let _ = ErrPacket::parse(&bytes);
            let _ = EofPacket::parse(&bytes);
        }
    }
}
