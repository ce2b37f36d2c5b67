//! The gRPC front of the store (`tikvpb.Tikv`).
//!
//! Every call is a method that takes a request and gives its reply, with what went wrong in the field that TiKV uses for
//! it; a gRPC status is for the store's own failures only. [`batch`] carries many calls on one stream.

mod admin;
mod batch;
mod end;
pub(super) mod health;
mod pessimistic;
mod prewrite;
mod read;
mod status;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use proto::tikvpb::tikv_server::Tikv;
use proto::{kvrpcpb as kv, tikvpb};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::key::{self, Range};
use super::region::Region;
use super::store::{Failure, Store};

/// In the metadata of a commit, or of a stream of calls for all its commits: they need no sync of their own, since a later commit
/// of the same client brings it. No other client knows of it.
pub(crate) const UNSYNCED: &str = "embedded-unsynced";

/// The service.
#[derive(Clone)]
pub(crate) struct TikvService {
    store: Arc<Store>,
    /// Of the address this is served at.
    store_id: u64,
}

impl TikvService {
    pub(crate) fn new(store: Arc<Store>, store_id: u64) -> Self {
        Self { store, store_id }
    }

    /// The region a request means, which holds all its keys.
    fn region<'a>(
        &self,
        context: Option<&kv::Context>,
        keys: impl IntoIterator<Item = &'a Bytes>,
    ) -> Result<Arc<Region>, Failure> {
        self.store.region(self.store_id, context, keys)
    }
}

/// A reply that can say why a request was not carried out.
trait Refusable: Default {
    /// Puts in what is wrong with the region.
    fn region(&mut self, error: proto::errorpb::Error);
    /// Puts in what is wrong with a key.
    fn key(&mut self, error: kv::KeyError);
}

macro_rules! refusable {
    (error: $($one:ident),*; errors: $($many:ident),*; none: $($none:ident),* $(,)?) => {
        $(impl Refusable for kv::$one {
            fn region(&mut self, error: proto::errorpb::Error) {
                self.region_error = Some(error);
            }
            fn key(&mut self, error: kv::KeyError) {
                self.error = Some(error);
            }
        })*
        $(impl Refusable for kv::$many {
            fn region(&mut self, error: proto::errorpb::Error) {
                self.region_error = Some(error);
            }
            fn key(&mut self, error: kv::KeyError) {
                self.errors = vec![error];
            }
        })*
        $(impl Refusable for kv::$none {
            fn region(&mut self, error: proto::errorpb::Error) {
                self.region_error = Some(error);
            }
            fn key(&mut self, error: kv::KeyError) {
                self.error = format!("{error:?}");
            }
        })*
    };
}

refusable! {
    error: GetResponse, BatchGetResponse, ScanResponse, CommitResponse, TxnHeartBeatResponse, CheckTxnStatusResponse,
        CheckSecondaryLocksResponse, CleanupResponse, BatchRollbackResponse, ScanLockResponse, ResolveLockResponse,
        GcResponse;
    errors: PrewriteResponse, PessimisticLockResponse, PessimisticRollbackResponse;
    none: DeleteRangeResponse, UnsafeDestroyRangeResponse,
}

impl Refusable for kv::SplitRegionResponse {
    fn region(&mut self, error: proto::errorpb::Error) {
        self.region_error = Some(error);
    }

    fn key(&mut self, error: kv::KeyError) {
        self.region_error = Some(proto::errorpb::Error {
            message: format!("{error:?}"),
            ..Default::default()
        });
    }
}

impl TikvService {
    /// The reply, whatever became of the request.
    fn reply<R: Refusable>(&self, outcome: Result<R, Failure>) -> Result<R, Status> {
        let mut reply = R::default();
        match outcome {
            Ok(reply) => return Ok(reply),
            Err(Failure::Region(error)) => reply.region(*error),
            Err(Failure::Key(error)) => reply.key(*error),
            Err(Failure::Broken(status)) => return Err(status),
        }
        self.store.counters.refused.fetch_add(1, Ordering::Relaxed);
        Ok(reply)
    }
}

/// The range of exactly one key.
fn only(raw: &Bytes) -> Range {
    Range {
        start: raw.clone(),
        end: key::after(raw),
    }
}

macro_rules! serve {
    ($($rpc:ident: $method:ident($request:ident) -> $reply:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl Tikv for TikvService {
            type BatchCommandsStream =
                Pin<Box<dyn Stream<Item = Result<tikvpb::BatchCommandsResponse, Status>> + Send>>;

            async fn batch_commands(
                &self,
                requests: Request<Streaming<tikvpb::BatchCommandsRequest>>,
            ) -> Result<Response<Self::BatchCommandsStream>, Status> {
                let unsynced = requests.metadata().contains_key(UNSYNCED);
                Ok(Response::new(batch::serve(self.clone(), unsynced, requests.into_inner())))
            }

            async fn kv_commit(
                &self,
                request: Request<kv::CommitRequest>,
            ) -> Result<Response<kv::CommitResponse>, Status> {
                let unsynced = request.metadata().contains_key(UNSYNCED);
                self.commit(request.into_inner(), unsynced).await.map(Response::new)
            }

            $(async fn $rpc(&self, request: Request<kv::$request>) -> Result<Response<kv::$reply>, Status> {
                self.$method(request.into_inner()).await.map(Response::new)
            })*
        }
    };
}

serve! {
    kv_get: get(GetRequest) -> GetResponse,
    kv_scan: scan(ScanRequest) -> ScanResponse,
    kv_batch_get: batch_get(BatchGetRequest) -> BatchGetResponse,
    kv_prewrite: prewrite(PrewriteRequest) -> PrewriteResponse,
    kv_pessimistic_lock: pessimistic_lock(PessimisticLockRequest) -> PessimisticLockResponse,
    kv_pessimistic_rollback: pessimistic_rollback(PessimisticRollbackRequest) -> PessimisticRollbackResponse,
    kv_cleanup: cleanup(CleanupRequest) -> CleanupResponse,
    kv_batch_rollback: batch_rollback(BatchRollbackRequest) -> BatchRollbackResponse,
    kv_resolve_lock: resolve_lock(ResolveLockRequest) -> ResolveLockResponse,
    kv_scan_lock: scan_lock(ScanLockRequest) -> ScanLockResponse,
    kv_txn_heart_beat: txn_heart_beat(TxnHeartBeatRequest) -> TxnHeartBeatResponse,
    kv_check_txn_status: check_txn_status(CheckTxnStatusRequest) -> CheckTxnStatusResponse,
    kv_check_secondary_locks: check_secondary_locks(CheckSecondaryLocksRequest) -> CheckSecondaryLocksResponse,
    kv_gc: gc(GcRequest) -> GcResponse,
    kv_delete_range: delete_range(DeleteRangeRequest) -> DeleteRangeResponse,
    unsafe_destroy_range: destroy_range(UnsafeDestroyRangeRequest) -> UnsafeDestroyRangeResponse,
    split_region: split(SplitRegionRequest) -> SplitRegionResponse,
}
