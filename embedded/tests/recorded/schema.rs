//! The schema as recorded, statement by statement: the catalog that the real TiDB had.

use super::{Statement, bytes};
use embedded::tidb::catalog::{Catalog, Mutation, TableInfo, TidbVersion, gojson, model::DbInfo};
use embedded::tidb::codec::keys::MetaKey;
use serde_json::Value;

/// Id of the database `test` in the recordings of 8.4.
const TEST_DB_V8: i64 = 2;

/// A catalog that holds `test` and stands just before the first recorded DDL statement.
pub(crate) fn before(version: TidbVersion, statements: &[Statement]) -> Catalog {
    let mut catalog = Catalog::new(version);
    let first = statements.iter().find_map(|s| first_job(version, s));
    let (first_id, first_schema) = first.unwrap_or((3, 1));
    let test_id = match version {
        TidbVersion::V8_5 => TEST_DB_V8,
        TidbVersion::V4_0 => test_id_v4(statements).unwrap_or(1),
    };
    let test = serde_json::json!({
        "id": test_id, "db_name": {"O": "test", "L": "test"}, "charset": "utf8mb4", "collate": "utf8mb4_bin", "state": 5,
    });
    let mut test: DbInfo = serde_json::from_value(test).unwrap();
    if version == TidbVersion::V8_5 {
        let new = DbInfo::new(
            version,
            test_id,
            test.name.clone(),
            String::new(),
            String::new(),
        );
        (test.deprecated, test.policy_ref_info) = (new.deprecated, new.policy_ref_info);
    }
    let put = |key: MetaKey, value: Vec<u8>| Mutation::Put {
        key: key.encode(),
        value,
    };
    catalog
        .apply(&[
            put(
                MetaKey::hash("DBs", format!("DB:{test_id}")),
                gojson::to_vec(&test).unwrap(),
            ),
            put(
                MetaKey::string("NextGlobalID"),
                (first_id - 1).to_string().into_bytes(),
            ),
            put(
                MetaKey::string("SchemaVersionKey"),
                (first_schema - 1).to_string().into_bytes(),
            ),
        ])
        .unwrap();
    catalog
}

/// Of the first job: the first id it took, and the first schema version it made.
fn first_job(version: TidbVersion, statement: &Statement) -> Option<(i64, i64)> {
    match version {
        TidbVersion::V8_5 => {
            let meta = statement.list("meta");
            let diffs = meta
                .iter()
                .filter_map(|m| meta_json(m).filter(|j| j["old_schema_id"].is_i64()));
            let diff = diffs.min_by_key(|d| d["version"].as_i64())?;
            let jobs = meta.iter().filter(|m| m["hash"] == "DDLJobHistory");
            let job = jobs
                .filter_map(meta_json)
                .map(|j| j["id"].as_i64().unwrap())
                .min()?;
            let object = match diff["type"].as_i64() {
                Some(1) => diff["schema_id"].as_i64()?,
                _ => diff["table_id"].as_i64()?,
            };
            Some((object.min(job), diff["version"].as_i64()?))
        }
        TidbVersion::V4_0 => {
            let jobs = jobs_v4(statement);
            let job = jobs.iter().find(|j| j["state"] == 4)?;
            let (schema, table, id) = (&job["schema_id"], &job["table_id"], job["id"].as_i64()?);
            let is_db = job["type"] == 1;
            let object = if is_db {
                schema.as_i64()?
            } else {
                table.as_i64()?
            };
            Some((object.min(id), job["binlog"]["SchemaVersion"].as_i64()?))
        }
    }
}

/// The id of `test` in a recording of 4.0, which made the database anew for each file.
fn test_id_v4(statements: &[Statement]) -> Option<i64> {
    let mut jobs = statements.iter().flat_map(jobs_v4);
    jobs.find(|j| j["schema_name"] == "test")?["schema_id"].as_i64()
}

fn meta_json(entry: &Value) -> Option<Value> {
    serde_json::from_str(entry["value"].as_str()?).ok()
}

