use super::*;
use crate::tidb::catalog::TidbVersion;
use crate::tidb::catalog::model::flag;
use crate::tidb::codec::{Time, json as binary_json};

fn ft(tp: Tp, flen: i64, decimal: i64) -> FieldType {
    let mut ft = FieldType::new(TidbVersion::V8_5, tp);
    (ft.flen, ft.decimal) = (flen, decimal);
    let charset = if tp.is_string() { "utf8mb4" } else { "binary" };
    ft.charset = charset.to_owned();
    ft
}

fn text(text: &str) -> Datum {
    Datum::Bytes(text.as_bytes().to_vec())
}

fn fails(code: u16, message: &str) -> Result<Datum, CastError> {
    Err(CastError::Fails {
        code,
        message: message.to_owned(),
    })
}

/// The texts of 1265 and 1292 are recorded, in `ddl-column-index` and `errors`.
#[test]
fn values_that_fit_are_cast_and_others_fail() {
    let (varchar, int) = (ft(Tp::Varchar, 3, 0), ft(Tp::Long, 11, 0));
    let (tiny, decimal) = (ft(Tp::Tiny, 4, 0), ft(Tp::NewDecimal, 4, 2));
    for (value, from, to, expected) in [
        (Datum::Int(123), &int, &varchar, Ok(text("123"))),
        (
            Datum::Int(12345),
            &int,
            &varchar,
            fails(1265, "Data truncated for column 'v', value is '12345'"),
        ),
        (text("-7"), &varchar, &int, Ok(Datum::Int(-7))),
        (
            text("a"),
            &varchar,
            &int,
            fails(1292, "Truncated incorrect DOUBLE value: 'a'"),
        ),
        (
            Datum::Int(300),
            &int,
            &tiny,
            fails(1690, "constant 300 overflows tinyint"),
        ),
        (
            Datum::Int(12),
            &int,
            &decimal,
            Ok(Datum::Decimal("12.00".parse().unwrap())),
        ),
        (
            text("123.4"),
            &varchar,
            &decimal,
            fails(1690, "DECIMAL value is out of range in '(4, 2)'"),
        ),
        (Datum::Null, &int, &varchar, Ok(Datum::Null)),
    ] {
        let outcome = cast(&value, "v", (from, to), &Zone::default());
        assert_eq!(outcome, expected, "{value:?}");
    }
}

#[test]
fn what_the_two_may_cast_otherwise_is_not_served() {
    let (varchar, int) = (ft(Tp::Varchar, 3, 0), ft(Tp::Long, 11, 0));
    let decimal = ft(Tp::NewDecimal, 4, 1);
    for (value, from, to) in [
        (text("1.5"), &varchar, &int),
        (text("1e3"), &varchar, &int),
        (text(" 7"), &varchar, &int),
        (text("abc  "), &ft(Tp::Varchar, 9, 0), &varchar),
        (text("2.55"), &varchar, &decimal),
        (Datum::Decimal("2.5".parse().unwrap()), &decimal, &int),
        (text("2024-02-30"), &varchar, &ft(Tp::Date, 10, 0)),
        (
            Datum::Float(1e300),
            &ft(Tp::Double, 22, -1),
            &ft(Tp::Float, 12, -1),
        ),
        (text("é"), &varchar, &{
            let mut latin1 = varchar.clone();
            latin1.charset = "latin1".to_owned();
            latin1
        }),
    ] {
        let outcome = cast(&value, "v", (from, to), &Zone::default());
        assert!(
            matches!(outcome, Err(CastError::Unserved(_))),
            "{value:?}: {outcome:?}"
        );
    }
    let mut filled = ft(Tp::Long, 11, 0);
    filled.flag |= flag::UNSIGNED | flag::ZEROFILL;
    // MariaDB does not know that it is filled up.
    assert!(is_served(&filled, &varchar));
    assert!(!is_served(&ft(Tp::Double, 22, -1), &ft(Tp::Json, -1, 0)));
}

fn members(tp: Tp, names: &[&str]) -> FieldType {
    let mut ft = ft(tp, -1, 0);
    ft.elems = Some(names.iter().map(|name| (*name).to_owned()).collect());
    ft
}

