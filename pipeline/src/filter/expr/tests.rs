//! Expressions over one row of a table with a column of each kind.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{CompileError, EvalError, Expr};
use crate::{
    compat::Compat,
    mount::{Value, time},
    schema::TableInfo,
};

/// Name, type code, flags, digits behind the point, charset, collation, members.
type Definition<'a> = (&'a str, u8, u64, i64, &'a str, &'a str, &'a [&'a str]);

const COLUMNS: &[Definition<'_>] = &[
    ("i", 8, 0, 0, "binary", "binary", &[]),
    ("u", 8, 32, 0, "binary", "binary", &[]),
    ("d", 246, 0, 2, "binary", "binary", &[]),
    ("f", 5, 0, -1, "binary", "binary", &[]),
    ("s", 15, 0, 0, "utf8mb4", "utf8mb4_bin", &[]),
    ("c", 15, 0, 0, "utf8mb4", "utf8mb4_general_ci", &[]),
    ("b", 15, 128, 0, "binary", "binary", &[]),
    ("e", 247, 0, 0, "utf8mb4", "utf8mb4_bin", &["x", "y"]),
    ("m", 248, 0, 0, "utf8mb4", "utf8mb4_bin", &["x", "y"]),
    ("dt", 12, 0, 3, "binary", "binary", &[]),
    ("ts", 7, 0, 0, "binary", "binary", &[]),
    ("da", 10, 0, 0, "binary", "binary", &[]),
    ("t", 11, 0, 0, "binary", "binary", &[]),
    ("y", 13, 32, 0, "binary", "binary", &[]),
    ("bi", 16, 32, 0, "binary", "binary", &[]),
    ("j", 245, 0, 0, "binary", "binary", &[]),
    ("n", 8, 0, 0, "binary", "binary", &[]),
];

fn table() -> TableInfo {
    let columns: Vec<_> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, (name, tp, flag, decimal, charset, collate, elems))| {
            serde_json::json!({
                "id": at + 1, "name": {"O": name, "L": name}, "offset": at, "state": 5,
                "type": {"Tp": tp, "Flag": flag, "Flen": 20, "Decimal": decimal, "Charset": charset,
                         "Collate": collate, "Elems": elems},
            })
        })
        .chain([serde_json::json!({
            "id": 90, "name": {"O": "v", "L": "v"}, "offset": COLUMNS.len(), "state": 5,
            "generated_expr_string": "`i` + 1", "type": {"Tp": 8, "Flag": 0, "Flen": 20},
        })])
        .collect();
    let model = serde_json::json!({
        "id": 1, "name": {"O": "T", "L": "t"}, "cols": columns, "state": 5,
    });
    TableInfo::new(
        1,
        "test",
        1,
        &serde_json::from_value(model).unwrap(),
        Compat::V8_5,
    )
}

fn row() -> Vec<Value<'static>> {
    let text = |text: &'static str| Value::Bytes(Cow::Borrowed(text.as_bytes()));
    let packed = |text: &str| Value::Time(time::parse_packed(text).unwrap());
    vec![
        Value::Int(-5),
        Value::Uint(7),
        // DECIMAL(4, 2) 12.50
        Value::Decimal(Cow::Borrowed(&[4, 2, 0x80 | 12, 50])),
        Value::Float(0.25),
        text("Abc"),
        text("Äbc"),
        text("ab"),
        Value::Uint(2),
        Value::Uint(3),
        packed("2024-02-29 10:20:30.125"),
        packed("2024-01-01 00:00:00"),
        packed("2024-02-29"),
        Value::Duration(time::parse_duration("-01:02:03").unwrap()),
        Value::Int(2024),
        Value::Uint(5),
        Value::Json(b"\x04\x00"),
        Value::Null,
    ]
}

fn judged(text: &str) -> Result<bool, EvalError> {
    judged_by(text, Compat::V6_5)
}

fn judged_by(text: &str, compat: Compat) -> Result<bool, EvalError> {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let expr = Expr::new(text, &table(), &zone, compat);
    expr.unwrap_or_else(|error| panic!("{text}: {error}"))
        .is_one(&row())
}

