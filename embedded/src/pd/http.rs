//! The part of PD's HTTP API that tools around change data capture read, in the real one's shapes (golden/tikv-feed §13-pd).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use proto::{metapb, pdpb};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cluster::{Cluster, StoreInfo};
use super::operator;
use super::proxy::Proxy;
use super::regions::RegionInfo;

/// Regions in one answer unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 16;
/// A store that was silent for so long is shown as disconnected.
const DISCONNECTED: Duration = Duration::from_secs(20);

#[derive(Clone)]
struct Shared {
    cluster: Arc<Cluster>,
    version: Arc<str>,
    started: i64,
}

/// PD's HTTP API, with everything that is etcd's handed to `proxy`.
pub fn router(cluster: Arc<Cluster>, version: &str, proxy: Proxy) -> Router {
    let started = jiff::Timestamp::now().as_second();
    let shared = Shared {
        cluster,
        version: version.into(),
        started,
    };
    let v1 = Router::new()
        .route("/version", get(version_of))
        .route("/status", get(status))
        .route("/ping", get(|| async { StatusCode::OK }))
        .route("/members", get(members))
        .route("/leader", get(leader))
        .route("/health", get(health))
        .route("/cluster", get(cluster_of))
        .route("/cluster/status", get(cluster_status))
        .route("/config", get(config))
        .route("/config/replicate", get(replication))
        .route("/config/cluster-version", get(cluster_version))
        .route("/stores", get(stores))
        .route("/store/{id}", get(store))
        .route("/regions", get(regions))
        .route("/regions/key", get(regions))
        .route("/regions/count", get(regions_count))
        .route("/regions/store/{id}", get(regions_of_store))
        .route("/region/id/{id}", get(region))
        .route("/region/key/{key}", get(region_by_key))
        .route("/operators", post(create_operator))
        .route("/gc/safepoint", get(gc_safepoint))
        .with_state(shared.clone());
    Router::new()
        .nest("/pd/api/v1", v1)
        .route("/pd/health", get(health))
        .route("/pd/api/v2/ready", get(ready))
        .with_state(shared)
        .layer(axum::middleware::map_response(allow_any_origin))
        .fallback(move |request: Request| {
            let proxy = proxy.clone();
            async move {
                if Proxy::serves(request.uri().path()) {
                    proxy.pass(request).await
                } else {
                    not_found(request.uri().path())
                }
            }
        })
}

/// The two halves of PD's API say it differently.
fn not_found(path: &str) -> Response {
    let (kind, text) = match path.starts_with("/pd/api/v2/") {
        true => ("text/plain", "404 page not found"),
        false => ("text/plain; charset=utf-8", "404 page not found\n"),
    };
    respond(StatusCode::NOT_FOUND, kind, text.to_owned())
}

async fn allow_any_origin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "accept, content-type, authorization",
        ),
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            "POST, GET, OPTIONS, PUT, DELETE",
        ),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Indented JSON with a line end, as most of PD's answers are.
fn pretty(value: &Value) -> Response {
    respond(
        StatusCode::OK,
        "application/json; charset=UTF-8",
        format!("{value:#}\n"),
    )
}

/// Compact JSON with the odd content type that region answers have.
fn compact(value: &Value) -> Response {
    respond(
        StatusCode::OK,
        "application/octet-stream",
        value.to_string(),
    )
}

fn failed(status: StatusCode, text: &str) -> Response {
    respond(
        status,
        "application/json; charset=UTF-8",
        format!("{}\n", json!(text)),
    )
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Answers need a leader with its state loaded.
macro_rules! leading {
    ($shared:expr) => {
        if !$shared.cluster.leadership.leads() {
            return failed(StatusCode::SERVICE_UNAVAILABLE, "no leader");
        }
    };
}

/// A path segment that should be an id.
macro_rules! id {
    ($text:expr) => {
        match $text.parse::<u64>() {
            Ok(id) => id,
            Err(error) => return failed(StatusCode::BAD_REQUEST, &format!("`{}`: {error}", $text)),
        }
    };
}

async fn version_of(State(shared): State<Shared>) -> Response {
    pretty(&json!({"version": *shared.version, "build_time": "", "hash": "", "branch": ""}))
}

async fn status(State(shared): State<Shared>) -> Response {
    pretty(&json!({
        "build_ts": "None",
        "version": *shared.version,
        "git_hash": "None",
        "start_timestamp": shared.started,
    }))
}

/// A duration of nanoseconds as Go writes it: `7m41.005263949s`.
fn go_duration(nanoseconds: u64) -> String {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let fraction = format!(".{rest:09}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = seconds % 60;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, minutes) => format!("{minutes}m{seconds}{fraction}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

/// Where this program is.
fn deploy_path() -> String {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(std::path::Path::parent);
    folder
        .map(|folder| folder.display().to_string())
        .unwrap_or_default()
}

fn member_json(member: &pdpb::Member) -> Value {
    json!({
        "name": member.name,
        "member_id": member.member_id,
        "peer_urls": member.peer_urls,
        "client_urls": member.client_urls,
    })
}

async fn members(State(shared): State<Shared>) -> Response {
    let leadership = &shared.cluster.leadership;
    let mut member = member_json(leadership.member());
    member["deploy_path"] = json!(deploy_path());
    member["binary_version"] = json!(*shared.version);
    member["git_hash"] = json!("embedded");
    let mut answer = json!({
        "header": {"cluster_id": shared.cluster.id},
        "members": [member.clone()],
    });
    if leadership.leads() {
        answer["leader"] = member.clone();
        answer["etcd_leader"] = member;
    }
    pretty(&answer)
}

async fn leader(State(shared): State<Shared>) -> Response {
    leading!(shared);
    pretty(&member_json(shared.cluster.leadership.member()))
}

async fn health(State(shared): State<Shared>) -> Response {
    let leadership = &shared.cluster.leadership;
    let member = leadership.member();
    pretty(&json!([{
        "name": member.name,
        "member_id": member.member_id,
        "client_urls": member.client_urls,
        "health": leadership.leads(),
    }]))
}

async fn ready(State(shared): State<Shared>) -> Response {
    leading!(shared);
    StatusCode::OK.into_response()
}

async fn cluster_of(State(shared): State<Shared>) -> Response {
    leading!(shared);
    pretty(&json!({"id": shared.cluster.id, "max_peer_count": 1}))
}

async fn cluster_status(State(shared): State<Shared>) -> Response {
    leading!(shared);
    let at = shared.cluster.read(|state| state.bootstrapped_at);
    let initialized = at.is_some();
    let time = at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), time_text);
    pretty(&json!({
        "raft_bootstrap_time": time,
        "is_initialized": initialized,
        "replication_status": "",
    }))
}

fn time_text(nanoseconds: u64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| nanoseconds.to_string(), |time| time.to_string())
}

