//! Texts that stand for dates and times.

use crate::mount::time::Parts;

/// A date, with or without a time of day, packed: `2024-01-31`, `2024/1/31 1:02:03.5`, `20240131`, `20240131010203`.
/// Nothing for what no calendar has, and for forms that are not read here.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = match (plain, text.len()) {
        (true, 8 | 14) => digits(text)?,
        _ => delimited(text)?,
    };
    is_real(&parts).then(|| parts.pack())
}

fn number<T: std::str::FromStr>(text: &str, widths: std::ops::RangeInclusive<usize>) -> Option<T> {
    let all = text.bytes().all(|byte| byte.is_ascii_digit());
    (all && widths.contains(&text.len())).then(|| text.parse().ok())?
}

fn digits(text: &str) -> Option<Parts> {
    let at = |from: usize, to: usize| text.get(from..to);
    let clock = |from: usize| at(from, from + 2).map_or(Some(0), |text| text.parse().ok());
    Some(Parts {
        year: at(0, 4)?.parse().ok()?,
        month: at(4, 6)?.parse().ok()?,
        day: at(6, 8)?.parse().ok()?,
        hour: clock(8)?,
        minute: clock(10)?,
        second: clock(12)?,
        micro: 0,
    })
}

fn delimited(text: &str) -> Option<Parts> {
    let (date, clock) = match text.split_once([' ', 'T']) {
        Some((date, clock)) => (date, Some(clock.trim_start())),
        None => (text, None),
    };
    let delimiter = if date.contains('/') { '/' } else { '-' };
    let mut date = date.split(delimiter);
    let mut parts = Parts {
        year: number(date.next()?, 4..=4)?,
        month: number(date.next()?, 1..=2)?,
        day: number(date.next()?, 1..=2)?,
        ..Parts::default()
    };
    if date.next().is_some() {
        return None;
    }
    if let Some(clock) = clock {
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut clock = clock.split(':');
        parts.hour = number(clock.next()?, 1..=2)?;
        parts.minute = number(clock.next()?, 1..=2)?;
        parts.second = clock.next().map_or(Some(0), |text| number(text, 1..=2))?;
        parts.micro = micros(fraction)?;
        if clock.next().is_some() {
            return None;
        }
    }
    Some(parts)
}

/// Microseconds of the digits behind the point.
fn micros(fraction: &str) -> Option<u32> {
    match fraction.len() {
        0 => Some(0),
        1..=6 => number(&format!("{fraction:0<6}"), 6..=6),
        _ => None,
    }
}

fn is_real(parts: &Parts) -> bool {
    let date = jiff::civil::Date::new(
        i16::try_from(parts.year).unwrap_or(-1),
        i8::try_from(parts.month).unwrap_or(0),
        i8::try_from(parts.day).unwrap_or(0),
    );
    date.is_ok() && parts.hour < 24 && parts.minute < 60 && parts.second < 60
}

/// Nanoseconds of `[-]HH:MM[:SS[.ffffff]]`, at most 838:59:59.
pub(super) fn parse_duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut clock = clock.split(':');
    let hour: i64 = number(clock.next()?, 1..=3)?;
    let minute: i64 = number(clock.next()?, 1..=2)?;
    let second: i64 = clock.next().map_or(Some(0), |text| number(text, 1..=2))?;
    let fits = hour <= 838 && minute < 60 && second < 60 && clock.next().is_none();
    let seconds = hour * 3600 + minute * 60 + second;
    fits.then_some(sign * (seconds * 1_000_000 + i64::from(micros(fraction)?)) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let mut out = Vec::new();
        Parts::unpack(parse(text)?)
            .unwrap()
            .write_datetime(6, &mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn forms_of_dates() {
        for (text, moment) in [
            ("2024-01-31", "2024-01-31 00:00:00.000000"),
            (" 2024/1/2 3:04:05.5 ", "2024-01-02 03:04:05.500000"),
            ("20240131", "2024-01-31 00:00:00.000000"),
            ("20240131010203", "2024-01-31 01:02:03.000000"),
            ("2024-02-29T23:59", "2024-02-29 23:59:00.000000"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(moment), "{text}");
        }
        for text in [
            "",
            "abc",
            "2023-02-29",
            "0000-00-00",
            "2024-01-01 24:00:00",
            "24-01-01",
            "2024-01-01Z",
            "2024-01-01 1:2:3.1234567",
            "2024-01-01 1:2:3:4",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn forms_of_times() {
        assert_eq!(parse_duration("-01:02:03.5"), Some(-3_723_500_000_000));
        assert_eq!(parse_duration("838:59"), Some(3_020_340_000_000_000));
        for text in ["", "1", "839:00:00", "1:60", "1:2:3:4", "a:b"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
