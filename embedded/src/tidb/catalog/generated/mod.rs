//! Generated columns, and the hidden ones that expression indexes are made of (`docs/spec/tidb-schema.md §3.1`).
//!
//! TiDB keeps an expression as text. MariaDB computes it: it is told the same in its own words where it would come to the
//! same value, else the statement is refused by name. Its row images hold the values of virtual columns too.

mod check;
mod functions;
mod json;
mod translate;

#[cfg(test)]
mod tests;

pub(crate) use check::check;
pub(crate) use translate::clause;
pub use translate::{NOT_NULL_CHECK, SERVED_CHECK};

use std::collections::BTreeMap;

use tidb_sql::ast::Expr;
use tidb_sql::{Release, restore};

use super::TidbVersion;
use super::model::ColumnInfo;

/// `AS (…)` of a column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Generated {
    pub(crate) expr: Expr,
    /// STORED, else VIRTUAL.
    pub(crate) stored: bool,
}

/// Writes into a column's description how it is generated.
pub(crate) fn describe(version: TidbVersion, column: &mut ColumnInfo, generated: &Generated) {
    column.generated_expr_string = restore::generated(&generated.expr, release(version));
    column.generated_stored = generated.stored;
    let names = check::columns(&generated.expr);
    column.dependences = Some(names.into_iter().map(|n| (n, BTreeMap::new())).collect());
}

fn release(version: TidbVersion) -> Release {
    match version {
        TidbVersion::V4_0 => Release::V4_0,
        TidbVersion::V8_5 => Release::V8_5,
    }
}
