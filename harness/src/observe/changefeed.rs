//! A changefeed from outside: the pipeline's own command line to create, pause, resume and remove it, its HTTP API
//! for how far it has come. Works on any TiCDC that speaks the same.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tokio::process::Command;

use super::poll;

/// What failed about a changefeed.
#[derive(Debug, Error)]
pub enum ChangefeedError {
    /// The command line could not be started.
    #[error("start `{}`: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The command line refused.
    #[error("`cdc cli {arguments}` ended with {status}:\n{output}")]
    Refused {
        /// What was asked.
        arguments: String,
        /// The exit status.
        status: std::process::ExitStatus,
        /// What it printed.
        output: String,
    },
    /// The API could not be asked.
    #[error("ask {url} for the state of changefeed `{id}`: {source}")]
    Api {
        /// The URL.
        url: String,
        /// The changefeed.
        id: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The changefeed stopped.
    #[error("wait for changefeed `{id}`: it is in state `{state}`: {message}")]
    Stopped {
        /// The changefeed.
        id: String,
        /// Its state.
        state: String,
        /// Its error.
        message: String,
    },
    /// The checkpoint did not get there.
    #[error("bring changefeed `{id}` to {target} in {seconds}s: {missing}")]
    Late {
        /// The changefeed.
        id: String,
        /// The timestamp to reach.
        target: u64,
        /// The time given.
        seconds: u64,
        /// Where it stands.
        missing: String,
    },
}

/// How to talk to a CDC server.
#[derive(Debug, Clone)]
pub struct Cdc {
    /// The `cdc` program.
    pub program: PathBuf,
    /// `http://host:port` of PD.
    pub pd: String,
    /// `http://host:port` of the server.
    pub api: String,
    /// Whether it is a TiCDC of the 4.0 line: no API v2, old values by configuration file.
    pub v4: bool,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
    #[serde(default, alias = "tso")]
    checkpoint_ts: u64,
    #[serde(default, alias = "error")]
    last_error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Cdc {
    /// Runs `cdc cli …` and gives its standard output.
    ///
    /// # Errors
    /// [`ChangefeedError::Start`], [`ChangefeedError::Refused`].
    pub async fn cli(&self, arguments: &[&str]) -> Result<String, ChangefeedError> {
        self.cli_output(arguments).await.map(|(stdout, _)| stdout)
    }

    /// Runs `cdc cli …` and gives its standard output and error.
    ///
    /// # Errors
    /// [`ChangefeedError::Start`], [`ChangefeedError::Refused`].
    pub async fn cli_output(
        &self,
        arguments: &[&str],
    ) -> Result<(String, String), ChangefeedError> {
        let output = Command::new(&self.program)
            .arg("cli")
            .args(arguments)
            .arg(format!("--pd={}", self.pd))
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| ChangefeedError::Start {
                program: self.program.clone(),
                source,
            })?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok((text(&output.stdout), text(&output.stderr)));
        }
        Err(ChangefeedError::Refused {
            arguments: arguments.join(" "),
            status: output.status,
            output: text(&[output.stdout, output.stderr].concat())
                .trim()
                .to_owned(),
        })
    }

    async fn status(&self, id: &str) -> Result<Status, ChangefeedError> {
        let client = reqwest::Client::new();
        let (url, request) = if self.v4 {
            let url = format!("{}/capture/owner/changefeed/query", self.api);
            (url.clone(), client.post(&url).form(&[("cf-id", id)]))
        } else {
            let url = format!("{}/api/v2/changefeeds/{id}/status", self.api);
            (url.clone(), client.get(&url))
        };
        let failed = |source| ChangefeedError::Api {
            url: url.clone(),
            id: id.to_owned(),
            source,
        };
        let reply = request
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .map_err(&failed)?;
        reply
            .error_for_status()
            .map_err(&failed)?
            .json()
            .await
            .map_err(&failed)
    }

    /// Waits until everything up to `target` has been acknowledged downstream: the barrier.
    ///
    /// # Errors
    /// [`ChangefeedError::Stopped`] when it cannot get there, [`ChangefeedError::Late`] with where it stands.
    pub async fn reach(
        &self,
        id: &str,
        target: u64,
        deadline: Duration,
    ) -> Result<(), ChangefeedError> {
        let outcome = poll::until(deadline, || async {
            let status = match self.status(id).await {
                Ok(status) => status,
                // A server that is down or starts again is waited for.
                Err(error) => return Ok(Err(error.to_string())),
            };
            if status.checkpoint_ts >= target {
                return Ok(Ok(()));
            }
            let message = status
                .last_error
                .map(|e| format!("{} {}", e.code, e.message))
                .unwrap_or_default();
            if matches!(status.state.as_str(), "failed" | "removed" | "finished") {
                return Err(ChangefeedError::Stopped {
                    id: id.to_owned(),
                    state: status.state,
                    message,
                });
            }
            let behind = (target >> 18).saturating_sub(status.checkpoint_ts >> 18);
            Ok(Err(format!(
                "state `{}`, checkpoint {} ({behind} ms behind) {message}",
                status.state, status.checkpoint_ts
            )))
        });
        outcome.await?.map_err(|missing| ChangefeedError::Late {
            id: id.to_owned(),
            target,
            seconds: deadline.as_secs(),
            missing,
        })
    }
}
