//! The catalog in memory: a fold over the schema's keys.

use super::model::PolicyInfo;
use super::model::{CiStr, DbInfo, TableInfo};
use super::plan::POLICY_FORM;
use super::{CatalogError, Mutation, TidbVersion, meta};
use crate::tidb::codec::keys::MetaKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A database with its tables.
#[derive(Debug, Clone)]
pub struct Database {
    /// As stored.
    pub info: DbInfo,
    tables: BTreeMap<i64, Arc<TableInfo>>,
    members: BTreeMap<String, String>,
}

impl Database {
    /// Its tables by id.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableInfo>> {
        self.tables.values()
    }

    /// A table by its name in any case.
    pub fn table(&self, name: &str) -> Option<&Arc<TableInfo>> {
        self.tables.values().find(|t| t.name.is(name))
    }

    /// What is kept beside the tables: allocators, as `TID:104` → `30000`.
    pub(crate) fn members(&self) -> &BTreeMap<String, String> {
        &self.members
    }
}

/// TiDB's schema. It changes only by [`Catalog::apply`], so that memory and TiKV cannot differ.
#[derive(Debug, Clone)]
pub struct Catalog {
    version: TidbVersion,
    databases: BTreeMap<i64, Database>,
    policies: BTreeMap<i64, PolicyInfo>,
    last_policy_id: i64,
    schema_version: i64,
    last_global_id: i64,
    jobs_finished: u64,
}

impl Catalog {
    /// A catalog without databases.
    pub fn new(version: TidbVersion) -> Self {
        Self {
            version,
            databases: BTreeMap::new(),
            policies: BTreeMap::new(),
            last_policy_id: 0,
            schema_version: 0,
            last_global_id: 0,
            jobs_finished: 0,
        }
    }

    /// Rebuilds the catalog from all pairs under `m`. Keys of no interest are passed over.
    pub fn load<K, V>(
        version: TidbVersion,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, CatalogError>
    where
        K: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut out = Self::new(version);
        for (key, value) in pairs {
            out.put(key.as_ref(), Some(value.as_ref()))?;
        }
        Ok(out)
    }

    /// Takes over the writes of a committed transaction. Keys outside the schema are passed over.
    pub fn apply(&mut self, mutations: &[Mutation]) -> Result<(), CatalogError> {
        for mutation in mutations {
            match mutation {
                Mutation::Put { key, value } => self.put(key, Some(value))?,
                Mutation::Delete { key } => self.put(key, None)?,
            }
        }
        Ok(())
    }

    fn put(&mut self, raw: &[u8], value: Option<&[u8]>) -> Result<(), CatalogError> {
        if raw.first() != Some(&b'm') {
            return Ok(());
        }
        let key = MetaKey::decode(raw)?;
        let Some(known) = meta::recognise(&key) else {
            if value.is_some() && matches!(&key, MetaKey::Hash(h, _) if h == b"DDLJobHistory") {
                self.jobs_finished += 1;
            }
            return Ok(());
        };
        let damaged = |why: String| CatalogError::Damaged {
            key: key.clone(),
            why,
        };
        let number = || -> Result<i64, CatalogError> {
            let text = String::from_utf8_lossy(value.unwrap_or(b"0"));
            text.parse()
                .map_err(|_| damaged(format!("{text:?} is no number")))
        };
        match known {
            meta::Known::GlobalId => self.last_global_id = number()?,
            meta::Known::SchemaVersion => self.schema_version = number()?,
            meta::Known::PolicyId => self.last_policy_id = number()?,
            meta::Known::Policy(id) => match value {
                None => {
                    self.policies.remove(&id);
                }
                Some(stored) => {
                    let json = stored.strip_prefix(&[POLICY_FORM]).unwrap_or(stored);
                    let policy =
                        serde_json::from_slice(json).map_err(|e| damaged(e.to_string()))?;
                    self.policies.insert(id, policy);
                }
            },
            meta::Known::Db(id) => match value {
                None => {
                    self.databases.remove(&id);
                }
                Some(json) => {
                    let info = serde_json::from_slice(json).map_err(|e| damaged(e.to_string()))?;
                    self.database_mut(id).info = info;
                }
            },
            meta::Known::Table(db_id, id) => match value {
                None => {
                    self.existing_mut(db_id, |db| db.tables.remove(&id));
                }
                Some(json) => {
                    let info = serde_json::from_slice(json).map_err(|e| damaged(e.to_string()))?;
                    self.database_mut(db_id).tables.insert(id, Arc::new(info));
                }
            },
            meta::Known::Member(db_id, field) => match value {
                None => {
                    self.existing_mut(db_id, |db| db.members.remove(&field));
                }
                Some(text) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    self.database_mut(db_id).members.insert(field, text);
                }
            },
        }
        Ok(())
    }

    /// Keys arrive in any order: a database's fields may come before the database.
    fn database_mut(&mut self, id: i64) -> &mut Database {
        let version = self.version;
        self.databases.entry(id).or_insert_with(|| Database {
            info: DbInfo::new(version, id, CiStr::default(), String::new(), String::new()),
            tables: BTreeMap::new(),
            members: BTreeMap::new(),
        })
    }

    fn existing_mut<T>(&mut self, id: i64, change: impl FnOnce(&mut Database) -> Option<T>) {
        if let Some(db) = self.databases.get_mut(&id) {
            change(db);
        }
    }

    /// The release line.
    pub fn version(&self) -> TidbVersion {
        self.version
    }

    /// The schema version.
    pub fn schema_version(&self) -> i64 {
        self.schema_version
    }

    /// The last id handed out to a database, table or job.
    pub fn last_global_id(&self) -> i64 {
        self.last_global_id
    }

    /// How many jobs were seen to finish.
    pub(crate) fn jobs_finished(&self) -> u64 {
        self.jobs_finished
    }

    /// All databases by id. (A database that was never seen itself has no name and is left out.)
    pub fn databases(&self) -> impl Iterator<Item = &Database> {
        self.databases
            .values()
            .filter(|db| !db.info.name.o.is_empty())
    }

    /// A database by its name in any case.
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases().find(|db| db.info.name.is(name))
    }

    /// A placement policy by its name in any case.
    pub(crate) fn policy(&self, name: &str) -> Option<&PolicyInfo> {
        self.policies.values().find(|policy| policy.name.is(name))
    }

    /// The last id handed out to a placement policy.
    pub(crate) fn last_policy_id(&self) -> i64 {
        self.last_policy_id
    }

    /// A table by the names of its database and itself, in any case.
    pub fn table(&self, database: &str, name: &str) -> Option<&Arc<TableInfo>> {
        self.database(database)?.table(name)
    }

    /// The ids under which rows and index entries are kept: of tables, and of the partitions of those that have some.
    pub fn physical_ids(&self) -> impl Iterator<Item = i64> {
        self.databases
            .values()
            .flat_map(|db| db.tables.values())
            .flat_map(|table| table.physical_ids())
    }

    /// A table and its database by the table's id.
    pub fn table_by_id(&self, id: i64) -> Option<(&Database, &Arc<TableInfo>)> {
        self.databases()
            .find_map(|db| Some((db, db.tables.get(&id)?)))
    }
}
