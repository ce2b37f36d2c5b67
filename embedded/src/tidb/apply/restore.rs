//! Rows of a table that is brought back, from TiKV to MariaDB.
//!
//! They are written, in no binlog, to a table that nobody sees. A crash leaves that table, which the next start removes.

use std::path::Path;

use bytes::Bytes;

use super::ApplyError;
use super::backfill::decoded;
use super::literal::{BYTES, LiteralError, ROWS, literal};
use crate::client::{Client, ClientError, Snapshot};
use crate::tidb::catalog::Restored;
use crate::tidb::catalog::dropped::{Counters, counter_keys};
use crate::tidb::catalog::mariadb::{self, DROP_RESTORED, RESTORED, ROW_ID};
use crate::tidb::catalog::model::{ColumnInfo, TableInfo, Tp};
use crate::tidb::codec::{Datum, Handle, keys};
use crate::tidb::mariadb::sql_mode;
use crate::tidb::wire::backend::Backend;

/// The rows were let in once: they are taken as they are.
const AS_THEY_ARE: &str = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO";

/// Makes the table, with the rows that TiKV has of it.
pub async fn make(client: &Client, socket: &Path, restored: &Restored) -> Result<(), ApplyError> {
    let table = &restored.table;
    let failed = |why: String| ApplyError::Restore {
        table: table.name.o.clone(),
        why,
    };
    let mut backend = Backend::connect(socket).await?;
    let session = format!(
        "SET SESSION sql_log_bin = 0, sql_mode = '{}', time_zone = '+00:00', check_constraint_checks = 0, \
         foreign_key_checks = 0",
        sql_mode::at_mariadb(AS_THEY_ARE)
    );
    backend.execute(&session).await?;
    for statement in &restored.prepare {
        backend.execute(statement).await?;
    }
    let mut into = Into {
        columns: table.columns.iter().filter(|c| !c.is_generated()).collect(),
        table,
        backend,
        expected: 0,
    };
    let snapshot = client.snapshot(client.tso().await?);
    let mut rows = 0;
    for physical_id in table.physical_ids() {
        let end = keys::record_end(physical_id);
        let mut from = Some(Bytes::from(keys::record_prefix(physical_id)));
        while let Some(start) = from {
            let (pairs, next) = snapshot.page(&start, &end).await?;
            let (handles, values) = decoded(table, &pairs).map_err(|e| failed(e.to_string()))?;
            let page: Vec<_> = handles.into_iter().zip(values).collect();
            into.insert(&page).await?;
            rows += page.len();
            from = next;
        }
    }
    tracing::debug!(table = table.name.o, rows, "brought back");
    Ok(())
}

/// Up to which values a table's counters are taken.
pub async fn counters(
    snapshot: &Snapshot,
    db_id: i64,
    table_id: i64,
) -> Result<Counters, ClientError> {
    let mut counters = [0; 3];
    for (counter, key) in counters.iter_mut().zip(counter_keys(db_id, table_id)) {
        let value = snapshot.get(&key).await?;
        let text = value.map(|v| String::from_utf8_lossy(&v).into_owned());
        *counter = text.and_then(|text| text.parse().ok()).unwrap_or(0);
    }
    let [row_id, increment, random] = counters;
    Ok(Counters {
        row_id,
        increment,
        random,
    })
}

/// Removes what a statement that was broken off has left.
pub async fn clear(socket: &Path) -> Result<(), ApplyError> {
    Backend::run_unlogged(socket, &[DROP_RESTORED.to_owned()]).await?;
    Ok(())
}

/// The table that gets the rows.
struct Into<'a> {
    table: &'a TableInfo,
    /// Those that are not computed.
    columns: Vec<&'a ColumnInfo>,
    backend: Backend,
    /// Warnings that say nothing of a changed value.
    expected: usize,
}

impl Into<'_> {
    async fn insert(&mut self, rows: &[(Handle, Vec<Datum>)]) -> Result<(), ApplyError> {
        let names = self.columns.iter().map(|c| mariadb::quoted(&c.name.o));
        let row_id = self.table.has_row_id().then(|| mariadb::quoted(ROW_ID));
        let names: Vec<String> = names.chain(row_id).collect();
        let names = names.join(", ");
        let mut rest = rows;
        while !rest.is_empty() {
            let mut values = Vec::new();
            let mut bytes = 0;
            for (handle, row) in rest.iter().take(ROWS) {
                if bytes > BYTES {
                    break;
                }
                values.push(self.row(handle, row, &mut bytes).await?);
            }
            rest = &rest[values.len()..];
            let values = values.join(", ");
            let insert = format!("INSERT INTO {RESTORED} ({names}) VALUES {values}");
            let done = self.backend.execute(&insert).await?;
            if usize::from(done.warnings) > std::mem::take(&mut self.expected) {
                let warnings = self.backend.rows("SHOW WARNINGS").await?;
                let told = warnings.rows.first().and_then(|row| row.get(2)?.as_ref());
                let told = told.map_or_else(String::new, |w| String::from_utf8_lossy(w).into());
                return Err(self.failed(format!("MariaDB would change a value: {told}")));
            }
        }
        Ok(())
    }

    async fn row(
        &mut self,
        handle: &Handle,
        row: &[Datum],
        bytes: &mut usize,
    ) -> Result<String, ApplyError> {
        let mut values = Vec::with_capacity(self.columns.len() + 1);
        for column in &self.columns {
            let value = &row[column.offset];
            // MariaDB takes it, and warns.
            let is_no_member = column.field_type.tp == Tp::Enum && *value == Datum::Uint(0);
            self.expected += usize::from(is_no_member);
            values.push(
                match literal(&mut self.backend, column, value, bytes).await {
                    Ok(value) => value,
                    Err(LiteralError::Wire(error)) => return Err(error.into()),
                    Err(LiteralError::Damaged(error)) => return Err(self.failed(error.to_string())),
                },
            );
        }
        match handle {
            Handle::Int(id) if self.table.has_row_id() => values.push(id.to_string()),
            _ => {}
        }
        Ok(format!("({})", values.join(", ")))
    }

    fn failed(&self, why: String) -> ApplyError {
        ApplyError::Restore {
            table: self.table.name.o.clone(),
            why,
        }
    }
}
