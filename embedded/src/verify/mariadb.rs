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

/// What a database has under a name.
#[derive(Debug)]
pub(super) enum Object {
    Table(MariaTable),
    View,
    Sequence,
}

/// A table as MariaDB describes it.
#[derive(Debug, Default)]
pub(super) struct MariaTable {
    /// In their order, without that of row ids.
    pub(super) columns: Vec<MariaColumn>,
    /// By name, in lower case.
    pub(super) keys: BTreeMap<String, Key>,
}

/// A column there.
#[derive(Debug)]
pub(super) struct MariaColumn {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) nullable: bool,
    /// Empty for those that are no text.
    pub(super) collation: String,
}

/// A key of a table, on either side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) unique: bool,
    /// Columns in lower case, with the length of a prefix.
    pub(super) parts: Vec<(String, Option<i64>)>,
}

/// A sequence's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SequenceRow {
    /// The first value that was not taken.
    pub(super) next: i64,
    /// MINVALUE, MAXVALUE, START, INCREMENT, CYCLE.
    pub(super) options: [i64; 5],
}

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

    /// All tables, views and sequences.
    pub(super) async fn objects(&mut self) -> Result<BTreeMap<TableName, Object>, VerifyError> {
        let sql = format!(
            "SELECT LOWER(table_schema), LOWER(table_name), table_type FROM information_schema.tables \
             WHERE table_schema NOT IN ({OWN})"
        );
        let mut out = BTreeMap::new();
        for row in self.strings(&sql).await? {
            if let Ok([database, table, kind]) = <[String; 3]>::try_from(row) {
                let object = match kind.as_str() {
                    "VIEW" => Object::View,
                    "SEQUENCE" => Object::Sequence,
                    _ => Object::Table(MariaTable::default()),
                };
                out.insert((database, table), object);
            }
        }
        let sql = format!(
            "SELECT LOWER(table_schema), LOWER(table_name), column_name, column_type, is_nullable, collation_name \
             FROM information_schema.columns WHERE table_schema NOT IN ({OWN}) ORDER BY 1, 2, ordinal_position"
        );
        for row in self.strings(&sql).await? {
            let Ok([database, table, name, kind, nullable, collation]) =
                <[String; 6]>::try_from(row)
            else {
                continue;
            };
            if let Some(Object::Table(table)) = out.get_mut(&(database, table))
                && name != ROW_ID
            {
                table.columns.push(MariaColumn {
                    name,
                    kind,
                    nullable: nullable == "YES",
                    collation,
                });
            }
        }
        let sql = format!(
            "SELECT LOWER(table_schema), LOWER(table_name), LOWER(index_name), non_unique, LOWER(column_name), sub_part \
             FROM information_schema.statistics WHERE table_schema NOT IN ({OWN}) ORDER BY 1, 2, 3, seq_in_index"
        );
        for row in self.strings(&sql).await? {
            let Ok([database, table, name, non_unique, column, prefix]) =
                <[String; 6]>::try_from(row)
            else {
                continue;
            };
            if let Some(Object::Table(table)) = out.get_mut(&(database, table)) {
                let key = table.keys.entry(name).or_default();
                key.unique = non_unique == "0";
                key.parts.push((column, prefix.parse().ok()));
            }
        }
        Ok(out)
    }

    /// How far each sequence is. Its row is the newest one, whatever snapshot is open.
    pub(super) async fn sequences(
        &mut self,
    ) -> Result<BTreeMap<TableName, SequenceRow>, VerifyError> {
        let sql = format!(
            "SELECT LOWER(table_schema), LOWER(table_name) FROM information_schema.tables \
             WHERE table_schema NOT IN ({OWN}) AND table_type = 'SEQUENCE'"
        );
        let mut out = BTreeMap::new();
        for row in self.strings(&sql).await? {
            let Ok([database, table]) = <[String; 2]>::try_from(row) else {
                continue;
            };
            let sql = format!(
                "SELECT next_not_cached_value, minimum_value, maximum_value, start_value, increment, cycle_option FROM {}.{}",
                quoted(&database),
                quoted(&table)
            );
            for row in self.strings(&sql).await? {
                let numbers: Option<Vec<i64>> = row.iter().map(|n| n.parse().ok()).collect();
                if let Some([next, options @ ..]) = numbers.as_deref()
                    && let Ok(options) = options.try_into()
                {
                    let name = (database.clone(), table.clone());
                    let next = *next;
                    out.insert(name, SequenceRow { next, options });
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
