//! `SHOW PROCESSLIST`: the clients' connections, as MariaDB knows what they do and the front whose they are.

use std::fmt::Write as _;

use super::served::{Served, filtered, refused, served};
use super::session::Session;
use super::text::{Text, literal};
use crate::tidb::catalog::TidbVersion;

/// Characters of a statement that are told without FULL.
const SHORT: usize = 100;

impl Session {
    pub(super) fn show_processes(&self, text: &Text<'_>, n: usize) -> Served {
        let mut hosts = String::new();
        let mut ids = Vec::new();
        for (id, peer) in self.shared.sessions().iter() {
            let host = match self.shared.version {
                TidbVersion::V4_0 => peer.ip().to_string(),
                TidbVersion::V8_5 => peer.to_string(),
            };
            let _ = write!(hosts, " WHEN {id} THEN {}", literal(&host));
            ids.push(id.to_string());
        }
        let state = match self.shared.version {
            TidbVersion::V4_0 => "2",
            TidbVersion::V8_5 => "autocommit",
        };
        let own = self.backend.connection_id();
        let info = format!(
            "CASE ID WHEN {own} THEN {} ELSE INFO END",
            literal(&text.sql)
        );
        let info = if text.is(1, "FULL") {
            info
        } else {
            format!("LEFT({info}, {SHORT})")
        };
        let query = format!(
            "SELECT ID AS `Id`, USER AS `User`, CASE ID{hosts} END AS `Host`, DB AS `db`, COMMAND AS `Command`, \
             TIME AS `Time`, {} AS `State`, {info} AS `Info` \
             FROM information_schema.processlist WHERE ID IN ({}) ORDER BY ID DESC",
            literal(state),
            ids.join(", ")
        );
        if n == text.tokens.len() {
            return served(query);
        }
        match filtered(&query, "Info", text, n) {
            Ok(query) => served(query),
            Err(error) => refused(error),
        }
    }
}
