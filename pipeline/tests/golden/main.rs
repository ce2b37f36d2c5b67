//! The decoders and the encoder against golden vectors: bytes and texts taken from TiDB's, TiKV's and TiCDC's own
//! tests and from dumps of real clusters.

mod checksum;
mod fuzz;
mod keys;
mod releases;
mod rows;
mod schema;
mod sql_type;
mod texts;
mod values;

use std::path::PathBuf;

use serde_json::Value;

/// The vectors of a file in `fixtures/golden/`.
pub(crate) fn vectors(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/golden")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut file: Value = serde_json::from_str(&text).expect("JSON");
    let Value::Array(vectors) = file["vectors"].take() else {
        panic!("{name} has no vectors")
    };
    assert!(!vectors.is_empty(), "{name} is empty");
    vectors
}

/// The bytes of a vector's hexadecimal member.
pub(crate) fn hex_of(vector: &Value, member: &str) -> Vec<u8> {
    hex::decode(text_of(vector, member)).expect("hexadecimal")
}

/// A vector's text member.
pub(crate) fn text_of<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {vector}"))
}
