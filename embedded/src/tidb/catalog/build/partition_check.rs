//! What TiDB checks of partitions as a whole.

use super::super::ddl::partition_error as refuse;
use super::super::model::{DEFAULT_VALUE, MAX_VALUE, PartitionInfo, PartitionType};
use super::super::{DdlError, TidbVersion};
use super::partition::{Builder, too_many};
use crate::tidb::codec::Datum;
use crate::tidb::partition::expr::Node;
use crate::tidb::partition::{bound, bound_key, columns_key};

/// Names, order of bounds, values in one partition only.
pub(crate) fn check(b: &Builder<'_>, info: &PartitionInfo) -> Result<(), DdlError> {
    for (n, definition) in info.definitions.iter().enumerate() {
        if info.definitions[..n]
            .iter()
            .any(|other| other.name.l == definition.name.l)
        {
            return Err(refuse::same_name(&definition.name.o));
        }
    }
    too_many(b, info.definitions.len() as u64)?;
    match info.kind {
        PartitionType::Range => ranges(b, info),
        PartitionType::List => lists(b, info),
        _ => Ok(()),
    }
}

fn offsets(b: &Builder<'_>, info: &PartitionInfo) -> Vec<usize> {
    let columns = info.columns().iter();
    columns
        .filter_map(|name| b.table.column(&name.l).map(|c| c.offset))
        .collect()
}

fn key_failed(_: impl std::error::Error) -> DdlError {
    refuse::wrong_type_of_value()
}

/// Whether upper bounds rise from partition to partition.
pub(crate) fn ranges(b: &Builder<'_>, info: &PartitionInfo) -> Result<(), DdlError> {
    let columns = offsets(b, info);
    let is_max = |text: &String| text.eq_ignore_ascii_case(MAX_VALUE);
    let mut numbers: Option<i128> = None;
    let mut keys: Option<Vec<u8>> = None;
    for (n, definition) in info.definitions.iter().enumerate() {
        let bounds = definition.less_than.as_deref().unwrap_or_default();
        let last = n + 1 == info.definitions.len();
        if columns.is_empty() {
            let Some(bound) = bounds.first() else {
                continue;
            };
            if is_max(bound) {
                match last {
                    true => continue,
                    false => return Err(refuse::max_not_last()),
                }
            }
            let bound: i128 = bound.parse().map_err(key_failed)?;
            if numbers.is_some_and(|before| bound <= before) {
                return Err(refuse::not_increasing());
            }
            numbers = Some(bound);
            continue;
        }
        let known = bounds.iter().take_while(|bound| !is_max(bound)).count();
        let values: Vec<Datum> = bounds[..known]
            .iter()
            .zip(&columns)
            .map(|(text, offset)| bound::of_column(text, b.table, *offset).map_err(key_failed))
            .collect::<Result<_, _>>()?;
        let key =
            bound_key(b.table, &columns, &values, known < bounds.len()).map_err(key_failed)?;
        if keys.is_some_and(|before| key <= before) {
            return Err(refuse::not_increasing());
        }
        keys = Some(key);
    }
    Ok(())
}

fn lists(b: &Builder<'_>, info: &PartitionInfo) -> Result<(), DdlError> {
    let columns = offsets(b, info);
    let mut seen = std::collections::HashSet::new();
    let mut defaults = 0;
    for value in info.definitions.iter().flat_map(|d| d.values()) {
        if matches!(value.as_slice(), [one] if one.eq_ignore_ascii_case(DEFAULT_VALUE)) {
            defaults += 1;
            continue;
        }
        let key = match columns.is_empty() {
            true => value.concat().into_bytes(),
            false => {
                let values: Vec<Datum> = value
                    .iter()
                    .zip(&columns)
                    .map(|(text, offset)| {
                        bound::of_column(text, b.table, *offset).map_err(key_failed)
                    })
                    .collect::<Result<_, _>>()?;
                let values: Vec<&Datum> = values.iter().collect();
                columns_key(b.table, &columns, &values).map_err(key_failed)?
            }
        };
        if !seen.insert(key) {
            return Err(refuse::multiple_definition());
        }
    }
    match defaults > 1 {
        true => Err(refuse::multiple_definition()),
        false => Ok(()),
    }
}

/// The columns that a row's partition hangs on, by their offsets.
pub(crate) fn partition_columns(b: &Builder<'_>, info: &PartitionInfo) -> Vec<usize> {
    if !info.expr.is_empty() {
        let options = crate::tidb::partition::options(b.version);
        return tidb_sql::parse_expr(&info.expr, &options)
            .ok()
            .and_then(|tree| Node::compile(&tree, b.table).ok())
            .map_or_else(Vec::new, |node| node.columns());
    }
    offsets(b, info)
}

/// Every unique key has to hold the partitioning columns: only then it is unique within a partition.
pub(crate) fn check_keys(b: &Builder<'_>, info: &PartitionInfo) -> Result<(), DdlError> {
    let columns = partition_columns(b, info);
    let modern = b.version >= TidbVersion::V8_5;
    if let Some(handle) = b.table.handle_column()
        && columns.iter().any(|offset| *offset != handle.offset)
    {
        let key = if modern {
            "CLUSTERED INDEX"
        } else {
            "PRIMARY KEY"
        };
        return Err(refuse::unique_key(key));
    }
    for index in b.table.indexes.iter().filter(|i| i.is_unique) {
        let parts: Vec<usize> = index.columns.iter().map(|part| part.offset).collect();
        check_key(b, &columns, &parts, index.is_primary, &index.name.o)?;
    }
    Ok(())
}

/// Whether one unique key holds the partitioning columns.
pub(crate) fn check_key(
    b: &Builder<'_>,
    columns: &[usize],
    parts: &[usize],
    is_primary: bool,
    name: &str,
) -> Result<(), DdlError> {
    if columns.iter().all(|offset| parts.contains(offset)) {
        return Ok(());
    }
    Err(match (b.version, is_primary) {
        (TidbVersion::V4_0, true) => refuse::unique_key("PRIMARY KEY"),
        (TidbVersion::V4_0, false) => refuse::unique_key("UNIQUE INDEX"),
        (TidbVersion::V8_5, true) if !b.table.has_row_id() => refuse::unique_key("CLUSTERED INDEX"),
        (TidbVersion::V8_5, _) => refuse::global_index(name),
    })
}
