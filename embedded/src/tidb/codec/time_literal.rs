//! Dates and times as SQL spells them (`docs/spec/row-and-key-codecs.md §5` has the values): years of two digits, numbers,
//! parts that are left out, fractions that are rounded.
//!
//! Only TiDB's defaults and bounds of partitions are read here. What a statement about rows says is MariaDB's business.

use super::{Duration, Time};

/// Digits of the smallest fraction of a second.
const MAX_FSP: usize = 6;
const SECONDS_A_DAY: i64 = 86_400;

impl Time {
    /// A date, or date and time, as a string spells it: `2024-1-2`, `24-01-02 3:4`, `20240102030405.6`. A fraction is
    /// rounded to `fsp` digits, which may carry. Zones in the text (`…+08:00`) are not read, nor fractions of anything but
    /// seconds.
    pub fn from_literal(text: &str, fsp: usize) -> Option<Self> {
        let text = text.trim();
        let is_sign = |c: char| c.is_ascii_punctuation() && !matches!(c, '+' | '-');
        // What the last sign sets off is a fraction if that is a point.
        let last = text.rfind(is_sign).filter(|n| text[*n..].starts_with('.'));
        let (text, fraction) = last.map_or((text, ""), |n| (&text[..n], &text[n + 1..]));
        let parts = parts(text)?;
        let (whole, fraction) = match parts[..] {
            [digits] => (of_digits(digits)?, fraction),
            [year, month] => (of_texts(&[year, month, fraction])?, ""),
            [_, _, _, ..] if parts.len() <= 6 => (of_texts(&parts)?, fraction),
            _ => return None,
        };
        let has_seconds = match parts[..] {
            [digits] => digits.len() >= 11,
            _ => parts.len() == 6,
        };
        if text.contains('+') || !has_seconds && !fraction.is_empty() {
            return None;
        }
        let (micro, carries) = rounded(fraction, fsp)?;
        let time = of_parts(whole, micro)?;
        if carries { time.plus(1) } else { Some(time) }
    }

    /// A date, or date and time, as a number spells it: `20240102`, `240102`, `20240102030405`.
    pub fn from_number(number: u64) -> Option<Self> {
        /// A date is followed by hours, minutes and seconds.
        const CLOCK: u64 = 1_000_000;
        let spelled = match number {
            0 => 0,
            101..=691_231 => (number + 20_000_000) * CLOCK,
            700_101..=991_231 => (number + 19_000_000) * CLOCK,
            10_000_101..=99_991_231 => number * CLOCK,
            101_000_000..=691_231_235_959 => number + 20_000_000 * CLOCK,
            700_101_000_000..=991_231_235_959 => number + 19_000_000 * CLOCK,
            10_000_101_000_000.. => number,
            _ => return None,
        };
        of_parts(of_digits(&format!("{spelled:014}"))?, 0)
    }

    /// So many seconds later; none for a date that has a zero part.
    pub fn plus(self, seconds: i64) -> Option<Self> {
        Self::from_seconds(self.seconds()?.checked_add(seconds)?, self.micro)
    }

    /// Seconds since 1970, if this is a time in UTC; none for a date that has a zero part.
    pub fn seconds(&self) -> Option<i64> {
        let date = jiff::civil::Date::new(
            i16::try_from(self.year).ok()?,
            i8::try_from(self.month).ok()?,
            i8::try_from(self.day).ok()?,
        );
        let days = date.ok()?.duration_since(jiff::civil::date(1970, 1, 1));
        let clock =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some(days.as_secs() + clock)
    }

    /// The time in UTC so many seconds, and microseconds, after 1970.
    pub fn from_seconds(seconds: i64, micro: u32) -> Option<Self> {
        let days = jiff::Span::new()
            .try_days(seconds.div_euclid(SECONDS_A_DAY))
            .ok()?;
        let date = jiff::civil::date(1970, 1, 1).checked_add(days).ok()?;
        let clock = seconds.rem_euclid(SECONDS_A_DAY);
        let narrow = |n: i64| u8::try_from(n).ok();
        Some(Self {
            year: u16::try_from(date.year()).ok()?,
            month: u8::try_from(date.month()).ok()?,
            day: u8::try_from(date.day()).ok()?,
            hour: narrow(clock / 3600)?,
            minute: narrow(clock / 60 % 60)?,
            second: narrow(clock % 60)?,
            micro,
        })
    }

    /// Whether the calendar has such a day; the zero date is none.
    pub fn is_real(&self) -> bool {
        self.seconds().is_some()
    }
}

