//! Counters of `_tidb_rowid`, AUTO_INCREMENT and AUTO_RANDOM values.
//!
//! TiDB keeps for each table the last value that a server may hand out; a server takes a range at a time and goes on from
//! memory (`docs/spec/tidb-schema.md §5`). Here MariaDB hands them out: AUTO_INCREMENT columns its own way, the others from
//! a sequence of the table's, in the database `mysql`, so that its rows in the binlog are not taken for TiDB's.

use super::mariadb::{self, full_name, quoted};
use super::meta;
use super::model::{ColumnInfo, DbInfo, TableInfo, flag};
use super::plan::Mutation;
use super::state::{Catalog, Database};
use super::version::TidbVersion;

/// Bits of an integer.
const BITS: u64 = 64;
/// What a server takes at once of a counter of unsigned values, and in 4.0 of all.
const WIDE_STEP: i64 = 2_000_000;
/// What a server takes at once.
const STEP: i64 = 30_000;
/// What the service behind AUTO_ID_CACHE=1 takes at once.
const SERVICE_STEP: i64 = 4_000;
/// The structure version of tables whose AUTO_INCREMENT may have a counter of its own.
const SEPARATE_COUNTERS: u16 = 5;

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// `_tidb_rowid`.
    RowId,
    /// AUTO_INCREMENT.
    AutoIncrement,
    /// AUTO_RANDOM, its shard bits left out.
    AutoRandom,
}

/// Values of one counter that a transaction used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The smallest one.
    pub min: i64,
    /// The largest one.
    pub max: i64,
}

impl Used {
    /// With one more value.
    pub fn with(before: Option<Self>, value: i64) -> Self {
        before.map_or(
            Self {
                min: value,
                max: value,
            },
            |used| Self {
                min: used.min.min(value),
                max: used.max.max(value),
            },
        )
    }
}

impl TableInfo {
    /// The AUTO_INCREMENT column.
    pub fn auto_increment_column(&self) -> Option<&ColumnInfo> {
        self.columns
            .iter()
            .find(|c| c.field_type.has(flag::AUTO_INCREMENT))
    }

    /// The AUTO_RANDOM column.
    pub fn auto_random_column(&self) -> Option<&ColumnInfo> {
        self.handle_column().filter(|_| self.auto_random_bits > 0)
    }

    /// Bits of AUTO_RANDOM values below those of the shard.
    pub fn auto_random_incremental_bits(&self) -> u64 {
        let range = match self.auto_random_range_bits {
            None | Some(0) => BITS,
            Some(range) => range,
        };
        let signed = self
            .handle_column()
            .is_some_and(|c| !c.field_type.has(flag::UNSIGNED));
        range.saturating_sub(self.auto_random_bits + u64::from(signed))
    }

    /// What `SHOW TABLE … NEXT_ROW_ID` tells of each counter: its column, the first value that no server has taken, its
    /// name.
    pub fn next_row_ids(&self, db: &Database) -> Vec<(String, i64, &'static str)> {
        let next = |counter| db.counter(self, counter).saturating_add(1);
        let auto = self.auto_increment_column();
        if self.written_by() == TidbVersion::V4_0 {
            let column = auto.map_or("_tidb_rowid", |c| &c.name.o);
            let first = (column.to_owned(), next(Counter::RowId), "AUTO_INCREMENT");
            let random = self.auto_random_column();
            let random =
                random.map(|c| (c.name.o.clone(), next(Counter::AutoRandom), "AUTO_RANDOM"));
            return [first].into_iter().chain(random).collect();
        }
        if let Some(random) = self.auto_random_column() {
            return vec![(
                random.name.o.clone(),
                next(Counter::AutoRandom),
                "AUTO_RANDOM",
            )];
        }
        let column = auto.map_or("_tidb_rowid", |c| &c.name.o);
        let mut out = vec![(column.to_owned(), next(Counter::RowId), "_TIDB_ROWID")];
        if auto.is_some() {
            let own = if self.has_separate_counters() {
                next(Counter::AutoIncrement)
            } else {
                1
            };
            out.push((column.to_owned(), own, "AUTO_INCREMENT"));
        }
        out
    }

