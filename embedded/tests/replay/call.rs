//! gRPC calls by path, with messages as JSON.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::wire::Schema;

/// Longest time for one call.
const CALL: Duration = Duration::from_secs(20);
/// Bytes that a client which does not read takes from the store before the store notices.
const SMALL_WINDOW: u32 = 65_535;

/// Messages as bytes.
#[derive(Debug, Default, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// One server.
#[derive(Clone)]
pub(crate) struct Server {
    schema: Arc<Schema>,
    channel: Channel,
}

impl Server {
    pub(crate) fn new(schema: Arc<Schema>, url: &str) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        let endpoint = endpoint
            .initial_stream_window_size(SMALL_WINDOW)
            .tcp_nodelay(true);
        Self {
            schema,
            channel: endpoint.connect_lazy(),
        }
    }

    fn client(&self) -> tonic::client::Grpc<Channel> {
        tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX)
    }

    /// One call; a reply or a status.
    pub(crate) async fn unary(&self, path: &str, message: &Value) -> Result<Value, Status> {
        let (input, output) = self.schema.method(path).unwrap();
        let bytes = self.schema.encode(input, message).unwrap();
        let mut client = self.client();
        ready(&mut client).await?;
        let path: PathAndQuery = path.parse().unwrap();
        let call = client.unary(Request::new(Bytes::from(bytes)), path, Raw);
        let reply = tokio::time::timeout(CALL, call)
            .await
            .map_err(|_| Status::deadline_exceeded("no reply"))??;
        Ok(self.schema.decode(output, &reply.into_inner()).unwrap())
    }

    /// One message on a stream of its own, and the first reply.
    pub(crate) async fn ask_stream(&self, path: &str, message: &Value) -> Result<Value, Status> {
        let mut stream = self.open(path, &[]).await;
        stream.send(message);
        match tokio::time::timeout(CALL, stream.received.recv()).await {
            Ok(Some(Ok(reply))) => Ok(reply),
            Ok(Some(Err(status))) => Err(status),
            Ok(None) => Err(Status::ok("closed")),
            Err(_) => Err(Status::deadline_exceeded("no reply")),
        }
    }

    /// Opens a stream both ways.
    pub(crate) async fn open(&self, path: &str, metadata: &[(String, String)]) -> Stream {
        let (input, output) = self.schema.method(path).unwrap();
        let (input, output) = (input.to_owned(), output.to_owned());
        let (requests, outgoing) = mpsc::channel(256);
        let (incoming, received) = mpsc::unbounded_channel();
        let (reading, mut may_read) = watch::channel(true);
        let mut request = Request::new(ReceiverStream::new(outgoing));
        for (key, value) in metadata {
            let key: tonic::metadata::MetadataKey<_> = key.parse().unwrap();
            let value: MetadataValue<_> = value.parse().unwrap();
            request.metadata_mut().insert(key, value);
        }
        let (mut client, schema) = (self.client(), self.schema.clone());
        let path: PathAndQuery = path.parse().unwrap();
        let task = tokio::spawn(async move {
            let status = async {
                ready(&mut client).await?;
                let mut stream = client.streaming(request, path, Raw).await?.into_inner();
                loop {
                    if may_read.wait_for(|may| *may).await.is_err() {
                        return Err(Status::cancelled("dropped"));
                    }
                    let Some(message) = stream.message().await? else {
                        return Err(Status::ok(""));
                    };
                    let message = schema.decode(&output, &message).unwrap();
                    if incoming.send(Ok(message)).is_err() {
                        return Err(Status::cancelled("dropped"));
                    }
                }
            };
            let ended: Result<(), Status> = status.await;
            if let Err(status) = ended {
                // The test may have ended.
                let _ = incoming.send(Err(status));
            }
        });
        Stream {
            schema: self.schema.clone(),
            input,
            requests: Some(requests),
            received,
            reading,
            task,
        }
    }
}

async fn ready(client: &mut tonic::client::Grpc<Channel>) -> Result<(), Status> {
    let ready = tokio::time::timeout(CALL, client.ready()).await;
    ready
        .map_err(|_| Status::deadline_exceeded("not connected"))?
        .map_err(|error| Status::unavailable(error.to_string()))
}

/// A stream both ways.
pub(crate) struct Stream {
    schema: Arc<Schema>,
    input: String,
    requests: Option<mpsc::Sender<Bytes>>,
    /// Messages, and at the end the status (OK too).
    pub(crate) received: mpsc::UnboundedReceiver<Result<Value, Status>>,
    reading: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Stream {
    pub(crate) fn send(&self, message: &Value) {
        let bytes = self.schema.encode(&self.input, message).unwrap();
        if let Some(requests) = &self.requests {
            // The server may have ended the stream.
            let _ = requests.try_send(bytes.into());
        }
    }

    /// Sends no more.
    pub(crate) fn half_close(&mut self) {
        self.requests = None;
    }

    /// Gives the stream up.
    pub(crate) fn cancel(&mut self) {
        self.task.abort();
    }

    /// Stops or goes on reading.
    pub(crate) fn read(&self, go_on: bool) {
        // The reader may have ended.
        let _ = self.reading.send(go_on);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
