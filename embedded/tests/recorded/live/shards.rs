//! Shard bits of row ids: random in both clusters, and so left out of a comparison.

use std::collections::HashMap;

use serde_json::Value;

use super::compare::{TABLE_PREFIX, is_record, table_id};
use super::feed::Version;

/// Bits of an integer handle, its sign among them.
const BITS: u64 = 64;
/// The flag of unsigned columns.
const UNSIGNED: u64 = 32;

/// What is known of the tables with SHARD_ROW_ID_BITS or AUTO_RANDOM, by id.
#[derive(Default)]
pub(super) struct Shards(HashMap<i64, Shard>);

#[derive(Clone, Copy)]
struct Shard {
    bits: u64,
    /// Bits below those of the shard.
    low: u64,
}

impl Shards {
    /// Takes note of the tables that a statement wrote to the schema.
    pub(super) fn learn(&mut self, written: &[Version]) {
        let tables = written.iter().filter(|v| v.key.starts_with(b"m"));
        for table in tables.filter_map(|v| serde_json::from_slice::<Value>(v.value.as_ref()?).ok())
        {
            let number = |name: &str| table[name].as_u64().unwrap_or(0);
            let shard = match (number("ShardRowIDBits"), number("auto_random_bits")) {
                (0, 0) => continue,
                (0, bits) => {
                    let range = match number("auto_random_range_bits") {
                        0 => BITS,
                        range => range,
                    };
                    let unsigned =
                        table["cols"][0]["type"]["Flag"].as_u64().unwrap() & UNSIGNED != 0;
                    Shard {
                        bits,
                        low: range - bits - u64::from(!unsigned),
                    }
                }
                (bits, _) => Shard {
                    bits,
                    low: BITS - 1 - bits,
                },
            };
            self.0.insert(table["id"].as_i64().unwrap(), shard);
        }
    }

    /// The key without the shard's bits. Bits above those are kept: there are to be none.
    pub(super) fn without(&self, mut key: Vec<u8>) -> Vec<u8> {
        let shard = table_id(&key).and_then(|id| self.0.get(&id));
        let at = TABLE_PREFIX + 2;
        if let Some(shard) = shard.filter(|_| is_record(&key))
            && let Ok(handle) = <[u8; 8]>::try_from(&key[at..])
        {
            let handle = shard.without((u64::from_be_bytes(handle)) ^ (1 << 63));
            key[at..].copy_from_slice(&(handle ^ (1 << 63)).to_be_bytes());
        }
        key
    }

    /// Whether two ids are the same but for the shard of a table that a statement wrote.
    pub(super) fn same(&self, written: &[Version], recorded: u64, ours: u64) -> bool {
        let tables = written
            .iter()
            .filter_map(|v| self.0.get(&table_id(&v.key)?));
        let mut tables = tables.map(|shard| shard.without(recorded) == shard.without(ours));
        recorded == ours || tables.any(|same| same)
    }
}

impl Shard {
    fn without(self, id: u64) -> u64 {
        id & !(((1 << self.bits) - 1) << self.low)
    }
}