impl Duration {
    /// A time as a string, or the digits of a number, spell it: `1:2`, `1 2:3:4.5`, `10203`. A fraction is rounded to `fsp`
    /// digits.
    pub fn from_literal(text: &str, fsp: usize) -> Option<Self> {
        /// 838:59:59.
        const MAX_SECONDS: i64 = 839 * 3600 - 1;
        let text = text.trim();
        let (negative, clock) = text
            .strip_prefix('-')
            .map_or((false, text), |clock| (true, clock));
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let (days, clock) = match clock.split_once(' ') {
            Some((days, clock)) => (number(days)?, clock.trim_start()),
            None => (0, clock),
        };
        let fields: Vec<&str> = clock.split(':').collect();
        let has_days = text.contains(' ');
        let (hours, minutes, seconds) = match fields[..] {
            [hours] if has_days => (number(hours)?, 0, 0),
            [compact] => {
                let compact = number(compact)?;
                (compact / 10_000, compact / 100 % 100, compact % 100)
            }
            [hours, minutes] => (number(hours)?, number(minutes)?, 0),
            [hours, minutes, seconds] => (number(hours)?, number(minutes)?, number(seconds)?),
            _ => return None,
        };
        let (micro, carries) = rounded(fraction, fsp)?;
        let total = (days
            .checked_mul(24)?
            .checked_add(hours)?
            .checked_mul(3600)?)
        .checked_add(minutes * 60 + seconds + i64::from(carries))?;
        let fits = minutes < 60
            && seconds < 60
            && (total < MAX_SECONDS || total == MAX_SECONDS && micro == 0);
        let nanos = total.checked_mul(1_000_000_000)? + i64::from(micro) * 1000;
        fits.then_some(Self(if negative { -nanos } else { nanos }))
    }
}

/// Digits only, and not so many that sums of them are a concern.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// The numbers between separators: any punctuation, and a blank or `T` between date and time.
fn parts(text: &str) -> Option<Vec<&str>> {
    let is_separator = |c: u8, before: usize| {
        c.is_ascii_punctuation() || before == 3 && (c == b'T' || c.is_ascii_whitespace())
    };
    let bytes = text.as_bytes();
    let mut out = vec![];
    let mut start = 0;
    while start < bytes.len() {
        let digits = bytes[start..].iter().take_while(|b| b.is_ascii_digit());
        let end = start + digits.count();
        if end == start {
            return None;
        }
        out.push(text.get(start..end)?);
        let rest = bytes.get(end..)?;
        let separators = rest.iter().take_while(|c| is_separator(**c, out.len()));
        start = end + separators.count();
        if start == end && end < bytes.len() {
            return None;
        }
    }
    let ends = bytes.last().is_some_and(u8::is_ascii_digit);
    ends.then_some(out)
}

/// The parts of a number by how many digits it has.
fn of_digits(digits: &str) -> Option<[u32; 6]> {
    let at = |from: usize, to: usize| -> Option<u32> {
        match digits.get(from..to) {
            None | Some("") => Some(0),
            Some(part) => part.parse().ok(),
        }
    };
    let len = digits.len();
    let end = |n: usize| n.min(len);
    let year = match len {
        8 | 14 => 4,
        5..=7 | 9..=12 => 2,
        _ => return None,
    };
    let mut out = [0; 6];
    out[0] = at(0, year)?;
    for (n, part) in out.iter_mut().enumerate().skip(1) {
        let from = year + 2 * (n - 1);
        *part = at(end(from), end(from + 2))?;
    }
    if year == 2 {
        out[0] = with_century(out[0]);
    }
    Some(out)
}

/// The parts of a date, or date and time, that are written apart.
fn of_texts(texts: &[&str]) -> Option<[u32; 6]> {
    let mut out = [0; 6];
    for (number, text) in out.iter_mut().zip(texts) {
        *number = text.parse().ok()?;
    }
    let has_short_year = texts.first().is_some_and(|year| year.len() <= 2);
    if has_short_year && out != [0; 6] {
        out[0] = with_century(out[0]);
    }
    Some(out)
}

/// A year of two digits is one from 1970 to 2069.
fn with_century(year: u32) -> u32 {
    match year {
        0..=69 => 2000 + year,
        70..=99 => 1900 + year,
        _ => year,
    }
}

fn of_parts(parts: [u32; 6], micro: u32) -> Option<Time> {
    let [year, month, day, hour, minute, second] = parts;
    let in_range =
        year <= 9999 && month <= 12 && day <= 31 && hour < 24 && minute < 60 && second < 60;
    let narrow = |n: u32| u8::try_from(n).ok();
    let time = Time {
        year: u16::try_from(year).ok()?,
        month: narrow(month)?,
        day: narrow(day)?,
        hour: narrow(hour)?,
        minute: narrow(minute)?,
        second: narrow(second)?,
        micro,
    };
    in_range.then_some(time)
}

