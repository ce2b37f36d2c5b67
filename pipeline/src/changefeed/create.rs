//! What is checked before a changefeed is created, in TiCDC's order (`spec/cli-and-api.md §4`).

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{
    clock::GoTime,
    fit::Rules,
    gc::{Purpose, Safepoints, before_gc},
    info::{AdminJob, Info, State},
    keys::Id,
    owner::{self, already_exists},
    snapshot,
};
use crate::{
    coded::{Code, Coded},
    compat::{Compat, Release},
    config::{
        filter::TableFilter,
        kafka::{Identity, unsupported},
        replica::{ReplicaConfig, api},
        uri::SinkUri,
        validate,
    },
    filter::EventFilters,
    model::Ts,
    schema::TableKind,
    sink::prepare::{self, Kafka},
    upstream::{self, Upstream},
};

/// Ids and namespaces; 128 characters at most since v5.
static NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9]+(\-[a-zA-Z0-9]+)*$").ok());

/// Whether a changefeed or a namespace may be called so.
#[must_use]
pub fn is_valid_name(name: &str, compat: Compat) -> bool {
    (compat == Compat::V4_0_9 || name.len() <= 128)
        && NAME.as_ref().is_some_and(|pattern| pattern.is_match(name))
}

/// A table as lists of eligible and ineligible ones name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableName {
    /// The database.
    pub database_name: String,
    /// The table.
    pub table_name: String,
    /// Its id.
    pub table_id: i64,
    /// Whether a partition is meant.
    pub is_partition: bool,
}

/// The tables that a filter takes, by whether they can be replicated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tables {
    /// Those without a key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ineligible_tables: Vec<TableName>,
    /// Those with one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub eligible_tables: Vec<TableName>,
}

/// Sorts the tables that `filter` takes at `ts` by whether they can be replicated, and holds them against `events` and
/// `rules`.
///
/// # Errors
/// `ErrOwnerUnknown` when the schema cannot be read; those of [`EventFilters::verify`] and [`Rules::check`].
pub async fn tables(
    upstream: &Upstream,
    filter: &TableFilter,
    events: Option<&EventFilters>,
    rules: Option<&Rules>,
    ts: Ts,
    compat: Compat,
) -> Result<Tables, Coded> {
    let schema = snapshot::schema_at(upstream, ts, compat)
        .await
        .map_err(|error| Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}")))?;
    let mut taken = schema.tables(ts);
    taken.retain(|table| {
        table.kind != TableKind::Sequence && filter.takes_table(&table.schema, &table.name)
    });
    if let Some(events) = events {
        events.verify(taken.iter().map(|table| &**table))?;
    }
    let mut tables = Tables::default();
    for table in taken {
        if let Some(rules) = rules {
            rules.check(&table)?;
        }
        let name = TableName {
            database_name: table.schema.clone(),
            table_name: table.name.clone(),
            table_id: table.id,
            is_partition: false,
        };
        if table.is_eligible(false) {
            tables.eligible_tables.push(name);
        } else {
            tables.ineligible_tables.push(name);
        }
    }
    Ok(tables)
}

/// A request to create a changefeed, or to look at the tables that it would have.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// `default` if empty.
    pub namespace: String,
    /// A new UUID if empty.
    pub changefeed_id: String,
    /// From where, 0 for now.
    pub start_ts: Ts,
    /// Where it ends, 0 for never.
    pub target_ts: Ts,
    /// Where to.
    pub sink_uri: String,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_config: Option<api::ReplicaConfig>,
    /// PD of another upstream; only the server's own is served.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pd_addrs: Vec<String>,
}

/// Who checks.
#[derive(Debug, Clone, Copy)]
pub struct Checker<'a> {
    /// Whose rules.
    pub release: Release,
    /// The cluster that is replicated.
    pub upstream: &'a Upstream,
    /// Its GC safepoints.
    pub safepoints: &'a Safepoints,
}

fn pd(error: upstream::Error) -> Coded {
    Coded::new(Code::ErrOwnerUnknown, format!("failed to {error}"))
}

