//! The metadata that a cluster had before a recording began.

use std::convert::Infallible;

use bytes::Bytes;
use pipeline::{
    compat::Compat,
    model::Span,
    mount::memcomparable,
    schema::{MetaReader, SchemaStorage},
};

use crate::load;

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

    pub(crate) fn database(&mut self, id: i64, name: &str) {
        let value = format!(r#"{{"id":{id},"db_name":{{"O":"{name}","L":"{name}"}},"state":5}}"#);
        self.hash("DBs", &format!("DB:{id}"), value);
    }

    pub(crate) fn table(&mut self, schema: i64, id: i64, json: String) {
        self.hash(&format!("DB:{schema}"), &format!("Table:{id}"), json);
    }

    /// The database `mysql` with its table of DDL jobs.
    pub(crate) fn with_job_table(mut self) -> Self {
        self.database(1, "mysql");
        let text = load::golden("schema-json.json");
        let job_table = text["vectors"]
            .as_array()
            .expect("vectors")
            .iter()
            .find_map(|vector| {
                let json = vector["text"].as_str()?;
                json.starts_with(r#"{"id":281474976710654"#)
                    .then(|| json.to_owned())
            })
            .expect("the table of DDL jobs");
        self.table(1, 281_474_976_710_654, job_table);
        self
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
