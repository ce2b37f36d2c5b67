//! The rows of a table on either side.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::VerifyError;
use super::mariadb::{MariaDb, ROW_ID, TableName, quoted};
use super::part::{self, Rule};
use super::read::cell::{self, Cell};
use super::read::model::Part;
use super::read::{Handle, Table, Unreadable, Value, row};
use super::report::Side;

/// Hexadecimal digits of a checksum.
const CHECKSUM: usize = 16;

/// What tells rows apart: the primary key, or the row id.
pub(super) type RowKey = Vec<Cell>;

/// A row in TiKV.
#[derive(Debug)]
pub(super) struct TikvRow {
    /// The table's id, or the partition's.
    pub(super) physical: i64,
    pub(super) handle: Handle,
    pub(super) values: Vec<Value>,
    pub(super) cells: Vec<Cell>,
}

/// A row in MariaDB.
#[derive(Debug)]
pub(super) struct MariaRow {
    /// The partition it was selected from.
    pub(super) physical: Option<i64>,
    pub(super) cells: Vec<Cell>,
    /// Sort keys that MariaDB was asked for, by the order of [`weighed`].
    pub(super) weights: Vec<Vec<u8>>,
}

/// Reads a record.
pub(super) fn of_tikv(
    table: &Table,
    physical: i64,
    handle: &Handle,
    value: &[u8],
) -> Result<(RowKey, TikvRow), Unreadable> {
    let values = row::record(table, handle, value)?;
    let cells = table.columns.iter().zip(&values);
    let cells = cells
        .map(|(column, value)| cell::of_tikv(column, value))
        .collect::<Result<Vec<_>, _>>()?;
    let row_id = Some(handle.to_string().into_bytes());
    let out = TikvRow {
        physical,
        handle: handle.clone(),
        values,
        cells,
    };
    Ok((key(table, &out.cells, row_id), out))
}

fn key(table: &Table, cells: &[Cell], row_id: Cell) -> RowKey {
    match (table.handle_column(), table.clustered()) {
        (Some(offset), _) => vec![cells[offset].clone()],
        (None, Some(primary)) => {
            let parts = primary.parts.iter();
            parts.map(|part| cells[part.offset].clone()).collect()
        }
        (None, None) => vec![row_id],
    }
}

/// The parts of keys whose sort keys MariaDB has to tell.
pub(super) fn weighed(table: &Table) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    let indexes = table.written_indexes().chain(table.clustered());
    for part in indexes.flat_map(|index| &index.parts) {
        let Some(column) = table.columns.get(part.offset) else {
            continue;
        };
        let known = |p: &Part| p.offset == part.offset && p.length == part.length;
        if part::rule(table, &column.field_type) == Rule::Weights && !out.iter().any(known) {
            out.push(part.clone());
        }
    }
    out
}

/// All rows of a table in MariaDB, by its partitions if those have TiDB's names. What is wrong with a row is given to
/// `failed`.
pub(super) async fn of_mariadb(
    mariadb: &mut MariaDb,
    name: &TableName,
    table: &Table,
    weighed: &[Part],
    mut failed: impl FnMut(String),
) -> Result<BTreeMap<RowKey, MariaRow>, VerifyError> {
    let column = |offset: usize| quoted(&table.columns[offset].name.original);
    let mut selected: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .map(|(offset, c)| cell::expression(c, &column(offset)))
        .collect();
    selected.extend(weighed.iter().map(|part| {
        let text = match part.length {
            n if n < 0 => column(part.offset),
            n => format!("LEFT({}, {n})", column(part.offset)),
        };
        format!("WEIGHT_STRING(RTRIM({text}))")
    }));
    if table.has_row_id() {
        selected.push(quoted(ROW_ID));
    }
    let select = format!(
        "SELECT {} FROM {}.{}",
        selected.join(", "),
        quoted(&name.0),
        quoted(&name.1)
    );
    let theirs = mariadb.partitions(name).await?;
    let same = |p: &super::read::model::Partition| {
        theirs
            .iter()
            .any(|n| n.eq_ignore_ascii_case(&p.name.original))
    };
    let by_partition = !theirs.is_empty()
        && theirs.len() == table.partitions().len()
        && table.partitions().iter().all(same);
    let selects: Vec<(Option<i64>, String)> = match by_partition {
        false => vec![(None, select)],
        true => {
            let of = |p: &super::read::model::Partition| {
                let name = quoted(&p.name.original);
                (Some(p.id), format!("{select} PARTITION ({name})"))
            };
            table.partitions().iter().map(of).collect()
        }
    };
    let mut out = BTreeMap::new();
    for (physical, select) in selects {
        for values in mariadb.rows(&select).await? {
            match read(table, weighed.len(), physical, values) {
                Ok((key, row)) => {
                    if let Some(other) = out.insert(key, row) {
                        failed(format!("its key is another's too, {:?}", other.cells));
                    }
                }
                Err(error) => failed(error.to_string()),
            }
        }
    }
    Ok(out)
}

fn read(
    table: &Table,
    weighed: usize,
    physical: Option<i64>,
    values: Vec<Option<Bytes>>,
) -> Result<(RowKey, MariaRow), Unreadable> {
    let max = cell::max_json_int(table.new_collations());
    let mut values = values.into_iter();
    let mut cells = Vec::with_capacity(table.columns.len());
    for (column, value) in table.columns.iter().zip(&mut values) {
        cells.push(match value {
            None => None,
            Some(text) => cell::of_mariadb(column, &text, max)?,
        });
    }
    let weights = values.by_ref().take(weighed);
    let row = MariaRow {
        physical,
        weights: weights.map(|w| w.unwrap_or_default().to_vec()).collect(),
        cells,
    };
    let row_id = values.next().flatten().map(|id| id.to_vec());
    Ok((key(table, &row.cells, row_id), row))
}

/// Counts rows, and sums them up in the order of their keys.
pub(super) fn side<'a>(rows: impl IntoIterator<Item = (&'a RowKey, &'a Vec<Cell>)>) -> Side {
    let mut hash = Sha256::new();
    let mut count = 0;
    for (key, cells) in rows {
        count += 1;
        for cell in key.iter().chain(cells) {
            match cell {
                None => hash.update([0]),
                Some(bytes) => {
                    hash.update([1]);
                    hash.update((bytes.len() as u64).to_le_bytes());
                    hash.update(bytes);
                }
            }
        }
    }
    let mut checksum = hex::encode(hash.finalize());
    checksum.truncate(CHECKSUM);
    Side {
        rows: count,
        checksum,
    }
}
