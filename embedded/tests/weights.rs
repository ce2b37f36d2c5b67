//! The sort weights that keys are made of are those that MariaDB compares by: what is equal in SQL has one key.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use embedded::tidb::codec::collate::sort_key;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

/// Characters weighed at once.
const BLOCK: u32 = 256;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_are_those_of_mariadb() {
    let mut cluster = Cluster::start("v8.5.3").await;
    // Once the server answers, MariaDB does.
    cluster.sql().await.disconnect().await.unwrap();
    let opts = OptsBuilder::default()
        .socket(Some(cluster.mariadb_socket()))
        .user(Some("root"));
    let mut conn = Conn::new(opts).await.unwrap();
    let mut weighed = 0;
    for collation in ["utf8mb4_general_ci", "utf8mb4_unicode_ci"] {
        for start in (0..0x1_2000).step_by(BLOCK as usize) {
            let text: String = (start..start + BLOCK).filter_map(char::from_u32).collect();
            if text.is_empty() {
                continue;
            }
            let hex = hex::encode(&text);
            let theirs: String = conn
                .query_first(format!(
                    "SELECT LOWER(HEX(WEIGHT_STRING(CONVERT(x'{hex}' USING utf8mb4) COLLATE {collation})))"
                ))
                .await
                .unwrap()
                .unwrap();
            let ours = hex::encode(sort_key(collation, text.as_bytes()).unwrap());
            assert_eq!(theirs, ours, "{collation} from U+{start:04X} on");
            weighed += text.chars().count();
        }
    }
    assert!(weighed > 2 * 0x1_0000, "{weighed} characters weighed");
    conn.disconnect().await.unwrap();
}
