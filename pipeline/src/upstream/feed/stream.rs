//! One stream to one store: registrations out, events in, each to the subscription it belongs to.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::pin,
    time::Duration,
};

use prost::Message as _;
use proto::{
    cdcpb::{
        self, ChangeDataEvent, ChangeDataRequest,
        change_data_client::ChangeDataClient,
        change_data_request as request,
        event::{self, LogType},
    },
    kvrpcpb, metapb,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::Instant,
};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Request, Status, Streaming, metadata::MetadataValue, transport::Channel};

use super::hub::{Hub, Inbound, Inbox};
use crate::{
    model::{Span, Ts},
    upstream::{channel::MESSAGE_LIMIT, pd::describe},
};

/// The version told to stores: it decides which features they use (`spec/tikv-cdc-protocol.md §1`); resolved-ts in
/// batches and the check of the cluster id need 5.3.0.
const CLIENT_VERSION: &str = "8.4.0";
/// How long a subscription without room may hold up the others of a shared stream.
const STALL: Duration = Duration::from_secs(1);

/// What subscriptions ask of a stream.
#[derive(Debug)]
pub(super) enum Command {
    /// Events of `request` go to `inbox` from now on.
    Join { request: u64, inbox: Inbox },
    /// Nothing of `request` is wanted any more.
    Leave { request: u64 },
    /// See [`Route::register`](super::hub::Route::register).
    Register {
        request: u64,
        region: u64,
        epoch: Option<metapb::RegionEpoch>,
        range: Span,
        checkpoint_ts: Ts,
        scan: OwnedSemaphorePermit,
    },
    /// One region of `request` is not wanted any more.
    Deregister { request: u64, region: u64 },
}

/// Why a stream ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// Nobody is on it any more.
    Idle,
    /// The store has no EventFeedV2: the next stream will do without.
    NoV2,
    /// It broke.
    Broken { address: String, reason: String },
}

/// Something for one subscription.
struct Delivery {
    request: u64,
    bytes: usize,
    content: Content,
}

enum Content {
    Events(Vec<cdcpb::Event>),
    Resolved(Vec<u64>, Ts),
}

/// The task of one stream.
pub(super) struct StreamTask {
    hub: Hub,
    id: u64,
    store_id: u64,
    /// Whether one subscription has it for itself.
    own: bool,
    v2: bool,
    commands: mpsc::UnboundedReceiver<Command>,
    outgoing: mpsc::UnboundedSender<ChangeDataRequest>,
    /// Until the stream is opened.
    pending: Option<mpsc::UnboundedReceiver<ChangeDataRequest>>,
    inboxes: HashMap<u64, Inbox>,
    /// Scans that have begun, by request and region.
    scans: HashMap<(u64, u64), OwnedSemaphorePermit>,
    /// What came and is not yet handed over.
    backlog: VecDeque<Delivery>,
}

impl StreamTask {
    /// A stream that opens when run.
    pub(super) fn new(
        hub: Hub,
        id: u64,
        store_id: u64,
        own: bool,
        v2: bool,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (outgoing, pending) = mpsc::unbounded_channel();
        Self {
            hub,
            id,
            store_id,
            own,
            v2,
            commands,
            outgoing,
            pending: Some(pending),
            inboxes: HashMap::new(),
            scans: HashMap::new(),
            backlog: VecDeque::new(),
        }
    }

