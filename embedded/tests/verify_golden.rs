//! Holds the reader of `embedded verify` to the golden vectors in `fixtures/golden/`.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

use embedded::verify::read::entry::EntryValue;
use embedded::verify::read::model::{FieldType, flag, tp};
use embedded::verify::read::schema::Schema;
use embedded::verify::read::{
    Column, Handle, Input, Key, Table, Value, cell, datum, decimal, input, json, key, row, time,
};
use serde_json::Value as Json;

fn vectors(file: &str) -> Vec<(String, Vec<u8>, Json)> {
    let path = format!("{}/../fixtures/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let all: Json = serde_json::from_str(&text).unwrap();
    let vectors = all["vectors"].as_array().unwrap();
    assert!(!vectors.is_empty(), "{file} has no vectors");
    let bytes = |v: &Json| hex::decode(v["hex"].as_str().unwrap_or_default()).unwrap();
    let what = |v: &Json| v["what"].as_str().unwrap().to_owned();
    vectors
        .iter()
        .map(|v| (what(v), bytes(v), v.clone()))
        .collect()
}

/// A number, however the vector writes it.
fn number(value: &Json) -> i128 {
    match value {
        Json::String(text) => text.parse().unwrap(),
        other => other.to_string().parse().unwrap(),
    }
}

#[test]
fn primitives() {
    let mut checked = 0;
    for (what, bytes, v) in vectors("memcomparable.json") {
        let mut rest = Input::new("a vector", &bytes);
        let expected = &v["expected"];
        let raw = || hex::decode(expected["bytes_hex"].as_str().unwrap()).unwrap();
        let float = || expected["double"].as_str().unwrap().parse::<f64>().unwrap();
        match what.as_str() {
            "memcomparable bytes, ascending" => assert_eq!(rest.bytes(), Ok(raw())),
            "compact bytes (varint length + data)" => {
                assert_eq!(rest.compact_bytes(), Ok(&raw()[..]));
            }
            "comparable int (8 bytes, no flag)" => {
                assert_eq!(rest.int().map(i128::from), Ok(number(&expected["int"])));
            }
            "varint (zig-zag)" => {
                assert_eq!(rest.varint().map(i128::from), Ok(number(&expected["int"])));
            }
            "comparable float64 (8 bytes, no flag)" => {
                assert_eq!(rest.float().map(f64::to_bits), Ok(float().to_bits()));
            }
            kind if kind.starts_with("datum") => match datum::read(&mut rest).unwrap() {
                Value::Int(n) => assert_eq!(i128::from(n), number(&expected["int"])),
                Value::Uint(n) => assert_eq!(i128::from(n), number(&expected["uint"])),
                Value::Float(n) => assert_eq!(n, float()),
                other => panic!("{what}: {other:?}"),
            },
            // TiDB writes nothing in descending order here.
            _ => continue,
        }
        assert!(rest.is_empty(), "{what}");
        checked += 1;
    }
    assert!(checked > 65, "{checked} vectors checked");
}

#[test]
fn decimals() {
    for (what, bytes, v) in vectors("decimal.json") {
        let mut rest = Input::new("a vector", &bytes);
        let shape = |key: &str| v["schema"][key].as_u64().unwrap() as usize;
        let text = match what.as_str() {
            "decimal binary (no header)" => {
                decimal::digits(&mut rest, shape("precision"), shape("frac"))
            }
            "decimal with precision/frac header (row v2 value)" => decimal::read(&mut rest),
            _ => continue,
        };
        assert_eq!(
            text.unwrap(),
            v["expected"]["text"].as_str().unwrap(),
            "{v}"
        );
        assert!(rest.is_empty(), "{v}");
    }
}

#[test]
fn dates_and_times() {
    for (_, bytes, v) in vectors("datetime.json") {
        let packed = input::short_uint(&bytes).unwrap();
        assert_eq!(i128::from(packed), number(&v["expected"]["packed"]), "{v}");
        let fsp = v["schema"]["fsp"].as_u64().unwrap() as usize;
        let text = match v["schema"]["type"] == "date" {
            true => time::date(packed),
            false => time::datetime(packed, fsp),
        };
        assert_eq!(
            text.unwrap(),
            v["expected"]["text"].as_str().unwrap(),
            "{v}"
        );
    }
    for (_, bytes, v) in vectors("duration.json") {
        let nanos = input::short_int(&bytes).unwrap();
        assert_eq!(i128::from(nanos), number(&v["expected"]["ns"]), "{v}");
        let fsp = v["schema"]["fsp"].as_u64().unwrap() as usize;
        let text = v["expected"]["text"].as_str().unwrap();
        assert_eq!(time::duration(nanos, fsp), text, "{v}");
    }
}

#[test]
fn json_binaries() {
    let mut checked = 0;
    for (_, bytes, v) in vectors("json-binary.json") {
        let read = json::from_binary(&bytes).unwrap();
        // In a row of version 1 nothing else tells where it ends.
        let followed = [&bytes[..], b"more"].concat();
        let mut rest = Input::new("a vector", &followed);
        assert_eq!(json::split(&mut rest).unwrap(), bytes, "{v}");
        let shown = read.to_string();
        let text = v["expected"]["text"].as_str().unwrap();
        // Doubles, times and opaque values show differently in texts that are TiDB's.
        if shown.contains('<') || bytes.contains(&0x0b) {
            continue;
        }
        assert_eq!(
            json::from_text(text, u64::MAX).unwrap(),
            read,
            "{v}: {shown}"
        );
        checked += 1;
    }
    assert!(checked > 45, "{checked} vectors checked");
    for (text, shown) in [
        ("18446744073709551615", "18446744073709551615"),
        ("1.0", "1.0"),
        ("0.1e1", "1.0"),
        ("1", "1"),
        ("-0.0", "0.0"),
        (r#"{"b":1,"a":[],"b":"\u00e9"}"#, r#"{"a": [], "b": "é"}"#),
        ("8.41e21", "8.41e21"),
    ] {
        assert_eq!(json::from_text(text, u64::MAX).unwrap().to_string(), shown);
    }
    let old = json::from_text("18446744073709551615", cell::max_json_int(false)).unwrap();
    assert_eq!(old, json::Json::Double(1.844_674_407_370_955_2e19));
}

/// A column of a type in SQL, as the vectors write them.
fn column(id: &str, sql: &str) -> Option<Column> {
    let name = sql.split(['(', ' ']).next().unwrap();
    let tp = match name {
        "int" | "any" => tp::LONG,
        "bigint" => tp::LONG_LONG,
        "smallint" => tp::SHORT,
        "tinyint" => tp::TINY,
        "float" => tp::FLOAT,
        "double" => tp::DOUBLE,
        "decimal" => tp::DECIMAL,
        "date" => tp::DATE,
        "datetime" => tp::DATETIME,
        "timestamp" => tp::TIMESTAMP,
        "time" => tp::TIME,
        "year" => tp::YEAR,
        "varchar" | "varbinary" => tp::VARCHAR,
        "char" | "binary" => tp::STRING,
        "text" | "blob" | "longtext" | "longblob" | "mediumtext" => tp::BLOB,
        "enum" => tp::ENUM,
        "set" => tp::SET,
        "bit" => tp::BIT,
        "json" => tp::JSON,
        // VECTOR.
        _ => return None,
    };
    let fsp = sql.split(['(', ')']).nth(1).and_then(|n| n.parse().ok());
    let temporal = matches!(tp, tp::DATETIME | tp::TIMESTAMP | tp::TIME);
    Some(Column {
        id: id.parse().unwrap(),
        state: 5,
        field_type: FieldType {
            tp,
            flag: if sql.contains("unsigned") {
                flag::UNSIGNED
            } else {
                0
            },
            decimal: fsp.filter(|_| temporal).unwrap_or(0),
            ..FieldType::default()
        },
        ..Column::default()
    })
}

/// What a vector expects of a cell, in the form of cells.
fn expected(column: &Column, value: &Json) -> cell::Cell {
    let text = match value {
        Json::Null => return None,
        Json::Object(parts) => match parts.iter().next().unwrap() {
            (_, Json::String(hex)) if parts.contains_key("bytes_hex") => {
                return Some(hex::decode(hex).unwrap());
            }
            _ => ["index", "bits", "json", "text"]
                .iter()
                .find_map(|key| parts.get(*key))
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                .unwrap(),
        },
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let text = text.strip_suffix(" (UTC)").unwrap_or(&text);
    cell::of_mariadb(column, text.as_bytes(), u64::MAX).unwrap()
}

#[test]
fn rows() {
    let mut checked = 0;
    for file in ["row-v1.json", "row-v2.json"] {
        for (what, bytes, v) in vectors(file) {
            let schema = v["schema"].as_object().cloned().unwrap_or_default();
            let types = schema.iter();
            let columns: Option<Vec<Column>> = types
                .map(|(id, sql)| column(id, sql.as_str().unwrap()))
                .collect();
            let Some(columns) = columns else {
                assert!(what.contains("vector"), "{v}");
                continue;
            };
            let table = Table {
                columns,
                max_col_id: 1000,
                ..Table::default()
            };
            let values = row::values(&table, &bytes).unwrap_or_else(|e| panic!("{v}: {e}"));
            let wanted = v["expected"].as_object().unwrap();
            for column in &table.columns {
                let Some(value) = values.get(&column.id) else {
                    let wanted = wanted.get(&column.id.to_string());
                    assert!(wanted.is_none(), "no column {} in {v}", column.id);
                    continue;
                };
                let cell = cell::of_tikv(column, value).unwrap();
                let wanted = expected(column, &wanted[&column.id.to_string()]);
                if let (tp::FLOAT, Value::Float(n)) = (column.field_type.tp, value) {
                    // Vectors show them in 32 bits or in 64.
                    let texts = [n.to_string(), (*n as f32).to_string()];
                    let shown = texts.map(|text| cell::of_mariadb(column, text.as_bytes(), 0));
                    assert!(shown.contains(&Ok(wanted)), "column {} of {v}", column.id);
                    checked += 1;
                    continue;
                }
                assert_eq!(cell, wanted, "column {} of {v}", column.id);
                checked += 1;
            }
        }
    }
    assert!(checked > 110, "{checked} cells checked");
    let damaged: [&[u8]; 4] = [
        &[128, 0, 1, 0, 0, 0, 1, 2, 0, 1],
        &[128, 0, 1, 0, 0, 0, 1, 1, 0, 1, 9],
        &[128, 0, 2, 0, 0, 0, 1, 1, 1, 0, 2, 0, 5, 6],
        &[127],
    ];
    for bytes in damaged {
        row::cells(bytes).unwrap_err();
    }
}

#[test]
fn keys() {
    let mut checked = 0;
    for (what, bytes, v) in vectors("keys.json") {
        let expected = &v["expected"];
        let id = || i64::try_from(number(&expected["table_id"])).unwrap();
        if what.starts_with("row key") {
            let Some(Key::Record { table, handle }) = Key::read(&bytes).unwrap() else {
                panic!("{v}");
            };
            assert_eq!(table, id(), "{v}");
            match handle {
                Handle::Int(handle) => match &expected["handle"] {
                    Json::Null => assert_eq!(handle as u64, u64::MAX, "{v}"),
                    wanted => assert_eq!(i128::from(handle), number(wanted), "{v}"),
                },
                Handle::Common(bytes) => {
                    let mut rest = Input::new("a handle", &bytes);
                    for wanted in expected["handle"].as_array().unwrap() {
                        let value = datum::read(&mut rest).unwrap();
                        let (kind, wanted) = wanted.as_object().unwrap().iter().next().unwrap();
                        let text = wanted
                            .as_str()
                            .map_or_else(|| wanted.to_string(), str::to_owned);
                        let shown = match &value {
                            Value::Bytes(b) if kind.ends_with("hex") => hex::encode(b),
                            Value::Bytes(b) => String::from_utf8(b.clone()).unwrap(),
                            Value::Int(n) => n.to_string(),
                            Value::Uint(n) if kind == "date" => time::date(*n).unwrap(),
                            Value::Uint(n) if kind == "datetime" => time::datetime(*n, 0).unwrap(),
                            Value::Uint(n) => n.to_string(),
                            Value::Float(n) => n.to_string(),
                            Value::Decimal(text) => text.clone(),
                            Value::Duration(n) => time::duration(*n, 0),
                            other => panic!("{v}: {other:?}"),
                        };
                        assert_eq!(shown, text, "{v}");
                    }
                    assert!(rest.rest().iter().all(|b| *b == 0), "{v}");
                }
            }
        } else if what.starts_with("index key") {
            let Some(Key::Index { table, index, rest }) = Key::read(&bytes).unwrap() else {
                panic!("{v}");
            };
            assert_eq!(table, id(), "{v}");
            assert_eq!(i128::from(index), number(&expected["index_id"]), "{v}");
            let mut rest = Input::new("an index key", &rest);
            for wanted in expected["values"].as_array().unwrap() {
                let value = match datum::read(&mut rest).unwrap() {
                    Value::Null => Json::Null,
                    Value::Int(n) => n.into(),
                    Value::Bytes(bytes) => String::from_utf8(bytes).unwrap().into(),
                    other => panic!("{v}: {other:?}"),
                };
                assert_eq!(value, *wanted, "{v}");
            }
            assert!(rest.is_empty(), "{v}");
        } else {
            continue;
        }
        checked += 1;
    }
    assert!(checked > 25, "{checked} vectors checked");
}

#[test]
fn keys_of_the_schema() {
    let mut checked = 0;
    for (_, bytes, v) in vectors("meta-keys.json") {
        let expected = &v["expected"];
        let name = expected["key"]
            .as_str()
            .unwrap_or_default()
            .as_bytes()
            .to_vec();
        let wanted = match expected["kind"].as_str() {
            Some("string") => key::Meta::Text(name),
            Some("hash data") => key::Meta::Hash(
                name,
                match &expected["field"] {
                    Json::String(field) => field.as_bytes().to_vec(),
                    _ => hex::decode(expected["field_hex"].as_str().unwrap()).unwrap(),
                },
            ),
            Some(list) if list.starts_with("list") => key::Meta::List(name),
            _ => continue,
        };
        assert_eq!(Key::read(&bytes).unwrap(), Some(Key::Meta(wanted)), "{v}");
        checked += 1;
    }
    assert!(checked > 30, "{checked} vectors checked");
}

#[test]
fn values_of_index_entries() {
    let mut checked = 0;
    for (_, bytes, v) in vectors("index-values.json") {
        let expected = &v["expected"]["value"];
        let Some(value) = v["value_hex"].as_str() else {
            let read = EntryValue::read(&bytes).unwrap();
            let handle = v["expected"]["handle"].as_i64().map(Handle::Int);
            assert_eq!(read.handle, handle, "{v}");
            continue;
        };
        let read = EntryValue::read(&hex::decode(value).unwrap()).unwrap();
        let int = expected["int_handle"]
            .as_i64()
            .or(expected["handle"].as_i64());
        let common = expected["common_handle_hex"].as_str();
        let handle = int
            .map(Handle::Int)
            .or(common.map(|hex| Handle::Common(hex::decode(hex).unwrap())));
        assert_eq!(read.handle, handle, "{v}");
        let version = expected["version"].as_u64().unwrap_or(0);
        assert_eq!(u64::from(read.version), version, "{v}");
        let restored: Json = read
            .restored
            .iter()
            .map(|(id, cell)| (id.to_string(), hex::encode(cell.as_ref().unwrap()).into()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        match &expected["restored"] {
            Json::Null => assert!(read.restored.is_empty(), "{v}"),
            wanted => assert_eq!(restored, *wanted, "{v}"),
        }
        checked += 1;
    }
    assert!(checked >= 29, "{checked} vectors checked");
}

#[test]
fn descriptions_of_tables() {
    let mut checked = 0;
    for (what, _, v) in vectors("schema-json.json") {
        if !what.starts_with("TableInfo") {
            continue;
        }
        let table: Table = serde_json::from_str(v["text"].as_str().unwrap()).unwrap();
        let expected = &v["expected"];
        if let Some(id) = expected["id"].as_i64() {
            assert_eq!(table.id, id, "{what}");
        }
        if let Some(ids) = expected["partition_ids"].as_array() {
            // Some vectors name the ones that matter to their source only.
            let read = table.physical_ids();
            let mut ids = ids.iter().filter_map(Json::as_i64);
            assert!(ids.all(|id| read.contains(&id)), "{what}: {read:?}");
        }
        if let Some(hidden) = expected["hidden_column"].as_str() {
            let hidden = table.columns.iter().find(|c| c.name.original == hidden);
            assert!(hidden.is_some(), "{what}");
        }
        if expected["is_common_handle"] == true {
            let columns = table.clustered().unwrap().parts.iter();
            let names: Vec<&str> = columns
                .map(|p| table.columns[p.offset].name.original.as_str())
                .collect();
            assert_eq!(Json::from(names), expected["pk_columns"], "{what}");
        }
        if let Some(is_handle) = expected["pk_is_handle"].as_bool() {
            assert_eq!(table.handle_column().is_some(), is_handle, "{what}");
        }
        checked += 1;
    }
    assert!(checked >= 9, "{checked} descriptions checked");
}

#[test]
fn a_dropped_table_is_remembered_by_its_job() {
    let jobs = vectors("schema-json.json").into_iter();
    let mut jobs = jobs.filter(|(what, ..)| what == "Job: CREATE TABLE done (what CDC acts on)");
    let (.., v) = jobs.next().unwrap();
    let key = vectors("meta-keys.json")
        .into_iter()
        .find(|(what, ..)| what == "DDL history entry of job 888");
    let job = v["text"].as_str().unwrap().as_bytes();
    let schema = Schema::read([(&key.unwrap().1[..], job)]).unwrap();
    let (id, made) = schema.made.first_key_value().unwrap();
    let id = serde_json::from_slice::<Json>(job).unwrap()["table_id"] == *id;
    assert!(id && made.name.contains('.'), "{made:?}");
}