fn replication_json() -> Value {
    json!({
        "max-replicas": 1,
        "location-labels": "",
        "strictly-match-label": "false",
        "enable-placement-rules": "true",
        "enable-placement-rules-cache": "false",
        "isolation-level": "",
    })
}

async fn replication() -> Response {
    pretty(&replication_json())
}

async fn cluster_version(State(shared): State<Shared>) -> Response {
    leading!(shared);
    pretty(&json!(shared.cluster.version()))
}

async fn config(State(shared): State<Shared>) -> Response {
    leading!(shared);
    let member = shared.cluster.leadership.member();
    pretty(&json!({
        "client-urls": member.client_urls.join(","),
        "advertise-client-urls": member.client_urls.join(","),
        "name": member.name,
        "cluster-version": shared.cluster.version(),
        "replication": replication_json(),
    }))
}

fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut unit, mut divisor) = (0, 1u64);
    while unit + 1 < UNITS.len() && bytes / divisor >= 1024 {
        unit += 1;
        divisor *= 1024;
    }
    let tenths = u128::from(bytes) * 10 / u128::from(divisor);
    match tenths % 10 {
        0 => format!("{}{}", tenths / 10, UNITS[unit]),
        tenth => format!("{}.{tenth}{}", tenths / 10, UNITS[unit]),
    }
}

fn store_json(info: &StoreInfo, regions: usize) -> Value {
    let meta = &info.meta;
    let silent = jiff::Timestamp::now().as_nanosecond() - i128::from(meta.last_heartbeat);
    let state = match metapb::StoreState::try_from(meta.state) {
        Ok(metapb::StoreState::Up) if silent > DISCONNECTED.as_nanos().cast_signed() => {
            "Disconnected"
        }
        Ok(metapb::StoreState::Up) => "Up",
        Ok(metapb::StoreState::Offline) => "Offline",
        Ok(metapb::StoreState::Tombstone) => "Tombstone",
        Err(_) => "Unknown",
    };
    let mut store = json!({
        "id": meta.id,
        "address": meta.address,
        "version": meta.version,
        "peer_address": meta.peer_address,
        "status_address": meta.status_address,
        "git_hash": meta.git_hash,
        "start_timestamp": meta.start_timestamp,
        "last_heartbeat": meta.last_heartbeat,
        "node_state": meta.node_state,
        "state_name": state,
    });
    if !meta.deploy_path.is_empty() {
        store["deploy_path"] = json!(meta.deploy_path);
    }
    let stats = info.stats.unwrap_or_default();
    let mut status = json!({
        "capacity": size_text(stats.capacity),
        "available": size_text(stats.available),
        "used_size": size_text(stats.used_size),
        "leader_count": regions,
        "leader_weight": 1,
        "leader_score": regions,
        "leader_size": regions,
        "region_count": regions,
        "region_weight": 1,
        "region_score": regions,
        "region_size": regions,
        "slow_score": 1,
    });
    if let Ok(started) = jiff::Timestamp::from_second(i64::from(stats.start_time)) {
        status["start_ts"] = json!(started.to_string());
    }
    if meta.last_heartbeat > 0 {
        status["last_heartbeat_ts"] = json!(time_text(meta.last_heartbeat.unsigned_abs()));
        let started = i128::from(stats.start_time) * 1_000_000_000;
        let up = i128::from(meta.last_heartbeat) - started;
        status["uptime"] = json!(go_duration(u64::try_from(up).unwrap_or(0)));
    }
    json!({"store": store, "status": status})
}

