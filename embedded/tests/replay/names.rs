//! What the recording names, and what it is called here: timestamps, regions, the cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use embedded::client::Client;
use serde_json::{Map, Value, json};

use super::wire::is_default;

/// Smaller numbers and `u64::MAX` are no timestamps of PD.
const SMALLEST_TS: u64 = 1 << 40;
/// Timestamps so far above the others of a file were computed by the recorded script.
const COMPUTED_MS: u64 = 600_000;

/// What a field holds.
enum Role {
    /// Fetched from PD by the client.
    Ts,
    /// Fetched, or chosen by the store.
    CommitTs,
    /// Of a region, a peer or a store.
    Id,
    Cluster,
    /// A GC safepoint: any number.
    SafePoint,
    Seconds,
    Other,
}

fn role(field: &str) -> Role {
    match field {
        "start_ts" | "start_version" | "for_update_ts" | "lock_for_update_ts" | "checkpoint_ts"
        | "caller_start_ts" | "current_ts" | "lock_ts" | "lock_version" | "conflict_ts"
        | "existing_start_ts" | "version" | "max_version" | "txn" => Role::Ts,
        "commit_ts"
        | "commit_version"
        | "min_commit_ts"
        | "one_pc_commit_ts"
        | "max_commit_ts"
        | "conflict_commit_ts"
        | "attempted_commit_ts"
        | "existing_commit_ts"
        | "status" => Role::CommitTs,
        "id" | "region_id" | "store_id" | "source_region_id" | "target_region_id" => Role::Id,
        "cluster_id" | "current" | "request" => Role::Cluster,
        "safe_point"
        | "min_safe_point"
        | "new_safe_point"
        | "gc_safe_point"
        | "min_service_gc_safe_point" => Role::SafePoint,
        "TTL" => Role::Seconds,
        _ => Role::Other,
    }
}

fn is_ts(number: u64) -> bool {
    number >= SMALLEST_TS && number != u64::MAX
}

/// From the recording's names to ours.
pub(crate) struct Names {
    pd: Client,
    cluster: (u64, u64),
    /// Timestamps that clients fetched; both grow.
    fetched: BTreeMap<u64, u64>,
    /// Those of the file that are not fetched yet.
    waiting: BTreeSet<u64>,
    /// Commit timestamps that stores chose.
    chosen: HashMap<u64, u64>,
    /// Fetched ones that were used to commit.
    committed: HashSet<u64>,
    ids: HashMap<u64, u64>,
    /// Ours less the recorded version of a region.
    pub(crate) version_offset: i64,
    safe_point: Option<(u64, u64)>,
}

impl Names {
    pub(crate) fn new(pd: Client, recorded_cluster: u64) -> Self {
        Self {
            cluster: (recorded_cluster, pd.cluster_id()),
            pd,
            fetched: BTreeMap::new(),
            waiting: BTreeSet::new(),
            chosen: HashMap::new(),
            committed: HashSet::new(),
            ids: HashMap::new(),
            version_offset: 0,
            safe_point: None,
        }
    }

    /// A timestamp of now.
    pub(crate) async fn now(&self) -> u64 {
        self.pd.tso().await.unwrap()
    }

    /// A timestamp of now for a line that does something.
    pub(crate) async fn now_if_needed(&self, kind: &str) -> u64 {
        match kind {
            "kv-send" | "send" | "note" | "http" => self.now().await,
            _ => 0,
        }
    }

    /// Our cluster.
    pub(crate) fn cluster_id(&self) -> u64 {
        self.cluster.1
    }

