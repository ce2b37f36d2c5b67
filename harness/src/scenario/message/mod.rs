//! Canal-json messages as they lie in Kafka: read strictly (docs/spec/canal-json.md §1, §2), and made comparable.

mod canonical;
mod text;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use thiserror::Error;

pub use canonical::Placeholders;

use crate::observe::kafka::Record;

/// The members that a message begins with, in order; its rows and TiDB's own follow.
pub const HEAD: [&str; 11] = [
    "id",
    "database",
    "table",
    "pkNames",
    "isDdl",
    "type",
    "es",
    "ts",
    "sql",
    "sqlType",
    "mysqlType",
];

/// A row of a message: columns in their order, values as text, `None` is null.
pub type Row = Vec<(String, Option<String>)>;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its text as it lies in Kafka, without a terminator.
    pub text: String,
    /// What stands behind the JSON object: nothing, or CR LF.
    pub terminator: String,
    /// The record's key; `None` is null.
    pub record_key: Option<Vec<u8>>,
    /// How many headers the record has.
    pub headers: usize,
    /// The names of its members, in order.
    pub members: Vec<String>,
    /// `database`.
    pub database: String,
    /// `table`.
    pub table: String,
    /// `type`.
    pub kind: String,
    /// `id`.
    pub id: i64,
    /// `isDdl`.
    pub is_ddl: bool,
    /// `pkNames`; `None` is null.
    pub pk_names: Option<Vec<String>>,
    /// `es`: milliseconds of the commit-ts.
    pub es: u64,
    /// `ts`: milliseconds of the time of encoding; 0 in 4.0.
    pub ts: u64,
    /// `sql`: the statement of a DDL message.
    pub sql: String,
    /// `sqlType`, in its order; `None` is null.
    pub sql_type: Option<Vec<(String, i32)>>,
    /// `mysqlType`, in its order; `None` is null.
    pub mysql_type: Option<Vec<(String, String)>>,
    /// The only element of `data`.
    pub data: Rows,
    /// The only element of `old`.
    pub old: Rows,
    /// `_tidb.commitTs`.
    pub commit_ts: Option<u64>,
    /// `_tidb.watermarkTs`.
    pub watermark_ts: Option<u64>,
}

/// `data` or `old`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// `null`
    Null,
    /// `[null]`
    NullRow,
    /// `[{…}]`
    Row(Row),
}

impl Rows {
    /// The row, if there is one.
    pub fn row(&self) -> Option<&Row> {
        match self {
            Rows::Row(row) => Some(row),
            Rows::Null | Rows::NullRow => None,
        }
    }
}

/// A record that is no canal-json message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "read the record at partition {partition}, offset {offset} as canal-json: {what}\n  {text}"
)]
pub struct BadMessage {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// What is wrong with it.
    pub what: String,
    /// Its value, as far as it is text.
    pub text: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire {
    id: i64,
    database: String,
    table: String,
    pk_names: Option<Vec<String>>,
    is_ddl: bool,
    r#type: String,
    es: u64,
    ts: u64,
    sql: String,
    sql_type: Option<Members<i32>>,
    mysql_type: Option<Members<String>>,
    data: Option<Vec<Option<Members<Option<String>>>>>,
    old: Option<Vec<Option<Members<Option<String>>>>>,
    #[serde(rename = "_tidb")]
    tidb: Option<Extension>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Extension {
    commit_ts: Option<u64>,
    #[serde(default)]
    #[serde(rename = "onlyHandleKey")]
    _only_handle_key: bool,
    watermark_ts: Option<u64>,
}

impl Message {
    /// From a record.
    ///
    /// # Errors
    /// [`BadMessage`].
    pub fn read(record: &Record) -> Result<Message, BadMessage> {
        let value = record.value.as_deref().unwrap_or_default();
        let bad = |what: String| BadMessage {
            partition: record.partition,
            offset: record.offset,
            what,
            text: String::from_utf8_lossy(value).into_owned(),
        };
        if record.value.is_none() {
            return Err(bad("it has no value".to_owned()));
        }
        let whole = std::str::from_utf8(value).map_err(|error| bad(error.to_string()))?;
        let text = whole.trim_end_matches(['\r', '\n']);
        let mut message = Message::parse(text).map_err(bad)?;
        message.partition = record.partition;
        message.offset = record.offset;
        message.terminator = whole[text.len()..].to_owned();
        message.record_key.clone_from(&record.key);
        message.headers = record.headers;
        Ok(message)
    }

    /// From its text alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Message, String> {
        let wire: Wire = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let order: Members<serde::de::IgnoredAny> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        Ok(Message {
            partition: 0,
            offset: 0,
            text: text.to_owned(),
            terminator: String::new(),
            record_key: None,
            headers: 0,
            members: order.0.into_iter().map(|(name, _)| name).collect(),
            database: wire.database,
            table: wire.table,
            kind: wire.r#type,
            id: wire.id,
            is_ddl: wire.is_ddl,
            pk_names: wire.pk_names,
            es: wire.es,
            ts: wire.ts,
            sql: wire.sql,
            sql_type: wire.sql_type.map(|members| members.0),
            mysql_type: wire.mysql_type.map(|members| members.0),
            data: rows("data", wire.data)?,
            old: rows("old", wire.old)?,
            commit_ts: wire.tidb.as_ref().and_then(|extension| extension.commit_ts),
            watermark_ts: wire.tidb.and_then(|extension| extension.watermark_ts),
        })
    }

    /// `database.table`.
    pub fn place(&self) -> String {
        format!("{}.{}", self.database, self.table)
    }

    /// Where it lies in the topic.
    pub fn position(&self) -> String {
        format!("partition {}, offset {}", self.partition, self.offset)
    }

    /// Its row's key by the primary key's columns; empty without one.
    pub fn key(&self) -> Vec<(&str, Option<&str>)> {
        match self.data.row() {
            Some(row) => self.key_of(row),
            None => Vec::new(),
        }
    }

    /// The key of one of its rows.
    pub fn key_of<'a>(&'a self, row: &'a Row) -> Vec<(&'a str, Option<&'a str>)> {
        let names = self.pk_names.as_deref().unwrap_or_default();
        names
            .iter()
            .map(|name| {
                let value = row.iter().find(|(column, _)| column == name);
                (name.as_str(), value.and_then(|(_, value)| value.as_deref()))
            })
            .collect()
    }

