//! DDL statements and watermarks to messages (spec/canal-json.md §10, §11).

use crate::{
    compat::Release,
    model::{Ts, physical_ms},
    schema::{Action, DdlEvent},
};

use super::{
    encoder::{EncodeError, Encoder},
    escape::push_string,
};

/// `type` of a DDL message.
fn event_type(action: Action, release: Release) -> &'static str {
    match action {
        Action::CREATE_TABLE => "CREATE",
        Action::RENAME_TABLE | Action::RENAME_TABLES => "RENAME",
        Action::ADD_INDEX | Action::ADD_PRIMARY_KEY | Action::ADD_FOREIGN_KEY => "CINDEX",
        Action::DROP_INDEX | Action::DROP_PRIMARY_KEY | Action::DROP_FOREIGN_KEY => "DINDEX",
        Action::DROP_TABLE => "ERASE",
        Action::TRUNCATE_TABLE => "TRUNCATE",
        Action::ADD_COLUMN
        | Action::DROP_COLUMN
        | Action::MODIFY_COLUMN
        | Action::REBASE_AUTO_ID
        | Action::SET_DEFAULT_VALUE
        | Action::MODIFY_TABLE_COMMENT
        | Action::RENAME_INDEX
        | Action::ADD_TABLE_PARTITION
        | Action::DROP_TABLE_PARTITION
        | Action::MODIFY_TABLE_CHARSET
        | Action::TRUNCATE_TABLE_PARTITION
        | Action::ADD_COLUMNS
        | Action::DROP_COLUMNS => "ALTER",
        Action::ALTER_INDEX_VISIBILITY | Action::MULTI_SCHEMA_CHANGE
            if release.knows_multi_schema_changes() =>
        {
            "ALTER"
        }
        Action::REORGANIZE_PARTITION if release.knows_reorganized_partitions() => "ALTER",
        Action::ALTER_TABLE_PARTITIONING | Action::REMOVE_PARTITIONING
            if release.knows_changed_partitioning() =>
        {
            "ALTER"
        }
        _ => "QUERY",
    }
}

impl Encoder {
    /// Appends the message of a DDL statement. `now_ms` is the wall clock, for `ts`: milliseconds since 1970 UTC.
    pub fn encode_ddl(
        &self,
        event: &DdlEvent,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let message = Plain {
            database: &event.schema,
            table: &event.table,
            is_ddl: true,
            event_type: event_type(event.action, self.config.release),
            es: physical_ms(event.commit_ts),
            ts: self.build_time(now_ms),
            sql: &event.sql()?,
        };
        let start = out.len();
        message.push(out);
        if self.config.enable_tidb_extension {
            push_extension("commitTs", event.commit_ts, out);
        }
        out.push(b'}');
        self.compress(out, start)
    }

    /// Appends a watermark: all events up to `ts` have been sent. Only with `enable-tidb-extension`.
    pub fn encode_watermark(
        &self,
        ts: Ts,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let message = Plain {
            database: "",
            table: "",
            is_ddl: false,
            event_type: "TIDB_WATERMARK",
            es: physical_ms(ts),
            ts: self.build_time(now_ms),
            sql: "",
        };
        let start = out.len();
        message.push(out);
        push_extension("watermarkTs", ts, out);
        out.push(b'}');
        self.compress(out, start)
    }
}

/// A message without a row.
struct Plain<'a> {
    database: &'a str,
    table: &'a str,
    is_ddl: bool,
    event_type: &'a str,
    es: u64,
    ts: u64,
    sql: &'a str,
}

impl Plain<'_> {
    fn push(&self, out: &mut Vec<u8>) {
        let number = |number: u64, out: &mut Vec<u8>| {
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        };
        out.extend_from_slice(b"{\"id\":0,\"database\":");
        push_string(self.database.as_bytes(), out);
        out.extend_from_slice(b",\"table\":");
        push_string(self.table.as_bytes(), out);
        out.extend_from_slice(b",\"pkNames\":null,\"isDdl\":");
        out.extend_from_slice(if self.is_ddl { b"true" } else { b"false" });
        out.extend_from_slice(b",\"type\":\"");
        out.extend_from_slice(self.event_type.as_bytes());
        out.extend_from_slice(b"\",\"es\":");
        number(self.es, out);
        out.extend_from_slice(b",\"ts\":");
        number(self.ts, out);
        out.extend_from_slice(b",\"sql\":");
        push_string(self.sql.as_bytes(), out);
        out.extend_from_slice(b",\"sqlType\":null,\"mysqlType\":null,\"data\":null,\"old\":null");
    }
}

fn push_extension(member: &str, ts: Ts, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"_tidb\":{\"");
    out.extend_from_slice(member.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(itoa::Buffer::new().format(ts).as_bytes());
    out.push(b'}');
}
