//! `SHOW PRIVILEGES`.

use super::served::{Served, select, served};
use super::text::literal;
use crate::tidb::catalog::TidbVersion;

const DATABASES: &str = "Databases";
const SERVER: &str = "Server Admin";
const TABLES: &str = "Tables";

/// Which releases know a privilege.
#[derive(Clone, Copy, PartialEq, Eq)]
enum In {
    All,
    Old,
    New,
}

/// Privileges with what they are given on and for; in TiDB's order.
const PRIVILEGES: [(In, &str, &str, &str); 35] = [
    (In::All, "Alter", TABLES, "To alter the table"),
    // 4.0 tells it twice.
    (In::Old, "Alter", TABLES, "To alter the table"),
    (
        In::All,
        "Alter routine",
        "Functions,Procedures",
        "To alter or drop stored functions/procedures",
    ),
    (
        In::New,
        "Config",
        SERVER,
        "To use SHOW CONFIG and SET CONFIG statements",
    ),
    (
        In::All,
        "Create",
        "Databases,Tables,Indexes",
        "To create new databases and tables",
    ),
    (
        In::All,
        "Create routine",
        DATABASES,
        "To use CREATE FUNCTION/PROCEDURE",
    ),
    (In::New, "Create role", SERVER, "To create new roles"),
    (
        In::All,
        "Create temporary tables",
        DATABASES,
        "To use CREATE TEMPORARY TABLE",
    ),
    (In::All, "Create view", TABLES, "To create new views"),
    (In::All, "Create user", SERVER, "To create new users"),
    (In::All, "Delete", TABLES, "To delete existing rows"),
    (
        In::All,
        "Drop",
        "Databases,Tables",
        "To drop databases, tables, and views",
    ),
    (In::New, "Drop role", SERVER, "To drop roles"),
    (
        In::All,
        "Event",
        SERVER,
        "To create, alter, drop and execute events",
    ),
    (
        In::All,
        "Execute",
        "Functions,Procedures",
        "To execute stored routines",
    ),
    (
        In::All,
        "File",
        "File access on server",
        "To read and write files on the server",
    ),
    (
        In::All,
        "Grant option",
        "Databases,Tables,Functions,Procedures",
        "To give to other users those privileges you possess",
    ),
    (In::All, "Index", TABLES, "To create or drop indexes"),
    (In::All, "Insert", TABLES, "To insert data into tables"),
    (
        In::All,
        "Lock tables",
        DATABASES,
        "To use LOCK TABLES (together with SELECT privilege)",
    ),
    (
        In::All,
        "Process",
        SERVER,
        "To view the plain text of currently executing queries",
    ),
    (In::All, "Proxy", SERVER, "To make proxy user possible"),
    (
        In::All,
        "References",
        "Databases,Tables",
        "To have references on tables",
    ),
    (
        In::All,
        "Reload",
        SERVER,
        "To reload or refresh tables, logs and privileges",
    ),
    (
        In::All,
        "Replication client",
        SERVER,
        "To ask where the slave or master servers are",
    ),
    (
        In::All,
        "Replication slave",
        SERVER,
        "To read binary log events from the master",
    ),
    (In::All, "Select", TABLES, "To retrieve rows from table"),
    (
        In::All,
        "Show databases",
        SERVER,
        "To see all databases with SHOW DATABASES",
    ),
    (
        In::All,
        "Show view",
        TABLES,
        "To see views with SHOW CREATE VIEW",
    ),
    (In::All, "Shutdown", SERVER, "To shut down the server"),
    (
        In::All,
        "Super",
        SERVER,
        "To use KILL thread, SET GLOBAL, CHANGE MASTER, etc.",
    ),
    (In::All, "Trigger", TABLES, "To use triggers"),
    (
        In::All,
        "Create tablespace",
        SERVER,
        "To create/alter/drop tablespaces",
    ),
    (In::All, "Update", TABLES, "To update existing rows"),
    (
        In::All,
        "Usage",
        SERVER,
        "No privileges - allow connect only",
    ),
];

/// Privileges of 8.5 without a comment, all on the server, after those above.
const DYNAMIC: [&str; 16] = [
    "BACKUP_ADMIN",
    "RESTORE_ADMIN",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
    "ROLE_ADMIN",
    "CONNECTION_ADMIN",
    "PLACEMENT_ADMIN",
    "DASHBOARD_CLIENT",
    "RESTRICTED_TABLES_ADMIN",
    "RESTRICTED_STATUS_ADMIN",
    "RESTRICTED_VARIABLES_ADMIN",
    "RESTRICTED_USER_ADMIN",
    "RESTRICTED_CONNECTION_ADMIN",
    "RESTRICTED_REPLICA_WRITER_ADMIN",
    "RESOURCE_GROUP_ADMIN",
    "RESOURCE_GROUP_USER",
];

/// All of a release.
pub(super) fn show(release: TidbVersion) -> Served {
    let modern = release >= TidbVersion::V8_5;
    let only = if modern { In::New } else { In::Old };
    let mut rows: Vec<_> = PRIVILEGES
        .iter()
        .filter(|(known, ..)| *known == In::All || *known == only)
        .map(|(_, name, context, comment)| [name, context, comment].map(|t| literal(t)).to_vec())
        .collect();
    if modern {
        rows.extend(
            DYNAMIC
                .iter()
                .map(|name| [name, SERVER, ""].map(literal).to_vec()),
        );
    }
    served(select(&["Privilege", "Context", "Comment"], &rows))
}
