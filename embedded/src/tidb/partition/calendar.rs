//! Days and weeks as MySQL counts them.

use crate::tidb::codec::Time;

/// Days of 1970-01-01.
const UNIX_EPOCH_DAYS: i128 = 719_528;
const SECONDS_A_DAY: i128 = 86_400;

/// Days since year 0; none for a date that has a zero part.
pub(super) fn days(time: &Time) -> Option<i128> {
    if time.month == 0 || time.day == 0 {
        return None;
    }
    let (mut year, month, day) = (
        i128::from(time.year),
        i128::from(time.month),
        i128::from(time.day),
    );
    if year == 0 && month == 0 {
        return Some(0);
    }
    let mut sum = 365 * year + 31 * (month - 1) + day;
    if month <= 2 {
        year -= 1;
    } else {
        sum -= (month * 4 + 23) / 10;
    }
    let centuries = (year / 100 + 1) * 3 / 4;
    Some(sum + year / 4 - centuries)
}

/// Seconds within the day.
pub(super) fn second_of_day(time: &Time) -> i128 {
    i128::from(time.hour) * 3600 + i128::from(time.minute) * 60 + i128::from(time.second)
}

/// Seconds since year 0.
pub(super) fn seconds(time: &Time) -> Option<i128> {
    Some(days(time)? * SECONDS_A_DAY + second_of_day(time))
}

/// Seconds since 1970 of a time in UTC; 0 for the zero time.
pub(super) fn unix_seconds(time: &Time) -> i128 {
    seconds(time).map_or(0, |s| s - UNIX_EPOCH_DAYS * SECONDS_A_DAY)
}

/// 0 for Monday.
pub(super) fn weekday(time: &Time) -> Option<i128> {
    Some((days(time)? + 5).rem_euclid(7))
}

/// 1 for Sunday.
pub(super) fn day_of_week(time: &Time) -> Option<i128> {
    Some((days(time)? + 6).rem_euclid(7) + 1)
}

/// 1 for the first of January.
pub(super) fn day_of_year(time: &Time) -> Option<i128> {
    let first = Time {
        month: 1,
        day: 1,
        ..*time
    };
    Some(days(time)? - days(&first)? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of MySQL's manual and of TO_DAYS at turns of the calendar.
    #[test]
    fn days_are_mysqls() {
        let day = |text: &str| days(&Time::parse(text).unwrap());
        assert_eq!(day("2007-10-07"), Some(733_321));
        assert_eq!(day("1970-01-01"), Some(719_528));
        assert_eq!(day("2024-02-29"), Some(739_310));
        assert_eq!(day("2024-03-01"), Some(739_311));
        assert_eq!(day("0000-01-01"), Some(1));
        assert_eq!(day("2024-00-10"), None);
        assert_eq!(day("0000-00-00"), None);
    }

    #[test]
    fn days_of_the_week_and_year() {
        let at = |text: &str| Time::parse(text).unwrap();
        assert_eq!(weekday(&at("2008-02-03")), Some(6));
        assert_eq!(weekday(&at("2007-11-06")), Some(1));
        assert_eq!(day_of_week(&at("2007-02-03")), Some(7));
        assert_eq!(day_of_year(&at("2007-02-03")), Some(34));
        assert_eq!(unix_seconds(&at("2015-11-13 10:20:19")), 1_447_410_019);
        assert_eq!(unix_seconds(&Time::default()), 0);
        assert_eq!(seconds(&at("2009-11-29")), Some(63_426_672_000));
    }
}
