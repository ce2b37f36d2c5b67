//! What `SET GLOBAL` gave to variables, kept for the next start in a table of MariaDB's own database, as TiDB keeps it in
//! `mysql.global_variables`.

use std::path::Path;

use super::text::literal;
use super::variables::{self, Values};
use crate::tidb::catalog::TidbVersion;
use crate::tidb::wire::{Backend, WireError};

const TABLE: &str = "mysql.global_variables";

/// Gives MariaDB's variables the values that they had, and tells those of TiDB's.
pub(crate) async fn restore(socket: &Path, version: TidbVersion) -> Result<Values, WireError> {
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {TABLE} (name VARCHAR(64) CHARACTER SET ascii PRIMARY KEY, value TEXT CHARACTER SET utf8mb4) \
         ENGINE = InnoDB"
    );
    Backend::run_unlogged(socket, &[create]).await?;
    let mut own = Backend::connect(socket).await?;
    let kept = own
        .rows(&format!("SELECT name, value FROM {TABLE} ORDER BY name"))
        .await?;
    let mut values = Values::new();
    for row in &kept.rows {
        let [Some(name), value] = row.as_slice() else {
            return Err(WireError::malformed(TABLE, "a row without a name"));
        };
        let (name, value) = (utf8(name)?, value.as_deref().map(utf8).transpose()?);
        match (variables::tidb(version, name), value) {
            (Some(variable), Some(value)) => {
                values.insert(variable.name, value.to_owned());
            }
            (Some(_), None) => {
                let why = format!("{name} without a value");
                return Err(WireError::malformed(TABLE, why));
            }
            (None, value) => {
                let value = value.map_or("NULL".to_owned(), assigned);
                own.execute(&format!("SET GLOBAL {name} = {value}")).await?;
            }
        }
    }
    Ok(values)
}

/// Keeps what TiDB's variables are given, and what MariaDB's of these names have now.
pub(super) async fn keep(
    socket: &Path,
    tidb: impl Iterator<Item = (&'static str, &str)>,
    mariadb: &[String],
) -> Result<(), WireError> {
    let mut values: Vec<String> = tidb
        .map(|(name, value)| format!("({}, {})", literal(name), literal(value)))
        .collect();
    let there = mariadb
        .iter()
        .map(|name| format!("({}, @@GLOBAL.{name})", literal(&name.to_ascii_lowercase())));
    values.extend(there);
    if values.is_empty() {
        return Ok(());
    }
    let replace = format!(
        "REPLACE INTO {TABLE} (name, value) VALUES {}",
        values.join(", ")
    );
    Backend::run_unlogged(socket, &[replace]).await
}

fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).map_err(|error| WireError::malformed(TABLE, error.to_string()))
}

/// A value as SET takes it: MariaDB's numbers are no texts.
fn assigned(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok_and(f64::is_finite);
    match is_number {
        true => value.to_owned(),
        false => literal(value),
    }
}
