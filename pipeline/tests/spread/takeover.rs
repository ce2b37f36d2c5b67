//! How soon others take over, at v6.5, and what happens to the keys of captures by hand and by accident.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use pipeline::etcd::{Client, Error};
use serde_json::Value;

use super::{
    cluster::{Cluster, block, free_ports, until},
    etcd_keys, id_of,
    load::{self, Load},
    replay::{Topic, compare},
    spread,
};

/// Keys of v6.5 (`spec/state.md §1`).
const META: &str = "/tidb/cdc/default/__cdc_meta__";
const STATE: &str = "/tidb/cdc/default/default";
/// How long a session outlives its server (`spec/state.md §1`).
const SESSION: Duration = Duration::from_secs(10);
/// etcd looks for leases that have expired twice a second.
const EXPIRY: Duration = Duration::from_millis(500);

/// Asks etcd.
fn etcd<T, F: Future<Output = Result<T, Error>>>(
    cluster: &Cluster,
    ask: impl FnOnce(Client) -> F,
) -> Result<T, Error> {
    let pd = [format!("http://127.0.0.1:{}", cluster.pd)];
    block(async move { ask(Client::new(&pd)?).await })
}

/// Keys with their values.
fn keys(cluster: &Cluster, prefix: &str) -> Vec<(String, String)> {
    let (pairs, _) = etcd(cluster, |etcd| async move { etcd.list(prefix).await }).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    pairs
        .iter()
        .map(|p| (text(&p.key), text(&p.value)))
        .collect()
}

/// The checkpoint in etcd.
fn checkpoint(cluster: &Cluster, changefeed: &str) -> u64 {
    let key = format!("{STATE}/changefeed/status/{changefeed}");
    let pairs = keys(cluster, &key);
    let status: Value = serde_json::from_str(&pairs[0].1).unwrap();
    status["checkpoint-ts"].as_u64().unwrap()
}

/// Waits until a changefeed moves on past now; how long after `since` its captures' session was over, and it moved.
fn taken_over(
    cluster: &Cluster,
    changefeed: &str,
    capture: &str,
    since: Instant,
) -> (Duration, Duration) {
    let now: u64 = cluster.cli(&["tso", "query"]).trim().parse().unwrap();
    let key = format!("{META}/capture/{capture}");
    until("the end of a session", || match keys(cluster, &key).len() {
        0 => Ok(()),
        _ => Err(key.clone()),
    });
    let over = since.elapsed();
    until("a changefeed that moves on", || {
        match checkpoint(cluster, changefeed) {
            at if at > now => Ok(()),
            at => Err(format!("at {at} of {now}")),
        }
    });
    (over, since.elapsed())
}

fn owner(cluster: &Cluster) -> String {
    let captures: Vec<Value> = serde_json::from_str(&cluster.cli(&["capture", "list"])).unwrap();
    let owner = captures.iter().find(|capture| capture["is-owner"] == true);
    owner.map_or_else(String::new, |owner| {
        owner["id"].as_str().unwrap().to_owned()
    })
}

