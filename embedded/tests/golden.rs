//! Holds the codecs to the golden vectors in `fixtures/golden/`.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

use embedded::tidb::catalog::model::{CiStr, ColumnInfo, FieldType, Tp, flag};
use embedded::tidb::catalog::{TableInfo, TidbVersion};
use embedded::tidb::codec::{
    Datum, Decimal, Duration, Handle, Time, bytes, collate, datum, decimal, index, json, keys,
    keys::MetaKey, number, row, tso,
};
use serde_json::Value;

/// A vector: what it shows, its bytes, and the whole object.
struct Vector {
    what: String,
    bytes: Vec<u8>,
    all: Value,
}

impl Vector {
    fn expected(&self, key: &str) -> Option<&str> {
        self.all["expected"][key].as_str()
    }

    fn int(&self, key: &str) -> i64 {
        let value = &self.all["expected"][key];
        value
            .as_i64()
            .or_else(|| value.as_str()?.parse().ok())
            .unwrap_or_else(|| panic!("{}: {key} is no number", self.what))
    }

    fn uint(&self, key: &str) -> u64 {
        let value = &self.all["expected"][key];
        value
            .as_u64()
            .or_else(|| value.as_str()?.parse().ok())
            .unwrap_or_else(|| panic!("{}: {key} is no number", self.what))
    }
}

fn vectors(file: &str) -> Vec<Vector> {
    let path = format!("{}/../fixtures/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let all: Value = serde_json::from_str(&text).unwrap();
    let out: Vec<Vector> = all["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| Vector {
            what: format!(
                "{}: {}",
                v["what"].as_str().unwrap(),
                v["hex"].as_str().unwrap()
            ),
            bytes: hex::decode(v["hex"].as_str().unwrap()).unwrap(),
            all: v.clone(),
        })
        .collect();
    assert!(!out.is_empty(), "{file} has no vectors");
    out
}

fn encoded(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![];
    put(&mut out);
    out
}

#[test]
fn memcomparable() {
    let mut checked = 0;
    for v in vectors("memcomparable.json") {
        let what = v.what.as_str();
        let kind = v.all["what"].as_str().unwrap();
        let raw = || hex::decode(v.expected("bytes_hex").unwrap()).unwrap();
        let float = || v.expected("double").unwrap().parse::<f64>().unwrap();
        match kind {
            "memcomparable bytes, ascending" => {
                assert_eq!(bytes::comparable(&raw()), v.bytes, "{what}");
                assert_eq!(
                    bytes::comparable_bytes(&mut &v.bytes[..]).unwrap(),
                    raw(),
                    "{what}"
                );
            }
            "compact bytes (varint length + data)" => {
                assert_eq!(
                    encoded(|o| bytes::put_compact_bytes(o, &raw())),
                    v.bytes,
                    "{what}"
                );
                assert_eq!(
                    bytes::compact_bytes(&mut &v.bytes[..]).unwrap(),
                    raw(),
                    "{what}"
                );
            }
            "comparable int (8 bytes, no flag)" => {
                assert_eq!(
                    encoded(|o| number::put_comparable_int(o, v.int("int"))),
                    v.bytes,
                    "{what}"
                );
                assert_eq!(
                    number::comparable_int(&mut &v.bytes[..]),
                    Ok(v.int("int")),
                    "{what}"
                );
            }
            "varint (zig-zag)" => {
                assert_eq!(
                    encoded(|o| number::put_varint(o, v.int("int"))),
                    v.bytes,
                    "{what}"
                );
                assert_eq!(
                    number::varint(&mut &v.bytes[..]),
                    Ok(v.int("int")),
                    "{what}"
                );
            }
            "comparable float64 (8 bytes, no flag)" => {
                assert_eq!(
                    number::comparable_float(&mut &v.bytes[..]),
                    Ok(float()),
                    "{what}"
                );
                // TiDB never stores a negative zero; its vector is for readers.
                if float() != 0.0 || float().is_sign_positive() {
                    assert_eq!(
                        encoded(|o| number::put_comparable_float(o, float())),
                        v.bytes,
                        "{what}"
                    );
                }
            }
            "datum: flag 3 + comparable int"
            | "datum: flag 4 + comparable uint"
            | "datum: flag 5 + comparable float64" => {
                let value = datum::key(&mut &v.bytes[..]).unwrap();
                let mut out = vec![];
                datum::put_key(&mut out, &value, (0, 0)).unwrap();
                assert_eq!(out, v.bytes, "{what}");
            }
            // Flags 8 and 9 belong to row format v1, descending bytes to nothing that TiDB writes.
            _ => continue,
        }
        checked += 1;
    }
    assert!(checked > 60, "{checked} vectors checked");
}

