//! Decodes recorded rows with the recorded schema and encodes them again.

use super::{KeyValue, Statement};
use crate::report::Verdict;
use embedded::tidb::catalog::{Catalog, TableInfo};
use embedded::tidb::codec::{CodecError, Datum, Handle, keys, row};
use embedded::tidb::partition::Partitioning;
use std::collections::HashMap;
use std::sync::Arc;

/// The tables that existed at some time, by physical id: rows of a table may be written while it is dropped. Each as it
/// is now and as it was before its last change: a DDL statement may commit rows just before it.
#[derive(Default)]
pub(crate) struct Tables(HashMap<i64, Vec<TableInfo>>);

impl Tables {
    /// Takes note of the tables of now.
    pub(crate) fn learn(&mut self, catalog: &Catalog) {
        for table in catalog.databases().flat_map(|db| db.tables()) {
            self.put((**table).clone());
            for id in table.physical_ids() {
                let physical = TableInfo {
                    id,
                    ..(**table).clone()
                };
                self.put(physical);
            }
        }
    }

    fn put(&mut self, table: TableInfo) {
        let versions = self.0.entry(table.id).or_default();
        if versions.last() != Some(&table) {
            versions.push(table);
        }
        if versions.len() > 2 {
            versions.remove(0);
        }
    }

    /// A table by its physical id, newest version first.
    pub(crate) fn versions(&self, id: i64) -> impl Iterator<Item = &TableInfo> {
        self.0.get(&id).into_iter().flatten().rev()
    }

    /// Compares the rows that a statement put.
    pub(crate) fn compare(&self, statement: &Statement) -> Vec<(String, Verdict)> {
        statement
            .kv()
            .filter(|kv| kv.key.first() == Some(&b't') && !kv.written_by_ddl)
            .filter_map(|kv| {
                let (id, handle) = keys::decode_record_key(&kv.key).ok()?;
                Some((hex::encode(&kv.key), self.compare_row(id, &handle, &kv)))
            })
            .collect()
    }

    fn compare_row(&self, id: i64, handle: &Handle, kv: &KeyValue) -> Verdict {
        let Some(tables) = self.0.get(&id) else {
            return Verdict::Wrong(format!("no table {id} is known"));
        };
        let verdicts = tables.iter().rev().map(|t| compare_row(t, handle, kv));
        verdicts
            .reduce(|a, b| {
                if matches!(a, Verdict::Wrong(_)) && matches!(b, Verdict::Equal) {
                    b
                } else {
                    a
                }
            })
            .unwrap()
    }
}

fn compare_row(table: &TableInfo, handle: &Handle, kv: &KeyValue) -> Verdict {
    let Some(value) = &kv.value else {
        return Verdict::Equal;
    };
    if value.first() != Some(&128) {
        return Verdict::Diverges("row format v1".into());
    }
    let missing = |c: &embedded::tidb::catalog::model::ColumnInfo| {
        if c.is_virtual() || c.defaults_to_null() {
            return Ok(Datum::Null);
        }
        Err(CodecError::Column {
            column: c.name.o.clone(),
            why: "it is missing though it has a default".into(),
        })
    };
    let result = row::decode_row(table, handle, value, missing).and_then(|values| {
        let row_id = match handle {
            Handle::Int(h) => Some(*h),
            Handle::Common(_) => None,
        };
        // The row's partition is found anew too.
        let partitions = Partitioning::of(&Arc::new(table.clone())).unwrap();
        match partitions {
            Some(partitions) => match partitions.locate(&values) {
                Ok(table) => row::encode(table, &values, row_id),
                Err(e) => Err(CodecError::Column {
                    column: "(the partition)".into(),
                    why: e.to_string(),
                }),
            },
            None => row::encode(table, &values, row_id),
        }
    });
    match result {
        Ok((k, v)) if k == kv.key && v == *value => Verdict::Equal,
        Ok((k, v)) => Verdict::Wrong(format!(
            "recorded {} {}\n    encoded  {} {}",
            hex::encode(&kv.key),
            hex::encode(value),
            hex::encode(k),
            hex::encode(v)
        )),
        Err(CodecError::Collation { collation, .. }) => {
            Verdict::Diverges(format!("key of collation {collation}"))
        }
        Err(e) => Verdict::Wrong(format!("failed to {e}")),
    }
}
