//! DATE, DATETIME, TIMESTAMP and TIME values (`docs/spec/row-and-key-codecs.md §5`).

use super::CodecError;
use std::fmt::Write as _;

/// A calendar time as TiDB stores it. Zero parts (`0000-00-00`, `2020-00-00`) are representable.
/// The value of a TIMESTAMP column is in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999999.
    pub micro: u32,
}

impl Time {
    /// TiDB's packed form: `((year*13+month)<<5|day)<<17|hour<<12|minute<<6|second`, then 24 bits of microseconds.
    pub fn pack(self) -> u64 {
        let ym = u64::from(self.year) * 13 + u64::from(self.month);
        let ymd = (ym << 5) | u64::from(self.day);
        let hms =
            (u64::from(self.hour) << 12) | (u64::from(self.minute) << 6) | u64::from(self.second);
        (((ymd << 17) | hms) << 24) | u64::from(self.micro)
    }

    /// Reads [`Time::pack`]'s form; parts out of their range are refused.
    pub fn unpack(packed: u64) -> Result<Self, CodecError> {
        let micro = (packed & 0xff_ffff) as u32;
        let hms = (packed >> 24) & 0x1_ffff;
        let ymd = packed >> 41;
        let ym = ymd >> 5;
        let time = Self {
            year: (ym / 13) as u16,
            month: (ym % 13) as u8,
            day: (ymd & 31) as u8,
            hour: (hms >> 12) as u8,
            minute: ((hms >> 6) & 63) as u8,
            second: (hms & 63) as u8,
            micro,
        };
        if time.in_range() && ym / 13 <= 9999 {
            Ok(time)
        } else {
            Err(CodecError::malformed(
                "a packed time",
                format!("{packed:#x}"),
            ))
        }
    }

    fn in_range(&self) -> bool {
        self.year <= 9999
            && self.month <= 12
            && self.day <= 31
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 59
            && self.micro <= 999_999
    }

    /// The UTC time `seconds` and `micro` after 1970: how a binlog carries TIMESTAMP. Second 0 is the zero time
    /// there (`0000-00-00 00:00:00`), which is why 1970-01-01 00:00:00 itself is not a TIMESTAMP value.
    pub fn from_unix(seconds: u32, micro: u32) -> Self {
        if seconds == 0 && micro == 0 {
            return Self::default();
        }
        let days = seconds / 86_400;
        let rest = seconds % 86_400;
        let (year, month, day) = civil_from_days(days);
        Self {
            year,
            month,
            day,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
            micro,
        }
    }

    /// Parses `YYYY-MM-DD[ HH:MM:SS[.ffffff]]`, the canonical text; what SQL accepts beyond it is MariaDB's business.
    pub fn parse(text: &str) -> Result<Self, CodecError> {
        let bad = |why| CodecError::Text {
            what: "a date and time",
            text: text.to_owned(),
            why,
        };
        let (date, clock) = text
            .split_once([' ', 'T'])
            .map_or((text, None), |(d, c)| (d, Some(c)));
        let mut parts = date.split('-');
        let mut number = |width: usize| {
            parts
                .next()
                .filter(|p| {
                    !p.is_empty() && p.len() <= width && p.bytes().all(|b| b.is_ascii_digit())
                })
                .and_then(|p| p.parse::<u16>().ok())
        };
        let (Some(year), Some(month), Some(day)) = (number(4), number(2), number(2)) else {
            return Err(bad("expected YYYY-MM-DD"));
        };
        if parts.next().is_some() {
            return Err(bad("expected YYYY-MM-DD"));
        }
        let (hour, minute, second, micro) = match clock {
            None => (0, 0, 0, 0),
            Some(c) => parse_clock(c).ok_or_else(|| bad("expected HH:MM:SS"))?,
        };
        let narrow = |v: u32| u8::try_from(v).unwrap_or(u8::MAX);
        let time = Self {
            year,
            month: narrow(month.into()),
            day: narrow(day.into()),
            hour: narrow(hour),
            minute: narrow(minute),
            second: narrow(second),
            micro,
        };
        if time.in_range() {
            Ok(time)
        } else {
            Err(bad("a part is out of its range"))
        }
    }

