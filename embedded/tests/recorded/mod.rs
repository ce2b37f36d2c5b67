//! Reads the recordings of a real TiDB in `fixtures/golden/ticdc/`.

pub(crate) mod ddl;
pub(crate) mod indexes;
pub(crate) mod live;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod show;

use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read as _;
use std::path::PathBuf;

/// One recorded SQL file.
pub(crate) struct Recording {
    /// `v8.4/article`.
    pub(crate) name: String,
    /// Its statements in order.
    pub(crate) statements: Vec<Statement>,
}

/// One recorded statement.
pub(crate) struct Statement(pub(crate) Value);

/// A row or index key that a statement wrote.
pub(crate) struct KeyValue {
    pub(crate) key: Vec<u8>,
    /// None for a delete.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) written_by_ddl: bool,
}

impl Statement {
    /// What the recording's own documentation calls the statement.
    pub(crate) fn step(&self) -> u64 {
        self.0["step"].as_u64().unwrap()
    }

    pub(crate) fn sql(&self) -> &str {
        self.0["sql"].as_str().unwrap()
    }

    /// The connection it ran on.
    pub(crate) fn session(&self) -> &str {
        self.0["session"].as_str().unwrap_or("main")
    }

    /// What the client was refused with.
    pub(crate) fn error_code(&self) -> Option<u64> {
        self.0["error_code"].as_u64()
    }

    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.0[name].as_array().map_or(&[], Vec::as_slice)
    }

    /// The rows and indexes it wrote.
    pub(crate) fn kv(&self) -> impl Iterator<Item = KeyValue> {
        self.list("kv").iter().map(|kv| KeyValue {
            key: bytes(&kv["key"]),
            value: kv["op"]
                .as_str()
                .filter(|op| op.eq_ignore_ascii_case("put"))
                .map(|_| bytes(&kv["value"])),
            written_by_ddl: kv["written_by_ddl"] == Value::Bool(true),
        })
    }
}

/// Hex text as bytes.
pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().unwrap()).unwrap()
}

/// All files of a folder, by name.
pub(crate) fn recordings(folder: &str) -> Vec<Recording> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/golden/ticdc")
        .join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".jsonl.gz"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no recordings in {}", dir.display());
    paths
        .into_iter()
        .map(|path| {
            let file = std::fs::File::open(&path).unwrap();
            let mut text = String::new();
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
            let name = path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .replace(".jsonl.gz", "");
            Recording {
                name: format!("{folder}/{name}"),
                // The first line is about the recording itself.
                statements: text
                    .lines()
                    .skip(1)
                    .map(|line| Statement(serde_json::from_str(line).unwrap()))
                    .collect(),
            }
        })
        .collect()
}