    /// Notes which timestamps the messages of a file will need.
    pub(crate) fn expect<'a>(&mut self, sent: impl IntoIterator<Item = &'a Value>) {
        let mut all = BTreeSet::new();
        for message in sent {
            timestamps(message, &mut all);
        }
        let mut last = None;
        for ts in all {
            if last.is_some_and(|last: u64| (ts >> 18) - (last >> 18) > COMPUTED_MS) {
                break;
            }
            self.waiting.insert(ts);
            last = Some(ts);
        }
    }

    /// Fetches a timestamp and all earlier ones that will be needed, in their order.
    pub(crate) async fn fetch(&mut self, recorded: u64) {
        let wanted: Vec<u64> = self.waiting.range(..=recorded).copied().collect();
        for ts in wanted {
            self.waiting.remove(&ts);
            // A store may have chosen it.
            if !self.chosen.contains_key(&ts) {
                let ours = self.now().await;
                self.fetched.insert(ts, ours);
            }
        }
    }

    /// The recorded name of a region, peer or store.
    pub(crate) fn bind(&mut self, recorded: u64, ours: u64) {
        self.ids.insert(recorded, ours);
    }

    /// Our name of a recorded region.
    pub(crate) fn id(&self, recorded: u64) -> u64 {
        self.ids.get(&recorded).copied().unwrap_or(recorded)
    }

    /// Our timestamp for one that a client fetched.
    pub(crate) fn fetched(&self, recorded: u64) -> Option<u64> {
        self.fetched.get(&recorded).copied()
    }

    /// A recorded message as it has to be sent here.
    pub(crate) async fn outgoing(&mut self, message: &Value) -> Value {
        let mut needed = BTreeSet::new();
        timestamps(message, &mut needed);
        for ts in needed {
            self.fetch(ts).await;
        }
        if self.safe_point.is_none()
            && let Some(recorded) = message.get("safe_point").and_then(Value::as_u64)
            && is_ts(recorded)
        {
            self.safe_point = Some((recorded, self.now().await));
        }
        self.rename("", message)
    }

    fn rename(&mut self, field: &str, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.rename(field, item)).collect(),
            Value::Object(fields) if field == "region_epoch" => {
                let mut epoch = fields.clone();
                if let Some(version) = fields.get("version").and_then(Value::as_i64) {
                    epoch.insert("version".to_owned(), json!(version + self.version_offset));
                }
                Value::Object(epoch)
            }
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.rename(name, value)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Number(number) => match number.as_u64() {
                Some(number) => json!(self.rename_number(field, number)),
                None => value.clone(),
            },
            Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
        }
    }

    fn rename_number(&mut self, field: &str, recorded: u64) -> u64 {
        match role(field) {
            Role::Ts if is_ts(recorded) => self.ts(recorded),
            Role::CommitTs if is_ts(recorded) => match self.chosen.get(&recorded) {
                Some(ours) => *ours,
                None => {
                    if field == "commit_version" {
                        self.committed.insert(recorded);
                    }
                    self.ts(recorded)
                }
            },
            Role::Id => {
                let ours = self.id(recorded);
                self.ids.insert(recorded, ours);
                ours
            }
            Role::Cluster if recorded == self.cluster.0 => self.cluster.1,
            Role::SafePoint if is_ts(recorded) => self.safe(recorded),
            _ => recorded,
        }
    }

    /// A fetched timestamp, or one computed from another.
    fn ts(&self, recorded: u64) -> u64 {
        if let Some(ours) = self.fetched.get(&recorded) {
            return *ours;
        }
        match self.fetched.range(..recorded).next_back() {
            Some((near, ours)) => ours + (recorded - near),
            None => recorded,
        }
    }

    fn safe(&self, recorded: u64) -> u64 {
        let (from, to) = self.safe_point.unwrap_or((0, 0));
        recorded.wrapping_sub(from).wrapping_add(to)
    }

    /// Whether what was received here says the same as the recording; what is named for the first time is taken down.
    pub(crate) fn same(&mut self, recorded: &Value, ours: &Value) -> Result<(), String> {
        self.same_at("", "", recorded, ours)
    }

    fn same_at(
        &mut self,
        path: &str,
        field: &str,
        recorded: &Value,
        ours: &Value,
    ) -> Result<(), String> {
        let differs = || Err(format!("{path}: recorded {recorded}, here {ours}"));
        match (recorded, ours) {
            (Value::Object(a), Value::Object(b)) => {
                for name in a
                    .keys()
                    .chain(b.keys().filter(|name| !a.contains_key(*name)))
                {
                    let (left, right) = (a.get(name), b.get(name));
                    let (left, right) = match (left, right) {
                        (Some(left), Some(right)) => (left, right),
                        (Some(one), None) | (None, Some(one)) if is_default(one) => continue,
                        (left, right) => {
                            let null = &Value::Null;
                            let (left, right) = (left.unwrap_or(null), right.unwrap_or(null));
                            return Err(format!("{path}.{name}: recorded {left}, here {right}"));
                        }
                    };
                    if field == "region_epoch" && name == "version" {
                        let expected = left.as_i64().map(|v| v + self.version_offset);
                        if expected != right.as_i64() {
                            return Err(format!(
                                "{path}.version: expected {expected:?}, here {right}"
                            ));
                        }
                        continue;
                    }
                    self.same_at(&format!("{path}.{name}"), name, left, right)?;
                }
                Ok(())
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    self.same_at(&format!("{path}[{at}]"), field, a, b)?;
                }
                Ok(())
            }
            (Value::Number(a), Value::Number(b)) => match (a.as_u64(), b.as_u64()) {
                (Some(a), Some(b)) if self.same_number(field, a, b) => Ok(()),
                (Some(_), Some(_)) => differs(),
                _ if a == b => Ok(()),
                _ => differs(),
            },
            (Value::String(a), Value::String(b)) => {
                if self.text(a) == *b {
                    Ok(())
                } else {
                    Err(format!("{path}: recorded {:?}, here {b:?}", self.text(a)))
                }
            }
            (a, b) if a == b => Ok(()),
            _ => differs(),
        }
    }

    fn same_number(&mut self, field: &str, recorded: u64, ours: u64) -> bool {
        match role(field) {
            Role::Ts if is_ts(recorded) => self.ts(recorded) == ours,
            Role::CommitTs if is_ts(recorded) => {
                if let Some(chosen) = self.chosen.get(&recorded) {
                    return *chosen == ours;
                }
                if self.committed.contains(&recorded) {
                    return self.ts(recorded) == ours;
                }
                self.chosen.insert(recorded, ours);
                is_ts(ours)
            }
            Role::Id => *self.ids.entry(recorded).or_insert(ours) == ours,
            Role::Cluster if recorded == self.cluster.0 => ours == self.cluster.1,
            Role::SafePoint if is_ts(recorded) => self.safe(recorded) == ours,
            // For ever, less the seconds since 1970; or counted down since.
            Role::Seconds => {
                recorded.abs_diff(ours) <= if recorded > 1 << 62 { 1 << 40 } else { 3 }
            }
            _ => recorded == ours,
        }
    }

    /// A recorded text with our numbers in it.
    pub(crate) fn text(&self, recorded: &str) -> String {
        let mut out = String::with_capacity(recorded.len());
        let mut digits = String::new();
        for c in recorded.chars().chain(['\0']) {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            if !digits.is_empty() {
                let number = digits.parse().ok().filter(|n| is_ts(*n));
                match number {
                    Some(n) if n == self.cluster.0 => out.push_str(&self.cluster.1.to_string()),
                    Some(n) if self.fetched.contains_key(&n) => {
                        out.push_str(&self.ts(n).to_string())
                    }
                    Some(n) if self.chosen.contains_key(&n) => {
                        out.push_str(&self.chosen[&n].to_string());
                    }
                    _ => out.push_str(&digits),
                }
                digits.clear();
            }
            if c != '\0' {
                out.push(c);
            }
        }
        out
    }
}

/// The timestamps in a message that clients fetch from PD.
fn timestamps(message: &Value, out: &mut BTreeSet<u64>) {
    match message {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (role(name), value.as_u64()) {
                    // The client's own computation, not fetched.
                    _ if name == "max_commit_ts" || name == "min_commit_ts" => {}
                    (Role::Ts | Role::CommitTs, Some(ts)) if is_ts(ts) => {
                        out.insert(ts);
                    }
                    _ if name == "region_epoch" => {}
                    _ => timestamps(value, out),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| timestamps(item, out)),
        _ => {}
    }
}
