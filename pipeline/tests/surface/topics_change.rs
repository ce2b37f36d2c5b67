//! Topics that change while changefeeds run: more partitions, and gone without leave to make them again.

use serde_json::Value;

use super::{
    cluster::{Cluster, until},
    topics::{create, delete, grow, read, topics},
};

fn changefeed(cluster: &Cluster, id: &str, options: &str) {
    let uri = format!(
        "--sink-uri=kafka://127.0.0.1:{}/{id}?protocol=canal-json&enable-tidb-extension=true{options}",
        cluster.kafka
    );
    cluster.cli(&["changefeed", "create", &uri, "-c", id, "--no-confirm"]);
}

fn reaches(cluster: &Cluster, id: &str, state: &str) -> Value {
    let mut error = Value::Null;
    until(&format!("{id} {state}"), || {
        match cluster.changefeeds().get(id) {
            Some(feed) if feed["state"] == state => {
                error = feed["error"].clone();
                Ok(())
            }
            other => Err(format!("{other:?}")),
        }
    });
    error
}

/// Partitions of a topic that have a watermark above `ts`.
fn marked(cluster: &Cluster, topic: &str, ts: u64) -> Vec<i64> {
    let lines = read(cluster.kafka, topic);
    let mut marked: Vec<i64> = lines
        .iter()
        .filter(|line| line.watermark().is_some_and(|mark| mark > ts))
        .map(|line| line.partition)
        .collect();
    marked.sort_unstable();
    marked.dedup();
    marked
}

#[test]
fn topics_that_grow_or_go() {
    let cluster = Cluster::start("v8.5.3", "v8.5");
    let now = || -> u64 { cluster.cli(&["tso", "query"]).trim().parse().unwrap() };
    cluster.sql("create table t(id int primary key)");
    create(cluster.kafka, "grows", 2, &[]);
    create(cluster.kafka, "goes", 1, &[]);
    changefeed(&cluster, "grows", "");
    changefeed(&cluster, "goes", "&auto-create-topic=false");
    cluster.sql("insert into t values (1)");
    cluster.caught_up("grows");
    cluster.caught_up("goes");

    // the partitions of the default topic that are used stay those that were found at the start
    grow(cluster.kafka, "grows", 4);
    let grown = now();
    cluster.sql("insert into t values (2)");
    cluster.caught_up("grows");
    until("watermarks", || {
        match marked(&cluster, "grows", grown).as_slice() {
            [0, 1] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    assert!(reaches(&cluster, "grows", "normal").is_null());
    // a start finds the new ones
    cluster.cli(&["changefeed", "pause", "-c", "grows"]);
    reaches(&cluster, "grows", "stopped");
    let resumed = now();
    cluster.cli(&["changefeed", "resume", "-c", "grows"]);
    until("watermarks", || {
        match marked(&cluster, "grows", resumed).as_slice() {
            [0, 1, 2, 3] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });

    // a topic that may not be made again
    delete(cluster.kafka, "goes");
    cluster.sql("insert into t values (3)");
    let error = reaches(&cluster, "goes", "failed");
    assert_eq!(error["code"], "CDC:ErrKafkaCreateTopic");
    let told = error["message"].as_str().unwrap();
    assert!(
        told.ends_with("`auto-create-topic` is false, and goes not found"),
        "{told}"
    );
    assert!(!topics(cluster.kafka).contains_key("goes"));
    reaches(&cluster, "grows", "normal");
    // once it is there, it goes on from where it was
    create(cluster.kafka, "goes", 1, &[]);
    cluster.cli(&["changefeed", "resume", "-c", "goes", "--no-confirm"]);
    reaches(&cluster, "goes", "normal");
    cluster.caught_up("goes");
    let rows: Vec<Value> = read(cluster.kafka, "goes")
        .iter()
        .filter(|line| line.watermark().is_none())
        .map(|line| line.value["data"][0]["id"].clone())
        .collect();
    assert_eq!(rows, ["3"]);
}
