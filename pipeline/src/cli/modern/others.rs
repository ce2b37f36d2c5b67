//! `cdc cli capture | processor | tso | unsafe`.

use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::{
    super::{Failure, Outcome, Terminal, flags::Values, pd, prompt},
    changefeed::now,
    client::Client,
    print,
};
use crate::{
    api::model::{Capture, KeyValue, List, Processor, ProcessorTables, ResolveLock},
    changefeed::keys::{ROOT, SPREAD},
    model::{compose_ts, physical_ms},
    upstream::Upstream,
};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ShownCapture {
    id: String,
    is_owner: bool,
    address: String,
    cluster_id: String,
}

pub(super) async fn captures(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let list: List<Capture> = client.get("captures").await?;
    let shown: Vec<ShownCapture> = list
        .items
        .into_iter()
        .map(|capture| ShownCapture {
            id: capture.id,
            is_owner: capture.is_owner,
            address: capture.address,
            cluster_id: capture.cluster_id,
        })
        .collect();
    print(terminal, &shown)
}

pub(super) async fn processors(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let list: List<Processor> = client.get("processors").await?;
    print(terminal, &list.items)
}

pub(super) async fn processor(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let path = format!(
        "processors/{}/{}",
        values.text("changefeed-id"),
        values.text("capture-id")
    );
    let tables: ProcessorTables = client.get(&path).await?;
    let tables: serde_json::Map<String, serde_json::Value> = tables
        .table_ids
        .iter()
        .map(|id| (id.to_string(), json!({"start-ts": 0})))
        .collect();
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Status {
        tables: serde_json::Map<String, serde_json::Value>,
        operation: (),
        admin_job_type: i32,
    }
    #[derive(Serialize)]
    struct Shown {
        status: Status,
        position: (),
    }
    let status = Status {
        tables,
        operation: (),
        admin_job_type: 0,
    };
    print(
        terminal,
        &Shown {
            status,
            position: (),
        },
    )
}

pub(super) async fn tso(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let ts = if values.text("pd").is_empty() {
        now(&Client::new(values).await?).await?
    } else {
        upstream(values).await?.tso().await?
    };
    terminal.line(ts);
    Ok(())
}

async fn upstream(values: &Values) -> Result<Upstream, Failure> {
    let given = values.text("pd");
    pd::check(given)?;
    Upstream::connect(&pd::endpoints(given))
        .await
        .map_err(|_| pd::unreachable(given))
}

pub(super) async fn show_metadata(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let client = Client::new(values).await?;
    let pairs: Vec<KeyValue> = client.get("unsafe/metadata").await?;
    for pair in &pairs {
        terminal.line(format_args!("Key: {}, Value: {}", pair.key, pair.value));
    }
    terminal.line(format_args!("Show {} KVs", pairs.len()));
    Ok(())
}

/// Makes sure that a dangerous command is meant.
pub(in crate::cli) fn confirm_meta(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    if values.on("no-confirm") {
        return Ok(());
    }
    terminal
        .line("Confirm that you know what this command will do and use it at your own risk [Y/N]");
    match prompt::read(terminal) {
        prompt::Answer::Yes => Ok(()),
        _ => Err(Failure("abort meta command".to_owned())),
    }
}

pub(super) async fn reset(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    confirm_meta(values, terminal)?;
    let given = values.text("pd");
    if given.is_empty() {
        return Err(Failure("--pd is needed to reset the metadata".to_owned()));
    }
    pd::check(given)?;
    let etcd = pd::etcd(given)?;
    etcd.delete_prefix(&format!("{ROOT}/")).await?;
    etcd.delete_prefix(&format!("{SPREAD}/")).await?;
    terminal.line("reset and all metadata truncated in PD!");
    Ok(())
}

/// Locks younger than this are not resolved unless that is asked for: their transactions may go on.
const YOUNG_MS: u64 = 60_000;

pub(super) async fn resolve_lock(values: &Values) -> Outcome {
    let client = Client::new(values).await?;
    let ts = match values.uint("ts") {
        0 => compose_ts(physical_ms(now(&client).await?).saturating_sub(YOUNG_MS), 0),
        ts => ts,
    };
    let request = ResolveLock {
        region_id: values.uint("region"),
        ts,
    };
    client
        .send(Method::POST, "unsafe/resolve_lock", &request)
        .await?;
    Ok(())
}

pub(super) async fn delete_safepoint(values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    confirm_meta(values, terminal)?;
    let client = Client::new(values).await?;
    client
        .send(Method::DELETE, "unsafe/service_gc_safepoint", &json!({}))
        .await?;
    terminal.line("CDC service GC safepoint truncated in PD!");
    Ok(())
}
