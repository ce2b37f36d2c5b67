//! Orders to the owner, `tso` and `unsafe` of v4.0.9.

use super::{
    super::{Failure, Outcome, Terminal, flags::Values, modern::confirm_meta},
    cluster::Cluster,
    create::confirm_lag,
};
use crate::changefeed::{
    info::AdminJob,
    keys::{Id, ROOT},
};

pub(super) async fn pause(cluster: &Cluster, values: &Values) -> Outcome {
    cluster
        .order(values.text("changefeed-id"), AdminJob::Stop, false)
        .await
}

pub(super) async fn resume(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    let id = values.text("changefeed-id");
    if let Some(status) = cluster.status(&Id::default(id)).await? {
        let now = cluster.upstream().await?.tso().await?;
        confirm_lag(terminal, values, status.checkpoint_ts, now)?;
    }
    cluster.order(id, AdminJob::Resume, false).await
}

pub(super) async fn remove(cluster: &Cluster, values: &Values) -> Outcome {
    let id = values.text("changefeed-id");
    cluster
        .order(id, AdminJob::Remove, values.on("force"))
        .await
}

pub(super) async fn tso(cluster: &Cluster, terminal: &mut Terminal<'_>) -> Outcome {
    terminal.line(cluster.upstream().await?.tso().await?);
    Ok(())
}

pub(super) async fn show_metadata(cluster: &Cluster, terminal: &mut Terminal<'_>) -> Outcome {
    let (pairs, _) = cluster
        .etcd
        .list(&format!("{ROOT}/"))
        .await
        .map_err(|error| cluster.failed(error))?;
    for pair in &pairs {
        terminal.line(format_args!(
            "Key: {}, Value: {}",
            String::from_utf8_lossy(&pair.key),
            String::from_utf8_lossy(&pair.value)
        ));
    }
    terminal.line(format_args!("Show {} KVs", pairs.len()));
    Ok(())
}

pub(super) async fn reset(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    confirm_meta(values, terminal)?;
    cluster
        .etcd
        .delete_prefix(&format!("{ROOT}/"))
        .await
        .map_err(|error| cluster.failed(error))?;
    terminal.line("reset and all metadata truncated in PD!");
    Ok(())
}

pub(super) async fn delete_safepoint(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    confirm_meta(values, terminal)?;
    cluster
        .upstream()
        .await?
        .update_service_safepoint("ticdc", 0, 0)
        .await
        .map_err(|error| Failure(format!("truncate the safepoint of ticdc: {error}")))?;
    terminal.line("CDC service GC safepoint truncated in PD!");
    Ok(())
}