    /// Whether Flink's canal-json format can read it: rows, and CREATE.
    pub fn flink_reads(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "INSERT" | "UPDATE" | "DELETE" | "CREATE"
        )
    }
}

fn rows(name: &str, rows: Option<Vec<Option<Members<Option<String>>>>>) -> Result<Rows, String> {
    let Some(mut rows) = rows else {
        return Ok(Rows::Null);
    };
    match (rows.len(), rows.pop()) {
        (1, Some(Some(row))) => Ok(Rows::Row(row.0)),
        (1, Some(None)) => Ok(Rows::NullRow),
        (count, _) => Err(format!("`{name}` has {count} rows, not one")),
    }
}

/// An object's members in their order; a name that occurs twice is refused.
struct Members<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<T>, D::Error> {
        struct Ordered<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Ordered<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<T>, A::Error> {
                let mut members: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format!("`{name}` twice")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Ordered(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERT: &str = r#"{"id":0,"database":"test","table":"t1","pkNames":["id"],"isDdl":false,"type":"INSERT","es":5,"ts":0,"sql":"","sqlType":{"id":-5,"a":12},"mysqlType":{"id":"int","a":"varchar"},"data":[{"id":"1","a":null}],"old":[null]}"#;

    #[test]
    fn a_message_is_read() {
        let message = Message::parse(INSERT).unwrap();
        assert_eq!(message.members.last().unwrap(), "old");
        assert_eq!(message.old, Rows::NullRow);
        assert_eq!(message.key(), [("id", Some("1"))]);
        assert_eq!(message.place(), "test.t1");
    }

    #[test]
    fn what_is_not_canal_json_is_refused() {
        for (from, to, what) in [
            (r#""id":0,"#, "", "missing field `id`"),
            (r#""id":0,"#, r#""id":0,"x":1,"#, "unknown field `x`"),
            (r#"[{"id":"1""#, r#"[{"id":1"#, "invalid type: integer"),
            (
                r#""old":[null]"#,
                r#""old":[null,null]"#,
                "`old` has 2 rows",
            ),
            (r#"{"id":"1","#, r#"{"id":"1","id":"1","#, "`id` twice"),
            (r#""es":5"#, r#""es":"5""#, "invalid type: string"),
        ] {
            let error = Message::parse(&INSERT.replace(from, to)).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_record_without_value_is_named() {
        let record = Record {
            partition: 2,
            offset: 7,
            key: None,
            value: None,
            headers: 0,
        };
        let error = Message::read(&record).unwrap_err().to_string();
        assert!(
            error.contains("partition 2, offset 7") && error.contains("no value"),
            "{error}"
        );
    }
}
