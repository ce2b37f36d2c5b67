//! What Debezium's connector for MariaDB tells, in the words of its JSON converter.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use harness::lab::Compat;
use harness::observe::flink::table::Column;
use harness::observe::kafka::Record;
use harness::scenario::cell::{self, Cell};
use serde::Deserialize;
use serde_json::Value as Json;

use super::history::{Image, Shape, Told, Value};

/// Decimals as text keep their digits, and bytes as hexadecimal are readable.
pub const SETTINGS: &[(&str, &str)] = &[
    ("decimal.handling.mode", "string"),
    ("binary.handling.mode", "hex"),
    // The embedded TiDB's MariaDB logs the statements of its plans, `SET STATEMENT … FOR …`, which its parser does not know.
    ("schema.history.internal.skip.unparseable.ddl", "true"),
];

#[derive(Deserialize)]
struct Event {
    before: Option<serde_json::Map<String, Json>>,
    after: Option<serde_json::Map<String, Json>>,
    source: Source,
}

#[derive(Deserialize)]
struct Source {
    table: String,
    gtid: String,
}

/// From a record; none of a tombstone.
pub fn read(record: &Record, shapes: &super::history::Shapes) -> Result<Option<Told>, String> {
    let Some(bytes) = &record.value else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(bytes);
    let event: Event = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    let table = event.source.table;
    let shape = shapes
        .get(table.as_str())
        .ok_or_else(|| format!("a row of {table}: {text}"))?;
    let image =
        |row: Option<serde_json::Map<String, Json>>| row.map(|row| image(shape, &row)).transpose();
    let number = event
        .source
        .gtid
        .rsplit('-')
        .next()
        .and_then(|n| n.parse().ok());
    Ok(Some(Told {
        before: image(event.before)?,
        after: image(event.after)?,
        transaction: number.ok_or_else(|| format!("GTID {:?}", event.source.gtid))?,
        table,
    }))
}

fn image(shape: &Shape, row: &serde_json::Map<String, Json>) -> Result<Image, String> {
    let value = |column: &Column| {
        let value = row
            .get(&column.name)
            .ok_or_else(|| format!("no {} in {row:?}", column.name))?;
        let told = match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cell = cell(column, value)
            .ok_or_else(|| format!("{} {} is {value}", column.name, column.column_type))?;
        Ok((column.name.clone(), Value { cell, told }))
    };
    shape.columns.iter().map(value).collect()
}

/// The common form; none if it cannot be a value of the column.
fn cell(column: &Column, value: &Json) -> Option<Cell> {
    if value.is_null() {
        return Some(None);
    }
    let text = value.as_str();
    let number = value.as_i64();
    // The text that a message of the pipeline would have.
    let told = match column.data_type.as_str() {
        // Those above 2^63 - 1 are told as negative ones.
        "bigint" if column.column_type.contains("unsigned") => (number? as u64).to_string(),
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => number?.to_string(),
        "float" | "double" => value.as_f64()?.to_string(),
        "decimal" => plain(text?)?,
        "date" => date(number?),
        "datetime" if digits(column) > 3 => moment(number?, 6),
        "datetime" => moment(number?, 3),
        "timestamp" => text?.strip_suffix('Z')?.replace('T', " "),
        "time" => time(number?),
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            return Some(Some(text?.to_uppercase()));
        }
        "enum" => place(column, text?)?.to_string(),
        "set" => bits(column, text?)?.to_string(),
        "bit" => match (value.as_bool(), text) {
            (Some(bit), _) => u8::from(bit).to_string(),
            (None, text) => {
                let bytes = BASE64_STANDARD.decode(text?).ok()?;
                let bits = bytes
                    .iter()
                    .rev()
                    .fold(0, |bits, byte| (bits << 8) | u64::from(*byte));
                bits.to_string()
            }
        },
        _ => text?.to_owned(),
    };
    Some(cell::of_canal(column, Compat::V8, Some(&told)))
}

/// The number in parentheses of the column's type.
fn digits(column: &Column) -> u32 {
    let inside = column
        .column_type
        .split_once('(')
        .map(|(_, rest)| rest.trim_end_matches(')'));
    inside.and_then(|inside| inside.parse().ok()).unwrap_or(0)
}

/// A label's place, from 1, among those of the column's type. No label here has a quote or a comma.
pub fn place(column: &Column, label: &str) -> Option<u32> {
    let inside = column.column_type.split_once('(')?.1.trim_end_matches(')');
    let mut labels = inside
        .split(',')
        .map(|quoted| quoted.trim().trim_matches('\''));
    u32::try_from(labels.position(|known| known == label)? + 1).ok()
}

/// The number of a set of labels.
pub fn bits(column: &Column, labels: &str) -> Option<u64> {
    let labels = labels.split(',').filter(|label| !label.is_empty());
    labels
        .map(|label| Some(1_u64 << (place(column, label)? - 1)))
        .sum()
}

/// Java's large and small decimals have an exponent, `1E-30`.
fn plain(text: &str) -> Option<String> {
    let Some((digits, exponent)) = text.split_once('E') else {
        return Some(text.to_owned());
    };
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::try_from(fraction.len() as i64 - exponent.parse::<i64>().ok()?).ok()?;
    let all = format!(
        "{:0>width$}",
        format!("{whole}{fraction}"),
        width = scale + 1
    );
    let (whole, fraction) = all.split_at(all.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}

/// Days since 1970-01-01 in the calendar of today for all times.
fn date(days: i64) -> String {
    // From the first of a March, with which years of 400 begin: leap days are last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        0..=9 => (era * 400 + year, month + 3),
        _ => (era * 400 + year + 1, month - 9),
    };
    format!("{year:04}-{month:02}-{day:02}")
}

/// Since 1970, in units of this many digits of a second.
fn moment(since: i64, digits: u32) -> String {
    let second = 10_i64.pow(digits);
    let (seconds, fraction) = (since.div_euclid(second), since.rem_euclid(second));
    let (days, seconds) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let width = digits as usize;
    format!(
        "{} {hours:02}:{minutes:02}:{seconds:02}.{fraction:0width$}",
        date(days)
    )
}

/// Microseconds.
fn time(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(-141_427), "1582-10-15");
        assert_eq!(date(2_932_896), "9999-12-31");
        assert_eq!(moment(-1, 3), "1969-12-31 23:59:59.999");
        assert_eq!(time(-1), "-00:00:00.000001");
        assert_eq!(time(3_020_399_000_000), "838:59:59.000000");
    }

    #[test]
    fn decimals_lose_their_exponent() {
        assert_eq!(plain("0E-5").unwrap(), "0.00000");
        assert_eq!(plain("1.25E-7").unwrap(), "0.000000125");
        assert_eq!(plain("-12E-1").unwrap(), "-1.2");
        assert_eq!(plain("12.50").unwrap(), "12.50");
    }
}
