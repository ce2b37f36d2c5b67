//! Reads at a timestamp.

use proto::kvrpcpb as kv;
use tonic::Status;

use super::{TikvService, only};
use crate::tikv::key::Range;
use crate::tikv::store::Failure;
use crate::tikv::txn::Stop;
use crate::tikv::txn::read::{self, Scan, View};
use crate::tikv::txn::refuse;

impl TikvService {
    pub(super) async fn get(&self, request: kv::GetRequest) -> Result<kv::GetResponse, Status> {
        let outcome = async {
            let key = request.key;
            self.region(request.context.as_ref(), [&key])?;
            let view = View::new(request.context.as_ref(), request.version);
            let value = self
                .store
                .read(&[only(&key)], view.ts, move |reader| {
                    Ok(read::get(reader, &view, &key)?)
                })
                .await?;
            Ok(kv::GetResponse {
                not_found: value.is_none(),
                value: value.unwrap_or_default(),
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }

    pub(super) async fn batch_get(
        &self,
        request: kv::BatchGetRequest,
    ) -> Result<kv::BatchGetResponse, Status> {
        let outcome = async {
            let keys = request.keys;
            self.region(request.context.as_ref(), &keys)?;
            let view = View::new(request.context.as_ref(), request.version);
            let ranges: Vec<Range> = keys.iter().map(only).collect();
            let pairs = self
                .store
                .read(&ranges, view.ts, move |reader| {
                    let mut pairs = Vec::with_capacity(keys.len());
                    for key in keys {
                        let (value, error) = match read::get(reader, &view, &key) {
                            Ok(None) => continue,
                            Ok(Some(value)) => (value, None),
                            Err(Stop::Refused(error)) => (Default::default(), Some(*error)),
                            Err(Stop::Engine(error)) => return Err(error.into()),
                        };
                        pairs.push(kv::KvPair { error, key, value });
                    }
                    Ok(pairs)
                })
                .await?;
            Ok(kv::BatchGetResponse {
                pairs,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }

    pub(super) async fn scan(&self, request: kv::ScanRequest) -> Result<kv::ScanResponse, Status> {
        let outcome = async {
            let region = self.region(request.context.as_ref(), [])?;
            // Backwards, the scan starts before `start_key` and goes down to `end_key`.
            let asked = match request.reverse {
                false => Range {
                    start: request.start_key,
                    end: request.end_key,
                },
                true => Range {
                    start: request.end_key,
                    end: request.start_key,
                },
            };
            let scan = Scan {
                range: region.range.intersect(&asked),
                limit: usize::try_from(request.limit).unwrap_or(usize::MAX),
                key_only: request.key_only,
                reverse: request.reverse,
                sample_step: usize::try_from(request.sample_step).unwrap_or(usize::MAX),
            };
            if scan.range.is_empty() {
                return Ok(kv::ScanResponse::default());
            }
            let view = View::new(request.context.as_ref(), request.version);
            let pairs = self
                .store
                .read(
                    std::slice::from_ref(&scan.range.clone()),
                    view.ts,
                    move |reader| Ok(read::scan(reader, &view, &scan)?),
                )
                .await?;
            Ok(kv::ScanResponse {
                pairs,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }

    /// Locks up to a start-ts, whoever holds them; readers that follow the answer may take it that no transaction below
    /// is on its way.
    pub(super) async fn scan_lock(
        &self,
        request: kv::ScanLockRequest,
    ) -> Result<kv::ScanLockResponse, Status> {
        let outcome = async {
            let region = self.region(request.context.as_ref(), [])?;
            let range = region.range.intersect(&Range {
                start: request.start_key,
                end: request.end_key,
            });
            if range.is_empty() {
                return Ok(kv::ScanLockResponse::default());
            }
            let limit = match request.limit {
                0 => usize::MAX,
                limit => usize::try_from(limit).unwrap_or(usize::MAX),
            };
            let max_version = request.max_version;
            let within = range.clone();
            let locks = self
                .store
                .read(&[range], max_version, move |reader| {
                    let found = reader.locks(&within).filter(
                        |found| !matches!(found, Ok((_, lock)) if lock.start_ts > max_version),
                    );
                    found
                        .take(limit)
                        .map(|found| Ok(found.map(|(key, lock)| lock.info(&key))?))
                        .collect::<Result<Vec<_>, Failure>>()
                })
                .await?;
            Ok(kv::ScanLockResponse {
                locks,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }
}

/// A request that makes no sense.
pub(super) fn senseless(text: String) -> Failure {
    refuse::abort(text).into()
}
