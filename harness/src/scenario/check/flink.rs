//! A table that Flink was asked for has the rows that TiDB shows.

use std::collections::BTreeMap;

use crate::lab::Compat;
use crate::observe::flink::{Changelog, Kind};
use crate::scenario::cell::{self, Cell};
use crate::scenario::tables::Table;

/// The rows that remain of a changelog: by primary key, as Flink's own sinks fold it, else row by row.
///
/// # Errors
/// If a change takes away a row that is not there, and there is no key.
pub fn fold(changelog: &Changelog, key: &[usize]) -> Result<Vec<Vec<Option<String>>>, String> {
    if key.is_empty() {
        return changelog.rows();
    }
    let mut rows = BTreeMap::new();
    for change in &changelog.changes {
        let of_key: Vec<Option<String>> = key
            .iter()
            .map(|place| change.row.get(*place).cloned().flatten())
            .collect();
        match change.kind {
            Kind::Insert | Kind::UpdateAfter => drop(rows.insert(of_key, change.row.clone())),
            Kind::Delete => drop(rows.remove(&of_key)),
            // What follows has the same key, or the row is deleted: canal-json has no update of a key.
            Kind::UpdateBefore => {}
        }
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort();
    Ok(rows)
}

/// How the rows differ.
pub fn check(table: &Table, rows: &[Vec<Option<String>>], dialect: Compat) -> Vec<String> {
    let cells = |row: &Vec<Option<String>>| -> Vec<Cell> {
        row.iter()
            .zip(&table.columns)
            .map(|(value, column)| cell::of_flink(column, dialect, value.as_deref()))
            .collect()
    };
    let mut seen: Vec<Vec<Cell>> = rows.iter().map(cells).collect();
    let mut differences = Vec::new();
    for row in &table.rows {
        match seen.iter().position(|other| other == row) {
            Some(place) => drop(seen.swap_remove(place)),
            None => differences.push(format!("only in TiDB: {}", shown(row))),
        }
    }
    differences.extend(
        seen.iter()
            .map(|row| format!("only in Flink: {}", shown(row))),
    );
    if differences.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "the rows of {} in TiDB and in Flink differ\n  {}",
        table.place(),
        differences.join("\n  ")
    )]
}

fn shown(row: &[Cell]) -> String {
    let cells: Vec<&str> = row
        .iter()
        .map(|cell| cell.as_deref().unwrap_or("NULL"))
        .collect();
    format!("[{}]", cells.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::flink::Change;
    use crate::observe::flink::table::Column;

    fn table(rows: &[[&str; 2]]) -> Table {
        let column = |name: &str, data_type: &str, primary: bool| Column {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            column_type: data_type.to_owned(),
            primary,
        };
        Table {
            database: "d".to_owned(),
            name: "t".to_owned(),
            columns: vec![column("id", "int", true), column("f", "double", false)],
            eligible: true,
            rows: rows
                .iter()
                .map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect())
                .collect(),
        }
    }

    fn change(kind: Kind, row: [Option<&str>; 2]) -> Change {
        let row = row.iter().map(|cell| cell.map(str::to_owned)).collect();
        Change { kind, row }
    }

    #[test]
    fn a_lost_change_of_flink_is_found() {
        let mut log = Changelog {
            columns: vec!["id".to_owned(), "f".to_owned()],
            changes: vec![
                change(Kind::Insert, [Some("1"), None]),
                change(Kind::Insert, [Some("2"), Some("1.0E22")]),
                // Flink 1.12 shows the new value for an old NULL.
                change(Kind::UpdateBefore, [Some("1"), Some("5.0")]),
                change(Kind::UpdateAfter, [Some("1"), Some("5.0")]),
            ],
        };
        let table = table(&[["1", "5.0"], ["2", "1e22"]]);
        let rows = fold(&log, &table.primary_key()).unwrap();
        assert_eq!(check(&table, &rows, Compat::V8), Vec::<String>::new());
        log.changes.pop();
        let rows = fold(&log, &table.primary_key()).unwrap();
        let found = check(&table, &rows, Compat::V8);
        assert!(found[0].contains("only in TiDB: [1, 5.0]"), "{found:?}");
        assert!(found[0].contains("only in Flink: [1, NULL]"), "{found:?}");
    }
}
