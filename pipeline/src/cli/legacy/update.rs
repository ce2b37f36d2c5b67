//! `cdc cli changefeed update` of v4.0.9: the flags replace the whole configuration, defaults included.

use super::{
    super::{Failure, Outcome, Terminal, diff, flags::Values},
    cluster::{Cluster, Owner},
    create::{agreed, from_flags},
};
use crate::{changefeed::keys::Id, config::golang};

pub(super) async fn run(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    let id = values.text("changefeed-id");
    let feed = Id::default(id);
    let old = cluster.info(&feed).await?.ok_or_else(|| {
        Failure(format!(
            "[CDC:ErrChangeFeedNotExists]changefeed not exists, key: {}",
            cluster.keys.info(&feed)
        ))
    })?;
    let Some(mut info) = from_flags(cluster, values, terminal, id, Some(&old)).await? else {
        return Ok(());
    };
    info.create_time = old.create_time;
    info.admin_job_type = old.admin_job_type;
    info.start_ts = old.start_ts;
    info.history.clone_from(&old.history);
    info.error.clone_from(&old.error);
    if let Owner::Answered(status) = cluster.summary(id).await?
        && !status.contains("\"state\": \"stopped\"")
    {
        return Err(Failure(format!(
            "can only update changefeed config when it is stopped\nstatus: {status}"
        )));
    }
    let lines = diff::lines(&serde_json::to_value(&old)?, &serde_json::to_value(&info)?);
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
        if !agreed(terminal)? {
            // sic
            terminal.line("No upadte to changefeed.");
            return Ok(());
        }
    }
    let json = golang::json(&info)?;
    cluster
        .etcd
        .put(&cluster.keys.info(&feed), json.clone(), 0)
        .await
        .map_err(|error| cluster.failed(error))?;
    terminal.line(format_args!(
        "Update changefeed config successfully! Will take effect only if the changefeed has been paused before this \
         command\nID: {id}\nInfo: {json}"
    ));
    Ok(())
}
