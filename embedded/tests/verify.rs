//! `embedded verify` finds every kind of fault that is planted, and nothing where there is none.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;
mod commit;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use cluster::Cluster;
use cluster::rows::catalog;
use commit::commit;
use embedded::client::{Change, Client};
use embedded::tidb::codec::{Handle, keys};
use mysql_async::prelude::Queryable;

const V: &str = "v8.5.3";

/// Tables of every kind of handle and partitions, with rows of every type and indexes.
const TABLES: [&str; 26] = [
    "CREATE TABLE kinds (id BIGINT UNSIGNED PRIMARY KEY, i TINYINT, u INT UNSIGNED ZEROFILL, f FLOAT, d DOUBLE, \
     n DECIMAL(20,5) , z DECIMAL(6,2) ZEROFILL, y YEAR, da DATE, dt DATETIME(3), ts TIMESTAMP(6) NULL, ti TIME(2), \
     c CHAR(9), v VARCHAR(99), b BINARY(4), vb VARBINARY(9), tx TEXT, bl BLOB, e ENUM('x','y'), s SET('p','q'), bt BIT(13), \
     j JSON)",
    "INSERT INTO kinds VALUES (18446744073709551615, -128, 7, 1.1, 1e300, -123456789012345.67891, 1.5, 2024, '2024-02-29', \
     '2024-02-29 01:02:03.456', '2038-01-19 03:14:07.999999', '-838:59:59.00', 'ab ', 'v  ', 'a', x'00ff', 'text', \
     x'deadbeef', 'y', 'p,q', b'1010101010101', '{\"b\": [1, 2.5, null, true, \"é\"], \"a\": 18446744073709551615}')",
    "INSERT INTO kinds (id) VALUES (0), (1)",
    "INSERT INTO kinds (id, f, d, ti, y, j) VALUES (2, -16777216.0, 0.1, '00:00:00.01', 0, '[]'), (3, 3.4e38, -0.0, '12:00:00', 1901, '1e2')",
    "CREATE TABLE texts (k VARCHAR(20) COLLATE utf8mb4_general_ci, b VARCHAR(20), u VARCHAR(20) COLLATE utf8mb4_unicode_ci, \
     n INT, PRIMARY KEY (k, b) CLUSTERED, UNIQUE KEY (u), KEY (b(2), n), KEY (u(3), k), UNIQUE KEY (n))",
    "INSERT INTO texts VALUES ('Straße ', 'b ', 'Ünïcode', 1), ('中文', '', 'ﬁ 𝄞', NULL), ('', 'abc  ', '', NULL), \
     ('a\\'b', 'x', 'ß  ', 4)",
    "CREATE TABLE cut (k VARCHAR(20) COLLATE utf8mb4_general_ci, n DECIMAL(10,2), d DATE, PRIMARY KEY (k(2), n) CLUSTERED, \
     KEY (d), UNIQUE KEY (d, k(3)))",
    "INSERT INTO cut VALUES ('äbcd', -1.5, '2024-01-01'), ('ab', 0, NULL), ('abzz', 1, '0001-01-01')",
    "CREATE TABLE loose (a INT, s VARCHAR(9), KEY (a, s), UNIQUE KEY (s))",
    "INSERT INTO loose VALUES (1, 'x'), (1, NULL), (NULL, NULL)",
    "CREATE TABLE loose_key (a INT, s CHAR(9), PRIMARY KEY (a, s) NONCLUSTERED, KEY (s)) SHARD_ROW_ID_BITS = 4",
    "INSERT INTO loose_key VALUES (1, 'x '), (2, 'Y')",
    "CREATE TABLE parts (id INT, v VARCHAR(9), PRIMARY KEY (id) CLUSTERED, KEY (v), UNIQUE KEY (v, id)) PARTITION BY RANGE (id) \
     (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (MAXVALUE))",
    "INSERT INTO parts VALUES (1, 'one'), (11, 'eleven'), (-5, NULL)",
    "CREATE TABLE hashed (id INT, v INT, KEY (v)) PARTITION BY HASH (id) PARTITIONS 3",
    "INSERT INTO hashed VALUES (1, 1), (-4, 2), (NULL, 3), (30, 4)",
    "CREATE TABLE keyed (id INT PRIMARY KEY, v INT, KEY (v)) PARTITION BY KEY (id) PARTITIONS 3",
    "INSERT INTO keyed VALUES (1, 1), (2, 2), (3, 3), (4, 4)",
    "CREATE TABLE counted (id BIGINT AUTO_INCREMENT PRIMARY KEY, v INT UNIQUE)",
    "INSERT INTO counted (v) VALUES (1), (2)",
    "INSERT INTO counted VALUES (1000000, 3)",
    "CREATE VIEW looked AS SELECT a, s FROM loose",
    "CREATE SEQUENCE untaken INCREMENT BY 10",
    "CREATE SEQUENCE down START WITH -7 INCREMENT BY -3 CACHE 5",
    "SELECT NEXTVAL(down), NEXTVAL(down)",
    "CREATE TABLE odd (e ENUM('a\\\\b', 'c''d\n', '乙') NOT NULL, f FLOAT(7,3) UNSIGNED, i INT(5) ZEROFILL, b BOOL, y YEAR, \
     t TINYTEXT, m MEDIUMBLOB, g INT AS (i + 1) NOT NULL, id INT AUTO_INCREMENT, PRIMARY KEY (e, y), KEY (t(7)), KEY (id))",
];

