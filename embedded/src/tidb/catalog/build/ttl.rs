//! TTL: when a table's rows expire. Nothing removes them here: that is the business of a job of TiDB's, once an hour at most.

use super::super::model::{CiStr, TableInfo, Tp, TtlInfo};
use super::super::{DdlError, ddl::sql_error};
use super::statement::TtlOptions;

/// How often TiDB looks for expired rows, unless that is said.
const JOB_INTERVAL: &str = "1h";

/// Units of time by TiDB's number for them, from 1.
const UNITS: [&str; 20] = [
    "MICROSECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "SECOND_MICROSECOND",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "HOUR_MICROSECOND",
    "HOUR_SECOND",
    "HOUR_MINUTE",
    "DAY_MICROSECOND",
    "DAY_SECOND",
    "DAY_MINUTE",
    "DAY_HOUR",
    "YEAR_MONTH",
];

/// The unit of a TTL's interval.
pub(crate) fn unit(ttl: &TtlInfo) -> &'static str {
    let place = usize::from(ttl.interval_time_unit).checked_sub(1);
    place.and_then(|n| UNITS.get(n)).copied().unwrap_or("DAY")
}

/// What the options of a statement make of a table's TTL.
pub(crate) fn ttl(table: &TableInfo, options: &TtlOptions) -> Result<Option<TtlInfo>, DdlError> {
    let before = table.ttl_info.iter().flatten().next();
    let mut out = match (&options.expires, before) {
        (Some(expires), _) => {
            check_column(table, &expires.column)?;
            let place = UNITS.iter().position(|unit| *unit == expires.unit);
            TtlInfo {
                column: CiStr::new(&expires.column),
                interval_expr: expires.interval.clone(),
                interval_time_unit: place.map_or(0, |n| n as u8 + 1),
                enable: before.is_none_or(|ttl| ttl.enable),
                job_interval: before
                    .map_or(JOB_INTERVAL, |ttl| &ttl.job_interval)
                    .to_owned(),
            }
        }
        (None, Some(before)) => before.clone(),
        (None, None) => {
            let given = [
                (options.enable.is_some(), "TTL_ENABLE"),
                (options.job_interval.is_some(), "TTL_JOB_INTERVAL"),
            ];
            let option = given.into_iter().find(|(given, _)| *given);
            return option.map_or(Ok(None), |(_, name)| {
                Err(sql_error::refused(
                    8150,
                    format!("Cannot set {name} on a table without TTL config"),
                ))
            });
        }
    };
    if let Some(enable) = options.enable {
        out.enable = enable;
    }
    if let Some(interval) = &options.job_interval {
        out.job_interval.clone_from(interval);
    }
    Ok(Some(out))
}

fn check_column(table: &TableInfo, name: &str) -> Result<(), DdlError> {
    let column = table
        .column(name)
        .ok_or_else(|| sql_error::unknown_column(name, "TTL config"))?;
    check_type(name, column.field_type.tp)
}

/// Rows expire by times only.
pub(crate) fn check_type(name: &str, tp: Tp) -> Result<(), DdlError> {
    match tp {
        Tp::Date | Tp::Datetime | Tp::Timestamp => Ok(()),
        _ => Err(sql_error::refused(
            8148,
            format!(
                "Field '{name}' is of a not supported type for TTL config, expect DATETIME, DATE or TIMESTAMP"
            ),
        )),
    }
}
