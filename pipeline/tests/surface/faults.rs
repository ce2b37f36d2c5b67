//! Servers and brokers that go and come back (`fixtures/golden/ticdc/faults`).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    cluster::{Cluster, free_ports, until},
    load::recording,
};

fn create(cluster: &Cluster) {
    let uri = format!(
        "--sink-uri=kafka://127.0.0.1:{}/f1?protocol=canal-json&enable-tidb-extension=true&partition-num=2",
        cluster.kafka
    );
    cluster.cli(&["changefeed", "create", &uri, "-c", "f1", "--no-confirm"]);
}

/// Every metric has a name, a type and labels of those recorded, and those `counted` for changefeeds are above 0.
fn metrics(cluster: &Cluster, name: &str, counted: &[&str]) {
    let recorded: Vec<(String, String, String)> = recording(name)
        .iter()
        .filter_map(|line| line["metrics"].as_array())
        .flatten()
        .map(|metric| {
            let labels: Vec<_> = metric["labels"].as_array().unwrap().iter().collect();
            let labels: Vec<_> = labels.iter().map(|label| label.as_str().unwrap()).collect();
            let text = |key: &str| metric[key].as_str().unwrap().to_owned();
            (text("name"), text("type"), labels.join(","))
        })
        .collect();
    let text = cluster.get("/metrics");
    let mut kind = "";
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            kind = head.split_once(' ').unwrap().1;
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let (mut name, labels) = series.split_once('{').unwrap_or((series, ""));
        if counted.contains(&name) {
            assert!(value.parse::<f64>().unwrap() > 0.0, "{line}");
            seen.insert(name);
        }
        if name.starts_with("process_") {
            continue;
        }
        if kind == "histogram" {
            let parts = ["_bucket", "_sum", "_count"];
            name = parts
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .unwrap();
        }
        let labels: Vec<_> = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|label| Some(label.split_once('=')?.0))
            .filter(|label| *label != "le")
            .collect();
        let ours = (name.to_owned(), kind.to_owned(), labels.join(","));
        assert!(recorded.contains(&ours), "{ours:?} is not recorded");
    }
    let missing: Vec<_> = counted
        .iter()
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} of\n{text}");
}

/// Waits for a state of the changefeed; how long it took.
fn reaches(cluster: &Cluster, state: &str) -> Duration {
    let started = Instant::now();
    until(&format!("state {state}"), || {
        let feeds = cluster.changefeeds();
        match feeds.get("f1") {
            Some(feed) if feed["state"] == state => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    started.elapsed()
}

#[test]
fn a_changefeed_outlives_its_servers_and_its_broker() {
    let mut cluster = Cluster::start("v8.5.3", "v8.5");
    cluster.sql("create table f(id int primary key, v int)");
    create(&cluster);
    cluster.sql("insert into f values (1,1),(2,2)");
    cluster.caught_up("f1");
    let refused = cluster.post(
        "/api/v2/changefeeds",
        &format!(
            r#"{{"changefeed_id": "f2", "sink_uri": "kafka://127.0.0.1:{}/f2?protocol=canal-json", "replica_config":
            {{"sink": {{"dispatchers": [{{"matcher": ["test.*"], "partition": "index-value", "index": "none"}}]}}}}}}"#,
            cluster.kafka
        ),
    );
    assert!(refused.contains("CDC:ErrDispatcherFailed"), "{refused}");
    assert_eq!(cluster.changefeeds().len(), 1);
    metrics(
        &cluster,
        "http-api",
        &[
            "ticdc_owner_checkpoint_ts",
            "ticdc_owner_checkpoint_lag_histogram_count",
            "ticdc_processor_num_of_tables",
            "ticdc_puller_txn_collect_event_count",
            "ticdc_sorter_output_event_count",
            "ticdc_mounter_total_rows_count",
            "ticdc_sink_table_sink_total_rows_count",
            "ticdc_sink_batch_row_count_count",
            "ticdc_sink_write_bytes_total",
            "ticdc_sink_mq_worker_send_message_duration_count",
            "ticdc_sink_flush_lag_histogram_count",
            "ticdc_sinkmanager_memory_quota",
            "process_resident_memory_bytes",
        ],
    );

    // kill -9 of the only server: it goes on from its checkpoint
    cluster.kill("cdc");
    cluster.sql("insert into f values (3,3)");
    let port = cluster.cdc;
    cluster.start_cdc("cdc", port, "v8.5");
    cluster.owned();
    cluster.caught_up("f1");
    let keys = cluster.cli(&["unsafe", "show-metadata"]);
    assert_eq!(keys.matches("/task/position/").count(), 1, "{keys}");

    // a second one takes over at once when the first is asked to end
    let [second] = free_ports();
    cluster.start_cdc("cdc-2", second, "v8.5");
    until("two captures", || {
        let captures = cluster.cli(&["capture", "list"]);
        match captures.matches("\"address\"").count() {
            2 => Ok(()),
            _ => Err(captures),
        }
    });
    let forwarded = cluster.server_cli(second, &["changefeed", "list"]);
    assert!(forwarded.contains("\"f1\""), "{forwarded}");
    let asked = Instant::now();
    assert_eq!(cluster.terminate("cdc"), Some(0));
    cluster.cdc = second;
    cluster.owned();
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "{:?}",
        asked.elapsed()
    );
    cluster.sql("insert into f values (4,4)");
    cluster.caught_up("f1");

    // the broker goes: a warning with the cause; it comes back: all is well again
    cluster.kill("kafka");
    cluster.sql("insert into f values (5,5)");
    let noticed = reaches(&cluster, "warning");
    let feeds = cluster.changefeeds();
    let error = &feeds["f1"]["error"];
    assert!(
        error["code"].as_str().unwrap().starts_with("CDC:ErrKafka"),
        "{error}"
    );
    assert!(
        error["message"].as_str().unwrap().contains("kafka"),
        "{error}"
    );
    assert_eq!(error["addr"], format!("127.0.0.1:{second}"));
    cluster.restart_kafka();
    until("Kafka", || {
        std::net::TcpStream::connect(("127.0.0.1", cluster.kafka))
            .map(drop)
            .map_err(|error| error.to_string())
    });
    let back = reaches(&cluster, "normal");
    assert!(back < Duration::from_secs(10), "back after {back:?}");
    println!("broker gone: noticed after {noticed:?}; broker back: normal after {back:?}");
    cluster.caught_up("f1");
    let feeds = cluster.changefeeds();
    assert!(feeds["f1"]["error"].is_null(), "{feeds:?}");

    // target-ts
    cluster.cli(&["changefeed", "pause", "-c", "f1"]);
    reaches(&cluster, "stopped");
    let now: u64 = cluster.cli(&["tso", "query"]).trim().parse().unwrap();
    let target = format!("--target-ts={}", now + (500 << 18));
    cluster.cli(&["changefeed", "update", "-c", "f1", &target, "--no-confirm"]);
    cluster.cli(&["changefeed", "resume", "-c", "f1"]);
    reaches(&cluster, "finished");
    assert_eq!(
        cluster.changefeeds()["f1"]["tso"].as_u64(),
        Some(now + (500 << 18))
    );
    let shown = cluster.cli(&["changefeed", "remove", "-c", "f1"]);
    assert!(
        shown.starts_with("Changefeed remove successfully."),
        "{shown}"
    );
    assert!(cluster.changefeeds().is_empty());
}

