//! TIMESTAMP defaults are written in the session's time zone and stored in UTC.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::tidb::codec::Time;

/// The last second of a TIMESTAMP.
const LAST: i64 = i32::MAX as i64;

/// A session's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    utc_offset: i32,
    rules: TimeZone,
}

impl Default for Zone {
    fn default() -> Self {
        Self::new("UTC", 0)
    }
}

impl Zone {
    /// A zone by what `@@time_zone` tells, and its offset from UTC at present, in seconds.
    pub fn new(name: &str, utc_offset: i32) -> Self {
        let fixed = || Offset::from_seconds(utc_offset).map_or(TimeZone::UTC, TimeZone::fixed);
        let rules = match name {
            "SYSTEM" => TimeZone::try_system().unwrap_or_else(|_| fixed()),
            _ if name.starts_with(['+', '-']) => fixed(),
            name => TimeZone::get(name).unwrap_or_else(|_| fixed()),
        };
        Self {
            name: name.to_owned(),
            utc_offset,
            rules,
        }
    }

    /// What `@@time_zone` tells.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its offset from UTC when the statement began, in seconds.
    pub fn utc_offset(&self) -> i32 {
        self.utc_offset
    }

    /// Its offset from UTC at a second of UTC.
    fn offset_at(&self, second: i64) -> i64 {
        let at = Timestamp::from_second(second);
        let offset = at.map_or(self.utc_offset, |at| self.rules.to_offset(at).seconds());
        offset.into()
    }

    /// The second of UTC at which clocks of the zone show this time, given as seconds since 1970; none for a time that they
    /// leave out. Of two such seconds it is the one that TiDB takes.
    pub fn to_utc_seconds(&self, local: i64) -> Option<i64> {
        let guess = local - self.offset_at(local);
        let utc = local - self.offset_at(guess);
        (utc + self.offset_at(utc) == local).then_some(utc)
    }

    /// A TIMESTAMP in UTC; none for what no TIMESTAMP is.
    pub(crate) fn to_utc(&self, time: Time) -> Option<Time> {
        if time == Time::default() {
            return Some(time);
        }
        let utc = self.to_utc_seconds(time.seconds()?)?;
        (1..=LAST)
            .contains(&utc)
            .then(|| Time::from_seconds(utc, time.micro))?
    }

    /// Whether clocks of the zone show a time, given as seconds since 1970, just once.
    fn is_shown_once(&self, local: i64) -> bool {
        const DAY: i64 = 24 * 60 * 60;
        let mut found: Vec<i64> = [-DAY, 0, DAY]
            .into_iter()
            .map(|shift| local - self.offset_at(local + shift))
            .filter(|utc| utc + self.offset_at(*utc) == local)
            .collect();
        found.sort_unstable();
        found.dedup();
        found.len() == 1
    }

    /// A TIMESTAMP in UTC; none for what no TIMESTAMP is, and for what clocks show twice.
    pub(crate) fn to_utc_unless_twice(&self, time: Time) -> Option<Time> {
        let local = time.seconds()?;
        self.is_shown_once(local).then(|| self.to_utc(time))?
    }

    /// A TIMESTAMP, which is in UTC, as clocks of the zone show it; none for the date of zeros, and if they show that twice.
    pub(crate) fn to_local(&self, time: Time) -> Option<Time> {
        let utc = time.seconds()?;
        let local = utc + self.offset_at(utc);
        self.is_shown_once(local)
            .then(|| Time::from_seconds(local, time.micro))?
    }

    /// A time in UTC as clocks of the zone show it; text that is no time stays as it is.
    pub(crate) fn shown(&self, text: &str, fsp: i64) -> String {
        let moved = || -> Option<Time> {
            let time = Time::parse(text).ok()?;
            if time == Time::default() {
                return Some(time);
            }
            let utc = time.seconds()?;
            Time::from_seconds(utc + self.offset_at(utc), time.micro)
        };
        let digits = usize::try_from(fsp).unwrap_or(0);
        moved().map_or_else(|| text.to_owned(), |time| time.datetime_text(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(zone: &Zone, text: &str) -> Option<String> {
        let time = Time::parse(text).unwrap();
        zone.to_utc(time).map(|time| time.datetime_text(0))
    }

    #[test]
    fn defaults_move_between_zones() {
        let zone = Zone::new("+08:00", 8 * 3600);
        let stored = utc(&zone, "2020-01-01 00:00:00").unwrap();
        assert_eq!(stored, "2019-12-31 16:00:00");
        assert_eq!(zone.shown(&stored, 3), "2020-01-01 00:00:00.000");
        let zero = "0000-00-00 00:00:00";
        assert_eq!(utc(&zone, zero).as_deref(), Some(zero));
        assert_eq!(zone.shown(zero, 0), zero);
    }

    #[test]
    fn the_offset_is_that_of_the_date() {
        let berlin = Zone::new("Europe/Berlin", 3600);
        let summer = utc(&berlin, "2024-07-01 12:00:00");
        assert_eq!(summer.as_deref(), Some("2024-07-01 10:00:00"));
        let winter = utc(&berlin, "2024-12-01 12:00:00");
        assert_eq!(winter.as_deref(), Some("2024-12-01 11:00:00"));
        assert_eq!(
            berlin.shown("2024-07-01 10:00:00", 0),
            "2024-07-01 12:00:00"
        );
    }

    /// As Go's `time.Date`, with which TiDB converts.
    #[test]
    fn clocks_skip_times_and_show_some_twice() {
        let berlin = Zone::new("Europe/Berlin", 3600);
        assert_eq!(utc(&berlin, "2024-03-31 02:30:00"), None);
        let later = utc(&berlin, "2024-10-27 02:30:00");
        assert_eq!(later.as_deref(), Some("2024-10-27 01:30:00"));
        let new_york = Zone::new("America/New_York", -5 * 3600);
        let earlier = utc(&new_york, "2024-11-03 01:30:00");
        assert_eq!(earlier.as_deref(), Some("2024-11-03 05:30:00"));
    }

    #[test]
    fn timestamps_have_32_bits() {
        let zone = Zone::default();
        assert_eq!(utc(&zone, "1970-01-01 00:00:00"), None);
        assert_eq!(utc(&zone, "2038-01-19 03:14:08"), None);
        assert!(utc(&zone, "2038-01-19 03:14:07").is_some());
    }
}
