//! Many calls on one stream; each is answered when it is done.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use proto::tikvpb::{
    BatchCommandsEmptyResponse, BatchCommandsRequest, BatchCommandsResponse,
    batch_commands_request::request::Cmd, batch_commands_response::Response,
    batch_commands_response::response::Cmd as Answer,
};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::TikvService;

/// Answers that may wait for the client.
const WAITING: usize = 1024;

type Answers = Pin<Box<dyn Stream<Item = Result<BatchCommandsResponse, Status>> + Send>>;

/// Most answers of a message.
const ANSWERS: usize = 128;

/// Answers requests as they come, in any order; commits `unsynced` if the client sees to a sync itself.
pub(super) fn serve(
    service: TikvService,
    unsynced: bool,
    mut requests: Streaming<BatchCommandsRequest>,
) -> Answers {
    let (out, answers) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Some(Ok(batch)) = requests.next().await {
            for (request, id) in batch.requests.into_iter().zip(batch.request_ids) {
                let (service, out) = (service.clone(), out.clone());
                tokio::spawn(async move {
                    let answer = match request.cmd {
                        // Apart, since it is large: tasks are aligned, and the allocator leaves holes beside large ones.
                        Some(cmd) => Box::pin(service.one(cmd, unsynced)).await,
                        None => Err(Status::invalid_argument(format!(
                            "request {id} of the batch has no command that this store knows"
                        ))),
                    };
                    // A client that is gone needs no answer.
                    let _ = out.send((id, answer)).await;
                });
            }
        }
    });
    Box::pin(stream::unfold(answers, |mut answers| async {
        let message = gather(&mut answers).await?;
        Some((message, answers))
    }))
}

/// The answers that are there, in one message; none when there will be no more.
async fn gather(
    answers: &mut mpsc::Receiver<(u64, Result<Answer, Status>)>,
) -> Option<Result<BatchCommandsResponse, Status>> {
    let mut ready = Vec::new();
    if answers.recv_many(&mut ready, ANSWERS).await == 0 {
        return None;
    }
    let mut message = BatchCommandsResponse::default();
    for (id, answer) in ready {
        match answer {
            Ok(cmd) => message.responses.push(Response { cmd: Some(cmd) }),
            Err(status) => return Some(Err(status)),
        }
        message.request_ids.push(id);
    }
    Some(Ok(message))
}

macro_rules! commands {
    ($($command:ident => $method:ident),* $(,)?) => {
        impl TikvService {
            async fn one(&self, cmd: Cmd, unsynced: bool) -> Result<Answer, Status> {
                match cmd {
                    Cmd::Commit(request) => self.commit(request, unsynced).await.map(Answer::Commit),
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
