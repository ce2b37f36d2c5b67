//! The whole schema (`docs/spec/tidb-schema.md §2, §5, §6`): databases, tables, counters, and what there was before.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::key::Meta;
use super::model::{Name, Table};
use super::{Key, Unreadable};

/// The schema as of a timestamp.
#[derive(Debug, Default)]
pub struct Schema {
    /// Databases by id.
    pub databases: BTreeMap<i64, Database>,
    /// The schema's version.
    pub version: i64,
    /// Tables and partitions that were made once, by id: the names of the table and its indexes.
    pub made: BTreeMap<i64, Made>,
}

/// A database.
#[derive(Debug, Default)]
pub struct Database {
    /// Its name in lower case.
    pub name: String,
    /// Its tables by id.
    pub tables: BTreeMap<i64, Table>,
    /// Counters by their fields, `TID:5` for one.
    pub counters: BTreeMap<String, i64>,
}

/// A table or partition that a job once described.
#[derive(Debug, Default, Clone)]
pub struct Made {
    /// Database and table, and the partition.
    pub name: String,
    /// Names of its indexes by id.
    pub indexes: BTreeMap<i64, String>,
    /// What a sequence was counted on by.
    pub increments: BTreeSet<i64>,
}

#[derive(Deserialize)]
struct DbInfo {
    #[serde(rename = "db_name")]
    name: Name,
}

/// A finished DDL job.
#[derive(Deserialize)]
struct Job {
    #[serde(default)]
    schema_name: String,
    binlog: Option<History>,
}

#[derive(Deserialize)]
struct History {
    #[serde(rename = "TableInfo")]
    table: Option<Table>,
    #[serde(rename = "MultipleTableInfos", default)]
    tables: Option<Vec<Option<Table>>>,
}

impl Schema {
    /// Reads the schema's pairs.
    pub fn read<'a>(
        pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, Unreadable> {
        let mut out = Self::default();
        for (key, value) in pairs {
            match Key::read(key)? {
                Some(Key::Meta(meta)) => out.put(&meta, value)?,
                other => {
                    let why = format!("{other:?} among the schema's keys");
                    return Err(Unreadable::new("the schema", why));
                }
            }
        }
        out.databases.retain(|_, db| !db.name.is_empty());
        Ok(out)
    }

    fn put(&mut self, meta: &Meta, value: &[u8]) -> Result<(), Unreadable> {
        match meta {
            Meta::Text(name) if name == b"SchemaVersionKey" => {
                self.version = number("the schema's version", value)?;
            }
            Meta::Hash(name, field) if name == b"DBs" => {
                let id = id("DB:", field)?;
                let info: DbInfo = json("a database", value)?;
                self.databases.entry(id).or_default().name = info.name.lower;
            }
            Meta::Hash(name, _) if name == b"DDLJobHistory" => {
                self.remember(json("a DDL job", value)?);
            }
            Meta::Hash(name, field) if name.starts_with(b"DB:") => {
                let db = self.databases.entry(id("DB:", name)?).or_default();
                if field.starts_with(b"Table:") {
                    let table: Table = json("a table", value)?;
                    db.tables.insert(id("Table:", field)?, table);
                } else {
                    let field = String::from_utf8_lossy(field).into_owned();
                    db.counters.insert(field, number("a counter", value)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn remember(&mut self, job: Job) {
        let Some(history) = job.binlog else {
            return;
        };
        let tables = history.tables.into_iter().flatten().flatten();
        for table in history.table.into_iter().chain(tables) {
            let name = format!("{}.{}", job.schema_name, table.name.original);
            let partitions = table.partitions().iter().map(|p| {
                let name = format!("{name} partition {}", p.name.original);
                (p.id, name)
            });
            for (id, name) in partitions.chain([(table.id, name.clone())]) {
                let made = self.made.entry(id).or_default();
                made.name = name;
                let increments = table.sequence.iter().map(|sequence| sequence.increment);
                made.increments.extend(increments);
                let indexes = table.indexes.iter();
                made.indexes
                    .extend(indexes.map(|i| (i.id, i.name.original.clone())));
            }
        }
    }

    /// The ids of tables that are there, and of their partitions.
    pub fn ids(&self) -> BTreeSet<i64> {
        let tables = self.databases.values().flat_map(|db| db.tables.values());
        tables
            .flat_map(|t| t.physical_ids().into_iter().chain([t.id]))
            .collect()
    }
}

fn id(prefix: &str, field: &[u8]) -> Result<i64, Unreadable> {
    let text = String::from_utf8_lossy(field);
    let id = text.strip_prefix(prefix).and_then(|id| id.parse().ok());
    id.ok_or_else(|| Unreadable::new("a key of the schema", format!("{text:?}")))
}

fn number(what: &'static str, value: &[u8]) -> Result<i64, Unreadable> {
    let text = String::from_utf8_lossy(value);
    text.parse()
        .map_err(|_| Unreadable::new(what, format!("{text:?} is no number")))
}

fn json<'a, T: Deserialize<'a>>(what: &'static str, value: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(value).map_err(|e| Unreadable::new(what, e.to_string()))
}
