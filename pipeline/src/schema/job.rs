//! DDL jobs: their JSON, and the arguments that a change stream needs (spec/tidb-schema.md §6).

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    action::Action,
    error::SchemaError,
    model::{CiStr, DbInfo, TableModel, nullable},
};

/// State of a job whose change is done; what a change stream takes the job from.
const STATE_DONE: u8 = 4;
/// State of a job that has been seen by all servers.
const STATE_SYNCED: u8 = 6;

/// A DDL job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Job {
    /// Its id, from the cluster-wide allocator.
    #[serde(deserialize_with = "nullable")]
    pub id: i64,
    /// Its kind.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub action: Action,
    /// The database it works on.
    #[serde(deserialize_with = "nullable")]
    pub schema_id: i64,
    /// The table it works on (TRUNCATE: the old one).
    #[serde(deserialize_with = "nullable")]
    pub table_id: i64,
    /// The database's name, where the version writes it.
    #[serde(deserialize_with = "nullable")]
    pub schema_name: String,
    /// Where it stands.
    #[serde(deserialize_with = "nullable")]
    pub state: u8,
    /// The statement as the user wrote it.
    #[serde(deserialize_with = "nullable")]
    pub query: String,
    /// What it made.
    #[serde(deserialize_with = "nullable")]
    pub binlog: History,
    /// Its arguments: an array (version 1) or an object (version 2).
    pub raw_args: Option<serde_json::Value>,
    /// The session's SQL mode, as TiDB's bits; missing before 7.x.
    #[serde(deserialize_with = "nullable")]
    pub sql_mode: u64,
}

/// What a job made.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct History {
    /// The schema version; 0 for a job that changed nothing.
    #[serde(rename = "SchemaVersion", deserialize_with = "nullable")]
    pub schema_version: i64,
    /// The database.
    #[serde(rename = "DBInfo")]
    pub db_info: Option<DbInfo>,
    /// The table.
    #[serde(rename = "TableInfo")]
    pub table_info: Option<TableModel>,
    /// The tables of a job about several.
    #[serde(rename = "MultipleTableInfos", deserialize_with = "nullable")]
    pub multiple_table_infos: Vec<TableModel>,
}

/// One table of a `RENAME TABLE` job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RenameArgs {
    /// The database before.
    #[serde(deserialize_with = "nullable")]
    pub old_schema_id: i64,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub old_schema_name: CiStr,
    /// The name before; empty where the version leaves it out.
    #[serde(deserialize_with = "nullable")]
    pub old_table_name: CiStr,
    /// The database after.
    #[serde(deserialize_with = "nullable")]
    pub new_schema_id: i64,
    /// The name after.
    #[serde(deserialize_with = "nullable")]
    pub new_table_name: CiStr,
    /// The table.
    #[serde(deserialize_with = "nullable")]
    pub table_id: i64,
}

/// The arguments of version 2 of `RENAME TABLE` of several tables.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RenameTablesV2 {
    #[serde(deserialize_with = "nullable")]
    rename_table_infos: Vec<RenameArgs>,
}

impl Job {
    /// Reads a job; `None` if it is not finished, or did nothing.
    pub fn finished(
        json: &[u8],
        compat: crate::compat::Compat,
    ) -> Result<Option<Self>, SchemaError> {
        let job: Job = serde_json::from_slice(json).map_err(|source| SchemaError::Json {
            what: "a DDL job".to_owned(),
            source,
        })?;
        let finished = job.state == STATE_DONE
            || (compat == crate::compat::Compat::V4_0_9 && job.state == STATE_SYNCED);
        Ok((finished && job.binlog.schema_version != 0).then_some(job))
    }

    /// An error about what the job lacks.
    pub(super) fn invalid(&self, detail: impl Into<String>) -> SchemaError {
        SchemaError::Job {
            job_id: self.id,
            action: self.action.0,
            query: self.query.clone(),
            detail: detail.into(),
        }
    }

    /// The table that the job made or changed.
    pub(super) fn table(&self) -> Result<&TableModel, SchemaError> {
        self.binlog
            .table_info
            .as_ref()
            .ok_or_else(|| self.invalid("the job carries no table"))
    }

    /// The renames of a job about several tables, with the tables they give.
    pub(super) fn renames(&self) -> Result<Vec<(RenameArgs, &TableModel)>, SchemaError> {
        let args = match &self.raw_args {
            Some(object @ serde_json::Value::Object(_)) => {
                self.args::<RenameTablesV2>(object)?.rename_table_infos
            }
            Some(array @ serde_json::Value::Array(_)) => self.renames_v1(array)?,
            _ => return Err(self.invalid("the job carries no arguments")),
        };
        let tables = &self.binlog.multiple_table_infos;
        match args.len() == tables.len() {
            true => Ok(args.into_iter().zip(tables).collect()),
            false => Err(self.invalid(format!(
                "{} renames but {} tables",
                args.len(),
                tables.len()
            ))),
        }
    }

    /// Version 1: five or six lists, one value a table.
    fn renames_v1(&self, array: &serde_json::Value) -> Result<Vec<RenameArgs>, SchemaError> {
        let list = |at: usize| array.get(at).filter(|list| !list.is_null());
        let lists =
            |at: usize| list(at).ok_or_else(|| self.invalid(format!("argument {at} is missing")));
        let old_schemas: Vec<i64> = self.args(lists(0)?)?;
        let new_schemas: Vec<i64> = self.args(lists(1)?)?;
        let new_names: Vec<CiStr> = self.args(lists(2)?)?;
        let tables: Vec<i64> = self.args(lists(3)?)?;
        let old_schema_names: Vec<CiStr> = self.args(lists(4)?)?;
        let old_names: Vec<CiStr> = match list(5) {
            Some(names) => self.args(names)?,
            None => vec![CiStr::default(); tables.len()],
        };
        let count = tables.len();
        if [
            old_schemas.len(),
            new_schemas.len(),
            new_names.len(),
            old_schema_names.len(),
            old_names.len(),
        ]
        .iter()
        .any(|&len| len != count)
        {
            return Err(self.invalid("the lists of arguments differ in length"));
        }
        Ok((0..count)
            .map(|at| RenameArgs {
                old_schema_id: old_schemas[at],
                old_schema_name: old_schema_names[at].clone(),
                old_table_name: old_names[at].clone(),
                new_schema_id: new_schemas[at],
                new_table_name: new_names[at].clone(),
                table_id: tables[at],
            })
            .collect())
    }

    fn args<T: DeserializeOwned>(&self, value: &serde_json::Value) -> Result<T, SchemaError> {
        T::deserialize(value).map_err(|source| SchemaError::Json {
            what: format!("the arguments of DDL job {}", self.id),
            source,
        })
    }
}
