//! A registration on a stream, and what is on its way to it.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use pipeline::model::{RawKv, Ts};
use proto::cdcpb::{self, event, event::LogType};
use tokio::sync::mpsc;
use tonic::Status;

use super::{Version, row, wrapped};

/// The way back of a stream.
pub(super) type Out = mpsc::UnboundedSender<Result<cdcpb::ChangeDataEvent, Status>>;

/// Rows of one message of a scan.
const CHUNK: usize = 2;

/// How far the scan of what was there before is.
#[derive(Debug)]
enum Scan {
    Waiting,
    Running(VecDeque<Vec<event::Row>>),
    Done,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) store: u64,
    pub(super) request: u64,
    pub(super) region: u64,
    /// Memcomparable-encoded.
    pub(super) range: (Bytes, Bytes),
    pub(super) stream: u64,
    checkpoint: Ts,
    out: Out,
    scan: Scan,
    resolved: Ts,
    held: Option<Vec<cdcpb::ChangeDataEvent>>,
}

impl Reader {
    pub(super) fn new(
        store: u64,
        stream: u64,
        request: &cdcpb::ChangeDataRequest,
        out: Out,
    ) -> Self {
        Self {
            store,
            stream,
            request: request.request_id,
            region: request.region_id,
            range: (request.start_key.clone(), request.end_key.clone()),
            checkpoint: request.checkpoint_ts,
            out,
            scan: Scan::Waiting,
            resolved: 0,
            held: None,
        }
    }

    pub(super) fn wants(&self, key: &[u8]) -> bool {
        let key = wrapped(key);
        let (start, end) = &self.range;
        key[..] >= start[..] && (end.is_empty() || key[..] < end[..])
    }

    pub(super) fn overlaps(&self, other: &Reader) -> bool {
        let before = |a: &(Bytes, Bytes), b: &(Bytes, Bytes)| !a.1.is_empty() && a.1 <= b.0;
        !before(&self.range, &other.range) && !before(&other.range, &self.range)
    }

    pub(super) fn is_initialized(&self) -> bool {
        matches!(self.scan, Scan::Done)
    }

    fn send(&mut self, event: cdcpb::ChangeDataEvent) {
        match &mut self.held {
            Some(held) => held.push(event),
            // A stream that is gone needs nothing any more.
            None => drop(self.out.send(Ok(event))),
        }
    }

    pub(super) fn hold(&mut self) {
        self.held.get_or_insert_default();
    }

    pub(super) fn release(&mut self) {
        for event in self.held.take().into_iter().flatten() {
            self.send(event);
        }
    }

    fn event(&mut self, event: event::Event) {
        self.send(cdcpb::ChangeDataEvent {
            events: vec![cdcpb::Event {
                region_id: self.region,
                request_id: self.request,
                event: Some(event),
                ..Default::default()
            }],
            ..Default::default()
        });
    }

    pub(super) fn rows(&mut self, entries: Vec<event::Row>) {
        self.event(event::Event::Entries(event::Entries { entries }));
    }

    /// It never goes back.
    pub(super) fn resolved(&mut self, ts: Ts) {
        self.resolved = self.resolved.max(ts);
        self.send(cdcpb::ChangeDataEvent {
            resolved_ts: Some(cdcpb::ResolvedTs {
                regions: vec![self.region],
                ts: self.resolved,
                request_id: self.request,
            }),
            ..Default::default()
        });
    }

    /// Ends it with an error; what is held is lost.
    pub(super) fn refuse(mut self, error: cdcpb::Error) {
        self.held = None;
        self.event(event::Event::Error(error));
    }

    /// Its stream breaks.
    pub(super) fn cut(self) {
        // It may be broken already.
        let _ = self
            .out
            .send(Err(Status::unavailable("the stream was cut")));
    }

    /// A step of the scan: what was committed after the checkpoint, newest first, and open locks; then its end. What is written
    /// before the first step is seen by it, and was told besides.
    pub(super) fn scan(
        &mut self,
        versions: &BTreeMap<Bytes, Vec<Version>>,
        locks: &BTreeMap<Bytes, RawKv>,
    ) {
        match &mut self.scan {
            Scan::Waiting => {
                let rows = self.found(versions, locks);
                let chunks = rows.chunks(CHUNK).map(<[event::Row]>::to_vec);
                self.scan = Scan::Running(chunks.collect());
            }
            Scan::Running(chunks) => match chunks.pop_front() {
                Some(rows) => self.rows(rows),
                None => {
                    self.scan = Scan::Done;
                    self.rows(vec![event::Row {
                        r#type: LogType::Initialized.into(),
                        ..Default::default()
                    }]);
                }
            },
            Scan::Done => {}
        }
    }

    fn found(
        &self,
        versions: &BTreeMap<Bytes, Vec<Version>>,
        locks: &BTreeMap<Bytes, RawKv>,
    ) -> Vec<event::Row> {
        let mut rows = Vec::new();
        for (key, versions) in versions.iter().filter(|(key, _)| self.wants(key)) {
            let mut of_key = Vec::new();
            let mut old = Bytes::new();
            for version in versions {
                let change = version.change(key, old);
                old = change.value.clone();
                if version.commit_ts > self.checkpoint && !version.silent {
                    of_key.push(row(&change, LogType::Committed));
                }
            }
            rows.extend(of_key.into_iter().rev());
        }
        let locks = locks.iter().filter(|(key, _)| self.wants(key));
        rows.extend(locks.map(|(_, lock)| row(lock, LogType::Prewrite)));
        rows
    }
}