    /// Serves until it breaks or nobody is left, then tells everyone.
    pub(super) async fn run(mut self) {
        let ending = match self.serve().await {
            Err(ending) => ending,
            Ok(never) => match never {},
        };
        match &ending {
            Ending::Idle => tracing::debug!(
                store = self.store_id,
                "a change feed stream is not needed any more"
            ),
            Ending::NoV2 => {
                tracing::info!(
                    store = self.store_id,
                    "the store has no EventFeedV2, each span gets a stream of its own"
                );
                self.hub.without_v2(self.store_id);
            }
            Ending::Broken { address, reason } => {
                tracing::warn!(
                    store = self.store_id,
                    address,
                    reason,
                    "a change feed stream broke"
                );
                self.hub.stores().forget(self.store_id);
            }
        }
        let commands = &mut self.commands;
        self.hub.leave(self.store_id, self.id, || {
            commands.close();
            true
        });
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Join { request, inbox } = command {
                self.inboxes.insert(request, inbox);
            }
        }
        let ending = std::sync::Arc::new(ending);
        for (request, inbox) in self.inboxes {
            inbox.put(Inbound::Closed {
                request,
                ending: ending.clone(),
            });
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Ending> {
        let stores = self.hub.stores().clone();
        let store_id = self.store_id;
        let broken = |address: &str, reason: String| Ending::Broken {
            address: address.to_owned(),
            reason,
        };
        let address = self
            .meanwhile(async move { stores.address(store_id).await })
            .await?;
        let address = address.map_err(|error| broken("", error.to_string()))?;
        let channel = self
            .hub
            .channels()
            .get(&address)
            .map_err(|error| broken(&address, error.to_string()))?;
        let requests = self.pending.take().map(UnboundedReceiverStream::new);
        let Some(requests) = requests else {
            return Err(broken(&address, "it was opened before".into()));
        };
        // A store may send headers only with its first event: requests go out while the call is being answered.
        let mut events = match self.meanwhile(open(channel, self.v2, requests)).await? {
            Ok(events) => events,
            Err(status) if self.v2 && status.code() == Code::Unimplemented => {
                return Err(Ending::NoV2);
            }
            Err(status) => return Err(broken(&address, describe(&status))),
        };
        loop {
            self.hand_over().await?;
            let message = tokio::select! {
                command = self.commands.recv() => {
                    self.command(command)?;
                    continue;
                }
                message = events.message() => message,
            };
            match message {
                Ok(Some(message)) => self.sort_out(message),
                Ok(None) => return Err(broken(&address, "the store closed it".into())),
                Err(status) if self.v2 && status.code() == Code::Unimplemented => {
                    return Err(Ending::NoV2);
                }
                Err(status) => return Err(broken(&address, describe(&status))),
            }
        }
    }

    /// Waits for `work` and takes commands meanwhile.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                command = self.commands.recv() => self.command(command)?,
            }
        }
    }

    fn command(&mut self, command: Option<Command>) -> Result<(), Ending> {
        match command {
            Some(Command::Join { request, inbox }) => {
                self.inboxes.insert(request, inbox);
            }
            Some(Command::Register {
                request,
                region,
                epoch,
                range,
                checkpoint_ts,
                scan,
            }) => {
                if self.inboxes.contains_key(&request) {
                    self.scans.insert((request, region), scan);
                    self.send(register(
                        self.header(),
                        request,
                        region,
                        epoch,
                        range,
                        checkpoint_ts,
                    ));
                }
            }
            Some(Command::Deregister { request, region }) => {
                if !self.v2 {
                    // Stores of that age do not know how: end the stream, which is this subscription's own.
                    let reason = "one region of it is not wanted any more".into();
                    return Err(Ending::Broken {
                        address: String::new(),
                        reason,
                    });
                }
                self.scans.remove(&(request, region));
                self.send(deregister(self.header(), request, region));
            }
            Some(Command::Leave { request }) => {
                self.remove(request);
                return self.end_if_idle();
            }
            None => return Err(Ending::Idle),
        }
        Ok(())
    }

    /// Takes a subscription off the stream.
    fn remove(&mut self, request: u64) -> Option<Inbox> {
        let inbox = self.inboxes.remove(&request)?;
        self.scans.retain(|(of, _), _| *of != request);
        self.backlog.retain(|delivery| delivery.request != request);
        if self.v2 {
            self.send(deregister(self.header(), request, 0));
        }
        Some(inbox)
    }

    fn end_if_idle(&mut self) -> Result<(), Ending> {
        if !self.inboxes.is_empty() {
            return Ok(());
        }
        // Who joined a moment ago is still among the commands.
        let commands = &mut self.commands;
        match self
            .hub
            .leave(self.store_id, self.id, || commands.is_empty())
        {
            true => Err(Ending::Idle),
            false => Ok(()),
        }
    }

    fn header(&self) -> cdcpb::Header {
        cdcpb::Header {
            cluster_id: self.hub.cluster_id(),
            ticdc_version: CLIENT_VERSION.into(),
        }
    }

    /// Sends a request; that of a broken stream is lost, and its end is noticed where events are read.
    fn send(&self, request: ChangeDataRequest) {
        let _ = self.outgoing.send(request);
    }

    /// Cuts a message into what belongs to each subscription.
    fn sort_out(&mut self, message: ChangeDataEvent) {
        for event in message.events {
            let request = self.request_of(event.request_id);
            self.note_scan(request, &event);
            let bytes = event.encoded_len();
            match self.backlog.back_mut() {
                Some(Delivery {
                    request: of,
                    bytes: sum,
                    content: Content::Events(events),
                }) if *of == request => {
                    events.push(event);
                    *sum += bytes;
                }
                _ => self.backlog.push_back(Delivery {
                    request,
                    bytes,
                    content: Content::Events(vec![event]),
                }),
            }
        }
        if let Some(resolved) = message.resolved_ts {
            let request = self.request_of(resolved.request_id);
            let bytes = size_of_val(&resolved.regions[..]);
            let content = Content::Resolved(resolved.regions, resolved.ts);
            self.backlog.push_back(Delivery {
                request,
                bytes,
                content,
            });
        }
    }

    /// Without multiplexing the ids of requests are not everywhere, and not needed: there is one.
    fn request_of(&self, named: u64) -> u64 {
        match self.v2 {
            true => named,
            false => self.inboxes.keys().next().copied().unwrap_or(named),
        }
    }

    /// Lets the next scan begin when one has ended.
    fn note_scan(&mut self, request: u64, event: &cdcpb::Event) {
        let id = (request, event.region_id);
        let over = match &event.event {
            Some(event::Event::Error(_)) => true,
            Some(event::Event::Entries(rows)) if self.scans.contains_key(&id) => rows
                .entries
                .iter()
                .any(|row| row.r#type == LogType::Initialized as i32),
            _ => false,
        };
        if over {
            self.scans.remove(&id);
        }
    }

    /// Hands over what came, in order, taking commands while a subscription has no room.
    async fn hand_over(&mut self) -> Result<(), Ending> {
        let mut stalled_at = Instant::now() + STALL;
        while let Some(first) = self.backlog.front() {
            let request = first.request;
            let Some(inbox) = self.inboxes.get(&request).cloned() else {
                self.backlog.pop_front();
                continue;
            };
            tokio::select! {
                biased;
                room = inbox.room(first.bytes) => {
                    if let (Some(room), Some(delivery)) = (room, self.backlog.pop_front()) {
                        inbox.put(match delivery.content {
                            Content::Events(events) => Inbound::Events { request, events, room },
                            Content::Resolved(regions, ts) => Inbound::Resolved { request, regions, ts, room },
                        });
                    }
                    stalled_at = Instant::now() + STALL;
                }
                command = self.commands.recv() => self.command(command)?,
                () = tokio::time::sleep_until(stalled_at), if !self.own => {
                    tracing::info!(store = self.store_id, request, "a slow subscription gets a stream of its own");
                    if let Some(inbox) = self.remove(request) {
                        inbox.put(Inbound::Isolated { request });
                    }
                    stalled_at = Instant::now() + STALL;
                    self.end_if_idle()?;
                }
            }
        }
        Ok(())
    }
}

