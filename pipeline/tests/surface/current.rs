//! v8.5 against what v8.4.0 answered.

use super::{cluster::Cluster, commands::Replay};

#[test]
fn commands_and_calls_of_v8_4() {
    let cluster = Cluster::start("v8.5.3", "v8.5");
    let replay = |known| Replay {
        cluster: &cluster,
        pd: "127.0.0.1:2379",
        cdc: "127.0.0.1:8300",
        capture: "37df9210-6792-4ee0-83fa-606571f7257a",
        known,
        early: Vec::new(),
    };
    cluster.collect_garbage();
    let json = "the reason is in the words of our JSON reader";
    replay(vec![(95, json)]).run("cli-and-api", |_, _| {});
    replay(vec![
        (10, json),
        (37, "the etcd of another history"),
        (47, "the client resolves the path"),
        (58, "the etcd of another history"),
    ])
    .run("http-api", |at, cluster| {
        if at == 51 {
            // the owner that resigned stands again
            cluster.owned();
        }
    });
}
