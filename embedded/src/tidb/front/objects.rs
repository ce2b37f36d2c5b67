//! Views and sequences: what SHOW tells of them, and that nothing is written to them.

use super::errors;
use super::policy;
use super::served::{Served, no_database, refused, select, served, unknown_table};
use super::session::Session;
use super::text::{Text, literal};
use crate::tidb::catalog::{TableInfo, show};
use crate::tidb::wire::ErrPacket;

/// What SHOW FULL TABLES calls it.
pub(super) fn kind(info: &TableInfo) -> &'static str {
    match (&info.view, &info.sequence) {
        (Some(_), _) => "VIEW",
        (_, Some(_)) => "SEQUENCE",
        _ => "BASE TABLE",
    }
}

/// The answer of SHOW CREATE TABLE, VIEW or SEQUENCE about one that is no base table.
pub(super) fn show_create(info: &TableInfo) -> Option<String> {
    if let Some(view) = &info.view {
        let columns = [
            "View",
            "Create View",
            "character_set_client",
            "collation_connection",
        ];
        let row = vec![
            literal(&info.name.o),
            literal(&show::create_view(info, view)),
            literal(&info.charset),
            literal(&info.collate),
        ];
        return Some(select(&columns, &[row]));
    }
    let sequence = info.sequence.as_ref()?;
    let row = vec![
        literal(&info.name.o),
        literal(&show::create_sequence(info, sequence)),
    ];
    Some(select(&["Sequence", "Create Sequence"], &[row]))
}

impl Session {
    /// SHOW CREATE VIEW and SHOW CREATE SEQUENCE.
    pub(super) fn show_create_object(&self, text: &Text<'_>, n: usize, wanted: &str) -> Served {
        let Some((database, name, _)) = text.full_name(n) else {
            return refused(errors::syntax_at_token(text, n));
        };
        let Some(database) = database.or_else(|| self.database.clone()) else {
            return refused(no_database());
        };
        let catalog = self.shared.apply.catalog();
        let Some(info) = catalog.table(&database, &name) else {
            return refused(unknown_table(&database, &name));
        };
        if let Some(refusal) = self.hidden(&database, &name) {
            return refused(refusal);
        }
        match show_create(info).filter(|_| kind(info) == wanted) {
            Some(query) => served(query),
            None => refused(ErrPacket::new(
                1347,
                "HY000",
                format!("'{database}.{name}' is not {wanted}"),
            )),
        }
    }

    /// What TiDB says to a statement that would write to a view or sequence; none if it writes to neither.
    pub(super) fn writes_object(&self, text: &Text<'_>) -> Option<ErrPacket> {
        let catalog = self.shared.apply.catalog();
        let found = |database: Option<String>, name: &str| {
            let database = database.or_else(|| self.database.clone())?;
            let info = catalog.table(&database, name)?;
            (!info.is_base_table()).then(|| (kind(info).to_ascii_lowercase(), info.name.o.clone()))
        };
        let verb = match text.get(0).to_ascii_uppercase().as_str() {
            "UPDATE" => "update",
            "DELETE" => "delete",
            "REPLACE" => "replace into",
            _ => "insert into",
        };
        if let Some((database, name)) = policy::target(text)
            && let Some((kind, name)) = found(database, &name)
        {
            let message = format!("{verb} {kind} {name} is not supported now");
            return Some(ErrPacket::new(1105, "HY000", message));
        }
        // Of several tables that are read together, MariaDB would write to views too.
        let end = match verb {
            "update" => "SET",
            "delete" => "WHERE",
            _ => return None,
        };
        let mut n = 1;
        while n < text.tokens.len() && !text.is(n, end) {
            let Some((database, name, after)) = text.full_name(n) else {
                n += 1;
                continue;
            };
            if found(database, &name).is_some() {
                let what = format!("{} of several tables with a view", text.get(0));
                return Some(errors::unsupported(&what));
            }
            n = after;
        }
        None
    }
}
