//! Kinds of DDL jobs, and which of them a changefeed emits (spec/tidb-schema.md §6.2, spec/canal-json.md §10).

use crate::compat::Compat;

/// The kind of a DDL job, by TiDB's number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(transparent)]
pub struct Action(pub u8);

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        impl Action { $($(#[$doc])* pub const $name: Action = Action($number);)* }
    };
}

actions! {
    /// `CREATE DATABASE`.
    CREATE_SCHEMA = 1,
    /// `DROP DATABASE`.
    DROP_SCHEMA = 2,
    /// `CREATE TABLE`.
    CREATE_TABLE = 3,
    /// `DROP TABLE`.
    DROP_TABLE = 4,
    /// `ADD COLUMN`.
    ADD_COLUMN = 5,
    /// `DROP COLUMN`.
    DROP_COLUMN = 6,
    /// `ADD INDEX`.
    ADD_INDEX = 7,
    /// `DROP INDEX`.
    DROP_INDEX = 8,
    /// `ADD FOREIGN KEY`.
    ADD_FOREIGN_KEY = 9,
    /// `DROP FOREIGN KEY`.
    DROP_FOREIGN_KEY = 10,
    /// `TRUNCATE TABLE`.
    TRUNCATE_TABLE = 11,
    /// `MODIFY COLUMN`, `CHANGE COLUMN`.
    MODIFY_COLUMN = 12,
    /// `AUTO_INCREMENT = n`.
    REBASE_AUTO_ID = 13,
    /// `RENAME TABLE` of one table.
    RENAME_TABLE = 14,
    /// `ALTER COLUMN … SET DEFAULT`.
    SET_DEFAULT_VALUE = 15,
    /// `COMMENT = …`.
    MODIFY_TABLE_COMMENT = 17,
    /// `RENAME INDEX`.
    RENAME_INDEX = 18,
    /// `ADD PARTITION`.
    ADD_TABLE_PARTITION = 19,
    /// `DROP PARTITION`.
    DROP_TABLE_PARTITION = 20,
    /// `CREATE VIEW`.
    CREATE_VIEW = 21,
    /// `CHARACTER SET` of a table.
    MODIFY_TABLE_CHARSET = 22,
    /// `TRUNCATE PARTITION`.
    TRUNCATE_TABLE_PARTITION = 23,
    /// `DROP VIEW`.
    DROP_VIEW = 24,
    /// `RECOVER TABLE`, `FLASHBACK TABLE`.
    RECOVER_TABLE = 25,
    /// `CHARACTER SET` of a database.
    MODIFY_SCHEMA_CHARSET = 26,
    /// `ADD PRIMARY KEY`.
    ADD_PRIMARY_KEY = 32,
    /// `DROP PRIMARY KEY`.
    DROP_PRIMARY_KEY = 33,
    /// `CREATE SEQUENCE`.
    CREATE_SEQUENCE = 34,
    /// `ALTER SEQUENCE`.
    ALTER_SEQUENCE = 35,
    /// `DROP SEQUENCE`.
    DROP_SEQUENCE = 36,
    /// `ADD COLUMN` of several (old).
    ADD_COLUMNS = 37,
    /// `DROP COLUMN` of several (old).
    DROP_COLUMNS = 38,
    /// `ALTER INDEX … VISIBLE`.
    ALTER_INDEX_VISIBILITY = 41,
    /// `EXCHANGE PARTITION`.
    EXCHANGE_TABLE_PARTITION = 42,
    /// `RENAME TABLE` of several tables.
    RENAME_TABLES = 47,
    /// Several `CREATE TABLE`s in one job.
    CREATE_TABLES = 60,
    /// `ALTER TABLE` with several changes.
    MULTI_SCHEMA_CHANGE = 61,
    /// `REORGANIZE PARTITION`.
    REORGANIZE_PARTITION = 64,
    /// `TTL = …`.
    ALTER_TTL_INFO = 65,
    /// `REMOVE TTL`.
    ALTER_TTL_REMOVE = 67,
    /// `ALTER TABLE … PARTITION BY`.
    ALTER_TABLE_PARTITIONING = 71,
    /// `REMOVE PARTITIONING`.
    REMOVE_PARTITIONING = 72,
}

/// What v4.0.9 emits.
const OLD: &[Action] = &[
    Action::CREATE_SCHEMA,
    Action::DROP_SCHEMA,
    Action::CREATE_TABLE,
    Action::DROP_TABLE,
    Action::ADD_COLUMN,
    Action::DROP_COLUMN,
    Action::ADD_INDEX,
    Action::DROP_INDEX,
    Action::TRUNCATE_TABLE,
    Action::MODIFY_COLUMN,
    Action::RENAME_TABLE,
    Action::SET_DEFAULT_VALUE,
    Action::MODIFY_TABLE_COMMENT,
    Action::RENAME_INDEX,
    Action::ADD_TABLE_PARTITION,
    Action::DROP_TABLE_PARTITION,
    Action::CREATE_VIEW,
    Action::MODIFY_TABLE_CHARSET,
    Action::TRUNCATE_TABLE_PARTITION,
    Action::DROP_VIEW,
    Action::RECOVER_TABLE,
    Action::MODIFY_SCHEMA_CHARSET,
    Action::ADD_PRIMARY_KEY,
    Action::DROP_PRIMARY_KEY,
    Action::ADD_COLUMNS,
    Action::DROP_COLUMNS,
];

/// What v6.5 emits beside that.
const SINCE_V6_5: &[Action] = &[
    Action::REBASE_AUTO_ID,
    Action::ALTER_INDEX_VISIBILITY,
    Action::EXCHANGE_TABLE_PARTITION,
    Action::RENAME_TABLES,
    Action::MULTI_SCHEMA_CHANGE,
];

/// What v8.5 emits beside these.
const SINCE_V8_5: &[Action] = &[
    Action::CREATE_TABLES,
    Action::REORGANIZE_PARTITION,
    Action::ALTER_TTL_INFO,
    Action::ALTER_TTL_REMOVE,
    Action::ALTER_TABLE_PARTITIONING,
    Action::REMOVE_PARTITIONING,
];

impl Action {
    /// Whether a changefeed of `compat` emits jobs of this kind at all.
    pub fn is_emitted(self, compat: Compat) -> bool {
        OLD.contains(&self)
            || (compat >= Compat::V6_5 && SINCE_V6_5.contains(&self))
            || (compat >= Compat::V8_5 && SINCE_V8_5.contains(&self))
    }

    /// Whether the job is about a database, not a table.
    pub fn is_schema_ddl(self) -> bool {
        matches!(
            self,
            Action::CREATE_SCHEMA | Action::DROP_SCHEMA | Action::MODIFY_SCHEMA_CHARSET
        )
    }
}
