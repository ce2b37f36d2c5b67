//! The test API on the status address: commands that a real cluster's operators or misfortunes give.
//!
//! Bodies and answers are JSON; keys are raw (as clients send them), in hex. What is refused answers 400 with the reason.
//!
//! | request | body | answer |
//! | --- | --- | --- |
//! | `GET /test/regions` | | `[{"id", "version", "conf_ver", "start_key", "end_key", "leader", "stores", "bytes"}]`, in key order |
//! | `POST /test/split` | `{"keys": ["…"]}` | the regions that hold the keys now |
//! | `POST /test/merge` | `{"source": 1, "target": 2}`: neighbours; the source ends | the target |
//! | `POST /test/transfer-leader` | `{"region": 1, "store": 2}` | the region |
//! | `POST /test/busy` | `{"region": 1, "requests": 3, "reason": "…"}`: so many requests (KV and change feed) are answered ServerIsBusy; without a region those of all; 0 ends it | `{}` |
//! | `POST /test/lock` | `{"key": "…", "ttl_ms": 60000}`: an open lock as of a transaction that put the key's own value and was never committed; it holds back the resolved-ts | `{"start_ts": 1}` |
//! | `DELETE /test/lock` | `{"key": "…", "start_ts": 1}`: rolls it back | `{}` |

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::StatusCode;
use proto::kvrpcpb as kv;
use serde::Deserialize;
use serde_json::{Value, json};

use super::region::Region;
use super::store::{Failure, Store};
use super::txn::end::roll_back;
use super::txn::prewrite::{PrewriteError, prewrite};
use super::txn::refuse;
use crate::client::Client;

/// How long a lock is held if the request does not say.
const LOCK_TTL_MS: u64 = 60_000;

struct Shared {
    store: Arc<Store>,
    pd: Client,
}

/// The routes below `/test`.
pub(crate) fn router(store: Arc<Store>, pd: Client) -> Router {
    Router::new()
        .route("/regions", get(regions))
        .route("/split", post(split))
        .route("/merge", post(merge))
        .route("/transfer-leader", post(transfer))
        .route("/busy", post(busy))
        .route("/lock", post(lock).delete(unlock))
        .with_state(Arc::new(Shared { store, pd }))
}

type Answer = Result<Json<Value>, Refused>;

/// Why a command was not carried out.
#[derive(Debug)]
struct Refused(String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("failed to {}\n", self.0)).into_response()
    }
}

fn key_of(text: &str) -> Result<Bytes, Refused> {
    let decoded = hex::decode(text);
    decoded
        .map(Bytes::from)
        .map_err(|error| Refused(format!("read key {text:?}: {error} (expected hex)")))
}

fn described(region: &Region, bytes: u64) -> Value {
    let epoch = region.meta.region_epoch.unwrap_or_default();
    let stores = region.meta.peers.iter().map(|peer| peer.store_id);
    json!({
        "id": region.id(),
        "version": epoch.version,
        "conf_ver": epoch.conf_ver,
        "start_key": hex::encode(&region.range.start),
        "end_key": hex::encode(&region.range.end),
        "leader": region.leader,
        "stores": stores.collect::<Vec<_>>(),
        "bytes": bytes,
    })
}

impl Shared {
    fn describe(&self, region: &Region) -> Value {
        described(region, self.store.sizes.of(region.id()).estimate())
    }
}

