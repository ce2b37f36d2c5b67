//! Rows to messages.

use std::collections::HashMap;

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};

use crate::{
    model::{ChangeKind, physical_ms},
    mount::{MountError, RowEvent, TextRules, Value},
    schema::{Column, SchemaError, field},
};

use super::{
    Compression,
    config::{Config, LargeRows},
    escape::{push_latin1, push_string},
    table::{ColumnPlan, Shape, TablePlan},
};

/// A message that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A value has no text.
    #[error("encode `{schema}`.`{table}`.`{column}` of the row committed at {commit_ts}: {source}")]
    Value {
        /// The database.
        schema: String,
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The row's commit TSO.
        commit_ts: u64,
        /// What is wrong with the value.
        source: Box<MountError>,
    },
    /// The message is larger than the topic takes.
    #[error(
        "[CDC:ErrMessageTooLarge]message is too large: {len} bytes for a row of `{schema}`.`{table}` committed at \
         {commit_ts}, max-message-bytes is {limit}"
    )]
    TooLarge {
        /// The message's length, the record's overhead included.
        len: usize,
        /// `max-message-bytes`.
        limit: usize,
        /// The database.
        schema: String,
        /// The table.
        table: String,
        /// The row's commit TSO.
        commit_ts: u64,
    },
    /// A value cannot be compressed.
    #[error("compress a message as {compression:?}: {source}")]
    Compress {
        /// How.
        compression: Compression,
        /// Why not.
        source: std::io::Error,
    },
    /// A DDL statement has no text.
    #[error("encode a DDL event: {0}")]
    Ddl(#[from] SchemaError),
}

/// What a record takes beside its key and value, at most.
const RECORD_OVERHEAD: usize = 36;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Encoded {
    /// Its message can be sent.
    Whole,
    /// Only with [`LargeRows::ClaimCheck`]: its message is there in full, but more than the topic takes. It is to be
    /// stored elsewhere, and what [`Encoder::encode_claim`] makes to be sent.
    TooLarge,
}

/// Which columns of a row a message has.
#[derive(Debug, Clone, Copy)]
enum Columns<'a> {
    All,
    /// Those of the handle key, for the row is too large.
    HandleKey,
    /// The same; the whole message is stored there.
    Claim(&'a str),
}

/// Encodes a changefeed's messages.
#[derive(Debug)]
pub struct Encoder {
    pub(super) config: Config,
    text: TextRules,
    tables: HashMap<i64, TablePlan>,
    /// For the text of a value that must be escaped as a whole.
    scratch: Vec<u8>,
}

