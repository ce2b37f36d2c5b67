//! Row checksums (`spec/row-and-key-codecs.md §11`).

use bytes::Bytes;
use pipeline::{
    compat::Compat,
    model::{Op, RawKv},
    mount::{checksum, key},
    schema::TableInfo,
};
use serde_json::{Value, json};

use super::vectors;

/// A table with the columns of a vector.
fn table(schema: &Value) -> TableInfo {
    let columns: Vec<Value> = schema
        .as_object()
        .expect("columns")
        .iter()
        .enumerate()
        .map(|(at, (id, tp))| {
            let (tp, flag, charset) = match tp.as_str().expect("a type") {
                "int pk" => (3, 3, "binary"),
                "int" => (3, 0, "binary"),
                _ => (254, 0, "utf8mb4"),
            };
            json!({
                "id": id.parse::<i64>().expect("an id"), "name": {"O": id, "L": id}, "offset": at, "state": 5,
                "type": {"Tp": tp, "Flag": flag, "Flen": 11, "Charset": charset, "Collate": charset},
            })
        })
        .collect();
    let int_key = columns[0]["type"]["Flag"] == 3;
    let model = json!({
        "id": 104, "name": {"O": "t", "L": "t"}, "pk_is_handle": int_key, "state": 5, "cols": columns,
    });
    let model = serde_json::from_value(model).expect("a table");
    TableInfo::new(1, "test", 1, &model, Compat::V8_5)
}

fn change(value: &[u8], handle: &[u8]) -> RawKv {
    let mut key = key::row_range(104).0.to_vec();
    key.extend_from_slice(handle);
    RawKv {
        op: Op::Put,
        key: key.into(),
        value: Bytes::copy_from_slice(value),
        old_value: Bytes::new(),
        start_ts: 1,
        commit_ts: 2,
    }
}

fn int_handle(handle: i64) -> Vec<u8> {
    (handle as u64 ^ (1 << 63)).to_be_bytes().to_vec()
}

fn mismatch(kv: &RawKv, table: &TableInfo) -> Option<checksum::Mismatch> {
    checksum::verify(kv, table, Compat::V8_5.into()).expect("a row")
}

#[test]
fn rows_with_their_checksums_and_with_a_bit_turned() {
    let mut seen = [0; 3];
    for vector in vectors("checksum.json") {
        let what = vector["what"].as_str().unwrap();
        if !what.starts_with("v2 row") {
            continue;
        }
        let expected = &vector["expected"];
        let version = expected["checksum_version"].as_u64().unwrap();
        seen[usize::try_from(version).unwrap()] += 1;
        // Version 0 counts the primary key, which the first vector of the documentation has.
        let schema = match version {
            0 => json!({"1": "int pk", "2": "int", "3": "char(1)"}),
            _ => vector["schema"].clone(),
        };
        let table = table(&schema);
        let handle = match &expected["handle"] {
            // `abc` as a memcomparable datum of a clustered key
            Value::Array(_) => hex::decode("016162630000000000fa").unwrap(),
            handle => int_handle(handle.as_i64().unwrap_or(1)),
        };
        let row = hex::decode(vector["hex"].as_str().unwrap()).unwrap();
        let kv = change(&row, &handle);
        assert_eq!(mismatch(&kv, &table), None, "{what}");

        let old = RawKv {
            op: Op::Delete,
            value: Bytes::new(),
            old_value: kv.value.clone(),
            ..kv.clone()
        };
        assert_eq!(mismatch(&old, &table), None, "{what}, as the old row");

        let trailer = if what.contains("extra") { 9 } else { 5 };
        let data = row.len() - trailer - 1;
        for (at, new) in [
            (data, row[data] ^ 1),
            (row.len() - trailer + 1, row[row.len() - trailer + 1] ^ 1),
        ] {
            let mut broken = row.clone();
            broken[at] = new;
            // With two checksums both have to be wrong: the vector's second one is wrong already.
            let found = mismatch(&change(&broken, &handle), &table)
                .unwrap_or_else(|| panic!("{what}: byte {at}"));
            assert_eq!(
                (u64::from(found.version), found.old),
                (version, false),
                "{what}"
            );
            let old = RawKv {
                old_value: Bytes::from(broken),
                ..kv.clone()
            };
            let found = mismatch(&old, &table);
            assert_eq!(
                found.is_some_and(|found| found.old),
                version > 0,
                "{what}: an old row"
            );
        }
        // Another row's bytes under this key.
        if version > 0 {
            assert!(
                mismatch(&change(&row, &int_handle(77)), &table).is_some(),
                "{what}"
            );
        }
        let cut = change(&row[..row.len() - 1], &handle);
        assert!(
            checksum::verify(&cut, &table, Compat::V8_5.into()).is_err(),
            "{what}, cut"
        );
    }
    assert_eq!(seen, [2, 1, 3]);
}

#[test]
fn either_of_two_checksums_may_match_and_no_other_version() {
    let table = table(&json!({"1": "int pk", "2": "int", "3": "char(1)"}));
    let row = hex::decode("8002020000000203010002000a61084d5854e34c5854e3").unwrap();
    let mut swapped = row.clone();
    let at = row.len() - 8;
    swapped[at..at + 4].copy_from_slice(&row[at + 4..]);
    swapped[at + 4..].copy_from_slice(&row[at..at + 4]);
    assert_eq!(mismatch(&change(&swapped, &int_handle(1)), &table), None);
    let mut unknown = row;
    unknown[at - 1] = 0x0b;
    let error = checksum::verify(
        &change(&unknown, &int_handle(1)),
        &table,
        Compat::V8_5.into(),
    );
    assert!(error.unwrap_err().to_string().contains("version 3"));
}
