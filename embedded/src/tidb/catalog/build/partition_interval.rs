//! `INTERVAL (n) FIRST PARTITION LESS THAN … LAST PARTITION LESS THAN …`: TiDB's shorthand for partitions of equal width.

use jiff::Span;
use jiff::civil::DateTime;
use tidb_sql::ast::{
    Expr, Literal, PartitionBy, PartitionDef, PartitionInterval, PartitionValues, UnaryOp,
};

use super::super::ddl::{sql_error, unsupported};
use super::super::model::{FieldType, MAX_VALUE, PartitionInfo, PartitionType, Tp};
use super::super::{DdlError, TidbVersion};
use super::partition::Builder;
use crate::tidb::codec::{Datum, Time};
use crate::tidb::partition::bound;
use crate::tidb::partition::expr::Node;

/// Most partitions of a table.
const LIMIT: i64 = 8192;

/// TiDB's error for what it reads here and does not do.
pub(crate) fn refused(what: impl std::fmt::Display) -> DdlError {
    sql_error::refused(8200, format!("Unsupported {what}"))
}

/// A bound on the way from first to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    Number(i128),
    Time(Time),
}

/// The width of a partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Width {
    pub(crate) number: i64,
    pub(crate) unit: Option<&'static str>,
}

/// The partitions of CREATE TABLE.
pub(super) fn definitions(
    b: &Builder<'_>,
    info: &PartitionInfo,
    by: &PartitionBy,
    interval: &PartitionInterval,
) -> Result<Vec<PartitionDef>, DdlError> {
    if info.kind != PartitionType::Range {
        return Err(refused(
            "INTERVAL partitioning, only allowed on RANGE partitioning",
        ));
    }
    if !by.definitions.is_empty() {
        return Err(unsupported(
            b.query,
            "INTERVAL together with a list of partitions",
        ));
    }
    let (Some(first), Some(last)) = (&interval.first, &interval.last) else {
        return Err(refused(
            "INTERVAL partitioning, currently requires FIRST and LAST partitions to be defined",
        ));
    };
    let ft = column(b, info)?;
    let width = width(interval)?;
    let (first, last) = (point(b, first, ft)?, point(b, last, ft)?);
    let mut out = Vec::new();
    if interval.null {
        out.push(PartitionDef {
            values: PartitionValues::LessThan(vec![lowest(ft)]),
            ..named("P_NULL")
        });
    }
    out.extend(series(first, last, width, ft, 0)?);
    if interval.maxvalue {
        out.push(PartitionDef {
            values: PartitionValues::LessThan(vec![Expr::MaxValue]),
            ..named("P_MAXVALUE")
        });
    }
    Ok(out)
}

/// The column of RANGE COLUMNS, none of RANGE.
pub(crate) fn column<'a>(
    b: &Builder<'a>,
    info: &PartitionInfo,
) -> Result<Option<&'a FieldType>, DdlError> {
    match info.columns() {
        [] => Ok(None),
        [name] => {
            let ft = b.table.column(&name.l).map(|c| &c.field_type);
            match ft {
                Some(ft) if ft.tp.is_integer() || matches!(ft.tp, Tp::Date | Tp::Datetime) => {
                    Ok(Some(ft))
                }
                _ => Err(refused(
                    "INTERVAL partitioning, only supports Date, Datetime and INT types",
                )),
            }
        }
        _ => Err(refused(
            "INTERVAL partitioning, does not allow RANGE COLUMNS with more than one column",
        )),
    }
}

fn width(interval: &PartitionInterval) -> Result<Width, DdlError> {
    let number = match &interval.expr {
        Expr::Literal(Literal::Integer(n)) => i64::try_from(*n).ok(),
        Expr::Literal(Literal::String { value, .. }) => value.parse().ok(),
        _ => None,
    };
    Ok(Width {
        number: number
            .filter(|n| *n > 0)
            .ok_or_else(|| refused("INTERVAL, should be a positive number"))?,
        unit: interval.unit.map(tidb_sql::ast::TimeUnit::keyword),
    })
}

