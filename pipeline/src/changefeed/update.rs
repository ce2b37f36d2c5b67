//! Changing what a changefeed is (`spec/cli-and-api.md §2`).

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;

use super::{create, info::Info, keys::Id};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::{filter::TableFilter, replica::api, validate},
    model::Ts,
};

/// What is to change; what is not named stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Where it ends.
    #[serde(skip_serializing_if = "is_zero")]
    pub target_ts: Ts,
    /// Where to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sink_uri: String,
    /// How, as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_config: Option<api::ReplicaConfig>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(ts: &Ts) -> bool {
    *ts == 0
}

/// Of a `sink` that is given, what is not named is not there: other than in a request to create, where defaults stand
/// behind it.
fn whole_sink(config: &mut Value) -> serde_json::Result<()> {
    let defaults = serde_json::to_value(api::SinkConfig::default())?;
    let sink = config.get_mut("sink").and_then(Value::as_object_mut);
    if let (Some(sink), Value::Object(defaults)) = (sink, defaults) {
        for (name, _) in defaults {
            sink.entry(name).or_insert(Value::Null);
        }
    }
    Ok(())
}

/// Reads a request, whose `sink` replaces the one before as a whole.
///
/// # Errors
/// When it is not the JSON of a request.
pub fn parse(body: &[u8]) -> serde_json::Result<Request> {
    let mut request: Value = serde_json::from_slice(body)?;
    if let Some(config) = request.get_mut("replica_config") {
        whole_sink(config)?;
    }
    serde_json::from_value(request)
}

/// Reads a configuration as an answer shows it: what it leaves out is not there.
///
/// # Errors
/// When it is not one.
pub fn shown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<api::ReplicaConfig, D::Error> {
    let mut config = Value::deserialize(deserializer)?;
    whole_sink(&mut config).map_err(de::Error::custom)?;
    serde_json::from_value(config).map_err(de::Error::custom)
}

fn refused(reason: impl std::fmt::Display) -> Coded {
    Coded::wrap(Code::ErrChangefeedUpdateRefused, reason)
}

/// What is said of a changefeed that runs.
#[must_use]
pub fn running() -> Coded {
    refused("can only update changefeed config when it is stopped or failed")
}

/// The changefeed after the change, checked as when it was created.
///
/// # Errors
/// `ErrChangefeedUpdateRefused`.
pub async fn apply(old: &Info, request: Request, compat: Compat) -> Result<Info, Coded> {
    let mut info = old.clone();
    info.config.forget_unused();
    let before = info.clone();
    if request.target_ts != 0 {
        if request.target_ts <= info.start_ts {
            return Err(refused(format_args!(
                "can not update target_ts:{} less than start_ts:{}",
                request.target_ts, info.start_ts
            )));
        }
        info.target_ts = request.target_ts;
    }
    let mut sink_changed = false;
    if let Some(config) = request.replica_config {
        info.config = config.replacing();
        sink_changed = true;
    }
    if !request.sink_uri.is_empty() {
        info.sink_uri = request.sink_uri;
        sink_changed = true;
    }
    if sink_changed {
        let uri = create::parse_uri(&info.sink_uri).map_err(refused)?;
        validate::adjust(&mut info.config, &uri).map_err(refused)?;
        let rules = &info.config.filter.rules;
        TableFilter::new(rules, info.config.case_sensitive, compat).map_err(refused)?;
        create::event_filters(&info.config, compat).map_err(refused)?;
        let id = Id::new(&info.namespace, &info.id);
        create::check_sink(&uri, &info.config, compat, &id)
            .await
            .map_err(refused)?;
    }
    if info == before {
        return Err(refused(
            "changefeed config is the same with the old one, do nothing",
        ));
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_replaced_whole() {
        let request = parse(
            br#"{"replica_config": {"case_sensitive": true, "sink": {"protocol": "canal-json"}}}"#,
        )
        .unwrap();
        let sink = request.replica_config.unwrap().sink.unwrap();
        assert_eq!(sink.protocol.as_deref(), Some("canal-json"));
        assert_eq!((sink.csv, sink.terminator), (None, None));
        let request = parse(br#"{"replica_config": {}}"#).unwrap();
        assert!(request.replica_config.unwrap().sink.is_none());
        assert!(parse(b"{}").unwrap().replica_config.is_none());
        assert!(parse(b"[").is_err());
    }
}
