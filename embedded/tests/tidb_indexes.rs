//! After any SQL, the index entries in TiKV are those of the rows in TiKV, no more and no fewer.
//!
//! Entries are read by a decoder of their own, written from `docs/spec/row-and-key-codecs.md §10`: it knows nothing of the
//! encoder.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::collections::{BTreeMap, BTreeSet};

use cluster::Cluster;
use cluster::dice::{Dice, TEXTS};
use cluster::rows::{catalog, compare_all};
use cluster::sql::run;
use embedded::client::Client;
use embedded::tidb::catalog::TableInfo;
use embedded::tidb::catalog::model::IndexInfo;
use embedded::tidb::codec::{Datum, Handle, datum, keys, origin, row};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

/// What an entry says: the values in its key, in key order, and which row it leads to.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    values: Vec<Datum>,
    handle: Handle,
    /// Whether the handle is in the key, so that other rows may have the same values.
    handle_in_key: bool,
    /// Values that the key cannot give back, by column id.
    restored: BTreeMap<i64, Option<Vec<u8>>>,
}

fn read_entry(table: &TableInfo, index: &IndexInfo, key: &[u8], value: &[u8]) -> Entry {
    let mut rest = &key[keys::index_prefix(table.id, index.id).len()..];
    let values: Vec<Datum> = index
        .columns
        .iter()
        .map(|_| datum::key(&mut rest).unwrap())
        .collect();
    let in_key = match rest {
        [] => None,
        _ if table.is_common_handle == Some(true) => Some(Handle::Common(rest.to_vec())),
        _ => match datum::key(&mut rest).unwrap() {
            Datum::Int(handle) if rest.is_empty() => Some(Handle::Int(handle)),
            other => panic!("{other:?} and {rest:?} after the columns"),
        },
    };
    let (in_value, restored) = read_value(value);
    assert!(
        in_key.is_some() != in_value.is_some(),
        "one handle: {in_key:?} in the key, {in_value:?} in the value"
    );
    Entry {
        values,
        handle_in_key: in_key.is_some(),
        handle: in_key.or(in_value).unwrap(),
        restored,
    }
}

type Restored = BTreeMap<i64, Option<Vec<u8>>>;

fn read_value(value: &[u8]) -> (Option<Handle>, Restored) {
    let int = |bytes: &[u8]| Handle::Int(i64::from_be_bytes(bytes.try_into().unwrap()));
    match value {
        b"0" => return (None, Restored::new()),
        eight if eight.len() == 8 => return (Some(int(eight)), Restored::new()),
        _ => assert!(value.len() > 1, "{value:x?}"),
    }
    let (head, tail) = value.split_at(value.len() - usize::from(value[0]));
    let mut rest = &head[1..];
    let mut handle = (tail.len() == 8).then(|| int(tail));
    if let [125, version, more @ ..] = rest {
        assert_eq!(*version, 1);
        rest = more;
    }
    if let [127, hi, lo, more @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*hi, *lo]));
        handle = Some(Handle::Common(more[..len].to_vec()));
        rest = &more[len..];
    }
    let restored = match rest {
        [] => Restored::new(),
        [128, ..] => row::disassemble(rest)
            .unwrap()
            .into_iter()
            .map(|(id, cell)| (id, cell.map(<[u8]>::to_vec)))
            .collect(),
        other => panic!("an option begins with {}", other[0]),
    };
    (handle, restored)
}

/// A value as its key part holds it, under collations whose sort keys are simple enough to say here.
fn in_key(table: &TableInfo, index: &IndexInfo, at: usize, value: &Datum) -> Datum {
    let part = &index.columns[at];
    let column = &table.columns[part.offset];
    match value {
        Datum::Time(time) => Datum::Uint(time.pack()),
        Datum::Bytes(bytes) => {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let cut: String = match usize::try_from(part.length) {
                Ok(n) => text.chars().take(n).collect(),
                Err(_) => text,
            };
            if !table.new_collations() {
                return Datum::Bytes(cut.into_bytes());
            }
            let trimmed = cut.trim_end_matches(' ');
            match column.field_type.collate.as_str() {
                "utf8mb4_bin" => Datum::Bytes(trimmed.as_bytes().to_vec()),
                "utf8mb4_general_ci" => {
                    let upper = trimmed.chars().flat_map(|c| {
                        let c = match c {
                            'é' => 'E',
                            c => c.to_ascii_uppercase(),
                        };
                        (c as u16).to_be_bytes()
                    });
                    Datum::Bytes(upper.collect())
                }
                other => panic!("no rule for {other}"),
            }
        }
        other => other.clone(),
    }
}

