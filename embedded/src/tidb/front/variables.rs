//! System variables: those of MariaDB that a client may change, and those of TiDB that MariaDB does not have.

use std::collections::BTreeMap;

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

/// A variable of TiDB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) takes: Takes,
}

const fn variable(name: &'static str, default: &'static str, takes: Takes) -> Variable {
    Variable {
        name,
        default,
        takes,
    }
}

/// The variables of TiDB that are known here. Those that tune an optimiser or executor that is not here change nothing
/// that a client can see.
const TIDB: [Variable; 36] = [
    variable("allow_auto_random_explicit_insert", "OFF", Takes::Switch),
    variable("max_execution_time", "0", Takes::Default),
    variable("tidb_allow_batch_cop", "1", Takes::Number),
    variable("tidb_allow_mpp", "ON", Takes::Switch),
    variable("tidb_allow_remove_auto_inc", "OFF", Takes::Switch),
    variable("tidb_batch_insert", "OFF", Takes::Default),
    variable("tidb_constraint_check_in_place", "OFF", Takes::Switch),
    variable(
        "tidb_constraint_check_in_place_pessimistic",
        "ON",
        Takes::Default,
    ),
    variable("tidb_current_ts", "0", Takes::ReadOnly),
    variable("tidb_ddl_reorg_batch_size", "256", Takes::Number),
    variable("tidb_ddl_reorg_worker_cnt", "4", Takes::Number),
    variable("tidb_disable_txn_auto_retry", "ON", Takes::Switch),
    variable("tidb_distsql_scan_concurrency", "15", Takes::Number),
    variable("tidb_enable_1pc", "ON", Takes::Switch),
    variable("tidb_enable_async_commit", "ON", Takes::Switch),
    variable(
        "tidb_enable_clustered_index",
        "ON",
        Takes::OneOf(&["ON", "OFF", "INT_ONLY"]),
    ),
    variable("tidb_enable_list_partition", "ON", Takes::Switch),
    variable("tidb_enable_noop_functions", "OFF", Takes::Default),
    variable("tidb_enable_table_partition", "ON", Takes::Switch),
    variable("tidb_executor_concurrency", "5", Takes::Number),
    variable("tidb_gc_enable", "ON", Takes::Switch),
    variable("tidb_gc_life_time", "10m0s", Takes::Text),
    variable("tidb_index_lookup_concurrency", "-1", Takes::Number),
    variable(
        "tidb_isolation_read_engines",
        "tikv,tiflash,tidb",
        Takes::Text,
    ),
    variable("tidb_last_txn_info", "", Takes::ReadOnly),
    variable("tidb_mem_quota_query", "1073741824", Takes::Number),
    variable("tidb_multi_statement_mode", "OFF", Takes::Default),
    variable("tidb_opt_agg_push_down", "OFF", Takes::Switch),
    variable("tidb_opt_write_row_id", "OFF", Takes::Switch),
    variable("tidb_read_staleness", "", Takes::Default),
    variable("tidb_retry_limit", "10", Takes::Number),
    variable("tidb_row_format_version", "2", Takes::Default),
    variable("tidb_skip_isolation_level_check", "OFF", Takes::Switch),
    variable("tidb_skip_utf8_check", "OFF", Takes::Default),
    variable("tidb_snapshot", "", Takes::Default),
    variable("tidb_txn_mode", "pessimistic", Takes::Default),
];

/// A variable of TiDB by its name in any case.
pub(super) fn tidb(name: &str) -> Option<&'static Variable> {
    TIDB.iter().find(|v| v.name.eq_ignore_ascii_case(name))
}

/// All of them, by name.
pub(super) fn all() -> impl Iterator<Item = &'static Variable> {
    TIDB.iter()
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

/// Modes of `sql_mode` that mean the same in MariaDB and do not change how SQL is read.
const SQL_MODES: [&str; 11] = [
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
        let clustered = tidb("TIDB_enable_clustered_index").unwrap();
        assert_eq!(clustered.accept("int_only"), Ok("INT_ONLY".to_owned()));
        assert_eq!(clustered.accept("0"), Ok("OFF".to_owned()));
        assert_eq!(clustered.accept("x"), Err(Refusal::Wrong));
        assert_eq!(
            tidb("tidb_txn_mode").unwrap().accept("optimistic"),
            Err(Refusal::Unsupported)
        );
        assert_eq!(
            tidb("tidb_current_ts").unwrap().accept("1"),
            Err(Refusal::ReadOnly)
        );
        assert!(tidb("tidb_nope").is_none());
    }

    #[test]
    fn modes_that_change_how_sql_is_read_are_refused() {
        assert_eq!(refused_sql_mode("STRICT_TRANS_TABLES, no_zero_date,"), None);
        assert_eq!(
            refused_sql_mode("ansi_quotes"),
            Some("ANSI_QUOTES".to_owned())
        );
    }
}
