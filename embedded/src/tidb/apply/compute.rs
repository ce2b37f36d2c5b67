//! Values of virtual columns for rows that are read from TiKV, where no row has them.
//!
//! MariaDB computes them, from the values that the row has in TiKV and not from its own table, which may be ahead of the
//! binlog's reader: a temporary table has the columns in question, and is in no binlog.

use std::path::Path;

use super::ApplyError;
use super::literal::{BYTES, LiteralError, ROWS, literal};
use crate::tidb::catalog::mariadb;
use crate::tidb::catalog::model::{ColumnInfo, IndexInfo, TableInfo};
use crate::tidb::codec::{Datum, origin};
use crate::tidb::mariadb::sql_mode;
use crate::tidb::wire::backend::Backend;

/// Computes virtual columns of one table.
#[derive(Debug)]
pub(super) struct Computer<'a> {
    backend: Backend,
    table: &'a TableInfo,
    given: Vec<&'a ColumnInfo>,
    wanted: Vec<&'a ColumnInfo>,
}

impl<'a> Computer<'a> {
    /// What the indexes need; none if they have no virtual column.
    pub(super) async fn of(
        socket: &Path,
        table: &'a TableInfo,
        indexes: impl IntoIterator<Item = &IndexInfo>,
    ) -> Result<Option<Self>, ApplyError> {
        let parts = indexes.into_iter().flat_map(|index| &index.columns);
        let columns = parts.filter_map(|part| table.columns.get(part.offset));
        let mut wanted: Vec<&ColumnInfo> = columns.filter(|c| c.is_virtual()).collect();
        wanted.sort_unstable_by_key(|c| c.offset);
        wanted.dedup_by_key(|c| c.offset);
        if wanted.is_empty() {
            return Ok(None);
        }
        let read = read_by(table, &wanted);
        let columns: Vec<&ColumnInfo> = read.iter().chain(&wanted).copied().collect();
        let failed = |why: String| ApplyError::Compute {
            table: table.name.o.clone(),
            why,
        };
        let create = mariadb::computing(table, &columns).map_err(|e| failed(e.to_string()))?;
        let mut backend = Backend::connect(socket).await?;
        // The rows are there already: what would be refused of new ones is computed as it was for them.
        let session = format!(
            "SET SESSION sql_log_bin = 0, sql_mode = '{}', time_zone = '+00:00'",
            sql_mode::at_mariadb("")
        );
        for statement in [&session, &create] {
            backend.execute(statement).await?;
        }
        Ok(Some(Self {
            backend,
            table,
            given: read.into_iter().filter(|c| !c.is_generated()).collect(),
            wanted,
        }))
    }

    /// Puts the values into rows, which have one for each of the table's columns.
    pub(super) async fn fill(&mut self, rows: &mut [Vec<Datum>]) -> Result<(), ApplyError> {
        let mut rest = rows;
        while !rest.is_empty() {
            let mut values = Vec::new();
            let mut bytes = 0;
            for row in rest.iter().take(ROWS) {
                if bytes > BYTES {
                    break;
                }
                let mut of_row = values.len().to_string();
                for column in self.given.clone() {
                    let value = &row[column.offset];
                    let value = match literal(&mut self.backend, column, value, &mut bytes).await {
                        Ok(value) => value,
                        Err(LiteralError::Wire(error)) => return Err(error.into()),
                        Err(LiteralError::Damaged(error)) => {
                            return Err(self.failed(error.to_string()));
                        }
                    };
                    of_row.push_str(", ");
                    of_row.push_str(&value);
                }
                values.push(format!("({of_row})"));
            }
            let count = values.len();
            let values = values.join(", ");
            let (these, others) = rest.split_at_mut(count);
            self.compute(&values, these).await?;
            rest = others;
        }
        Ok(())
    }

    async fn compute(&mut self, values: &str, rows: &mut [Vec<Datum>]) -> Result<(), ApplyError> {
        let name = |column: &&ColumnInfo| mariadb::quoted(&column.name.o);
        let (table, number) = (mariadb::COMPUTING, mariadb::COMPUTING_NUMBER);
        // What is computed may read no column.
        let given = std::iter::once(number.to_owned()).chain(self.given.iter().map(name));
        let given: Vec<String> = given.collect();
        let wanted: Vec<String> = self.wanted.iter().map(name).collect();
        let insert = format!("INSERT INTO {table} ({}) VALUES {values}", given.join(", "));
        let select = format!(
            "SELECT {} FROM {table} ORDER BY {number}",
            wanted.join(", ")
        );
        self.backend.execute(&insert).await?;
        let computed = self.backend.rows(&select).await?.rows;
        self.backend
            .execute(&format!("DELETE FROM {table}"))
            .await?;
        if computed.len() != rows.len() {
            return Err(self.failed(format!("{} of {} rows", computed.len(), rows.len())));
        }
        for (row, computed) in rows.iter_mut().zip(computed) {
            for (column, text) in self.wanted.iter().zip(computed) {
                let value = text.map(|text| origin::of_text(&column.field_type, &text));
                let value = value.transpose().map_err(|why| self.failed(why))?;
                row[column.offset] = value.unwrap_or(Datum::Null);
            }
        }
        Ok(())
    }

    fn failed(&self, why: String) -> ApplyError {
        ApplyError::Compute {
            table: self.table.name.o.clone(),
            why,
        }
    }
}

/// The columns that generated ones are computed from, directly or not, in table order, themselves left out.
fn read_by<'a>(table: &'a TableInfo, generated: &[&ColumnInfo]) -> Vec<&'a ColumnInfo> {
    let mut out: Vec<&ColumnInfo> = vec![];
    let mut open: Vec<&ColumnInfo> = generated.to_vec();
    while let Some(column) = open.pop() {
        for name in column.dependences.iter().flat_map(|names| names.keys()) {
            let known = |c: &&ColumnInfo| c.name.l == *name;
            if out.iter().any(&known) || generated.iter().any(&known) {
                continue;
            }
            if let Some(column) = table.columns.iter().find(known) {
                out.push(column);
                open.push(column);
            }
        }
    }
    out.sort_unstable_by_key(|c| c.offset);
    out
}
