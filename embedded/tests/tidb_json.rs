//! JSON in result sets: what MariaDB keeps as text is shown as TiDB shows it, in both protocols.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use cluster::Cluster;
use cluster::rows::compare_all;
use cluster::sql::run;
use embedded::tidb::wire::capability::{OFFERED, PLUGIN_AUTH, STATUS_CURSOR_EXISTS};
use embedded::tidb::wire::column::TYPE_JSON;
use embedded::tidb::wire::handshake::{Greeting, Login};
use embedded::tidb::wire::{Channel, ColumnDefinition, EofPacket, Reader, command};
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};
use tokio::net::TcpStream;

const NEW: &str = "v8.5.3";
const OLD: &str = "v4.0.9";
/// The collation `binary`.
const BINARY: u16 = 63;
/// `utf8mb4_general_ci`, in which mysql_async asks for results.
const TEXT: u16 = 45;

fn text(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => other.as_sql(true),
    }
}

/// The one row of a query, in the text protocol and, the same, as a prepared statement; and which columns are JSON.
async fn shown(conn: &mut Conn, query: &str) -> Vec<(String, bool)> {
    let read = |row: Row| -> Vec<(String, bool)> {
        let columns = row.columns();
        columns
            .iter()
            .zip(row.unwrap())
            .map(|(column, value)| {
                let json = column.column_type() == ColumnType::MYSQL_TYPE_JSON;
                assert_eq!(
                    column.character_set() == BINARY,
                    json || column.column_type().is_numeric_type(),
                    "{query}: {column:?}"
                );
                (text(&value), json)
            })
            .collect()
    };
    let by_text: Vec<Row> = conn
        .query(query)
        .await
        .unwrap_or_else(|e| panic!("{query}: {e}"));
    let prepared: Vec<Row> = conn
        .exec(query, ())
        .await
        .unwrap_or_else(|e| panic!("{query}, prepared: {e}"));
    assert_eq!((by_text.len(), prepared.len()), (1, 1), "{query}");
    let [by_text, prepared] = [by_text, prepared].map(|mut rows| read(rows.remove(0)));
    assert_eq!(by_text, prepared, "{query}: text and binary protocol");
    by_text
}

