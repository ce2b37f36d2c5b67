//! From `PARTITION BY` to a table's partitions, with what TiDB checks.

use tidb_sql::ast::{
    Expr, PartitionBy, PartitionDef, PartitionMethod, PartitionValues, TableOption,
};

use super::super::ddl::{partition_error as refuse, sql_error, unsupported};
use super::super::model::{
    CiStr, DEFAULT_VALUE, FieldType, MAX_VALUE, PartitionDefinition, PartitionInfo, PartitionType,
    TableInfo, Tp,
};
use super::super::{DdlError, TidbVersion, Warning, Zone};
use super::partition_check::{check, check_keys};
use super::partition_expr::spelled;
use crate::tidb::codec::{Datum, collate};
use crate::tidb::partition::bound::{self, BoundError};
use crate::tidb::partition::expr::{ExprError, Node};
use crate::tidb::partition::key_is_served;
use crate::tidb::partition::width::stays_within_64_bits;

/// What a statement's partitions are made from.
pub(crate) struct Builder<'a> {
    pub(crate) version: TidbVersion,
    /// The statement, for refusals.
    pub(crate) query: &'a str,
    /// The table, without partitions or with those it has.
    pub(crate) table: &'a TableInfo,
    /// The session's time zone.
    pub(crate) zone: &'a Zone,
}

/// Partitions as TiDB makes them, without ids: none where a release does not know the method and makes the table without.
pub(crate) fn partitions(
    b: &Builder<'_>,
    by: &PartitionBy,
    warnings: &mut Vec<Warning>,
) -> Result<Option<PartitionInfo>, DdlError> {
    let kind = kind(&by.method);
    let linear = matches!(
        by.method,
        PartitionMethod::Hash { linear: true, .. } | PartitionMethod::Key { linear: true, .. }
    );
    count_matches(by, kind)?;
    let mut warn = |message: String| {
        warnings.push(Warning {
            level: "Warning",
            code: 8200,
            message,
        });
    };
    if b.version == TidbVersion::V4_0 {
        let known = match &by.method {
            PartitionMethod::Range(_) | PartitionMethod::Hash { linear: false, .. } => true,
            PartitionMethod::RangeColumns(columns) => columns.len() == 1,
            _ => false,
        };
        if !known || by.sub.is_some() {
            warn("Unsupported partition type, treat as normal table".to_owned());
            return Ok(None);
        }
    } else {
        if by.sub.is_some() && kind.is_hashed() {
            return Err(refuse::subpartition());
        }
        if linear {
            let text = kind.text();
            warn(format!(
                "LINEAR {text} is not supported, using non-linear {text} instead"
            ));
        }
        if by.sub.is_some() {
            let text = kind.text();
            warn(format!(
                "Unsupported subpartitioning, only using {text} partitioning"
            ));
        }
    }
    let mut info = PartitionInfo::new(b.version, kind);
    info.num = by.count.unwrap_or(by.definitions.len() as u64);
    match &by.method {
        PartitionMethod::Hash { expr, .. }
        | PartitionMethod::Range(expr)
        | PartitionMethod::List(expr) => {
            checked(b, expr)?;
            info.expr = spelled(b.version, expr);
        }
        PartitionMethod::Key { columns, .. }
        | PartitionMethod::RangeColumns(columns)
        | PartitionMethod::ListColumns(columns) => {
            let names: Vec<CiStr> = columns.iter().map(|c| CiStr::new(&c.name)).collect();
            set_columns(b, &mut info, names)?;
        }
    }
    let generated;
    let definitions = match &by.interval {
        None => &by.definitions,
        Some(interval) => {
            generated = super::partition_interval::definitions(b, &info, by, interval)?;
            &generated
        }
    };
    info.definitions = match kind.is_hashed() {
        true => hashed(
            b,
            &PartitionInfo::new(b.version, kind),
            definitions,
            info.num,
        )?,
        false => listed(b, &info, definitions)?,
    };
    check(b, &info)?;
    check_keys(b, &info)?;
    Ok(Some(info))
}

fn kind(method: &PartitionMethod) -> PartitionType {
    match method {
        PartitionMethod::Hash { .. } => PartitionType::Hash,
        PartitionMethod::Key { .. } => PartitionType::Key,
        PartitionMethod::Range(_) | PartitionMethod::RangeColumns(_) => PartitionType::Range,
        PartitionMethod::List(_) | PartitionMethod::ListColumns(_) => PartitionType::List,
    }
}

fn count_matches(by: &PartitionBy, kind: PartitionType) -> Result<(), DdlError> {
    let listed = by.definitions.len() as u64;
    let implied = kind.is_hashed() && by.count == Some(1);
    if listed > 0 && by.count.is_some_and(|n| n != listed) && !implied {
        return Err(refuse::wrong_number());
    }
    if !kind.is_hashed() && listed == 0 && by.interval.is_none() {
        return Err(refuse::must_be_defined(kind));
    }
    if by.count == Some(0) {
        return Err(sql_error::refused(
            1504,
            "Number of partitions = 0 is not an allowed value",
        ));
    }
    Ok(())
}

