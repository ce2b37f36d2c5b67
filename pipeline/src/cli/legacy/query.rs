//! Looking at changefeeds, captures and processors in v4.0.9.

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

use super::{
    super::{Failure, Outcome, Terminal, flags::Values},
    cluster::{Cluster, Owner, no_owner},
    print,
};
use crate::{
    changefeed::{
        clock::lag_ms,
        keys::Id,
        legacy::{JobStatus, LegacyInfo, LegacyPosition, Summary, TaskStatus},
    },
    config::golang,
};

pub(super) async fn list(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    #[derive(Serialize)]
    struct Item {
        id: String,
        summary: Option<Summary>,
    }
    let mut ids: BTreeSet<String> = cluster
        .ids(&cluster.keys.info_prefix())
        .await?
        .into_iter()
        .collect();
    if values.on("all") {
        ids.extend(cluster.ids(&cluster.keys.job_prefix()).await?);
    }
    let mut items = Vec::new();
    for id in ids {
        let summary = match cluster.summary(&id).await {
            Ok(Owner::Answered(text)) => Some(serde_json::from_str(&text)?),
            Ok(Owner::Absent) => {
                terminal.note("[WARN] query changefeed info failed: owner not found");
                None
            }
            Err(failure) => {
                terminal.note(format_args!(
                    "[WARN] query changefeed info failed: {}",
                    failure.0
                ));
                None
            }
        };
        items.push(Item { id, summary });
    }
    print(terminal, &items)
}

pub(super) async fn query(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Task {
        capture_id: String,
        status: TaskStatus,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Meta {
        info: Option<LegacyInfo>,
        status: Option<JobStatus>,
        count: u64,
        task_status: Vec<Task>,
    }
    let id = values.text("changefeed-id");
    if values.on("simple") {
        return match cluster.summary(id).await? {
            Owner::Answered(text) => {
                terminal.line(text);
                Ok(())
            }
            Owner::Absent => Err(no_owner()),
        };
    }
    let feed = Id::default(id);
    let info = cluster.info(&feed).await?;
    let status = cluster.status(&feed).await?;
    if info.is_none() {
        terminal.note(
            "[WARN] this changefeed has been deleted, the residual meta data will be completely deleted within 24 hours.",
        );
    }
    let positions = cluster.task_positions().await?;
    let of_this = |of: &(String, String)| of.1 == id;
    let count = positions
        .iter()
        .filter(|(of, _)| of_this(of))
        .map(|(_, position)| position.count)
        .sum();
    let task_status = cluster
        .task_statuses()
        .await?
        .into_iter()
        .filter(|(of, _)| of_this(of))
        .map(|((capture_id, _), status)| Task { capture_id, status })
        .collect();
    print(
        terminal,
        &Meta {
            info,
            status,
            count,
            task_status,
        },
    )
}

pub(super) async fn captures(cluster: &Cluster, terminal: &mut Terminal<'_>) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Capture {
        id: String,
        is_owner: bool,
        address: String,
    }
    let (captures, owner) = cluster.captures().await?;
    let shown: Vec<Capture> = captures
        .into_iter()
        .map(|capture| Capture {
            is_owner: Some(&capture.id) == owner.as_ref(),
            id: capture.id,
            address: capture.address,
        })
        .collect();
    print(terminal, &shown)
}

pub(super) async fn processors(cluster: &Cluster, terminal: &mut Terminal<'_>) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Processor {
        changefeed_id: String,
        capture_id: String,
    }
    let shown: Vec<Processor> = cluster
        .task_statuses()
        .await?
        .into_keys()
        .map(|(capture_id, changefeed_id)| Processor {
            changefeed_id,
            capture_id,
        })
        .collect();
    print(terminal, &shown)
}

pub(super) async fn processor(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    #[derive(Serialize)]
    struct Processor {
        status: TaskStatus,
        position: LegacyPosition,
    }
    let of = (
        values.text("capture-id").to_owned(),
        values.text("changefeed-id").to_owned(),
    );
    let absent = |what: &str, code: &str| {
        Failure(format!(
            "[CDC:{code}]task {what} not exists, key: {}{}/{}",
            cluster.keys.task_prefix(what),
            of.0,
            of.1
        ))
    };
    let status = cluster
        .task_statuses()
        .await?
        .remove(&of)
        .ok_or_else(|| absent("status", "ErrTaskStatusNotExists"))?;
    let position = cluster
        .task_positions()
        .await?
        .remove(&of)
        .ok_or_else(|| absent("position", "ErrTaskPositionNotExists"))?;
    print(terminal, &Processor { status, position })
}

pub(super) async fn statistics(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    #[derive(Serialize)]
    struct Line {
        ops: u64,
        count: u64,
        sink_gap: String,
        replication_gap: String,
    }
    let id = values.text("changefeed-id");
    let upstream = cluster.upstream().await?;
    let interval = values.uint("interval").max(1);
    let mut pace = tokio::time::interval(Duration::from_secs(interval));
    pace.tick().await;
    let mut last = 0;
    loop {
        pace.tick().await;
        let now = upstream.tso().await?;
        let Some(status) = cluster.status(&Id::default(id)).await? else {
            return Err(Failure(format!(
                "[CDC:ErrChangeFeedNotExists]changefeed not exists, key: {id}"
            )));
        };
        let count: u64 = cluster
            .task_positions()
            .await?
            .iter()
            .filter(|(of, _)| of.1 == id)
            .map(|(_, position)| position.count)
            .sum();
        let line = Line {
            ops: count.saturating_sub(last) / interval,
            count,
            sink_gap: format!("{}ms", lag_ms(status.checkpoint_ts, status.resolved_ts)),
            replication_gap: format!("{}ms", lag_ms(status.checkpoint_ts, now)),
        };
        last = count;
        terminal.line(golang::json(&line)?);
        let _ = terminal.out.flush();
    }
}