impl Checker<'_> {
    /// Refuses another upstream than the server's.
    fn check_upstream(&self, request: &Request) -> Result<(), Coded> {
        let own = self.upstream.pd_endpoints();
        match request.pd_addrs.iter().find(|addr| !own.contains(addr)) {
            Some(other) => Err(unsupported(format_args!(
                "an upstream other than the server's ({other})"
            ))),
            None => Ok(()),
        }
    }

    /// The tables that a changefeed would have.
    ///
    /// # Errors
    /// With TiCDC's codes.
    pub async fn verify_tables(&self, request: Request) -> Result<Tables, Coded> {
        self.check_upstream(&request)?;
        let uri = parse_uri(&request.sink_uri)?;
        let config = request
            .replica_config
            .unwrap_or_default()
            .over(ReplicaConfig::defaults(self.release.compat()));
        if uri.is_kafka() {
            let given = uri.param("protocol").filter(|name| !name.is_empty());
            let protocol = given.or(config.sink.protocol.as_deref());
            if uri.topic().is_empty() {
                return Err(Coded::new(
                    Code::ErrKafkaInvalidConfig,
                    "no topic is specified in sink-uri",
                ));
            }
            validate::known_protocol(protocol.unwrap_or_default())?;
        }
        let now = self.upstream.tso().await.map_err(pd)?;
        let ts = if request.start_ts == 0 {
            now
        } else {
            let least = self.safepoints.least().await.map_err(pd)?;
            if request.start_ts <= least {
                return Err(before_gc(request.start_ts, least));
            }
            // what is too new is refused when it is created
            request.start_ts.min(now)
        };
        self.tables(&uri, &config, ts).await
    }

    /// The tables of a configuration at `ts`, as far as it fits them.
    async fn tables(&self, uri: &SinkUri, config: &ReplicaConfig, ts: Ts) -> Result<Tables, Coded> {
        let compat = self.release.compat();
        let filter = TableFilter::new(&config.filter.rules, config.case_sensitive, compat)?;
        let events = event_filters(config, compat)?;
        let rules = match uri.is_kafka() {
            true => Some(Rules::new(config)?),
            false => None,
        };
        let (events, rules) = (Some(&events), rules.as_ref());
        tables(self.upstream, &filter, events, rules, ts, compat).await
    }

    /// Checks a request in TiCDC's order and holds its start-ts. Answers the changefeed and hints for the user.
    ///
    /// # Errors
    /// With TiCDC's codes; the safepoint is let go again.
    pub async fn create(
        &self,
        owner: &owner::Handle,
        request: Request,
    ) -> Result<(Id, Info, Vec<String>), Coded> {
        if request.sink_uri.is_empty() {
            return Err(Coded::new(
                Code::ErrSinkURIInvalid,
                "sink uri invalid 'sink_uri is empty, cannot create a changefeed without sink_uri'",
            ));
        }
        self.check_upstream(&request)?;
        let uri = parse_uri(&request.sink_uri)?;
        let mut id = Id::default(&request.changefeed_id);
        if id.id.is_empty() {
            id.id = uuid::Uuid::new_v4().to_string();
        }
        if !request.namespace.is_empty() {
            id.namespace.clone_from(&request.namespace);
        }
        for (what, name) in [("changefeed_id", &id.id), ("namespace", &id.namespace)] {
            if !is_valid_name(name, self.release.compat()) {
                return Err(Coded::new(
                    Code::ErrAPIInvalidParam,
                    format!("invalid {what}: {name}"),
                ));
            }
        }
        if owner.view(&id).await.is_ok() {
            return Err(already_exists(&id));
        }
        let now = self.upstream.tso().await.map_err(pd)?;
        let start_ts = match request.start_ts {
            0 => now,
            later if later > now => {
                return Err(Coded::new(
                    Code::ErrAPIInvalidParam,
                    format!("invalid start-ts {later}, larger than current tso {now}"),
                ));
            }
            start_ts => start_ts,
        };
        self.safepoints
            .ensure(&id, Purpose::Creating, start_ts)
            .await?;
        let checked = self.check_rest(&id, &uri, start_ts, request).await;
        if checked.is_err()
            && let Err(error) = self.safepoints.undo(&id, Purpose::Creating).await
        {
            tracing::warn!(%error, "failed to let a GC safepoint go, it expires");
        }
        let (info, hints) = checked?;
        Ok((id, info, hints))
    }

    async fn check_rest(
        &self,
        id: &Id,
        uri: &SinkUri,
        start_ts: Ts,
        request: Request,
    ) -> Result<(Info, Vec<String>), Coded> {
        if request.target_ts != 0 && request.target_ts <= start_ts {
            return Err(Coded::new(
                Code::ErrTargetTsBeforeStartTs,
                format!(
                    "fail to create changefeed because target-ts {} is earlier than start-ts {start_ts}",
                    request.target_ts
                ),
            ));
        }
        let mut config = request
            .replica_config
            .unwrap_or_default()
            .over(ReplicaConfig::defaults(self.release.compat()));
        validate::adjust(&mut config, uri)?;
        let tables = self.tables(uri, &config, start_ts).await?;
        if !config.force_replicate
            && !config.ignore_ineligible_table
            && !tables.ineligible_tables.is_empty()
        {
            let names: Vec<_> = tables
                .ineligible_tables
                .iter()
                .map(|table| format!("{}.{}", table.database_name, table.table_name))
                .collect();
            return Err(Coded::new(
                Code::ErrTableIneligible,
                format!(
                    "some tables are not eligible to replicate([{}]), if you want to ignore these tables, please set \
                     ignore_ineligible_table to true",
                    names.join(" ")
                ),
            ));
        }
        let hints = check_sink(uri, &config, self.release.compat(), id).await?;
        let epoch = self.upstream.tso().await.map_err(pd)?;
        let info = Info {
            upstream_id: self.upstream.cluster_id(),
            namespace: id.namespace.clone(),
            id: id.id.clone(),
            sink_uri: request.sink_uri,
            create_time: GoTime::now(),
            start_ts,
            target_ts: request.target_ts,
            admin_job_type: AdminJob::None,
            sort_engine: String::new(),
            sort_dir: String::new(),
            config,
            state: State::Normal,
            error: None,
            warning: None,
            creator_version: self.release.to_string(),
            epoch,
        };
        Ok((info, hints))
    }
}