/// What the schema's own key–value recording says (8.4), as mutations.
pub(crate) fn recorded_meta(statement: &Statement) -> Vec<Mutation> {
    statement
        .list("meta")
        .iter()
        .map(|m| {
            let key = bytes(&m["key"]);
            match m["value"].as_str().unwrap() {
                "deleted" => Mutation::Delete { key },
                text => Mutation::Put {
                    key,
                    value: match text.strip_prefix("hex:") {
                        Some(hex) => hex::decode(hex).unwrap(),
                        None => text.as_bytes().to_vec(),
                    },
                },
            }
        })
        .collect()
}

/// The versions of jobs in the job lists (4.0), in order.
pub(crate) fn jobs_v4(statement: &Statement) -> Vec<Value> {
    statement
        .list("kv")
        .iter()
        .filter(|kv| kv["key"].as_str().unwrap().starts_with("6d") && kv["op"] == "PUT")
        .map(|kv| serde_json::from_slice(&bytes(&kv["value"])).unwrap())
        .collect()
}

/// What the finished jobs say about the schema (4.0), as mutations.
pub(crate) fn meta_of_jobs_v4(statement: &Statement) -> Vec<Mutation> {
    let mut out = vec![];
    for job in jobs_v4(statement).iter().filter(|j| j["state"] == 4) {
        let db_id = job["schema_id"].as_i64().unwrap();
        let table_id = job["table_id"].as_i64().unwrap();
        let table_key =
            |db: i64, id: i64| MetaKey::hash(format!("DB:{db}"), format!("Table:{id}")).encode();
        let db_key = MetaKey::hash("DBs", format!("DB:{db_id}")).encode();
        let put = |key: Vec<u8>, value: Vec<u8>| Mutation::Put { key, value };
        let action = job["type"].as_i64().unwrap();
        let binlog = &job["binlog"];
        match action {
            2 => out.push(Mutation::Delete { key: db_key }),
            4 | 11 | 24 | 36 => out.push(Mutation::Delete {
                key: table_key(db_id, table_id),
            }),
            14 => out.push(Mutation::Delete {
                key: table_key(job["raw_args"][0].as_i64().unwrap(), table_id),
            }),
            _ => {}
        }
        if matches!(action, 1 | 26) {
            let db: DbInfo = serde_json::from_value(binlog["DBInfo"].clone()).unwrap();
            let key = MetaKey::hash("DBs", format!("DB:{}", db.id)).encode();
            out.push(put(key, gojson::to_vec(&db).unwrap()));
        }
        if !matches!(action, 2 | 4 | 24 | 36) && binlog["TableInfo"].is_object() {
            let table: TableInfo = serde_json::from_value(binlog["TableInfo"].clone()).unwrap();
            out.push(put(
                table_key(db_id, table.id),
                gojson::to_vec(&table).unwrap(),
            ));
        }
        out.push(put(
            MetaKey::string("SchemaVersionKey").encode(),
            binlog["SchemaVersion"].to_string().into_bytes(),
        ));
        out.push(put(
            MetaKey::string("NextGlobalID").encode(),
            last_id_v4(job, &binlog["TableInfo"])
                .to_string()
                .into_bytes(),
        ));
    }
    out
}

/// The last id that a job took: its own, or one for a partition that its worker made.
fn last_id_v4(job: &Value, table: &Value) -> i64 {
    let partitions = table["partition"]["definitions"].as_array();
    let ids = partitions.into_iter().flatten().map(|d| &d["id"]);
    ids.chain([&job["id"]])
        .filter_map(Value::as_i64)
        .max()
        .unwrap()
}

/// What the statement did to the schema.
pub(crate) fn recorded(version: TidbVersion, statement: &Statement) -> Vec<Mutation> {
    match version {
        TidbVersion::V8_5 => recorded_meta(statement),
        TidbVersion::V4_0 => meta_of_jobs_v4(statement),
    }
}
