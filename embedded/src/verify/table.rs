//! One table: its rows on both sides.

use std::collections::BTreeMap;

use super::VerifyError;
use super::mariadb::{MariaDb, Object, TableName};
use super::part;
use super::read::cell::{self, Cell};
use super::read::model::{Part, tp};
use super::read::{Handle, Input, Table, datum, text};
use super::report;
use super::rows::{self, MariaRow, RowKey, TikvRow};
use super::store::Store;

/// A table that is being checked.
#[derive(Debug)]
pub(super) struct Check<'a> {
    name: &'a TableName,
    pub(super) table: &'a Table,
    pub(super) result: &'a mut report::Table,
    tikv: BTreeMap<RowKey, TikvRow>,
    mariadb: BTreeMap<RowKey, MariaRow>,
    weighed: Vec<Part>,
    /// What nothing was found out about.
    pub(super) not_compared: Vec<String>,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        name: &'a TableName,
        table: &'a Table,
        result: &'a mut report::Table,
    ) -> Self {
        Self {
            name,
            table,
            result,
            tikv: BTreeMap::new(),
            mariadb: BTreeMap::new(),
            weighed: vec![],
            not_compared: vec![],
        }
    }

    /// Database and table.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.name.0, self.table.name.original)
    }

    pub(super) fn fault(&mut self, fault: String) {
        self.result.faults.add(fault);
    }

    /// Compares the description and the rows. `theirs` is what MariaDB has under the name.
    pub(super) async fn rows(
        &mut self,
        store: &Store,
        mariadb: &mut MariaDb,
        theirs: Option<Object>,
    ) -> Result<(), VerifyError> {
        self.read_tikv(store);
        self.result.tikv = rows::side(self.tikv.iter().map(|(key, row)| (key, &row.cells)));
        // The tables of jobs and the like are TiDB's own.
        if self.name.0 == "mysql" {
            let what = format!(
                "rows of {}: TiDB's own table, which MariaDB does not have",
                self.full_name()
            );
            self.not_compared.push(what);
            return Ok(());
        }
        let Some(Object::Table(theirs)) = theirs else {
            self.fault("MariaDB does not have the table".to_owned());
            return Ok(());
        };
        if !self.shape(&theirs) {
            return Ok(());
        }
        self.weighed = rows::weighed(self.table);
        let result = &mut *self.result;
        let failed = |what| result.faults.add(format!("a row in MariaDB: {what}"));
        self.mariadb =
            rows::of_mariadb(mariadb, self.name, self.table, &self.weighed, failed).await?;
        let side = rows::side(self.mariadb.iter().map(|(key, row)| (key, &row.cells)));
        self.result.mariadb = Some(side);
        self.note_blind_spots();
        self.compute();
        self.result.tikv = rows::side(self.tikv.iter().map(|(key, row)| (key, &row.cells)));
        self.compare();
        Ok(())
    }

    /// Tells which of the comparisons of rows cannot be made.
    fn note_blind_spots(&mut self) {
        let name = self.full_name();
        let divided = !self.table.partitions().is_empty();
        if divided && self.mariadb.values().any(|row| row.physical.is_none()) {
            self.not_compared.push(format!(
                "which partitions the rows of {name} are in: MariaDB has it in one piece"
            ));
        }
        let clustered = self.table.clustered();
        let unknown = clustered.and_then(|primary| self.unknown(&primary.parts));
        if let (Some(collation), false) = (unknown, self.mariadb.is_empty()) {
            let what = format!("the texts in the handles of {name}: no rule for {collation}");
            self.not_compared.push(what);
        }
    }

    /// Takes over what MariaDB computes: the columns that no row in TiKV has.
    fn compute(&mut self) {
        let mut faults = Vec::new();
        for (offset, column) in self.table.columns.iter().enumerate() {
            if !column.is_virtual() {
                continue;
            }
            for (key, row) in &mut self.tikv {
                let Some(Some(text)) = self.mariadb.get(key).map(|other| &other.cells[offset])
                else {
                    continue;
                };
                row.cells[offset] = Some(text.clone());
                // JSON is in no key.
                if column.field_type.tp == tp::JSON {
                    continue;
                }
                match text::value(&column.field_type, text) {
                    Ok(value) => row.values[offset] = value,
                    Err(error) => faults.push(format!("{}: {error}", column.name.original)),
                }
            }
        }
        faults.into_iter().for_each(|fault| self.fault(fault));
    }

    fn read_tikv(&mut self, store: &Store) {
        for id in self.table.physical_ids() {
            for (handle, value) in store.table(id).iter().flat_map(|keys| &keys.records) {
                match rows::of_tikv(self.table, id, handle, value) {
                    Err(error) => self.fault(format!("row {handle} under table id {id}: {error}")),
                    Ok((key, row)) => {
                        if let Some(first) = self.tikv.insert(key.clone(), row) {
                            let what = self.describe(&key);
                            self.fault(format!(
                                "row {what} is in TiKV twice, under table ids {} and {id}",
                                first.physical
                            ));
                        }
                    }
                }
            }
        }
    }

    fn compare(&mut self) {
        let mut faults = Vec::new();
        for (key, row) in &self.tikv {
            let what = self.describe(key);
            let Some(other) = self.mariadb.get(key) else {
                let cells = self.row(&row.cells);
                faults.push(format!("row {what} is in TiKV alone: {cells}"));
                continue;
            };
            let pairs = row.cells.iter().zip(&other.cells);
            for (column, (ours, theirs)) in self.table.columns.iter().zip(pairs) {
                if ours != theirs {
                    faults.push(format!(
                        "row {what}: {} is {} in TiKV, {} in MariaDB",
                        column.name.original,
                        cell::show(ours),
                        cell::show(theirs)
                    ));
                }
            }
            if other.physical.is_some_and(|id| id != row.physical) {
                faults.push(format!(
                    "row {what} is in the partition with id {} in TiKV, {} in MariaDB",
                    row.physical,
                    other.physical.unwrap_or_default()
                ));
            }
            if let Some(fault) = self.check_handle(row, other) {
                faults.push(format!("row {what}: {fault}"));
            }
        }
        for (key, row) in &self.mariadb {
            if !self.tikv.contains_key(key) {
                let (what, cells) = (self.describe(key), self.row(&row.cells));
                faults.push(format!("row {what} is in MariaDB alone: {cells}"));
            }
        }
        for fault in faults {
            self.fault(fault);
        }
    }

    /// Whether the columns in a common handle are those of the row.
    fn check_handle(&self, row: &TikvRow, other: &MariaRow) -> Option<String> {
        let (Handle::Common(bytes), Some(primary)) = (&row.handle, self.table.clustered()) else {
            return None;
        };
        let mut input = Input::new("a handle", bytes);
        for part in &primary.parts {
            let held = match datum::read(&mut input) {
                Ok(held) => held,
                Err(error) => return Some(error.to_string()),
            };
            let weights = self.weights(part, Some(other));
            let expected = part::in_key(self.table, part, &row.values[part.offset], weights);
            if expected.is_some_and(|expected| expected != held) {
                return Some(format!(
                    "its handle {} is not that of its values",
                    row.handle
                ));
            }
        }
        None
    }

    /// The sort key of a part of a row, if MariaDB was asked for it.
    pub(super) fn weights<'r>(
        &self,
        part: &Part,
        row: Option<&'r MariaRow>,
    ) -> Option<&'r Vec<u8>> {
        let known = |p: &Part| p.offset == part.offset && p.length == part.length;
        row?.weights.get(self.weighed.iter().position(known)?)
    }

    /// The rows that are in TiKV, each with the one in MariaDB if there is one.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&RowKey, &TikvRow, Option<&MariaRow>)> {
        let rows = self.tikv.iter();
        rows.map(|(key, row)| (key, row, self.mariadb.get(key)))
    }

    /// The rows that are in TiKV.
    pub(super) fn rows_of_tikv(&self) -> impl Iterator<Item = &TikvRow> {
        self.tikv.values()
    }

    /// A row's key in words.
    pub(super) fn describe(&self, key: &RowKey) -> String {
        let names: Vec<&str> = match (self.table.handle_column(), self.table.clustered()) {
            (Some(offset), _) => vec![&self.table.columns[offset].name.original],
            (None, Some(primary)) => {
                let parts = primary.parts.iter();
                let name = |p: &Part| self.table.columns[p.offset].name.original.as_str();
                parts.map(name).collect()
            }
            (None, None) => vec![super::mariadb::ROW_ID],
        };
        let parts = names.iter().zip(key);
        let parts: Vec<String> = parts
            .map(|(name, cell)| format!("{name}={}", cell::show(cell)))
            .collect();
        parts.join(", ")
    }

    fn row(&self, cells: &[Cell]) -> String {
        let columns = self.table.columns.iter().zip(cells);
        let cells: Vec<String> = columns
            .map(|(c, cell)| format!("{} {}", c.name.original, cell::show(cell)))
            .collect();
        cells.join(", ")
    }
}
