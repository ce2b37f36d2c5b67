//! Partitions whose table is gone: MariaDB knows a table's partitions by a file of their names, and without it drops the table
//! but not them. A table of the same name could not be made then.

use std::path::{Path, PathBuf};

use super::ApplyError;
use crate::tidb::catalog::mariadb::{quoted, string};
use crate::tidb::wire::{Backend, WireError};

/// A table with partitions of the same names, whose files stand in for those that are missing.
const STAND_IN: &str = "`mysql`.`_tidb_orphans`";
const DROP_STAND_IN: &str = "DROP TABLE IF EXISTS `mysql`.`_tidb_orphans`";
/// The stand-in's files, but for their endings.
const STAND_IN_FILE: &str = "mysql/_tidb_orphans";
/// What files describe a partitioned table.
const ENDINGS: [&str; 2] = ["frm", "par"];

/// Drops partitions that are left of a table that MariaDB does not know.
pub(super) async fn remove(socket: &Path, database: &str, table: &str) -> Result<(), ApplyError> {
    let mut own = Backend::connect(socket).await?;
    let file = |name: &str| {
        // The bytes of the file's name, taken for text.
        format!(
            "CONVERT(CAST(CONVERT({} USING filename) AS BINARY) USING utf8mb4)",
            string(name)
        )
    };
    let prefix = format!("CONCAT({}, '/', {}, '#P#')", file(database), file(table));
    let query = format!(
        "SELECT CONVERT(CONVERT(CAST(SUBSTR(NAME, LENGTH({prefix}) + 1) AS BINARY) USING filename) USING utf8mb4), \
         CONCAT(@@datadir, {}, '/', {}), @@datadir \
         FROM information_schema.INNODB_SYS_TABLES WHERE LEFT(NAME, LENGTH({prefix})) = {prefix}",
        file(database),
        file(table)
    );
    let found = own.rows(&query).await?;
    let mut names = Vec::new();
    let mut files = None;
    for row in &found.rows {
        let texts: Vec<String> = row
            .iter()
            .flatten()
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect();
        let [name, path, data] = texts.as_slice() else {
            let why = "a partition without a name";
            return Err(WireError::malformed("MariaDB's list of tables", why).into());
        };
        names.push(name.clone());
        files = Some((PathBuf::from(path), Path::new(data).join(STAND_IN_FILE)));
    }
    let Some((path, stand_in)) = files else {
        return Ok(());
    };
    tracing::info!(database, table, partitions = ?names, "partitions without their table are dropped");
    let parts = names.iter().enumerate();
    let parts: Vec<String> = parts
        .map(|(n, name)| format!("PARTITION {} VALUES IN ({n})", quoted(name)))
        .collect();
    let create = format!(
        "CREATE TABLE {STAND_IN} (n INT) ENGINE = InnoDB PARTITION BY LIST (n) ({})",
        parts.join(", ")
    );
    let make = [DROP_STAND_IN.to_owned(), create, "FLUSH TABLES".to_owned()];
    Backend::run_unlogged(socket, &make).await?;
    for ending in ENDINGS {
        let (from, to) = (stand_in.with_extension(ending), path.with_extension(ending));
        std::fs::copy(&from, &to).map_err(|source| ApplyError::Orphans { from, to, source })?;
    }
    let drop = format!("DROP TABLE {}.{}", quoted(database), quoted(table));
    Ok(Backend::run_unlogged(socket, &[drop, DROP_STAND_IN.to_owned()]).await?)
}
