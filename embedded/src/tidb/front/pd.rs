//! PD's HTTP API, from which TiDB tells about regions and members.

use std::time::Duration;

use serde_json::Value;

use crate::client::keys;

/// How long PD may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Regions that PD tells of at once.
const MOST_REGIONS: usize = 10_240;

/// Why PD did not tell. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PdError {
    /// No answer, or one that says no.
    #[error("ask PD for {path}: {source}")]
    Ask {
        /// Of the API.
        path: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// A region without a boundary that can be read.
    #[error("read the {name} of region {region} from PD: {found} (expected hex)")]
    Boundary {
        /// Which one.
        name: &'static str,
        /// The region's id.
        region: String,
        /// What stands there.
        found: String,
    },
}

/// PD, by its URL.
#[derive(Debug, Clone)]
pub(super) struct PdApi {
    url: String,
    http: reqwest::Client,
}

impl PdApi {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.trim_end_matches('/').to_owned(),
            http: reqwest::Client::new(),
        }
    }

    /// All regions.
    pub(super) async fn regions(&self) -> Result<Vec<Value>, PdError> {
        let mut answer = self
            .get(&format!("regions/key?limit={MOST_REGIONS}"))
            .await?;
        Ok(match answer["regions"].take() {
            Value::Array(regions) => regions,
            _ => vec![],
        })
    }

    /// What `/pd/api/v1/{path}` answers.
    pub(super) async fn get(&self, path: &str) -> Result<Value, PdError> {
        let url = format!("{}/pd/api/v1/{path}", self.url);
        let asked = async {
            let request = self.http.get(url).timeout(PATIENCE);
            request.send().await?.error_for_status()?.json().await
        };
        asked.await.map_err(|source| PdError::Ask {
            path: path.to_owned(),
            source,
        })
    }
}

/// A boundary of a region without its wrap; empty at the end of the key space.
pub(super) fn boundary(region: &Value, name: &'static str) -> Result<Vec<u8>, PdError> {
    let wrapped = region[name]
        .as_str()
        .and_then(|text| hex::decode(text).ok());
    let wrapped = wrapped.ok_or_else(|| PdError::Boundary {
        name,
        region: region["id"].to_string(),
        found: region[name].to_string(),
    })?;
    // A region may be cut within a wrap.
    Ok(keys::decode(&wrapped).unwrap_or(wrapped))
}
