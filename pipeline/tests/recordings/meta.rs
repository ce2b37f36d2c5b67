//! The metadata that a cluster had before a recording began.

use std::{collections::BTreeMap, convert::Infallible, sync::LazyLock};

use bytes::Bytes;
use pipeline::{
    compat::Compat,
    model::Span,
    mount::{Value, key, memcomparable, row::RowValue},
    schema::{Action, Column, DDL_JOB_TABLE_ID, MetaReader, SchemaStorage, TableInfo, job::Job},
};

use crate::load::{self, KeyValue, Step};

/// Meta keys in memory.
#[derive(Debug, Default)]
pub(crate) struct Meta(Vec<(Bytes, Bytes)>);

impl MetaReader for Meta {
    type Error = Infallible;

    async fn scan(&self, span: &Span) -> Result<Vec<(Bytes, Bytes)>, Infallible> {
        Ok(self
            .0
            .iter()
            .filter(|(key, _)| span.contains(key))
            .cloned()
            .collect())
    }
}

impl Meta {
    fn hash(&mut self, key: &str, field: &str, value: String) {
        let mut raw = vec![b'm'];
        memcomparable::put_bytes(&mut raw, key.as_bytes());
        raw.extend_from_slice(&u64::from(b'h').to_be_bytes());
        memcomparable::put_bytes(&mut raw, field.as_bytes());
        self.0.push((raw.into(), value.into()));
    }

    fn database(&mut self, id: i64, name: &str) {
        let value = format!(r#"{{"id":{id},"db_name":{{"O":"{name}","L":"{name}"}},"state":5}}"#);
        self.hash("DBs", &format!("DB:{id}"), value);
    }

    fn table(&mut self, schema: i64, id: i64, json: String) {
        self.hash(&format!("DB:{schema}"), &format!("Table:{id}"), json);
    }

    /// The database `mysql` with its table of DDL jobs.
    fn with_job_table(mut self) -> Self {
        self.database(1, "mysql");
        self.table(1, DDL_JOB_TABLE_ID, job_table());
        self
    }

    /// All keys with their values.
    pub(crate) fn pairs(&self) -> &[(Bytes, Bytes)] {
        &self.0
    }

    pub(crate) fn load(&self, compat: Compat) -> SchemaStorage {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        runtime
            .block_on(SchemaStorage::load(self, 1, compat))
            .expect("a schema")
    }
}

/// The metadata before the recording: the databases that its jobs name and do not make.
pub(crate) fn before(steps: &[Step], compat: Compat) -> Meta {
    let mut meta = Meta::default();
    if compat > Compat::V4_0_9 {
        meta = meta.with_job_table();
    }
    if compat == Compat::V8_5 {
        meta.database(2, "test");
        return meta;
    }
    let mut databases = BTreeMap::new();
    for job in steps.iter().flat_map(|step| &step.kv).filter_map(job) {
        let made = job.action == Action::CREATE_SCHEMA;
        databases
            .entry(job.schema_id)
            .or_insert((made, job.schema_name));
    }
    for (id, (_, name)) in databases.into_iter().filter(|(_, (made, _))| !made) {
        meta.database(id, &name);
    }
    meta
}

/// TiDB's document of `mysql.tidb_ddl_job`.
fn job_table() -> String {
    let file = load::golden("schema-json.json");
    let mut texts = file["vectors"]
        .as_array()
        .expect("vectors")
        .iter()
        .filter_map(|vector| vector["text"].as_str());
    let lead = format!("{{\"id\":{DDL_JOB_TABLE_ID}");
    texts
        .find(|text| text.starts_with(&lead))
        .expect("the table of DDL jobs")
        .to_owned()
}

/// Whether the key is of v4.0.9's job lists or of the table of DDL jobs.
pub(crate) fn is_job(kv: &KeyValue) -> bool {
    kv.key.starts_with(&hex::encode(b"mDDLJob"))
        || key::physical_id(&kv.raw().key) == Some(DDL_JOB_TABLE_ID)
}

/// The job that the key holds, finished or not.
pub(crate) fn job(kv: &KeyValue) -> Option<Job> {
    if !is_job(kv) || kv.value.is_empty() {
        return None;
    }
    let value = kv.raw().value;
    if kv.key.starts_with("6d") {
        return serde_json::from_slice(&value).ok();
    }
    static JOB_META: LazyLock<Column> = LazyLock::new(|| {
        let model = serde_json::from_str(&job_table()).expect("a table");
        let mut table = TableInfo::new(1, "mysql", 1, &model, Compat::V8_5);
        let at = table.column_by_name("job_meta").expect("a column");
        table.columns.swap_remove(at)
    });
    match RowValue::parse(&value)
        .expect("a row")
        .column(&JOB_META)
        .expect("a value")
    {
        Some(Value::Bytes(json)) => serde_json::from_slice(&json).ok(),
        other => panic!("{other:?} where a job must be"),
    }
}
