//! The tables of a scenario as TiDB shows them: what the messages have to add up to.

use std::collections::BTreeMap;

use super::cell::{self, Cell};
use crate::lab::Compat;
use crate::observe::flink::table::Column;
use crate::observe::sql::{Session, SqlError, lossy, quoted};

/// A table and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its database.
    pub database: String,
    /// Its name.
    pub name: String,
    /// Its columns, as far as messages have them (virtual generated ones are left out).
    pub columns: Vec<Column>,
    /// Whether it has a primary key, or a unique key whose columns are all NOT NULL; others are not replicated by default
    /// (spec/canal-json.md §13).
    pub eligible: bool,
    /// Its rows, in the common form.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// `database.table`.
    pub fn place(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// The places of the primary key's columns.
    pub fn primary_key(&self) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(_, column)| column.primary)
            .map(|(index, _)| index)
            .collect()
    }
}

/// Reads all tables of these databases.
///
/// # Errors
/// [`SqlError`].
pub async fn read(
    session: &mut Session,
    databases: &[String],
    dialect: Compat,
) -> Result<Vec<Table>, SqlError> {
    let mut tables = Vec::new();
    for database in databases {
        let mut columns = columns(session, database).await?;
        let keys = not_null_keys(session, database).await?;
        let sql = format!(
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = {} AND table_type = 'BASE TABLE' ORDER BY table_name",
            text(database)
        );
        for name in session.strings(&sql).await? {
            let columns = columns.remove(&name).unwrap_or_default();
            tables.push(Table {
                eligible: keys.contains(&name) || columns.iter().any(|column| column.primary),
                rows: rows(session, database, &name, &columns, dialect).await?,
                database: database.clone(),
                columns,
                name,
            });
        }
    }
    Ok(tables)
}

async fn rows(
    session: &mut Session,
    database: &str,
    table: &str,
    columns: &[Column],
    dialect: Compat,
) -> Result<Vec<Vec<Cell>>, SqlError> {
    let expressions: Vec<String> = columns.iter().map(cell::expression).collect();
    let sql = format!(
        "SELECT {} FROM {}.{}",
        expressions.join(", "),
        quoted(database),
        quoted(table)
    );
    let found = session.run(&sql).await?.rows;
    let cells = |row: Vec<Option<Vec<u8>>>| {
        row.into_iter()
            .zip(columns)
            .map(|(value, column)| cell::of_sql(column, dialect, value))
            .collect()
    };
    Ok(found.into_iter().map(cells).collect())
}

async fn columns(
    session: &mut Session,
    database: &str,
) -> Result<BTreeMap<String, Vec<Column>>, SqlError> {
    let sql = format!(
        "SELECT table_name, column_name, data_type, column_type, column_key, extra FROM information_schema.columns \
         WHERE table_schema = {} ORDER BY table_name, ordinal_position",
        text(database)
    );
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in session.run(&sql).await?.rows {
        let mut row = row
            .into_iter()
            .map(|value| lossy(value.unwrap_or_default()));
        let mut next = || row.next().unwrap_or_default();
        let (table, name) = (next(), next());
        let (data_type, column_type) = (next().to_lowercase(), next().to_lowercase());
        let (key, extra) = (next(), next());
        if extra.to_uppercase().contains("VIRTUAL") {
            continue;
        }
        tables.entry(table).or_default().push(Column {
            name,
            data_type,
            column_type,
            primary: key == "PRI",
        });
    }
    Ok(tables)
}

/// The tables that have a unique key whose columns are all NOT NULL.
async fn not_null_keys(session: &mut Session, database: &str) -> Result<Vec<String>, SqlError> {
    let sql = format!(
        "SELECT table_name, index_name, nullable FROM information_schema.statistics \
         WHERE table_schema = {} AND non_unique = 0",
        text(database)
    );
    let mut keys: BTreeMap<(String, String), bool> = BTreeMap::new();
    for row in session.run(&sql).await?.rows {
        let mut row = row
            .into_iter()
            .map(|value| lossy(value.unwrap_or_default()));
        let mut next = || row.next().unwrap_or_default();
        let key = (next(), next());
        let nullable = next() == "YES";
        *keys.entry(key).or_insert(true) &= !nullable;
    }
    let keys = keys.into_iter().filter(|(_, not_null)| *not_null);
    Ok(keys.map(|((table, _), _)| table).collect())
}

fn text(name: &str) -> String {
    format!("'{}'", name.replace('\\', "\\\\").replace('\'', "''"))
}
