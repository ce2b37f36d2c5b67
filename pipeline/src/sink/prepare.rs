//! From a changefeed's sink URI and configuration to everything its sink needs: every check, in TiCDC's order.

use std::future::Future;

use super::claims::Claims;
use super::kafka::{
    cluster::{Cluster, ClusterError, KafkaCluster},
    connection::Connection,
    settle::{Settled, legacy_text, settle, settle_legacy},
};
use crate::{
    codec::canal_json::LargeRows,
    coded::{Code, Coded},
    compat::Compat,
    config::{
        dispatch::{ColumnSelectors, DispatchRules},
        kafka::{Identity, KafkaOptions, unsupported},
        legacy::{LegacyConfig, LegacyKafkaOptions},
        replica::ReplicaConfig,
        uri::SinkUri,
    },
};

/// How clusters are reached.
pub trait Connect: Send + Sync {
    /// A cluster reached.
    type Cluster: Cluster;

    /// Connects to the first broker that takes us.
    fn connect(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = Result<Self::Cluster, ClusterError>> + Send;
}

/// Real clusters.
#[derive(Debug, Clone, Copy)]
pub struct Kafka;

impl Connect for Kafka {
    type Cluster = KafkaCluster;

    async fn connect(&self, connection: &Connection) -> Result<KafkaCluster, ClusterError> {
        KafkaCluster::connect(connection).await
    }
}

/// A sink ready to be opened.
#[derive(Debug)]
pub struct Prepared<C> {
    /// The cluster, asked and with the default topic there.
    pub cluster: C,
    /// The parameters in force.
    pub settled: Settled,
    /// Topics and partitions of tables.
    pub dispatch: DispatchRules,
    /// Columns of tables.
    pub columns: Option<ColumnSelectors>,
    /// Where messages go that are too large.
    pub claims: Option<Claims>,
}

/// Checks a changefeed's sink and asks its cluster; makes the default topic if it is missing (since v5).
///
/// # Errors
/// With TiCDC's codes; `ErrUnsupportedByPipeline` for what TiCDC can and this pipeline cannot.
pub async fn prepare<K: Connect>(
    kafka: &K,
    uri: &SinkUri,
    config: &ReplicaConfig,
    compat: Compat,
    identity: Identity<'_>,
) -> Result<Prepared<K::Cluster>, Coded> {
    check_hosts(uri)?;
    let refuse = |text: String| Err(Coded::new(Code::ErrSinkURIInvalid, text));
    if config.bdr_mode == Some(true) {
        return refuse(format!(
            "sink uri scheme is not supported in BDR mode, sink uri: {uri}"
        ));
    }
    if config.enable_sync_point == Some(true) {
        return refuse(format!(
            "sink uri scheme is not supported with syncpoint enabledsink uri: {uri}"
        ));
    }
    check_scheme(uri)?;
    let options = KafkaOptions::parse(uri, config, identity)?;
    options.check_client()?;
    let dispatch = DispatchRules::new(config)?;
    let columns = ColumnSelectors::new(config)?;
    let cluster = kafka
        .connect(&options.connection())
        .await
        .map_err(|error| Coded::wrap(Code::ErrKafkaNewProducer, error))?;
    let settled = settle(&cluster, options, uri, config, compat).await?;
    let large = &settled.large;
    let claims = match large.rows {
        LargeRows::ClaimCheck => {
            let claims = Claims::open(&large.storage_uri, large.raw_value).await;
            Some(claims.map_err(|error| match error.code() {
                Code::ErrUnsupportedByPipeline => error,
                _ => Coded::wrap(Code::ErrKafkaInvalidConfig, error),
            })?)
        }
        LargeRows::Refuse | LargeRows::HandleKeyOnly => None,
    };
    Ok(Prepared {
        cluster,
        settled,
        dispatch,
        columns,
        claims,
    })
}

/// As [`prepare`], of v4.0.9: `config` and `set_option` take what that release writes back.
///
/// # Errors
/// With that release's codes.
pub async fn prepare_legacy<K: Connect>(
    kafka: &K,
    uri: &SinkUri,
    config: &mut LegacyConfig,
    set_option: impl FnMut(&str, &str),
    identity: Identity<'_>,
) -> Result<Prepared<K::Cluster>, Coded> {
    check_scheme(uri)?;
    let options = LegacyKafkaOptions::parse(uri, config, set_option, identity)?;
    let dispatch = DispatchRules::legacy(config)?;
    let cluster = kafka
        .connect(&options.connection())
        .await
        .map_err(|error| Coded::new(Code::ErrKafkaNewSaramaProducer, legacy_text(&error)))?;
    let settled = settle_legacy(&cluster, options).await?;
    config.check_protocol()?;
    if config.cyclic_replication.enable {
        return Err(unsupported("cyclic replication"));
    }
    Ok(Prepared {
        cluster,
        settled,
        dispatch,
        columns: None,
        claims: None,
    })
}

/// An IPv6 address must be in brackets.
fn check_hosts(uri: &SinkUri) -> Result<(), Coded> {
    let bare = |host: &str| !host.starts_with('[') && host.matches(':').count() > 1;
    match uri.host().split(',').any(bare) {
        true => Err(Coded::new(
            Code::ErrSinkURIInvalid,
            "sink uri host is not valid IPv6 address, when using IPv6 address in URI, please use [ipv6-address]:port",
        )),
        false => Ok(()),
    }
}

/// Schemes that TiCDC serves beside Kafka.
const OTHER_SCHEMES: [&str; 18] = [
    "mysql",
    "mysql+ssl",
    "tidb",
    "tidb+ssl",
    "blackhole",
    "pulsar",
    "pulsar+ssl",
    "pulsar+http",
    "pulsar+https",
    "s3",
    "gcs",
    "gs",
    "azblob",
    "azure",
    "file",
    "local",
    "nfs",
    "noop",
];

fn check_scheme(uri: &SinkUri) -> Result<(), Coded> {
    match uri.scheme() {
        _ if uri.is_kafka() => Ok(()),
        scheme if OTHER_SCHEMES.contains(&scheme) => Err(unsupported(format_args!(
            "a sink of scheme '{scheme}' (only kafka is)"
        ))),
        scheme => Err(Coded::new(
            Code::ErrSinkURIInvalid,
            format!("the sink scheme ({scheme}) is not supported"),
        )),
    }
}
