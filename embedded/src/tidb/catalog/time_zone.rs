//! TIMESTAMP defaults are written in the session's time zone and stored in UTC.

use crate::tidb::codec::Time;

/// A default as stored, in a session's time zone; text that is no time stays as it is.
pub(crate) fn from_utc(text: &str, fsp: i64, utc_offset: i32) -> String {
    shift(text, fsp, i64::from(utc_offset))
}

/// A default as given in a session's time zone, in UTC.
pub(crate) fn to_utc(text: &str, fsp: i64, utc_offset: i32) -> String {
    shift(text, fsp, -i64::from(utc_offset))
}

fn shift(text: &str, fsp: i64, seconds: i64) -> String {
    let shifted = || -> Option<Time> {
        let time = Time::parse(text).ok()?;
        if seconds == 0 || time.pack() == 0 {
            return Some(time);
        }
        let moment = jiff::civil::Date::new(time.year as i16, time.month as i8, time.day as i8)
            .ok()?
            .at(
                time.hour as i8,
                time.minute as i8,
                time.second as i8,
                time.micro as i32 * 1000,
            );
        let moment = moment
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .ok()?;
        Some(Time {
            year: moment.year() as u16,
            month: moment.month() as u8,
            day: moment.day() as u8,
            hour: moment.hour() as u8,
            minute: moment.minute() as u8,
            second: moment.second() as u8,
            micro: time.micro,
        })
    };
    let digits = usize::try_from(fsp).unwrap_or(0);
    shifted().map_or_else(|| text.to_owned(), |t| t.datetime_text(digits))
}

#[cfg(test)]
mod tests {
    #[test]
    fn defaults_move_between_zones() {
        let utc = super::to_utc("2020-01-01 00:00:00.5", 3, 8 * 3600);
        assert_eq!(utc, "2019-12-31 16:00:00.500");
        assert_eq!(
            super::from_utc(&utc, 3, 8 * 3600),
            "2020-01-01 00:00:00.500"
        );
        assert_eq!(
            super::to_utc("0000-00-00 00:00:00", 0, 3600),
            "0000-00-00 00:00:00"
        );
    }
}
