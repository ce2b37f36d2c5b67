//! Commits, rollbacks, and ending the transactions of others.

use std::collections::HashMap;

use bytes::Bytes;
use proto::kvrpcpb as kv;
use tonic::Status;

use super::TikvService;
use super::read::senseless;
use crate::tikv::key;
use crate::tikv::store::Failure;
use crate::tikv::txn::end;

/// Locks ended in one write.
const BATCH: usize = 256;

impl TikvService {
    /// Commits, `unsynced` if the client sees to a sync itself.
    pub(super) async fn commit(
        &self,
        request: kv::CommitRequest,
        unsynced: bool,
    ) -> Result<kv::CommitResponse, Status> {
        let outcome = async {
            let (start_ts, commit_ts) = (request.start_version, request.commit_version);
            if commit_ts <= start_ts {
                return Err(senseless(format!(
                    "Invalid transaction tso with start_ts:{start_ts},commit_ts:{commit_ts}"
                )));
            }
            self.region(request.context.as_ref(), &request.keys)?;
            let keys = request.keys.clone();
            self.store
                .write(request.keys, move |reader, changes| {
                    end::commit_all(reader, changes, &keys, start_ts, commit_ts)?;
                    changes.unsynced |= unsynced;
                    Ok(())
                })
                .await?;
            Ok(kv::CommitResponse {
                commit_version: commit_ts,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }

    pub(super) async fn batch_rollback(
        &self,
        request: kv::BatchRollbackRequest,
    ) -> Result<kv::BatchRollbackResponse, Status> {
        let outcome = async {
            self.region(request.context.as_ref(), &request.keys)?;
            let (keys, start_ts) = (request.keys.clone(), request.start_version);
            self.store
                .write(request.keys, move |reader, changes| {
                    reader.in_order(keys.iter());
                    keys.iter()
                        .try_for_each(|key| end::roll_back(reader, changes, key, start_ts, false))
                })
                .await?;
            Ok(kv::BatchRollbackResponse::default())
        };
        self.reply(outcome.await)
    }

    pub(super) async fn cleanup(
        &self,
        request: kv::CleanupRequest,
    ) -> Result<kv::CleanupResponse, Status> {
        let outcome = async {
            let key = request.key;
            self.region(request.context.as_ref(), [&key])?;
            let (start_ts, current_ts) = (request.start_version, request.current_ts);
            let commit_version = self
                .store
                .write(vec![key.clone()], move |reader, changes| {
                    end::clean_up(reader, changes, &key, start_ts, current_ts)
                })
                .await?;
            Ok(kv::CleanupResponse {
                commit_version,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }

    /// Ends transactions on the keys given, or on every lock they have in the region.
    pub(super) async fn resolve_lock(
        &self,
        request: kv::ResolveLockRequest,
    ) -> Result<kv::ResolveLockResponse, Status> {
        let outcome = async {
            let region = self.region(request.context.as_ref(), &request.keys)?;
            let ends: HashMap<u64, u64> = match request.txn_infos.is_empty() {
                true => HashMap::from([(request.start_version, request.commit_version)]),
                false => request
                    .txn_infos
                    .iter()
                    .map(|info| (info.txn, info.status))
                    .collect(),
            };
            if !request.keys.is_empty() {
                let (start_ts, commit_ts) = (request.start_version, request.commit_version);
                let locks = request.keys.iter().map(|key| (key.clone(), start_ts));
                self.end_locks(locks.collect(), HashMap::from([(start_ts, commit_ts)]))
                    .await?;
                return Ok(kv::ResolveLockResponse::default());
            }
            let mut range = region.range.clone();
            loop {
                let (asked, known) = (range.clone(), ends.clone());
                let locks = self
                    .store
                    .look(move |reader| {
                        let found = reader.locks(&asked).filter(|found| {
                            !matches!(found, Ok((_, lock)) if !known.contains_key(&lock.start_ts))
                        });
                        found
                            .take(BATCH)
                            .map(|found| Ok(found.map(|(key, lock)| (key, lock.start_ts))?))
                            .collect::<Result<Vec<(Bytes, u64)>, Failure>>()
                    })
                    .await?;
                let Some((last, _)) = locks.last() else {
                    break;
                };
                range.start = key::after(last);
                self.end_locks(locks, ends.clone()).await?;
            }
            Ok(kv::ResolveLockResponse::default())
        };
        self.reply(outcome.await)
    }

    /// Ends transactions on keys; `ends` has the commit-ts of each, 0 for a rollback.
    async fn end_locks(
        &self,
        locks: Vec<(Bytes, u64)>,
        ends: HashMap<u64, u64>,
    ) -> Result<(), Failure> {
        let keys = locks.iter().map(|(key, _)| key.clone()).collect();
        self.store
            .write(keys, move |reader, changes| {
                end::resolve_all(reader, changes, &locks, &ends)
            })
            .await
    }
}
