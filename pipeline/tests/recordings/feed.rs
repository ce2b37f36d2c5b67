//! A recorded changefeed's configuration, as the pipeline's own stages take it.

use std::sync::Arc;

use jiff::tz::TimeZone;
use pipeline::{
    codec::canal_json::{ColumnSelector, Compression, Config, Encoder, LargeRows},
    compat::Compat,
    config::{file, legacy::LegacyConfig, replica::ReplicaConfig},
    filter::Scope,
    mount::{Mounter, SplitRule, TextRules},
    schema::TableInfo,
};

use crate::load::PipelineSpec;

/// A changefeed of the recording, replayed.
pub(crate) struct Feed {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) mounter: Mounter,
    pub(crate) encoder: Encoder,
    /// The same with `output-row-key`, for one of the changefeeds: nothing of it is recorded.
    pub(crate) with_row_keys: Option<Encoder>,
    /// Messages that would be stored instead of sent.
    pub(crate) stored: Vec<String>,
    /// The recorded one has failed: nothing comes from here on.
    pub(crate) ended: bool,
}

/// `columns=['*','!b*']`.
#[derive(Debug)]
struct NotWithB;

impl ColumnSelector for NotWithB {
    fn selects(&self, table: &TableInfo, column: usize) -> bool {
        !table.columns[column].name.starts_with('b')
    }
}

impl Feed {
    pub(crate) fn new(name: &str, spec: &PipelineSpec, compat: Compat) -> Self {
        let uri = [spec.sink_uri.as_str(), &spec.parameters].concat();
        let in_uri = |option: &str| uri.contains(&format!("{option}=true"));
        let in_file = |option: &str| spec.config.contains(&format!("{option}=true"));
        let time_zone = match spec.server_tz.as_str() {
            "" => TimeZone::UTC,
            zone => TimeZone::get(zone).expect("a time zone"),
        };
        let scope = match compat {
            Compat::V4_0_9 => Scope::legacy(&LegacyConfig {
                force_replicate: in_file("force-replicate"),
                ..LegacyConfig::default()
            }),
            _ => {
                let defaults = ReplicaConfig::defaults(compat);
                let config = file::parse(&spec.config, name, &defaults, compat);
                Scope::new(&config.expect("a file"), compat, time_zone.clone())
            }
        };
        let text = TextRules {
            time_zone,
            release: compat.into(),
        };
        let config = Config {
            enable_tidb_extension: in_uri("enable-tidb-extension"),
            content_compatible: in_uri("content-compatible"),
            only_output_updated_columns: in_uri("only-output-updated-columns"),
            delete_only_output_handle_key_columns: in_file("delete-only-output-handle-key-columns"),
            max_message_bytes: match uri.contains("max-message-bytes=1000") {
                true => 1000,
                false => usize::MAX,
            },
            large_rows: match spec.config.as_str() {
                config if config.contains("\"handle-key-only\"") => LargeRows::HandleKeyOnly,
                config if config.contains("\"claim-check\"") => LargeRows::ClaimCheck,
                _ => LargeRows::Refuse,
            },
            compression: match spec.config.contains("compression=\"lz4\"") {
                true => Compression::Lz4,
                false => Compression::None,
            },
            columns: spec
                .config
                .contains("column-selectors")
                .then(|| Arc::new(NotWithB) as _),
            ..Config::new(compat)
        };
        Feed {
            name: name.to_owned(),
            scope: scope.expect("a filter"),
            mounter: Mounter {
                text: text.clone(),
                split: SplitRule::new(compat.into(), in_file("output-raw-change-event")),
            },
            with_row_keys: (name == "tidb-extension" && compat == Compat::V8_5).then(|| {
                let config = Config {
                    output_row_key: true,
                    ..config.clone()
                };
                Encoder::new(config, text.clone())
            }),
            encoder: Encoder::new(config, text),
            stored: Vec::new(),
            ended: false,
        }
    }
}
