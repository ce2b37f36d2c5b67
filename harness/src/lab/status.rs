//! A lab as it is now: the contract of `lab-status --json`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::Lab;
use super::error::LabError;
use super::paths::Paths;
use super::process::{self, Found, Id};
use super::state::State;
use super::topology::{Kind, Topology};
use super::up::probe;
use crate::observe::pd;

/// How long a component may take to answer its probe.
const ANSWER: Duration = Duration::from_secs(3);
/// Bits of a TSO below its milliseconds.
const LOGICAL_BITS: u32 = 18;

/// A lab as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The lab's name.
    pub name: String,
    /// Its profile.
    pub profile: String,
    /// Where it runs: `native`.
    pub backend: String,
    /// `up`, `degraded` (only some components are up) or `down`.
    pub state: String,
    /// Its components, each behind what it needs.
    pub components: Vec<ComponentStatus>,
    /// The changefeeds.
    pub changefeeds: Vec<ChangefeedStatus>,
    /// Why the changefeeds are not known, although the pipeline is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changefeeds_error: Option<String>,
}

/// A component as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComponentStatus {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `real`, `embedded`, or `pipeline`.
    pub implementation: String,
    /// `up`, `unready` (it runs, and its probe fails) or `down`.
    pub state: String,
    /// What its probe missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its process; `null` if it does not run.
    pub pid: Option<i32>,
    /// Addresses by name, with scheme where they have one.
    pub endpoints: BTreeMap<String, String>,
    /// Its program.
    pub binary: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// Resident memory in bytes, with that of the processes that it started.
    pub rss_bytes: u64,
    /// Milliseconds from its start until it was ready.
    pub ready_ms: u64,
}

/// A changefeed as it is now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangefeedStatus {
    /// Its id.
    pub id: String,
    /// Its state: `normal`, `stopped`, …
    pub state: String,
    /// Where it writes.
    pub sink_uri: String,
    /// Its checkpoint-ts.
    pub checkpoint_tso: u64,
    /// Milliseconds that the checkpoint is behind PD's clock.
    pub lag_ms: u64,
}

/// A lab as it is now.
///
/// # Errors
/// [`LabError::NoLab`] if there is none of that name.
pub async fn status(name: &str) -> Result<Status, LabError> {
    let paths = Paths::of(name)?;
    let state = State::load(name, &paths)?.ok_or_else(|| LabError::NoLab(name.to_owned()))?;
    let found = process::find(&paths.lab);
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| state.topology.components.contains_key(kind))
        .collect();
    let components = join_all(
        kinds
            .into_iter()
            .map(|kind| component(kind, &state, &paths, &found)),
    )
    .await;
    let up = components
        .iter()
        .filter(|component| component.state == "up")
        .count();
    let overall = match up {
        0 => "down",
        n if n == components.len() => "up",
        _ => "degraded",
    };
    let pipeline = components
        .iter()
        .any(|component| component.name == Kind::Cdc.name() && component.state == "up");
    let lab = Lab::of(state, paths);
    let (changefeeds, changefeeds_error) = match pipeline {
        false => (Vec::new(), None),
        true => match changefeeds(&lab).await {
            Ok(found) => (found, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        },
    };
    Ok(Status {
        name: name.to_owned(),
        profile: lab.topology().profile.clone(),
        backend: "native".to_owned(),
        state: overall.to_owned(),
        components,
        changefeeds,
        changefeeds_error,
    })
}

async fn component(kind: Kind, state: &State, paths: &Paths, found: &[Found]) -> ComponentStatus {
    let spec = kind.spec();
    let record = state.started.get(&kind);
    let process = record
        .and_then(|record| record.process)
        .filter(|id| Id::alive(*id));
    let (name, reason) = match process {
        None => ("down", None),
        Some(_) => match probe(spec.ready, &state.topology, ANSWER).await {
            Ok(()) => ("up", None),
            Err(missing) => ("unready", Some(missing)),
        },
    };
    let version = state
        .topology
        .components
        .get(&kind)
        .map(|component| component.version.clone());
    let own = found
        .iter()
        .filter(|process| process.component == Some(kind));
    ComponentStatus {
        name: kind.name().to_owned(),
        version: record
            .map(|record| record.version.clone())
            .or(version)
            .unwrap_or_default(),
        implementation: spec.implementation.name().to_owned(),
        state: name.to_owned(),
        reason,
        pid: process.map(|id| id.pid),
        endpoints: endpoints(kind, &state.topology),
        binary: record
            .map(|record| record.program.clone())
            .unwrap_or_default(),
        log: paths.log(kind),
        rss_bytes: own.map(|process| process.rss).sum(),
        ready_ms: record
            .and_then(|record| record.ready_ms)
            .unwrap_or_default(),
    }
}

