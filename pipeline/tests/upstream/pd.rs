//! PD with several members, of which one leads and another one takes over (`spec/tikv-cdc-protocol.md §8`).

use std::collections::BTreeSet;

use pipeline::upstream::Error;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_of_pd_is_found_and_followed() {
    let cluster = Cluster::with_stores(&[true, true, true]).await;
    let members = cluster.pd();
    // Of those given one is nobody, and one does not lead.
    let given = ["127.0.0.1:1".to_owned(), members[2].clone()];
    let upstream = Upstream::connect(&given).await.expect("PD");
    assert_eq!(upstream.pd_endpoints(), members);
    let mut last = upstream.tso().await.expect("a timestamp");
    for (leader, gone) in [(1, false), (2, true), (0, true), (0, false)] {
        cluster.lead_pd(leader, gone);
        let ts = upstream.tso().await.expect("a timestamp");
        assert!(ts > last, "{ts} after {last}");
        last = ts;
        assert_eq!(upstream.stores().await.expect("stores").len(), 3);
        let least = upstream.update_service_safepoint("a", 60, ts).await;
        assert_eq!(least.expect("a safepoint"), ts);
    }
    // A member that has come is known once anybody was asked for the members.
    cluster.serve(true).await;
    cluster.lead_pd(3, true);
    let ts = upstream.tso().await.expect("a timestamp");
    assert!(ts > last, "{ts} after {last}");
    assert_eq!(upstream.pd_endpoints(), cluster.pd());
    // One that is behind the least is refused, which the answer shows.
    let least = upstream.update_service_safepoint("b", 60, last - 1).await;
    assert_eq!(least.expect("a safepoint"), last);
    assert_eq!(cluster.safepoints().keys().collect::<Vec<_>>(), ["a"]);
    upstream
        .update_service_safepoint("a", 0, 0)
        .await
        .expect("an answer");
    assert!(cluster.safepoints().is_empty());
}

/// Timestamps that are asked for together are different ones, whatever member gives them.
#[tokio::test(flavor = "multi_thread")]
async fn timestamps_are_given_once() {
    let cluster = Cluster::with_stores(&[true, true]).await;
    let upstream = Upstream::connect(&cluster.pd()).await.expect("PD");
    let ask = |upstream: Upstream| async move {
        let mut given = Vec::new();
        for _ in 0..50 {
            given.push(upstream.tso().await?);
        }
        Ok::<_, Error>(given)
    };
    let asking: Vec<_> = (0..20)
        .map(|_| tokio::spawn(ask(upstream.clone())))
        .collect();
    let mut all = BTreeSet::new();
    for (n, asked) in asking.into_iter().enumerate() {
        cluster.lead_pd(n, false);
        let given = asked.await.expect("no panic").expect("timestamps");
        assert!(given.is_sorted(), "{given:?}");
        all.extend(given);
    }
    assert_eq!(all.len(), 20 * 50);
}

#[tokio::test]
async fn where_no_member_is_the_error_names_them() {
    let given = ["127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()];
    let connecting = Upstream::connect(&given);
    let connected = tokio::time::timeout(2 * DEADLINE, connecting)
        .await
        .expect("an end");
    let error = connected.expect_err("nobody is there").to_string();
    assert!(
        error.contains("127.0.0.1:1") && error.contains("127.0.0.1:2"),
        "{error}"
    );
}
