//! Requests to the region of a key, sent until a store takes them.

use proto::errorpb;
use proto::kvrpcpb as kv;
use proto::tikvpb::batch_commands_request::request::Cmd;
use proto::tikvpb::batch_commands_response::response::Cmd as Answer;
use tonic::Status;

use super::region::Region;
use super::retry::Backoff;
use super::store::Store;
use super::{Client, ClientError, Synced, keys};

/// A request that goes to one region.
pub(super) trait RegionRequest: Clone + Send {
    type Reply: Send;

    fn set_context(&mut self, context: kv::Context);
    fn send(self, store: Store) -> impl Future<Output = Result<Self::Reply, Status>> + Send;
    fn region_error(reply: &mut Self::Reply) -> Option<errorpb::Error>;
}

macro_rules! region_requests {
    ($($request:ident => $reply:ident $by:tt),* $(,)?) => {$(
        impl RegionRequest for kv::$request {
            type Reply = kv::$reply;

            fn set_context(&mut self, mut context: kv::Context) {
                // Who writes is the request's to say, where to is the region's.
                context.txn_source = self.context.as_ref().map_or(0, |own| own.txn_source);
                self.context = Some(context);
            }

            async fn send(self, store: Store) -> Result<kv::$reply, Status> {
                send!(store, self, $by)
            }

            fn region_error(reply: &mut kv::$reply) -> Option<errorpb::Error> {
                reply.region_error.take()
            }
        }
    )*};
}

/// Sends a request in a call of its own, or among others: those that every transaction needs, so that many are under way.
macro_rules! send {
    ($store:ident, $request:expr, (by $call:ident)) => {{
        let mut client = $store.client;
        client
            .$call($request)
            .await
            .map(tonic::Response::into_inner)
    }};
    ($store:ident, $request:expr, (among $calls:ident as $command:ident)) => {
        match $store.$calls.call(Cmd::$command($request)).await? {
            Answer::$command(reply) => Ok(reply),
            _ => Err(Status::internal(concat!(
                "the answer is none to the command ",
                stringify!($command)
            ))),
        }
    };
}

region_requests! {
    GetRequest => GetResponse (by kv_get),
    ScanRequest => ScanResponse (by kv_scan),
    PrewriteRequest => PrewriteResponse (among calls as Prewrite),
    BatchRollbackRequest => BatchRollbackResponse (by kv_batch_rollback),
    CheckTxnStatusRequest => CheckTxnStatusResponse (by kv_check_txn_status),
    ScanLockRequest => ScanLockResponse (by kv_scan_lock),
    TxnHeartBeatRequest => TxnHeartBeatResponse (by kv_txn_heart_beat),
    ResolveLockRequest => ResolveLockResponse (by kv_resolve_lock),
    SplitRegionRequest => SplitRegionResponse (by split_region),
}

/// A commit, and whether it needs a sync of its own.
#[derive(Clone)]
pub(super) struct Commit {
    pub(super) request: kv::CommitRequest,
    pub(super) synced: Synced,
}

impl RegionRequest for Commit {
    type Reply = kv::CommitResponse;

    fn set_context(&mut self, context: kv::Context) {
        self.request.context = Some(context);
    }

    async fn send(self, store: Store) -> Result<Self::Reply, Status> {
        match self.synced {
            Synced::Now => send!(store, self.request, (among calls as Commit)),
            Synced::Later => send!(store, self.request, (among unsynced as Commit)),
        }
    }

    fn region_error(reply: &mut Self::Reply) -> Option<errorpb::Error> {
        reply.region_error.take()
    }
}

/// What one attempt came to.
pub(super) enum Attempt<T> {
    /// The store answered.
    Done(T),
    /// The region is not what it was, or its store is out of reach: look it up again. With the cause.
    Moved(String),
}

impl Client {
    /// The region of a raw key.
    pub(super) async fn region_of(
        &self,
        raw: &[u8],
        backoff: &mut Backoff,
    ) -> Result<Region, ClientError> {
        let wrapped = keys::encode(raw);
        if let Some(region) = self.inner.regions.find(&wrapped) {
            return Ok(region);
        }
        let region = self.inner.pd.region(&wrapped, backoff).await?;
        self.inner.regions.put(region.clone());
        Ok(region)
    }

    /// Sends a request to a region once. Reasons to wait and send the same again are waited out here.
    pub(super) async fn attempt<R: RegionRequest>(
        &self,
        region: &Region,
        request: &R,
        backoff: &mut Backoff,
    ) -> Result<Attempt<R::Reply>, ClientError> {
        loop {
            let store_id = region.leader.store_id;
            let store = self
                .inner
                .stores
                .get(&self.inner.pd, store_id, backoff)
                .await?;
            let mut request = request.clone();
            request.set_context(region.context());
            let mut reply = match request.send(store).await {
                Ok(reply) => reply,
                Err(status) => {
                    self.inner.stores.forget(store_id);
                    self.inner.regions.forget(region.id);
                    return Ok(Attempt::Moved(format!(
                        "store {store_id}: {}",
                        describe(&status)
                    )));
                }
            };
            let Some(error) = R::region_error(&mut reply) else {
                return Ok(Attempt::Done(reply));
            };
            if let Some(too_large) = error.raft_entry_too_large {
                return Err(ClientError::Refused {
                    what: backoff.what(),
                    why: format!("the entry of {} bytes is too large", too_large.entry_size),
                });
            }
            let busy = error.server_is_busy.is_some()
                || error.max_timestamp_not_synced.is_some()
                || error.region_not_initialized.is_some();
            if busy {
                backoff.pause(text(&error)).await?;
                continue;
            }
            self.inner.regions.forget(region.id);
            if error.store_not_match.is_some() {
                self.inner.stores.forget(store_id);
            }
            return Ok(Attempt::Moved(text(&error)));
        }
    }

    /// Sends a request to the region of `key` until a store takes it.
    pub(super) async fn send_to_key<R: RegionRequest>(
        &self,
        key: &[u8],
        request: &R,
        backoff: &mut Backoff,
    ) -> Result<(Region, R::Reply), ClientError> {
        loop {
            let region = self.region_of(key, backoff).await?;
            match self.attempt(&region, request, backoff).await? {
                Attempt::Done(reply) => return Ok((region, reply)),
                Attempt::Moved(cause) => backoff.pause(cause).await?,
            }
        }
    }
}

fn text(error: &errorpb::Error) -> String {
    if error.message.is_empty() {
        format!("region error {error:?}")
    } else {
        error.message.clone()
    }
}

fn describe(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
