//! One table: the entries of its indexes. Each row has one in each, which leads to it; there are no others.

use std::collections::{BTreeMap, BTreeSet};

use super::part::{Rule, cut, in_key, rule, trimmed};
use super::read::cell::show;
use super::read::entry::Entry;
use super::read::input::{short_int, short_uint};
use super::read::model::{Column, Part, flag};
use super::read::{Handle, Index, Value, row};
use super::rows::{MariaRow, RowKey, TikvRow};
use super::store::Store;
use super::table::Check;

/// A row, found by where it is.
type Rows<'a> = BTreeMap<(i64, &'a Handle), (&'a RowKey, &'a TikvRow, Option<&'a MariaRow>)>;

/// What has to be beside a key.
#[derive(Debug, PartialEq)]
enum Restored {
    /// A value.
    Value(Value),
    /// How many spaces the key has lost.
    Spaces(usize),
}

impl Check<'_> {
    /// Checks all entries of all indexes.
    pub(super) fn indexes(&mut self, store: &Store) {
        let rows: Rows<'_> = self
            .pairs()
            .map(|(key, row, other)| ((row.physical, &row.handle), (key, row, other)))
            .collect();
        let mut faults = Vec::new();
        let mut not_compared = Vec::new();
        let (mut indexes, mut entries) = (0, 0);
        for index in self.table.written_indexes() {
            let name = &index.name.original;
            let mut seen = BTreeSet::new();
            let before = entries;
            let ids = match index.is_global {
                true => vec![self.table.id],
                false => self.table.physical_ids(),
            };
            for id in ids {
                let keys = store.table(id).and_then(|keys| keys.indexes.get(&index.id));
                for (key, value) in keys.into_iter().flatten() {
                    entries += 1;
                    let entry = match Entry::read(self.table, index, key, value) {
                        Ok(entry) => entry,
                        Err(error) => {
                            let key = hex::encode(key);
                            faults.push(format!("index {name}, entry {key}: {error}"));
                            continue;
                        }
                    };
                    let physical = entry.partition.unwrap_or(id);
                    let Some((key, row, other)) = rows.get(&(physical, &entry.handle)) else {
                        faults.push(format!(
                            "index {name}: entry {} leads to row {}, which is not there",
                            values(&entry),
                            entry.handle
                        ));
                        continue;
                    };
                    if let Some(fault) = self.entry(index, &entry, row, *other) {
                        let key = self.describe(key);
                        faults.push(format!(
                            "index {name}: entry {} of row {key}: {fault}",
                            values(&entry)
                        ));
                        continue;
                    }
                    if !seen.insert((physical, &row.handle)) {
                        let key = self.describe(key);
                        faults.push(format!("index {name} has two entries of row {key}"));
                    }
                }
            }
            for ((physical, handle), (key, ..)) in &rows {
                if !seen.contains(&(*physical, *handle)) {
                    let key = self.describe(key);
                    faults.push(format!("index {name} has no entry of row {key}"));
                }
            }
            indexes += 1;
            if let (Some(collation), true) = (self.unknown(&index.parts), entries > before) {
                not_compared.push(format!(
                    "the texts in {} keys of index {name} of {}: no rule for {collation}",
                    entries - before,
                    self.full_name()
                ));
            }
        }
        drop(rows);
        self.result.indexes = indexes;
        self.result.entries = entries;
        self.not_compared.extend(not_compared);
        for fault in faults {
            self.fault(fault);
        }
    }

    /// A collation of a key's parts under which nobody here knows sort keys.
    pub(super) fn unknown(&self, parts: &[Part]) -> Option<&str> {
        let mut types = parts
            .iter()
            .filter_map(|part| Some(&self.table.columns.get(part.offset)?.field_type));
        let unknown = types.find(|ft| rule(self.table, ft) == Rule::Unknown)?;
        Some(&unknown.collate)
    }

    /// What is wrong about an entry of a row.
    fn entry(
        &self,
        index: &Index,
        entry: &Entry,
        row: &TikvRow,
        other: Option<&MariaRow>,
    ) -> Option<String> {
        for (part, held) in index.parts.iter().zip(&entry.values) {
            let value = self.value(part.offset, row);
            let expected = in_key(self.table, part, value, self.weights(part, other));
            if expected.is_some_and(|expected| expected != *held) {
                let column = &self.table.columns[part.offset].name.original;
                let cell = show(&row.cells[part.offset]);
                return Some(format!("{column} is {cell} in the row"));
            }
        }
        if entry.version > 1 {
            return Some(format!("its version is {}", entry.version));
        }
        let nulls = entry.values.contains(&Value::Null);
        if entry.handle_in_key == (index.is_unique && !nulls) {
            let place = if entry.handle_in_key { "key" } else { "value" };
            return Some(format!("its handle is in the {place}"));
        }
        let expected = self.restored(index, row);
        for (id, held) in &entry.restored {
            let column = self.table.columns.iter().find(|c| c.id == *id);
            let fits = match (column, expected.get(id)) {
                (Some(column), Some(expected)) => fits(column, expected, held.as_deref()),
                _ => false,
            };
            if !fits {
                return Some(format!("it restores column id {id} to {}", show(held)));
            }
        }
        let lacking = expected.keys().find(|id| !entry.restored.contains_key(id));
        lacking.map(|id| format!("it does not restore column id {id}"))
    }

    fn value<'r>(&self, offset: usize, row: &'r TikvRow) -> &'r Value {
        row.values.get(offset).unwrap_or(&Value::Null)
    }

    /// What the key of an entry loses, by column id (`docs/spec/row-and-key-codecs.md §10`).
    fn restored(&self, index: &Index, row: &TikvRow) -> BTreeMap<i64, Restored> {
        let mut out = BTreeMap::new();
        let table = self.table;
        if !table.new_collations() {
            return out;
        }
        let mut add = |part: &Part, length: i64, counted: bool| {
            let column = &table.columns[part.offset];
            let mut value = self.value(part.offset, row).clone();
            if let Value::Bytes(text) = &mut value {
                *text = cut(table, &column.field_type, length, text).to_vec();
            }
            let restored = match (&value, counted && column.field_type.is_bin()) {
                (Value::Bytes(text), true) => Restored::Spaces(text.len() - trimmed(text).len()),
                (_, true) => Restored::Spaces(0),
                (_, false) => Restored::Value(value),
            };
            out.insert(column.id, restored);
        };
        let needs = |part: &Part| table.columns[part.offset].field_type.needs_restored();
        if table.common_handle_version == 0 || table.clustered().is_none() {
            if index.parts.iter().any(needs) {
                index
                    .parts
                    .iter()
                    .for_each(|part| add(part, part.length, false));
            }
            return out;
        }
        let primary = |part: &&Part| {
            let column = &table.columns[part.offset];
            column.field_type.has(flag::PRIMARY)
        };
        for part in index.parts.iter().filter(|p| needs(p) && !primary(p)) {
            add(part, part.length, true);
        }
        for part in table.clustered().iter().flat_map(|i| &i.parts) {
            if needs(part) {
                // What the longer of index and handle has.
                let of_index = index.parts.iter().find(|p| p.offset == part.offset);
                let length = match of_index.map(|p| p.length) {
                    Some(-1) => -1,
                    Some(length) if part.length >= 0 => length.max(part.length),
                    _ => part.length,
                };
                add(part, length, true);
            }
        }
        out
    }
}

fn fits(column: &Column, expected: &Restored, held: Option<&[u8]>) -> bool {
    match (expected, held) {
        (Restored::Value(Value::Null), None) => true,
        (Restored::Value(expected), Some(held)) => {
            row::value(column, held).is_ok_and(|value| value == *expected)
        }
        // Signed and unsigned numbers are both in use for it.
        (Restored::Spaces(n), Some(held)) => {
            short_uint(held).is_ok_and(|held| held == *n as u64)
                || short_int(held).is_ok_and(|held| held == *n as i64)
        }
        _ => false,
    }
}

/// The values in an entry's key, in words.
fn values(entry: &Entry) -> String {
    let values: Vec<String> = entry
        .values
        .iter()
        .map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Int(n) => n.to_string(),
            Value::Uint(n) | Value::Time(n) => n.to_string(),
            Value::Float(n) => n.to_string(),
            Value::Decimal(text) => text.clone(),
            Value::Duration(n) => format!("{n} ns"),
            Value::Bytes(bytes) | Value::Json(bytes) => show(&Some(bytes.clone())),
        })
        .collect();
    format!("({})", values.join(", "))
}