#[test]
fn captures_of_v6_5_take_over() {
    let mut cluster = Cluster::start("v8.5.3", "v6.5");
    let first = cluster.cdc;
    let [second, third, other] = free_ports();
    load::tables(&cluster, 6);
    let topic = Topic::new(&cluster, "mid", 1);
    let uri = format!(
        "--sink-uri=kafka://127.0.0.1:{}/mid?protocol=canal-json&enable-tidb-extension=true&partition-num=1",
        cluster.kafka
    );
    cluster.cli(&["changefeed", "create", &uri, "-c", "mid", "--no-confirm"]);
    cluster.start_cdc("cdc-2", second, "v6.5");
    spread(&cluster, "mid", &[first, second]);
    let load = Load::start(&cluster, 6, true);
    load.more(50);
    let (one, two) = (id_of(&cluster, first), id_of(&cluster, second));
    for capture in [&one, &two] {
        let key = format!("{STATE}/task/position/{capture}/mid");
        assert_eq!(
            keys(&cluster, &key)[0].1,
            r#"{"checkpoint-ts":0,"resolved-ts":0,"count":0,"error":null,"warning":null}"#
        );
    }

    // a server with the address of one that lives
    let output = Command::new(env!("CARGO_BIN_EXE_cdc"))
        .args(["server", "--compat", "v6.5"])
        .arg(format!("--pd=http://127.0.0.1:{}", cluster.pd))
        .arg(format!("--addr=127.0.0.1:{other}"))
        .arg(format!("--advertise-addr=127.0.0.1:{first}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&one) && said.contains("--advertise-addr"),
        "{said}"
    );

    // PD stands still, with writes on their way, and is started again: nobody loses its place
    cluster.signal("pd", "-STOP");
    let still = Instant::now();
    until("PD to stand still", || match still.elapsed() {
        long if long > Duration::from_secs(2) => Ok(()),
        short => Err(format!("{short:?}")),
    });
    cluster.signal("pd", "-CONT");
    load.more(50);
    let statements = load.stop();
    cluster.kill("pd");
    cluster.start_pd();
    until("PD", || {
        etcd(&cluster, |etcd| async move { etcd.list(META).await })
            .map(drop)
            .map_err(|error| error.to_string())
    });
    let load = Load::start(&cluster, 6, false);
    load.more(50);
    cluster.caught_up("mid");
    spread(&cluster, "mid", &[first, second]);
    let there = [first, second].map(|port| id_of(&cluster, port));
    assert_eq!(there, [one.clone(), two.clone()]);

    // the owner's key is removed by hand: the next one owns at once
    assert_eq!(owner(&cluster), one);
    let key = keys(&cluster, &format!("{META}/owner/"));
    let key = key
        .iter()
        .find(|(_, capture)| *capture == one)
        .unwrap()
        .0
        .clone();
    let removed = Instant::now();
    assert!(etcd(&cluster, |etcd| async move { etcd.delete(&key).await }).unwrap());
    until("another owner", || match owner(&cluster) {
        now if now == two => Ok(()),
        now => Err(now),
    });
    spread(&cluster, "mid", &[first, second]);
    println!("owner key removed: {:?}", removed.elapsed());
    load.more(50);
    // and so is that under which both work: it is told, and written anew
    let run = "/tidb/cdc_spread/default/run/default/mid";
    let removed = Instant::now();
    assert!(etcd(&cluster, |etcd| async move { etcd.delete(run).await }).unwrap());
    until("another run", || match keys(&cluster, run).len() {
        0 => Err(run.to_owned()),
        _ => Ok(()),
    });
    cluster.caught_up("mid");
    spread(&cluster, "mid", &[first, second]);
    println!("run key removed: {:?}", removed.elapsed());
    load.more(50);

    // kill -9 of a capture that does not own, and of the owner
    cluster.kill("cdc");
    let (over, moved) = taken_over(&cluster, "mid", &one, Instant::now());
    println!(
        "kill -9 of a capture: its session is over after {over:?}, the changefeed moves on after {moved:?}"
    );
    assert!(
        over < SESSION + 2 * EXPIRY && moved - over < Duration::from_secs(3),
        "{over:?} {moved:?}"
    );
    load.more(50);
    cluster.start_cdc("cdc-3", third, "v6.5");
    spread(&cluster, "mid", &[second, third]);
    load.more(50);
    cluster.kill("cdc-2");
    let (over, moved) = taken_over(&cluster, "mid", &two, Instant::now());
    println!(
        "kill -9 of the owner: its session is over after {over:?}, the changefeed moves on after {moved:?}"
    );
    assert!(
        over < SESSION + 2 * EXPIRY && moved - over < Duration::from_secs(3),
        "{over:?} {moved:?}"
    );
    load.more(50);
    load.stop();
    cluster.caught_up("mid");
    let told = topic.read(&cluster);
    told.check_order(&statements);
    compare(&cluster, &told);
    assert_eq!(etcd_keys(&cluster, "/tidb/cdc_spread/default/part/"), 0);
}
