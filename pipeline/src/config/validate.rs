//! Checks of a changefeed's configuration that need no broker (TiCDC's `ValidateAndAdjust`).

use super::{
    replica::{
        DEFAULT_MEMORY_QUOTA, LargeMessageHandle, MIN_STUCK_DURATION, Nanos, ReplicaConfig,
        SinkConfig,
    },
    uri::SinkUri,
};
use crate::{
    coded::{Code, Coded},
    config::golang::duration_text,
};

/// Protocols that TiCDC knows by name.
const PROTOCOLS: [&str; 11] = [
    "default",
    "open-protocol",
    "canal",
    "canal-json",
    "avro",
    "flat-avro",
    "maxwell",
    "craft",
    "csv",
    "debezium",
    "simple",
];

/// Takes over what the URI says, and refuses values that do not go together.
///
/// # Errors
/// `ErrSinkURIInvalid`, `ErrSinkUnknownProtocol`, `ErrSinkInvalidConfig`, `ErrInvalidReplicaConfig`.
pub fn adjust(config: &mut ReplicaConfig, uri: &SinkUri) -> Result<(), Coded> {
    adjust_sink(&mut config.sink, uri)?;
    if config.enable_sync_point == Some(true) {
        check_sync_point(
            "SyncPointInterval",
            config.sync_point_interval,
            Nanos::seconds(30),
        )?;
        check_sync_point(
            "SyncPointRetention",
            config.sync_point_retention,
            Nanos::seconds(3600),
        )?;
    }
    if config.memory_quota == 0 {
        config.memory_quota = DEFAULT_MEMORY_QUOTA;
    }
    let integrity = &config.integrity;
    if !matches!(
        integrity.integrity_check_level.as_str(),
        "none" | "correctness"
    ) || !matches!(integrity.corruption_handle_level.as_str(), "warn" | "error")
    {
        // the original forgets to fill its template
        return Err(Coded::new(
            Code::ErrInvalidReplicaConfig,
            "invalid replica config, %s",
        ));
    }
    if config.stuck_duration() < MIN_STUCK_DURATION {
        let (given, least) = (
            seconds(config.stuck_duration()),
            seconds(MIN_STUCK_DURATION),
        );
        return Err(Coded::new(
            Code::ErrInvalidReplicaConfig,
            format!(
                "invalid replica config, The ChangefeedErrorStuckDuration:{given:.6} must be larger than {least:.6} Seconds"
            ),
        ));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn seconds(nanos: Nanos) -> f64 {
    nanos.0 as f64 / 1e9
}

fn check_sync_point(name: &str, given: Option<Nanos>, least: Nanos) -> Result<(), Coded> {
    match given {
        Some(given) if given < least => Err(Coded::new(
            Code::ErrInvalidReplicaConfig,
            format!(
                "invalid replica config, The {name}:{} must be larger than {}",
                duration_text(given.0),
                duration_text(least.0)
            ),
        )),
        _ => Ok(()),
    }
}

fn adjust_sink(sink: &mut SinkConfig, uri: &SinkUri) -> Result<(), Coded> {
    for (key, field) in [
        ("protocol", &mut sink.protocol),
        ("transaction-atomicity", &mut sink.transaction_atomicity),
    ] {
        if let Some(value) = uri.param(key).filter(|value| !value.is_empty()) {
            if let Some(other) = field.as_ref().filter(|other| *other != value) {
                tracing::warn!(
                    key,
                    file = other,
                    uri = value,
                    "the sink URI and the file disagree, the URI wins"
                );
            }
            *field = Some(value.to_owned());
        }
    }
    if !uri.is_kafka() {
        return Ok(());
    }
    let atomicity = sink.transaction_atomicity.as_deref().unwrap_or_default();
    if !matches!(atomicity, "" | "none") {
        return Err(Coded::new(
            Code::ErrSinkURIInvalid,
            format!(
                "sink uri invalid '{atomicity} level atomicity is not supported by {} scheme'",
                uri.scheme()
            ),
        ));
    }
    let protocol = sink.protocol.clone().unwrap_or_default();
    known_protocol(&protocol)?;
    if let Some(handle) = sink
        .kafka_config
        .as_ref()
        .and_then(|kafka| kafka.large_message_handle.as_ref())
    {
        check_large_messages(handle, &protocol, uri)?;
    }
    for rule in sink.dispatchers.iter_mut().flatten() {
        if !rule.dispatcher.is_empty() && !rule.partition.is_empty() {
            let columns = rule.columns.as_deref().unwrap_or_default().join(" ");
            return Err(Coded::wrap(
                Code::ErrSinkInvalidConfig,
                format_args!(
                    "dispatcher and partition cannot be configured both for rule:&{{{} {} {} {} [{columns}] {}}}",
                    super::filter::shown(&rule.matcher),
                    rule.dispatcher,
                    rule.partition,
                    rule.index,
                    rule.topic
                ),
            ));
        }
        if !rule.dispatcher.is_empty() {
            rule.partition = std::mem::take(&mut rule.dispatcher);
        }
    }
    Ok(())
}

/// The protocol's name in lower case, `open-protocol` for `default`.
///
/// # Errors
/// `ErrSinkUnknownProtocol`.
pub fn known_protocol(name: &str) -> Result<&'static str, Coded> {
    match PROTOCOLS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
    {
        Some(&"default") => Ok("open-protocol"),
        Some(known) => Ok(known),
        None => Err(Coded::new(
            Code::ErrSinkUnknownProtocol,
            format!("unknown '{name}' message protocol for sink"),
        )),
    }
}

/// The original looks at the URI only for `enable-tidb-extension` here.
fn check_large_messages(
    handle: &LargeMessageHandle,
    protocol: &str,
    uri: &SinkUri,
) -> Result<(), Coded> {
    let refuse = |reason: String| Err(Coded::new(Code::ErrInvalidReplicaConfig, reason));
    let compression = handle.large_message_handle_compression.as_str();
    if !matches!(compression, "" | "none" | "snappy" | "lz4") {
        return refuse(format!(
            "large message handle compression is not supported, got {compression}"
        ));
    }
    let option = handle.large_message_handle_option.as_str();
    if !matches!(option, "handle-key-only" | "claim-check") {
        return Ok(());
    }
    let extension = uri
        .param("enable-tidb-extension")
        .is_some_and(|value| value == "true");
    match protocol {
        "canal-json" if !extension => refuse(format!(
            "large message handle is set to {option}, protocol is {protocol}, but enable-tidb-extension is false"
        )),
        "canal-json" | "open-protocol" | "default" | "simple" => match option {
            "claim-check" if handle.claim_check_storage_uri.is_empty() => {
                refuse("large message handle is set to claim-check, but the claim-check-storage-uri is empty".to_owned())
            }
            _ => Ok(()),
        },
        _ => refuse(format!("large message handle is set to {option}, protocol {protocol} is not supported")),
    }
}
