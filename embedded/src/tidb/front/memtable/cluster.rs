//! Tables about the cluster: its members as PD knows them.

use jiff::Timestamp;
use serde_json::Value;

use super::Kind::{Long, Number, Text, Time};
use super::{Kind, MemTable};
use crate::client::keys;
use crate::tidb::codec::keys as codec;
use crate::tidb::front::FrontError;
use crate::tidb::front::session::Session;

const CLUSTER_INFO: [(&str, Kind); 8] = [
    ("TYPE", Text(64)),
    ("INSTANCE", Text(64)),
    ("STATUS_ADDRESS", Text(64)),
    ("VERSION", Text(64)),
    ("GIT_HASH", Text(64)),
    ("START_TIME", Text(32)),
    ("UPTIME", Text(32)),
    ("SERVER_ID", Number),
];

const SERVERS_INFO: [(&str, Kind); 9] = [
    ("DDL_ID", Text(64)),
    ("IP", Text(64)),
    ("PORT", Number),
    ("STATUS_PORT", Number),
    ("LEASE", Text(64)),
    ("VERSION", Text(64)),
    ("GIT_HASH", Text(64)),
    ("BINLOG_STATUS", Text(64)),
    ("LABELS", Text(128)),
];

const STORE_STATUS: [(&str, Kind); 19] = [
    ("STORE_ID", Number),
    ("ADDRESS", Text(64)),
    ("STORE_STATE", Number),
    ("STORE_STATE_NAME", Text(64)),
    ("LABEL", Long),
    ("VERSION", Text(64)),
    ("CAPACITY", Text(64)),
    ("AVAILABLE", Text(64)),
    ("LEADER_COUNT", Number),
    ("LEADER_WEIGHT", Number),
    ("LEADER_SCORE", Number),
    ("LEADER_SIZE", Number),
    ("REGION_COUNT", Number),
    ("REGION_WEIGHT", Number),
    ("REGION_SCORE", Number),
    ("REGION_SIZE", Number),
    ("START_TS", Time),
    ("LAST_HEARTBEAT_TS", Time),
    ("UPTIME", Text(64)),
];

const REGION_STATUS: [(&str, Kind); 16] = [
    ("REGION_ID", Number),
    ("START_KEY", Long),
    ("END_KEY", Long),
    ("TABLE_ID", Number),
    ("DB_NAME", Text(64)),
    ("TABLE_NAME", Text(64)),
    ("IS_INDEX", Number),
    ("INDEX_ID", Number),
    ("INDEX_NAME", Text(64)),
    ("EPOCH_CONF_VER", Number),
    ("EPOCH_VERSION", Number),
    ("WRITTEN_BYTES", Number),
    ("READ_BYTES", Number),
    ("APPROXIMATE_SIZE", Number),
    ("APPROXIMATE_KEYS", Number),
    ("REPLICATIONSTATUS_STATE", Text(64)),
];

/// An address without its scheme.
fn address(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// A version as members tell it among themselves: without the `v`.
fn version(value: &Value) -> Value {
    let text = value.as_str().unwrap_or_default();
    text.trim_start_matches('v').into()
}

/// Seconds since 1970 as a time in UTC.
fn time(seconds: &Value) -> Value {
    let at = seconds.as_i64().filter(|seconds| *seconds > 0);
    at.and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string().into())
        .unwrap_or_default()
}

impl Session {
    fn release(&self) -> &str {
        self.shared.release.trim_start_matches('v')
    }

