//! What MariaDB is told about partitions. It divides RANGE and LIST as TiDB does, so that it refuses rows, drops and selects
//! partitions by itself. HASH it divides as TiDB does but for NULL, which TiDB takes for 0 and MariaDB for the lowest
//! number: where that makes a difference it gets a LIST of remainders instead. KEY it hashes otherwise: such a table is in
//! one piece there, and what needs its partitions is refused or rewritten.

use super::mariadb::{quoted, string};
use super::model::{FieldType, MAX_VALUE, PartitionInfo, PartitionType, TableInfo, Tp};
use super::{DdlError, ddl::unsupported};
use crate::tidb::codec::Datum;
use crate::tidb::partition::expr::{Call, Node, Op};
use crate::tidb::partition::{bound, options};

/// A change that is none: it takes its place in the binlog.
pub(crate) const NOTHING: &str = "COMMENT ''";

/// Whether MariaDB has a table's partitions.
pub(crate) fn is_divided(table: &TableInfo) -> bool {
    table.partitions().is_some_and(|info| match info.kind {
        PartitionType::Range | PartitionType::List => true,
        PartitionType::Hash => hash(table, info).is_some(),
        _ => false,
    })
}

/// HASH of a table in MariaDB's words, if there are such.
fn hash(table: &TableInfo, info: &PartitionInfo) -> Option<String> {
    let count = info.definitions.len();
    let tree = tidb_sql::parse_expr(&info.expr, &options(table.written_by())).ok()?;
    let node = Node::compile(&tree, table).ok()?;
    let columns = node.columns();
    let mut columns = columns.iter().filter_map(|n| table.columns.get(*n));
    let never_null =
        matches!(node, Node::Column(_)) && columns.clone().all(|c| c.field_type.is_not_null());
    if count.is_power_of_two() || never_null {
        let names: Vec<String> = info
            .definitions
            .iter()
            .map(|d| format!("PARTITION {}", quoted(&d.name.o)))
            .collect();
        return Some(format!("HASH ({}) ({})", info.expr, names.join(", ")));
    }
    // Beyond 63 bits TiDB counts on with a sign, and a remainder does not.
    let is_wide = |ft: &FieldType| match ft.tp {
        Tp::LongLong => ft.is_unsigned(),
        Tp::Bit => ft.flen > 63,
        _ => false,
    };
    if columns.any(|c| is_wide(&c.field_type)) {
        return None;
    }
    let is_unsigned = is_unsigned(&node, table);
    let lists: Vec<String> = info
        .definitions
        .iter()
        .enumerate()
        .map(|(n, d)| {
            let rests = match n {
                0 => "0, NULL".to_owned(),
                n if is_unsigned => n.to_string(),
                n => format!("{n}, -{n}"),
            };
            format!("PARTITION {} VALUES IN ({rests})", quoted(&d.name.o))
        })
        .collect();
    Some(format!(
        "LIST (MOD({}, {count})) ({})",
        info.expr,
        lists.join(", ")
    ))
}

/// Whether MariaDB takes what an expression makes for a number without a sign: then a value with one is no value of it.
fn is_unsigned(node: &Node, table: &TableInfo) -> bool {
    match node {
        Node::Column(offset) => table.columns.get(*offset).is_some_and(|column| {
            let ft = &column.field_type;
            ft.is_unsigned() || matches!(ft.tp, Tp::Bit | Tp::Year)
        }),
        Node::Binary(a, Op::Mod, _) => is_unsigned(a, table),
        Node::Binary(a, _, b) => is_unsigned(a, table) || is_unsigned(b, table),
        Node::Call(Call::Abs | Call::Same, args) => args.iter().all(|a| is_unsigned(a, table)),
        _ => false,
    }
}

/// `PARTITION BY …` of a table; none if MariaDB is to keep it in one piece.
pub(crate) fn clause(query: &str, table: &TableInfo) -> Result<Option<String>, DdlError> {
    let Some(info) = table.partitions() else {
        return Ok(None);
    };
    if info.kind == PartitionType::Hash {
        return Ok(hash(table, info).map(|hash| format!("PARTITION BY {hash}")));
    }
    let columns: Vec<String> = info.columns().iter().map(|c| quoted(&c.o)).collect();
    let by = match (info.kind, columns.is_empty()) {
        (PartitionType::Range | PartitionType::List, false) => {
            format!("{} COLUMNS ({})", info.kind.text(), columns.join(", "))
        }
        (PartitionType::Range | PartitionType::List, true) => {
            format!("{} ({})", info.kind.text(), info.expr)
        }
        _ => return Ok(None),
    };
    let definitions = definitions(query, table, info)?;
    Ok(Some(format!("PARTITION BY {by} ({definitions})")))
}

/// `PARTITION p VALUES …` of each.
pub(crate) fn definitions(
    query: &str,
    table: &TableInfo,
    info: &PartitionInfo,
) -> Result<String, DdlError> {
    let columns = info.columns();
    let value = |text: &String, n: usize| -> Result<String, DdlError> {
        let column = columns.get(n).and_then(|name| table.column(&name.l));
        let Some(column) = column else {
            return Ok(text.clone());
        };
        if text.eq_ignore_ascii_case(MAX_VALUE) {
            return Ok(text.clone());
        }
        let value = bound::of_column(text, table, column.offset).map_err(|error| {
            unsupported(query, format!("the bound {text}: it could not {error}"))
        })?;
        Ok(match &value {
            Datum::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => string(text),
                Err(_) => format!("x'{}'", hex::encode(bytes)),
            },
            other => bound::text(other, &column.field_type),
        })
    };
    let values = |texts: &[String]| -> Result<String, DdlError> {
        let texts = texts.iter().enumerate().map(|(n, text)| value(text, n));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join(", "))
    };
    let mut out = Vec::with_capacity(info.definitions.len());
    for definition in &info.definitions {
        let name = quoted(&definition.name.o);
        out.push(match (&definition.less_than, definition.values()) {
            (Some(bounds), _) => format!("PARTITION {name} VALUES LESS THAN ({})", values(bounds)?),
            (None, []) => format!("PARTITION {name}"),
            (None, _) if definition.is_default() => format!("PARTITION {name} DEFAULT"),
            (None, lists) => {
                let lists = lists.iter().map(|list| {
                    let several = list.len() > 1;
                    let list = values(list)?;
                    Ok(if several { format!("({list})") } else { list })
                });
                let lists = lists.collect::<Result<Vec<_>, DdlError>>()?.join(", ");
                format!("PARTITION {name} VALUES IN ({lists})")
            }
        });
    }
    Ok(out.join(", "))
}
