//! Many calls to a store on one stream (`BatchCommands`), as TiDB's own client makes them: what comes while a message is on its
//! way goes together in the next one.

use std::collections::HashMap;
use std::time::Duration;

use prost::Message as _;
use proto::tikvpb::BatchCommandsRequest;
use proto::tikvpb::batch_commands_request::Request;
use proto::tikvpb::batch_commands_request::request::Cmd;
use proto::tikvpb::batch_commands_response::response::Cmd as Answer;
use proto::tikvpb::tikv_client::TikvClient;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;

use super::Synced;
use crate::tikv::UNSYNCED;

/// Most commands of a message.
const COMMANDS: usize = 128;
/// Bytes of commands from which a message is full.
const BYTES: usize = 1 << 20;

/// A call, and who waits for its answer.
struct Call {
    request: Request,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<Answer, Status>>;

/// A stream of calls. The first one opens it; when it breaks, those that wait fail, and so do all later ones.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    queue: mpsc::UnboundedSender<Call>,
    timeout: Duration,
}

impl Calls {
    /// Calls to a store, each of which is given up after `timeout`. What is decided by calls of a stream that is
    /// [`Synced::Later`] needs no sync of its own.
    pub(super) fn new(store: TikvClient<Channel>, synced: Synced, timeout: Duration) -> Self {
        let (queue, calls) = mpsc::unbounded_channel();
        tokio::spawn(run(store, synced, calls));
        Self { queue, timeout }
    }

    pub(super) async fn call(&self, command: Cmd) -> Result<Answer, Status> {
        let (reply, answer) = oneshot::channel();
        let request = Request { cmd: Some(command) };
        self.queue
            .send(Call { request, reply })
            .map_err(|_| ended())?;
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answered) => answered.map_err(|_| ended())?,
            Err(_) => Err(Status::deadline_exceeded(format!(
                "no answer within {} s",
                self.timeout.as_secs()
            ))),
        }
    }
}

fn ended() -> Status {
    Status::unavailable("the stream of calls has ended")
}

async fn run(store: TikvClient<Channel>, synced: Synced, mut calls: mpsc::UnboundedReceiver<Call>) {
    let mut waiting = HashMap::new();
    let Err(status) = exchange(store, synced, &mut calls, &mut waiting).await else {
        return;
    };
    calls.close();
    let queued = std::iter::from_fn(|| calls.try_recv().ok()).map(|call| call.reply);
    for reply in queued.chain(waiting.into_values()) {
        // Who gave up needs no answer.
        let _ = reply.send(Err(status.clone()));
    }
}

/// Sends calls and takes answers until nobody is left who could call.
async fn exchange(
    mut store: TikvClient<Channel>,
    synced: Synced,
    calls: &mut mpsc::UnboundedReceiver<Call>,
    waiting: &mut HashMap<u64, Reply>,
) -> Result<(), Status> {
    let mut sent = 0;
    // One message is on its way while the next one gathers.
    let (out, outgoing) = mpsc::channel(1);
    let mut outgoing = tonic::Request::new(ReceiverStream::new(outgoing));
    if synced == Synced::Later {
        let metadata = outgoing.metadata_mut();
        metadata.insert(UNSYNCED, MetadataValue::from_static("1"));
    }
    // TiKV says that a stream is open with its first answer.
    let Some(first) = gather(calls, &out).await? else {
        return Ok(());
    };
    first.send(&mut sent, waiting);
    let mut answers = store.batch_commands(outgoing).await?.into_inner();
    loop {
        tokio::select! {
            message = answers.message() => {
                let message = message?.ok_or_else(ended)?;
                for (id, response) in message.request_ids.into_iter().zip(message.responses) {
                    let answer = response.cmd.ok_or_else(|| {
                        Status::internal(format!("the answer to call {id} is none that is known here"))
                    });
                    if let Some(reply) = waiting.remove(&id) {
                        // Who gave up needs none.
                        let _ = reply.send(answer);
                    }
                }
            }
            next = gather(calls, &out) => match next? {
                Some(next) => next.send(&mut sent, waiting),
                // Nobody waits either: whoever does has a way to call.
                None => return Ok(()),
            },
        }
    }
}

/// Calls that go in one message.
struct Gathered<'a> {
    calls: Vec<Call>,
    place: mpsc::Permit<'a, BatchCommandsRequest>,
}

/// Waits for calls and for a message to be able to go; none if nobody is left who could call.
async fn gather<'a>(
    calls: &mut mpsc::UnboundedReceiver<Call>,
    out: &'a mpsc::Sender<BatchCommandsRequest>,
) -> Result<Option<Gathered<'a>>, Status> {
    let place = out.reserve().await.map_err(|_| ended())?;
    let Some(first) = calls.recv().await else {
        return Ok(None);
    };
    let mut bytes = first.request.encoded_len();
    let mut gathered = vec![first];
    while gathered.len() < COMMANDS
        && bytes < BYTES
        && let Ok(next) = calls.try_recv()
    {
        bytes += next.request.encoded_len();
        gathered.push(next);
    }
    Ok(Some(Gathered {
        calls: gathered,
        place,
    }))
}

impl Gathered<'_> {
    fn send(self, sent: &mut u64, waiting: &mut HashMap<u64, Reply>) {
        let mut message = BatchCommandsRequest::default();
        for Call { request, reply } in self.calls {
            *sent += 1;
            message.request_ids.push(*sent);
            message.requests.push(request);
            waiting.insert(*sent, reply);
        }
        self.place.send(message);
    }
}
