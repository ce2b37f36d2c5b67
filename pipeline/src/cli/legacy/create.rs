//! `cdc cli changefeed create` of v4.0.9: all checks are made here, the sink included.

use std::path::Path;

use super::{
    super::{Failure, Outcome, Terminal, flags::Values, hints, prompt},
    cluster::Cluster,
};
use crate::{
    changefeed::{
        clock::{GoTime, lag_ms},
        create::{self, TableName, is_valid_name},
        info::{AdminJob, State},
        keys::{DEFAULT_NAMESPACE, Id},
        legacy::LegacyInfo,
    },
    coded::{Code, Coded},
    compat::Compat,
    config::{
        file, filter::TableFilter, golang, kafka::Identity, legacy::LegacyConfig, replica::Nanos,
        uri::SinkUri,
    },
    etcd,
    model::Ts,
    sink::{
        kafka::cluster::Cluster as _,
        prepare::{self, Kafka},
    },
    upstream::Upstream,
};

const COMPAT: Compat = Compat::V4_0_9;
/// The service under which a start-ts is held.
const CREATING: &str = "ticdc-changefeed-creating";
/// For how long, in seconds.
const CREATING_TTL: i64 = 600;
/// A lag from which users are asked whether they mean it.
const LONG_LAG_MS: u64 = 24 * 3600 * 1000;

/// Tables as the original prints them.
fn tables_text(tables: &[TableName]) -> String {
    let list: Vec<_> = tables
        .iter()
        .map(|table| {
            format!(
                "model.TableName{{Schema:{}, Table:{}, TableID:0, IsPartition:false}}",
                golang::quote(&table.database_name),
                golang::quote(&table.table_name)
            )
        })
        .collect();
    format!("[]model.TableName{{{}}}", list.join(", "))
}

/// Asks; whether the answer is yes. Nobody to answer is an error here.
pub(super) fn agreed(terminal: &mut Terminal<'_>) -> Result<bool, Failure> {
    match prompt::read(terminal) {
        prompt::Answer::Yes => Ok(true),
        prompt::Answer::No => Ok(false),
        prompt::Answer::Nobody => Err(Failure("EOF".to_owned())),
    }
}