/// A bound as the statement has it.
pub(crate) fn point(
    b: &Builder<'_>,
    expr: &Expr,
    ft: Option<&FieldType>,
) -> Result<Point, DdlError> {
    let wrong = || sql_error::refused(1654, "Partition column values of incorrect type");
    let Some(ft) = ft else {
        return match Node::constant(expr, b.zone) {
            Ok(Some(number)) => Ok(Point::Number(number)),
            _ => Err(sql_error::refused(
                1697,
                "VALUES value for partition 'FIRST PARTITION' must have type INT",
            )),
        };
    };
    match bound::datum(expr, ft) {
        Ok(Datum::Int(n)) => Ok(Point::Number(n.into())),
        Ok(Datum::Uint(n)) => Ok(Point::Number(n.into())),
        Ok(Datum::Time(time)) => Ok(Point::Time(time)),
        Ok(_) => Err(wrong()),
        Err(bound::BoundError::NotServed) => {
            Err(unsupported(b.query, "expressions as bounds of INTERVAL"))
        }
        Err(_) => Err(wrong()),
    }
}

fn lowest(ft: Option<&FieldType>) -> Expr {
    let bits = match ft {
        Some(ft) if matches!(ft.tp, Tp::Date | Tp::Datetime) => return string("0000-01-01"),
        Some(ft) if ft.is_unsigned() => return number(0),
        Some(ft) => match ft.tp {
            Tp::Tiny => 8,
            Tp::Short => 16,
            Tp::Int24 => 24,
            Tp::Long => 32,
            _ => 64,
        },
        None => 64,
    };
    number(-(1_i128 << (bits - 1)))
}

fn named(name: impl Into<String>) -> PartitionDef {
    PartitionDef {
        name: name.into(),
        values: PartitionValues::None,
        options: vec![],
        sub: vec![],
    }
}

fn string(text: &str) -> Expr {
    Expr::Literal(Literal::String {
        charset: None,
        value: text.to_owned(),
    })
}

fn number(value: i128) -> Expr {
    let absolute = u64::try_from(value.unsigned_abs()).unwrap_or(u64::MAX);
    let literal = Expr::Literal(Literal::Integer(absolute));
    match value < 0 {
        true => Expr::Unary(UnaryOp::Minus, Box::new(literal)),
        false => literal,
    }
}

/// Partitions from `first` (or `from` widths behind it) to `last`, which one of them has to end at.
pub(crate) fn series(
    first: Point,
    last: Point,
    width: Width,
    ft: Option<&FieldType>,
    from: i64,
) -> Result<Vec<PartitionDef>, DdlError> {
    let mut out = Vec::new();
    for n in from..LIMIT {
        let point = after(first, n, width).ok_or_else(|| {
            refused("INTERVAL partitioning: Error when generating partition values")
        })?;
        if point > last {
            return Err(refused(format!(
                "INTERVAL: expr ({}) not matching FIRST + n INTERVALs ({} + n * {})",
                text(last, ft),
                text(first, ft),
                width.number
            )));
        }
        let text = text(point, ft);
        out.push(PartitionDef {
            values: PartitionValues::LessThan(vec![match point {
                Point::Number(value) => number(value),
                Point::Time(_) => string(&text),
            }]),
            ..named(format!("P_LT_{text}"))
        });
        if point == last {
            return Ok(out);
        }
    }
    Err(super::super::ddl::partition_error::too_many())
}

fn text(point: Point, ft: Option<&FieldType>) -> String {
    match point {
        Point::Number(value) => value.to_string(),
        Point::Time(time) if ft.is_some_and(|ft| ft.tp == Tp::Date) => time.date_text(),
        Point::Time(time) => time.datetime_text(0),
    }
}

