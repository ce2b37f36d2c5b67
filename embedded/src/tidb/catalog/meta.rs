//! Names of the schema's keys (`docs/spec/tidb-schema.md §5`).

use crate::tidb::codec::keys::MetaKey;

const DBS: &str = "DBs";
const POLICIES: &str = "Policies";
const HISTORY: &str = "DDLJobHistory";
/// The queue of 4.0 for all jobs but index builds.
pub(crate) const JOB_LIST: &str = "DDLJobList";
/// The queue of 4.0 for index builds.
pub(crate) const INDEX_JOB_LIST: &str = "DDLJobAddIdxList";

/// The last id handed out.
pub(crate) fn next_global_id() -> MetaKey {
    MetaKey::string("NextGlobalID")
}

/// The schema version.
pub(crate) fn schema_version() -> MetaKey {
    MetaKey::string("SchemaVersionKey")
}

/// What changed at a schema version.
pub(crate) fn diff(version: i64) -> MetaKey {
    MetaKey::string(format!("Diff:{version}"))
}

/// A database.
pub(crate) fn db(id: i64) -> MetaKey {
    MetaKey::hash(DBS, db_field(id))
}

/// A table.
pub(crate) fn table(db_id: i64, table_id: i64) -> MetaKey {
    db_member(db_id, &format!("Table:{table_id}"))
}

/// Anything else kept under a database: `TID:{id}`, `IID:{id}`, `TARID:{id}`.
pub(crate) fn db_member(db_id: i64, field: &str) -> MetaKey {
    MetaKey::hash(db_field(db_id), field)
}

/// The allocators of a table.
pub(crate) fn auto_id_fields(table_id: i64) -> [String; 3] {
    [
        row_id_field(table_id),
        auto_increment_field(table_id),
        auto_random_field(table_id),
    ]
}

/// The row id and AUTO_INCREMENT allocator of a table: the last value handed to a server.
pub(crate) fn row_id_field(table_id: i64) -> String {
    format!("TID:{table_id}")
}

/// The AUTO_INCREMENT allocator of a table with AUTO_ID_CACHE=1.
pub(crate) fn auto_increment_field(table_id: i64) -> String {
    format!("IID:{table_id}")
}

/// The AUTO_RANDOM allocator of a table, shard bits left out.
pub(crate) fn auto_random_field(table_id: i64) -> String {
    format!("TARID:{table_id}")
}

/// A job in the history.
pub(crate) fn history(job_id: i64) -> MetaKey {
    MetaKey::hash(HISTORY, job_id.to_be_bytes())
}

/// The last value of a sequence that a server may hand out.
pub(crate) fn sequence_field(table_id: i64) -> String {
    format!("SID:{table_id}")
}

/// The last id handed out to a placement policy.
pub(crate) fn policy_global_id() -> MetaKey {
    MetaKey::string("PolicyGlobalID")
}

/// A placement policy.
pub(crate) fn policy(id: i64) -> MetaKey {
    MetaKey::hash(POLICIES, format!("Policy:{id}"))
}

fn db_field(id: i64) -> String {
    format!("DB:{id}")
}

/// What a key of the schema says, as far as the catalog keeps it.
pub(crate) enum Known {
    /// `NextGlobalID`.
    GlobalId,
    /// `SchemaVersionKey`.
    SchemaVersion,
    /// A field of `DBs`.
    Db(i64),
    /// A `Table:` field.
    Table(i64, i64),
    /// Another field under a database.
    Member(i64, String),
    /// `PolicyGlobalID`.
    PolicyId,
    /// A field of `Policies`.
    Policy(i64),
}

/// Reads a key; none for keys that the catalog does not keep.
pub(crate) fn recognise(key: &MetaKey) -> Option<Known> {
    match key {
        MetaKey::String(name) if name == b"NextGlobalID" => Some(Known::GlobalId),
        MetaKey::String(name) if name == b"SchemaVersionKey" => Some(Known::SchemaVersion),
        MetaKey::String(name) if name == b"PolicyGlobalID" => Some(Known::PolicyId),
        MetaKey::Hash(hash, field) => {
            let field = std::str::from_utf8(field).ok()?;
            if hash == DBS.as_bytes() {
                return Some(Known::Db(number_after(field, "DB:")?));
            }
            if hash == POLICIES.as_bytes() {
                return Some(Known::Policy(number_after(field, "Policy:")?));
            }
            let db_id = number_after(std::str::from_utf8(hash).ok()?, "DB:")?;
            Some(match number_after(field, "Table:") {
                Some(table_id) => Known::Table(db_id, table_id),
                None => Known::Member(db_id, field.to_owned()),
            })
        }
        _ => None,
    }
}

fn number_after(text: &str, prefix: &str) -> Option<i64> {
    text.strip_prefix(prefix)?.parse().ok()
}
