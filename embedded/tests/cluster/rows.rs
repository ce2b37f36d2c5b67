//! What TiKV holds for a table, and what SQL says of it.

use std::collections::BTreeMap;

use embedded::client::Client;
use embedded::tidb::catalog::model::{ColumnInfo, Tp};
use embedded::tidb::catalog::{Catalog, TableInfo, TidbVersion};
use embedded::tidb::codec::{CodecError, Datum, json, json_text, keys, row};
use mysql_async::Conn;
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;

/// Values of a row as text, NULL as none.
pub type Row = Vec<Option<String>>;

/// The schema in TiKV.
pub async fn catalog(client: &Client, version: &str) -> Catalog {
    let version: TidbVersion = version.parse().unwrap();
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let pairs = snapshot.scan(b"m", b"n").await.unwrap();
    Catalog::load(version, pairs.into_iter().map(|p| (p.key, p.value))).unwrap()
}

/// The rows of a table in TiKV, of all its partitions, sorted.
pub async fn in_tikv(client: &Client, table: &TableInfo) -> Vec<Row> {
    let snapshot = client.snapshot(client.tso().await.unwrap());
    let mut pairs = Vec::new();
    for id in table.physical_ids() {
        let start = keys::record_prefix(id);
        let mut end = start.clone();
        *end.last_mut().unwrap() += 1;
        pairs.extend(snapshot.scan(&start, &end).await.unwrap());
    }
    let mut rows = Vec::new();
    for pair in pairs {
        let (_, handle) = keys::decode_record_key(&pair.key).unwrap();
        let missing = |column: &ColumnInfo| -> Result<Datum, CodecError> {
            Ok(column.origin_default.as_ref().map_or(Datum::Null, |d| {
                match column.field_type.tp.is_integer() {
                    true => Datum::Int(d.parse().unwrap()),
                    false => Datum::Bytes(d.clone().into_bytes()),
                }
            }))
        };
        let values = row::decode_row(table, &handle, &pair.value, missing).unwrap();
        let columns = table.columns.iter().zip(&values);
        rows.push(columns.map(|(column, value)| text(column, value)).collect());
    }
    rows.sort();
    rows
}

fn text(column: &ColumnInfo, value: &Datum) -> Option<String> {
    let ft = &column.field_type;
    let members = || ft.elems.iter().flatten();
    match value {
        Datum::Null => None,
        Datum::Int(v) if ft.tp == Tp::Year => Some(format!("{v:04}")),
        Datum::Int(v) => Some(v.to_string()),
        Datum::Uint(0) if ft.tp == Tp::Enum => Some(String::new()),
        Datum::Uint(v) if ft.tp == Tp::Enum => members().nth(*v as usize - 1).cloned(),
        Datum::Uint(v) if ft.tp == Tp::Set => {
            let set = members().enumerate().filter(|(i, _)| v >> i & 1 == 1);
            let names: Vec<&str> = set.map(|(_, name)| name.as_str()).collect();
            Some(names.join(","))
        }
        Datum::Uint(v) if ft.tp == Tp::Bit => {
            let unused = 8 - (ft.flen as usize).div_ceil(8);
            Some(as_text(v.to_be_bytes()[unused..].to_vec()))
        }
        Datum::Uint(v) => Some(v.to_string()),
        Datum::Float(v) if ft.tp == Tp::Float => Some((*v as f32).to_string()),
        Datum::Float(v) => Some(v.to_string()),
        Datum::Bytes(v) => Some(as_text(v.clone())),
        Datum::Decimal(v) => Some(v.to_string()),
        Datum::Time(v) if column.field_type.tp == Tp::Date => Some(v.date_text()),
        Datum::Time(v) => Some(v.datetime_text(fsp(column))),
        Datum::Duration(v) => Some(v.text(fsp(column))),
        Datum::Json(v) => Some(json_text::print(&json::decode(v).unwrap())),
    }
}

/// Bytes that are no text, in hexadecimal digits.
fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| format!("x'{}'", hex::encode(e.as_bytes())))
}

fn fsp(column: &ColumnInfo) -> usize {
    usize::try_from(column.field_type.decimal).unwrap_or(0)
}

/// The rows of a table by SQL, sorted.
pub async fn by_sql(conn: &mut Conn, table: &str) -> Vec<Row> {
    try_by_sql(conn, table).await.unwrap()
}

/// The rows of a table by SQL, sorted, if they can be had.
pub async fn try_by_sql(conn: &mut Conn, table: &str) -> mysql_async::Result<Vec<Row>> {
    let rows: Vec<mysql_async::Row> = conn.query(format!("SELECT * FROM {table}")).await?;
    let mut out: Vec<Row> = rows
        .into_iter()
        .map(|row| {
            let columns = row.columns();
            let kinds = columns.iter().map(|column| column.column_type());
            kinds
                .zip(row.unwrap())
                .map(|(kind, value)| match value {
                    mysql_async::Value::NULL => None,
                    mysql_async::Value::Bytes(bytes) => Some(number(kind, as_text(bytes))),
                    other => Some(other.as_sql(true)),
                })
                .collect()
        })
        .collect();
    out.sort();
    Ok(out)
}

/// The digits of a floating-point number are another's taste.
fn number(kind: ColumnType, text: String) -> String {
    match kind {
        ColumnType::MYSQL_TYPE_FLOAT => text.parse::<f32>().unwrap().to_string(),
        ColumnType::MYSQL_TYPE_DOUBLE => text.parse::<f64>().unwrap().to_string(),
        _ => text,
    }
}

/// Every table of `test` has the same rows by SQL and in TiKV; gives them by table.
pub async fn compare_all(
    conn: &mut Conn,
    client: &Client,
    version: &str,
) -> BTreeMap<String, Vec<Row>> {
    let schema = catalog(client, version).await;
    let mut tables: Vec<String> = conn.query("SHOW TABLES FROM test").await.unwrap();
    tables.sort();
    let mut known: Vec<String> = schema
        .database("test")
        .map(|db| db.tables().map(|t| t.name.o.clone()).collect())
        .unwrap_or_default();
    known.sort();
    assert_eq!(
        tables, known,
        "the tables by SQL and those of the schema in TiKV"
    );
    let mut out = BTreeMap::new();
    for name in tables {
        let info = schema.table("test", &name).unwrap();
        let sql = by_sql(conn, &format!("`{name}`")).await;
        assert_eq!(
            sql,
            in_tikv(client, info).await,
            "table {name}: by SQL and in TiKV"
        );
        out.insert(name, sql);
    }
    out
}