/// Opens the stream, with the features that need to be named.
async fn open(
    channel: Channel,
    v2: bool,
    requests: UnboundedReceiverStream<ChangeDataRequest>,
) -> Result<Streaming<ChangeDataEvent>, Status> {
    let mut client = ChangeDataClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
    let mut requests = Request::new(requests);
    let events = match v2 {
        true => {
            requests.metadata_mut().insert(
                "features",
                MetadataValue::from_static("stream-multiplexing"),
            );
            client.event_feed_v2(requests).await?
        }
        false => client.event_feed(requests).await?,
    };
    Ok(events.into_inner())
}

fn register(
    header: cdcpb::Header,
    request_id: u64,
    region_id: u64,
    region_epoch: Option<metapb::RegionEpoch>,
    range: Span,
    checkpoint_ts: Ts,
) -> ChangeDataRequest {
    ChangeDataRequest {
        header: Some(header),
        region_id,
        region_epoch,
        checkpoint_ts,
        start_key: range.start,
        end_key: range.end,
        request_id,
        // Newer stores read old values whatever is asked, older ones only so.
        extra_op: kvrpcpb::ExtraOp::ReadOldValue as i32,
        request: Some(request::Request::Register(request::Register {})),
        ..Default::default()
    }
}

/// Takes back a region of a request, or with region 0 all of them.
fn deregister(header: cdcpb::Header, request_id: u64, region_id: u64) -> ChangeDataRequest {
    ChangeDataRequest {
        header: Some(header),
        region_id,
        request_id,
        request: Some(request::Request::Deregister(request::Deregister {})),
        ..Default::default()
    }
}
