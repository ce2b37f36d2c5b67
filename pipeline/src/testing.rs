//! Reading of the recordings in `fixtures/golden/` for unit tests.

use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

/// The lines of a gzipped JSONL recording below `fixtures/golden/`, without its first line, which describes it.
pub(crate) fn recording<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/golden")
        .join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display()))
        })
        .collect()
}
