//! `PARTITION BY` as TiDB prints it in `SHOW CREATE TABLE`.

use super::TidbVersion;
use super::model::{PartitionInfo, PartitionType};
use super::show::{escaped, quoted};
use std::fmt::Write as _;

/// The clause of a partitioned table, with the line break before it.
pub(super) fn clause(version: TidbVersion, info: &PartitionInfo) -> String {
    if version == TidbVersion::V4_0 {
        return clause_v4(info);
    }
    let kind = info.kind.text();
    let columns: Vec<String> = info.columns().iter().map(|c| quoted(&c.o)).collect();
    let columns = columns.join(",");
    let plain = info
        .definitions
        .iter()
        .enumerate()
        .all(|(n, d)| d.name.o == format!("p{n}") && d.comment.is_empty());
    if info.kind.is_hashed() && plain {
        let by = match info.kind {
            PartitionType::Key if info.is_empty_columns == Some(true) => "",
            PartitionType::Key => &columns,
            _ => &info.expr,
        };
        return format!("\nPARTITION BY {kind} ({by}) PARTITIONS {}", info.num);
    }
    let by = match (info.kind, columns.is_empty()) {
        (PartitionType::Key, _) => format!("{kind} ({columns})"),
        (_, false) => format!("{kind} COLUMNS({columns})"),
        _ => format!("{kind} ({})", info.expr),
    };
    format!("\nPARTITION BY {by}\n({})", definitions(info))
}

/// The partitions, a line each.
pub(crate) fn definitions(info: &PartitionInfo) -> String {
    let mut out = String::new();
    for (n, definition) in info.definitions.iter().enumerate() {
        if n > 0 {
            out.push_str(",\n ");
        }
        let _ = write!(out, "PARTITION {}", quoted(&definition.name.o));
        match info.kind {
            PartitionType::Range => {
                let bounds = definition.less_than.as_deref().unwrap_or_default();
                let _ = write!(out, " VALUES LESS THAN ({})", bounds.join(","));
            }
            PartitionType::List if definition.is_default() && definition.values().len() == 1 => {
                out.push_str(" DEFAULT");
            }
            PartitionType::List => {
                let values: Vec<String> = definition
                    .values()
                    .iter()
                    .map(|value| match value.len() {
                        0 | 1 => value.concat(),
                        _ => format!("({})", value.join(",")),
                    })
                    .collect();
                let _ = write!(out, " VALUES IN ({})", values.join(","));
            }
            _ => {}
        }
        if !definition.comment.is_empty() {
            let _ = write!(out, " COMMENT '{}'", escaped(&definition.comment));
        }
    }
    out
}

fn clause_v4(info: &PartitionInfo) -> String {
    if info.kind == PartitionType::Hash {
        return format!(
            "\nPARTITION BY HASH( {} )\nPARTITIONS {}",
            info.expr, info.num
        );
    }
    let kind = info.kind.text();
    let columns: Vec<&str> = info.columns().iter().map(|c| c.l.as_str()).collect();
    let mut out = match columns.is_empty() {
        true => format!("\nPARTITION BY {kind} ( {} ) (", info.expr),
        false => format!("\nPARTITION BY {kind} COLUMNS({}) (", columns.join(",")),
    };
    for (n, definition) in info.definitions.iter().enumerate() {
        let bounds = definition.less_than.as_deref().unwrap_or_default();
        let _ = write!(
            out,
            "{}\n  PARTITION `{}` VALUES LESS THAN ({})",
            if n > 0 { "," } else { "" },
            definition.name.o,
            bounds.join(",")
        );
    }
    out.push_str("\n)");
    out
}