impl Encoder {
    /// An encoder of these options; `text` says how values are spelled.
    pub fn new(config: Config, text: TextRules) -> Self {
        Encoder {
            config,
            text,
            tables: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The record key of a row's message: empty, in old releases none. DDL messages and watermarks have none
    /// (`spec/canal-json.md §1`).
    pub fn row_key(&self) -> Option<&'static [u8]> {
        self.config.release.has_empty_keys().then_some(b"")
    }

    /// Appends the message of a row change. `now_ms` is the wall clock, for `ts`: milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] if the topic does not take it and [`Config::large_rows`] has no other way.
    pub fn encode_row(
        &mut self,
        event: &RowEvent<'_>,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<Encoded, EncodeError> {
        let start = out.len();
        self.write_row(event, Columns::All, now_ms, out)?;
        match (self.checked_len(event, start, out), self.config.large_rows) {
            (Ok(()), _) => Ok(Encoded::Whole),
            (Err(error), LargeRows::Refuse) => Err(error),
            (Err(_), LargeRows::ClaimCheck) => Ok(Encoded::TooLarge),
            (Err(_), LargeRows::HandleKeyOnly) => {
                out.truncate(start);
                self.write_row(event, Columns::HandleKey, now_ms, out)?;
                self.checked_len(event, start, out)?;
                Ok(Encoded::Whole)
            }
        }
    }

    /// Appends the message that stands for one that was stored at `location` since it is [too large](Encoded::TooLarge).
    ///
    /// # Errors
    /// [`EncodeError::TooLarge`] if even this one is.
    pub fn encode_claim(
        &mut self,
        event: &RowEvent<'_>,
        location: &str,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        self.write_row(event, Columns::Claim(location), now_ms, out)?;
        self.checked_len(event, start, out)
    }

    fn write_row(
        &mut self,
        event: &RowEvent<'_>,
        columns: Columns<'_>,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let plan = self.tables.entry(event.table.id).and_modify(|plan| {
            if plan.version != event.table.version {
                *plan = TablePlan::new(event.table, &self.config);
            }
        });
        let plan = plan.or_insert_with(|| TablePlan::new(event.table, &self.config));
        let start = out.len();
        let mut writer = Writer {
            config: &self.config,
            text: &self.text,
            scratch: &mut self.scratch,
            event,
            out,
        };
        writer.row(plan, columns, now_ms)?;
        self.compress(out, start)
    }

    pub(super) fn compress(&self, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
        let compression = self.config.compression;
        compression
            .apply(out, start)
            .map_err(|source| EncodeError::Compress {
                compression,
                source,
            })
    }

    /// Whether the topic takes the message that `out` has from `start` on.
    fn checked_len(
        &self,
        event: &RowEvent<'_>,
        start: usize,
        out: &[u8],
    ) -> Result<(), EncodeError> {
        let len = out.len() - start + RECORD_OVERHEAD;
        match len > self.config.max_message_bytes {
            true => Err(EncodeError::TooLarge {
                len,
                limit: self.config.max_message_bytes,
                schema: event.table.schema.clone(),
                table: event.table.name.clone(),
                commit_ts: event.commit_ts,
            }),
            false => Ok(()),
        }
    }

    /// The `ts` of a message encoded at `now_ms`: the first dialect leaves it 0.
    pub(super) fn build_time(&self, now_ms: u64) -> u64 {
        if self.config.release.has_first_dialect() {
            0
        } else {
            now_ms
        }
    }
}

struct Writer<'a, 'e> {
    config: &'a Config,
    text: &'a TextRules,
    scratch: &'a mut Vec<u8>,
    event: &'a RowEvent<'e>,
    out: &'a mut Vec<u8>,
}