fn after(first: Point, n: i64, width: Width) -> Option<Point> {
    let times = n.checked_mul(width.number)?;
    let time = match first {
        Point::Number(value) => return Some(Point::Number(value + i128::from(times))),
        Point::Time(time) => time,
    };
    let span = Span::new();
    let span = match width.unit? {
        "YEAR" => span.try_years(times),
        "QUARTER" => span.try_months(times.checked_mul(3)?),
        "MONTH" => span.try_months(times),
        "WEEK" => span.try_weeks(times),
        "DAY" => span.try_days(times),
        "HOUR" => span.try_hours(times),
        "MINUTE" => span.try_minutes(times),
        "SECOND" => span.try_seconds(times),
        _ => return None,
    };
    let moment = to_jiff(time)?.checked_add(span.ok()?).ok()?;
    Some(Point::Time(Time {
        year: u16::try_from(moment.year()).ok()?,
        month: moment.month().unsigned_abs(),
        day: moment.day().unsigned_abs(),
        hour: moment.hour().unsigned_abs(),
        minute: moment.minute().unsigned_abs(),
        second: moment.second().unsigned_abs(),
        micro: time.micro,
    }))
}

fn to_jiff(time: Time) -> Option<DateTime> {
    let small = |n: u8| i8::try_from(n).ok();
    DateTime::new(
        i16::try_from(time.year).ok()?,
        small(time.month)?,
        small(time.day)?,
        small(time.hour)?,
        small(time.minute)?,
        small(time.second)?,
        0,
    )
    .ok()
}

/// What a table's partitions tell of the interval that they were made with.
pub(crate) struct Guess {
    /// Whether the first partition is for NULL and what is lowest.
    pub(crate) null: bool,
    pub(crate) first: Point,
    pub(crate) last: Point,
    pub(crate) width: Width,
}

/// The interval of a table, if its partitions have one.
pub(crate) fn guess(b: &Builder<'_>, info: &PartitionInfo) -> Option<Guess> {
    if b.version < TidbVersion::V8_5 || info.kind != PartitionType::Range {
        return None;
    }
    let ft = column(b, info).ok()?;
    let texts: Vec<&String> = info
        .definitions
        .iter()
        .filter_map(|d| d.less_than.as_ref()?.first())
        .collect();
    let ends = texts
        .last()
        .is_some_and(|text| text.eq_ignore_ascii_case(MAX_VALUE));
    let texts = &texts[..texts.len().saturating_sub(usize::from(ends))];
    let read = |text: &str| {
        let options = crate::tidb::partition::options(b.version);
        let tree = tidb_sql::parse_expr(text, &options).ok()?;
        point(b, &tree, ft).ok()
    };
    let mut points = texts
        .iter()
        .map(|text| read(text))
        .collect::<Option<Vec<Point>>>()?;
    let low = lowest(ft);
    let null = *points.first()? == point(b, &low, ft).ok()?;
    if null {
        points.remove(0);
    }
    let (first, last) = (*points.first()?, *points.last()?);
    let steps = i64::try_from(points.len()).ok()?.checked_sub(1)?;
    if steps < 1 {
        return None;
    }
    let width = match (first, last) {
        (Point::Number(first), Point::Number(last)) => Width {
            number: i64::try_from((last - first) / i128::from(steps)).ok()?,
            unit: None,
        },
        (Point::Time(first), Point::Time(last)) => time_width(first, last, steps)?,
        _ => return None,
    };
    // Only what the interval would make again was made with it.
    let made = series(first, last, width, ft, 0).ok()?;
    (made.len() == points.len() && width.number > 0).then_some(Guess {
        null,
        first,
        last,
        width,
    })
}

/// TiDB's guess: seconds below 28 days, else months.
fn time_width(first: Time, last: Time, steps: i64) -> Option<Width> {
    const DAY: i64 = 86_400;
    let seconds = to_jiff(last)?
        .duration_since(to_jiff(first)?)
        .as_secs()
        .checked_div(steps)?;
    Some(if seconds < 28 * DAY {
        Width {
            number: seconds,
            unit: Some("SECOND"),
        }
    } else {
        let month = if steps <= 3 { 28 } else { 30 };
        Width {
            number: seconds / (month * DAY),
            unit: Some("MONTH"),
        }
    })
}