#[test]
fn members_bits_and_json_are_cast() {
    let (set, other) = (
        members(Tp::Set, &["a", "b", "c"]),
        members(Tp::Set, &["c", "b"]),
    );
    let (varchar, int) = (ft(Tp::Varchar, 20, 0), ft(Tp::Long, 11, 0));
    let (bit, json) = (ft(Tp::Bit, 4, 0), ft(Tp::Json, -1, 0));
    let document =
        |text: &str| Datum::Json(binary_json::from_text(text, TidbVersion::V8_5).unwrap());
    for (value, from, to, expected) in [
        (Datum::Uint(6), &set, &varchar, Ok(text("b,c"))),
        (Datum::Uint(6), &set, &other, Ok(Datum::Uint(3))),
        (Datum::Uint(0), &set, &other, Ok(Datum::Uint(0))),
        (
            Datum::Uint(1),
            &set,
            &other,
            fails(1265, "Data truncated for column 'v', value is 'a'"),
        ),
        (Datum::Uint(6), &set, &int, Ok(Datum::Int(6))),
        (text("c,a"), &varchar, &set, Ok(Datum::Uint(5))),
        (Datum::Int(5), &int, &set, Ok(Datum::Uint(5))),
        (Datum::Int(15), &int, &bit, Ok(Datum::Uint(15))),
        (
            Datum::Int(16),
            &int,
            &bit,
            fails(1265, "Data truncated for column 'v', value is '16'"),
        ),
        (Datum::Uint(15), &bit, &varchar, Ok(text("15"))),
        (Datum::Int(-5), &int, &json, Ok(document("-5"))),
        (
            text(r#"{"b":1,"a":2}"#),
            &varchar,
            &json,
            Ok(document(r#"{"a": 2, "b": 1}"#)),
        ),
        (
            document(r#"{"b":1,"a":2}"#),
            &json,
            &varchar,
            Ok(text(r#"{"a": 2, "b": 1}"#)),
        ),
        (document("7"), &json, &int, Ok(Datum::Int(7))),
    ] {
        assert!(is_served(from, to) && is_allowed(from, to));
        let outcome = cast(&value, "v", (from, to), &Zone::default());
        assert_eq!(outcome, expected, "{value:?}");
    }
    for (value, from, to) in [
        (text("A"), &varchar, &set),
        (text("2"), &varchar, &set),
        (Datum::Int(8), &int, &set),
        (Datum::Int(-1), &int, &bit),
        (Datum::Uint(300), &bit, &ft(Tp::Varchar, 2, 0)),
        (document("1.5"), &json, &int),
        (document(r#""7""#), &json, &int),
        (text("{x"), &varchar, &json),
    ] {
        let outcome = cast(&value, "v", (from, to), &Zone::default());
        assert!(
            matches!(outcome, Err(CastError::Unserved(_))),
            "{value:?}: {outcome:?}"
        );
    }
    assert!(!is_allowed(&json, &bit) && !is_allowed(&bit, &set));
    assert!(!is_served(&bit, &ft(Tp::Blob, 65535, 0)));
}

#[test]
fn timestamps_are_cast_in_the_zone() {
    let berlin = Zone::new("Europe/Berlin", 3600);
    let (stamp, datetime) = (ft(Tp::Timestamp, 19, 0), ft(Tp::Datetime, 19, 0));
    let (date, varchar) = (ft(Tp::Date, 10, 0), ft(Tp::Varchar, 30, 0));
    let time = |text: &str| Datum::Time(Time::parse(text).unwrap());
    let (utc, shown) = ("2024-07-01 10:00:00", "2024-07-01 12:00:00");
    for (value, from, to, expected) in [
        (time(utc), &stamp, &datetime, time(shown)),
        (time(shown), &datetime, &stamp, time(utc)),
        (time(utc), &stamp, &stamp, time(utc)),
        (time(utc), &stamp, &varchar, text(shown)),
        (text(shown), &varchar, &stamp, time(utc)),
        (
            time("2024-07-01"),
            &date,
            &stamp,
            time("2024-06-30 22:00:00"),
        ),
        (
            time("2024-06-30 22:00:00"),
            &stamp,
            &date,
            time("2024-07-01"),
        ),
    ] {
        let outcome = cast(&value, "v", (from, to), &berlin);
        assert_eq!(outcome, Ok(expected), "{value:?}");
    }
    // What clocks show twice or not at all, and what is no TIMESTAMP.
    for (value, from, to) in [
        (time("2024-10-27 00:30:00"), &stamp, &datetime),
        (time("2024-10-27 01:30:00"), &stamp, &varchar),
        (time("2024-10-27 02:30:00"), &datetime, &stamp),
        (time("2024-03-31 02:30:00"), &datetime, &stamp),
        (time("2040-01-01 00:00:00"), &datetime, &stamp),
        (time("0000-00-00 00:00:00"), &stamp, &datetime),
        (time("0000-00-00 00:00:00"), &datetime, &stamp),
    ] {
        let outcome = cast(&value, "v", (from, to), &berlin);
        assert!(
            matches!(outcome, Err(CastError::Unserved(_))),
            "{value:?}: {outcome:?}"
        );
    }
}
