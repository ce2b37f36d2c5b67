//! `cdc cli changefeed list | query | pause | resume | remove | statistics`.

use std::time::Duration;

use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::{
    super::{Failure, Outcome, Terminal, flags::Values, prompt},
    client::{CallError, Client, namespace, path},
    print,
};
use crate::{
    api::model::{ChangefeedInfo, Common, List, ShownError, TaskStatus, Tso},
    changefeed::{clock::lag_ms, info::State},
    coded::{Code, Coded},
    config::{golang, replica::api},
    model::{Ts, compose_ts},
};

/// A lag from which users are asked whether they mean it.
const LONG_LAG_MS: u64 = 24 * 3600 * 1000;

#[derive(Serialize)]
struct Summary {
    state: State,
    tso: Ts,
    checkpoint: String,
    error: Option<ShownError>,
}

#[derive(Serialize)]
struct Item {
    id: String,
    namespace: String,
    summary: Summary,
}

pub(super) async fn list(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let path = format!("changefeeds?namespace={}&state=all", namespace(values));
    let list: List<Common> = client.get(&path).await?;
    let all = values.on("all");
    let items: Vec<Item> = list
        .items
        .into_iter()
        .filter(|item| all || !matches!(item.state, State::Finished | State::Removed))
        .map(|item| Item {
            id: item.id,
            namespace: item.namespace,
            summary: Summary {
                state: item.state,
                tso: item.checkpoint_tso,
                checkpoint: item.checkpoint_time,
                error: item.error,
            },
        })
        .collect();
    print(terminal, &items)
}

#[derive(Serialize)]
struct Detail {
    upstream_id: u64,
    namespace: String,
    id: String,
    sink_uri: String,
    config: api::ReplicaConfig,
    create_time: String,
    start_ts: Ts,
    resolved_ts: Ts,
    target_ts: Ts,
    checkpoint_tso: Ts,
    checkpoint_time: String,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ShownError>,
    creator_version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    task_status: Vec<TaskStatus>,
}

pub(super) async fn query(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    if values.on("simple") {
        let list: List<Common> = client
            .get(&format!(
                "changefeeds?namespace={}&state=all",
                namespace(values)
            ))
            .await?;
        let id = values.text("changefeed-id");
        return match list.items.into_iter().find(|item| item.id == id) {
            Some(item) => print(terminal, &item),
            None => Err(not_found(values)),
        };
    }
    let info: ChangefeedInfo = client.get(&path(values, "")).await?;
    print(
        terminal,
        &Detail {
            upstream_id: info.upstream_id,
            namespace: info.namespace,
            id: info.id,
            sink_uri: info.sink_uri,
            config: info.config,
            create_time: info.create_time.local_text(),
            start_ts: info.start_ts,
            resolved_ts: info.resolved_ts,
            target_ts: info.target_ts,
            checkpoint_tso: info.checkpoint_ts,
            checkpoint_time: info.checkpoint_time,
            state: info.state,
            error: info.error,
            creator_version: info.creator_version,
            task_status: info.task_status,
        },
    )
}

fn not_found(values: &Values) -> Failure {
    Failure(
        Coded::new(
            Code::ErrChangeFeedNotExists,
            format!(
                "changefeed not exists, {}/{}",
                values.text("namespace"),
                values.text("changefeed-id")
            ),
        )
        .to_string(),
    )
}

pub(super) async fn pause(values: &Values) -> Outcome {
    let client = Client::new(values).await?;
    client
        .send(Method::POST, &path(values, "pause"), &json!({}))
        .await?;
    Ok(())
}

/// PD's time.
pub(super) async fn now(client: &Client) -> Result<Ts, Failure> {
    let answer = client
        .call::<_, Tso>(Method::POST, "tso", Some(&json!({})))
        .await?;
    Ok(compose_ts(answer.value.timestamp, answer.value.logic_time))
}