    /// `YYYY-MM-DD`.
    pub fn date_text(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `YYYY-MM-DD HH:MM:SS` and `fsp` fraction digits.
    pub fn datetime_text(&self, fsp: usize) -> String {
        let mut out = self.date_text();
        let _ = write!(
            out,
            " {:02}:{:02}:{:02}",
            self.hour, self.minute, self.second
        );
        push_fraction(&mut out, self.micro, fsp);
        out
    }
}

/// A TIME value: signed nanoseconds, within ±838:59:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Duration(pub i64);

impl Duration {
    /// From sign, hours, minutes, seconds and microseconds.
    pub fn new(negative: bool, hours: u32, minutes: u32, seconds: u32, micro: u32) -> Self {
        let ns = (i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds))
            * 1_000_000_000
            + i64::from(micro) * 1000;
        Self(if negative { -ns } else { ns })
    }

    /// Parses `[-]HH:MM:SS[.ffffff]`.
    pub fn parse(text: &str) -> Result<Self, CodecError> {
        let (negative, clock) = text.strip_prefix('-').map_or((false, text), |c| (true, c));
        match parse_clock(clock) {
            Some((h, m, s, micro)) if m < 60 && s < 60 && h <= 838 => {
                Ok(Self::new(negative, h, m, s, micro))
            }
            _ => Err(CodecError::Text {
                what: "a time",
                text: text.to_owned(),
                why: "expected [-]HH:MM:SS within 838:59:59",
            }),
        }
    }

    /// `[-]HH:MM:SS` and `fsp` fraction digits.
    pub fn text(&self, fsp: usize) -> String {
        let abs = self.0.unsigned_abs();
        let seconds = abs / 1_000_000_000;
        let mut out = String::new();
        if self.0 < 0 {
            out.push('-');
        }
        let _ = write!(
            out,
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        push_fraction(&mut out, (abs % 1_000_000_000 / 1000) as u32, fsp);
        out
    }
}

fn push_fraction(out: &mut String, micro: u32, fsp: usize) {
    if fsp > 0 {
        let digits = format!("{micro:06}");
        let _ = write!(out, ".{}", &digits[..fsp.min(6)]);
    }
}

fn parse_clock(text: &str) -> Option<(u32, u32, u32, u32)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = clock.split(':').map(|p| {
        p.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| p.parse::<u32>().ok())
            .flatten()
    });
    let mut next = || parts.next().flatten();
    let (h, m, s) = (next()?, next()?, next()?);
    if parts.next().is_some() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let micro = format!("{fraction:0<6}").parse().ok()?;
    Some((h, m, s, micro))
}

/// The proleptic Gregorian date of a day after 1970-01-01.
fn civil_from_days(days: u32) -> (u16, u8, u8) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u32::from(month <= 2);
    (year as u16, month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unix_seconds_become_utc() {
        assert_eq!(
            Time::from_unix(0, 0).datetime_text(0),
            "0000-00-00 00:00:00"
        );
        assert_eq!(
            Time::from_unix(1, 0).datetime_text(0),
            "1970-01-01 00:00:01"
        );
        assert_eq!(
            Time::from_unix(1_321_009_871, 999_999).datetime_text(6),
            "2011-11-11 11:11:11.999999"
        );
        assert_eq!(
            Time::from_unix(2_147_483_647, 0).datetime_text(0),
            "2038-01-19 03:14:07"
        );
        assert_eq!(Time::from_unix(951_782_400, 0).date_text(), "2000-02-29");
    }

    #[test]
    fn wrong_texts_are_refused() {
        for text in [
            "",
            "2020",
            "2020-13-01",
            "2020-01-01 25:00:00",
            "2020-01-01 1:2",
            "x-01-01",
            "2020-1-1-1",
        ] {
            assert!(Time::parse(text).is_err(), "{text}");
        }
        for text in ["", "1", "839:00:00", "00:60:00", "--1:00:00", "+1:00:00"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_round_trip(y in 0..=9999_u16, mo in 0..=12_u8, d in 0..=31_u8, h in 0..24_u8, mi in 0..60_u8,
                            s in 0..60_u8, micro in 0..1_000_000_u32) {
            let t = Time { year: y, month: mo, day: d, hour: h, minute: mi, second: s, micro };
            prop_assert_eq!(Time::unpack(t.pack()), Ok(t));
            prop_assert_eq!(Time::parse(&t.datetime_text(6)), Ok(t));
        }

        #[test]
        fn durations_round_trip(us in -3_020_399_000_000_i64..=3_020_399_000_000) {
            let d = Duration(us * 1000);
            prop_assert_eq!(Duration::parse(&d.text(6)), Ok(d));
        }

        #[test]
        fn arbitrary_numbers_never_panic(packed: u64) {
            if let Ok(t) = Time::unpack(packed) {
                prop_assert_eq!(t.pack(), packed);
            }
        }
    }
}
