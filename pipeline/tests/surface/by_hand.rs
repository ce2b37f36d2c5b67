//! Calls that no recording has.

use crate::cluster::Cluster;

/// Locks of a region are resolved by hand, and a cluster that is named has to be the server's.
pub fn locks_and_clusters(cluster: &Cluster) {
    assert_eq!(
        cluster.cli(&["unsafe", "resolve-lock", "--region=2"]),
        "",
        "a region that is there"
    );
    let call = |body: &str| cluster.post("/api/v2/unsafe/resolve_lock", body);
    let answer = call(r#"{"region_id": 123456, "ts": 1}"#);
    assert!(
        answer.contains("region not found for regionID 123456"),
        "{answer}"
    );
    let ours = format!(r#"{{"pd_addrs": ["http://127.0.0.1:{}"]}}"#, cluster.pd);
    let now = cluster.post("/api/v2/tso", &ours);
    assert!(now.contains("logic_time"), "{now}");
    let nobody = r#"{"pd_addrs": ["ftp://127.0.0.1"]}"#;
    for path in ["tso", "changefeeds", "verify_table", "unsafe/resolve_lock"] {
        let answer = cluster.post(&format!("/api/v2/{path}"), nobody);
        assert!(
            answer.contains("CDC:ErrAPIInvalidParam"),
            "{path}: {answer}"
        );
        assert!(answer.contains("pd_addrs: failed to"), "{path}: {answer}");
    }
}
