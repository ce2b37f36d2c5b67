//! How transactions stand.

use proto::kvrpcpb as kv;
use tonic::Status;

use super::TikvService;
use crate::tikv::txn::status;

impl TikvService {
    pub(super) async fn txn_heart_beat(
        &self,
        request: kv::TxnHeartBeatRequest,
    ) -> Result<kv::TxnHeartBeatResponse, Status> {
        let outcome = async {
            let key = request.primary_lock.clone();
            self.region(request.context.as_ref(), [&key])?;
            let lock_ttl = self
                .store
                .write(vec![key], move |reader, changes| {
                    status::heart_beat(reader, changes, &request)
                })
                .await?;
            Ok(kv::TxnHeartBeatResponse {
                lock_ttl,
                ..Default::default()
            })
        };
        self.reply(outcome.await)
    }

    pub(super) async fn check_txn_status(
        &self,
        request: kv::CheckTxnStatusRequest,
    ) -> Result<kv::CheckTxnStatusResponse, Status> {
        let outcome = async {
            let key = request.primary_key.clone();
            self.region(request.context.as_ref(), [&key])?;
            // The caller has read at these: what commits later has to commit above.
            for ts in [request.lock_ts, request.caller_start_ts, request.current_ts] {
                self.store.concurrency.observe(ts)?;
            }
            self.store
                .write(vec![key], move |reader, changes| {
                    status::check_txn(reader, changes, &request)
                })
                .await
        };
        self.reply(outcome.await)
    }

    pub(super) async fn check_secondary_locks(
        &self,
        request: kv::CheckSecondaryLocksRequest,
    ) -> Result<kv::CheckSecondaryLocksResponse, Status> {
        let outcome = async {
            let keys = request.keys.clone();
            self.region(request.context.as_ref(), &keys)?;
            self.store.concurrency.observe(request.start_version)?;
            self.store
                .write(keys, move |reader, changes| {
                    status::check_secondaries(reader, changes, &request)
                })
                .await
        };
        self.reply(outcome.await)
    }
}
