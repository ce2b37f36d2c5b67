//! `cdc cli changefeed update`.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use super::{
    super::{Failure, Outcome, Terminal, diff, flags::Values, hints, prompt},
    client::{Client, path},
};
use crate::{
    api::model::ChangefeedInfo,
    changefeed::update::Request,
    compat::Compat,
    config::{file, replica::ReplicaConfig},
};

/// A changefeed as differences of it are shown.
fn document(
    target_ts: u64,
    sink_uri: &str,
    config: &ReplicaConfig,
) -> Result<serde_json::Value, Failure> {
    Ok(json!({
        "target-ts": target_ts,
        "sink-uri": sink_uri,
        "config": serde_json::to_value(config)?,
    }))
}

pub(super) async fn run(compat: Compat, values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let old: ChangefeedInfo = client.get(&path(values, "")).await?;
    let mut before = old.config.clone().replacing();
    before.forget_unused();
    let mut config = before.clone();
    let mut target_ts = old.target_ts;
    let mut sink_uri = old.sink_uri.clone();
    if values.has("target-ts") {
        target_ts = values.uint("target-ts");
    }
    if values.has("sink-uri") {
        values.text("sink-uri").clone_into(&mut sink_uri);
        hints::print(terminal, hints::of_uri(&sink_uri, compat, true));
    }
    if values.has("config") {
        config = file::read(Path::new(values.text("config")), &config, compat)?;
        // reading fills what other sinks use; what they would refuse is kept
        let (sync_point, bdr) = (config.enable_sync_point, config.bdr_mode);
        config.forget_unused();
        config.recall_unused();
        config.enable_sync_point = sync_point.filter(|on| *on);
        config.bdr_mode = bdr.filter(|on| *on);
    }
    if values.has("schema-registry") {
        config.sink.schema_registry = Some(values.text("schema-registry").to_owned());
    }
    let changed = values.has("config") || values.has("schema-registry");
    let lines = diff::lines(
        &document(old.target_ts, &old.sink_uri, &before)?,
        &document(target_ts, &sink_uri, &config)?,
    );
    if lines.is_empty() {
        terminal.line("changefeed config is the same with the old one, do nothing");
        return Ok(());
    }
    terminal.line("Diff of changefeed config:");
    for line in lines {
        terminal.line(line);
    }
    if !values.on("no-confirm") {
        terminal.line("Could you agree to apply changes above to changefeed [Y/N]");
        if !prompt::confirmed(terminal) {
            terminal.line("No update to changefeed.");
            return Ok(());
        }
    }
    let request = Request {
        target_ts: if values.has("target-ts") {
            target_ts
        } else {
            0
        },
        // what was shown has its passwords masked: only what was given is sent
        sink_uri: if values.has("sink-uri") {
            sink_uri
        } else {
            String::new()
        },
        replica_config: changed.then(|| config.into()),
    };
    let answer = client
        .call::<_, ChangefeedInfo>(Method::PUT, &path(values, ""), Some(&request))
        .await?;
    // the blank before the end of the line is the original's
    terminal.line(format_args!(
        "Update changefeed config successfully! \nID: {}\nInfo: {}",
        answer.value.id, answer.text
    ));
    hints::print(terminal, answer.hints);
    Ok(())
}
