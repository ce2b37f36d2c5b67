//! What can go wrong between TiDB's metadata and a table's schema.

use crate::model::Ts;

/// A failure to read or to follow TiDB's schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The snapshot of the upstream could not be read.
    #[error("read {what} from the upstream's metadata at {ts}: {source}")]
    Read {
        /// The keys that were read.
        what: String,
        /// The snapshot's TSO.
        ts: Ts,
        /// The reader's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored document is not the JSON that TiDB writes.
    #[error("decode {what}: {source}")]
    Json {
        /// The document: a database, a table, a DDL job, its arguments.
        what: String,
        /// Where the JSON breaks.
        source: serde_json::Error,
    },
    /// The table of DDL jobs is not there or not as expected.
    #[error(
        "find the DDL jobs: {detail}; is this a TiDB of version 6.2 or later that has been bootstrapped?"
    )]
    JobTable {
        /// What is missing.
        detail: String,
    },
    /// The row of a DDL job cannot be decoded.
    #[error("decode the DDL job row {key}: {source}")]
    JobRow {
        /// The row's key, in hexadecimal.
        key: String,
        /// Why.
        source: crate::mount::MountError,
    },
    /// A DDL job names a table that the snapshot does not hold.
    #[error(
        "[CDC:ErrSnapshotTableNotFound]table {table_id} not found in schema snapshot (DDL job {job_id}: {query})"
    )]
    TableNotFound {
        /// The table looked for.
        table_id: i64,
        /// The job that names it.
        job_id: i64,
        /// The statement.
        query: String,
    },
    /// A DDL job names a database that the snapshot does not hold.
    #[error(
        "[CDC:ErrSnapshotSchemaNotFound]schema {schema_id} not found in schema snapshot (DDL job {job_id}: {query})"
    )]
    SchemaNotFound {
        /// The database looked for.
        schema_id: i64,
        /// The job that names it.
        job_id: i64,
        /// The statement.
        query: String,
    },
    /// A DDL job lacks what its kind must carry.
    #[error("follow DDL job {job_id} of kind {action}: {detail} (statement: {query})")]
    Job {
        /// The job.
        job_id: i64,
        /// Its kind.
        action: u8,
        /// The statement.
        query: String,
        /// What is missing or contradictory.
        detail: String,
    },
    /// The statement of a DDL job cannot be restored in TiDB's spelling.
    #[error("restore the statement of DDL job {job_id}: {detail} (statement: {query})")]
    Statement {
        /// The job.
        job_id: i64,
        /// The statement.
        query: String,
        /// What the parser says.
        detail: String,
    },
    /// A job or a resolved timestamp came after the storage had passed it.
    #[error(
        "accept DDL job {job_id} of {commit_ts}: the schema has been followed up to {resolved_ts} already"
    )]
    Late {
        /// The job.
        job_id: i64,
        /// The job's commit TSO.
        commit_ts: Ts,
        /// What the storage had been told.
        resolved_ts: Ts,
    },
}
