//! Several captures: tables spread over them, captures that die, leave and are drained, under a load with DDL. Nothing is
//! lost, messages keep their order, and DDL statements and watermarks stand where they belong.

// helpers of tests are tests too
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[allow(dead_code)]
#[path = "../surface/cluster.rs"]
mod cluster;
mod load;
mod many;
mod replay;
mod takeover;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use cluster::{Cluster, free_ports, until};
use load::Load;
use replay::{Topic, compare};
use serde_json::Value;

/// How many tables of a changefeed each capture has, by its address.
fn shares(cluster: &Cluster, changefeed: &str) -> BTreeMap<String, usize> {
    let json = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
    let captures = json(cluster.cli(&["capture", "list"]));
    let address = |id: &str| {
        let of = captures.as_array().unwrap().iter().find(|c| c["id"] == id);
        of.map_or_else(
            || id.to_owned(),
            |c| c["address"].as_str().unwrap().to_owned(),
        )
    };
    let processors = json(cluster.cli(&["processor", "list"]));
    let legacy = |item: &Value| item.get("changefeed-id").is_some();
    let mut shares = BTreeMap::new();
    for item in processors.as_array().unwrap() {
        let part = |name: &str| match legacy(item) {
            true => item[format!("{name}-id")].as_str().unwrap().to_owned(),
            false => item[format!("{name}_id")].as_str().unwrap().to_owned(),
        };
        if part("changefeed") != changefeed {
            continue;
        }
        let capture = part("capture");
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_cdc"))
            .args([
                "cli",
                "processor",
                "query",
                "-c",
                changefeed,
                "-p",
                &capture,
            ])
            .arg(format!("--pd=http://127.0.0.1:{}", cluster.pd))
            .output()
            .unwrap();
        // its keys may have gone since
        if output.status.success() {
            let query: Value = serde_json::from_slice(&output.stdout).unwrap();
            let tables = query["status"]["tables"].as_object().unwrap().len();
            shares.insert(address(&capture), tables);
        }
    }
    shares
}

/// Waits until exactly these servers have tables of the changefeed, about as many each; how long it took.
fn spread(cluster: &Cluster, changefeed: &str, ports: &[u16]) -> Duration {
    let started = Instant::now();
    let mut wanted: Vec<String> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    wanted.sort();
    until(&format!("tables of {changefeed} on {wanted:?}"), || {
        let shares = shares(cluster, changefeed);
        let all: usize = shares.values().sum();
        let even = shares.values().all(|n| n.abs_diff(all / ports.len()) <= 1);
        match shares.keys().eq(wanted.iter()) && all > 0 && even {
            true => Ok(()),
            false => Err(format!("{shares:?}")),
        }
    });
    started.elapsed()
}