/// The partitioning function, as TiDB allows it.
pub(crate) fn checked(b: &Builder<'_>, expr: &Expr) -> Result<Node, DdlError> {
    let node = Node::compile(expr, b.table).map_err(|error| match error {
        ExprError::UnknownColumn(name) => {
            let place = match b.version {
                TidbVersion::V4_0 => "expression",
                TidbVersion::V8_5 => "partition function",
            };
            sql_error::unknown_column(&name, place)
        }
        ExprError::NotAllowed => refuse::function_not_allowed(),
        ExprError::WrongArgument => refuse::wrong_expression(),
        ExprError::ColumnType(name) => refuse::field_type(&name),
        ExprError::NotServed(what) => unsupported(b.query, format!("PARTITION BY with {what}")),
        _ => refuse::returns_wrong_type(),
    })?;
    match stays_within_64_bits(&node, b.table) {
        true => Ok(node),
        false => {
            let what = "PARTITION BY with arithmetic that may leave 64 bits";
            Err(unsupported(b.query, what))
        }
    }
}

fn set_columns(
    b: &Builder<'_>,
    info: &mut PartitionInfo,
    mut names: Vec<CiStr>,
) -> Result<(), DdlError> {
    if info.kind == PartitionType::Key && names.is_empty() {
        let handle = b.table.handle_column().map(|c| vec![c.name.clone()]);
        let primary = || b.table.indexes.iter().find(|i| i.is_primary);
        names = handle
            .or_else(|| primary().map(|i| i.columns.iter().map(|c| c.name.clone()).collect()))
            .ok_or_else(refuse::field_not_found)?;
        info.is_empty_columns = Some(true);
    }
    for (n, name) in names.iter().enumerate() {
        let column = b
            .table
            .column(&name.l)
            .ok_or_else(refuse::field_not_found)?;
        if names[..n].iter().any(|other| other.l == name.l) {
            return Err(sql_error::refused(
                1652,
                format!("Duplicate partition field name '{}'", name.o),
            ));
        }
        let ft = &column.field_type;
        let by_value = ft.tp.is_integer()
            || matches!(ft.tp, Tp::Date | Tp::Datetime | Tp::Duration)
            || ft.tp.is_string() && !ft.tp.is_blob();
        let allowed = match info.kind {
            PartitionType::Key => !ft.tp.is_blob() && ft.tp != Tp::Json,
            _ => by_value,
        };
        if !allowed {
            return Err(refuse::field_type(&name.o));
        }
        let known =
            !ft.tp.is_string() || !b.table.new_collations() || collate::is_known(&ft.collate);
        if !known || info.kind == PartitionType::Key && !key_is_served(ft) {
            return Err(unsupported(
                b.query,
                format!("partitions by column {:?}: its type or collation", name.o),
            ));
        }
    }
    info.columns = Some(names);
    Ok(())
}

/// Partitions of HASH and KEY: those there are, those that are listed, and as many more as are asked for.
pub(crate) fn hashed(
    b: &Builder<'_>,
    old: &PartitionInfo,
    listed: &[PartitionDef],
    count: u64,
) -> Result<Vec<PartitionDefinition>, DdlError> {
    too_many(b, count)?;
    let mut out = Vec::new();
    for n in 0..usize::try_from(count).unwrap_or(usize::MAX) {
        let given = n
            .checked_sub(old.definitions.len())
            .and_then(|n| listed.get(n));
        out.push(match (old.definitions.get(n), given) {
            (Some(old), _) => PartitionDefinition {
                id: 0,
                ..old.clone()
            },
            (None, Some(given)) => {
                if given.values != PartitionValues::None {
                    return Err(wrong_values(&given.values));
                }
                named(b, given)?
            }
            (None, None) => PartitionDefinition::new(b.version, CiStr::new(format!("p{n}"))),
        });
    }
    Ok(out)
}

/// Which values only another method has.
fn wrong_values(values: &PartitionValues) -> DdlError {
    match values {
        PartitionValues::LessThan(_) => refuse::wrong_values("RANGE", "LESS THAN"),
        _ => refuse::wrong_values("LIST", "IN"),
    }
}

fn named(b: &Builder<'_>, def: &PartitionDef) -> Result<PartitionDefinition, DdlError> {
    super::column::check_name("table", &def.name)?;
    let mut out = PartitionDefinition::new(b.version, CiStr::new(&def.name));
    for option in &def.options {
        match option {
            TableOption::Comment(text) => out.comment.clone_from(text),
            TableOption::PlacementPolicy(_) => {
                return Err(unsupported(b.query, "placement policies"));
            }
            _ => {}
        }
    }
    Ok(out)
}

