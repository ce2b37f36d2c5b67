//! What a changefeed can choose about its messages.

use std::{fmt, sync::Arc};

use super::Compression;
use crate::{compat::Release, schema::TableInfo};

/// Which columns of a table go out; made from `sink.column-selectors`.
pub trait ColumnSelector: fmt::Debug + Send + Sync {
    /// Whether the column at this place of [`TableInfo::columns`] goes out.
    fn selects(&self, table: &TableInfo, column: usize) -> bool;
}

/// The options of canal-json (spec/sink-uri.md §2).
#[derive(Debug, Clone)]
pub struct Config {
    /// Which TiCDC's messages.
    pub release: Release,
    /// `enable-tidb-extension`: a `_tidb` member, and watermarks.
    pub enable_tidb_extension: bool,
    /// `output-row-key`: `_tidb` has the row's key in TiKV.
    pub output_row_key: bool,
    /// `content-compatible`: `mysqlType` with widths; implies [`Config::only_output_updated_columns`].
    pub content_compatible: bool,
    /// `only-output-updated-columns`: `old` holds only what changed.
    pub only_output_updated_columns: bool,
    /// `delete-only-output-handle-key-columns`: a DELETE holds only the key.
    pub delete_only_output_handle_key_columns: bool,
    /// `sink.column-selectors`, if any.
    pub columns: Option<Arc<dyn ColumnSelector>>,
    /// `max-message-bytes` as settled with the topic: the record's overhead of 36 bytes included. v4.0.9 and v6.5 leave
    /// the check to the broker.
    pub max_message_bytes: usize,
    /// `large-message-handle-option`: what becomes of a row beyond that.
    pub large_rows: LargeRows,
    /// `large-message-handle-compression`.
    pub compression: Compression,
}

/// What becomes of a row whose message is too large (spec/canal-json.md §12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeRows {
    /// `none`: the changefeed stops.
    Refuse,
    /// `handle-key-only`: only the columns of the handle key go out.
    HandleKeyOnly,
    /// `claim-check`: the value is stored elsewhere, and its place goes out with the columns of the handle key.
    ClaimCheck,
}

impl Config {
    /// Every option at its default.
    pub fn new(release: impl Into<Release>) -> Self {
        Config {
            release: release.into(),
            enable_tidb_extension: false,
            output_row_key: false,
            content_compatible: false,
            only_output_updated_columns: false,
            delete_only_output_handle_key_columns: false,
            columns: None,
            max_message_bytes: usize::MAX,
            large_rows: LargeRows::Refuse,
            compression: Compression::None,
        }
    }

    pub(super) fn only_updated(&self) -> bool {
        self.only_output_updated_columns || self.content_compatible
    }
}