/// Asks whether a long way to catch up is meant.
pub(super) fn confirm_lag(
    terminal: &mut Terminal<'_>,
    values: &Values,
    from: Ts,
    now: Ts,
) -> Outcome {
    let lag = lag_ms(from, now);
    if values.on("no-confirm") || lag < LONG_LAG_MS {
        return Ok(());
    }
    let nanos = i64::try_from(lag.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    terminal.line(format_args!(
        "Replicate lag ({}) is larger than 1 days, large data may cause OOM, confirm to continue at your own risk [Y/N]",
        golang::duration_text(nanos)
    ));
    match agreed(terminal)? {
        true => Ok(()),
        false => Err(Failure("abort changefeed create or resume".to_owned())),
    }
}

/// From where a new changefeed starts, checked.
async fn start(
    upstream: &Upstream,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Result<Ts, Failure> {
    let now = upstream.tso().await?;
    let start_ts = match values.uint("start-ts") {
        0 => now,
        start_ts => start_ts,
    };
    if !values.on("disable-gc-check") {
        let least = upstream
            .update_service_safepoint(CREATING, CREATING_TTL, start_ts)
            .await?;
        if start_ts < least {
            return Err(Failure(format!(
                "startTs less than gcSafePoint: [tikv:9006]GC life time is shorter than transaction duration, \
                 transaction starts at {start_ts}, GC safe point is {least}"
            )));
        }
    }
    confirm_lag(terminal, values, start_ts, now)?;
    let target_ts = values.uint("target-ts");
    if target_ts > 0 && target_ts <= start_ts {
        return Err(Failure(format!(
            "target-ts {target_ts} must be larger than start-ts: {start_ts}"
        )));
    }
    Ok(start_ts)
}

fn config(values: &Values, terminal: &mut Terminal<'_>) -> Result<LegacyConfig, Failure> {
    let base = LegacyConfig::default();
    let mut config = match values.text("config") {
        "" => base,
        path => file::read(Path::new(path), &base, COMPAT)?,
    };
    if values.on("disable-gc-check") {
        config.check_gc_safe_point = false;
    }
    if values.uint("cyclic-replica-id") != 0 || !values.text("cyclic-filter-replica-ids").is_empty()
    {
        let reason = crate::config::kafka::unsupported("cyclic replication");
        return Err(Failure(reason.to_string()));
    }
    if !config.enable_old_value {
        let canal = SinkUri::parse(values.text("sink-uri"))
            .is_ok_and(|uri| uri.param("protocol") == Some("canal"));
        if canal {
            terminal.note(
                "[WARN] Attempting to use Canal without old value. CDC will enable old value and continue.",
            );
            config.enable_old_value = true;
        }
        if config.force_replicate {
            return Err(Failure(
                Coded::new(Code::ErrOldValueNotEnabled, "old value is not enabled").to_string(),
            ));
        }
    }
    Ok(config)
}

/// A changefeed from the flags, checked in the original's order; none if the user does not want it. `old` is there when
/// one is changed.
pub(super) async fn from_flags(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
    id: &str,
    old: Option<&LegacyInfo>,
) -> Result<Option<LegacyInfo>, Failure> {
    let upstream = cluster.upstream().await?;
    let (start_ts, schema_ts) = match old {
        None => {
            let start_ts = start(&upstream, values, terminal).await?;
            (start_ts, start_ts)
        }
        Some(old) => (old.start_ts, upstream.tso().await?),
    };
    let mut config = config(values, terminal)?;
    let uri_text = values.text("sink-uri");
    hints::print(
        terminal,
        hints::of_uri(uri_text, COMPAT, config.enable_old_value),
    );
    let filter = TableFilter::new(&config.filter.rules, config.case_sensitive, COMPAT)?;
    let tables = create::tables(&upstream, &filter, None, None, schema_ts, COMPAT).await?;
    if !tables.ineligible_tables.is_empty() {
        let shown = tables_text(&tables.ineligible_tables);
        if config.force_replicate {
            terminal.line(format_args!(
                "[WARN] force to replicate some ineligible tables, {shown}"
            ));
        } else {
            terminal.line(format_args!(
                "[WARN] some tables are not eligible to replicate, {shown}"
            ));
            if !values.on("no-confirm") {
                terminal.line(
                    "Could you agree to ignore those tables, and continue to replicate [Y/N]",
                );
                if !agreed(terminal)? {
                    terminal.line(
                        "No changefeed is created because you don't want to ignore some tables.",
                    );
                    return Ok(None);
                }
            }
        }
    }
    let mut opts: std::collections::BTreeMap<String, String> = values
        .pairs("opts")
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    check_sink(uri_text, &mut config, &mut opts, id, terminal).await?;
    Ok(Some(LegacyInfo {
        sink_uri: uri_text.to_owned(),
        opts,
        create_time: GoTime::now(),
        start_ts,
        target_ts: values.uint("target-ts"),
        admin_job_type: AdminJob::None,
        sort_engine: values.text("sort-engine").to_owned(),
        sort_dir: values.text("sort-dir").to_owned(),
        config,
        state: State::Normal,
        history: None,
        error: None,
        sync_point_enabled: values.on("sync-point"),
        sync_point_interval: Nanos(values.nanos("sync-interval")),
    }))
}

/// Opens the sink for a moment, and says what the topic does not take.
async fn check_sink(
    text: &str,
    config: &mut LegacyConfig,
    opts: &mut std::collections::BTreeMap<String, String>,
    id: &str,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    let uri = SinkUri::parse(text)
        .map_err(|error| Failure(Coded::wrap(Code::ErrSinkURIInvalid, error).to_string()))?;
    let identity = Identity {
        capture: "",
        namespace: DEFAULT_NAMESPACE,
        changefeed: id,
    };
    let set = |key: &str, value: &str| {
        opts.insert(key.to_owned(), value.to_owned());
    };
    let prepared = prepare::prepare_legacy(&Kafka, &uri, config, set, identity).await?;
    let (topic, asked) = (&prepared.settled.topic, prepared.settled.max_message_bytes);
    let limit = match prepared
        .cluster
        .topic_config(topic, "max.message.bytes")
        .await
    {
        Ok(Some(limit)) => Some(limit),
        _ => prepared
            .cluster
            .broker_config("message.max.bytes")
            .await
            .ok()
            .flatten(),
    };
    if uri.param("max-message-bytes").is_some()
        && let Some(limit) = limit.and_then(|limit| limit.parse::<i64>().ok())
        && asked > limit
    {
        hints::print(
            terminal,
            [format!(
                "max-message-bytes={asked} is above what the topic '{topic}' takes (max.message.bytes={limit}): a row \
                 larger than that stops the changefeed"
            )],
        );
    }
    Ok(())
}

pub(super) async fn run(
    cluster: &Cluster,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    let id = match values.text("changefeed-id") {
        "" => uuid::Uuid::new_v4().to_string(),
        id => id.to_owned(),
    };
    let Some(info) = from_flags(cluster, values, terminal, &id, None).await? else {
        return Ok(());
    };
    if !is_valid_name(&id, COMPAT) {
        return Err(Failure(
            Coded::new(
                Code::ErrInvalidChangefeedID,
                r#"bad changefeed id, please match the pattern "^[a-zA-Z0-9]+(\-[a-zA-Z0-9]+)*$", eg, "simple-changefeed-task""#,
            )
            .to_string(),
        ));
    }
    let json = golang::json(&info)?;
    let feed = Id::default(&id);
    let (info_key, status_key) = (cluster.keys.info(&feed), cluster.keys.status(&feed));
    let answer = cluster
        .etcd
        .txn(
            vec![etcd::absent(&info_key), etcd::absent(&status_key)],
            vec![etcd::put(&info_key, json.clone(), 0)],
            vec![],
        )
        .await
        .map_err(|error| cluster.failed(error))?;
    if !answer.succeeded {
        return Err(Failure(
            Coded::new(
                Code::ErrChangeFeedAlreadyExists,
                format!("changefeed already exists, key: {id}"),
            )
            .to_string(),
        ));
    }
    terminal.line(format_args!(
        "Create changefeed successfully!\nID: {id}\nInfo: {json}"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_printed_as_go_prints_them() {
        let table = TableName {
            database_name: "test".to_owned(),
            table_name: "nopk".to_owned(),
            table_id: 112,
            is_partition: false,
        };
        assert_eq!(
            tables_text(&[table]),
            r#"[]model.TableName{model.TableName{Schema:"test", Table:"nopk", TableID:0, IsPartition:false}}"#
        );
    }
}
