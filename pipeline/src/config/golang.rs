//! Values as Go's standard library reads and prints them: users see its words in TiCDC's errors.

use std::fmt::Write as _;

/// What `strconv.ParseInt` makes of `text` for an integer of `bits`.
///
/// # Errors
/// Go's text: `strconv.ParseInt: parsing "x": invalid syntax`.
pub fn parse_int(text: &str, bits: u32) -> Result<i64, String> {
    parse_int_as("ParseInt", text, bits)
}

/// What `strconv.Atoi` makes of `text`.
///
/// # Errors
/// As [`parse_int`], under the name of `Atoi`.
pub fn atoi(text: &str) -> Result<i64, String> {
    parse_int_as("Atoi", text, 64)
}

fn parse_int_as(function: &str, text: &str, bits: u32) -> Result<i64, String> {
    let fail = |reason| format!("strconv.{function}: parsing {}: {reason}", quote(text));
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fail("invalid syntax"));
    }
    let limit = i64::MAX >> (64 - bits);
    match text.parse::<i64>() {
        Ok(number) if (-limit - 1..=limit).contains(&number) => Ok(number),
        _ => Err(fail("value out of range")),
    }
}

/// What `strconv.ParseUint` makes of `text`.
///
/// # Errors
/// Go's text.
pub fn parse_uint(text: &str) -> Result<u64, String> {
    let reason = match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        true => match text.parse() {
            Ok(number) => return Ok(number),
            Err(_) => "value out of range",
        },
        false => "invalid syntax",
    };
    Err(format!(
        "strconv.ParseUint: parsing {}: {reason}",
        quote(text)
    ))
}

/// What `strconv.ParseBool` makes of `text`.
///
/// # Errors
/// Go's text.
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {}: invalid syntax",
            quote(text)
        )),
    }
}

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What `time.ParseDuration` makes of `text`, in nanoseconds.
///
/// # Errors
/// Go's text: `time: missing unit in duration "10"`.
pub fn parse_duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {}", quote(text));
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (whole, fraction) = rest[..number_end]
            .split_once('.')
            .unwrap_or((&rest[..number_end], ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number_end > 40 {
            return Err(invalid());
        }
        rest = &rest[number_end..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = &rest[..unit_end];
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quote(text)));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!(
                "time: unknown unit {} in duration {}",
                quote(unit),
                quote(text)
            ));
        };
        // twelve digits are finer than a nanosecond in an hour
        let mut fraction = fraction.to_owned();
        fraction.truncate(12);
        let scale = 10_i128.pow(u32::try_from(fraction.len()).unwrap_or_default());
        let number = |digits: &str| {
            if digits.is_empty() {
                Ok(0)
            } else {
                digits.parse::<i128>()
            }
        };
        let digits = number(whole)
            .map_err(|_| invalid())?
            .checked_mul(scale)
            .ok_or_else(invalid)?
            + number(&fraction).map_err(|_| invalid())?;
        let part = digits
            .checked_mul(i128::from(*factor))
            .ok_or_else(invalid)?
            / scale;
        total = total.checked_add(part).ok_or_else(invalid)?;
        rest = &rest[unit_end..];
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

/// What `time.Duration.String` prints: `10s`, `2m0s`, `300ms`, `1.5s`.
#[must_use]
pub fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    if n == 0 {
        return "0s".to_owned();
    }
    let fraction = |value: u64, unit: u64| {
        let mut text = format!("{}", value / unit);
        let rest = value % unit;
        if rest > 0 {
            let digits = unit.ilog10() as usize;
            let _ = write!(
                text,
                ".{}",
                format!("{rest:0digits$}").trim_end_matches('0')
            );
        }
        text
    };
    match n {
        0..1_000 => format!("{sign}{n}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(n, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(n, 1_000_000)),
        _ => {
            let (hours, minutes) = (n / 3_600_000_000_000, n / 60_000_000_000 % 60);
            let seconds = fraction(n % 60_000_000_000, 1_000_000_000);
            match (hours, minutes) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, _) => format!("{sign}{minutes}m{seconds}s"),
                _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// What Go's `%q` prints of a text.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && (c as u32) < 0x80 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value as Go's `encoding/json` writes it: compact, with `<`, `>` and `&` escaped.
///
/// # Errors
/// When `value` cannot be written as JSON.
pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|text| escape_html(&text))
}

/// As [`json`], indented by `indent`.
///
/// # Errors
/// When `value` cannot be written as JSON.
pub fn json_indented<T: serde::Serialize + ?Sized>(
    value: &T,
    indent: &str,
) -> serde_json::Result<String> {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut out, formatter,
    ))?;
    Ok(escape_html(&String::from_utf8_lossy(&out)))
}

/// Outside of strings JSON has none of these characters, so that they can be replaced anywhere.
fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(parse_int("-12", 32), Ok(-12));
        assert_eq!(
            parse_int("abc", 32).unwrap_err(),
            "strconv.ParseInt: parsing \"abc\": invalid syntax"
        );
        assert_eq!(
            parse_int("99999", 16).unwrap_err(),
            "strconv.ParseInt: parsing \"99999\": value out of range"
        );
        assert_eq!(
            parse_int("1e6", 32).unwrap_err(),
            "strconv.ParseInt: parsing \"1e6\": invalid syntax"
        );
        assert_eq!(atoi("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(
            atoi("").unwrap_err(),
            "strconv.Atoi: parsing \"\": invalid syntax"
        );
        assert_eq!(parse_uint("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(
            parse_uint("-1").unwrap_err(),
            "strconv.ParseUint: parsing \"-1\": invalid syntax"
        );
        assert!(parse_bool("yes").is_err() && parse_bool("T") == Ok(true));
    }

    #[test]
    fn durations() {
        for (text, nanos, printed) in [
            ("10s", 10_000_000_000, "10s"),
            ("2m", 120_000_000_000, "2m0s"),
            ("300ms", 300_000_000, "300ms"),
            ("1.5h", 5_400_000_000_000, "1h30m0s"),
            ("-1m1.25s", -61_250_000_000, "-1m1.25s"),
            ("0", 0, "0s"),
        ] {
            assert_eq!(parse_duration(text), Ok(nanos), "{text}");
            assert_eq!(duration_text(nanos), printed);
        }
        assert_eq!(
            parse_duration("10").unwrap_err(),
            "time: missing unit in duration \"10\""
        );
        assert_eq!(
            parse_duration("10x").unwrap_err(),
            "time: unknown unit \"x\" in duration \"10x\""
        );
        assert_eq!(
            parse_duration("").unwrap_err(),
            "time: invalid duration \"\""
        );
    }

    proptest::proptest! {
        #[test]
        fn printed_durations_parse_back(nanos in i64::MIN + 1..i64::MAX) {
            proptest::prop_assert_eq!(parse_duration(&duration_text(nanos)), Ok(nanos));
        }

        #[test]
        fn parsers_never_panic(text in ".*") {
            let _ = (parse_duration(&text), parse_int(&text, 16), parse_uint(&text), quote(&text));
        }
    }

    #[test]
    fn json_is_escaped_for_html() {
        assert_eq!(json("a&b<c>").unwrap(), "\"a\\u0026b\\u003cc\\u003e\"");
    }
}