/// Character sets and collations that 4.0 does not have.
const NEW_TABLES: [&str; 7] = [
    "CREATE TABLE chinese (k VARCHAR(20) CHARSET gbk COLLATE gbk_bin, v VARCHAR(20) CHARSET gbk, c CHAR(9) CHARSET gbk, \
     PRIMARY KEY (k) CLUSTERED, KEY (v(3), k), UNIQUE KEY (c), KEY kc (k(1), c(2)))",
    "INSERT INTO chinese VALUES ('中文 ', '乙a  ', '啊'), ('', 'B？', NULL), ('龥b', NULL, 'ab')",
    "CREATE TABLE nine (u VARCHAR(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY CLUSTERED, v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci, \
     b VARCHAR(9) COLLATE utf8mb4_0900_bin, UNIQUE KEY (v), KEY (b))",
    "INSERT INTO nine VALUES ('é ', 'Ab', 'b '), ('z', NULL, '')",
    "ALTER SEQUENCE down INCREMENT BY -1",
    "CREATE TABLE expressions (a INT, b VARCHAR(9), KEY sums ((a + 1), b), KEY up ((UPPER(b))))",
    "INSERT INTO expressions VALUES (1, 'x'), (NULL, NULL)",
];

/// Columns that rows of `kinds` lack.
const LATER: [&str; 10] = [
    "a1 INT NOT NULL DEFAULT 7",
    "a2 VARCHAR(9) DEFAULT 'later'",
    "a3 DATETIME(2) DEFAULT '2020-01-02 03:04:05.67'",
    "a4 DECIMAL(5,2) NOT NULL",
    "a5 ENUM('k','l') NOT NULL",
    "a6 BIT(9) DEFAULT b'101'",
    "a7 TIME DEFAULT '-01:02:03'",
    "a8 SET('r','s') DEFAULT 'r,s'",
    "a9 BINARY(3) DEFAULT 'x'",
    "a10 DOUBLE DEFAULT 2.5",
];