impl Writer<'_, '_> {
    /// The message before it is compressed.
    fn row(
        &mut self,
        plan: &TablePlan,
        columns: Columns<'_>,
        now_ms: u64,
    ) -> Result<(), EncodeError> {
        let release = self.config.release;
        let first_dialect = release.has_first_dialect();
        let kind = self.event.kind();
        let of_delete =
            self.config.delete_only_output_handle_key_columns && kind == ChangeKind::Delete;
        let shape = match columns {
            Columns::All if !of_delete => &plan.all,
            _ => &plan.handle_only,
        };
        self.out.extend_from_slice(&plan.head);
        let nothing = self.event.new.is_none() && self.event.old.is_none();
        if !nothing {
            self.out.extend_from_slice(&plan.pk_names);
        }
        self.out.extend_from_slice(b"],\"isDdl\":false,\"type\":\"");
        self.out.extend_from_slice(match kind {
            ChangeKind::Insert => b"INSERT",
            ChangeKind::Update => b"UPDATE",
            ChangeKind::Delete => b"DELETE",
        });
        self.out.extend_from_slice(b"\",\"es\":");
        self.number(physical_ms(self.event.commit_ts));
        self.out.extend_from_slice(b",\"ts\":");
        self.number(if first_dialect { 0 } else { now_ms });
        self.out.extend_from_slice(b",\"sql\":\"\",\"sqlType\":");
        if nothing {
            self.out
                .extend_from_slice(b"{},\"mysqlType\":{},\"data\":[null],\"old\":[null]}");
            return Ok(());
        }
        self.sql_types(shape);
        self.out.extend_from_slice(b",\"mysqlType\":");
        self.out.extend_from_slice(&shape.mysql_type);
        let (data, old) = (self.event.row(), self.event.old.as_deref());
        if release.sorts_columns() {
            self.out.extend_from_slice(b",\"data\":");
            self.rows(shape, data)?;
        }
        self.out.extend_from_slice(b",\"old\":");
        match (kind, old) {
            (_, Some(old)) if first_dialect => self.rows(shape, old)?,
            (_, None) if first_dialect => self.out.extend_from_slice(b"[null]"),
            (ChangeKind::Update, Some(old)) if self.config.only_updated() => {
                self.changed(shape, data, old)?
            }
            (ChangeKind::Update, Some(old)) => self.rows(shape, old)?,
            _ => self.out.extend_from_slice(b"null"),
        }
        if !release.sorts_columns() {
            self.out.extend_from_slice(b",\"data\":");
            self.rows(shape, data)?;
        }
        if self.config.enable_tidb_extension {
            self.out.extend_from_slice(b",\"_tidb\":{\"commitTs\":");
            self.number(self.event.commit_ts);
            match columns {
                Columns::All => {}
                Columns::HandleKey => self.out.extend_from_slice(b",\"onlyHandleKey\":true"),
                Columns::Claim(location) => {
                    self.out.extend_from_slice(b",\"claimCheckLocation\":");
                    push_string(location.as_bytes(), self.out);
                }
            }
            if self.config.output_row_key {
                self.out.extend_from_slice(b",\"rowkey\":\"");
                self.out
                    .extend_from_slice(BASE64.encode(self.event.key).as_bytes());
                self.out.push(b'"');
            }
            self.out.push(b'}');
        }
        self.out.push(b'}');
        if release.terminates_rows() {
            self.out.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    fn number(&mut self, number: u64) {
        self.out
            .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    fn sql_types(&mut self, shape: &Shape) {
        if shape.columns.is_empty() {
            self.out.extend_from_slice(b"null");
            return;
        }
        let row = self.event.row();
        self.out.push(b'{');
        for (place, column) in shape.columns.iter().enumerate() {
            self.key(place == 0, column);
            let number = column.sql_type.of(&row[column.at]);
            self.out
                .extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        self.out.push(b'}');
    }

    fn key(&mut self, first: bool, column: &ColumnPlan) {
        if !first {
            self.out.push(b',');
        }
        self.out.extend_from_slice(&column.key);
    }

    /// `[{…}]` with all columns of the shape.
    fn rows(&mut self, shape: &Shape, row: &[Value<'_>]) -> Result<(), EncodeError> {
        if shape.columns.is_empty() {
            self.out.extend_from_slice(b"null");
            return Ok(());
        }
        self.out.extend_from_slice(b"[{");
        for (place, column) in shape.columns.iter().enumerate() {
            self.key(place == 0, column);
            self.value(column, &row[column.at])?;
        }
        self.out.extend_from_slice(b"}]");
        Ok(())
    }

    /// `[{…}]` with what `old` had otherwise.
    fn changed(
        &mut self,
        shape: &Shape,
        new: &[Value<'_>],
        old: &[Value<'_>],
    ) -> Result<(), EncodeError> {
        self.out.extend_from_slice(b"[{");
        let mut first = true;
        for column in &shape.columns {
            let info = &self.event.table.columns[column.at];
            let same = self.text.same(&new[column.at], &old[column.at], info);
            if !same.map_err(|source| self.failed(info, source))? {
                self.key(first, column);
                self.value(column, &old[column.at])?;
                first = false;
            }
        }
        self.out.extend_from_slice(b"}]");
        Ok(())
    }

    fn value(&mut self, column: &ColumnPlan, value: &Value<'_>) -> Result<(), EncodeError> {
        let info = &self.event.table.columns[column.at];
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bytes(bytes) if column.latin1 => push_latin1(bytes, self.out),
            Value::Bytes(bytes) => push_string(bytes, self.out),
            Value::Text(text) if column.latin1 => push_latin1(text.as_bytes(), self.out),
            Value::Json(_) | Value::Text(_) => {
                self.scratch.clear();
                self.text
                    .write(value, info, self.scratch)
                    .map_err(|source| self.failed(info, source))?;
                push_string(self.scratch, self.out);
            }
            // Numbers, times, vectors: nothing to escape.
            _ => {
                debug_assert!(!field::is_string(info.tp()) || matches!(value, Value::Uint(_)));
                self.out.push(b'"');
                self.text
                    .write(value, info, self.out)
                    .map_err(|source| self.failed(info, source))?;
                self.out.push(b'"');
            }
        }
        Ok(())
    }

    fn failed(&self, column: &Column, source: MountError) -> EncodeError {
        EncodeError::Value {
            schema: self.event.table.schema.clone(),
            table: self.event.table.name.clone(),
            column: column.name.clone(),
            commit_ts: self.event.commit_ts,
            source: Box::new(source),
        }
    }
}
