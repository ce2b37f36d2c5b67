//! What a statement's session contributes to a plan.

use super::dropped::Dropped;
use super::time_zone::Zone;

/// Which primary keys are clustered unless the statement says so (`tidb_enable_clustered_index`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClusteredIndex {
    /// All; the default of 8.5.
    #[default]
    On,
    /// None.
    Off,
    /// A single integer column.
    IntOnly,
}

/// The session that a statement runs in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The current database.
    pub database: Option<String>,
    /// The connection's id.
    pub connection_id: u64,
    /// Bits of `sql_mode`: [`sql_mode_bits`].
    pub sql_mode: u64,
    /// `character_set_connection`.
    pub charset: String,
    /// `collation_connection`.
    pub collation: String,
    /// The session's time zone, for TIMESTAMP defaults.
    pub zone: Zone,
    /// The time of the statement, as a TSO.
    pub now: u64,
    /// `foreign_key_checks`.
    pub foreign_key_checks: bool,
    /// `tidb_enable_clustered_index`.
    pub clustered_index: ClusteredIndex,
    /// The next AUTO_INCREMENT value of the statement's table, once a plan has asked for it.
    pub next_auto_increment: Option<i64>,
    /// The table that the statement brings back, once a plan has asked for it.
    pub dropped: Option<Box<Dropped>>,
}

impl Default for Session {
    /// A session of a fresh TiDB, without a current database, in UTC.
    fn default() -> Self {
        Self {
            database: None,
            connection_id: 1,
            sql_mode: sql_mode_bits(DEFAULT_SQL_MODE),
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_bin".to_owned(),
            zone: Zone::default(),
            now: 0,
            foreign_key_checks: true,
            clustered_index: ClusteredIndex::On,
            next_auto_increment: None,
            dropped: None,
        }
    }
}

impl Session {
    /// Whether a value that does not fit is an error.
    pub(crate) fn is_strict(&self) -> bool {
        self.sql_mode & sql_mode_bits("STRICT_TRANS_TABLES,STRICT_ALL_TABLES") != 0
    }
}

/// TiDB's default `sql_mode`.
pub const DEFAULT_SQL_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,\
                                    ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION";

/// `sql_mode` names by their bit; empty where no mode that TiDB knows has the bit.
const SQL_MODES: [&str; 32] = [
    "REAL_AS_FLOAT",
    "PIPES_AS_CONCAT",
    "ANSI_QUOTES",
    "IGNORE_SPACE",
    "NOT_USED",
    "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_DIR_IN_CREATE",
    "POSTGRESQL",
    "ORACLE",
    "MSSQL",
    "DB2",
    "MAXDB",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "NO_FIELD_OPTIONS",
    "MYSQL323",
    "MYSQL40",
    "ANSI",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "TRADITIONAL",
    "NO_AUTO_CREATE_USER",
    "HIGH_NOT_PRECEDENCE",
    "NO_ENGINE_SUBSTITUTION",
    "PAD_CHAR_TO_FULL_LENGTH",
];

/// Whether TiDB knows a mode by this name, in any case.
pub fn is_sql_mode(name: &str) -> bool {
    SQL_MODES.iter().any(|m| m.eq_ignore_ascii_case(name))
}

/// The bits of a comma-separated `sql_mode`; unknown names (MariaDB has some of its own) have none.
pub fn sql_mode_bits(modes: &str) -> u64 {
    modes
        .split(',')
        .filter_map(|mode| {
            SQL_MODES
                .iter()
                .position(|m| m.eq_ignore_ascii_case(mode.trim()))
        })
        .fold(0, |bits, i| bits | 1 << i)
}

#[cfg(test)]
mod tests {
    #[test]
    fn default_bits_are_those_of_recorded_jobs() {
        assert_eq!(super::Session::default().sql_mode, 1_436_549_152);
    }
}