/// Asks whether a long way to catch up is meant; whether it is.
pub(super) fn confirm_lag(terminal: &mut Terminal<'_>, values: &Values, from: Ts, now: Ts) -> bool {
    let lag = lag_ms(from, now);
    if values.on("no-confirm") || lag < LONG_LAG_MS {
        return true;
    }
    let nanos = i64::try_from(lag.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    terminal.line(format_args!(
        "Replicate lag ({}) is larger than 1 days, large data may cause OOM, confirm to continue at your own risk [Y/N]",
        golang::duration_text(nanos)
    ));
    prompt::confirmed(terminal)
}

pub(super) async fn resume(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let info: ChangefeedInfo = client.get(&path(values, "")).await?;
    let current = now(&client).await?;
    let given = values.text("overwrite-checkpoint-ts");
    let overwrite = match given {
        "" => None,
        text if text.eq_ignore_ascii_case("now") => Some(current),
        text => {
            let ts = golang::parse_uint(text).ok().filter(|ts| *ts != 0);
            let ts = ts.ok_or_else(|| {
                Failure(
                    Coded::new(
                        Code::ErrCliInvalidCheckpointTs,
                        format!("invalid overwrite-checkpoint-ts {text}, overwrite-checkpoint-ts only accept 'now' or a valid timestamp in integer"),
                    )
                    .to_string(),
                )
            })?;
            if ts > current {
                return Err(Failure(
                    Coded::new(
                        Code::ErrCliCheckpointTsIsInFuture,
                        format!(
                            "the overwrite-checkpoint-ts {ts} must be smaller than current TSO"
                        ),
                    )
                    .to_string(),
                ));
            }
            Some(ts)
        }
    };
    if let Some(ts) = overwrite
        && !values.on("no-confirm")
    {
        terminal.line(format_args!(
            "You are ready to overwrite the checkpoint of changefeed `{}` from {} to {ts}. This may cause data loss or \
             duplicate data, please make sure you know what you are doing.\nConfirm to continue at your own risk [Y/N]",
            info.id, info.checkpoint_ts
        ));
        if !prompt::confirmed(terminal) {
            terminal.line(
                "The changefeed is not resumed because you don't want to overwrite its checkpoint.",
            );
            return Ok(());
        }
    } else if overwrite.is_none() && !confirm_lag(terminal, values, info.checkpoint_ts, current) {
        terminal
            .line("The changefeed is not resumed because you don't want to replicate that much.");
        return Ok(());
    }
    let body = json!({"overwrite_checkpoint_ts": overwrite.unwrap_or_default()});
    client
        .send(Method::POST, &path(values, "resume"), &body)
        .await?;
    Ok(())
}

pub(super) async fn remove(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let id = values.text("changefeed-id");
    let absent = Code::ErrChangeFeedNotExists.as_str();
    let info: ChangefeedInfo = match client.get(&path(values, "")).await {
        Ok(info) => info,
        Err(CallError::Refused { code, .. }) if code == absent => {
            terminal.line(format_args!("Changefeed not found.\nID: {id}"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    client
        .send(Method::DELETE, &path(values, ""), &json!({}))
        .await?;
    terminal.line(format_args!(
        "Changefeed remove successfully.\nID: {}\nCheckpointTs: {}\nSinkURI: {}",
        info.id, info.checkpoint_ts, info.sink_uri
    ));
    Ok(())
}

pub(super) async fn statistics(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let mut pace = tokio::time::interval(Duration::from_secs(values.uint("interval").max(1)));
    // the first line comes after one interval
    pace.tick().await;
    loop {
        pace.tick().await;
        let info: ChangefeedInfo = match client.get(&path(values, "")).await {
            Ok(info) => info,
            Err(CallError::Refused { code, .. })
                if code == Code::ErrChangeFeedNotExists.as_str() =>
            {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let current = now(&client).await?;
        let sink_gap = lag_ms(info.checkpoint_ts, info.resolved_ts);
        let replication_gap = lag_ms(info.checkpoint_ts, current);
        terminal.line(golang::json(&json!({
            "sink_gap": format!("{sink_gap}ms"),
            "replication_gap": format!("{replication_gap}ms"),
        }))?);
        let _ = terminal.out.flush();
    }
}