    /// How many AUTO_RANDOM values can be made.
    pub(crate) fn auto_random_capacity(&self) -> u64 {
        (1 << self.auto_random_incremental_bits().min(63)) - 1
    }

    /// Lets MariaDB make AUTO_RANDOM values beyond one that a client gave.
    pub fn pass_auto_random(&self, given: u64) -> String {
        format!(
            "DO SETVAL({}, {})",
            sequence(self.id),
            given & self.auto_random_capacity()
        )
    }

    pub(crate) fn has_separate_counters(&self) -> bool {
        self.version >= SEPARATE_COUNTERS && self.auto_id_cache == 1
    }

    /// The field under the database in which a counter is kept.
    pub(crate) fn counter_field(&self, counter: Counter) -> String {
        match counter {
            Counter::AutoRandom => meta::auto_random_field(self.id),
            Counter::AutoIncrement if self.has_separate_counters() => {
                meta::auto_increment_field(self.id)
            }
            Counter::AutoIncrement | Counter::RowId => meta::row_id_field(self.id),
        }
    }

    fn step(&self, counter: Counter) -> i64 {
        let column = match counter {
            Counter::RowId => None,
            Counter::AutoIncrement => self.auto_increment_column(),
            Counter::AutoRandom => self.auto_random_column(),
        };
        match counter {
            Counter::AutoIncrement if self.has_separate_counters() => SERVICE_STEP,
            _ if self.auto_id_cache > 1 => self.auto_id_cache,
            _ if self.written_by() == TidbVersion::V4_0 => WIDE_STEP,
            _ if column.is_some_and(|c| c.field_type.has(flag::UNSIGNED)) => WIDE_STEP,
            _ => STEP,
        }
    }

    /// Where a counter stands after these values, if they are beyond the range taken so far.
    pub(crate) fn counter_after(&self, counter: Counter, end: i64, used: Used) -> Option<i64> {
        if used.max <= end {
            return None;
        }
        let step = self.step(counter);
        // The value after the last one was handed out; one from beyond was given by the client.
        Some(match used.min <= end.saturating_add(1) {
            true => end.saturating_add(step.max(used.max.saturating_sub(end))),
            false => used.max.saturating_add(step),
        })
    }
}

