//! v8.5 against what v8.4.0 answered.

use super::{by_hand, cluster::Cluster, commands::Replay};

#[test]
fn commands_and_calls_of_v8_4() {
    let cluster = Cluster::start("v8.5.3", "v8.5");
    let replay = |known, early| Replay {
        cluster: &cluster,
        pd: "127.0.0.1:2379",
        cdc: "127.0.0.1:8300",
        capture: "37df9210-6792-4ee0-83fa-606571f7257a",
        known,
        early,
    };
    cluster.collect_garbage();
    let json = "the reason is in the words of our JSON reader";
    let young = "the task had not begun when the recording looked";
    replay(vec![(95, json)], vec![(9, young), (10, young)]).run("cli-and-api", |_, _| {});
    replay(
        vec![
            (10, json),
            (37, "the etcd of another history"),
            (47, "the client resolves the path"),
            (56, "a changefeed that was refused leaves no safepoint here"),
            (58, "the etcd of another history"),
        ],
        Vec::new(),
    )
    .run("http-api", |at, cluster| {
        if at == 51 {
            // the owner that resigned stands again
            cluster.owned();
        }
    });
    by_hand::locks_and_clusters(&cluster);
}