#[test]
fn decimals() {
    for v in vectors("decimal.json") {
        let what = v.what.as_str();
        let shape = |key: &str| v.all["schema"][key].as_u64().unwrap() as usize;
        match v.all["what"].as_str().unwrap() {
            "decimal binary (no header)" => {
                let value: Decimal = v.expected("input").unwrap().parse().unwrap();
                let (precision, frac) = (shape("precision"), shape("frac"));
                let (binary, fit) = value.to_binary(precision, frac);
                assert_eq!(binary, v.bytes, "{what}");
                let want = match v.expected("status").unwrap() {
                    "ok" => decimal::Fit::Exact,
                    "truncated" => decimal::Fit::Truncated,
                    "overflow" => decimal::Fit::Overflow,
                    other => panic!("{what}: status {other}"),
                };
                assert_eq!(fit, want, "{what}");
                let back = Decimal::read_binary(&mut &v.bytes[..], precision, frac).unwrap();
                assert_eq!(back.to_string(), v.expected("text").unwrap(), "{what}");
            }
            "decimal with precision/frac header (row v2 value)" => {
                let (value, (precision, frac)) = Decimal::read(&mut &v.bytes[..]).unwrap();
                assert_eq!(value.to_string(), v.expected("text").unwrap(), "{what}");
                let mut out = vec![];
                value.put(&mut out, precision, frac).unwrap();
                assert_eq!(out, v.bytes, "{what}");
            }
            "decimal binary size" => {
                let size = decimal::binary_len(shape("precision"), shape("frac"));
                assert_eq!(size as u64, v.uint("bytes"), "{what}");
            }
            other => panic!("unknown kind {other}"),
        }
    }
}

#[test]
fn datetimes() {
    for v in vectors("datetime.json") {
        let what = v.what.as_str();
        let text = v.expected("text").unwrap();
        let packed = v.uint("packed");
        let time = Time::parse(text).unwrap();
        assert_eq!(time.pack(), packed, "{what}");
        assert_eq!(
            encoded(|o| number::put_min_uint(o, packed)),
            v.bytes,
            "{what}"
        );
        assert_eq!(number::min_uint(&v.bytes), Ok(packed), "{what}");
        let back = Time::unpack(packed).unwrap();
        let fsp = v.all["schema"]["fsp"].as_u64().unwrap() as usize;
        let shown = if v.all["schema"]["type"] == "date" {
            back.date_text()
        } else {
            back.datetime_text(fsp)
        };
        assert_eq!(shown, text, "{what}");
    }
}

#[test]
fn durations() {
    for v in vectors("duration.json") {
        let what = v.what.as_str();
        let duration = Duration::parse(v.expected("text").unwrap()).unwrap();
        assert_eq!(duration.0, v.int("ns"), "{what}");
        assert_eq!(
            encoded(|o| number::put_min_int(o, duration.0)),
            v.bytes,
            "{what}"
        );
        assert_eq!(number::min_int(&v.bytes), Ok(duration.0), "{what}");
        let fsp = v.all["schema"]["fsp"].as_u64().unwrap() as usize;
        assert_eq!(duration.text(fsp), v.expected("text").unwrap(), "{what}");
        if let Some(key) = v.expected("comparable_datum_hex") {
            let mut out = vec![];
            datum::put_key(
                &mut out,
                &embedded::tidb::codec::Datum::Duration(duration),
                (0, 0),
            )
            .unwrap();
            assert_eq!(hex::encode(out), key, "{what}");
        }
    }
}