fn endpoints(kind: Kind, topology: &Topology) -> BTreeMap<String, String> {
    let shown = topology
        .endpoints(kind)
        .iter()
        .filter(|endpoint| !endpoint.inner);
    shown
        .filter_map(|endpoint| {
            Some((
                endpoint.name.to_owned(),
                topology.url(kind, endpoint.name).ok()?,
            ))
        })
        .collect()
}

/// The pipeline's changefeeds, through its command line.
async fn changefeeds(
    lab: &Lab,
) -> Result<Vec<ChangefeedStatus>, Box<dyn std::error::Error + Send + Sync>> {
    let cdc = lab.cdc()?;
    let now = pd::tso(&lab.endpoint(Kind::Pd, "client")?).await? >> LOGICAL_BITS;
    let listed: Vec<serde_json::Value> =
        serde_json::from_str(&cdc.cli(&["changefeed", "list"]).await?)?;
    let mut found = Vec::new();
    for item in listed {
        let id = item["id"]
            .as_str()
            .ok_or("`changefeed list` shows a changefeed without id")?;
        let detail: serde_json::Value =
            serde_json::from_str(&cdc.cli(&["changefeed", "query", "-c", id]).await?)?;
        found.push(
            changefeed(id, &item, &detail, now)
                .ok_or_else(|| format!("`changefeed query -c {id}` shows {detail}"))?,
        );
    }
    Ok(found)
}

/// From what `changefeed list` and `changefeed query` of either generation show; `now` in milliseconds.
fn changefeed(
    id: &str,
    item: &serde_json::Value,
    detail: &serde_json::Value,
    now: u64,
) -> Option<ChangefeedStatus> {
    let old = detail.get("info").is_some();
    let (uri, checkpoint, state) = match old {
        true => (
            &detail["info"]["sink-uri"],
            &detail["status"]["checkpoint-ts"],
            &detail["info"]["state"],
        ),
        false => (
            &detail["sink_uri"],
            &detail["checkpoint_tso"],
            &detail["state"],
        ),
    };
    // In 4.0 the list has the owner's word on the state.
    let state = item["summary"]["state"].as_str().or(state.as_str())?;
    let checkpoint_tso = checkpoint.as_u64()?;
    Some(ChangefeedStatus {
        id: id.to_owned(),
        state: state.to_owned(),
        sink_uri: uri.as_str()?.to_owned(),
        checkpoint_tso,
        lag_ms: now.saturating_sub(checkpoint_tso >> LOGICAL_BITS),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lab::Implementation;

    #[test]
    fn both_generations_of_changefeeds_are_read() {
        let tso = 1000_u64 << LOGICAL_BITS;
        let old = json!({"info": {"sink-uri": "kafka://a/b", "state": "normal"}, "status": {"checkpoint-ts": tso}});
        let new = json!({"sink_uri": "kafka://a/b", "state": "warning", "checkpoint_tso": tso});
        let listed = json!({"id": "x", "summary": {"state": "stopped"}});
        let found = changefeed("x", &listed, &old, 1012).unwrap();
        assert_eq!(
            (found.state.as_str(), found.lag_ms, found.checkpoint_tso),
            ("stopped", 12, tso)
        );
        let found = changefeed("x", &json!({"id": "x", "summary": null}), &new, 900).unwrap();
        assert_eq!(
            (found.state.as_str(), found.lag_ms, found.sink_uri.as_str()),
            ("warning", 0, "kafka://a/b")
        );
        assert!(changefeed("x", &listed, &json!({"info": null}), 0).is_none());
    }

    #[test]
    fn the_contract_has_these_names() {
        let status = Status {
            name: "default".to_owned(),
            profile: "current".to_owned(),
            backend: "native".to_owned(),
            state: "up".to_owned(),
            components: vec![ComponentStatus {
                name: "tidb".to_owned(),
                version: "8.5.3".to_owned(),
                implementation: Implementation::Embedded.name().to_owned(),
                state: "up".to_owned(),
                reason: None,
                pid: Some(123),
                endpoints: BTreeMap::from([("mysql".to_owned(), "127.0.0.1:14000".to_owned())]),
                binary: "b".into(),
                log: "l".into(),
                rss_bytes: 1,
                ready_ms: 2,
            }],
            changefeeds: vec![ChangefeedStatus {
                id: "x".to_owned(),
                state: "normal".to_owned(),
                sink_uri: "kafka://a/b".to_owned(),
                checkpoint_tso: 3,
                lag_ms: 4,
            }],
            changefeeds_error: None,
        };
        let expected = json!({
            "name": "default", "profile": "current", "backend": "native", "state": "up",
            "components": [{"name": "tidb", "version": "8.5.3", "implementation": "embedded", "state": "up", "pid": 123,
                "endpoints": {"mysql": "127.0.0.1:14000"}, "binary": "b", "log": "l", "rss_bytes": 1, "ready_ms": 2}],
            "changefeeds": [{"id": "x", "state": "normal", "sink_uri": "kafka://a/b", "checkpoint_tso": 3, "lag_ms": 4}],
        });
        assert_eq!(serde_json::to_value(status).unwrap(), expected);
    }
}
