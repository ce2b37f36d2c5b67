use serde::{Deserialize, Serialize};

/// What makes a table a sequence (`docs/spec/tidb-schema.md §3`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceInfo {
    /// START.
    #[serde(rename = "sequence_start")]
    pub start: i64,
    /// Whether a server takes several values at a time.
    #[serde(rename = "sequence_cache")]
    pub cache: bool,
    /// CYCLE.
    #[serde(rename = "sequence_cycle")]
    pub cycle: bool,
    /// MINVALUE.
    #[serde(rename = "sequence_min_value")]
    pub min_value: i64,
    /// MAXVALUE.
    #[serde(rename = "sequence_max_value")]
    pub max_value: i64,
    /// INCREMENT.
    #[serde(rename = "sequence_increment")]
    pub increment: i64,
    /// CACHE.
    #[serde(rename = "sequence_cache_value")]
    pub cache_value: i64,
    /// COMMENT.
    #[serde(rename = "sequence_comment")]
    pub comment: String,
}