/// Compares the entries of all indexes of a table with its rows; gives how many there are.
async fn check_table(client: &Client, table: &TableInfo) -> usize {
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let start = keys::record_prefix(table.id);
    let end = keys::record_end(table.id);
    let mut rows = BTreeMap::new();
    for pair in snapshot.scan(&start, &end).await.unwrap() {
        let (_, handle) = keys::decode_record_key(&pair.key).unwrap();
        let values = row::decode_row(table, &handle, &pair.value, origin::origin_value).unwrap();
        rows.insert(handle, values);
    }
    let mut checked = 0;
    let indexes = table
        .indexes
        .iter()
        .filter(|i| !(i.is_primary && table.is_common_handle == Some(true)));
    for index in indexes {
        let what = format!("index {} of {}", index.name.o, table.name.o);
        let start = keys::index_prefix(table.id, index.id);
        let mut end = start.clone();
        end.push(0xff);
        let mut seen = BTreeSet::new();
        for pair in snapshot.scan(&start, &end).await.unwrap() {
            let entry = read_entry(table, index, &pair.key, &pair.value);
            let row = rows
                .get(&entry.handle)
                .unwrap_or_else(|| panic!("{what}: {entry:?} leads to no row"));
            for (at, value) in entry.values.iter().enumerate() {
                let column = &row[index.columns[at].offset];
                assert_eq!(
                    *value,
                    in_key(table, index, at, column),
                    "{what}: {entry:?}"
                );
            }
            let has_null = entry.values.iter().any(Datum::is_null);
            let distinct = index.is_unique && !has_null;
            assert_eq!(distinct, !entry.handle_in_key, "{what}: {entry:?}");
            assert!(
                seen.insert(entry.handle.clone()),
                "{what}: {entry:?} is there twice"
            );
            check_restored(table, index, row, &entry, &what);
            checked += 1;
        }
        assert_eq!(seen.len(), rows.len(), "{what}: entries and rows");
    }
    checked
}

/// The texts that a key has lost are beside it, or how many spaces were taken off.
fn check_restored(table: &TableInfo, index: &IndexInfo, row: &[Datum], entry: &Entry, what: &str) {
    let clustered = table.is_common_handle == Some(true);
    for part in &index.columns {
        let column = &table.columns[part.offset];
        let Datum::Bytes(text) = &row[part.offset] else {
            continue;
        };
        if !table.new_collations() {
            assert!(entry.restored.is_empty(), "{what}: {entry:?}");
            continue;
        }
        let text = String::from_utf8(text.clone()).unwrap();
        let cut: String = match usize::try_from(part.length) {
            Ok(n) => text.chars().take(n).collect(),
            Err(_) => text,
        };
        let spaces = cut.len() - cut.trim_end_matches(' ').len();
        let expected = if clustered && column.field_type.collate == "utf8mb4_bin" {
            vec![u8::try_from(spaces).unwrap()]
        } else {
            cut.into_bytes()
        };
        let held = entry.restored.get(&column.id).and_then(Option::as_ref);
        assert_eq!(held, Some(&expected), "{what}: column {}", column.name.o);
    }
}

/// Checks every table of `test`.
async fn check_all(conn: &mut Conn, client: &Client, version: &str) -> usize {
    compare_all(conn, client, version).await;
    let schema = catalog(client, version).await;
    let mut checked = 0;
    for table in schema.database("test").unwrap().tables() {
        checked += check_table(client, table).await;
    }
    checked
}

impl Dice {
    fn text(&mut self) -> String {
        self.pick(&TEXTS).to_string()
    }

    fn statement(&mut self, tables: &[&str]) -> String {
        let table = tables[self.roll(tables.len() as u64) as usize];
        let (id, n) = (self.roll(30), self.roll(24));
        let (s, c) = (self.text(), self.text());
        match self.roll(10) {
            0..=3 => format!(
                "INSERT IGNORE INTO {table} (id, k, u, s, c) VALUES ({id}, 'k{id} ', {n}, {s}, {c})"
            ),
            4 => format!("UPDATE IGNORE {table} SET s = {s}, u = NULL WHERE id = {id}"),
            5 => format!("UPDATE IGNORE {table} SET u = {n}, c = {c} WHERE id >= {id}"),
            6 => format!("UPDATE IGNORE {table} SET id = {id} + 40, k = 'K{id}' WHERE id = {id}"),
            7 => format!("REPLACE INTO {table} (id, k, u, s) VALUES ({id}, 'k{n}', {n}, {s})"),
            8 => format!("DELETE FROM {table} WHERE id = {id} OR u = {n}"),
            _ => format!(
                "INSERT INTO {table} (id, k, u, s) VALUES ({id}, 'q{id}', {n}, {s}) \
                 ON DUPLICATE KEY UPDATE s = {c}"
            ),
        }
    }
}

