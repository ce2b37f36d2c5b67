//! SHOW CREATE of views and sequences.

use super::build::ttl::unit;
use super::model::{PolicyRef, SequenceInfo, TableInfo, ViewInfo};
use super::show::{escaped, quoted};
use std::fmt::Write as _;

/// The account of a view that was made by whoever is logged in.
const ROOT: (&str, &str) = ("root", "%");

/// ` /*T![placement] PLACEMENT POLICY=… */`.
pub(super) fn placement(policy: &Option<Option<PolicyRef>>) -> String {
    let policy = policy.iter().flatten().next();
    policy.map_or_else(String::new, |policy| {
        format!(
            " /*T![placement] PLACEMENT POLICY={} */",
            quoted(&policy.name.o)
        )
    })
}

/// What stands between a table's comment and its partitions.
pub(super) fn table_suffix(table: &TableInfo) -> String {
    let mut out = String::new();
    if table.cache_table_status == Some(1) {
        out.push_str(" /* CACHED ON */");
    }
    out.push_str(&placement(&table.policy_ref_info));
    if let Some(ttl) = table.ttl_info.iter().flatten().next() {
        let _ = write!(
            out,
            " /*T![ttl] TTL={} + INTERVAL {} {} */ /*T![ttl] TTL_ENABLE='{}' */ /*T![ttl] TTL_JOB_INTERVAL='{}' */",
            quoted(&ttl.column.o),
            ttl.interval_expr,
            unit(ttl),
            if ttl.enable { "ON" } else { "OFF" },
            escaped(&ttl.job_interval)
        );
    }
    out
}

/// The text of `SHOW CREATE VIEW`.
pub fn create_view(table: &TableInfo, view: &ViewInfo) -> String {
    let algorithm = match view.algorithm {
        1 => "MERGE",
        2 => "TEMPTABLE",
        _ => "UNDEFINED",
    };
    let (user, host) = match view.definer.current_user {
        true => ROOT,
        false => (
            view.definer.username.as_str(),
            view.definer.hostname.as_str(),
        ),
    };
    let security = match view.security {
        1 => "INVOKER",
        _ => "DEFINER",
    };
    let columns: Vec<String> = table.columns.iter().map(|c| quoted(&c.name.o)).collect();
    format!(
        "CREATE ALGORITHM={algorithm} DEFINER={}@{} SQL SECURITY {security} VIEW {} ({}) AS {}",
        quoted(user),
        quoted(host),
        quoted(&table.name.o),
        columns.join(", "),
        view.select
    )
}

/// The text of `SHOW CREATE SEQUENCE`.
pub fn create_sequence(table: &TableInfo, sequence: &SequenceInfo) -> String {
    let mut out = format!(
        "CREATE SEQUENCE {} start with {} minvalue {} maxvalue {} increment by {} ",
        quoted(&table.name.o),
        sequence.start,
        sequence.min_value,
        sequence.max_value,
        sequence.increment
    );
    match sequence.cache {
        true => {
            let _ = write!(out, "cache {} ", sequence.cache_value);
        }
        false => out.push_str("nocache "),
    }
    out.push_str(if sequence.cycle {
        "cycle ENGINE=InnoDB"
    } else {
        "nocycle ENGINE=InnoDB"
    });
    if !sequence.comment.is_empty() {
        let _ = write!(out, " COMMENT='{}'", escaped(&sequence.comment));
    }
    out
}
