//! Many changefeeds at once over two captures.

use std::time::Instant;

use super::{
    cluster::{Cluster, free_ports, until},
    etcd_keys,
    load::{self, Load},
    replay::{Topic, compare},
    spread,
};

const CHANGEFEEDS: usize = 20;

#[test]
fn many_changefeeds_share_two_captures() {
    let mut cluster = Cluster::start("v8.5.3", "v8.5");
    let first = cluster.cdc;
    let [second] = free_ports();
    load::tables(&cluster, 4);
    let ids: Vec<&'static str> = (0..CHANGEFEEDS)
        .map(|n| &*format!("many-{n}").leak())
        .collect();
    for id in &ids {
        let uri = format!(
            "--sink-uri=kafka://127.0.0.1:{}/{id}?protocol=canal-json&enable-tidb-extension=true&partition-num=1",
            cluster.kafka
        );
        cluster.cli(&["changefeed", "create", &uri, "-c", id, "--no-confirm"]);
    }
    let (one, last) = (ids[0], ids[CHANGEFEEDS - 1]);
    let parts = |cluster: &Cluster, wanted: usize| {
        until(&format!("{wanted} parts"), || {
            match etcd_keys(cluster, "/tidb/cdc_spread/default/part/") {
                parts if parts == wanted => Ok(()),
                parts => Err(format!("{parts}")),
            }
        });
    };
    let began = Instant::now();
    cluster.start_cdc("cdc-2", second, "v8.5");
    parts(&cluster, CHANGEFEEDS);
    let spread_in = began.elapsed();
    spread(&cluster, one, &[first, second]);
    let load = Load::start(&cluster, 4, true);
    load.more(50);
    cluster.kill("cdc-2");
    let killed = Instant::now();
    parts(&cluster, 0);
    spread(&cluster, last, &[first]);
    println!(
        "{CHANGEFEEDS} changefeeds spread in {spread_in:?}, taken over in {:?}",
        killed.elapsed()
    );
    load.more(50);
    let statements = load.stop();
    for id in &ids {
        cluster.caught_up(id);
        let told = Topic::new(&cluster, id, 1).read(&cluster);
        told.check_order(&statements);
        if [one, last].contains(id) {
            compare(&cluster, &told);
        }
    }
    parts(&cluster, 0);
}
