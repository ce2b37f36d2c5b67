//! MariaDB's side.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use super::VerifyError;
use crate::tidb::apply::Gtid;
use crate::tidb::wire::{Backend, WireError};

/// MariaDB's own databases, which TiDB does not have.
const OWN: &str = "'mysql', 'sys', 'performance_schema', 'information_schema'";
/// The column that holds the handle where no primary key does.
pub(super) const ROW_ID: &str = "_tidb_rowid";

/// A connection that reads a snapshot.
#[derive(Debug)]
pub(super) struct MariaDb(Backend);

/// Database and table, in lower case.
pub(super) type TableName = (String, String);

impl MariaDb {
    pub(super) async fn connect(socket: &Path) -> Result<Self, VerifyError> {
        let mut backend = Backend::connect(socket).await?;
        for statement in [
            "SET SESSION time_zone = '+00:00'",
            // Strings as they are kept, times as they are, names that are no strings.
            "SET SESSION character_set_results = NULL",
            "SET SESSION sql_mode = ''",
            "SET SESSION tx_isolation = 'REPEATABLE-READ'",
        ] {
            backend.execute(statement).await?;
        }
        Ok(Self(backend))
    }

    /// Opens a snapshot, and tells where the binlog is in it.
    pub(super) async fn open_snapshot(&mut self) -> Result<Gtid, VerifyError> {
        self.0
            .execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            .await?;
        let status = self
            .strings("SHOW STATUS LIKE 'binlog\\_snapshot\\_%'")
            .await?;
        let status: BTreeMap<String, String> = status
            .into_iter()
            .filter_map(|row| Some((row.first()?.to_lowercase(), row.get(1)?.clone())))
            .collect();
        let of = |name: &str| status.get(name).cloned().unwrap_or_default();
        let position = format!(
            "SELECT BINLOG_GTID_POS('{}', {})",
            of("binlog_snapshot_file"),
            of("binlog_snapshot_position")
        );
        Ok(self.0.value(&position).await?.parse()?)
    }

    /// All tables with their columns by their order, without that of row ids.
    pub(super) async fn tables(&mut self) -> Result<BTreeMap<TableName, Vec<String>>, VerifyError> {
        let sql = format!(
            "SELECT LOWER(t.table_schema), LOWER(t.table_name), c.column_name FROM information_schema.tables t \
             JOIN information_schema.columns c USING (table_schema, table_name) \
             WHERE t.table_schema NOT IN ({OWN}) AND t.table_type = 'BASE TABLE' \
             ORDER BY 1, 2, c.ordinal_position"
        );
        let mut out: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
        for row in self.strings(&sql).await? {
            if let Ok([database, table, column]) = <[String; 3]>::try_from(row) {
                let columns = out.entry((database, table)).or_default();
                if column != ROW_ID {
                    columns.push(column);
                }
            }
        }
        Ok(out)
    }

    /// The names of a table's partitions.
    pub(super) async fn partitions(
        &mut self,
        table: &TableName,
    ) -> Result<Vec<String>, VerifyError> {
        let sql = format!(
            "SELECT partition_name FROM information_schema.partitions WHERE table_schema = {} AND table_name = {} \
             AND partition_name IS NOT NULL ORDER BY partition_ordinal_position",
            string(&table.0),
            string(&table.1)
        );
        let rows = self.strings(&sql).await?;
        Ok(rows.into_iter().flatten().collect())
    }

    /// Rows of a query.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<Bytes>>>, WireError> {
        Ok(self.0.rows(sql).await?.rows)
    }

    async fn strings(&mut self, sql: &str) -> Result<Vec<Vec<String>>, VerifyError> {
        let text = |value: Option<Bytes>| {
            let value = value.unwrap_or_default();
            String::from_utf8_lossy(&value).into_owned()
        };
        let rows = self.rows(sql).await?.into_iter();
        Ok(rows
            .map(|row| row.into_iter().map(text).collect())
            .collect())
    }
}

/// A name in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn string(text: &str) -> String {
    format!("CONVERT(x'{}' USING utf8mb4)", hex::encode(text))
}
