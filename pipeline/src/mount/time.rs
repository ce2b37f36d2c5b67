//! Dates and times: TiDB's packed form, durations, and their texts (spec/row-and-key-codecs.md §5).

use jiff::{Timestamp, civil, tz::TimeZone};

use super::error::MountError;

/// The parts of a packed date and time; month and day may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
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

impl Parts {
    /// Takes TiDB's packed number apart.
    pub fn unpack(packed: u64) -> Result<Self, MountError> {
        let (ymdhms, micro) = (packed >> 24, (packed & 0xff_ffff) as u32);
        let (ymd, hms) = (ymdhms >> 17, ymdhms & 0x1_ffff);
        let (ym, day) = (ymd >> 5, (ymd & 0x1f) as u8);
        let year = ym / 13;
        let parts = Parts {
            year: year as u16,
            month: (ym % 13) as u8,
            day,
            hour: (hms >> 12) as u8,
            minute: (hms >> 6 & 0x3f) as u8,
            second: (hms & 0x3f) as u8,
            micro,
        };
        if year > 9999
            || parts.hour > 23
            || parts.minute > 59
            || parts.second > 59
            || micro > 999_999
        {
            return Err(MountError::invalid("packed time", format!("{packed:#x}")));
        }
        Ok(parts)
    }

    /// TiDB's packed number.
    pub fn pack(self) -> u64 {
        let ymd = (u64::from(self.year) * 13 + u64::from(self.month)) << 5 | u64::from(self.day);
        let hms = u64::from(self.hour) << 12 | u64::from(self.minute) << 6 | u64::from(self.second);
        (ymd << 17 | hms) << 24 | u64::from(self.micro)
    }

    /// The same moment of UTC as a clock in `zone` shows it; a zero date stays.
    pub fn in_zone(self, zone: &TimeZone) -> Result<Self, MountError> {
        if self.month == 0 || self.day == 0 || *zone == TimeZone::UTC {
            return Ok(self);
        }
        let utc = civil::DateTime::new(
            self.year as i16,
            self.month as i8,
            self.day as i8,
            self.hour as i8,
            self.minute as i8,
            self.second as i8,
            0,
        )
        .and_then(|utc| TimeZone::UTC.to_timestamp(utc))
        .map_err(|e| MountError::invalid("timestamp", e.to_string()))?;
        Ok(Self::at(utc, zone, self.micro))
    }

    fn at(moment: Timestamp, zone: &TimeZone, micro: u32) -> Self {
        let local = zone.to_datetime(moment);
        Parts {
            year: local.year() as u16,
            month: local.month() as u8,
            day: local.day() as u8,
            hour: local.hour() as u8,
            minute: local.minute() as u8,
            second: local.second() as u8,
            micro,
        }
    }

    /// Appends `YYYY-MM-DD`.
    pub fn write_date(&self, out: &mut Vec<u8>) {
        push_digits(out, u32::from(self.year), 4);
        out.push(b'-');
        push_digits(out, self.month.into(), 2);
        out.push(b'-');
        push_digits(out, self.day.into(), 2);
    }

    /// Appends `YYYY-MM-DD HH:MM:SS` and `fsp` digits of the fraction.
    pub fn write_datetime(&self, fsp: usize, out: &mut Vec<u8>) {
        self.write_date(out);
        out.push(b' ');
        write_clock(
            self.hour.into(),
            self.minute.into(),
            self.second.into(),
            self.micro,
            fsp,
            out,
        );
    }
}

fn push_digits(out: &mut Vec<u8>, number: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let text = buffer.format(number);
    out.resize(out.len() + width.saturating_sub(text.len()), b'0');
    out.extend_from_slice(text.as_bytes());
}

fn write_clock(hour: u32, minute: u32, second: u32, micro: u32, fsp: usize, out: &mut Vec<u8>) {
    push_digits(out, hour, 2);
    out.push(b':');
    push_digits(out, minute, 2);
    out.push(b':');
    push_digits(out, second, 2);
    if fsp > 0 {
        out.push(b'.');
        let at = out.len();
        push_digits(out, micro, 6);
        out.truncate(at + fsp.min(6));
    }
}

/// Appends the text of a TIME of `nanos` nanoseconds with `fsp` digits of the fraction.
pub fn write_duration(nanos: i64, fsp: usize, out: &mut Vec<u8>) {
    if nanos < 0 {
        out.push(b'-');
    }
    let micros = nanos.unsigned_abs() / 1000;
    let (seconds, micro) = (micros / 1_000_000, (micros % 1_000_000) as u32);
    let (minutes, second) = (seconds / 60, (seconds % 60) as u32);
    write_clock(
        (minutes / 60) as u32,
        (minutes % 60) as u32,
        second,
        micro,
        fsp,
        out,
    );
}

/// The packed form of `YYYY-MM-DD[ HH:MM:SS[.ffffff]]`, the form in which TiDB stores defaults.
pub fn parse_packed(text: &str) -> Option<u64> {
    let (date, clock) = text.split_once([' ', 'T']).unwrap_or((text, "0:0:0"));
    let mut date = date.splitn(3, '-');
    let mut parts = Parts {
        year: date.next()?.parse().ok()?,
        month: date.next()?.parse().ok()?,
        day: date.next()?.parse().ok()?,
        ..Parts::default()
    };
    let (clock, micro) = split_fraction(clock)?;
    let mut clock = clock.splitn(3, ':');
    parts.hour = clock.next()?.parse().ok()?;
    parts.minute = clock.next()?.parse().ok()?;
    parts.second = clock.next()?.parse().ok()?;
    parts.micro = micro;
    let packed = parts.pack();
    (Parts::unpack(packed).ok()? == parts).then_some(packed)
}

/// Nanoseconds of `[-]HH:MM:SS[.ffffff]`.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (clock, micro) = split_fraction(text)?;
    let mut seconds = 0i64;
    for part in clock.split(':') {
        seconds = seconds
            .checked_mul(60)?
            .checked_add(i64::from(part.parse::<u16>().ok()?))?;
    }
    Some(sign * (seconds * 1_000_000 + i64::from(micro)) * 1000)
}

fn split_fraction(text: &str) -> Option<(&str, u32)> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return Some((text, 0));
    };
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some((whole, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_zone_moves_the_clock_but_not_zero_dates() {
        let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
        let parts = Parts::unpack(parse_packed("2020-02-20 20:00:00.5").unwrap()).unwrap();
        let mut text = Vec::new();
        parts
            .in_zone(&shanghai)
            .unwrap()
            .write_datetime(1, &mut text);
        assert_eq!(text, b"2020-02-21 04:00:00.5");
        assert_eq!(
            Parts::default().in_zone(&shanghai).unwrap(),
            Parts::default()
        );
    }

    proptest! {
        #[test]
        fn any_packed_number_is_refused_or_packs_back(packed: u64) {
            if let Ok(parts) = Parts::unpack(packed) {
                prop_assert_eq!(parts.pack(), packed);
                let _ = parts.in_zone(&TimeZone::get("America/New_York").unwrap());
            }
        }

        #[test]
        fn durations_parse_back(nanos in -3_020_399_000_000i64..3_020_399_000_000) {
            let nanos = nanos / 1000 * 1000;
            let mut text = Vec::new();
            write_duration(nanos, 6, &mut text);
            prop_assert_eq!(parse_duration(std::str::from_utf8(&text).unwrap()), Some(nanos));
        }
    }
}
