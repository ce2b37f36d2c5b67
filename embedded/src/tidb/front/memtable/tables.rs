//! `information_schema.tables`, `schemata`, `partitions`.

use jiff::Timestamp;
use serde_json::Value;

use super::Kind::{Long, Number, Text, Time};
use super::{Kind, MemTable};
use crate::tidb::catalog::auto_ids::Counter;
use crate::tidb::catalog::model::{PartitionDefinition, PartitionInfo, PolicyRef};
use crate::tidb::catalog::{Catalog, Database, TableInfo, TidbVersion};
use crate::tidb::codec::tso;
use crate::tidb::front::objects::kind;
use crate::tidb::front::served::virtual_databases;

/// AUTO_RANDOM's usual range bits.
const RANGE_BITS: u64 = 64;

const TABLES: [(&str, Kind); 23] = [
    ("TABLE_CATALOG", Text(512)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("TABLE_TYPE", Text(64)),
    ("ENGINE", Text(64)),
    ("VERSION", Number),
    ("ROW_FORMAT", Text(10)),
    ("TABLE_ROWS", Number),
    ("AVG_ROW_LENGTH", Number),
    ("DATA_LENGTH", Number),
    ("MAX_DATA_LENGTH", Number),
    ("INDEX_LENGTH", Number),
    ("DATA_FREE", Number),
    ("AUTO_INCREMENT", Number),
    ("CREATE_TIME", Time),
    ("UPDATE_TIME", Time),
    ("CHECK_TIME", Time),
    ("TABLE_COLLATION", Text(32)),
    ("CHECKSUM", Number),
    ("CREATE_OPTIONS", Text(255)),
    ("TABLE_COMMENT", Text(2048)),
    ("TIDB_TABLE_ID", Number),
    ("TIDB_ROW_ID_SHARDING_INFO", Text(255)),
];
/// Columns that 8.5 has besides.
const TABLES_OF_8_5: [(&str, Kind); 2] = [
    ("TIDB_PK_TYPE", Text(64)),
    ("TIDB_PLACEMENT_POLICY_NAME", Text(64)),
];

pub(super) fn tables(catalog: &Catalog) -> MemTable {
    let modern = catalog.version() >= TidbVersion::V8_5;
    let mut columns = TABLES.to_vec();
    if modern {
        columns.extend(TABLES_OF_8_5);
    }
    let mut rows = Vec::new();
    for db in catalog.databases() {
        for table in sorted(db) {
            let mut row = row(db, table);
            if modern {
                let kind = match table.has_row_id() {
                    _ if !table.is_base_table() => Value::Null,
                    true => "NONCLUSTERED".into(),
                    false => "CLUSTERED".into(),
                };
                row.extend([kind, policy(&table.policy_ref_info)]);
            }
            rows.push(row);
        }
    }
    MemTable { columns, rows }
}

/// The name of a placement policy.
fn policy(named: &Option<Option<PolicyRef>>) -> Value {
    let policy = named.iter().flatten().next();
    policy.map_or(Value::Null, |policy| policy.name.o.clone().into())
}

/// Its tables by name.
pub(super) fn sorted(db: &Database) -> Vec<&TableInfo> {
    let mut tables: Vec<&TableInfo> = db.tables().map(AsRef::as_ref).collect();
    tables.sort_by_key(|table| table.name.o.to_lowercase());
    tables
}

/// The statistics of TiDB are not collected here: a table counts as empty, as a new one does there.
fn row(db: &Database, table: &TableInfo) -> Vec<Value> {
    if !table.is_base_table() {
        return object(db, table);
    }
    let next = table.auto_increment_column().map(|_| {
        let taken = db.counter(table, Counter::AutoIncrement);
        Value::from(taken.saturating_add(1))
    });
    let options = match table.cache_table_status {
        _ if table.partitions().is_some() => "partitioned",
        Some(1) => "cached=on",
        _ => "",
    };
    vec![
        "def".into(),
        db.info.name.o.clone().into(),
        table.name.o.clone().into(),
        "BASE TABLE".into(),
        "InnoDB".into(),
        10.into(),
        "Compact".into(),
        0.into(),
        0.into(),
        0.into(),
        0.into(),
        0.into(),
        0.into(),
        next.unwrap_or_default(),
        time(table.update_timestamp),
        Value::Null,
        Value::Null,
        table.collate.clone().into(),
        Value::Null,
        options.into(),
        table.comment.clone().into(),
        table.id.into(),
        sharding(table).into(),
    ]
}

/// A view or sequence: of most there is nothing to tell.
fn object(db: &Database, table: &TableInfo) -> Vec<Value> {
    let kind = kind(table);
    let mut row = vec![Value::Null; TABLES.len()];
    row[0] = "def".into();
    row[1] = db.info.name.o.clone().into();
    row[2] = table.name.o.clone().into();
    row[3] = kind.into();
    row[14] = time(table.update_timestamp);
    row[20] = kind.into();
    row[21] = table.id.into();
    row
}

/// The time of a timestamp of PD, in UTC to the second.
pub(super) fn time(ts: u64) -> Value {
    let seconds = tso::physical_ms(ts) / 1000;
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string().into())
        .unwrap_or_default()
}

