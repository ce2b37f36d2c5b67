//! SHOW CREATE of views and sequences.

use super::build::ttl::unit;
use super::model::{CiStr, PolicyRef, SequenceInfo, TableInfo, ViewInfo};
use super::show::{escaped, quoted};
use std::fmt::Write as _;

/// The account of a view that was made by whoever is logged in.
const ROOT: (&str, &str) = ("root", "%");

/// The foreign keys of a table in this database; 4.0 does not show them.
pub(super) fn foreign_keys(table: &TableInfo, database: Option<&str>) -> Vec<String> {
    let list = |names: &[CiStr]| {
        let names: Vec<String> = names.iter().map(|name| quoted(&name.o)).collect();
        names.join(",")
    };
    let action = |number: u8| match number {
        1 => "RESTRICT",
        2 => "CASCADE",
        3 => "SET NULL",
        4 => "NO ACTION",
        5 => "SET DEFAULT",
        _ => "",
    };
    let keys = table.fk_info.iter().flatten();
    let keys = keys.filter(|key| key.version.is_some());
    keys.map(|key| {
        let elsewhere = key
            .ref_schema
            .as_ref()
            .filter(|schema| database.is_some_and(|database| !schema.is(database)));
        let schema = elsewhere.map_or_else(String::new, |schema| format!("{}.", quoted(&schema.o)));
        let mut out = format!(
            "  CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {schema}{} ({})",
            quoted(&key.fk_name.o),
            list(&key.cols),
            quoted(&key.ref_table.o),
            list(&key.ref_cols)
        );
        for (what, number) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
            if number != 0 {
                let _ = write!(out, " ON {what} {}", action(number));
            }
        }
        out
    })
    .collect()
}

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
