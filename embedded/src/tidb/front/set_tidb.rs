//! What setting some of TiDB's variables comes to.

use std::time::Duration;

use jiff::Timestamp;

use super::session::Session;
use super::text::literal;
use super::variables::{Scope, Variable};
use super::{FrontError, errors};
use crate::client::Ts;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::codec::tso;
use crate::tidb::wire::ErrPacket;

/// `ER_LOCAL_VARIABLE` and `ER_GLOBAL_VARIABLE`; 4.0 has no numbers for them.
const ONLY_SESSION: u16 = 1228;
const ONLY_GLOBAL: u16 = 1229;
const UNKNOWN: u16 = 1105;
/// `ErrSnapshotTooOld`.
const SNAPSHOT_TOO_OLD: u16 = 8055;
/// `tidb_gc_life_time` of a new cluster.
const GC_LIFE_TIME: Duration = Duration::from_secs(600);

/// What is said of a time before the safe point.
pub(super) fn too_old(safe_point: i64) -> ErrPacket {
    let message = format!("snapshot is older than GC safe point {}", at(safe_point));
    ErrPacket::new(SNAPSHOT_TOO_OLD, "HY000", message)
}

/// A safe point as messages tell it.
pub(super) fn at(safe_point: i64) -> String {
    Timestamp::from_millisecond(safe_point)
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string())
        .unwrap_or_default()
}

/// Whether a variable may be set globally, or for the session.
pub(super) fn in_scope(
    variable: &Variable,
    global: bool,
    release: TidbVersion,
) -> Result<(), ErrPacket> {
    let name = variable.name;
    let (code, message) = match (variable.scope, global) {
        (Scope::Global, false) => (
            ONLY_GLOBAL,
            format!("Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL"),
        ),
        (Scope::Session, true) => (
            ONLY_SESSION,
            format!("Variable '{name}' is a SESSION variable and can't be used with SET GLOBAL"),
        ),
        _ => return Ok(()),
    };
    let code = match release {
        TidbVersion::V4_0 => UNKNOWN,
        TidbVersion::V8_5 => code,
    };
    Err(ErrPacket::new(code, "HY000", message))
}

/// What TiDB says to those who would lock themselves out.
pub(super) fn insecure() -> ErrPacket {
    let message = "require_secure_transport can only be set to ON if the connection issuing the change is secure";
    ErrPacket::new(UNKNOWN, "HY000", message)
}

impl Session {
    /// Why `tidb_snapshot` cannot be this time: TiDB refuses what may be collected as garbage already, and the past that
    /// it can read is not served here.
    pub(super) async fn snapshot_refusal(&mut self, value: &str) -> Result<ErrPacket, FrontError> {
        let Some(wanted) = self.milliseconds(value).await? else {
            let message = format!("Incorrect datetime value: '{value}'");
            return Ok(ErrPacket::new(1292, "22007", message));
        };
        let safe_point = self.gc_safe_point().await?;
        if wanted >= safe_point {
            return Ok(errors::unsupported("reads of the past (tidb_snapshot)"));
        }
        Ok(too_old(safe_point))
    }

    /// Before which versions may be collected as garbage, in milliseconds since 1970.
    pub(super) async fn gc_safe_point(&self) -> Result<i64, FrontError> {
        let now = tso::physical_ms(self.shared.client.tso().await?) as i64;
        let life = i64::try_from(self.gc_life_time().as_millis()).unwrap_or(i64::MAX);
        Ok(now.saturating_sub(life))
    }

    /// A time of the session, or a timestamp of PD, in milliseconds since 1970.
    async fn milliseconds(&mut self, value: &str) -> Result<Option<i64>, FrontError> {
        if let Ok(ts) = value.parse::<Ts>() {
            return Ok(i64::try_from(tso::physical_ms(ts)).ok());
        }
        let query = format!(
            "SELECT CAST(UNIX_TIMESTAMP({}) * 1000 AS SIGNED)",
            literal(value)
        );
        let rows = self.backend.rows(&query).await?;
        let text = rows.single().map(|v| String::from_utf8_lossy(v));
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// How long versions are kept.
    fn gc_life_time(&self) -> Duration {
        go_duration(&self.gc_life_time_text()).unwrap_or(GC_LIFE_TIME)
    }

    /// The same as Go writes it; in 4.0 it is no variable.
    pub(super) fn gc_life_time_text(&self) -> String {
        let variable = super::variables::tidb(self.shared.version, "tidb_gc_life_time");
        let text = variable.map_or("10m".to_owned(), |variable| self.tidb_value(variable, true));
        go_duration(&text).map_or(text, go_text)
    }

    /// Whether garbage is collected.
    pub(super) fn gc_enabled(&self) -> bool {
        super::variables::tidb(self.shared.version, "tidb_gc_enable")
            .is_none_or(|variable| self.tidb_value(variable, true) == "ON")
    }
}

/// A duration as Go writes it: `30m`, `1h30m0s`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let (factor, len) = match unit.as_bytes() {
            [b'm', b's', ..] => (0.001, 2),
            [b'h', ..] => (3600.0, 1),
            [b'm', ..] => (60.0, 1),
            [b's', ..] => (1.0, 1),
            _ => return None,
        };
        seconds += number * factor;
        rest = &unit[len..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// A duration of whole seconds as Go writes it.
fn go_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("30m", 1_800_000),
            ("10m0s", 600_000),
            ("1h1m1s", 3_661_000),
            ("24h", 86_400_000),
            ("1.5s", 1500),
            ("20ms", 20),
        ] {
            let read = go_duration(text).unwrap();
            assert_eq!(read.as_millis(), millis, "{text}");
        }
        assert_eq!(go_text(Duration::from_secs(1800)), "30m0s");
        assert_eq!(go_text(Duration::from_secs(3661)), "1h1m1s");
        assert_eq!(go_text(Duration::from_secs(1)), "1s");
        for wrong in ["30", "m", "10x", "1d"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
    }
}