fn refused(text: &str) -> CompileError {
    match Expr::new(text, &table(), &TimeZone::UTC, Compat::V8_5) {
        Ok(_) => panic!("{text} is taken"),
        Err(error) => error,
    }
}

#[test]
fn quotients_of_v8_4_have_no_digits_of_their_own() {
    for (text, in_6_5, in_8_4) in [
        ("u / 2 = 3.5", true, false),
        ("u / 2 = 3", false, true),
        ("u / 2.0 = 3.5", true, true),
        ("1 / 3 = 0", false, true),
        ("d / 8 = 1.5625", true, true),
        ("f / 2 = 0.125", true, true),
    ] {
        assert_eq!(judged_by(text, Compat::V6_5), Ok(in_6_5), "{text}");
        assert_eq!(judged_by(text, Compat::V8_5), Ok(in_8_4), "{text}");
    }
}

#[test]
fn what_holds_and_what_does_not() {
    let holds = "
        i = -5
        u = 7 and i < 0
        u > i
        t.i = -5
        `U` = 7
        i between -6 and -5
        i not in (1, 2, '3')
        i in (1, -5)
        u = '7.0'
        u < '7.5'
        d = 12.5
        d = '12.50'
        d > 12
        f = 0.25
        f * 4 = 1
        s = 'Abc'
        s = 'Abc  '
        s <> 'abc'
        c = 'abc'
        c like 'a_C'
        c like 'a%' and s not like 'a%'
        lower(s) = 'abc'
        s collate utf8mb4_general_ci = 'ABC'
        b = 'ab'
        b = x'6162'
        b <> 'ab '
        e = 'y'
        e = 2
        m = 'x,y'
        m = 3
        dt = '2024-02-29 10:20:30.125'
        dt > '2024-02-29'
        dt > date '2024-02-28'
        ts = '2024-01-01 08:00:00'
        da = '2024-02-29'
        da < dt
        t < '00:00:00'
        t = time '-01:02:03'
        y = 2024
        y > 1999
        bi = b'101'
        bi & 1 = 1
        n is null
        isnull(n) and j is not null
        (n = 1) is unknown
        (n = 1) is not true
        not (n <=> 1)
        n <=> null
        coalesce(n, u) = 7
        ifnull(n, 0) = 0
        nullif(u, 7) is null
        if(i < 0, 1, 0)
        case when i > 0 then 0 when u = 7 then 1 end
        case u when 7 then 'a' else 'b' end = 'a'
        1 / 3 = 0.333333333
        u div 2 = 3
        u % 2
        i mod 3 = -2
        -i = 5
        abs(i) = 5 and sign(i) = -1
        floor(d) = 12 and ceil(d) = 13 and round(d) = 13
        length(c) = 4 and char_length(c) = 3
        concat(s, '-', u) = 'Abc-7'
        substring(s, 2) = 'bc' and left(s, 1) = 'A' and right(s, 2) = 'bc'
        trim(both 'A' from s) = 'bc'
        replace(s, 'b', '') = 'Ac'
        locate('b', s) = 2 and instr(c, 'B') = 2
        year(dt) = 2024 and month(da) = 2 and day(dt) = 29 and hour(dt) = 10 and second(t) = 3
        extract(minute from dt) = 20
        date(dt) = da
        greatest(u, 9) = 9 and least(s, 'Z') = 'Abc'
        cast(d as signed) = 13
        cast(u as char) = '7'
        cast('5' as unsigned) = 5
        s regexp '^A.c$'
        c regexp 'BC$'
        i = -5 xor u = 8
        !(i = 5) && (u = 1 || u = 7)
        u = 1 or u = 2 or u = 7
        true
        u - 6
    ";
    for text in holds.lines().map(str::trim).filter(|text| !text.is_empty()) {
        assert_eq!(judged(text), Ok(true), "{text}");
    }
    let not = "
        n = 1
        n <> 1
        not (n = 1)
        n in (1, null)
        n between 1 and 2
        n and 0
        i > null
        u not in (1, null)
        u
        u - 5
        i / 0 = 1
        s = 'abc'
        s like 'b%'
        e = 'x'
        e
        dt = '2024-02-29'
        da > '2024-02-29 00:00:01'
        b = 'a'
    ";
    for text in not.lines().map(str::trim).filter(|text| !text.is_empty()) {
        assert_eq!(judged(text), Ok(false), "{text}");
    }
}

