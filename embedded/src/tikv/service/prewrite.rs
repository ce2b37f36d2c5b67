//! The first phase of a commit.

use proto::kvrpcpb as kv;
use tonic::Status;

use super::TikvService;
use crate::tikv::engine::EngineError;
use crate::tikv::store::{Failure, detached};
use crate::tikv::txn::prewrite::{PrewriteError, prewrite};

/// Why nothing was prewritten.
enum Refusal {
    Locked(Vec<kv::KeyError>),
    Other(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Other(error.into())
    }
}

impl From<PrewriteError> for Refusal {
    fn from(error: PrewriteError) -> Self {
        match error {
            PrewriteError::Locked(locked) => Self::Locked(locked),
            PrewriteError::Stop(stop) => Self::Other(stop.into()),
        }
    }
}

impl TikvService {
    pub(super) async fn prewrite(
        &self,
        request: kv::PrewriteRequest,
    ) -> Result<kv::PrewriteResponse, Status> {
        let store = self.store.clone();
        let outcome = async {
            let keys: Vec<_> = request.mutations.iter().map(|m| m.key.clone()).collect();
            let region = self.region(request.context.as_ref(), &keys)?;
            let bytes = request
                .mutations
                .iter()
                .map(|m| m.key.len() + m.value.len());
            store.sizes.grow(region.id(), bytes.sum());
            store
                .concurrency
                .observe(request.start_version.max(request.for_update_ts))?;
            let at_work = store.clone();
            // Runs to its end whether or not the client stays; locks of others are an answer, not a failure.
            detached(async move {
                let _held = at_work.latch(&keys).await;
                let concurrency = at_work.concurrency.clone();
                let outcome = at_work
                    .step(keys.len(), move |reader, changes| {
                        prewrite(reader, changes, &concurrency, &request).map_err(Refusal::from)
                    })
                    .await;
                match outcome {
                    // The guard goes now that everything is on disk.
                    Ok(done) => Ok(kv::PrewriteResponse {
                        min_commit_ts: done.min_commit_ts,
                        one_pc_commit_ts: done.one_pc_commit_ts,
                        ..Default::default()
                    }),
                    Err(Refusal::Locked(errors)) => Ok(kv::PrewriteResponse {
                        errors,
                        ..Default::default()
                    }),
                    Err(Refusal::Other(failure)) => Err(failure),
                }
            })
            .await
        };
        let outcome: Result<_, Failure> = outcome.await;
        self.reply(outcome)
    }
}
