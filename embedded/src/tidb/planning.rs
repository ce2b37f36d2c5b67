//! Planning a DDL statement from its text.

use super::catalog::{Catalog, DdlError, Plan, Session};

/// What a statement does to this catalog.
pub(super) fn plan(_catalog: &Catalog, _session: &Session, sql: &str) -> Result<Plan, DdlError> {
    Err(DdlError::Unsupported {
        what: "DDL statements in this build".to_owned(),
        statement: sql.to_owned(),
    })
}
