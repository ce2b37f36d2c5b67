//! Kinds of events, by the names that `ignore-event` takes.

use tidb_sql::ast::Statement;

use crate::{compat::Compat, model::ChangeKind, schema::Action};

/// All DML, all DDL.
pub(super) const ALL_DML: &str = "all dml";
pub(super) const ALL_DDL: &str = "all ddl";
pub(super) const ALTER_TABLE: &str = "alter table";
pub(super) const RENAME_TABLE: &str = "rename table";

/// What v6.5.3 takes.
const OLD: [&str; 19] = [
    ALL_DML,
    ALL_DDL,
    "insert",
    "update",
    "delete",
    "create schema",
    "create database",
    "drop schema",
    "drop database",
    "create table",
    "drop table",
    RENAME_TABLE,
    "truncate table",
    ALTER_TABLE,
    "create view",
    "drop view",
    "add table partition",
    "drop table partition",
    "truncate table partition",
];

/// Kinds of DDL jobs since v7.1, by name.
const BY_ACTION: [(Action, &str); 37] = [
    (Action::CREATE_SCHEMA, "create database"),
    (Action::DROP_SCHEMA, "drop database"),
    (
        Action::MODIFY_SCHEMA_CHARSET,
        "modify schema charset and collate",
    ),
    (Action::CREATE_TABLE, "create table"),
    (Action::CREATE_TABLES, "create table"),
    (Action::DROP_TABLE, "drop table"),
    (Action::TRUNCATE_TABLE, "truncate table"),
    (Action::RENAME_TABLE, RENAME_TABLE),
    (Action::RENAME_TABLES, RENAME_TABLE),
    (Action::RECOVER_TABLE, "recover table"),
    (Action::MODIFY_TABLE_COMMENT, "modify table comment"),
    (
        Action::MODIFY_TABLE_CHARSET,
        "modify table charset and collate",
    ),
    (Action::CREATE_VIEW, "create view"),
    (Action::DROP_VIEW, "drop view"),
    (Action::ADD_TABLE_PARTITION, "add table partition"),
    (Action::DROP_TABLE_PARTITION, "drop table partition"),
    (Action::TRUNCATE_TABLE_PARTITION, "truncate table partition"),
    (Action::EXCHANGE_TABLE_PARTITION, "exchange table partition"),
    (Action::REORGANIZE_PARTITION, "reorganize table partition"),
    (Action::ALTER_TABLE_PARTITIONING, "alter table partitioning"),
    (Action::REMOVE_PARTITIONING, "remove table partitioning"),
    (Action::ADD_COLUMN, "add column"),
    (Action::ADD_COLUMNS, "add column"),
    (Action::DROP_COLUMN, "drop column"),
    (Action::DROP_COLUMNS, "drop column"),
    (Action::MODIFY_COLUMN, "modify column"),
    (Action::SET_DEFAULT_VALUE, "set default value"),
    (Action::REBASE_AUTO_ID, "rebase auto id"),
    (Action::ADD_PRIMARY_KEY, "add primary key"),
    (Action::DROP_PRIMARY_KEY, "drop primary key"),
    (Action::ADD_INDEX, "create index"),
    (Action::DROP_INDEX, "drop index"),
    (Action::RENAME_INDEX, "rename index"),
    (Action::ALTER_INDEX_VISIBILITY, "alter index visibility"),
    (Action::ALTER_TTL_INFO, "alter ttl info"),
    (Action::ALTER_TTL_REMOVE, "alter ttl remove"),
    (Action::MULTI_SCHEMA_CHANGE, "multi schema change"),
];

/// Kinds of jobs that are not changes of one table: `alter table` does not mean them.
const NO_ALTER: [&str; 9] = [
    "create database",
    "drop database",
    "modify schema charset and collate",
    "create table",
    "drop table",
    "truncate table",
    "recover table",
    "create view",
    "drop view",
];

