//! Tables that were dropped or emptied, as RECOVER TABLE and FLASHBACK TABLE bring them back.
//!
//! TiDB finds them in the history of its jobs, and reads what they were from the past. So does the front, before the plan is
//! made: what it found goes into the session that the plan depends on, and is kept with the statement's intent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::meta;
use super::model::TableInfo;

/// Which table is wanted back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The last one that was dropped or emptied under this name.
    Named {
        /// Its database.
        database: String,
        /// Its name.
        table: String,
    },
    /// The one that this job dropped or emptied.
    Job(u64),
}

/// A table as it was before the job that dropped or emptied it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The job.
    pub job_id: i64,
    /// The job's start, as of which the table is read.
    pub start_ts: u64,
    /// The table's database.
    pub db_id: i64,
    /// The database's name then, as the job has it.
    pub database: String,
    /// What the table was.
    pub table: TableInfo,
    /// Up to which values its counters were taken.
    pub counters: Counters,
}

/// The last values of a table's counters that servers may have handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Of `_tidb_rowid`, and of AUTO_INCREMENT where it has no counter of its own.
    pub row_id: i64,
    /// Of AUTO_INCREMENT with a counter of its own.
    pub increment: i64,
    /// Of AUTO_RANDOM.
    pub random: i64,
}

impl Counters {
    /// The table with its counters behind what was taken of them.
    pub fn behind(self, table: &TableInfo) -> TableInfo {
        let of_column = match table.has_separate_counters() {
            true => self.increment,
            false => self.row_id,
        };
        let counted = match table.auto_random_bits > 0 {
            true => self.random,
            false => self.row_id,
        };
        TableInfo {
            auto_inc_id: of_column.saturating_add(1).max(table.auto_inc_id),
            auto_rand_id: counted.saturating_add(1),
            ..table.clone()
        }
    }
}

/// The key of a table in the schema.
pub fn table_key(db_id: i64, table_id: i64) -> Vec<u8> {
    meta::table(db_id, table_id).encode()
}

/// The keys of a table's counters, in the order of [`Counters`].
pub fn counter_keys(db_id: i64, table_id: i64) -> [Vec<u8>; 3] {
    meta::auto_id_fields(table_id).map(|field| meta::db_member(db_id, &field).encode())
}

/// What MariaDB needs to have such a table again: its rows are those that TiKV has kept.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The table.
    pub table: Arc<TableInfo>,
    /// What makes it, empty and where nobody sees it. All of it may be done again, and is in no binlog.
    pub prepare: Vec<String>,
}