/// The session of v4.0.9 lasts 3 seconds: an etcd that stands still for longer loses it.
#[test]
fn a_capture_that_loses_its_session_begins_anew() {
    let cluster = Cluster::start("v4.0.9", "v4.0.9");
    cluster.sql("create table f(id int primary key, v int)");
    std::fs::write(
        cluster.dir.path().join("old.toml"),
        "enable-old-value = true\n",
    )
    .unwrap();
    let config = format!("--config={}", cluster.dir.path().join("old.toml").display());
    let uri = format!(
        "--sink-uri=kafka://127.0.0.1:{}/s1?protocol=canal-json&partition-num=1",
        cluster.kafka
    );
    cluster.cli(&[
        "changefeed",
        "create",
        &uri,
        "-c",
        "s1",
        "--no-confirm",
        &config,
    ]);
    cluster.sql("insert into f values (1,1)");
    cluster.caught_up("s1");
    let id = || -> String {
        let status: serde_json::Value = serde_json::from_str(&cluster.get("/status")).unwrap();
        status["id"].as_str().unwrap().to_owned()
    };
    metrics(
        &cluster,
        "v4.0-cli-2",
        &[
            "ticdc_processor_checkpoint_ts",
            "ticdc_sink_total_rows_count",
            "ticdc_sink_txn_batch_size_count",
        ],
    );
    let before = id();
    assert!(!before.is_empty());
    cluster.signal("etcd", "-STOP");
    until("the end of the session", || match id() {
        now if now != before => Ok(()),
        now => Err(now),
    });
    cluster.signal("etcd", "-CONT");
    cluster.owned();
    assert_ne!(id(), before);
    cluster.sql("insert into f values (2,2)");
    cluster.caught_up("s1");
    let keys = cluster.cli(&["unsafe", "show-metadata"]);
    assert!(!keys.contains(&before), "{keys}");
}

/// v6.5 has the layout and the API of later releases, and reads the DDL of a later TiDB.
#[test]
fn v6_5_runs_a_changefeed() {
    let cluster = Cluster::start("v8.5.3", "v6.5");
    cluster.sql("create table f(id int primary key, v int)");
    create(&cluster);
    cluster.sql("insert into f values (1,1)");
    cluster.caught_up("f1");
    assert_eq!(cluster.changefeeds()["f1"]["state"], "normal");
    let query = cluster.cli(&["changefeed", "query", "-c", "f1"]);
    assert!(query.contains("\"creator_version\": \"v6.5.3\""), "{query}");
    cluster.cli(&["changefeed", "pause", "-c", "f1"]);
    reaches(&cluster, "stopped");
    cluster.cli(&["changefeed", "remove", "-c", "f1"]);
    assert!(cluster.changefeeds().is_empty());
}