/// What `ignore-event` may name under `compat`, as TiCDC normalises it; nothing for what it does not know.
pub(super) fn known(name: &str, compat: Compat) -> Option<&'static str> {
    let found = match compat >= Compat::V8_5 {
        true => {
            let general = [ALL_DML, ALL_DDL, "insert", "update", "delete", ALTER_TABLE];
            let general = general.into_iter().chain(["create schema", "drop schema"]);
            let of_jobs = BY_ACTION.iter().map(|(_, name)| *name);
            general.chain(of_jobs).find(|known| *known == name)
        }
        false => OLD.into_iter().find(|known| *known == name),
    };
    found.map(|name| match name {
        "create schema" => "create database",
        "drop schema" => "drop database",
        name => name,
    })
}

/// The kind of a change of a row.
pub(super) fn of_row(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Insert => "insert",
        ChangeKind::Update => "update",
        ChangeKind::Delete => "delete",
    }
}

/// The kinds of a DDL job since v7.1: its own, and `alter table` for what that does.
pub(super) fn of_job(action: Action) -> Vec<&'static str> {
    let Some((_, name)) = BY_ACTION.iter().find(|(known, _)| *known == action) else {
        return Vec::new();
    };
    match NO_ALTER.contains(name) {
        true => vec![name],
        false => vec![name, ALTER_TABLE],
    }
}

/// The kind of a job about partitions in v6.5, which does not look at its text.
pub(super) fn of_partitions(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::ADD_TABLE_PARTITION => "add table partition",
        Action::DROP_TABLE_PARTITION => "drop table partition",
        Action::TRUNCATE_TABLE_PARTITION => "truncate table partition",
        _ => return None,
    })
}

/// The kind of any other statement in v6.5, which looks at its text; nothing for those that it does not tell apart.
pub(super) fn of_statement(statement: &Statement) -> Option<&'static str> {
    Some(match statement {
        Statement::CreateDatabase { .. } => "create database",
        Statement::DropDatabase { .. } => "drop database",
        // Nothing but `all dml` and `all ddl` means it.
        Statement::AlterDatabase { .. } => "alter database",
        Statement::CreateTable(_) | Statement::CreateTableLike { .. } => "create table",
        Statement::DropTable { .. } => "drop table",
        Statement::TruncateTable(_) => "truncate table",
        Statement::RenameTable(_) => RENAME_TABLE,
        Statement::AlterTable(_) | Statement::CreateIndex(_) | Statement::DropIndex { .. } => {
            ALTER_TABLE
        }
        Statement::CreateView(_) => "create view",
        Statement::DropView { .. } => "drop view",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_each_version() {
        for (name, old, new) in [
            ("all dml", Some("all dml"), Some("all dml")),
            (
                "create schema",
                Some("create database"),
                Some("create database"),
            ),
            ("alter table", Some(ALTER_TABLE), Some(ALTER_TABLE)),
            ("add column", None, Some("add column")),
            (
                "exchange table partition",
                None,
                Some("exchange table partition"),
            ),
            ("create index", None, Some("create index")),
            ("Delete", None, None),
            ("", None, None),
            ("nope", None, None),
        ] {
            assert_eq!(known(name, Compat::V6_5), old, "{name}");
            assert_eq!(known(name, Compat::V8_5), new, "{name}");
        }
    }

    #[test]
    fn statements_of_v6_5() {
        for (sql, kind) in [
            ("create table t (id int)", Some("create table")),
            ("create index i on t (a)", Some(ALTER_TABLE)),
            ("alter table t rename to u", Some(ALTER_TABLE)),
            ("rename table t to u", Some(RENAME_TABLE)),
            ("drop view v", Some("drop view")),
            ("alter database d charset utf8mb4", Some("alter database")),
            ("recover table t", None),
        ] {
            let statement = tidb_sql::parse_one(sql, &tidb_sql::ParseOptions::default()).unwrap();
            assert_eq!(of_statement(&statement), kind, "{sql}");
        }
    }

    #[test]
    fn every_job_that_is_sent_has_a_kind() {
        for number in 0..=u8::MAX {
            let action = Action(number);
            assert_eq!(
                of_job(action).is_empty(),
                !action.is_emitted(Compat::V8_5),
                "{number}"
            );
        }
        assert_eq!(of_job(Action::ADD_COLUMN), ["add column", ALTER_TABLE]);
        assert_eq!(of_job(Action::RENAME_TABLES), [RENAME_TABLE, ALTER_TABLE]);
        assert_eq!(of_job(Action::RECOVER_TABLE), ["recover table"]);
    }
}
