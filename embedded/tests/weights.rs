//! The sort weights that keys are made of are those that MariaDB compares by: what is equal in SQL has one key.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use embedded::tidb::codec::collate::sort_key;
use mysql_async::prelude::Queryable;

/// Characters weighed at once.
const BLOCK: u32 = 256;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_are_those_of_mariadb() {
    let cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.mariadb().await;
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

/// Characters that GBK has for sure. Under `gbk_chinese_ci` a backslash weighs otherwise in TiDB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_under_gbk_bin_are_those_of_mariadb() {
    let cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.mariadb().await;
    let characters = (0x20..0x7f).chain(0x4e00..=0x9fa5).chain(0xff01..=0xff5d);
    let characters: Vec<char> = characters.filter_map(char::from_u32).collect();
    for block in characters.chunks(BLOCK as usize) {
        let text: String = block.iter().collect();
        let hex = hex::encode(&text);
        let theirs: String = conn
            .query_first(format!(
                "SELECT LOWER(HEX(WEIGHT_STRING(CONVERT(CONVERT(x'{hex}' USING utf8mb4) USING gbk) COLLATE gbk_bin)))"
            ))
            .await
            .unwrap()
            .unwrap();
        let ours = hex::encode(sort_key("gbk_bin", text.as_bytes()).unwrap());
        assert_eq!(theirs, ours, "{text}");
    }
    conn.disconnect().await.unwrap();
}

/// The column's constraint lets in what MariaDB's newer version of the algorithm sorts as TiDB's older one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn characters_under_0900_ai_ci_sort_as_in_mariadb() {
    const COLLATION: &str = "utf8mb4_0900_ai_ci";
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut sql = cluster.sql().await;
    let create = format!("create table t (c varchar(1) collate {COLLATION}) charset utf8mb4");
    sql.query_drop(create).await.unwrap();
    sql.disconnect().await.unwrap();
    let mut conn = cluster.mariadb().await;
    // A copy with the same constraint, that nobody replicates; what is not let in is left out.
    let setup = "SET NAMES utf8mb4; CREATE TEMPORARY TABLE test.copy LIKE test.t";
    for statement in setup.split("; ") {
        conn.query_drop(statement).await.unwrap();
    }
    for start in (1..0x3_0000_u32).step_by(4096) {
        let characters = (start..start + 4096).filter_map(char::from_u32);
        let values: Vec<String> = characters
            .map(|c| format!("(CONVERT(x'{}' USING utf8mb4))", hex::encode(c.to_string())))
            .collect();
        if !values.is_empty() {
            let insert = format!(
                "INSERT IGNORE INTO test.copy (c) VALUES {}",
                values.join(",")
            );
            conn.query_drop(insert).await.unwrap();
        }
    }
    let ranked = "SELECT c, DENSE_RANK() OVER (ORDER BY c) AS place FROM test.copy ORDER BY place";
    let rows: Vec<(String, u64)> = conn.query(ranked).await.unwrap();
    assert!(
        (90_000..100_000).contains(&rows.len()),
        "{} characters",
        rows.len()
    );
    for pair in rows.windows(2) {
        let key = |n: usize| sort_key(COLLATION, pair[n].0.as_bytes()).unwrap();
        let theirs = pair[0].1.cmp(&pair[1].1);
        assert_eq!(key(0).cmp(&key(1)), theirs, "{pair:?}");
    }
    conn.disconnect().await.unwrap();
}
