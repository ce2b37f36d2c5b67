//! A random load that is the same in every run: rows with the edges of each type and without values, transactions of several
//! statements, some of which change a row twice, move it or come to nothing.

use std::error::Error;

use harness::observe::sql::{Session, SqlError};

use super::dice::Dice;
use super::history::{Image, Shapes, Told};
use super::tables::{TABLES, Table};

/// Ids are below this: rows meet often.
const IDS: u64 = 25;
/// The ids, or what else the first column is, of a table's first and last rows.
const FIRST: u64 = 0;
const LAST: u64 = 1000;
/// What a statement may run into: a key that is there.
const DUPLICATE: u16 = 1062;

fn statement(dice: &mut Dice) -> String {
    // Half of all on the table of all types.
    let table = match dice.roll(2) {
        0 => &TABLES[0],
        _ => dice.pick(TABLES),
    };
    let (id, other) = (1 + dice.roll(IDS), 1 + dice.roll(IDS));
    let name = table.name;
    let number = table.columns[0].0;
    let set = |values: Vec<(&str, String)>| {
        let set: Vec<String> = values
            .into_iter()
            .map(|(column, value)| format!("{column} = {value}"))
            .collect();
        set.join(", ")
    };
    let some = |dice: &mut Dice| {
        let mut values = table.values(dice, id);
        values.retain(|(column, _)| !table.key.contains(column) && *column != number);
        let kept = 1 + dice.roll(4) as usize;
        while values.len() > kept {
            let out = dice.roll(values.len() as u64) as usize;
            values.remove(out);
        }
        set(values)
    };
    match dice.roll(12) {
        0..=2 => format!("INSERT INTO {name} SET {}", set(table.values(dice, id))),
        3 => format!(
            "INSERT INTO {name} SET {} ON DUPLICATE KEY UPDATE {}",
            set(table.values(dice, id)),
            some(dice)
        ),
        4 => format!("REPLACE INTO {name} SET {}", set(table.values(dice, id))),
        5..=7 => format!(
            "UPDATE IGNORE {name} SET {} WHERE {number} = {id}",
            some(dice)
        ),
        8 => format!(
            "UPDATE IGNORE {name} SET {} WHERE {number} > {id} ORDER BY {number} LIMIT 4",
            some(dice)
        ),
        9 => format!("UPDATE IGNORE {name} SET {number} = {other} WHERE {number} = {id}"),
        10 => format!("UPDATE {name} SET {number} = {number} WHERE {number} = {id}"),
        _ => format!("DELETE FROM {name} WHERE {number} = {id}"),
    }
}

/// Random transactions, some taken back.
pub async fn run(
    session: &mut Session,
    seed: u64,
    transactions: u64,
) -> Result<(), Box<dyn Error>> {
    let mut dice = Dice::new(seed);
    for _ in 0..transactions {
        let mut statements = vec!["BEGIN".to_owned()];
        for _ in 0..=dice.roll(4) {
            statements.push(statement(&mut dice));
        }
        let end = *dice.pick(&["COMMIT", "COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]);
        statements.push(end.to_owned());
        for sql in statements {
            match session.run(&sql).await {
                Err(SqlError::Server {
                    code: DUPLICATE, ..
                }) => {}
                Err(error) => return Err(format!("{sql}: {error}").into()),
                Ok(_) => {}
            }
        }
    }
    Ok(())
}

/// A row of each table that the load does not change.
pub async fn first(session: &mut Session) -> Result<(), SqlError> {
    marks(session, FIRST).await
}

/// The last row of each table.
pub async fn end(session: &mut Session) -> Result<(), SqlError> {
    marks(session, LAST).await
}

/// A row of each table with this number and no values beside its key.
async fn marks(session: &mut Session, number: u64) -> Result<(), SqlError> {
    for table in TABLES {
        let of_column = |(name, _, values): &(&str, &str, &[&str])| {
            let value = match (values.is_empty(), table.key.contains(name)) {
                (true, _) => number.to_string(),
                (false, true) => format!("'{number}'"),
                (false, false) => "NULL".to_owned(),
            };
            format!("{name} = {value}")
        };
        let values: Vec<String> = table.columns.iter().map(of_column).collect();
        let sql = format!("INSERT INTO {} SET {}", table.name, values.join(", "));
        session.run(&sql).await?;
    }
    Ok(())
}

/// Those of these tables whose last row is not told.
pub fn without_end<'a>(
    shapes: &Shapes,
    told: impl Clone + Iterator<Item = &'a Told>,
) -> Vec<&'static str> {
    let is_last = |told: &Told, table: &Table| {
        let cell = |image: &Image| {
            image
                .get(table.columns[0].0)
                .and_then(|value| value.cell.clone())
        };
        told.table == table.name && told.after.as_ref().and_then(cell) == Some(LAST.to_string())
    };
    let tables = TABLES
        .iter()
        .filter(|table| shapes.contains_key(table.name));
    let missing = tables.filter(|table| !told.clone().any(|told| is_last(told, table)));
    missing.map(|table| table.name).collect()
}