#[test]
fn record_keys() {
    let mut checked = 0;
    for v in vectors("keys.json") {
        let what = v.what.as_str();
        let kind = v.all["what"].as_str().unwrap();
        let table = v.all["expected"]["table_id"].as_i64();
        if kind.starts_with("row key") {
            let (id, handle) = keys::decode_record_key(&v.bytes).unwrap();
            assert_eq!(Some(id), table, "{what}");
            assert_eq!(keys::record_key(id, &handle), v.bytes, "{what}");
            match &handle {
                Handle::Int(h) if kind.contains("UNSIGNED") => {
                    assert_eq!(*h as u64, v.uint("handle_unsigned"), "{what}")
                }
                Handle::Int(h) => assert_eq!(*h, v.int("handle"), "{what}"),
                Handle::Common(bytes) => {
                    let mut rest = &bytes[..];
                    let mut out = vec![];
                    for _ in v.all["expected"]["handle"].as_array().unwrap() {
                        let shape = (usize::from(rest[1]), usize::from(rest[2]));
                        let value = datum::key(&mut rest).unwrap();
                        datum::put_key(&mut out, &value, shape).unwrap();
                    }
                    out.resize(out.len().max(9), 0);
                    assert_eq!(&out, bytes, "{what}");
                }
            }
        } else if kind.starts_with("table prefix") {
            assert_eq!(keys::table_prefix(table.unwrap()), v.bytes, "{what}");
        } else if kind.starts_with("span start t") {
            assert_eq!(keys::record_prefix(table.unwrap()), v.bytes, "{what}");
        } else if kind.starts_with("span start, wrapped")
            || kind.starts_with("region start key: EncodeBytes(t{id}_r)")
        {
            assert_eq!(
                bytes::comparable(&keys::record_prefix(table.unwrap())),
                v.bytes,
                "{what}"
            );
        } else if kind.starts_with("MVCC key") {
            let raw = hex::decode(v.expected("raw_key_hex").unwrap()).unwrap();
            let mut out = bytes::comparable(&raw);
            number::put_descending_uint(&mut out, v.uint("ts"));
            assert_eq!(out, v.bytes, "{what}");
        } else if kind.starts_with("index key") {
            let prefix = keys::index_prefix(table.unwrap(), v.int("index_id"));
            assert!(v.bytes.starts_with(&prefix), "{what}");
        } else {
            continue;
        }
        checked += 1;
    }
    assert!(checked >= 45, "{checked} vectors checked");
}

#[test]
fn meta_keys() {
    let mut checked = 0;
    for v in vectors("meta-keys.json") {
        let what = v.what.as_str();
        let key = || v.expected("key").unwrap();
        let want = match v.expected("kind") {
            Some("string") => MetaKey::string(key()),
            Some("hash data") => {
                let field = match v.expected("field") {
                    Some(text) => text.as_bytes().to_vec(),
                    None => hex::decode(v.expected("field_hex").unwrap()).unwrap(),
                };
                MetaKey::hash(key(), field)
            }
            Some("list data") => MetaKey::List(key().into(), v.int("index")),
            Some("list meta") | Some("list meta (value = two 8-byte big-endian ints)") => {
                MetaKey::ListMeta(key().into())
            }
            Some("hash data prefix") => {
                assert_eq!(MetaKey::hash_prefix(key().as_bytes()), v.bytes, "{what}");
                checked += 1;
                continue;
            }
            _ => continue,
        };
        assert_eq!(want.encode(), v.bytes, "{what}");
        assert_eq!(MetaKey::decode(&v.bytes), Ok(want), "{what}");
        checked += 1;
    }
    assert!(checked > 34, "{checked} vectors checked");
}

