//! Flink's SQL gateway, REST v2 (`/v1` ignores `rowFormat`; JSON rows lose the digits of decimals, plain text does not).

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::table::Source;
use super::{Change, Changelog, FlinkError, Kind};

const DEADLINE: Duration = Duration::from_secs(90);
const PACE: Duration = Duration::from_millis(20);
/// What plain text rows show for NULL.
const NULL: &str = "NULL";

/// A session of a gateway.
pub struct Gateway {
    client: reqwest::Client,
    address: String,
    session: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    result_type: String,
    #[serde(default)]
    next_result_uri: Option<String>,
    #[serde(default)]
    results: Option<Results>,
}

#[derive(Deserialize)]
struct Results {
    columns: Vec<ResultColumn>,
    data: Vec<ResultRow>,
}

#[derive(Deserialize)]
struct ResultColumn {
    name: String,
}

#[derive(Deserialize)]
struct ResultRow {
    kind: String,
    fields: Vec<serde_json::Value>,
}

impl Gateway {
    /// Opens a session at `http://host:port`.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn open(address: &str) -> Result<Gateway, FlinkError> {
        let mut gateway = Gateway {
            client: reqwest::Client::new(),
            address: address.to_owned(),
            session: String::new(),
        };
        let properties = json!({
            "sessionName": "cdclab",
            "properties": {
                "execution.runtime-mode": "streaming",
                "parallelism.default": "1",
                "sql-client.execution.result-mode": "changelog",
            },
        });
        let reply = gateway
            .post("/v2/sessions", &properties, "open a session")
            .await?;
        gateway.session = member(&reply, "sessionHandle", "opening a session")?;
        Ok(gateway)
    }

    /// Closes the session and all that runs in it.
    ///
    /// # Errors
    /// [`FlinkError::Transport`].
    pub async fn close(self) -> Result<(), FlinkError> {
        self.delete(&format!("/v2/sessions/{}", self.session)).await
    }

    /// Reads a topic's table to its end.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn changelog(&self, source: &Source) -> Result<Changelog, FlinkError> {
        self.run(&source.drop()).await?;
        self.run(&source.create(true)).await?;
        let changelog = self.run(&source.select()).await;
        self.run(&source.drop()).await?;
        changelog
    }

    /// Runs a statement and reads its result to the end.
    ///
    /// # Errors
    /// [`FlinkError`].
    pub async fn run(&self, statement: &str) -> Result<Changelog, FlinkError> {
        let path = format!("/v2/sessions/{}/statements", self.session);
        let reply = self
            .post(&path, &json!({ "statement": statement }), statement)
            .await?;
        let operation = member(&reply, "operationHandle", statement)?;
        let base = format!("/v2/sessions/{}/operations/{operation}", self.session);
        let result = self.pages(&base, statement).await;
        // Closing cancels a job that still runs.
        self.delete(&format!("{base}/close")).await?;
        result
    }

    async fn pages(&self, base: &str, statement: &str) -> Result<Changelog, FlinkError> {
        let give_up = Instant::now() + DEADLINE;
        let mut log = Changelog::default();
        let mut next = format!("{base}/result/0?rowFormat=PLAIN_TEXT");
        loop {
            let page: Page = self.get(&next, statement).await?;
            let waits = page
                .results
                .as_ref()
                .is_none_or(|results| results.data.is_empty());
            if let Some(results) = page.results {
                log.columns = results
                    .columns
                    .into_iter()
                    .map(|column| column.name)
                    .collect();
                for row in results.data {
                    let kind = Kind::parse(&row.kind).ok_or_else(|| FlinkError::Answer {
                        what: statement.to_owned(),
                        message: format!("unknown row kind `{}`", row.kind),
                    })?;
                    log.changes.push(Change {
                        kind,
                        row: row.fields.into_iter().map(field).collect(),
                    });
                }
            }
            match (page.result_type.as_str(), page.next_result_uri) {
                ("EOS", _) | (_, None) => return Ok(log),
                (_, Some(uri)) => next = uri,
            }
            if Instant::now() > give_up {
                return Err(FlinkError::Late {
                    statement: statement.to_owned(),
                    seconds: DEADLINE.as_secs(),
                    rows: log.changes.len(),
                    expected: "the end of the result did not come".to_owned(),
                });
            }
            if waits {
                tokio::time::sleep(PACE).await;
            }
        }
    }

    fn url(&self, path: &str) -> String {
        if path.contains("://") {
            path.to_owned()
        } else {
            format!("{}{path}", self.address)
        }
    }

    async fn get<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        statement: &str,
    ) -> Result<T, FlinkError> {
        self.answer(self.client.get(self.url(path)), statement)
            .await
    }

    async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
        statement: &str,
    ) -> Result<serde_json::Value, FlinkError> {
        self.answer(self.client.post(self.url(path)).json(body), statement)
            .await
    }

    async fn delete(&self, path: &str) -> Result<(), FlinkError> {
        let sent = self.client.delete(self.url(path)).send().await;
        sent.map(drop).map_err(|source| FlinkError::Transport {
            address: self.address.clone(),
            source,
        })
    }

    async fn answer<T: for<'de> Deserialize<'de>>(
        &self,
        request: reqwest::RequestBuilder,
        statement: &str,
    ) -> Result<T, FlinkError> {
        let failed = |source| FlinkError::Transport {
            address: self.address.clone(),
            source,
        };
        let reply = request.timeout(DEADLINE).send().await.map_err(failed)?;
        let ok = reply.status().is_success();
        let text = reply.text().await.map_err(failed)?;
        if !ok {
            return Err(FlinkError::Statement {
                statement: statement.to_owned(),
                cause: innermost_cause(&text),
            });
        }
        serde_json::from_str(&text).map_err(|error| FlinkError::Answer {
            what: statement.to_owned(),
            message: format!("{error}: {}", text.chars().take(200).collect::<String>()),
        })
    }
}

fn member(reply: &serde_json::Value, name: &str, what: &str) -> Result<String, FlinkError> {
    reply[name]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| FlinkError::Answer {
            what: what.to_owned(),
            message: format!("no `{name}` in {reply}"),
        })
}

fn field(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text == NULL => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The gateway answers errors with a Java trace of many levels; what helps stands after the last `Caused by:`.
fn innermost_cause(text: &str) -> String {
    let text = text.replace("\\n", "\n").replace("\\t", "\t");
    let last = text.rsplit("Caused by: ").next().unwrap_or(&text);
    last.lines()
        .take_while(|line| !line.trim_start().starts_with("at "))
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cause_is_kept() {
        let text = r#"{"errors":["Internal","a.B: x\n\tat q\nCaused by: c.D: outer\n\tat r\nCaused by: e.F: no such topic\n\tat s\n"]}"#;
        assert_eq!(innermost_cause(text), "e.F: no such topic");
    }
}
