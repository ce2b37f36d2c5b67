//! The requests that go to the leader of one region.

use std::future::Future;

use proto::{errorpb, kvrpcpb, tikvpb::tikv_client::TikvClient};
use tonic::{Status, transport::Channel};

/// A request to a region.
pub(super) trait RegionRequest: Send {
    /// What is answered.
    type Reply: Send;
    /// What it does, as a verb.
    const WHAT: &'static str;
    /// Where it says which region it means.
    fn context(&mut self) -> &mut Option<kvrpcpb::Context>;
    /// Sends it.
    fn send(
        self,
        client: TikvClient<Channel>,
    ) -> impl Future<Output = Result<Self::Reply, Status>> + Send;
    /// Takes the region error out of an answer.
    fn region_error(reply: &mut Self::Reply) -> Option<errorpb::Error>;
}

macro_rules! requests {
    ($($request:ident -> $reply:ident by $rpc:ident, $what:literal;)*) => {$(
        impl RegionRequest for kvrpcpb::$request {
            type Reply = kvrpcpb::$reply;
            const WHAT: &'static str = $what;

            fn context(&mut self) -> &mut Option<kvrpcpb::Context> {
                &mut self.context
            }

            async fn send(self, mut client: TikvClient<Channel>) -> Result<Self::Reply, Status> {
                client.$rpc(self).await.map(tonic::Response::into_inner)
            }

            fn region_error(reply: &mut Self::Reply) -> Option<errorpb::Error> {
                reply.region_error.take()
            }
        }
    )*};
}
requests! {
    GetRequest -> GetResponse by kv_get, "read a key";
    BatchGetRequest -> BatchGetResponse by kv_batch_get, "read keys";
    ScanRequest -> ScanResponse by kv_scan, "scan";
    ScanLockRequest -> ScanLockResponse by kv_scan_lock, "scan for locks";
    CheckTxnStatusRequest -> CheckTxnStatusResponse by kv_check_txn_status, "check a transaction";
    CheckSecondaryLocksRequest -> CheckSecondaryLocksResponse by kv_check_secondary_locks, "check secondary locks";
    ResolveLockRequest -> ResolveLockResponse by kv_resolve_lock, "resolve a lock";
}