/// Makes all tables.
async fn fill(conn: &mut mysql_async::Conn, clustered: bool) {
    let later = LATER.map(|column| format!("ALTER TABLE kinds ADD COLUMN {column}"));
    let new = NEW_TABLES.iter().filter(|_| clustered);
    let new = new.map(|statement| (*statement).to_owned());
    for statement in TABLES
        .map(str::to_owned)
        .into_iter()
        .chain(new)
        .chain(later)
    {
        let statement = match clustered {
            true => statement,
            false => statement
                .replace("NONCLUSTERED", "")
                .replace("CLUSTERED", ""),
        };
        let done = conn.query_drop(&statement).await;
        done.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
}

async fn put(client: &Client, changes: &[(Vec<u8>, Option<Bytes>)]) {
    let changes: BTreeMap<Bytes, Change> = changes
        .iter()
        .map(|(key, value)| {
            let change = value.clone().map_or(Change::Delete, Change::Put);
            (Bytes::copy_from_slice(key), change)
        })
        .collect();
    let primary = changes.keys().next().unwrap().clone();
    let start_ts = client.tso().await.unwrap();
    commit(client, start_ts, &primary, changes).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_planted_fault_is_named() {
    let mut cluster = Cluster::start(V).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    fill(&mut conn, true).await;
    let report = cluster.verified().await;
    assert!(report.is_clean(), "{report}");
    let shown = report.to_string();
    assert!(
        shown.contains("test.kinds") && shown.ends_with("all equal"),
        "{shown}"
    );
    let not_compared: Vec<&str> = report.not_compared.iter().map(String::as_str).collect();
    for blind in [
        "the texts in 2 keys of index v of test.nine: no rule for utf8mb4_0900_ai_ci",
        "the texts in the handles of test.nine: no rule for utf8mb4_0900_ai_ci",
        "which partitions the rows of test.keyed are in: MariaDB has it in one piece",
    ] {
        assert!(
            not_compared.contains(&blind),
            "no {blind:?} in {not_compared:?}"
        );
    }

    let schema = catalog(&client, V).await;
    let table = |name: &str| schema.table("test", name).unwrap();
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let under = async |prefix: Vec<u8>| {
        let mut end = prefix.clone();
        end.push(0xff);
        snapshot.scan(&prefix, &end).await.unwrap()
    };
    let counted = table("counted").id;
    let entries = under(keys::index_prefix(counted, 1)).await;
    let row = |id: i64| keys::record_key(counted, &Handle::Int(id));
    let value_of = async |key: &[u8]| snapshot.get(key).await.unwrap().unwrap();
    let (first, second) = (value_of(&row(1)).await, value_of(&row(2)).await);
    let prefix = keys::index_prefix(counted, 1);
    let mut extra = entries[0].key.to_vec();
    *extra.last_mut().unwrap() = 77;
    let counter = keys::MetaKey::hash("DB:2", format!("TID:{counted}")).encode();
    let parts = table("parts");
    let partition = |n: usize| parts.physical_ids()[n];
    let moved = value_of(&keys::record_key(partition(0), &Handle::Int(1))).await;
    let texts = under(keys::record_prefix(table("texts").id)).await;
    let of_index = under(keys::index_prefix(table("texts").id, 2)).await;
    let mut of_later = of_index[0].value.to_vec();
    assert_eq!(of_later[1..3], [125, 1], "{of_later:?}");
    of_later[2] = 2;
    let sequence = table("down").id;
    let taken = keys::MetaKey::hash("DB:2", format!("SID:{sequence}")).encode();
    let mut another = texts[0].key.to_vec();
    let letter = another.iter().rposition(|b| *b == b'c').unwrap();
    another[letter] = b'd';
    // What is planted, and what has to be said.
    type Plant = (Vec<(Vec<u8>, Option<Bytes>)>, &'static [&'static str]);
    let plants: Vec<Plant> = vec![
        (
            vec![(row(1), Some(second.clone()))],
            &[
                "row id=\"1\": v is \"2\" in TiKV, \"1\" in MariaDB",
                "v is \"2\" in the row",
            ],
        ),
        (
            vec![(row(2), None)],
            &[
                "row id=\"2\" is in MariaDB alone",
                "entry (2) leads to row 2, which is not there",
            ],
        ),
        (
            vec![(row(9), Some(first))],
            &[
                "row id=\"9\" is in TiKV alone",
                "index v has no entry of row id=\"9\"",
            ],
        ),
        (
            vec![(row(1), Some(Bytes::from_static(b"\x80\x00\x05")))],
            &["row 1 under table id", "is in MariaDB alone"],
        ),
        (
            vec![(entries[0].key.to_vec(), None)],
            &["index v has no entry of row id=\"1\""],
        ),
        (
            vec![(extra, Some(entries[0].value.clone()))],
            &["index v: entry (77) of row id=\"1\": v is \"1\" in the row"],
        ),
        (
            vec![(entries[0].key.to_vec(), Some(entries[1].value.clone()))],
            &[
                "entry (1) of row id=\"2\": v is \"2\" in the row",
                "index v has no entry of row id=\"1\"",
            ],
        ),
        (
            vec![(
                [&prefix[..], b"\x0f"].concat(),
                Some(Bytes::from_static(b"0")),
            )],
            &["index v, entry 0f: an index entry: a value's flag is 0x0f"],
        ),
        (
            vec![(
                keys::record_key(999_999, &Handle::Int(1)),
                Some(second.clone()),
            )],
            &["1 keys under table id 999999, which no table ever had"],
        ),
        (
            vec![(
                keys::index_prefix(counted, 55),
                Some(Bytes::from_static(b"0")),
            )],
            &["1 entries of an index 55 that table counted"],
        ),
        (
            vec![(
                keys::record_key(parts.id, &Handle::Int(1)),
                Some(moved.clone()),
            )],
            &["1 rows of parts are in none of its partitions"],
        ),
        (
            vec![(keys::record_key(partition(1), &Handle::Int(1)), Some(moved))],
            &[
                "row id=\"1\" is in TiKV twice",
                "is in the partition with id",
            ],
        ),
        (
            vec![(counter, Some(Bytes::from_static(b"999999")))],
            &["the counter of AUTO_INCREMENT, TID, stands at 999999, a row has 1000000"],
        ),
        (
            vec![(texts[0].key.to_vec(), Some(texts[1].value.clone()))],
            &["is in TiKV twice", "is in MariaDB alone"],
        ),
        (
            vec![
                (texts[0].key.to_vec(), None),
                (another, Some(texts[0].value.clone())),
            ],
            &["is not that of its values", "index n has no entry of row"],
        ),
        (
            vec![(of_index[0].key.to_vec(), Some(of_index[1].value.clone()))],
            &["index u"],
        ),
        (
            vec![(of_index[0].key.to_vec(), Some(of_later.into()))],
            &["its version is 2"],
        ),
        (
            vec![(taken, Some(Bytes::from_static(b"-8")))],
            &["sequence test.down: its last value, SID, stands at -8 in TiKV, the next one is"],
        ),
        (
            vec![(b"stray".to_vec(), Some(second))],
            &["key 7374726179 is no key of TiDB's"],
        ),
    ];
    for (changes, named) in plants {
        let mut back = Vec::new();
        for (key, _) in &changes {
            back.push((key.clone(), snapshot.get(key).await.unwrap()));
        }
        put(&client, &changes).await;
        let report = cluster.verified().await;
        let shown = report.to_string();
        for fault in named {
            assert!(shown.contains(fault), "no {fault:?} in:\n{shown}");
        }
        put(&client, &back).await;
    }
    cluster.verify().await;
    in_mariadb_alone(&cluster).await;
    conn.query_drop("DROP TABLE counted").await.unwrap();
    conn.query_drop("ALTER TABLE loose DROP INDEX s")
        .await
        .unwrap();
    conn.query_drop("ALTER TABLE parts TRUNCATE PARTITION a")
        .await
        .unwrap();
    let report = cluster.verified().await;
    assert!(report.is_clean(), "{report}");
    let garbage: Vec<&str> = report.garbage.iter().map(|g| g.name.as_str()).collect();
    for dropped in [
        "test.counted",
        "index s of table loose",
        "test.parts partition a",
    ] {
        assert!(
            garbage.iter().any(|g| g.contains(dropped)),
            "no {dropped} in {garbage:?}"
        );
    }
    let lock = serde_json::json!({"key": hex::encode(&texts[0].key), "ttl_ms": 1});
    let asked = reqwest::Client::new()
        .post(cluster.test_api("lock"))
        .body(lock.to_string())
        .header("content-type", "application/json");
    let answer = asked.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    let socket = cluster.mariadb_socket();
    let patience = std::time::Duration::from_secs(2);
    let report = embedded::verify::verify(&client, Path::new(&socket), patience).await;
    let shown = report.unwrap().to_string();
    let locked = format!("key {} is locked", hex::encode(&texts[0].key));
    assert!(shown.contains(&locked), "{shown}");
    by_command_line(&cluster, &client).await;
}

/// Statements that go past the front and the binlog, and those that take them back.
async fn in_mariadb_alone(cluster: &Cluster) {
    let mut mariadb = cluster.mariadb().await;
    for (sql, back, fault) in [
        (
            "DROP VIEW test.looked",
            "CREATE VIEW test.looked AS SELECT a, s FROM test.loose",
            "MariaDB does not have the view test.looked",
        ),
        (
            "CREATE VIEW test.more AS SELECT 1",
            "DROP VIEW test.more",
            "view test.more is in MariaDB, but not in the schema in TiKV",
        ),
        (
            "RENAME TABLE test.down TO test.renamed",
            "RENAME TABLE test.renamed TO test.down",
            "MariaDB does not have the sequence test.down",
        ),
        (
            "ALTER SEQUENCE test.untaken MAXVALUE 77",
            "ALTER SEQUENCE test.untaken MAXVALUE 9223372036854775806",
            "sequence test.untaken: minimum, maximum, start, increment and cycle are",
        ),
        (
            "ALTER TABLE test.parts MODIFY v VARCHAR(10) COLLATE utf8mb4_bin",
            "ALTER TABLE test.parts MODIFY v VARCHAR(9) COLLATE utf8mb4_bin",
            "v is of type varchar(9) in TiKV, varchar(10) in MariaDB",
        ),
        (
            "ALTER TABLE test.parts MODIFY v VARCHAR(9) COLLATE utf8mb4_general_ci",
            "ALTER TABLE test.parts MODIFY v VARCHAR(9) COLLATE utf8mb4_bin",
            "v needs the collation utf8mb4_bin in MariaDB",
        ),
        (
            "ALTER TABLE test.hashed MODIFY v INT NOT NULL",
            "ALTER TABLE test.hashed MODIFY v INT",
            "v may be NULL on one side alone",
        ),
        (
            "ALTER TABLE test.loose DROP KEY a, ADD KEY a (a, s(3))",
            "ALTER TABLE test.loose DROP KEY a, ADD KEY a (a, s)",
            "key a is (a, s) in TiKV, (a, s(3)) in MariaDB",
        ),
        (
            "ALTER TABLE test.loose ADD KEY more (s)",
            "ALTER TABLE test.loose DROP KEY more",
            "key more is in MariaDB alone",
        ),
        (
            "ALTER TABLE test.hashed DROP KEY v",
            "ALTER TABLE test.hashed ADD KEY v (v)",
            "MariaDB does not have the key v",
        ),
    ] {
        for (statement, found) in [(sql, true), (back, false)] {
            let both = format!("SET sql_log_bin = 0; {statement}");
            let done = mariadb.query_drop(both).await;
            done.unwrap_or_else(|e| panic!("{statement}: {e}"));
            let shown = cluster.verified().await.to_string();
            assert_eq!(
                shown.contains(fault),
                found,
                "{statement}: {fault:?} in:\n{shown}"
            );
        }
    }
    cluster.verify().await;
    mariadb.disconnect().await.unwrap();
}

/// What the program prints, and its exit codes.
async fn by_command_line(cluster: &Cluster, client: &Client) {
    let verify = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_embedded"))
            .args(["verify", "--pd", &cluster.pd_url(), "--mariadb"])
            .args(more)
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), out)
    };
    let socket = cluster.mariadb_socket();
    let (code, out) = verify(&[&socket]);
    assert!(code == 0 && out.contains("all equal"), "{code}: {out}");
    put(
        client,
        &[(b"stray".to_vec(), Some(Bytes::from_static(b"x")))],
    )
    .await;
    let (code, out) = verify(&[&socket, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["clean"]), (1, &false.into()), "{out}");
    assert_eq!(json["faults"]["count"], 1, "{out}");
    let (code, out) = verify(&["/nonexistent", "--patience", "5"]);
    assert_eq!((code, out.as_str()), (2, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_4_0_are_read() {
    let mut cluster = Cluster::start("v4.0.9").await;
    let mut conn = cluster.sql().await;
    fill(&mut conn, false).await;
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_may_write_meanwhile() {
    let mut cluster = Cluster::start(V).await;
    let mut conn = cluster.sql().await;
    conn.query_drop("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT, KEY (v))")
        .await
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for writer in 0..2 {
        let (mut conn, stop) = (cluster.sql().await, Arc::clone(&stop));
        writers.push(tokio::spawn(async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                let statement = match written % 3 {
                    0 | 1 => format!("INSERT INTO t (v) VALUES ({written}), ({writer})"),
                    _ => format!("UPDATE t SET v = v + 10 WHERE v = {writer} LIMIT 5"),
                };
                conn.query_drop(statement).await.unwrap();
                written += 1;
            }
            written
        }));
    }
    // DDL statements too: a report that one of them disturbed is made again.
    for n in 0..5 {
        let altering = async {
            for sql in [
                format!("ALTER TABLE t ADD COLUMN c{n} INT DEFAULT {n}"),
                format!("ALTER TABLE t ADD INDEX i{n} (c{n}, v)"),
                format!("ALTER TABLE t MODIFY COLUMN c{n} VARCHAR(20)"),
                format!("CREATE VIEW v{n} AS SELECT c{n} FROM t"),
                format!("CREATE SEQUENCE s{n}"),
            ] {
                let done = conn.query_drop(&sql).await;
                done.unwrap_or_else(|e| panic!("{sql}: {e}"));
            }
        };
        let (report, ()) = tokio::join!(cluster.verified(), altering);
        assert!(report.is_clean(), "{report}");
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        assert!(writer.await.unwrap() > 5);
    }
    cluster.verify().await;
}
