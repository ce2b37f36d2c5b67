//! One table: its counters stand at or beyond the greatest value that its rows use (`docs/spec/tidb-schema.md §5`).

use super::read::model::flag;
use super::read::schema::{Database, Schema};
use super::read::{Handle, Value};
use super::table::Check;

impl Check<'_> {
    /// Checks the counters of `_tidb_rowid`, AUTO_INCREMENT and AUTO_RANDOM.
    pub(super) fn counters(&mut self, schema: &Schema, database: &Database) {
        let table = self.table;
        // A counter may stay with the database where the table was made.
        let homes = [Some(database), schema.databases.get(&table.old_schema_id)];
        let counter = |field: &str| {
            let field = format!("{field}:{}", table.id);
            let values = homes
                .iter()
                .flatten()
                .filter_map(|db| db.counters.get(&field));
            values.max().copied().unwrap_or(0)
        };
        let auto = |c: &super::read::Column| c.field_type.has(flag::AUTO_INCREMENT);
        let auto = table.columns.iter().position(auto);
        let random = table.handle_column().filter(|_| table.auto_random_bits > 0);
        let (mut row_id, mut increment, mut randomly) = (0, 0, 0);
        for row in self.rows_of_tikv() {
            if let (Handle::Int(handle), true) = (&row.handle, table.has_row_id()) {
                let shard = table.shard_row_id_bits.max(table.max_shard_row_id_bits);
                let mask = if shard == 0 {
                    -1
                } else {
                    i64::MAX >> shard.min(62)
                };
                row_id = row_id.max(handle & mask);
            }
            if let Some(offset) = auto {
                increment = increment.max(number(&row.values[offset]));
            }
            if let Some(offset) = random {
                let bits = match table.auto_random_range_bits {
                    0 => 64,
                    range => range,
                };
                let signed = !table.columns[offset].field_type.has(flag::UNSIGNED);
                let bits = bits.saturating_sub(table.auto_random_bits + u32::from(signed));
                randomly = randomly.max(number(&row.values[offset]) & ((1 << bits.min(62)) - 1));
            }
        }
        let field = if table.separate_counters() {
            "IID"
        } else {
            "TID"
        };
        for (what, field, used) in [
            (super::mariadb::ROW_ID, "TID", row_id),
            ("AUTO_INCREMENT", field, increment),
            ("AUTO_RANDOM", "TARID", randomly),
        ] {
            let stands = counter(field);
            if stands < used {
                self.fault(format!(
                    "the counter of {what}, {field}, stands at {stands}, a row has {used}"
                ));
            }
        }
    }
}

/// A value as a counter counts: no less than 0, no more than a signed integer.
fn number(value: &Value) -> i64 {
    match value {
        Value::Int(n) => *n,
        Value::Uint(n) => i64::try_from(*n).unwrap_or(i64::MAX),
        _ => 0,
    }
}
