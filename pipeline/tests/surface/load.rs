//! The recordings, line by line.

use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;
use serde_json::Value;

/// Every line of a recording.
pub fn recording(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/golden/ticdc")
        .join(format!("{name}.jsonl.gz"));
    let mut text = String::new();
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Key and value of everything recorded of etcd.
pub fn etcd_pairs(name: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    recording(name)
        .iter()
        .filter_map(|line| line.get("kvs")?.as_array())
        .flatten()
        .map(|pair| (text(&pair["key"]), text(&pair["value"])))
        .collect()
}

/// Bodies of calls like `GET /api/v2/changefeeds`, as (call, status, body).
pub fn calls(name: &str) -> Vec<(String, u64, String)> {
    recording(name)
        .iter()
        .filter_map(|line| {
            let call = line.get("http")?.as_str()?.to_owned();
            let status = line["status"].as_u64()?;
            Some((call, status, line["response"].as_str()?.to_owned()))
        })
        .collect()
}