    pub(super) async fn cluster_info(&mut self) -> Result<MemTable, FrontError> {
        let mut rows = Vec::new();
        let mut member =
            |kind: &str, instance: &str, status: &str, version: Value, hash: &Value| {
                let row: Vec<Value> = vec![
                    kind.into(),
                    instance.into(),
                    status.into(),
                    version,
                    hash.as_str().unwrap_or("None").into(),
                    Value::Null,
                    Value::Null,
                    0.into(),
                ];
                rows.push(row);
            };
        let own = self.shared.addr.to_string();
        let status = self.shared.status_addr.to_string();
        member("tidb", &own, &status, self.release().into(), &Value::Null);
        let members = self.shared.pd_api.get("members").await?;
        for pd in members["members"].as_array().into_iter().flatten() {
            let url = address(pd["client_urls"][0].as_str().unwrap_or_default());
            let version = version(&pd["binary_version"]);
            member("pd", url, url, version, &pd["git_hash"]);
        }
        let stores = self.shared.pd_api.get("stores").await?;
        for store in stores["stores"].as_array().into_iter().flatten() {
            let store = &store["store"];
            let text = |name: &str| store[name].as_str().unwrap_or_default();
            let version = version(&store["version"]);
            let (at, status) = (text("address"), text("status_address"));
            member("tikv", at, status, version, &store["git_hash"]);
        }
        Ok(MemTable {
            columns: CLUSTER_INFO.to_vec(),
            rows,
        })
    }

    pub(super) fn servers_info(&self) -> MemTable {
        let row: Vec<Value> = vec![
            self.shared.client.cluster_id().to_string().into(),
            self.shared.addr.ip().to_string().into(),
            self.shared.addr.port().into(),
            self.shared.status_addr.port().into(),
            "45s".into(),
            self.shared.server_version.clone().into(),
            "None".into(),
            "Off".into(),
            "".into(),
        ];
        MemTable {
            columns: SERVERS_INFO.to_vec(),
            rows: vec![row],
        }
    }

    pub(super) async fn store_status(&mut self) -> Result<MemTable, FrontError> {
        let stores = self.shared.pd_api.get("stores").await?;
        let rows = stores["stores"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|found| {
                let (store, status) = (&found["store"], &found["status"]);
                vec![
                    store["id"].clone(),
                    store["address"].clone(),
                    store["state"].as_i64().unwrap_or(0).into(),
                    store["state_name"].clone(),
                    store["labels"].to_string().into(),
                    store["version"].clone(),
                    status["capacity"].clone(),
                    status["available"].clone(),
                    status["leader_count"].clone(),
                    status["leader_weight"].clone(),
                    status["leader_score"].clone(),
                    status["leader_size"].clone(),
                    status["region_count"].clone(),
                    status["region_weight"].clone(),
                    status["region_score"].clone(),
                    status["region_size"].clone(),
                    time(&store["start_timestamp"]),
                    Value::Null,
                    status["uptime"].clone(),
                ]
            })
            .collect();
        Ok(MemTable {
            columns: STORE_STATUS.to_vec(),
            rows,
        })
    }

    /// All regions, each with the table that it begins in.
    pub(super) async fn region_status(&mut self) -> Result<MemTable, FrontError> {
        let catalog = self.shared.apply.catalog();
        let regions = self.shared.pd_api.regions().await?;
        let rows = regions
            .iter()
            .map(|region| {
                let start = hex::decode(region["start_key"].as_str().unwrap_or_default());
                let table = start
                    .ok()
                    .and_then(|wrapped| keys::decode(&wrapped))
                    .and_then(|raw| codec::table_of(&raw))
                    .and_then(|id| catalog.table_by_id(id));
                let (database, name, id) = match table {
                    None => (Value::Null, Value::Null, Value::Null),
                    Some((db, table)) => (
                        db.info.name.o.clone().into(),
                        table.name.o.clone().into(),
                        table.id.into(),
                    ),
                };
                vec![
                    region["id"].clone(),
                    region["start_key"].clone(),
                    region["end_key"].clone(),
                    id,
                    database,
                    name,
                    0.into(),
                    Value::Null,
                    Value::Null,
                    region["epoch"]["conf_ver"].clone(),
                    region["epoch"]["version"].clone(),
                    region["written_bytes"].clone(),
                    region["read_bytes"].clone(),
                    region["approximate_size"].clone(),
                    region["approximate_keys"].clone(),
                    Value::Null,
                ]
            })
            .collect();
        Ok(MemTable {
            columns: REGION_STATUS.to_vec(),
            rows,
        })
    }
}