async fn stores(State(shared): State<Shared>) -> Response {
    leading!(shared);
    let stores: Vec<Value> = shared.cluster.read(|state| {
        let all = state.stores.values();
        all.map(|info| {
            store_json(
                info,
                state.regions.iter().filter(|r| leads(r, info)).count(),
            )
        })
        .collect()
    });
    pretty(&json!({"count": stores.len(), "stores": stores}))
}

fn leads(region: &RegionInfo, store: &StoreInfo) -> bool {
    region.leader.store_id == store.meta.id
}

async fn store(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    leading!(shared);
    let id = id!(id);
    let found = shared.cluster.read(|state| {
        let info = state.stores.get(&id)?;
        Some(store_json(
            info,
            state
                .regions
                .iter()
                .filter(|region| leads(region, info))
                .count(),
        ))
    });
    match found {
        Some(store) => pretty(&store),
        None => failed(
            StatusCode::NOT_FOUND,
            &format!("[PD:core:ErrStoreNotFound]store {id} not found"),
        ),
    }
}

fn peer_json(peer: &metapb::Peer) -> Value {
    json!({"role_name": "Voter", "id": peer.id, "store_id": peer.store_id})
}

fn region_json(info: &RegionInfo) -> Value {
    let epoch = info.epoch();
    json!({
        "id": info.meta.id,
        "start_key": hex::encode_upper(&info.meta.start_key),
        "end_key": hex::encode_upper(&info.meta.end_key),
        "epoch": {"conf_ver": epoch.conf_ver, "version": epoch.version},
        "peers": info.meta.peers.iter().map(peer_json).collect::<Vec<_>>(),
        "leader": peer_json(&info.leader),
        "cpu_usage": 0,
        "written_bytes": 0,
        "read_bytes": 0,
        "written_keys": 0,
        "read_keys": 0,
        "approximate_size": info.approximate_size,
        "approximate_keys": info.approximate_keys,
    })
}

/// What PD answers for a region it does not know: an empty one.
fn no_region() -> Value {
    json!({
        "id": 0,
        "start_key": "",
        "end_key": "",
        "leader": {"role_name": ""},
        "cpu_usage": 0,
        "written_bytes": 0,
        "read_bytes": 0,
        "written_keys": 0,
        "read_keys": 0,
        "approximate_size": 0,
        "approximate_keys": 0,
    })
}

/// Lets regions be merged, split, or led by another store.
async fn create_operator(State(shared): State<Shared>, body: String) -> Response {
    leading!(shared);
    let asked = match serde_json::from_str(&body) {
        Ok(asked) => asked,
        Err(error) => return failed(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match operator::create(&shared.cluster, asked).await {
        Ok(()) => pretty(&json!("The operator is created.")),
        Err(error) => failed(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<usize>,
}

async fn regions(State(shared): State<Shared>, Query(Limit { limit }): Query<Limit>) -> Response {
    leading!(shared);
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    compact(&shared.cluster.read(|state| {
        let regions: Vec<Value> = state.regions.iter().take(limit).map(region_json).collect();
        json!({"count": state.regions.len(), "regions": regions})
    }))
}

async fn regions_of_store(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    leading!(shared);
    let id = id!(id);
    compact(&shared.cluster.read(|state| {
        let of_store = state
            .regions
            .iter()
            .filter(|info| info.meta.peers.iter().any(|p| p.store_id == id));
        let regions: Vec<Value> = of_store.map(region_json).collect();
        json!({"count": regions.len(), "regions": regions})
    }))
}

async fn regions_count(State(shared): State<Shared>) -> Response {
    leading!(shared);
    pretty(&json!({"count": shared.cluster.read(|state| state.regions.len()), "regions": null}))
}

async fn region(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    leading!(shared);
    let id = id!(id);
    compact(
        &shared
            .cluster
            .read(|state| state.regions.by_id(id).map_or_else(no_region, region_json)),
    )
}

async fn region_by_key(State(shared): State<Shared>, request: Request) -> Response {
    leading!(shared);
    // The key is arbitrary bytes: decode the segment itself instead of asking for UTF-8.
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    let Some(key) = percent_decode(segment) else {
        return failed(StatusCode::BAD_REQUEST, "invalid URL escape in the key");
    };
    compact(&shared.cluster.read(|state| {
        state
            .regions
            .by_key(&key)
            .map_or_else(no_region, region_json)
    }))
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        });
    }
    Some(decoded)
}

async fn gc_safepoint(State(shared): State<Shared>) -> Response {
    leading!(shared);
    let gc = &shared.cluster.gc;
    let loaded = async { Ok::<_, super::Error>((gc.services().await?, gc.get().await?)) }.await;
    let (services, gc_safe_point) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let minimum = services
        .iter()
        .map(|service| service.safe_point)
        .min()
        .unwrap_or(0);
    pretty(&json!({
        "service_gc_safe_points": services,
        "min_service_gc_safe_point": minimum,
        "gc_safe_point": gc_safe_point,
    }))
}