/// How ids of rows are spread.
fn sharding(table: &TableInfo) -> String {
    if table.auto_random_bits > 0 {
        let range = table.auto_random_range_bits.unwrap_or(0);
        let range = if range != 0 && range != RANGE_BITS {
            format!(", RANGE BITS={range}")
        } else {
            String::new()
        };
        format!("PK_AUTO_RANDOM_BITS={}{range}", table.auto_random_bits)
    } else if table.shard_row_id_bits > 0 {
        format!("SHARD_BITS={}", table.shard_row_id_bits)
    } else if table.pk_is_handle {
        "NOT_SHARDED(PK_IS_HANDLE)".to_owned()
    } else {
        "NOT_SHARDED".to_owned()
    }
}

pub(super) fn schemata(catalog: &Catalog) -> MemTable {
    let modern = catalog.version() >= TidbVersion::V8_5;
    let mut columns = vec![
        ("CATALOG_NAME", Text(512)),
        ("SCHEMA_NAME", Text(64)),
        ("DEFAULT_CHARACTER_SET_NAME", Text(64)),
        ("DEFAULT_COLLATION_NAME", Text(32)),
        ("SQL_PATH", Text(512)),
    ];
    if modern {
        columns.push(("TIDB_PLACEMENT_POLICY_NAME", Text(64)));
    }
    let row = |name: &str, charset: &str, collation: &str, policy: Value| {
        let mut row: Vec<Value> = vec!["def".into(), name.into(), charset.into()];
        row.extend([collation.into(), Value::Null]);
        if modern {
            row.push(policy);
        }
        row
    };
    let virtual_ones = virtual_databases(catalog.version());
    let rows = virtual_ones
        .map(|name| row(name, "utf8mb4", "utf8mb4_bin", Value::Null))
        .chain(catalog.databases().map(|db| {
            let info = &db.info;
            let policy = policy(&info.policy_ref_info);
            row(&info.name.o, &info.charset, &info.collate, policy)
        }))
        .collect();
    MemTable { columns, rows }
}

const PARTITIONS: [(&str, Kind); 25] = [
    ("TABLE_CATALOG", Text(512)),
    ("TABLE_SCHEMA", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("PARTITION_NAME", Text(64)),
    ("SUBPARTITION_NAME", Text(64)),
    ("PARTITION_ORDINAL_POSITION", Number),
    ("SUBPARTITION_ORDINAL_POSITION", Number),
    ("PARTITION_METHOD", Text(18)),
    ("SUBPARTITION_METHOD", Text(12)),
    ("PARTITION_EXPRESSION", Long),
    ("SUBPARTITION_EXPRESSION", Long),
    ("PARTITION_DESCRIPTION", Long),
    ("TABLE_ROWS", Number),
    ("AVG_ROW_LENGTH", Number),
    ("DATA_LENGTH", Number),
    ("MAX_DATA_LENGTH", Number),
    ("INDEX_LENGTH", Number),
    ("DATA_FREE", Number),
    ("CREATE_TIME", Time),
    ("UPDATE_TIME", Time),
    ("CHECK_TIME", Time),
    ("CHECKSUM", Number),
    ("PARTITION_COMMENT", Text(80)),
    ("NODEGROUP", Text(12)),
    ("TABLESPACE_NAME", Text(64)),
];

pub(super) fn partitions(catalog: &Catalog) -> MemTable {
    let modern = catalog.version() >= TidbVersion::V8_5;
    let mut columns = PARTITIONS.to_vec();
    if modern {
        columns.push(("TIDB_PARTITION_ID", Number));
        columns.push(("TIDB_PLACEMENT_POLICY_NAME", Text(64)));
    }
    let mut rows = Vec::new();
    for db in catalog.databases() {
        for table in sorted(db) {
            let Some(info) = table.partitions() else {
                rows.push(partition_row(db, table, None, modern));
                continue;
            };
            for (i, definition) in info.definitions.iter().enumerate() {
                rows.push(partition_row(
                    db,
                    table,
                    Some((info, i, definition)),
                    modern,
                ));
            }
        }
    }
    MemTable { columns, rows }
}

/// A partition, or a table that has none.
fn partition_row(
    db: &Database,
    table: &TableInfo,
    partition: Option<(&PartitionInfo, usize, &PartitionDefinition)>,
    modern: bool,
) -> Vec<Value> {
    let mut row = vec![Value::Null; PARTITIONS.len()];
    row[0] = "def".into();
    row[1] = db.info.name.o.clone().into();
    row[2] = table.name.o.clone().into();
    row[12..18].fill(0.into());
    row[18] = time(table.update_timestamp);
    if modern {
        row.extend([Value::Null, Value::Null]);
    }
    let Some((info, i, definition)) = partition else {
        return row;
    };
    row[3] = definition.name.o.clone().into();
    row[5] = (i + 1).into();
    let by_columns = !info.columns().is_empty();
    let method = info.kind.text();
    row[7] = match by_columns && !info.kind.is_hashed() {
        true => format!("{method} COLUMNS").into(),
        false => method.into(),
    };
    row[9] = match by_columns {
        true => {
            let names: Vec<String> = info
                .columns()
                .iter()
                .map(|column| super::quoted(&column.o))
                .collect();
            names.join(",").into()
        }
        false => info.expr.clone().into(),
    };
    let values: Vec<String> = definition
        .values()
        .iter()
        .map(|tuple| match tuple.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(",")),
        })
        .collect();
    row[11] = match &definition.less_than {
        Some(bounds) => bounds.join(",").into(),
        None if values.is_empty() => Value::Null,
        None => values.join(",").into(),
    };
    row[22] = definition.comment.clone().into();
    if modern {
        row[PARTITIONS.len()] = definition.id.into();
    }
    row
}
