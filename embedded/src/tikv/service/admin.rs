//! Collecting garbage, dropping ranges, splitting regions.

use proto::kvrpcpb as kv;
use tonic::Status;

use super::TikvService;
use super::read::senseless;
use crate::tikv::engine::Cf;
use crate::tikv::key::{self, Range};
use crate::tikv::store::Failure;

/// Keys handled in one write.
const BATCH: usize = 256;

impl TikvService {
    /// Removes what no reader at or above the safe point sees, in a region.
    pub(super) async fn gc(&self, request: kv::GcRequest) -> Result<kv::GcResponse, Status> {
        let outcome = async {
            let region = self.region(request.context.as_ref(), [])?;
            crate::tikv::gc::in_range(&self.store, region.range.clone(), request.safe_point)
                .await?;
            Ok(kv::GcResponse::default())
        };
        self.reply(outcome.await)
    }

    pub(super) async fn delete_range(
        &self,
        request: kv::DeleteRangeRequest,
    ) -> Result<kv::DeleteRangeResponse, Status> {
        let outcome = async {
            let region = self.region(request.context.as_ref(), [])?;
            let range = region.range.intersect(&Range {
                start: request.start_key,
                end: request.end_key,
            });
            if !request.notify_only && !range.is_empty() {
                self.destroy(range).await?;
            }
            Ok(kv::DeleteRangeResponse::default())
        };
        self.reply(outcome.await)
    }

    /// Removes a range whatever regions it crosses; the change feed does not tell.
    pub(super) async fn destroy_range(
        &self,
        request: kv::UnsafeDestroyRangeRequest,
    ) -> Result<kv::UnsafeDestroyRangeResponse, Status> {
        let outcome = async {
            let range = Range {
                start: request.start_key,
                end: request.end_key,
            };
            if range.is_empty() {
                return Err(senseless("destroy an empty range".to_owned()));
            }
            self.destroy(range).await?;
            Ok(kv::UnsafeDestroyRangeResponse::default())
        };
        self.reply(outcome.await)
    }

    async fn destroy(&self, range: Range) -> Result<(), Failure> {
        let within = range.clone();
        let stored = self
            .store
            .look(move |reader| {
                let (start, end) = (
                    key::wrap(&within.start),
                    match within.end.is_empty() {
                        true => Vec::new(),
                        false => key::wrap(&within.end),
                    },
                );
                let mut stored = Vec::new();
                for cf in [Cf::Write, Cf::Default] {
                    for found in reader.stored_keys(cf, &start, &end) {
                        stored.push((cf, found?));
                    }
                }
                for found in reader.locks(&within) {
                    stored.push((Cf::Lock, found?.0));
                }
                Ok(stored)
            })
            .await?;
        for batch in stored.chunks(BATCH) {
            let batch = batch.to_vec();
            let locked = batch.iter().filter(|(cf, _)| *cf == Cf::Lock);
            let keys = locked.map(|(_, key)| key.clone()).collect();
            self.store
                .write(keys, move |_, changes| {
                    for (cf, key) in batch {
                        match cf {
                            Cf::Lock => changes.unlock(&key),
                            other => changes.remove(other, key),
                        }
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }

    pub(super) async fn split(
        &self,
        request: kv::SplitRegionRequest,
    ) -> Result<kv::SplitRegionResponse, Status> {
        let outcome = async {
            let mut keys = request.split_keys;
            if !request.split_key.is_empty() {
                keys.push(request.split_key);
            }
            if keys.is_empty() {
                return Err(senseless("split a region at no key".to_owned()));
            }
            let region = self.region(request.context.as_ref(), &keys)?;
            let parts = self
                .store
                .splitter
                .split(&region, &keys)
                .await
                .map_err(|error| Failure::Broken(Status::internal(format!("failed to {error}"))))?;
            let Some(parts) = parts else {
                // Somebody else was faster: the epoch says so.
                self.region(request.context.as_ref(), &keys)?;
                return Err(Failure::Broken(Status::aborted(
                    "the region changed while it was to be split",
                )));
            };
            let regions: Vec<_> = parts.iter().map(|part| part.meta.clone()).collect();
            let two = match regions.as_slice() {
                [left, right] => Some((left.clone(), right.clone())),
                _ => None,
            };
            let (left, right) = two.unzip();
            Ok(kv::SplitRegionResponse {
                left,
                right,
                regions,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }
}
