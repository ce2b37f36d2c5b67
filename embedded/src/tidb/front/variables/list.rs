//! The variables of TiDB that MariaDB does not have.

use super::{REQUIRE_TLS, ROW_FORMAT, SNAPSHOT, Scope, Takes, Variable};
use crate::tidb::catalog::TidbVersion;

const fn variable(name: &'static str, default: &'static str, takes: Takes) -> Variable {
    Variable {
        name,
        default,
        takes,
        scope: Scope::Both,
        release: None,
    }
}

impl Variable {
    const fn global(mut self) -> Self {
        self.scope = Scope::Global;
        self
    }

    const fn session(mut self) -> Self {
        self.scope = Scope::Session;
        self
    }

    const fn of_4_0(mut self) -> Self {
        self.release = Some(TidbVersion::V4_0);
        self
    }

    const fn of_8_5(mut self) -> Self {
        self.release = Some(TidbVersion::V8_5);
        self
    }
}

/// The variables of TiDB that are known here. Those that tune an optimiser or executor that is not here change nothing
/// that a client can see.
pub(super) const TIDB: [Variable; 77] = [
    variable("allow_auto_random_explicit_insert", "OFF", Takes::Switch),
    // 4.0 has no foreign keys to check.
    variable("foreign_key_checks", "OFF", Takes::Switch).of_4_0(),
    variable("max_execution_time", "0", Takes::Default),
    // 4.0 has it in its configuration.
    variable(REQUIRE_TLS, "OFF", Takes::Switch)
        .global()
        .of_8_5(),
    variable("tidb_allow_batch_cop", "1", Takes::Number),
    variable("tidb_allow_mpp", "ON", Takes::Switch).of_8_5(),
    variable("tidb_allow_remove_auto_inc", "OFF", Takes::Switch).session(),
    variable("tidb_analyze_version", "2", Takes::Number).of_8_5(),
    variable("tidb_backoff_weight", "2", Takes::Number),
    variable("tidb_batch_insert", "OFF", Takes::Default).session(),
    variable("tidb_build_stats_concurrency", "2", Takes::Number).of_8_5(),
    variable("tidb_build_stats_concurrency", "4", Takes::Number).of_4_0(),
    variable("tidb_cdc_write_source", "0", Takes::Default)
        .session()
        .of_8_5(),
    variable("tidb_checksum_table_concurrency", "4", Takes::Number),
    variable("tidb_constraint_check_in_place", "OFF", Takes::Switch),
    variable(
        "tidb_constraint_check_in_place_pessimistic",
        "ON",
        Takes::Default,
    )
    .of_8_5(),
    variable("tidb_current_ts", "0", Takes::ReadOnly).session(),
    variable("tidb_ddl_enable_fast_reorg", "ON", Takes::Switch)
        .global()
        .of_8_5(),
    variable("tidb_ddl_error_count_limit", "512", Takes::Number).global(),
    variable("tidb_ddl_reorg_batch_size", "256", Takes::Number),
    variable("tidb_ddl_reorg_priority", "PRIORITY_LOW", Takes::Text),
    variable("tidb_ddl_reorg_worker_cnt", "4", Takes::Number),
    variable("tidb_disable_txn_auto_retry", "ON", Takes::Switch),
    variable("tidb_distsql_scan_concurrency", "15", Takes::Number),
    variable("tidb_dml_batch_size", "0", Takes::Default),
    variable("tidb_dml_type", "standard", Takes::Default).of_8_5(),
    variable("tidb_enable_1pc", "ON", Takes::Switch).of_8_5(),
    variable("tidb_enable_async_commit", "ON", Takes::Switch).of_8_5(),
    variable("tidb_enable_auto_analyze", "ON", Takes::Switch)
        .global()
        .of_8_5(),
    variable(
        "tidb_enable_clustered_index",
        "ON",
        Takes::OneOf(&["ON", "OFF", "INT_ONLY"]),
    )
    .of_8_5(),
    variable("tidb_enable_dist_task", "ON", Takes::Switch)
        .global()
        .of_8_5(),
    variable("tidb_enable_exchange_partition", "ON", Takes::Switch).of_8_5(),
    variable("tidb_enable_foreign_key", "ON", Takes::Switch)
        .global()
        .of_8_5(),
    variable("tidb_enable_list_partition", "ON", Takes::Switch).of_8_5(),
    variable("tidb_enable_metadata_lock", "ON", Takes::Switch)
        .global()
        .of_8_5(),
    variable("tidb_enable_noop_functions", "OFF", Takes::Default),
    variable("tidb_enable_paging", "ON", Takes::Switch).of_8_5(),
    variable("tidb_enable_rate_limit_action", "OFF", Takes::Switch).of_8_5(),
    variable("tidb_enable_stmt_summary", "ON", Takes::Switch),
    variable("tidb_enable_table_partition", "ON", Takes::Switch),
    variable("tidb_enable_window_function", "ON", Takes::Switch),
    variable("tidb_executor_concurrency", "5", Takes::Number).of_8_5(),
    variable("tidb_force_priority", "NO_PRIORITY", Takes::Text),
    variable("tidb_gc_concurrency", "-1", Takes::Number)
        .global()
        .of_8_5(),
    variable("tidb_gc_enable", "ON", Takes::Switch)
        .global()
        .of_8_5(),
    variable("tidb_gc_life_time", "10m0s", Takes::Text)
        .global()
        .of_8_5(),
    variable("tidb_gc_run_interval", "10m0s", Takes::Text)
        .global()
        .of_8_5(),
    variable("tidb_general_log", "OFF", Takes::Switch),
    variable("tidb_hash_join_concurrency", "-1", Takes::Number).of_8_5(),
    variable("tidb_index_lookup_concurrency", "-1", Takes::Number).of_8_5(),
    variable("tidb_index_lookup_concurrency", "4", Takes::Number).of_4_0(),
    variable("tidb_index_serial_scan_concurrency", "1", Takes::Number),
    variable(
        "tidb_isolation_read_engines",
        "tikv,tiflash,tidb",
        Takes::Text,
    )
    .session(),
    variable("tidb_last_txn_info", "", Takes::ReadOnly).session(),
    variable("tidb_low_resolution_tso", "OFF", Takes::Switch),
    variable("tidb_max_chunk_size", "1024", Takes::Number),
    variable("tidb_mem_oom_action", "CANCEL", Takes::Text)
        .global()
        .of_8_5(),
    variable("tidb_mem_quota_query", "1073741824", Takes::Number),
    variable("tidb_multi_statement_mode", "OFF", Takes::Default),
    variable("tidb_opt_agg_push_down", "OFF", Takes::Switch),
    variable("tidb_opt_write_row_id", "OFF", Takes::Switch).session(),
    variable("tidb_placement_mode", "STRICT", Takes::Text).of_8_5(),
    variable("tidb_read_staleness", "", Takes::Default)
        .session()
        .of_8_5(),
    variable("tidb_redact_log", "OFF", Takes::Switch).global(),
    variable("tidb_replica_read", "leader", Takes::Text),
    variable("tidb_retry_limit", "10", Takes::Number),
    variable(ROW_FORMAT, "2", Takes::OneOf(&["1", "2"])).of_8_5(),
    variable(ROW_FORMAT, "2", Takes::OneOf(&["1", "2"]))
        .global()
        .of_4_0(),
    variable("tidb_scatter_region", "", Takes::Text).of_8_5(),
    variable("tidb_skip_isolation_level_check", "OFF", Takes::Switch),
    variable("tidb_skip_utf8_check", "OFF", Takes::Default),
    variable(SNAPSHOT, "", Takes::Default).session(),
    variable("tidb_super_read_only", "OFF", Takes::Default)
        .global()
        .of_8_5(),
    variable(
        "tidb_txn_mode",
        "pessimistic",
        Takes::OneOf(&["pessimistic", "optimistic", ""]),
    ),
    variable("tidb_wait_split_region_finish", "ON", Takes::Switch).session(),
    variable("tidb_wait_split_region_timeout", "300", Takes::Number).session(),
    // Sessions of 4.0 do not time out.
    variable("wait_timeout", "0", Takes::Number).of_4_0(),
];
