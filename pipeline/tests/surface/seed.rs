//! v4.0.9 against what it answered.

use super::{cluster::Cluster, commands::Replay};

#[test]
fn commands_and_calls_of_v4_0_9() {
    let cluster = Cluster::start("v4.0.9", "v4.0.9");
    let replay = |capture, known, early| Replay {
        cluster: &cluster,
        pd: "127.0.0.1:3379",
        cdc: "127.0.0.1:8400",
        capture,
        known,
        early,
    };
    // the recorded cluster had two tables already
    cluster.sql("create table a(id int primary key); create table b(id int primary key)");
    cluster.collect_garbage();
    let protocol = "a message protocol that this pipeline does not have is refused";
    let sink = "a sink that this pipeline does not have is refused";
    replay(
        "7f94c1ac-5227-4a69-bc76-a5812b6645de",
        vec![
            (23, protocol),
            (29, protocol),
            (32, protocol),
            (83, sink),
            (
                95,
                "without the changefeeds that were refused, and in order",
            ),
            (96, "without the changefeeds that were refused"),
            (
                105,
                "the same, and of a changefeed that steps between the recordings paused",
            ),
        ],
        Vec::new(),
    )
    .run("v4.0-cli-1", |_, _| {});
    cluster.reset_changefeeds();
    replay(
        "a1d94157-797d-4c0e-a1b9-88b8f181f980",
        vec![
            (10, sink),
            (28, "the etcd of another history"),
            (30, "what is inside the server is its own"),
        ],
        vec![
            (
                22,
                "a row too large: the error is told, which that release never did",
            ),
            (23, "the same"),
        ],
    )
    .run("v4.0-cli-2", |_, _| {});
}