#[test]
fn rows() {
    for v in vectors("row-v2.json") {
        let found = row::disassemble(&v.bytes).unwrap();
        let columns = found
            .iter()
            .map(|(id, c)| (*id, c.map(<[u8]>::to_vec)))
            .collect();
        assert_eq!(row::assemble(columns), v.bytes, "{}", v.what);
        let expected = v.all["expected"].as_object().unwrap();
        for (id, value) in &found {
            let want = &expected[&id.to_string()];
            assert_eq!(value.is_none(), want.is_null(), "{}: column {id}", v.what);
        }
    }
}

#[test]
fn job_rows() {
    for v in vectors("ddl-job-rows.json") {
        let Ok(found) = row::disassemble(&v.bytes) else {
            continue;
        };
        let columns = found
            .iter()
            .map(|(id, c)| (*id, c.map(<[u8]>::to_vec)))
            .collect();
        assert_eq!(row::assemble(columns), v.bytes, "{}", v.what);
    }
}

#[test]
fn timestamps() {
    for v in vectors("tso.json") {
        let tso = v.uint("tso");
        assert_eq!(tso::physical_ms(tso), v.uint("physical_ms"), "{}", v.what);
        assert_eq!(tso::logical(tso), v.uint("logical"), "{}", v.what);
        assert_eq!(
            tso::compose(v.uint("physical_ms"), v.uint("logical")),
            tso,
            "{}",
            v.what
        );
    }
}

#[test]
fn sort_keys() {
    let mut checked = 0;
    for v in vectors("collation-keys.json") {
        let text = match v.expected("text") {
            Some(text) => text.as_bytes().to_vec(),
            None => continue,
        };
        let collation = v.expected("collation").unwrap();
        let Ok(key) = collate::sort_key(collation, &text) else {
            assert!(!collate::is_known(collation), "{}: refused", v.what);
            continue;
        };
        assert_eq!(hex::encode(key), hex::encode(&v.bytes), "{}", v.what);
        checked += 1;
    }
    assert!(checked > 85, "{checked} vectors checked");
}

#[test]
fn json_binaries() {
    let mut checked = 0;
    for v in vectors("json-binary.json") {
        let Ok(value) = json::decode(&v.bytes) else {
            // Dates and opaque values, which no JSON text can make.
            let types: [u8; 5] = [0x0d, 0x0e, 0x0f, 0x10, 0x11];
            assert!(
                v.bytes.iter().any(|b| types.contains(b)),
                "{}: refused",
                v.what
            );
            continue;
        };
        // A small unsigned number reads back as a signed one, as in any JSON text.
        if !v.bytes[1..].contains(&0x0a) {
            let binary = json::from_text(&value.to_string(), TidbVersion::V8_5).unwrap();
            assert_eq!(
                hex::encode(binary),
                hex::encode(&v.bytes),
                "{}: {value}",
                v.what
            );
        }
        let text = v.expected("text").unwrap();
        let parsed: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        if !v.bytes.contains(&0x0b) {
            assert_eq!(value, parsed, "{}", v.what);
        }
        checked += 1;
    }
    assert!(checked > 50, "{checked} vectors checked");
}