const COLUMNS: &str = "id INT, k VARCHAR(20) COLLATE utf8mb4_general_ci, u INT, s VARCHAR(20), \
                       c VARCHAR(20) COLLATE utf8mb4_general_ci, d DECIMAL(8,2) DEFAULT 1.5, t DATETIME";
const INDEXES: &str = "UNIQUE KEY uu (u), KEY ss (s), KEY cut (s(3), d), KEY cc (c, u), KEY tt (t)";

/// Random statements against tables of every kind of handle, in transactions of random length.
async fn survive(version: &'static str, clustered: &str) {
    let mut cluster = Cluster::start(version).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    let tables = ["by_int", "by_text", "by_both", "by_rowid"];
    let keys = [
        "PRIMARY KEY (id)".to_owned(),
        format!("PRIMARY KEY (k) {clustered}"),
        format!("PRIMARY KEY (k(3), id) {clustered}"),
        "KEY id (id)".to_owned(),
    ];
    for (table, key) in tables.iter().zip(keys) {
        let create = format!("CREATE TABLE {table} ({COLUMNS}, {key}, {INDEXES})");
        conn.query_drop(&create)
            .await
            .unwrap_or_else(|e| panic!("{create}: {e}"));
    }
    let mut dice = Dice::new(0);
    for round in 0..6 {
        for _ in 0..12 {
            let len = dice.roll(4);
            conn.query_drop("BEGIN").await.unwrap();
            for _ in 0..=len {
                let statement = dice.statement(&tables);
                // Some are refused, for a duplicate key: then they change nothing.
                let _ = conn.query_drop(&statement).await;
            }
            let end = if dice.roll(5) == 0 {
                "ROLLBACK"
            } else {
                "COMMIT"
            };
            conn.query_drop(end).await.unwrap();
        }
        let checked = check_all(&mut conn, &client, version).await;
        cluster.verify().await;
        assert!(checked > 50, "{checked} entries after round {round}");
    }
    // Indexes on rows that are there, on columns that rows have and on one that they lack.
    for statement in [
        "CREATE INDEX later ON by_int (c, s)",
        "CREATE INDEX later ON by_text (d, s(2))",
        "ALTER TABLE by_both ADD UNIQUE INDEX later (id, k)",
        "ALTER TABLE by_rowid ADD COLUMN e INT NOT NULL DEFAULT 7",
        "CREATE INDEX later ON by_rowid (e)",
        "DROP INDEX ss ON by_int",
    ] {
        conn.query_drop(statement)
            .await
            .unwrap_or_else(|e| panic!("{statement}: {e}"));
        check_all(&mut conn, &client, version).await;
    }
    for _ in 0..20 {
        let _ = conn.query_drop(dice.statement(&tables)).await;
    }
    assert!(check_all(&mut conn, &client, version).await > 0);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_those_of_the_rows() {
    survive("v8.5.3", "CLUSTERED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_those_of_the_rows_without_clustered_indexes() {
    survive("v8.5.3", "NONCLUSTERED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_those_of_the_rows_in_4_0() {
    survive("v4.0.9", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_on_more_rows_than_a_page_is_filled() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    conn.query_drop("CREATE TABLE many (id INT PRIMARY KEY, v INT)")
        .await
        .unwrap();
    for chunk in 0..5 {
        let rows: Vec<String> = (chunk * 1000..chunk * 1000 + 1000)
            .map(|n| format!("({n}, {})", n % 17))
            .collect();
        conn.query_drop(format!("INSERT INTO many VALUES {}", rows.join(", ")))
            .await
            .unwrap();
    }
    conn.query_drop("CREATE INDEX vv ON many (v)")
        .await
        .unwrap();
    assert_eq!(check_all(&mut conn, &client, "v8.5.3").await, 5000);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn show_index_tells_expressions() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (id int primary key, b varchar(9))",
            "create index e on t ((upper(b)))",
        ],
    )
    .await;
    let rows: Vec<mysql_async::Row> = conn
        .query("show index from t where key_name = 'e'")
        .await
        .unwrap();
    let told: (Option<String>, Option<String>) = (
        rows[0].get("Column_name").unwrap(),
        rows[0].get("Expression").unwrap(),
    );
    assert_eq!(
        (rows.len(), told),
        (1, (None, Some("upper(`b`)".to_owned())))
    );
}