/// The event filters of a configuration, to be checked: in UTC, wherever the server stands.
///
/// # Errors
/// Those of [`EventFilters::new`].
pub fn event_filters(config: &ReplicaConfig, compat: Compat) -> Result<EventFilters, Coded> {
    let rules = config.filter.event_filters.as_deref();
    EventFilters::new(rules, compat, TimeZone::UTC)
}

/// Takes a sink URI apart.
///
/// # Errors
/// `ErrSinkURIInvalid`.
pub fn parse_uri(text: &str) -> Result<SinkUri, Coded> {
    SinkUri::parse(text).map_err(|error| Coded::wrap(Code::ErrSinkURIInvalid, error))
}

/// Opens the sink for a moment; hints for the user.
///
/// # Errors
/// With TiCDC's codes.
pub async fn check_sink(
    uri: &SinkUri,
    config: &ReplicaConfig,
    compat: Compat,
    id: &Id,
) -> Result<Vec<String>, Coded> {
    let identity = Identity {
        capture: "",
        namespace: &id.namespace,
        changefeed: &id.id,
    };
    let prepared = prepare::prepare(&Kafka, uri, config, compat, identity).await?;
    let asked = uri
        .param("max-message-bytes")
        .and_then(|asked| asked.parse::<i64>().ok());
    let settled = prepared.settled.max_message_bytes;
    let lowered = asked.filter(|asked| *asked > settled).map(|asked| {
        format!(
            "max-message-bytes={asked} is above what the topic '{}' takes (max.message.bytes): {settled} is used",
            prepared.settled.topic
        )
    });
    Ok(lowered.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["ticdc-kafka", "x1", "3ac40d42-b716-4764-bf4a-e0dca36c432f"] {
            assert!(is_valid_name(good, Compat::V8_5), "{good}");
        }
        for bad in ["bad_id", "-x", "a b", "ns/1", "", "a--b"] {
            assert!(!is_valid_name(bad, Compat::V8_5), "{bad}");
        }
        let long = "a".repeat(129);
        assert!(!is_valid_name(&long, Compat::V8_5));
        assert!(is_valid_name(&long, Compat::V4_0_9));
    }

    #[test]
    fn empty_lists_are_left_out() {
        let tables = Tables {
            eligible_tables: vec![TableName {
                database_name: "test".to_owned(),
                table_name: "t1".to_owned(),
                table_id: 116,
                is_partition: false,
            }],
            ..Tables::default()
        };
        assert_eq!(
            serde_json::to_string(&tables).unwrap(),
            r#"{"eligible_tables":[{"database_name":"test","table_name":"t1","table_id":116,"is_partition":false}]}"#
        );
    }
}