/// Partitions of RANGE and LIST.
pub(crate) fn listed(
    b: &Builder<'_>,
    info: &PartitionInfo,
    defs: &[PartitionDef],
) -> Result<Vec<PartitionDefinition>, DdlError> {
    let columns: Vec<&FieldType> = info
        .columns()
        .iter()
        .filter_map(|name| b.table.column(&name.l))
        .map(|column| &column.field_type)
        .collect();
    let unsigned = is_unsigned(b, info);
    let mut out = Vec::with_capacity(defs.len());
    for def in defs {
        let mut definition = named(b, def)?;
        match (&def.values, info.kind) {
            (PartitionValues::LessThan(bounds), PartitionType::Range) => {
                width(info, bounds.len())?;
                let texts = bounds.iter().enumerate().map(|(n, bound)| match bound {
                    Expr::MaxValue => Ok(MAX_VALUE.to_owned()),
                    bound => constant(b, &def.name, bound, columns.get(n).copied(), unsigned)?
                        .ok_or_else(refuse::null_in_less_than),
                });
                definition.less_than = Some(texts.collect::<Result<_, DdlError>>()?);
            }
            (PartitionValues::In(values), PartitionType::List) => {
                let mut lists = Vec::with_capacity(values.len());
                for value in values {
                    lists.push(in_value(b, info, &def.name, value, &columns)?);
                }
                definition.in_values = Some(Some(lists));
            }
            (PartitionValues::Default, PartitionType::List) => {
                definition.in_values = Some(Some(vec![vec![DEFAULT_VALUE.to_owned()]]));
            }
            (PartitionValues::None, PartitionType::Range) => {
                return Err(refuse::requires_values("RANGE", "LESS THAN"));
            }
            (PartitionValues::None, _) => return Err(refuse::requires_values("LIST", "IN")),
            (other, _) => return Err(wrong_values(other)),
        }
        out.push(definition);
    }
    too_many(b, out.len() as u64)?;
    Ok(out)
}

/// Whether the partitioning function is an unsigned column, which no bound below 0 fits.
fn is_unsigned(b: &Builder<'_>, info: &PartitionInfo) -> bool {
    let options = crate::tidb::partition::options(b.version);
    let tree = tidb_sql::parse_expr(&info.expr, &options);
    let node = tree
        .ok()
        .and_then(|tree| Node::compile(&tree, b.table).ok());
    match node {
        Some(Node::Column(offset)) => b
            .table
            .columns
            .get(offset)
            .is_some_and(|column| column.field_type.is_unsigned()),
        _ => false,
    }
}

fn width(info: &PartitionInfo, values: usize) -> Result<(), DdlError> {
    match info.columns().len() {
        0 if values > 1 => Err(refuse::too_many_values(info.kind)),
        n if n > 0 && n != values => Err(refuse::column_list()),
        _ => Ok(()),
    }
}

fn in_value(
    b: &Builder<'_>,
    info: &PartitionInfo,
    partition: &str,
    value: &[Expr],
    columns: &[&FieldType],
) -> Result<Vec<String>, DdlError> {
    if let [Expr::Default(None)] = value {
        return Ok(vec![DEFAULT_VALUE.to_owned()]);
    }
    width(info, value.len())?;
    let unsigned = is_unsigned(b, info);
    value
        .iter()
        .enumerate()
        .map(|(n, part)| match part {
            Expr::MaxValue => Err(sql_error::refused(
                1656,
                "Cannot use MAXVALUE as value in VALUES IN",
            )),
            part => Ok(
                constant(b, partition, part, columns.get(n).copied(), unsigned)?
                    .unwrap_or_else(|| "NULL".to_owned()),
            ),
        })
        .collect()
}

/// A constant in TiDB's spelling; none for NULL.
fn constant(
    b: &Builder<'_>,
    partition: &str,
    expr: &Expr,
    column: Option<&FieldType>,
    unsigned: bool,
) -> Result<Option<String>, DdlError> {
    let Some(ft) = column else {
        return match Node::constant(expr, b.zone) {
            Ok(Some(value)) if value < 0 && unsigned => Err(refuse::out_of_domain()),
            Ok(value) => Ok(value.map(|n| n.to_string())),
            Err(ExprError::NotAllowed) => Err(refuse::function_not_allowed()),
            Err(ExprError::NotServed(what)) => Err(unsupported(
                b.query,
                format!("bounds of partitions with {what}"),
            )),
            Err(_) => Err(refuse::not_int(partition)),
        };
    };
    let value = bound::datum(expr, ft).map_err(|error| match error {
        BoundError::NotServed | BoundError::Syntax(_) => {
            unsupported(b.query, "expressions as bounds of partitions by columns")
        }
        _ => refuse::wrong_type_of_value(),
    })?;
    Ok(match value {
        Datum::Null => None,
        // 4.0 keeps strings as they are written, and writes them in double quotes.
        Datum::Bytes(_) | Datum::Time(_) | Datum::Duration(_) if b.version == TidbVersion::V4_0 => {
            Some(super::partition_expr::spelled(b.version, expr))
        }
        value => Some(bound::text(&value, ft)),
    })
}

pub(super) fn too_many(b: &Builder<'_>, count: u64) -> Result<(), DdlError> {
    let limit = match b.version {
        TidbVersion::V4_0 => 1024,
        TidbVersion::V8_5 => 8192,
    };
    match count > limit {
        true => Err(refuse::too_many()),
        false => Ok(()),
    }
}