/// The values of a query's one row, all of them JSON.
async fn json(conn: &mut Conn, query: &str) -> Vec<String> {
    let values = shown(conn, query).await;
    assert!(values.iter().all(|(_, json)| *json), "{query}: {values:?}");
    values.into_iter().map(|(text, _)| text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_shown_as_in_tidb() {
    let mut cluster = Cluster::start(NEW).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (id int primary key, n bigint, j json, d datetime, s varchar(40), k json not null, f double)",
            r#"insert into t values (1, -5, '{"b":1,"a":[1,2.50]}', '2024-01-02 03:04:05', '{"b":1,"a":2}', '18446744073709551615', 0.5)"#,
            r#"insert into t values (2, 6, null, null, null, '"\\/ \\u00e9"', null)"#,
        ],
    )
    .await;
    let as_text = |text: &str| (text.to_owned(), false);
    let as_json = |text: &str| (text.to_owned(), true);
    assert_eq!(
        shown(&mut conn, "select n, j, s, k, f from t where id = 1").await,
        [
            as_text("-5"),
            as_json(r#"{"a": [1, 2.5], "b": 1}"#),
            as_text(r#"{"b":1,"a":2}"#),
            as_json("18446744073709551615"),
            as_text("0.5"),
        ]
    );
    assert_eq!(
        shown(&mut conn, "select n, j, s, k, f from t where id = 2").await,
        [
            as_text("6"),
            as_json("NULL"),
            as_text("NULL"),
            as_json("\"/ é\""),
            as_text("NULL"),
        ]
    );

    // A parameter, and dates before and after.
    let bound: Vec<Row> = conn
        .exec(
            "insert into t values (?, ?, ?, ?, ?, ?, ?)",
            (
                3,
                7,
                r#"{"z":null , "y":1e3}"#,
                "2024-01-02",
                "x",
                "[ ]",
                1.5,
            ),
        )
        .await
        .unwrap();
    assert!(bound.is_empty());
    let row: (Value, String, Value, String) = conn
        .exec_first("select d, j, d, k from t where id = ?", (3,))
        .await
        .unwrap()
        .unwrap();
    let date = Value::Date(2024, 1, 2, 0, 0, 0, 0);
    let expected = (
        date.clone(),
        r#"{"y": 1000, "z": null}"#.to_owned(),
        date,
        "[]".to_owned(),
    );
    assert_eq!(row, expected);

    // What is made of JSON.
    for (expression, told) in [
        ("json_extract(j, '$.a')", "[1, 2.5]"),
        ("j -> '$.b'", "1"),
        (
            "json_array(j, 'x', 1.50)",
            r#"[{"a": [1, 2.5], "b": 1}, "x", 1.5]"#,
        ),
        (
            "json_object('o', j, 'a', k)",
            r#"{"a": 18446744073709551615, "o": {"a": [1, 2.5], "b": 1}}"#,
        ),
        (
            "json_set(j, '$.0', true)",
            r#"{"0": true, "a": [1, 2.5], "b": 1}"#,
        ),
        ("json_merge_patch(j, '{\"a\":0}')", r#"{"a": 0, "b": 1}"#),
        ("cast('[1,2]' as json)", "[1, 2]"),
        ("coalesce(null, j)", r#"{"a": [1, 2.5], "b": 1}"#),
        ("if(id = 1, j, k)", r#"{"a": [1, 2.5], "b": 1}"#),
        (
            "(select j from t t2 where t2.id = t.id)",
            r#"{"a": [1, 2.5], "b": 1}"#,
        ),
    ] {
        let query = format!("select {expression} from t where id = 1");
        assert_eq!(json(&mut conn, &query).await, [told], "{query}");
    }
    for (query, told) in [
        (
            "select json_arrayagg(j) from t where id = 1",
            r#"[{"a": [1, 2.5], "b": 1}]"#,
        ),
        (
            "select json_objectagg(id, j) from t where id = 1",
            r#"{"1": {"a": [1, 2.5], "b": 1}}"#,
        ),
        (
            "select max(j) from t where id = 1",
            r#"{"a": [1, 2.5], "b": 1}"#,
        ),
        (
            "select j from t where id = 1 union select j from t where id = 1",
            r#"{"a": [1, 2.5], "b": 1}"#,
        ),
        (
            "select x from (select j x from t where id = 1) y",
            r#"{"a": [1, 2.5], "b": 1}"#,
        ),
        (
            "with w as (select j from t where id = 1) select * from w",
            r#"{"a": [1, 2.5], "b": 1}"#,
        ),
    ] {
        assert_eq!(json(&mut conn, query).await, [told], "{query}");
    }
    for expression in ["json_unquote(k)", "concat(id, '')", "json_type(j)"] {
        let query = format!("select {expression} from t where id = 1");
        assert!(!shown(&mut conn, &query).await[0].1, "{query}");
    }

    // A statement that is prepared in SQL answers in the text protocol.
    run(
        &mut conn,
        &["prepare p from 'select j from t where id = 1'"],
    )
    .await;
    let executed: Option<String> = conn.query_first("execute p").await.unwrap();
    assert_eq!(executed.unwrap(), r#"{"a": [1, 2.5], "b": 1}"#);
    let created: (String, String) = conn
        .query_first("show create table t")
        .await
        .unwrap()
        .unwrap();
    assert!(
        created.1.contains("`j` json DEFAULT NULL,\n"),
        "{}",
        created.1
    );
    assert!(created.1.contains("`k` json NOT NULL,\n"), "{}", created.1);

    // The connection anew.
    conn.reset().await.unwrap();
    assert_eq!(
        json(&mut conn, "select k from t where id = 3").await,
        ["[]"]
    );
    run(
        &mut conn,
        &[
            "alter table t drop column d",
            "alter table t rename column j to jj",
        ],
    )
    .await;
    run(&mut conn, &["alter table t add column l json"]).await;
    run(&mut conn, &["update t set l = json_array(jj)"]).await;
    compare_all(&mut conn, &client, NEW).await;
    cluster.verify().await;
}

/// JSON_VALID of MariaDB's takes more than TiDB does; what came through would end the applier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tidb_takes_for_json_is_what_is_stored() {
    let mut cluster = Cluster::start(OLD).await;
    let client = cluster.client().await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &["create table t (id int primary key auto_increment, j json)"],
    )
    .await;
    let digits = |n: usize| "1".repeat(n);
    for bad in [
        "",
        "{bad",
        "1e400",
        "[-1E+309]",
        r#""\x""#,
        r#"{"\x":1}"#,
        r#"["a","\"\x","b"]"#,
        "[1.]",
        "[1e]",
        "[1e+]",
        " - ",
        r#"{"a":-}"#,
        "[01]",
        r#""\ud800""#,
        "\"\u{1}\"",
        &digits(310),
        &(digits(200) + "e150"),
        &(digits(250) + ".5e99"),
        "1234567890e300",
        &format!("{{\"{}\": 1}}", "k".repeat(70_000)),
        &format!("[{{\"{}\" : 1}}]", r#"k\""#.repeat(35_000)),
    ] {
        match conn.exec_drop("insert into t (j) values (?)", (bad,)).await {
            Err(mysql_async::Error::Server(error)) => {
                assert_eq!(error.code, 3140, "{bad}: {error}")
            }
            other => panic!("{bad}: {other:?}"),
        }
    }
    let long = format!("[\"{}\", 1]", "\\n".repeat(200_000));
    let longer = format!("[\"{}\"]", "a".repeat(5_000_000));
    let key = format!("{{\"{}\": 1}}", "k".repeat(16_000));
    let many = format!("[{}1]", "\"a\", ".repeat(300_000));
    for (good, told) in [
        (
            r#"{"q":"\"\\a\/\b\f\n\r\t\u0041"}"#,
            r#"{"q": "\"\\a/\u0008\u000c\n\r\tA"}"#,
        ),
        (
            r#"["1e400", "1.", "-", "\\"]"#,
            r#"["1e400", "1.", "-", "\\"]"#,
        ),
        (
            "[1e-05,-0.5,0,-0,1E5,1.25e+3]",
            "[0.00001, -0.5, 0, 0, 100000, 1250]",
        ),
        ("18446744073709551615", "18446744073709552000"),
        ("1e299", "1e+299"),
        ("1e-400", "0"),
        (&long, &long),
        (&longer, &longer),
        (&key, &key),
        (&many, &many),
    ] {
        conn.exec_drop("insert into t (j) values (?)", (good,))
            .await
            .unwrap_or_else(|e| panic!("{good}: {e}"));
        let query = "select j from t order by id desc limit 1";
        assert_eq!(json(&mut conn, query).await, [told], "{good}");
    }
    let rows = compare_all(&mut conn, &client, OLD).await;
    cluster.verify().await;
    assert_eq!(rows["t"].len(), 10);
    // Of the same text in a VARCHAR nothing changes.
    let told: Option<String> = conn
        .exec_first("select ?", Params::from(("{\"b\":1}",)))
        .await
        .unwrap();
    assert_eq!(told.unwrap(), "{\"b\":1}");
}

/// A client that speaks the protocol packet by packet, for what mysql_async has no way to ask.
struct Raw(Channel<TcpStream>);

impl Raw {
    async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut channel = Channel::new(stream, "the embedded TiDB", 1 << 20);
        let greeting = Greeting::parse(&channel.read().await.unwrap()).unwrap();
        assert_eq!(greeting.extended, 0);
        let login = Login {
            capabilities: OFFERED & !PLUGIN_AUTH,
            collation: TEXT as u8,
            user: "root".to_owned(),
            database: Some("test".to_owned()),
            ..Login::default()
        };
        channel.write(&login.encode()).await.unwrap();
        channel.flush().await.unwrap();
        assert_eq!(channel.read().await.unwrap()[0], 0);
        Self(channel)
    }

    async fn send(&mut self, command: u8, body: &[u8]) {
        self.0.restart();
        self.0.write(&[&[command], body].concat()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Payloads up to an EOF, and its status.
    async fn until_eof(&mut self) -> (Vec<Vec<u8>>, u16) {
        let mut out = Vec::new();
        loop {
            let payload = self.0.read().await.unwrap();
            assert_ne!(payload[0], 0xff, "{}", String::from_utf8_lossy(&payload));
            if EofPacket::is(&payload) {
                return (out, EofPacket::parse(&payload).unwrap().status);
            }
            out.push(payload.to_vec());
        }
    }
}

fn is_told_as_json(definition: &[u8]) -> bool {
    let column = ColumnDefinition::parse(definition, false).unwrap();
    assert_eq!(column.encode(), definition);
    column.kind == TYPE_JSON
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_and_cursors_are_told_as_in_tidb() {
    let mut cluster = Cluster::start(NEW).await;
    let mut conn = cluster.sql().await;
    run(
        &mut conn,
        &[
            "create table t (a varchar(5), j json, b blob)",
            r#"insert into t values ('x', '{"b":1,"a":2}', '[1,2]'), ('y', '[1,2]', null)"#,
        ],
    )
    .await;
    let mut raw = Raw::connect(cluster.tidb_port()).await;

    raw.send(command::FIELD_LIST, b"t\0").await;
    let (columns, _) = raw.until_eof().await;
    let json: Vec<bool> = columns.iter().map(|c| is_told_as_json(c)).collect();
    assert_eq!(json, [false, true, false]);

    raw.send(command::STMT_PREPARE, b"select j, b, ? from t order by a")
        .await;
    let answer = raw.0.read().await.unwrap();
    let mut r = Reader::new(&answer[1..], "a prepare");
    let id = r.take(4).unwrap().to_vec();
    assert_eq!((r.u16().unwrap(), r.u16().unwrap()), (3, 1));
    let (parameters, _) = raw.until_eof().await;
    assert!(!is_told_as_json(&parameters[0]));
    let (columns, _) = raw.until_eof().await;
    let json: Vec<bool> = columns.iter().map(|c| is_told_as_json(c)).collect();
    assert_eq!(json, [true, false, false]);

    // A cursor to read with, one iteration, no NULLs, one parameter: the VARCHAR "{}".
    let execute = [&id[..], &[1, 1, 0, 0, 0, 0, 1, 253, 0, 2], b"{}"].concat();
    raw.send(command::STMT_EXECUTE, &execute).await;
    assert_eq!(&raw.0.read().await.unwrap()[..], [3]);
    let (columns, status) = raw.until_eof().await;
    assert!(is_told_as_json(&columns[0]));
    assert_ne!(status & STATUS_CURSOR_EXISTS, 0);
    let mut rows = Vec::new();
    for _ in 0..2 {
        raw.send(command::STMT_FETCH, &[&id[..], &[1, 0, 0, 0]].concat())
            .await;
        rows.extend(raw.until_eof().await.0);
    }
    assert_eq!(
        rows,
        [
            b"\0\0\x10{\"a\": 2, \"b\": 1}\x05[1,2]\x02{}".to_vec(),
            b"\0\x08\x06[1, 2]\x02{}".to_vec(),
        ]
    );
}
