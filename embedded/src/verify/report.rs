//! What verifying found.

use std::fmt;

use serde::Serialize;

use crate::client::Ts;
use crate::tidb::apply::Gtid;

/// Faults of a table, or of what belongs to none, that are told; of more there is the number.
const TOLD: usize = 10;

/// What is looked at in no table.
const NEVER_COMPARED: &str =
    "defaults, expressions and constraints of columns, definitions of partitions, queries of views";

/// Faults: the first ones in words, and how many there are.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Faults {
    told: Vec<String>,
    count: usize,
}

impl Faults {
    /// One more.
    pub fn add(&mut self, fault: String) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(fault);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first ones.
    pub fn told(&self) -> &[String] {
        &self.told
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.told {
            write!(f, "\n    {fault}")?;
        }
        match self.count - self.told.len() {
            0 => Ok(()),
            more => write!(f, "\n    and {more} more"),
        }
    }
}

/// One side of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its rows.
    pub rows: usize,
    /// A checksum of them, by key.
    pub checksum: String,
}

/// A table.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Its database.
    pub database: String,
    /// Its name.
    pub table: String,
    /// What TiKV has.
    pub tikv: Side,
    /// What MariaDB has; none for tables that TiDB keeps for itself.
    pub mariadb: Option<Side>,
    /// Indexes that have entries.
    pub indexes: usize,
    /// Those entries.
    pub entries: usize,
    /// What is wrong.
    pub faults: Faults,
}

impl Table {
    pub(super) fn new(database: &str, table: &str) -> Self {
        Self {
            database: database.to_owned(),
            table: table.to_owned(),
            tikv: Side::default(),
            mariadb: None,
            indexes: 0,
            entries: 0,
            faults: Faults::default(),
        }
    }
}

/// What is left of a table, partition or index that was dropped.
#[derive(Debug, Clone, Serialize)]
pub struct Garbage {
    /// What it was.
    pub name: String,
    /// Its keys that are still there.
    pub keys: usize,
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The timestamp that TiKV was read at.
    pub ts: Ts,
    /// MariaDB's position at the same point.
    pub gtid: String,
    /// Table by table.
    pub tables: Vec<Table>,
    /// Views that are on both sides.
    pub views: usize,
    /// Sequences that are on both sides.
    pub sequences: usize,
    /// What awaits garbage collection.
    pub garbage: Vec<Garbage>,
    /// What was not looked at, and why.
    pub not_compared: Vec<String>,
    /// What is wrong beside the tables.
    pub faults: Faults,
}

impl Report {
    pub(super) fn new(ts: Ts, gtid: Gtid) -> Self {
        Self {
            ts,
            gtid: gtid.to_string(),
            tables: vec![],
            views: 0,
            sequences: 0,
            garbage: vec![],
            not_compared: vec![NEVER_COMPARED.to_owned()],
            faults: Faults::default(),
        }
    }

    pub(super) fn fault(&mut self, fault: String) {
        self.faults.add(fault);
    }

    /// How many faults there are.
    pub fn fault_count(&self) -> usize {
        let tables = self.tables.iter().map(|t| t.faults.count());
        tables.sum::<usize>() + self.faults.count()
    }

    /// Whether both sides are equal and nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.fault_count() == 0
    }

    /// As JSON, with `clean` for programs that only want to know that.
    pub fn json(&self) -> serde_json::Value {
        let mut out = serde_json::json!(self);
        out["clean"] = self.is_clean().into();
        out
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            let name = format!("{}.{}", table.database, table.table);
            let verdict = match table.faults.count() {
                0 => "ok".to_owned(),
                n => format!("{n} FAULTS"),
            };
            let side = &table.tikv;
            writeln!(
                f,
                "{name:<40} {:>8} rows {} {:>3} indexes {:>8} entries  {verdict}{}",
                side.rows, side.checksum, table.indexes, table.entries, table.faults
            )?;
            if let Some(other) = table.mariadb.as_ref().filter(|other| *other != side) {
                let name = "  in MariaDB";
                writeln!(f, "{name:<40} {:>8} rows {}", other.rows, other.checksum)?;
            }
        }
        for garbage in &self.garbage {
            writeln!(
                f,
                "awaits garbage collection: {} keys of {}",
                garbage.keys, garbage.name
            )?;
        }
        for what in &self.not_compared {
            writeln!(f, "not compared: {what}")?;
        }
        if self.faults.count() > 0 {
            writeln!(
                f,
                "beside the tables: {} FAULTS{}",
                self.faults.count(),
                self.faults
            )?;
        }
        let position = match self.gtid.as_str() {
            "" => "the begin of the binlog",
            gtid => gtid,
        };
        write!(
            f,
            "{} tables, {} views, {} sequences at {position} (TiKV at {}): {}",
            self.tables.len(),
            self.views,
            self.sequences,
            self.ts,
            match self.fault_count() {
                0 => "all equal".to_owned(),
                n => format!("{n} faults"),
            }
        )
    }
}