#[test]
fn rows_without_a_verdict_are_errors() {
    for (text, expected) in [
        ("s = 0", "compare: \"Abc\" is no DOUBLE"),
        ("s + 1 > 0", "compare: \"Abc\" is no DOUBLE"),
        (
            "u - 8 > 0",
            "compute: a value is out of range of BIGINT UNSIGNED",
        ),
        ("s = dt", "compare: \"Abc\" is no DATETIME"),
        ("cast(s as signed) = 1", "compare: \"Abc\" is no INTEGER"),
        (
            "i * 9223372036854775807 = 0",
            "compute: a value is out of range of BIGINT",
        ),
    ] {
        assert_eq!(judged(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn what_is_not_evaluated_is_named() {
    for (text, part, what) in [
        ("now() > dt", "NOW()", "the function NOW is not evaluated"),
        (
            "u = 7 and sleep(1)",
            "SLEEP(1)",
            "the function SLEEP is not evaluated",
        ),
        ("j = 1", "`j`=1", "a JSON compared with a whole number"),
        ("v = 1", "`v`", "a virtual generated column"),
        (
            "dt = 20240229",
            "`dt`=20240229",
            "a DATETIME compared with a whole number",
        ),
        (
            "dt > 'soon'",
            "`dt`>_UTF8MB4'soon'",
            "is not read as a date and time",
        ),
        ("y = 24", "`y`=24", "of two digits"),
        ("i = 'abc'", "`i`=_UTF8MB4'abc'", "\"abc\" is no DOUBLE"),
        ("s = c", "`s`=`c`", "say with COLLATE by which"),
        ("d", "`d`", "TiCDC takes for no condition"),
        ("bi", "`bi`", "TiCDC takes for no condition"),
        ("s regexp '('", "", "the pattern"),
        ("i in (select 1)", "", "expressions of this kind"),
        ("count(i) > 1", "", "the function COUNT is not evaluated"),
        ("if(i, 's', 1) = 1", "", "values of different types"),
        ("@x = 1", "", "expressions of this kind"),
        ("i = 1 and dt", "`dt`", "as a condition"),
        ("dt > now() - interval 1 day", "", "the function"),
    ] {
        match refused(text) {
            CompileError::Unsupported {
                part: at,
                what: why,
            } => {
                assert!(
                    at.contains(part) && why.contains(what),
                    "{text}: {at}: {why}"
                );
            }
            other => panic!("{text}: {other}"),
        }
    }
    for (text, column) in [
        ("nope = 1", "nope"),
        ("o.i = 1", "o.i"),
        ("test.t.i = 1", "test.t.i"),
    ] {
        let column = column.to_owned();
        assert_eq!(refused(text), CompileError::UnknownColumn { column });
    }
    for text in [
        "id >",
        "",
        "a = 1; drop table t",
        "i = 1, 2",
        "i = 1 limit 3",
    ] {
        assert!(matches!(refused(text), CompileError::Syntax(_)), "{text}");
    }
    let deep = format!("{}i{}", "(".repeat(150), ")".repeat(150));
    let error = refused(&format!("{deep} = 1"));
    assert!(error.to_string().contains("nested more deeply"), "{error}");
    let long = vec!["i = 1"; 400].join(" or ");
    assert_eq!(judged(&format!("{long} or u = 7")), Ok(true));
    refused(&format!("{} or now()", vec!["i = 1"; 50_000].join(" or ")));
    refused(&format!("i {} = 1", "+ 1 ".repeat(50_000)));
}

#[test]
fn numbers_that_no_type_holds() {
    let digits = "1".repeat(100_000);
    for text in [
        format!("d > {digits}.5"),
        format!("d > 0.{digits}"),
        format!("d > '{digits}'"),
        format!("i in (1, 0.{digits})"),
    ] {
        let error = refused(&text).to_string();
        assert!(error.contains("more digits than"), "{error:.200}");
    }
    for places in [i64::MIN, i64::MIN + 1, -500, -3, 500, i64::MAX] {
        let expected = if places > 0 { "12.50" } else { "0" };
        assert_eq!(
            judged(&format!("round(d, {places}) = {expected}")),
            Ok(true)
        );
    }
}

/// Three-valued logic by itself: what the evaluator is held against.
#[derive(Debug, Clone)]
enum Logic {
    Known(Option<bool>),
    Not(Box<Logic>),
    And(Box<Logic>, Box<Logic>),
    Or(Box<Logic>, Box<Logic>),
    Xor(Box<Logic>, Box<Logic>),
    IsNull(Box<Logic>),
    IsTrue(Box<Logic>),
}

impl Logic {
    fn text(&self) -> String {
        match self {
            Logic::Known(Some(true)) => "(u = 7)".to_owned(),
            Logic::Known(Some(false)) => "(u = 8)".to_owned(),
            Logic::Known(None) => "(n = 1)".to_owned(),
            Logic::Not(a) => format!("(not {})", a.text()),
            Logic::And(a, b) => format!("({} and {})", a.text(), b.text()),
            Logic::Or(a, b) => format!("({} or {})", a.text(), b.text()),
            Logic::Xor(a, b) => format!("({} xor {})", a.text(), b.text()),
            Logic::IsNull(a) => format!("({} is null)", a.text()),
            Logic::IsTrue(a) => format!("({} is true)", a.text()),
        }
    }

    fn value(&self) -> Option<bool> {
        match self {
            Logic::Known(known) => *known,
            Logic::Not(a) => a.value().map(|a| !a),
            Logic::And(a, b) => match (a.value(), b.value()) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Logic::Or(a, b) => match (a.value(), b.value()) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Logic::Xor(a, b) => Some(a.value()? != b.value()?),
            Logic::IsNull(a) => Some(a.value().is_none()),
            Logic::IsTrue(a) => Some(a.value() == Some(true)),
        }
    }
}

fn logic() -> impl Strategy<Value = Logic> {
    let leaf = proptest::option::of(any::<bool>()).prop_map(Logic::Known);
    leaf.prop_recursive(5, 40, 2, |inner| {
        let one = inner.clone().prop_map(Box::new);
        let two = (one.clone(), one.clone());
        prop_oneof![
            one.clone().prop_map(Logic::Not),
            two.clone().prop_map(|(a, b)| Logic::And(a, b)),
            two.clone().prop_map(|(a, b)| Logic::Or(a, b)),
            two.prop_map(|(a, b)| Logic::Xor(a, b)),
            one.clone().prop_map(Logic::IsNull),
            one.prop_map(Logic::IsTrue),
        ]
    })
}

proptest! {
    #[test]
    fn logic_has_three_values(logic in logic()) {
        prop_assert_eq!(judged(&logic.text()), Ok(logic.value() == Some(true)), "{}", logic.text());
    }

    #[test]
    fn whole_numbers_compare_and_add_as_they_do(a in -1000_i64..1000, b in -1000_i64..1000, c in 1_i64..50) {
        let holds = |text: String| judged(&text).unwrap();
        prop_assert_eq!(holds(format!("{a} < {b}")), a < b);
        prop_assert_eq!(holds(format!("i + {a} >= {b}")), a - 5 >= b);
        prop_assert_eq!(holds(format!("i * {a} = {b}")), -5 * a == b);
        prop_assert_eq!(holds(format!("({a}) div {c} = {b}")), a / c == b);
        prop_assert_eq!(holds(format!("({a}) % {c} = {b}")), a % c == b);
        prop_assert_eq!(holds(format!("{a}.5 between {b} and {b} + {c}")), {
            let twice = if a < 0 { 2 * a - 1 } else { 2 * a + 1 };
            twice >= 2 * b && twice <= 2 * (b + c)
        });
        prop_assert_eq!(holds(format!("i in ({a}, {b})")), a == -5 || b == -5);
    }

    #[test]
    fn no_text_panics(text in "[a-z0-9'\"()=<>+*/%!&|~^, .`-]{0,40}") {
        if let Ok(expr) = Expr::new(&text, &table(), &TimeZone::UTC, Compat::V8_5) {
            let _ = expr.is_one(&row());
        }
    }
}
