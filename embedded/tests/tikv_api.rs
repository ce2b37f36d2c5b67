//! What operators and misfortunes do to a store, commanded through PD and the test API: leaders move, regions are cut and
//! merged, stores are busy, clocks go back, garbage is collected.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod commit;
mod replay;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use commit::commit;
use embedded::client::{Change, Client, Source, Synced};
use nix::sys::signal::Signal;
use replay::call::Server;
use replay::feed::{Channel, number};
use replay::servers::Servers;
use replay::wire::Schema;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
const EVENT_FEED_V2: &str = "/cdcpb.ChangeData/EventFeedV2";

/// A cluster and the ways to it.
struct Lab {
    servers: Servers,
    schema: Arc<Schema>,
    pd: Server,
    client: Client,
}

/// Polls until a condition gives something, or says what was missing.
async fn until<T, F: Future<Output = Result<T, String>>>(mut condition: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(found) => return found,
            Err(missing) => assert!(tokio::time::Instant::now() < deadline, "{missing}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn key(n: usize) -> Bytes {
    format!("key{n:05}").into()
}

impl Lab {
    async fn start(stores: usize, arguments: &[&str]) -> Self {
        let servers = Servers::start(stores, arguments).await;
        let schema = Arc::new(Schema::load());
        Self {
            pd: Server::new(schema.clone(), &servers.pd_url()),
            client: Client::connect(&[servers.pd_url()], PATIENCE)
                .await
                .unwrap(),
            schema,
            servers,
        }
    }

    fn header(&self) -> Value {
        json!({ "cluster_id": self.client.cluster_id() })
    }

    fn store(&self, store: usize) -> Server {
        Server::new(self.schema.clone(), &self.servers.store_url(store))
    }

    /// A command of the test API; its answer, or what was said against it.
    async fn command(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let url = format!("{}{path}", self.servers.status_url());
        let request = reqwest::Client::new().request(method, url).json(body);
        let answer = request.send().await.unwrap();
        match answer.status().is_success() {
            true => Ok(serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null)),
            false => Err(answer.text().await.unwrap()),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.command(reqwest::Method::POST, path, &body).await
    }

    async fn regions(&self) -> Vec<Value> {
        let url = format!("{}/test/regions", self.servers.status_url());
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    async fn status(&self) -> Value {
        let url = format!("{}/status", self.servers.status_url());
        reqwest::get(url).await.unwrap().json().await.unwrap()
    }

    /// PD's region at the first key.
    async fn in_pd(&self) -> Value {
        let request = json!({ "header": self.header(), "region_key": "" });
        self.pd.unary("/pdpb.PD/GetRegion", &request).await.unwrap()
    }

    fn context(region: &Value, store: u64) -> Value {
        let peers = region["region"]["peers"].as_array().unwrap();
        let peer = peers.iter().find(|peer| number(peer, "store_id") == store);
        json!({
            "region_id": region["region"]["id"],
            "region_epoch": region["region"]["region_epoch"],
            "peer": peer.unwrap(),
        })
    }

    /// Reads a key at a store.
    async fn get(&self, store: usize, context: &Value, key: &Bytes) -> Value {
        let version = self.client.tso().await.unwrap();
        let request = json!({ "context": context, "key": hex::encode(key), "version": version });
        self.store(store)
            .unary("/tikvpb.Tikv/KvGet", &request)
            .await
            .unwrap()
    }

    async fn put(&self, keys: std::ops::Range<usize>, value: &str) -> u64 {
        let start_ts = self.client.tso().await.unwrap();
        let changes: BTreeMap<Bytes, Change> = keys
            .clone()
            .map(|n| {
                (
                    key(n),
                    Change::Put(Bytes::copy_from_slice(value.as_bytes())),
                )
            })
            .collect();
        commit(&self.client, start_ts, &key(keys.start), changes)
            .await
            .unwrap();
        self.client.tso().await.unwrap()
    }

    async fn read(&self, at: u64) -> Vec<(Bytes, Bytes)> {
        let pairs = self.client.snapshot(at).scan(b"key", b"kez").await.unwrap();
        pairs
            .into_iter()
            .map(|pair| (pair.key, pair.value))
            .collect()
    }

    /// Subscribes to a region at a store.
    async fn subscribe(&self, store: usize, region: &Value) -> Channel {
        let features = [("features".to_owned(), "stream-multiplexing".to_owned())];
        let stream = self.store(store).open(EVENT_FEED_V2, &features).await;
        stream.send(&json!({
            "header": { "cluster_id": self.client.cluster_id(), "ticdc_version": "8.5.0" },
            "region_id": region["region"]["id"],
            "region_epoch": region["region"]["region_epoch"],
            "request_id": 1,
            "register": {},
        }));
        Channel::new(stream)
    }

    /// `count` timestamps from PD; the last.
    async fn timestamps(&self, count: u64) -> u64 {
        let request = json!({ "header": self.header(), "count": count });
        let reply = until(|| async {
            let reply = self.pd.ask_stream("/pdpb.PD/Tso", &request).await;
            reply.map_err(|status| status.to_string())
        });
        let timestamp = &reply.await["timestamp"];
        (number(timestamp, "physical") << 18) + number(timestamp, "logical")
    }

    async fn safe_point(&self, service: &str, ttl: i64, safe_point: u64) -> Value {
        let request = json!({
            "header": self.header(), "service_id": hex::encode(service), "TTL": ttl, "safe_point": safe_point,
        });
        let path = "/pdpb.PD/UpdateServiceGCSafePoint";
        self.pd.unary(path, &request).await.unwrap()
    }
}

/// Waits until a stream has what is looked for.
async fn wait_for(channel: &mut Channel, what: &str, mut found: impl FnMut(&Channel) -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        channel.drain();
        if found(channel) {
            break;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{what} did not come: {:?} {:?} {:?}",
            channel.events,
            channel.resolved.last(),
            channel.ended
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(channel.broken.is_empty(), "{:?}", channel.broken);
}

#[tokio::test]
async fn timestamps_grow_over_kill_9_and_a_clock_set_back() {
    let mut lab = Lab::start(1, &[]).await;
    let mut last = 0;
    // The clock goes 10 s forth, a minute back, an hour back, and is right again.
    for offset in [10_000, -60_000, -3_600_000, 0] {
        lab.servers.kill_pd();
        lab.servers.pd_arguments = vec!["--clock-offset".to_owned(), offset.to_string()];
        lab.servers.start_pd();
        lab.servers.until_up().await;
        for count in [1, 1, 100, 1, 10_000, 1] {
            let ts = lab.timestamps(count).await;
            assert!(
                ts >= last + count,
                "{ts} after {last} with the clock {offset} ms off"
            );
            last = ts;
        }
    }
}

#[tokio::test]
async fn several_stores_lead_in_turn_and_say_who_does() {
    let mut lab = Lab::start(3, &["--cdc-min-ts-interval", "20ms"]).await;
    lab.put(0..3, "first").await;
    let region = lab.in_pd().await;
    let peers = region["region"]["peers"].as_array().unwrap().clone();
    let stores: Vec<u64> = peers.iter().map(|peer| number(peer, "store_id")).collect();
    assert_eq!(stores.len(), 3, "{region}");
    let url = format!("{}/pd/api/v1/stores", lab.servers.pd_url());
    let listed: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(listed["count"], 3, "{listed}");
    let context = |store: usize| Lab::context(&region, stores[store]);

    let other = lab.get(1, &context(1), &key(0)).await;
    let leader = other.pointer("/region_error/not_leader/leader").unwrap();
    assert_eq!(*leader, peers[0], "{other}");
    let wrong_store = lab.get(1, &context(0), &key(0)).await;
    assert!(
        wrong_store
            .pointer("/region_error/store_not_match")
            .is_some(),
        "{wrong_store}"
    );

    let mut refused = lab.subscribe(2, &region).await;
    wait_for(&mut refused, "not_leader", |c| !c.events.is_empty()).await;
    assert!(
        refused.events[0]
            .pointer("/error/not_leader/leader")
            .is_some()
    );
    let mut feed = lab.subscribe(0, &region).await;
    wait_for(&mut feed, "resolved-ts", |c| !c.resolved.is_empty()).await;

    let id = number(&region["region"], "id");
    let moved = lab
        .post(
            "/test/transfer-leader",
            json!({ "region": id, "store": stores[1] }),
        )
        .await;
    assert_eq!(moved.unwrap()["leader"], stores[1]);
    let not_leader = |event: &Value| event.pointer("/error/not_leader/leader/store_id").cloned();
    wait_for(&mut feed, "not_leader", |c| {
        c.events
            .iter()
            .any(|event| not_leader(event) == Some(json!(stores[1])))
    })
    .await;
    let here = lab.get(1, &context(1), &key(0)).await;
    assert_eq!(here["value"], hex::encode("first"), "{here}");
    let there = lab.get(0, &context(0), &key(0)).await;
    assert_eq!(
        there.pointer("/region_error/not_leader/leader"),
        Some(&peers[1])
    );
    // A client that knew the old leader finds the new one.
    let at = lab.put(0..3, "second").await;
    assert!(
        lab.read(at)
            .await
            .iter()
            .all(|(_, value)| value == "second")
    );
    until(|| async {
        let leader = lab.in_pd().await["leader"].clone();
        if leader == peers[1] {
            Ok(())
        } else {
            Err(format!("PD names {leader} the leader"))
        }
    })
    .await;

    // PD can order it too.
    let operator = json!({ "name": "transfer-leader", "region_id": id, "to_store_id": stores[2] });
    let url = format!("{}/pd/api/v1/operators", lab.servers.pd_url());
    let created = reqwest::Client::new()
        .post(url)
        .json(&operator)
        .send()
        .await
        .unwrap();
    assert!(created.status().is_success());
    until(|| async {
        let leader = lab.regions().await[0]["leader"].clone();
        if leader == stores[2] {
            Ok(())
        } else {
            Err(format!("{leader} leads"))
        }
    })
    .await;
    let error = lab
        .post(
            "/test/transfer-leader",
            json!({ "region": id, "store": 999 }),
        )
        .await;
    assert!(error.unwrap_err().contains("no peer"));

    lab.servers.stop_tikv(Signal::SIGKILL);
    lab.servers.start_tikv();
    lab.servers.until_up().await;
    assert_eq!(lab.regions().await[0]["leader"], stores[0]);
    let at = lab.client.tso().await.unwrap();
    assert_eq!(lab.read(at).await.len(), 3);
}

#[tokio::test]
async fn a_busy_store_refuses_as_often_as_asked() {
    let lab = Lab::start(1, &["--cdc-min-ts-interval", "20ms"]).await;
    lab.put(0..1, "v").await;
    let region = lab.in_pd().await;
    let context = Lab::context(&region, number(&region["leader"], "store_id"));
    let id = number(&region["region"], "id");
    lab.post(
        "/test/busy",
        json!({ "region": id, "requests": 2, "reason": "full" }),
    )
    .await
    .unwrap();
    for _ in 0..2 {
        let busy = lab.get(0, &context, &key(0)).await;
        assert_eq!(
            busy.pointer("/region_error/server_is_busy/reason"),
            Some(&json!("full"))
        );
    }
    assert_eq!(
        lab.get(0, &context, &key(0)).await["value"],
        hex::encode("v")
    );
    // A client tries again.
    lab.post("/test/busy", json!({ "requests": 2 }))
        .await
        .unwrap();
    let at = lab.put(0..2, "w").await;
    assert_eq!(lab.read(at).await.len(), 2);
    lab.post("/test/busy", json!({ "requests": 1 }))
        .await
        .unwrap();
    let mut feed = lab.subscribe(0, &region).await;
    wait_for(&mut feed, "server_is_busy", |c| !c.events.is_empty()).await;
    assert!(
        feed.events[0].pointer("/error/server_is_busy").is_some(),
        "{:?}",
        feed.events
    );
    let wrong = lab
        .post("/test/busy", json!({ "request": 1 }))
        .await
        .unwrap_err();
    assert!(wrong.contains("request"), "{wrong}");
}

#[tokio::test]
async fn a_large_region_is_split_and_its_parts_merge_again() {
    let lab = Lab::start(1, &["--region-split-size", "64KB"]).await;
    let value = "x".repeat(1000);
    let mut at = 0;
    for batch in 0..10 {
        at = lab.put(batch * 40..batch * 40 + 40, &value).await;
    }
    let regions = until(|| async {
        let regions = lab.regions().await;
        match regions.len() {
            0..4 => Err(format!("400 KB lie in {} regions of 64 KB", regions.len())),
            _ => Ok(regions),
        }
    })
    .await;
    let boundaries: Vec<_> = regions
        .windows(2)
        .map(|w| (&w[0]["end_key"], &w[1]["start_key"]))
        .collect();
    assert!(
        boundaries.iter().all(|(end, start)| end == start),
        "{regions:?}"
    );
    assert_eq!(lab.read(at).await.len(), 400);
    lab.post("/config", json!({ "coprocessor.region-split-size": "0" }))
        .await
        .unwrap();

    // Merged from the left until one is left, with a client that knows the old regions.
    while let [first, second, ..] = lab.regions().await.as_slice() {
        let merge = json!({ "source": second["id"], "target": first["id"] });
        lab.post("/test/merge", merge).await.unwrap();
        assert_eq!(lab.read(at).await.len(), 400);
    }
    let left = lab.regions().await;
    let error = lab
        .post(
            "/test/merge",
            json!({ "source": 9999, "target": left[0]["id"] }),
        )
        .await;
    assert!(error.unwrap_err().contains("9999"));
    until(|| async {
        let request = json!({ "header": lab.header() });
        let scanned = lab
            .pd
            .unary("/pdpb.PD/ScanRegions", &request)
            .await
            .unwrap();
        let count = scanned["regions"].as_array().unwrap().len();
        if count == 1 {
            Ok(())
        } else {
            Err(format!("PD knows {count} regions"))
        }
    })
    .await;
    let split = lab
        .post(
            "/test/split",
            json!({ "keys": [hex::encode(key(7)), hex::encode(key(9))] }),
        )
        .await;
    assert_eq!(split.unwrap().as_array().unwrap().len(), 2);
    assert_eq!(lab.regions().await.len(), 3);
    let error = lab
        .post("/test/split", json!({ "keys": ["xyz"] }))
        .await
        .unwrap_err();
    assert!(error.contains("expected hex"), "{error}");
}

#[tokio::test]
async fn a_held_lock_holds_the_resolved_ts() {
    let lab = Lab::start(1, &["--cdc-min-ts-interval", "1s"]).await;
    // 10 ms from now on.
    lab.post("/config", json!({ "cdc.min-ts-interval": "10ms" }))
        .await
        .unwrap();
    let before = lab.put(0..1, "v").await;
    let region = lab.in_pd().await;
    let mut feed = lab.subscribe(0, &region).await;
    wait_for(&mut feed, "50 rounds of resolved-ts", |c| {
        c.resolved.len() >= 50
    })
    .await;
    let locked = lab
        .post("/test/lock", json!({ "key": hex::encode(key(0)) }))
        .await
        .unwrap();
    let start_ts = number(&locked, "start_ts");
    let again = lab
        .post("/test/lock", json!({ "key": hex::encode(key(0)) }))
        .await
        .unwrap_err();
    assert!(again.contains("another transaction"), "{again}");
    let from = feed.resolved.len();
    wait_for(&mut feed, "a resolved-ts that stands still", |c| {
        let last: Vec<u64> = c.resolved.iter().skip(from).map(|r| r.ts).collect();
        matches!(last.as_slice(), [.., a, b, d] if a == b && b == d && *a >= start_ts)
    })
    .await;
    let mut late = lab.subscribe(0, &region).await;
    wait_for(&mut late, "the lock's start-ts", |c| {
        c.resolved.last().is_some_and(|r| r.ts == start_ts)
    })
    .await;
    assert_eq!(lab.read(before).await[0].1, "v");
    let unlock = json!({ "key": hex::encode(key(0)), "start_ts": start_ts });
    lab.command(reqwest::Method::DELETE, "/test/lock", &unlock)
        .await
        .unwrap();
    let now = lab.client.tso().await.unwrap();
    wait_for(&mut late, "a fresh resolved-ts", |c| {
        c.resolved.last().is_some_and(|r| r.ts > now)
    })
    .await;
    let error = lab
        .post("/config", json!({ "cdc.min-ts-interval": "9ms" }))
        .await
        .unwrap_err();
    assert!(error.contains("from 10ms"), "{error}");
}

#[tokio::test]
async fn garbage_that_a_service_needs_is_kept() {
    let lab = Lab::start(1, &["--gc-poll-interval", "20ms"]).await;
    let mut at = Vec::new();
    for value in ["a", "b", "c"] {
        at.push(lab.put(0..50, value).await);
    }
    lab.safe_point("ticdc", 3600, at[0]).await;
    lab.safe_point("gc_worker", i64::MAX, at[2]).await;
    let request = json!({ "header": lab.header(), "safe_point": at[2] });
    let moved = lab
        .pd
        .unary("/pdpb.PD/UpdateGCSafePoint", &request)
        .await
        .unwrap();
    assert_eq!(number(&moved, "new_safe_point"), at[2]);
    let collected = |wanted: u64| {
        let lab = &lab;
        until(move || async move {
            let status = lab.status().await;
            match number(&status, "gc_safe_point") {
                now if now == wanted => Ok(()),
                now => Err(format!("collected below {now}, not {wanted}")),
            }
        })
    };
    collected(at[0]).await;
    for (ts, value) in at.iter().zip(["a", "b", "c"]) {
        let read = lab.read(*ts).await;
        assert!(
            read.len() == 50 && read.iter().all(|(_, v)| v == value),
            "{value}: {read:?}"
        );
    }
    lab.safe_point("ticdc", 0, 0).await;
    collected(at[2]).await;
    assert_eq!(lab.read(at[0]).await, []);
    assert_eq!(lab.read(at[2]).await.len(), 50);
}

/// Whoever meets a lock of a large transaction ends all that it has in a region, and nothing else there.
#[tokio::test]
async fn the_locks_of_a_large_transaction_are_resolved_together() {
    const KEYS: usize = 700;
    let lab = Lab::start(1, &[]).await;
    lab.client.split_at(vec![key(1)]).await.unwrap();
    let start_ts = lab.client.tso().await.unwrap();
    let changes: BTreeMap<Bytes, Change> = (0..KEYS)
        .map(|n| (key(n), Change::Put(Bytes::from_static(b"v"))))
        .collect();
    let other = BTreeMap::from([(key(KEYS / 2 + KEYS), Change::Delete)]);
    for (ts, changes) in [(start_ts, &changes), (start_ts + 1, &other)] {
        let (primary, _) = changes.first_key_value().unwrap();
        let prewritten = lab.client.prewrite(Source::User, ts, primary, changes);
        prewritten.await.unwrap();
    }
    let commit_ts = lab.client.tso().await.unwrap();
    let (now, primary) = (Synced::Now, key(0));
    let committed =
        lab.client
            .commit_primary(start_ts, commit_ts, now, &primary, changes.into_keys());
    assert_eq!(committed.await.unwrap().len(), KEYS - 1);
    let wrapped = [b"key00001".as_slice(), b"\xff", &[0; 8], b"\xf7"].concat();
    let request = json!({ "header": lab.header(), "region_key": hex::encode(wrapped) });
    let region = lab.pd.unary("/pdpb.PD/GetRegion", &request).await.unwrap();
    let request = json!({
        "context": Lab::context(&region, 1), "start_version": start_ts, "commit_version": commit_ts,
    });
    let path = "/tikvpb.Tikv/KvResolveLock";
    let reply = lab.store(0).unary(path, &request).await.unwrap();
    assert!(reply["error"].is_null(), "{reply}");
    let now = lab.client.tso().await.unwrap();
    let left = lab.client.locks(now).await.unwrap();
    assert_eq!(
        left.iter().map(|lock| &lock.key).collect::<Vec<_>>(),
        [&key(KEYS / 2 + KEYS)]
    );
    let last = lab.get(0, &Lab::context(&region, 1), &key(KEYS - 1)).await;
    assert_eq!(last["value"], hex::encode("v"), "{last}");
}
