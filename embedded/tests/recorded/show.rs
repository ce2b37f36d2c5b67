//! Compares `SHOW CREATE TABLE` with its recorded results.

use super::Statement;
use crate::report::Verdict;
use embedded::tidb::catalog::show::{ShowOptions, create_database, create_table};
use embedded::tidb::catalog::{Catalog, Zone};

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
            // The next values depend on the statements before.
            let next = |option: &str| {
                let (_, rest) = recorded.split_once(option)?;
                Some(rest.split(' ').next().unwrap().parse().unwrap())
            };
            let auto_increment = next(" AUTO_INCREMENT=");
            let auto_random = next(" AUTO_RANDOM_BASE=");
            create_table(
                table,
                ShowOptions {
                    database: Some(database),
                    auto_increment,
                    auto_random,
                    zone: Zone::default(),
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
