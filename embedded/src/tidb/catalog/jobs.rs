//! Where jobs are kept: rows of `mysql.tidb_ddl_job` and `mysql.tidb_ddl_history` in 8.5, lists under `m` in 4.0, and
//! the history hash in both (`docs/spec/tidb-schema.md §6-§7`).

use super::plan::QueuedJob;
use super::{CatalogError, Mutation, TidbVersion, gojson, meta};
use crate::tidb::codec::{Handle, Time, keys, keys::MetaKey, number, row, tso};

/// `mysql.tidb_ddl_job`.
pub const JOB_TABLE_ID: i64 = (1 << 48) - 2;
/// `mysql.tidb_ddl_reorg`.
pub const REORG_TABLE_ID: i64 = (1 << 48) - 3;
/// `mysql.tidb_ddl_history`.
pub const HISTORY_TABLE_ID: i64 = (1 << 48) - 4;
/// `mysql.tidb_mdl_info`.
pub const MDL_TABLE_ID: i64 = (1 << 48) - 5;

/// Columns of `mysql.tidb_ddl_job` beside its handle `job_id`.
mod job_column {
    pub(super) const REORG: i64 = 2;
    pub(super) const SCHEMA_IDS: i64 = 3;
    pub(super) const TABLE_IDS: i64 = 4;
    pub(super) const JOB_META: i64 = 5;
    pub(super) const TYPE: i64 = 6;
    pub(super) const PROCESSING: i64 = 7;
}

/// Columns of `mysql.tidb_ddl_history` beside its handle `job_id`.
mod history_column {
    pub(super) const JOB_META: i64 = 2;
    pub(super) const DB_NAME: i64 = 3;
    pub(super) const TABLE_NAME: i64 = 4;
    pub(super) const SCHEMA_IDS: i64 = 5;
    pub(super) const TABLE_IDS: i64 = 6;
    pub(super) const CREATE_TIME: i64 = 7;
}

/// A job as it is queued, or moved on.
pub(super) fn put(
    out: &mut Vec<Mutation>,
    version: TidbVersion,
    queued: &QueuedJob,
) -> Result<(), CatalogError> {
    let json = gojson::to_vec(&queued.job)?;
    match version {
        TidbVersion::V8_5 => out.push(Mutation::Put {
            key: job_key(JOB_TABLE_ID, queued),
            value: row::assemble(vec![
                (job_column::REORG, Some(vec![u8::from(queued.reorg)])),
                (
                    job_column::SCHEMA_IDS,
                    Some(queued.schema_ids.clone().into_bytes()),
                ),
                (
                    job_column::TABLE_IDS,
                    Some(queued.table_ids.clone().into_bytes()),
                ),
                (job_column::JOB_META, Some(json)),
                (job_column::TYPE, Some(vec![queued.job.action as u8])),
                (job_column::PROCESSING, Some(vec![0])),
            ]),
        }),
        TidbVersion::V4_0 => {
            let (element, bounds) = list(queued);
            out.push(Mutation::Put {
                key: element,
                value: json,
            });
            // DDL is serialised, so the queue never holds a second job, and an emptied list begins at 0 again.
            let mut value = Vec::new();
            number::put_comparable_uint(&mut value, 0);
            number::put_comparable_uint(&mut value, 1);
            out.push(Mutation::Put { key: bounds, value });
        }
    }
    Ok(())
}

/// A finished job leaves the queue for the history.
pub(super) fn finish(
    out: &mut Vec<Mutation>,
    version: TidbVersion,
    queued: &QueuedJob,
) -> Result<(), CatalogError> {
    let job = &queued.job;
    let json = gojson::to_vec(job)?;
    match version {
        TidbVersion::V8_5 => {
            let created = u32::try_from(tso::physical_ms(job.start_ts) / 1000).unwrap_or(u32::MAX);
            let mut create_time = Vec::new();
            number::put_min_uint(&mut create_time, Time::from_unix(created, 0).pack());
            let text = |s: &str| Some(s.as_bytes().to_vec());
            out.push(Mutation::Delete {
                key: job_key(JOB_TABLE_ID, queued),
            });
            out.push(Mutation::Put {
                key: job_key(HISTORY_TABLE_ID, queued),
                value: row::assemble(vec![
                    (history_column::JOB_META, Some(json.clone())),
                    (history_column::DB_NAME, text(&job.schema_name)),
                    (
                        history_column::TABLE_NAME,
                        text(job.table_name.as_deref().unwrap_or_default()),
                    ),
                    (history_column::SCHEMA_IDS, text(&queued.schema_ids)),
                    (history_column::TABLE_IDS, text(&queued.table_ids)),
                    (history_column::CREATE_TIME, Some(create_time)),
                ]),
            });
        }
        TidbVersion::V4_0 => {
            let (element, bounds) = list(queued);
            out.push(Mutation::Delete { key: element });
            out.push(Mutation::Delete { key: bounds });
        }
    }
    out.push(Mutation::Put {
        key: meta::history(job.id).encode(),
        value: json,
    });
    Ok(())
}

fn job_key(table_id: i64, queued: &QueuedJob) -> Vec<u8> {
    keys::record_key(table_id, &Handle::Int(queued.job.id))
}

/// Keys of the first element and of the bounds of the job's list.
fn list(queued: &QueuedJob) -> (Vec<u8>, Vec<u8>) {
    let name = if queued.reorg {
        meta::INDEX_JOB_LIST
    } else {
        meta::JOB_LIST
    };
    (
        MetaKey::List(name.into(), 0).encode(),
        MetaKey::ListMeta(name.into()).encode(),
    )
}
