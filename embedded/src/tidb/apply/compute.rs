//! Values of virtual columns for rows that are read from TiKV, where no row has them.
//!
//! MariaDB computes them, from the values that the row has in TiKV and not from its own table, which may be ahead of the
//! binlog's reader: a temporary table has the columns in question, and is in no binlog.

use std::path::Path;

use super::ApplyError;
use crate::tidb::catalog::mariadb;
use crate::tidb::catalog::model::{ColumnInfo, FieldType, IndexInfo, TableInfo};
use crate::tidb::codec::origin;
use crate::tidb::codec::{CodecError, Datum, json, json_text};
use crate::tidb::partition::bound;
use crate::tidb::wire::backend::Backend;

/// Rows computed by one statement, at most.
const ROWS: usize = 256;
/// Bytes of a statement from which on no further row is put into it.
const BYTES: usize = 1 << 20;

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
        for statement in [
            "SET SESSION sql_log_bin = 0, sql_mode = '', time_zone = '+00:00'",
            &create,
        ] {
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
            let mut values = String::new();
            let mut count = 0;
            for row in rest.iter().take(ROWS) {
                if values.len() > BYTES {
                    break;
                }
                let of_row = self
                    .given
                    .iter()
                    .map(|c| literal(&row[c.offset], &c.field_type));
                let of_row: Vec<String> = of_row
                    .collect::<Result<_, _>>()
                    .map_err(|source| self.failed(source.to_string()))?;
                let comma = if values.is_empty() { "" } else { ", " };
                values.push_str(&format!("{comma}({count}, {})", of_row.join(", ")));
                count += 1;
            }
            let (these, others) = rest.split_at_mut(count);
            self.compute(&values, these).await?;
            rest = others;
        }
        Ok(())
    }

    async fn compute(&mut self, values: &str, rows: &mut [Vec<Datum>]) -> Result<(), ApplyError> {
        let names = |columns: &[&ColumnInfo]| {
            let names = columns.iter().map(|c| mariadb::quoted(&c.name.o));
            names.collect::<Vec<_>>().join(", ")
        };
        let (table, number) = (mariadb::COMPUTING, mariadb::COMPUTING_NUMBER);
        let given = names(&self.given);
        let insert = format!("INSERT INTO {table} ({number}, {given}) VALUES {values}");
        let select = format!(
            "SELECT {} FROM {table} ORDER BY {number}",
            names(&self.wanted)
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

/// A value in SQL.
fn literal(value: &Datum, ft: &FieldType) -> Result<String, CodecError> {
    Ok(match value {
        Datum::Float(number) => format!("{number:e}"),
        Datum::Decimal(number) => number.to_string(),
        Datum::Bytes(bytes) => format!("x'{}'", hex::encode(bytes)),
        Datum::Json(binary) => {
            let text = json_text::print(&json::decode(binary)?);
            format!("x'{}'", hex::encode(text))
        }
        other => bound::text(other, ft),
    })
}