/// Microseconds of a fraction that is rounded to so many digits, and whether it became a second.
fn rounded(fraction: &str, fsp: usize) -> Option<(u32, bool)> {
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fsp = fsp.min(MAX_FSP);
    let kept = format!("{fraction:0<width$}", width = fsp + 1);
    let kept: u32 = kept.get(..=fsp)?.parse().ok()?;
    let (kept, unit) = ((kept + 5) / 10, 10_u32.pow(fsp as u32));
    let scale = 10_u32.pow((MAX_FSP - fsp) as u32);
    Some((kept % unit * scale, kept >= unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str, fsp: usize) -> Option<String> {
        Time::from_literal(text, fsp).map(|time| time.datetime_text(fsp))
    }

    #[test]
    fn strings_spell_times_in_many_ways() {
        for (text, fsp, expected) in [
            ("2024-01-01 10:00", 0, "2024-01-01 10:00:00"),
            ("2024-1-2", 0, "2024-01-02 00:00:00"),
            ("2024/01/02T3.4:5.5", 1, "2024-01-02 03:04:05.5"),
            ("2024-01.02", 0, "2024-01-02 00:00:00"),
            ("24-01-01", 0, "2024-01-01 00:00:00"),
            ("69-12-31", 0, "2069-12-31 00:00:00"),
            ("70-01-01", 0, "1970-01-01 00:00:00"),
            ("0-0-0", 0, "0000-00-00 00:00:00"),
            ("20240102", 0, "2024-01-02 00:00:00"),
            ("240102", 0, "2024-01-02 00:00:00"),
            ("240102030405", 0, "2024-01-02 03:04:05"),
            ("20240102030405.678", 2, "2024-01-02 03:04:05.68"),
            ("2024-12-31 23:59:59.5", 0, "2025-01-01 00:00:00"),
            ("2024-12-31 23:59:59.4999999", 3, "2024-12-31 23:59:59.500"),
            (
                "2024-02-28 23:59:59.9999996",
                6,
                "2024-02-29 00:00:00.000000",
            ),
        ] {
            assert_eq!(at(text, fsp).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "2024",
            "2024-01",
            "-1-1-1",
            "2024-13-01",
            "2024-01-01 24:00",
            "2024-01-01 10:00+08:00",
            "2024-01-01 10:00:00+08:00",
            "2024-01-01 10:00:00Z",
            "2024-01-01 10:00.5",
            "2024-01-01x",
            "2024-01-01 10:00 am",
            "9999-12-31 23:59:59.5",
        ] {
            assert_eq!(at(text, 0), None, "{text}");
        }
    }

    #[test]
    fn numbers_spell_times() {
        let at = |number| Time::from_number(number).map(|time| time.datetime_text(0));
        assert_eq!(at(20_240_101).as_deref(), Some("2024-01-01 00:00:00"));
        assert_eq!(at(691_231).as_deref(), Some("2069-12-31 00:00:00"));
        assert_eq!(at(700_101).as_deref(), Some("1970-01-01 00:00:00"));
        assert_eq!(at(101).as_deref(), Some("2000-01-01 00:00:00"));
        assert_eq!(
            at(20_240_102_030_405).as_deref(),
            Some("2024-01-02 03:04:05")
        );
        assert_eq!(at(240_102_030_405).as_deref(), Some("2024-01-02 03:04:05"));
        assert_eq!(at(0), Some("0000-00-00 00:00:00".to_owned()));
        for number in [1, 100, 700_000, 1_000_000, 20_241_301, u64::MAX] {
            assert_eq!(at(number), None, "{number}");
        }
    }

    #[test]
    fn strings_and_numbers_spell_durations() {
        let at = |text: &str, fsp| Duration::from_literal(text, fsp).map(|time| time.text(fsp));
        for (text, fsp, expected) in [
            ("100000", 0, "10:00:00"),
            ("1122", 0, "00:11:22"),
            ("10:00", 0, "10:00:00"),
            ("1 2:3:4", 0, "26:03:04"),
            ("1 2", 0, "26:00:00"),
            ("-1:2:3.55", 1, "-01:02:03.6"),
            ("00:59:59.9", 0, "01:00:00"),
            ("838:59:59", 0, "838:59:59"),
        ] {
            assert_eq!(at(text, fsp).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "",
            "1:60",
            "6070",
            "838:59:59.5",
            "839:00:00",
            "x",
            "1:2:3:4",
            "1.x",
        ] {
            assert_eq!(at(text, 0), None, "{text}");
        }
    }

    #[test]
    fn seconds_cross_days() {
        let time = Time::parse("2023-12-31 23:59:59").unwrap();
        assert_eq!(
            time.plus(1).unwrap().datetime_text(0),
            "2024-01-01 00:00:00"
        );
        assert_eq!(
            Time::from_seconds(-1, 0).unwrap().datetime_text(0),
            "1969-12-31 23:59:59"
        );
        assert_eq!(Time::default().seconds(), None);
        assert!(!Time::parse("2023-02-29").unwrap().is_real());
    }

    proptest! {
        #[test]
        fn printed_times_are_read(seconds in -62_135_596_800_i64..253_402_300_800, micro in 0..1_000_000_u32) {
            let time = Time::from_seconds(seconds, micro).unwrap();
            prop_assert_eq!(time.seconds(), Some(seconds));
            prop_assert_eq!(Time::from_literal(&time.datetime_text(6), 6), Some(time));
        }

        #[test]
        fn arbitrary_texts_never_panic(text: String, fsp in 0_usize..8) {
            let _ = (Time::from_literal(&text, fsp), Duration::from_literal(&text, fsp));
        }
    }
}