impl Database {
    /// The last value of a counter that was taken by a server, 0 before the first.
    pub(crate) fn counter(&self, table: &TableInfo, counter: Counter) -> i64 {
        let value = self.members().get(&table.counter_field(counter));
        value.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The write by which a server takes a new range of a counter, if these values need one.
    pub fn take_range(&self, table: &TableInfo, counter: Counter, used: Used) -> Option<Mutation> {
        let end = table.counter_after(counter, self.counter(table, counter), used)?;
        Some(Mutation::Put {
            key: meta::db_member(self.info.id, &table.counter_field(counter)).encode(),
            value: end.to_string().into_bytes(),
        })
    }
}

impl Catalog {
    /// The write that tells up to which value a sequence was taken.
    pub fn take_sequence(&self, id: i64, last: i64) -> Option<Mutation> {
        let (db, _) = self.table_by_id(id)?;
        Some(Mutation::Put {
            key: meta::db_member(db.info.id, &meta::sequence_field(id)).encode(),
            value: last.to_string().into_bytes(),
        })
    }
}

/// The sequence that stands for a table's counter in MariaDB.
pub(crate) fn sequence(table_id: i64) -> String {
    format!("`mysql`.`tidb_ids_{table_id}`")
}

/// Makes it, to go on from `next`, in place of one that a table of this id left which MariaDB then refused.
pub(crate) fn create_sequence(table_id: i64, next: i64) -> String {
    format!(
        "CREATE OR REPLACE SEQUENCE {} START WITH {next} CACHE 1000",
        sequence(table_id)
    )
}

/// Lets every account take values of it: whoever may insert a row of the table needs one.
pub(crate) fn open_sequence(table_id: i64) -> String {
    format!("GRANT SELECT, INSERT ON {} TO PUBLIC", sequence(table_id))
}

/// Lets it go on behind `last`, if it is not there yet.
pub(crate) fn raise_sequence(table_id: i64, last: i64) -> String {
    format!("DO SETVAL({}, {last})", sequence(table_id))
}

/// Removes it.
pub(crate) fn drop_sequence(table_id: i64) -> String {
    format!("DROP SEQUENCE IF EXISTS {}", sequence(table_id))
}

/// The user variable that tells, after an INSERT, the first AUTO_RANDOM value that was made.
pub const FIRST_MADE: &str = "@__embedded_tidb_auto_first";
/// The user variable that tells, after an INSERT, the largest AUTO_RANDOM value that the client gave.
pub const LARGEST_GIVEN: &str = "@__embedded_tidb_auto_given";
/// The user variable without which AUTO_RANDOM values may not be given: `allow_auto_random_explicit_insert`.
pub const MAY_GIVE: &str = "@__embedded_tidb_auto_may_give";

fn trigger(db: &DbInfo, table_id: i64) -> String {
    format!("{}.`tidb_auto_random_{table_id}`", quoted(&db.name.o))
}

/// The trigger that makes AUTO_RANDOM values: for rows that have none, NULL or 0. There is no default, so that without the
/// trigger there is an error. Shard bits come from a hash of the statement's time and connection.
pub(crate) fn create_trigger(db: &DbInfo, table: &TableInfo, table_id: i64) -> Option<String> {
    const REFUSAL: &str = "Invalid auto random: Explicit insertion on auto_random column is disabled. Try to set \
                           @@allow_auto_random_explicit_insert = true.";
    let column = quoted(&table.auto_random_column()?.name.o);
    let shift = table.auto_random_incremental_bits();
    let mask = (1_u64 << table.auto_random_bits.min(15)) - 1;
    let shard = format!("(CRC32(CONCAT(CONNECTION_ID(), NOW(6))) & {mask}) << {shift}");
    Some(format!(
        "CREATE TRIGGER {} BEFORE INSERT ON {} FOR EACH ROW \
         IF IFNULL(NEW.{column}, 0) = 0 THEN \
         SET NEW.{column} = NEXTVAL({}) | {shard}, {FIRST_MADE} = IFNULL({FIRST_MADE}, NEW.{column}); \
         ELSEIF {MAY_GIVE} IS NULL THEN \
         SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 8216, MESSAGE_TEXT = '{REFUSAL}'; \
         ELSE SET {LARGEST_GIVEN} = GREATEST(IFNULL({LARGEST_GIVEN}, 0), NEW.{column}); \
         END IF",
        trigger(db, table_id),
        full_name(db, &table.name.o),
        sequence(table_id)
    ))
}

/// How many triggers a table has: the one that makes its AUTO_RANDOM values, or none.
pub(crate) fn count_triggers(db: &DbInfo, table: &TableInfo) -> String {
    format!(
        "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = {} AND event_object_table = {}",
        mariadb::string(&db.name.o),
        mariadb::string(&table.name.o)
    )
}

/// The default of `_tidb_rowid` while a trigger makes it: no id.
pub(crate) const NO_ROW_ID: i64 = 0;
/// What the names of those triggers begin with.
const LENDER: &str = "tidb_row_id_";

fn lender(db: &DbInfo, table: &TableInfo) -> String {
    format!("{}.`{LENDER}{}`", quoted(&db.name.o), table.id)
}

/// The trigger that makes ids for rows whose default gives them none.
pub(crate) fn lend_row_ids(db: &DbInfo, table: &TableInfo) -> String {
    let id = format!("NEW.`{}`", mariadb::ROW_ID);
    format!(
        "CREATE OR REPLACE TRIGGER {} BEFORE INSERT ON {} FOR EACH ROW SET {id} = IF({id} = {NO_ROW_ID}, {}, {id})",
        lender(db, table),
        full_name(db, &table.name.o),
        next_row_id(table, table.id)
    )
}

/// Lets the default make them again, and removes the trigger.
pub(crate) fn take_row_ids_back(db: &DbInfo, table: &TableInfo) -> Vec<String> {
    vec![
        mariadb::count_row_ids(db, table, table.id),
        format!("DROP TRIGGER IF EXISTS {}", lender(db, table)),
    ]
}

/// Databases and tables whose row ids a trigger makes.
pub(crate) fn lent_row_ids() -> String {
    format!(
        "SELECT event_object_schema, event_object_table FROM information_schema.triggers \
         WHERE LEFT(trigger_name, {}) = '{LENDER}'",
        LENDER.len()
    )
}

/// What makes the counter of a new table, before the table is made and after.
pub(crate) fn of_new_table(db: &DbInfo, table: &TableInfo) -> (Vec<String>, Option<String>) {
    let next = table.auto_rand_id.max(1);
    let counted = table.has_row_id() || table.auto_random_bits > 0;
    let before = match counted {
        true => vec![create_sequence(table.id, next), open_sequence(table.id)],
        false => vec![],
    };
    (before, create_trigger(db, table, table.id))
}

/// What lets the counter of an emptied table, which has a new id, begin anew.
pub(crate) fn of_truncated_table(db: &DbInfo, table: &TableInfo, new_id: i64) -> Vec<String> {
    let anew: Vec<String> = match create_trigger(db, table, new_id) {
        Some(create) => vec![
            format!("LOCK TABLES {} WRITE", full_name(db, &table.name.o)),
            format!("DROP TRIGGER IF EXISTS {}", trigger(db, table.id)),
            create,
            "UNLOCK TABLES".to_owned(),
        ],
        None if table.has_row_id() => vec![mariadb::count_row_ids(db, table, new_id)],
        None => return vec![],
    };
    let mut out = vec![create_sequence(new_id, 1), open_sequence(new_id)];
    out.extend(anew);
    out.push(drop_sequence(table.id));
    out
}

/// What removes the counter of a dropped table.
pub(crate) fn of_dropped_table(table: &TableInfo) -> Option<String> {
    let counted = table.has_row_id() || table.auto_random_bits > 0;
    (counted && table.is_base_table()).then(|| drop_sequence(table.id))
}

/// The next `_tidb_rowid`, as a default's expression. SHARD_ROW_ID_BITS come from a hash of the statement's time and
/// connection, and so are the same for its rows.
pub(crate) fn next_row_id(table: &TableInfo, table_id: i64) -> String {
    let next = format!("NEXTVAL({})", sequence(table_id));
    match table.shard_row_id_bits {
        0 => next,
        bits => {
            let shift = BITS - bits - 1;
            let mask = (1_u64 << bits.min(15)) - 1;
            format!("{next} | ((CRC32(CONCAT(CONNECTION_ID(), NOW(6))) & {mask}) << {shift})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidb::catalog::model::CiStr;

    fn table(version: TidbVersion) -> TableInfo {
        TableInfo::new(
            version,
            7,
            CiStr::new("t"),
            "utf8mb4".to_owned(),
            "utf8mb4_bin".to_owned(),
        )
    }

    #[test]
    fn a_range_is_taken_when_the_last_is_used_up() {
        let table = table(TidbVersion::V8_5);
        let after = |end, min, max| table.counter_after(Counter::RowId, end, Used { min, max });
        assert_eq!(after(0, 1, 3), Some(30_000));
        assert_eq!(after(30_000, 4, 30_000), None);
        assert_eq!(after(30_000, 29_999, 30_001), Some(60_000));
        assert_eq!(after(0, 1, 40_000), Some(40_000));
        // Given by the client.
        assert_eq!(after(30_000, 100_000, 100_000), Some(130_000));
        assert_eq!(after(0, i64::MAX, i64::MAX), Some(i64::MAX));
        assert_eq!(after(0, -5, -5), None);
    }

    #[test]
    fn counters_have_fields() {
        let mut table = table(TidbVersion::V8_5);
        assert_eq!(table.counter_field(Counter::AutoIncrement), "TID:7");
        table.auto_id_cache = 1;
        assert_eq!(table.counter_field(Counter::AutoIncrement), "IID:7");
        assert_eq!(table.counter_field(Counter::RowId), "TID:7");
        assert_eq!(table.counter_field(Counter::AutoRandom), "TARID:7");
    }
}