async fn regions(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let all = shared.store.regions.all();
    Json(all.iter().map(|region| shared.describe(region)).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    keys: Vec<String>,
}

async fn split(State(shared): State<Arc<Shared>>, Json(asked): Json<Split>) -> Answer {
    let store = &shared.store;
    let mut parts = Vec::new();
    for text in &asked.keys {
        let key = key_of(text)?;
        let region = store.regions.at(&key);
        let region =
            region.ok_or_else(|| Refused(format!("split at {text}: no region holds it")))?;
        let cut = store
            .splitter
            .split(&region, std::slice::from_ref(&key))
            .await;
        if cut.map_err(|error| Refused(error.to_string()))?.is_none() {
            return Err(Refused(format!(
                "split at {text}: region {} changed meanwhile",
                region.id()
            )));
        }
        parts.extend(
            store
                .regions
                .at(&key)
                .map(|region| shared.describe(&region)),
        );
    }
    Ok(Json(parts.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    source: u64,
    target: u64,
}

async fn merge(State(shared): State<Arc<Shared>>, Json(asked): Json<Merge>) -> Answer {
    let merged = shared.store.splitter.merge(asked.source, asked.target);
    let merged = merged.await.map_err(|error| Refused(error.to_string()))?;
    Ok(Json(shared.describe(&merged)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    region: u64,
    store: u64,
}

async fn transfer(State(shared): State<Arc<Shared>>, Json(asked): Json<Transfer>) -> Answer {
    let moved = shared.store.splitter.transfer(asked.region, asked.store);
    let moved = moved.await.map_err(|error| Refused(error.to_string()))?;
    Ok(Json(shared.describe(&moved)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BusyAsked {
    region: Option<u64>,
    requests: u64,
    #[serde(default = "asked_for")]
    reason: String,
}

fn asked_for() -> String {
    "asked for by the test API".to_owned()
}

async fn busy(State(shared): State<Arc<Shared>>, Json(asked): Json<BusyAsked>) -> Json<Value> {
    let faults = &shared.store.faults;
    faults.set_busy(asked.region, asked.requests, asked.reason);
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockAsked {
    key: String,
    #[serde(default = "lock_ttl")]
    ttl_ms: u64,
}

fn lock_ttl() -> u64 {
    LOCK_TTL_MS
}

async fn lock(State(shared): State<Arc<Shared>>, Json(asked): Json<LockAsked>) -> Answer {
    let key = key_of(&asked.key)?;
    let start_ts = shared.pd.tso().await;
    let start_ts = start_ts.map_err(|error| Refused(error.to_string()))?;
    let concurrency = shared.store.concurrency.clone();
    let locked = shared
        .store
        .write(vec![key.clone()], move |reader, changes| {
            let mutation = kv::Mutation {
                op: kv::Op::Put.into(),
                value: reader.get(&key, start_ts)?.unwrap_or_default(),
                key: key.clone(),
                ..Default::default()
            };
            let request = kv::PrewriteRequest {
                mutations: vec![mutation],
                primary_lock: key,
                start_version: start_ts,
                lock_ttl: asked.ttl_ms,
                txn_size: 1,
                ..Default::default()
            };
            match prewrite(reader, changes, &concurrency, &request) {
                Ok(_) => Ok(()),
                Err(PrewriteError::Stop(stop)) => Err(stop),
                Err(PrewriteError::Locked(_)) => {
                    Err(refuse::abort("another transaction holds the key".to_owned()).into())
                }
            }
        })
        .await;
    locked.map_err(|failure| refused(&format!("lock {}", asked.key), &failure))?;
    Ok(Json(json!({ "start_ts": start_ts })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnlockAsked {
    key: String,
    start_ts: u64,
}

async fn unlock(State(shared): State<Arc<Shared>>, Json(asked): Json<UnlockAsked>) -> Answer {
    let key = key_of(&asked.key)?;
    let unlocked = shared
        .store
        .write(vec![key.clone()], move |reader, changes| {
            roll_back(reader, changes, &key, asked.start_ts, false)
        })
        .await;
    unlocked.map_err(|failure| refused(&format!("unlock {}", asked.key), &failure))?;
    Ok(Json(json!({})))
}

fn refused(what: &str, failure: &Failure) -> Refused {
    let why = match failure {
        Failure::Region(error) => error.message.clone(),
        Failure::Key(error) => match error.abort.as_str() {
            "" => format!("{error:?}"),
            abort => abort.to_owned(),
        },
        Failure::Broken(status) => status.message().to_owned(),
    };
    Refused(format!("{what}: {why}"))
}
