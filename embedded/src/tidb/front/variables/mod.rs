//! System variables: those of MariaDB that a client may change ([`is_shared`]), those of TiDB that MariaDB does not have
//! ([`list`]), and those of which TiDB tells another value, or that only MariaDB has ([`told`]).

mod list;
mod told;

use std::collections::BTreeMap;

use crate::tidb::catalog::TidbVersion;

pub(super) use told::{is_mariadbs_alone, mariadbs_alone, told};

/// The format that rows are written in.
pub(super) const ROW_FORMAT: &str = "tidb_row_format_version";
/// Whether clients have to come under TLS.
pub(super) const REQUIRE_TLS: &str = "require_secure_transport";
/// The time that reads are of, if it is not now.
pub(super) const SNAPSHOT: &str = "tidb_snapshot";

/// Values that a session, or `SET GLOBAL`, gave to variables of TiDB.
pub(super) type Values = BTreeMap<&'static str, String>;

/// What values a variable of TiDB takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// `ON` or `OFF`.
    Switch,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Only its default: anything else would change what the embedded TiDB does, and it cannot.
    Default,
    /// It cannot be set.
    ReadOnly,
}

/// Where a variable has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Each session has its own, which begins as the global one.
    Both,
    /// There is one for all.
    Global,
    /// Sessions only.
    Session,
}

/// A variable of TiDB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) takes: Takes,
    pub(super) scope: Scope,
    /// The only release that has it, if not all have.
    release: Option<TidbVersion>,
}

/// A variable of TiDB by its name in any case.
pub(super) fn tidb(release: TidbVersion, name: &str) -> Option<&'static Variable> {
    all(release).find(|v| v.name.eq_ignore_ascii_case(name))
}

/// All that a release has, by name.
pub(super) fn all(release: TidbVersion) -> impl Iterator<Item = &'static Variable> {
    list::TIDB
        .iter()
        .filter(move |v| v.release.is_none_or(|only| only == release))
}

/// Variables that MariaDB and TiDB both have and a session may change: what they do is the same in both, or nothing that
/// reaches the data.
const SHARED: [&str; 40] = [
    "auto_increment_increment",
    "auto_increment_offset",
    "autocommit",
    "big_tables",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
    "div_precision_increment",
    "foreign_key_checks",
    "group_concat_max_len",
    "innodb_lock_wait_timeout",
    "insert_id",
    "interactive_timeout",
    "last_insert_id",
    "lc_time_names",
    "lock_wait_timeout",
    "long_query_time",
    "max_join_size",
    "max_sort_length",
    "net_buffer_length",
    "net_read_timeout",
    "net_write_timeout",
    "optimizer_switch",
    "profiling",
    "query_cache_type",
    "rand_seed1",
    "rand_seed2",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_buffer_result",
    "sql_notes",
    "sql_quote_show_create",
    "sql_safe_updates",
    "sql_select_limit",
    "sql_warnings",
    "timestamp",
    "time_zone",
    "unique_checks",
    "wait_timeout",
];

/// Variables whose values decide about isolation: MariaDB has TiDB's two.
const ISOLATION: [&str; 3] = ["tx_isolation", "transaction_isolation", "tx_read_only"];

/// Names in double quotes.
const ANSI_QUOTES: &str = "ANSI_QUOTES";

/// Modes of `sql_mode` that mean the same in MariaDB and do not change how SQL is read.
const SQL_MODES: [&str; 12] = [
    ANSI_QUOTES,
    "ONLY_FULL_GROUP_BY",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "NO_AUTO_CREATE_USER",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_ENGINE_SUBSTITUTION",
    "NO_UNSIGNED_SUBTRACTION",
];

/// Whether a session may change this variable of MariaDB.
pub(super) fn is_shared(name: &str) -> bool {
    SHARED
        .iter()
        .chain(&ISOLATION)
        .any(|v| v.eq_ignore_ascii_case(name))
}

/// Whether a value of `sql_mode` makes names of what stands in double quotes.
pub(super) fn has_ansi_quotes(value: &str) -> bool {
    value
        .split(',')
        .any(|mode| mode.trim().eq_ignore_ascii_case(ANSI_QUOTES))
}

/// The first mode in a value of `sql_mode` that cannot be had.
pub(super) fn refused_sql_mode(value: &str) -> Option<String> {
    value
        .split(',')
        .map(str::trim)
        .filter(|mode| !mode.is_empty())
        .find(|mode| !SQL_MODES.iter().any(|m| m.eq_ignore_ascii_case(mode)))
        .map(str::to_ascii_uppercase)
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// TiDB refuses it too.
    Wrong,
    /// TiDB takes it.
    Unsupported,
    /// The variable cannot be set.
    ReadOnly,
}

impl Variable {
    /// The value as the variable keeps it.
    pub(super) fn accept(&self, value: &str) -> Result<String, Refusal> {
        let switch = |v: &str| match v.to_ascii_uppercase().as_str() {
            "ON" | "1" | "TRUE" => Some("ON"),
            "OFF" | "0" | "FALSE" => Some("OFF"),
            _ => None,
        };
        match self.takes {
            Takes::ReadOnly => Err(Refusal::ReadOnly),
            Takes::Text => Ok(value.to_owned()),
            Takes::Switch => switch(value).map(str::to_owned).ok_or(Refusal::Wrong),
            Takes::Number => match value.parse::<i64>() {
                Ok(_) => Ok(value.to_owned()),
                Err(_) => Err(Refusal::Wrong),
            },
            Takes::OneOf(values) => values
                .iter()
                .find(|v| v.eq_ignore_ascii_case(value) || switch(value).is_some_and(|s| s == **v))
                .map(|v| (*v).to_owned())
                .ok_or(Refusal::Wrong),
            Takes::Default => {
                let same = value.eq_ignore_ascii_case(self.default)
                    || switch(value).is_some_and(|s| s == self.default);
                if same {
                    Ok(self.default.to_owned())
                } else {
                    Err(Refusal::Unsupported)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let tidb = |name: &str| tidb(TidbVersion::V8_5, name);
        let clustered = tidb("TIDB_enable_clustered_index").unwrap();
        assert_eq!(clustered.accept("int_only"), Ok("INT_ONLY".to_owned()));
        assert_eq!(clustered.accept("0"), Ok("OFF".to_owned()));
        assert_eq!(clustered.accept("x"), Err(Refusal::Wrong));
        assert_eq!(
            tidb("tidb_batch_insert").unwrap().accept("1"),
            Err(Refusal::Unsupported)
        );
        assert_eq!(
            tidb("tidb_current_ts").unwrap().accept("1"),
            Err(Refusal::ReadOnly)
        );
        assert!(tidb("tidb_nope").is_none());
    }

    #[test]
    fn a_release_has_its_own_variables() {
        assert!(tidb(TidbVersion::V4_0, "tidb_enable_1pc").is_none());
        assert!(tidb(TidbVersion::V8_5, "wait_timeout").is_none());
        let format = |release| tidb(release, "tidb_row_format_version").map(|v| v.scope);
        assert_eq!(format(TidbVersion::V4_0), Some(Scope::Global));
        assert_eq!(format(TidbVersion::V8_5), Some(Scope::Both));
    }

    #[test]
    fn modes_that_change_how_sql_is_read_are_refused() {
        assert_eq!(refused_sql_mode("STRICT_TRANS_TABLES, no_zero_date,"), None);
        assert_eq!(
            refused_sql_mode("pipes_as_concat"),
            Some("PIPES_AS_CONCAT".to_owned())
        );
    }
}
