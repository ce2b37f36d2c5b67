//! Dates and times (`docs/spec/row-and-key-codecs.md §5`).

use super::Unreadable;

const NANOS: u64 = 1_000_000_000;

/// `YYYY-MM-DD` of a packed date.
pub fn date(packed: u64) -> Result<String, Unreadable> {
    let text = datetime(packed, 0)?;
    match text.strip_suffix(" 00:00:00") {
        Some(date) => Ok(date.to_owned()),
        None => Err(Unreadable::new("a date", format!("it has a time: {text}"))),
    }
}

/// `YYYY-MM-DD hh:mm:ss` of a packed time, with `fsp` digits of its fraction.
pub fn datetime(packed: u64, fsp: usize) -> Result<String, Unreadable> {
    let micro = packed & 0xff_ffff;
    let time = packed >> 24 & 0x1_ffff;
    let day = packed >> 41;
    let (second, minute, hour) = (time & 0x3f, time >> 6 & 0x3f, time >> 12);
    let (month, year) = ((day >> 5) % 13, (day >> 5) / 13);
    let day = day & 0x1f;
    if micro >= 1_000_000 || second > 59 || minute > 59 || hour > 23 || year > 9999 {
        let why = format!("{packed:#x} packs no time of a day");
        return Err(Unreadable::new("a date and time", why));
    }
    let fraction = fraction(micro, fsp);
    Ok(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}"
    ))
}

/// `[-]hh:mm:ss` of nanoseconds, with `fsp` digits of its fraction.
pub fn duration(nanos: i64, fsp: usize) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let seconds = nanos / NANOS;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = fraction(nanos % NANOS / 1000, fsp);
    format!("{sign}{hour:02}:{minute:02}:{second:02}{fraction}")
}

fn fraction(micro: u64, fsp: usize) -> String {
    match fsp {
        0 => String::new(),
        fsp => format!(".{}", &format!("{micro:06}")[..fsp.min(6)]),
    }
}
