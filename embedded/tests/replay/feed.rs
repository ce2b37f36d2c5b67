//! One stream of the change feed: what came, and whether it is what was recorded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use tonic::Status;

use super::call::Stream;
use super::names::Names;

/// Which subscription an event belongs to: region and request id.
type Subscription = (u64, u64);

/// A resolved-ts message.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    pub(crate) request: u64,
    pub(crate) regions: Vec<u64>,
    pub(crate) ts: u64,
}

/// What came on a stream.
pub(crate) struct Channel {
    pub(crate) stream: Stream,
    pub(crate) events: Vec<Value>,
    pub(crate) resolved: Vec<Resolved>,
    pub(crate) ended: Option<Status>,
    /// Promises that were broken.
    pub(crate) broken: Vec<String>,
    /// The highest resolved-ts of a region.
    promised: HashMap<u64, u64>,
}

impl Channel {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            events: Vec::new(),
            resolved: Vec::new(),
            ended: None,
            broken: Vec::new(),
            promised: HashMap::new(),
        }
    }

    /// Takes in what has come.
    pub(crate) fn drain(&mut self) {
        while let Ok(message) = self.stream.received.try_recv() {
            match message {
                Err(status) => self.ended = Some(status),
                Ok(message) => {
                    if let Some(resolved) = resolved_of(&message) {
                        for region in resolved.regions.clone() {
                            self.promise(region, resolved.ts);
                        }
                        self.resolved.push(resolved);
                    }
                    for event in events_of(&message) {
                        match event_resolved(event) {
                            Some(resolved) => {
                                self.promise(resolved.regions[0], resolved.ts);
                                self.resolved.push(resolved);
                            }
                            None => {
                                self.check(event);
                                self.events.push(event.clone());
                            }
                        }
                    }
                }
            }
        }
    }

    fn promise(&mut self, region: u64, ts: u64) {
        let last = self.promised.insert(region, ts).unwrap_or(0);
        if ts < last {
            self.broken.push(format!(
                "the resolved-ts of region {region} went back from {last} to {ts}"
            ));
        }
    }

    /// A commit must not come at or below a resolved-ts, nor at or below its start-ts.
    fn check(&mut self, event: &Value) {
        let region = number(event, "region_id");
        if event.get("error").is_some() {
            self.promised.remove(&region);
        }
        let promised = self.promised.get(&region).copied().unwrap_or(0);
        for row in rows(event) {
            let (start, commit) = (number(row, "start_ts"), number(row, "commit_ts"));
            let kind = row.get("type").and_then(Value::as_str).unwrap_or_default();
            match kind {
                // Somebody registers the region again.
                "INITIALIZED" => {
                    self.promised.remove(&region);
                }
                "COMMIT" if commit <= promised => self.broken.push(format!(
                    "commit {commit} after resolved-ts {promised}: {row}"
                )),
                "COMMIT" | "COMMITTED" if commit <= start => {
                    self.broken
                        .push(format!("committed at or below its start: {row}"));
                }
                _ => {}
            }
        }
    }
}

/// The events of a message that are no resolved-ts.
pub(crate) fn plain_events(message: &Value) -> impl Iterator<Item = &Value> {
    events_of(message)
        .iter()
        .filter(|event| event_resolved(event).is_none())
}

/// The resolved-ts of a message, in either form.
pub(crate) fn all_resolved(message: &Value) -> Vec<Resolved> {
    let in_events = events_of(message).iter().filter_map(event_resolved);
    resolved_of(message).into_iter().chain(in_events).collect()
}

fn events_of(message: &Value) -> &[Value] {
    message
        .get("events")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn resolved_of(message: &Value) -> Option<Resolved> {
    let resolved = message.get("resolved_ts")?;
    let regions = resolved.get("regions").and_then(Value::as_array);
    Some(Resolved {
        request: number(resolved, "request_id"),
        regions: regions?.iter().filter_map(Value::as_u64).collect(),
        ts: number(resolved, "ts"),
    })
}

fn event_resolved(event: &Value) -> Option<Resolved> {
    Some(Resolved {
        request: number(event, "request_id"),
        ts: event.get("resolved_ts")?.as_u64()?,
        regions: vec![number(event, "region_id")],
    })
}

pub(crate) fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or(0)
}

/// The rows of an event.
pub(crate) fn rows(event: &Value) -> &[Value] {
    event
        .pointer("/entries/entries")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Compares the events of a stream, subscription by subscription; rows of a live event may come in any order.
pub(crate) fn compare(
    names: &mut Names,
    recorded: &[Value],
    ours: &[Value],
) -> Vec<(String, Result<(), String>)> {
    let recorded = by_subscription(recorded, |region| names.id(region));
    let mut ours = by_subscription(ours, |region| region);
    let subscriptions: BTreeSet<Subscription> =
        recorded.keys().chain(ours.keys()).copied().collect();
    let mut verdicts = Vec::new();
    for subscription in subscriptions {
        let mine = ours.remove(&subscription).unwrap_or_default();
        let empty = Vec::new();
        let theirs = recorded.get(&subscription).unwrap_or(&empty);
        let mut scanning = true;
        for at in 0..theirs.len().max(mine.len()) {
            let subject = format!(
                "region {} request {} event {at}",
                subscription.0, subscription.1
            );
            let verdict = match (theirs.get(at), mine.get(at)) {
                (Some(theirs), Some(mine)) => {
                    let verdict = one_event(names, theirs, mine, scanning);
                    scanning = scanning && !is_initialized(theirs) || theirs.get("error").is_some();
                    verdict
                }
                (Some(theirs), None) => Err(format!("did not come: {}", brief(theirs))),
                (None, Some(mine)) => Err(format!("not recorded: {}", brief(mine))),
                (None, None) => Ok(()),
            };
            verdicts.push((subject, verdict));
        }
    }
    verdicts
}

/// Events by our region and the request.
fn by_subscription(
    events: &[Value],
    region_here: impl Fn(u64) -> u64,
) -> BTreeMap<Subscription, Vec<&Value>> {
    let mut sorted: BTreeMap<Subscription, Vec<&Value>> = BTreeMap::new();
    for event in events {
        let region = region_here(number(event, "region_id"));
        let subscription = (region, number(event, "request_id"));
        sorted.entry(subscription).or_default().push(event);
    }
    sorted
}

fn is_initialized(event: &Value) -> bool {
    rows(event)
        .last()
        .is_some_and(|row| row.get("type").and_then(Value::as_str) == Some("INITIALIZED"))
}

fn one_event(
    names: &mut Names,
    recorded: &Value,
    ours: &Value,
    in_order: bool,
) -> Result<(), String> {
    if in_order {
        return names.same(recorded, ours);
    }
    let (mut recorded, mut ours) = (recorded.clone(), ours.clone());
    sort_rows(&mut recorded);
    sort_rows(&mut ours);
    names.same(&recorded, &ours)
}

fn sort_rows(event: &mut Value) {
    if let Some(Value::Array(rows)) = event.pointer_mut("/entries/entries") {
        let text = |row: &Value, field: &str| {
            row.get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        rows.sort_by_key(|row| (text(row, "key"), text(row, "type"), text(row, "op_type")));
    }
}

fn brief(event: &Value) -> String {
    let text = event.to_string();
    text.chars().take(400).collect()
}
