//! Many calls on one stream; each is answered when it is done.

use std::pin::Pin;

use proto::tikvpb::{
    BatchCommandsEmptyResponse, BatchCommandsRequest, BatchCommandsResponse,
    batch_commands_request::request::Cmd, batch_commands_response::Response,
    batch_commands_response::response::Cmd as Answer,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Status, Streaming};

use super::TikvService;

/// Answers that may wait for the client.
const WAITING: usize = 1024;

type Answers = Pin<Box<dyn Stream<Item = Result<BatchCommandsResponse, Status>> + Send>>;

/// Answers requests as they come, in any order.
pub(super) fn serve(
    service: TikvService,
    mut requests: Streaming<BatchCommandsRequest>,
) -> Answers {
    let (out, answers) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Some(Ok(batch)) = requests.next().await {
            for (request, id) in batch.requests.into_iter().zip(batch.request_ids) {
                let (service, out) = (service.clone(), out.clone());
                tokio::spawn(async move {
                    let answer = match request.cmd {
                        Some(cmd) => service.one(cmd).await,
                        None => Err(Status::invalid_argument(format!(
                            "request {id} of the batch has no command that this store knows"
                        ))),
                    };
                    let message = answer.map(|cmd| BatchCommandsResponse {
                        responses: vec![Response { cmd: Some(cmd) }],
                        request_ids: vec![id],
                        ..Default::default()
                    });
                    // A client that is gone needs no answer.
                    let _ = out.send(message).await;
                });
            }
        }
    });
    Box::pin(ReceiverStream::new(answers))
}

macro_rules! commands {
    ($($command:ident => $method:ident),* $(,)?) => {
        impl TikvService {
            async fn one(&self, cmd: Cmd) -> Result<Answer, Status> {
                match cmd {
                    $(Cmd::$command(request) => self.$method(request).await.map(Answer::$command),)*
                    Cmd::Empty(empty) => Ok(Answer::Empty(BatchCommandsEmptyResponse {
                        test_id: empty.test_id,
                    })),
                }
            }
        }
    };
}

commands! {
    Get => get,
    Scan => scan,
    Prewrite => prewrite,
    Commit => commit,
    Cleanup => cleanup,
    BatchGet => batch_get,
    BatchRollback => batch_rollback,
    ScanLock => scan_lock,
    ResolveLock => resolve_lock,
    Gc => gc,
    DeleteRange => delete_range,
    PessimisticLock => pessimistic_lock,
    PessimisticRollback => pessimistic_rollback,
    CheckTxnStatus => check_txn_status,
    TxnHeartBeat => txn_heart_beat,
    CheckSecondaryLocks => check_secondary_locks,
}
