//! `LOCK TABLES` and `UNLOCK TABLES`: TiDB does nothing for them while `enable-table-lock` is off, as it is by default.

use super::errors;
use super::session::Session;
use super::statement::Route;
use super::text::{Kind, Text};
use crate::tidb::catalog::{TidbVersion, Warning};
use crate::tidb::wire::ErrPacket;

impl Session {
    /// The tables have to exist all the same.
    pub(super) fn lock_tables(&self, text: &Text<'_>) -> Result<Route, ErrPacket> {
        if !text.is(1, "TABLES") && !text.is(1, "TABLE") {
            return Err(errors::syntax_at_token(text, 1));
        }
        let mut n = 2;
        loop {
            let after = self.existing_table(text, n)?;
            let comma = text.tokens.iter().skip(after);
            match comma.clone().position(|t| t.kind == Kind::Sign(',')) {
                Some(found) => n = after + found + 1,
                None => break,
            }
        }
        Ok(Route::Nothing {
            warnings: self.no_table_locks("LOCK"),
        })
    }

    /// What a newer TiDB says instead.
    pub(super) fn no_table_locks(&self, verb: &str) -> Vec<Warning> {
        if self.shared.version == TidbVersion::V4_0 {
            return vec![];
        }
        let message = format!(
            "{verb} TABLES is not supported. To enable this experimental feature, set 'enable-table-lock' in the \
             configuration file."
        );
        vec![Warning {
            level: "Warning",
            code: errors::NOT_SUPPORTED,
            message,
        }]
    }
}
