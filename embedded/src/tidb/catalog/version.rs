//! Which TiDB the embedded one is.

use std::fmt;
use std::str::FromStr;

/// A TiDB release line whose schema encoding is known. It decides the members of the stored JSON, how DDL jobs are
/// written, which primary keys are clustered, and whether sort keys follow collations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TidbVersion {
    /// 4.0.x, as v4.0.9.
    V4_0,
    /// 8.5 LTS.
    V8_5,
}

/// A version text that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parse TiDB version {0:?}: expected v4.0.x or v8.5.x")]
pub struct UnknownVersion(String);

impl TidbVersion {
    /// Whether the new collation framework is on in a fresh cluster: keys then hold sort keys.
    pub fn new_collations(self) -> bool {
        self == Self::V8_5
    }

    /// Whether clustered primary keys other than a single integer exist.
    pub fn has_common_handles(self) -> bool {
        self == Self::V8_5
    }
}

impl FromStr for TidbVersion {
    type Err = UnknownVersion;

    /// Takes `v8.5.3`, `8.5.3`, `v4.0.9` and their kin.
    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).split('.');
        match (parts.next(), parts.next()) {
            (Some("4"), Some("0")) => Ok(Self::V4_0),
            (Some("8"), Some("5")) => Ok(Self::V8_5),
            _ => Err(UnknownVersion(text.to_owned())),
        }
    }
}

impl fmt::Display for TidbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4_0 => "v4.0",
            Self::V8_5 => "v8.5",
        })
    }
}