fn id_of(cluster: &Cluster, port: u16) -> String {
    let captures: Vec<Value> = serde_json::from_str(&cluster.cli(&["capture", "list"])).unwrap();
    let address = format!("127.0.0.1:{port}");
    let found = captures.iter().find(|c| c["address"] == address.as_str());
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

/// Waits until the server at `port` owns.
fn owns(cluster: &mut Cluster, port: u16) {
    cluster.cdc = port;
    cluster.owned();
}

const TABLES: usize = 6;

#[test]
fn nothing_is_lost_when_captures_come_and_go() {
    let mut cluster = Cluster::start("v8.5.3", "v8.5");
    let first = cluster.cdc;
    let [second, third] = free_ports();
    load::tables(&cluster, TABLES);
    // one partition, in which the order of everything shows; and several with rows by their key
    let topics = [
        Topic::new(&cluster, "ordered", 1),
        Topic::new(&cluster, "keyed", 3),
    ];
    let config = cluster.dir.path().join("keyed.toml");
    let rule = "[[sink.dispatchers]]\nmatcher = ['test.*']\npartition = 'index-value'\n";
    std::fs::write(&config, rule).unwrap();
    let config = format!("--config={}", config.display());
    for topic in &topics {
        let uri = format!(
            "--sink-uri=kafka://127.0.0.1:{}/{}?protocol=canal-json&enable-tidb-extension=true&partition-num={}",
            cluster.kafka, topic.name, topic.partitions
        );
        cluster.cli(&[
            "changefeed",
            "create",
            &uri,
            "-c",
            topic.name,
            &config,
            "--no-confirm",
        ]);
    }
    for topic in &topics {
        spread(&cluster, topic.name, &[first]);
    }
    assert_eq!(etcd_keys(&cluster, "/tidb/cdc_spread/"), 0);

    let load = Load::start(&cluster, TABLES, true);
    cluster.start_cdc("cdc-2", second, "v8.5");
    cluster.start_cdc("cdc-3", third, "v8.5");
    for topic in &topics {
        spread(&cluster, topic.name, &[first, second, third]);
    }
    load.more(200);

    // a capture that does not own dies: its tables go on elsewhere when its session is over
    cluster.kill("cdc-2");
    let taken_over = spread(&cluster, "ordered", &[first, third]);
    load.more(200);
    cluster.start_cdc("cdc-2", second, "v8.5");
    spread(&cluster, "ordered", &[first, second, third]);

    // the owner dies
    cluster.kill("cdc");
    let killed = Instant::now();
    until("another owner", || {
        for port in [second, third] {
            cluster.cdc = port;
            if cluster.get("/status").contains("\"is_owner\": true") {
                return Ok(());
            }
        }
        Err("none".to_owned())
    });
    let owner = cluster.cdc;
    spread(&cluster, "ordered", &[second, third]);
    let owned_again = killed.elapsed();
    load.more(200);
    let caught_up = Instant::now();
    cluster.caught_up("ordered");
    println!(
        "taken over {taken_over:?} after kill -9 of a capture, {owned_again:?} after that of the owner; caught up in {:?}",
        caught_up.elapsed()
    );

    // an operator ends the other capture, and then the owner: nobody waits for a session to end
    cluster.start_cdc("cdc", first, "v8.5");
    spread(&cluster, "ordered", &[first, second, third]);
    let (other, name) = match owner == second {
        true => (third, ["cdc-3", "cdc-2"]),
        false => (second, ["cdc-2", "cdc-3"]),
    };
    let asked = Instant::now();
    assert_eq!(
        cluster.terminate(name[0]),
        Some(0),
        "{}",
        cluster.log(name[0])
    );
    spread(&cluster, "ordered", &[first, owner]);
    let left = asked.elapsed();
    assert!(
        left < Duration::from_secs(5),
        "{other} left within {left:?}"
    );
    load.more(100);
    let asked = Instant::now();
    assert_eq!(
        cluster.terminate(name[1]),
        Some(0),
        "{}",
        cluster.log(name[1])
    );
    owns(&mut cluster, first);
    spread(&cluster, "ordered", &[first]);
    let resigned = asked.elapsed();
    assert!(resigned < Duration::from_secs(5), "{resigned:?}");
    println!("left in {left:?}, the owner in {resigned:?}");
    load.more(100);

    let statements = load.stop();
    for topic in &topics {
        cluster.caught_up(topic.name);
        let told = topic.read(&cluster);
        told.check_order(&statements);
        compare(&cluster, &told);
    }
}

#[test]
fn tables_are_moved_balanced_and_drained() {
    let mut cluster = Cluster::start("v8.5.3", "v8.5");
    let first = cluster.cdc;
    let [second, third] = free_ports();
    load::tables(&cluster, 4);
    let topic = Topic::new(&cluster, "moved", 1);
    let uri = format!(
        "--sink-uri=kafka://127.0.0.1:{}/moved?protocol=canal-json&enable-tidb-extension=true&partition-num=1",
        cluster.kafka
    );
    cluster.cli(&["changefeed", "create", &uri, "-c", "moved", "--no-confirm"]);
    let load = Load::start(&cluster, 4, true);
    let alone = id_of(&cluster, first);
    let refused = cluster.post(&format!("/api/v2/captures/{alone}/drain"), "");
    assert!(
        refused.contains("CDC:ErrSchedulerRequestFailed"),
        "{refused}"
    );
    cluster.start_cdc("cdc-2", second, "v8.5");
    spread(&cluster, "moved", &[first, second]);

    let (one, two) = (id_of(&cluster, first), id_of(&cluster, second));
    let tables: Value =
        serde_json::from_str(&cluster.get(&format!("/api/v2/processors/moved/{one}"))).unwrap();
    let tables = tables["table_ids"].as_array().unwrap().clone();
    assert_eq!(tables.len(), 2, "{tables:?}");
    let moved = |table: &Value, capture: &str| {
        format!(r#"{{"table_id":{table},"capture_id":"{capture}"}}"#)
    };
    let path = "/api/v1/changefeeds/moved/tables/move_table";
    let refused = cluster.post(path, &moved(&tables[0], "nobody"));
    assert!(refused.contains("CDC:ErrCaptureNotExist"), "{refused}");
    let refused = cluster.post(path, &moved(&Value::from(1), &two));
    assert!(refused.contains("CDC:ErrAPIInvalidParam"), "{refused}");
    assert_eq!(cluster.post(path, &moved(&tables[0], &two)), "");
    let is = |first_has: usize, second_has: usize| {
        let wanted = BTreeMap::from([
            (format!("127.0.0.1:{first}"), first_has),
            (format!("127.0.0.1:{second}"), second_has),
        ]);
        until(&format!("{wanted:?}"), || {
            let shares = shares(&cluster, "moved");
            (shares == wanted)
                .then_some(())
                .ok_or_else(|| format!("{shares:?}"))
        });
    };
    is(1, 3);
    load.more(50);
    assert_eq!(
        cluster.post("/api/v1/changefeeds/moved/tables/rebalance_table", ""),
        ""
    );
    is(2, 2);
    load.more(50);

    cluster.start_cdc("cdc-3", third, "v8.5");
    spread(&cluster, "moved", &[first, second, third]);
    // asked of a server that does not own
    cluster.cdc = third;
    let refused = cluster.post(&format!("/api/v2/captures/{one}/drain"), "");
    assert!(refused.contains("cannot drain the owner"), "{refused}");
    let answer = cluster.post(&format!("/api/v2/captures/{two}/drain"), "");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(
        answer["current_table_count"].as_u64().unwrap() > 0,
        "{answer}"
    );
    spread(&cluster, "moved", &[first, third]);
    let captures = cluster.cli(&["capture", "list"]);
    assert_eq!(captures.matches("\"address\"").count(), 3, "{captures}");
    load.more(50);

    // pausing ends it everywhere, resuming begins everywhere
    cluster.cli(&["changefeed", "pause", "-c", "moved"]);
    assert_eq!(shares(&cluster, "moved"), BTreeMap::new());
    load.more(50);
    cluster.cli(&["changefeed", "resume", "-c", "moved", "--no-confirm"]);
    spread(&cluster, "moved", &[first, third]);
    // the next owner is the capture that is drained: it has no tables and leads
    assert_eq!(cluster.post("/api/v2/owner/resign", ""), "{}");
    until("another owner", || {
        let captures: Vec<Value> =
            serde_json::from_str(&cluster.cli(&["capture", "list"])).unwrap();
        let owner = captures.iter().find(|capture| capture["is-owner"] == true);
        match owner {
            Some(owner) if owner["id"] == two.as_str() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    spread(&cluster, "moved", &[first, third]);
    load.more(100);
    let statements = load.stop();
    cluster.caught_up("moved");
    let told = topic.read(&cluster);
    told.check_order(&statements);
    compare(&cluster, &told);

    // what an owner leaves that dies while it pauses: the next one ends it
    cluster.cli(&["changefeed", "pause", "-c", "moved"]);
    let key = "/tidb/cdc_spread/default/run/default/moved";
    let run = r#"{"leader":"gone","info":"","checkpoint-ts":1,"ddl-at-checkpoint":false,"released-ts":0,"tables":{}}"#;
    let pd = vec![format!("http://127.0.0.1:{}", cluster.pd)];
    cluster::block(async move {
        let etcd = pipeline::etcd::Client::new(&pd).unwrap();
        etcd.put(key, run, 0).await.unwrap();
    });
    cluster.cdc = second;
    assert_eq!(cluster.post("/api/v2/owner/resign", ""), "{}");
    until("no run", || match etcd_keys(&cluster, key) {
        0 => Ok(()),
        keys => Err(format!("{keys} keys")),
    });
    cluster.cdc = first;
    cluster.cli(&["changefeed", "remove", "-c", "moved"]);
    assert_eq!(etcd_keys(&cluster, "/tidb/cdc_spread/default/run/"), 0);
    assert_eq!(etcd_keys(&cluster, "/tidb/cdc_spread/default/placed/"), 0);
    assert_eq!(etcd_keys(&cluster, "/tidb/cdc_spread/default/part/"), 0);
}

#[test]
fn captures_of_v4_0_9_share_tables() {
    let mut cluster = Cluster::start("v4.0.9", "v4.0.9");
    let first = cluster.cdc;
    let [second] = free_ports();
    load::tables(&cluster, 4);
    let topic = Topic::new(&cluster, "old", 1);
    let config = cluster.dir.path().join("old.toml");
    std::fs::write(&config, "enable-old-value = true\n").unwrap();
    let config = format!("--config={}", config.display());
    let uri = format!(
        "--sink-uri=kafka://127.0.0.1:{}/old?protocol=canal-json&partition-num=1",
        cluster.kafka
    );
    cluster.cli(&[
        "changefeed",
        "create",
        &uri,
        "-c",
        "old",
        &config,
        "--no-confirm",
    ]);
    let load = Load::start(&cluster, 4, false);
    cluster.start_cdc("cdc-2", second, "v4.0.9");
    spread(&cluster, "old", &[first, second]);
    load.more(50);
    cluster.kill("cdc-2");
    let taken_over = spread(&cluster, "old", &[first]);
    println!("taken over in {taken_over:?}, of a session of 3 s");
    load.more(50);

    // captures that stand still for longer than their session: when they go on they send nothing of what has come meanwhile
    load.stop();
    cluster.start_cdc("cdc-2", second, "v4.0.9");
    for (name, left) in [("cdc-2", first), ("cdc", second)] {
        spread(&cluster, "old", &[first, second]);
        cluster.caught_up("old");
        cluster.signal(name, "-STOP");
        let load = Load::start(&cluster, 4, false);
        load.more(50);
        owns(&mut cluster, left);
        spread(&cluster, "old", &[left]);
        load.more(50);
        cluster.signal(name, "-CONT");
        spread(&cluster, "old", &[first, second]);
        load.more(50);
        load.stop();
    }
    cluster.caught_up("old");
    compare(&cluster, &topic.read(&cluster));
}

/// How many keys there are in etcd below a prefix.
fn etcd_keys(cluster: &Cluster, prefix: &str) -> usize {
    let pd = vec![format!("http://127.0.0.1:{}", cluster.pd)];
    cluster::block(async move {
        let etcd = pipeline::etcd::Client::new(&pd).unwrap();
        etcd.list(prefix).await.unwrap().0.len()
    })
}
