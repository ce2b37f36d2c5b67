//! PD's HTTP API, from which TiDB tells about regions and members.

use std::time::Duration;

use serde_json::Value;

/// How long PD may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Regions that PD tells of at once.
const MOST_REGIONS: usize = 10_240;

/// Why PD did not tell. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("ask PD for {path}: {source}")]
pub struct PdError {
    path: String,
    source: reqwest::Error,
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
        asked.await.map_err(|source| PdError {
            path: path.to_owned(),
            source,
        })
    }
}