/// The tables that the vectors of index entries are about: columns as type and collation, and what their indexes hold.
fn indexed_table(schema: &str, id: i64) -> (TableInfo, Vec<Datum>, Handle) {
    let version = TidbVersion::V8_5;
    let mut table = TableInfo::new(version, id, CiStr::new("t"), String::new(), String::new());
    let text = |s: &str| Datum::Bytes(s.as_bytes().to_vec());
    // A CHAR comes without its trailing spaces.
    let (columns, values): (Vec<(Tp, &str)>, Vec<Datum>) = if schema.contains("e varchar") {
        (
            vec![
                (Tp::Long, ""),
                (Tp::String, "utf8mb4_bin"),
                (Tp::String, "utf8mb4_unicode_ci"),
                (Tp::Varchar, "utf8mb4_bin"),
                (Tp::Varchar, "utf8mb4_general_ci"),
            ],
            vec![Datum::Int(1), text("a"), text("A"), text("a "), text("A ")],
        )
    } else if schema.contains("latin1_bin") {
        let columns = vec![(Tp::Varchar, "latin1_bin"), (Tp::Long, "")];
        (columns, vec![text("jovialedison"), Datum::Int(1)])
    } else {
        let (tp, values) = if schema.contains("varchar") {
            (Tp::Varchar, vec![Datum::Int(1), text("a "), text("A ")])
        } else {
            (Tp::String, vec![Datum::Int(1), text("a"), text("A")])
        };
        let columns = vec![
            (Tp::Long, ""),
            (tp, "utf8mb4_bin"),
            (tp, "utf8mb4_unicode_ci"),
        ];
        (columns, values)
    };
    for (offset, (tp, collate)) in columns.iter().enumerate() {
        let mut ft = FieldType::new(version, *tp);
        ft.collate = if collate.is_empty() {
            "binary"
        } else {
            collate
        }
        .to_owned();
        ft.charset = ft.collate.split('_').next().unwrap().to_owned();
        let mut column = ColumnInfo::new(version, CiStr::new("c"), ft);
        (column.id, column.offset) = (offset as i64 + 1, offset);
        table.columns.push(column);
    }
    let all: Vec<usize> = (0..columns.len()).collect();
    let single: Vec<Vec<usize>> = all.iter().map(|c| vec![*c]).collect();
    let mut indexes: Vec<(Vec<usize>, bool)> = vec![];
    let clustered = schema.contains("clustered");
    if schema.contains("latin1_bin") {
        indexes.extend([(vec![0], true), (vec![1], false)]);
    } else {
        if clustered {
            indexes.push((all.clone(), true));
        }
        for unique in [false, true] {
            indexes.extend(single.iter().map(|c| (c.clone(), unique)));
            indexes.push((all.clone(), unique));
        }
    }
    for (n, (columns, unique)) in indexes.into_iter().enumerate() {
        let parts: Vec<Value> = columns
            .iter()
            .map(|offset| serde_json::json!({"name": {"O": "c", "L": "c"}, "offset": offset, "length": -1}))
            .collect();
        let index = serde_json::json!({
            "id": n + 1, "idx_name": {"O": "i", "L": "i"}, "tbl_name": {"O": "", "L": ""}, "idx_cols": parts,
            "state": 5, "comment": "", "index_type": 1, "is_unique": unique, "is_primary": clustered && n == 0,
            "is_invisible": false,
        });
        table.indexes.push(serde_json::from_value(index).unwrap());
    }
    if clustered {
        table.is_common_handle = Some(true);
        table.common_handle_version = Some(1);
        for part in table.indexes[0].columns.clone() {
            table.columns[part.offset].field_type.flag |= flag::PRI_KEY;
        }
    }
    let handle = row::handle(&table, &values, Some(1)).unwrap();
    (table, values, handle)
}

#[test]
fn index_entries() {
    let mut checked = 0;
    for v in vectors("index-values.json") {
        let (Some(schema), Some(value)) = (v.all["schema"].as_str(), v.all["value_hex"].as_str())
        else {
            continue;
        };
        let (table, values, handle) = indexed_table(schema, v.int("table_id"));
        let id = v.int("index_id");
        let index = table.indexes.iter().find(|i| i.id == id).unwrap();
        let row = index::Row {
            physical_id: table.id,
            values: &values,
            handle: &handle,
        };
        let entry = index::entry(&table, index, row).unwrap();
        assert_eq!(hex::encode(&entry.key), hex::encode(&v.bytes), "{}", v.what);
        assert_eq!(hex::encode(&entry.value), value, "{}", v.what);
        checked += 1;
    }
    assert!(checked >= 29, "{checked} vectors checked");
}
