//! Planning a DDL statement from its text: read by the parser, reduced to what is served, planned by the catalog.
//!
//! What TiDB refuses is refused with TiDB's code, what is not served is refused by name; both before any effect.

mod alter;
mod column;
mod default;
mod deprecated;
mod key;
mod partition;
mod statement;
mod table;

use tidb_sql::{ParseError, ParseOptions, Release, SqlMode};

use super::catalog::{Catalog, DdlError, Plan, Session, TidbVersion, run, sql_error, unsupported};

/// What a statement does to this catalog.
///
/// # Errors
/// [`DdlError::Sql`] as TiDB refuses it, [`DdlError::Unsupported`] for what TiDB would run and this one cannot.
pub fn plan(catalog: &Catalog, session: &Session, sql: &str) -> Result<Plan, DdlError> {
    // TiDB keeps a statement's text without what is blank around it.
    let sql = sql.trim();
    let options = ParseOptions {
        mode: SqlMode::from_bits(session.sql_mode),
        release: match catalog.version() {
            TidbVersion::V4_0 => Release::V4_0,
            TidbVersion::V8_5 => Release::V8_5,
        },
    };
    let parsed = tidb_sql::parse_one(sql, &options).map_err(|error| refused(sql, &error))?;
    let reader = Reader { query: sql };
    let statement = reader.statement(&parsed)?;
    let mut plan = run(catalog, session, sql, &statement)?;
    if catalog.version() >= TidbVersion::V8_5 {
        // The parser speaks first.
        plan.warnings.splice(0..0, deprecated::warnings(&parsed));
    }
    Ok(plan)
}

/// A text that the parser cannot read, as TiDB refuses it.
fn refused(sql: &str, error: &ParseError) -> DdlError {
    match error {
        ParseError::UnknownCharset { name, .. } => sql_error::unknown_charset(name),
        ParseError::UnknownCollation { name, .. } => sql_error::unknown_collation(name),
        _ => sql_error::refused(1064, error.as_tidb(sql)),
    }
}

/// Reduces the parser's trees to what is served.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    /// The statement's text, for refusals.
    query: &'a str,
}

impl Reader<'_> {
    fn unsupported(self, what: impl Into<String>) -> DdlError {
        unsupported(self.query, what)
    }
}
