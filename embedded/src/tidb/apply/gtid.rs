//! Positions in MariaDB's binlog.

use std::fmt;
use std::str::FromStr;

use crate::tidb::mariadb::options::SERVER_ID;

/// A transaction's id in MariaDB's binlog. Domain and server are always the same, so the sequence number tells all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Gtid(pub u64);

/// A text that is no GTID of the one MariaDB in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "read {text:?} as a GTID: expected {}-{}-NUMBER",
    Gtid::DOMAIN,
    SERVER_ID
)]
pub struct GtidError {
    text: String,
}

impl Gtid {
    /// The only replication domain.
    pub const DOMAIN: u32 = 0;
}

impl FromStr for Gtid {
    type Err = GtidError;

    /// Takes `0-1-N`; the empty text is the position before all transactions.
    fn from_str(text: &str) -> Result<Self, GtidError> {
        if text.is_empty() {
            return Ok(Self(0));
        }
        let error = || GtidError {
            text: text.to_owned(),
        };
        let mut parts = text.split('-').map(str::parse::<u64>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(domain)), Some(Ok(server)), Some(Ok(sequence)), None)
                if domain == u64::from(Self::DOMAIN) && server == u64::from(SERVER_ID) =>
            {
                Ok(Self(sequence))
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return Ok(());
        }
        write!(f, "{}-{SERVER_ID}-{}", Self::DOMAIN, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        for text in ["", "0-1-1", "0-1-18446744073709551615"] {
            assert_eq!(text.parse::<Gtid>().unwrap().to_string(), text);
        }
        for text in [
            "0",
            "0-1",
            "0-1-x",
            "1-1-5",
            "0-2-5",
            "0-1-5-6",
            "0-1-5,1-1-5",
        ] {
            assert!(text.parse::<Gtid>().is_err(), "{text}");
        }
    }
}
