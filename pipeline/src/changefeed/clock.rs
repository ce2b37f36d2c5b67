//! Times as TiCDC stores and shows them.

use std::{fmt, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::{LOGICAL_BITS, Ts, physical_ms};

/// A moment in RFC 3339 with as many digits of the second as it needs, up to nine: Go's `time.Time` in JSON, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoTime(pub Timestamp);

impl GoTime {
    /// The moment of the call.
    #[must_use]
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// As the command line shows it: `2026-11-23 20:44:56.440` in the local time zone.
    #[must_use]
    pub fn local_text(self) -> String {
        local_text(self.0)
    }
}

impl fmt::Display for GoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for GoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GoTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// What stands for no time at all.
const ZERO_TIME: &str = "0001-01-01 00:00:00.000";

fn local_text(at: Timestamp) -> String {
    // cut, not rounded, as the original does
    let zoned = at.to_zoned_datetime(TimeZone::system());
    let millis = zoned.millisecond();
    format!("{}.{millis:03}", zoned.strftime("%Y-%m-%d %H:%M:%S"))
}

/// The physical part of a timestamp as a moment; none for 0 and for what lies outside the calendar.
#[must_use]
pub fn moment(ts: Ts) -> Option<Timestamp> {
    let millis = i64::try_from(physical_ms(ts)).ok().filter(|_| ts != 0)?;
    Timestamp::from_millisecond(millis).ok()
}

/// A timestamp as shown in lists: `2026-11-23 20:44:56.225` in the local time zone, the zero time for none.
#[must_use]
pub fn ts_text(ts: Ts) -> String {
    moment(ts).map_or_else(|| ZERO_TIME.to_owned(), local_text)
}

/// How far a timestamp lies behind another, in milliseconds.
#[must_use]
pub fn lag_ms(ts: Ts, now: Ts) -> u64 {
    physical_ms(now).saturating_sub(physical_ms(ts))
}

/// What the clock of this machine shows, as a timestamp.
#[must_use]
pub fn local_ts() -> Ts {
    let millis = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    millis << LOGICAL_BITS
}

/// How far a timestamp lies behind the clock of this machine, in seconds.
#[must_use]
pub fn lag_seconds(ts: Ts) -> f64 {
    Duration::from_millis(lag_ms(ts, local_ts())).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_go() {
        for text in [
            "2026-11-23T20:44:56.440630632Z",
            "2026-11-23T21:14:23.55779822Z",
            "2026-11-23T21:14:23Z",
        ] {
            let json = format!("{text:?}");
            let time: GoTime = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&time).unwrap(), json);
        }
        let offset: GoTime = serde_json::from_str("\"2026-11-23T22:14:23+01:00\"").unwrap();
        assert_eq!(offset.to_string(), "2026-11-23T21:14:23Z");
        assert!(serde_json::from_str::<GoTime>("\"yesterday\"").is_err());
    }

    #[test]
    fn timestamps_are_shown_by_their_milliseconds() {
        assert_eq!(ts_text(0), "0001-01-01 00:00:00.000");
        let shown = ts_text(470_670_821_615_206_404);
        assert!(shown.ends_with(":56.225") && shown.len() == 23, "{shown}");
        assert_eq!(lag_ms(1 << 18, 5 << 18), 4);
        assert_eq!(lag_ms(5 << 18, 1 << 18), 0);
        // beyond the calendar
        assert_eq!(ts_text(u64::MAX).len(), 23);
    }
}
