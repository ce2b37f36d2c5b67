//! Names of databases and tables, which MariaDB tells in lower case.

use super::super::{DdlError, unsupported};
use super::column::check_name;

/// Characters, from and to, among which MariaDB's lower case, of an old Unicode, is another than TiDB's. The test
/// `tidb_ddl_edges` holds MariaDB to the rest.
#[rustfmt::skip]
const OTHER_CASE: [(char, char); 19] = [
    ('\u{220}', '\u{220}'), ('\u{23a}', '\u{24f}'), ('\u{370}', '\u{37f}'), ('\u{3cf}', '\u{3cf}'), ('\u{3d8}', '\u{3ff}'),
    ('\u{48a}', '\u{48b}'), ('\u{4c0}', '\u{4cf}'), ('\u{4f6}', '\u{52f}'), ('\u{10a0}', '\u{10cf}'),
    ('\u{13a0}', '\u{13ff}'), ('\u{1c80}', '\u{1cbf}'), ('\u{1e9e}', '\u{1e9e}'), ('\u{1efa}', '\u{1eff}'),
    ('\u{2132}', '\u{2132}'), ('\u{2183}', '\u{2184}'), ('\u{2c00}', '\u{2cff}'), ('\u{a640}', '\u{a69b}'),
    ('\u{a722}', '\u{a7ff}'), ('\u{ab70}', '\u{abbf}'),
];

/// Whether MariaDB and TiDB have the same lower case of a name.
pub fn has_one_lower_case(name: &str) -> bool {
    let differs = |c: char| {
        OTHER_CASE
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&c))
    };
    !name.contains(differs)
}

/// Refuses names of a new database, table, view or sequence.
pub(crate) fn check_object(query: &str, what: &str, name: &str) -> Result<(), DdlError> {
    check_name(what, name)?;
    match has_one_lower_case(name) {
        true => Ok(()),
        false => {
            let what = format!("{what} names of letters whose lower case MariaDB does not know");
            Err(unsupported(query, what))
        }
    }
}
