//! Compares `SHOW CREATE TABLE` with its recorded results.

use super::Statement;
use super::report::Verdict;
use embedded::tidb::catalog::Catalog;
use embedded::tidb::catalog::show::{ShowOptions, create_database, create_table};

/// Compares the statement's result, if it is such a statement. `database` is the session's.
pub(crate) fn compare(catalog: &Catalog, database: &str, statement: &Statement) -> Option<Verdict> {
    let sql = statement.sql().to_lowercase();
    let (kind, name) = sql.strip_prefix("show create ")?.split_once(' ')?;
    let recorded = statement.0["rows"][0][1].as_str()?;
    let text = match kind {
        "table" => {
            let Some(table) = catalog.table(database, name) else {
                return Some(Verdict::Wrong(format!("no table {name} is known")));
            };
            if table.fk_info.is_some() {
                return Some(Verdict::OutOfScope("foreign keys".into()));
            }
            if table.auto_random_bits > 0 {
                return Some(Verdict::OutOfScope("AUTO_RANDOM".into()));
            }
            // The next value is MariaDB's to know.
            let auto_increment = recorded
                .split_once(" AUTO_INCREMENT=")
                .map(|(_, n)| n.split(' ').next().unwrap().parse().unwrap());
            create_table(
                table,
                ShowOptions {
                    auto_increment,
                    utc_offset: 0,
                },
            )
        }
        "database" => create_database(&catalog.database(name)?.info),
        _ => return None,
    };
    Some(if text == recorded {
        Verdict::Equal
    } else {
        Verdict::Wrong(format!("recorded {recorded}\n    printed  {text}"))
    })
}
