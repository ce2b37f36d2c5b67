//! Replays recordings of a real TiKV and PD (`golden/tikv-feed`) against running `embedded tikv` and `embedded pd`.

// Each test uses its part.
#![allow(dead_code)]

pub(crate) mod call;
pub(crate) mod feed;
pub(crate) mod names;
pub(crate) mod pd;
pub(crate) mod run;
pub(crate) mod servers;
pub(crate) mod step;
pub(crate) mod synthetic;
pub(crate) mod wire;

use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

/// The lines of a recording.
pub(crate) fn recording(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/golden/tikv-feed")
        .join(format!("{name}.jsonl.gz"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// The kind of a line.
pub(crate) fn kind(line: &Value) -> &str {
    line.get("kind").and_then(Value::as_str).unwrap_or_default()
}

/// A text field of a line.
pub(crate) fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line.get(field).and_then(Value::as_str).unwrap_or_default()
}
