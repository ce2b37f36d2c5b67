//! PD's answers, by gRPC and HTTP.

use serde_json::{Value, json};

use super::feed::number;
use super::run::{File, PATIENCE, Replay, without_left_out};
use super::step::answer_to;
use super::text;

const KEYSPACES: &str = "keyspaces are not served: they are for TiDB Cloud";
const MIN_RESOLVED: &str =
    "the stores' resolved-ts are not kept in PD: only stale reads and BR ask for them";

/// Answers of PD's HTTP API that are numbers of the moment, or of the machine.
const OF_THE_MOMENT: [&str; 41] = [
    "address",
    "addresses",
    "available",
    "available_size",
    "approximate_keys",
    "approximate_size",
    "binary_version",
    "branch",
    "build_time",
    "capacity",
    "client_urls",
    "deploy_path",
    "expired_at",
    "git_hash",
    "hash",
    "last_heartbeat",
    "last_heartbeat_ts",
    "leader_count",
    "leader_score",
    "leader_size",
    "member_id",
    "min_resolved_ts",
    "peer_address",
    "peer_urls",
    "raft_bootstrap_time",
    "read_bytes",
    "read_keys",
    "region_count",
    "region_score",
    "region_size",
    "start_time",
    "start_timestamp",
    "start_ts",
    "status_address",
    "uptime",
    "used_size",
    "written_bytes",
    "written_keys",
    "slow_score",
    "slow_trend",
    "read_io_wait",
];

impl Replay {
    pub(super) async fn pd_call(&mut self, file: &mut File, at: usize, line: &Value) {
        let path = text(line, "rpc");
        if path.ends_with("UpdateServiceGCSafePoint")
            && text(&line["msg"], "service_id") == hex::encode("ticdc-f")
        {
            self.until_expired().await;
        }
        let message = self.names.outgoing(&line["msg"]).await;
        let ours = match path.ends_with("/Tso") {
            true => self.pd.ask_stream(path, &message).await,
            false => self.pd.unary(path, &message).await,
        };
        let subject = format!("{} {path}", line["n"]);
        if let Some(recorded) = answer_to(&file.lines, at, "pd-recv") {
            let output = self.schema.method(path).unwrap().1.to_owned();
            let mut recorded = self.canonical(&output, &recorded["msg"]);
            let verdict = ours
                .map_err(|status| format!("{status:?}"))
                .and_then(|mut ours| {
                    self.timestamps_grow(&mut recorded, &mut ours)?;
                    of_the_moment(&mut recorded);
                    of_the_moment(&mut ours);
                    self.names.same(&recorded, &ours)
                });
            self.report.add(&file.name, &subject, verdict);
        } else if let Some(recorded) = answer_to(&file.lines, at, "pd-status") {
            let verdict = match ours {
                Err(status) => self.same_status(recorded, &status),
                Ok(reply) => Err(format!("recorded {recorded}, here {reply}")),
            };
            self.report.add(&file.name, &subject, verdict);
        }
    }

    /// Timestamps are of the moment, but the last of `count` is that much above the one before.
    fn timestamps_grow(&mut self, recorded: &mut Value, ours: &mut Value) -> Result<(), String> {
        let Some(timestamp) = ours
            .as_object_mut()
            .and_then(|ours| ours.remove("timestamp"))
        else {
            return Ok(());
        };
        if let Some(recorded) = recorded.as_object_mut() {
            recorded.remove("timestamp");
        }
        let ts = (number(&timestamp, "physical") << 18) + number(&timestamp, "logical");
        let count = number(ours, "count");
        let last = std::mem::replace(&mut self.last_tso, ts);
        let of_one_ms = number(&timestamp, "logical") >= count;
        match ts >= last + count && of_one_ms {
            true => Ok(()),
            false => Err(format!("{count} timestamps up to {ts} after {last}")),
        }
    }

    /// The service safepoint of one second is over.
    async fn until_expired(&self) {
        let url = format!("{}/pd/api/v1/gc/safepoint", self.servers.pd_url());
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
            let services = answer["service_gc_safe_points"].as_array().unwrap();
            let now = jiff::Timestamp::now().as_second();
            let ticdc_e = services.iter().find(|s| text(s, "service_id") == "ticdc-e");
            if ticdc_e.is_none_or(|s| s["expired_at"].as_i64().unwrap() < now) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{answer}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn http(&mut self, file: &mut File, _at: usize, line: &Value) {
        let path = text(line, "path");
        let left_out = match path {
            "/pd/api/v2/keyspaces" => Some(KEYSPACES),
            "/pd/api/v1/min-resolved-ts" => Some(MIN_RESOLVED),
            _ => None,
        };
        if let Some(why) = left_out {
            self.report.diverge(&file.name, why);
            return;
        }
        let url = match path.strip_suffix(" (TiKV status port)") {
            Some(path) => format!("{}{path}", self.servers.status_url()),
            None => format!("{}{}", self.servers.pd_url(), self.path_here(path)),
        };
        let client = reqwest::Client::new();
        let request = match text(line, "method") {
            "POST" => client
                .post(&url)
                .json(&self.names.outgoing(&line["body"]).await),
            _ => client.get(&url),
        };
        let subject = format!("{} {} {path}", line["n"], text(line, "method"));
        let verdict = self.same_answer(line, request).await;
        self.report.add(&file.name, &subject, verdict);
    }

    /// Region and store ids in a path.
    fn path_here(&self, path: &str) -> String {
        let parts = path.split('/').map(|part| match part.parse() {
            Ok(id) => self.names.id(id).to_string(),
            Err(_) => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    async fn same_answer(
        &mut self,
        line: &Value,
        request: reqwest::RequestBuilder,
    ) -> Result<(), String> {
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = u64::from(answer.status().as_u16());
        let header = answer.headers().get("content-type").cloned();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        if status != number(line, "status") {
            return Err(format!(
                "recorded status {}, here {status}: {body}",
                line["status"]
            ));
        }
        let kind = header.and_then(|h| h.to_str().ok().map(str::to_owned));
        if let Some(recorded) = line.get("content_type").and_then(Value::as_str)
            && kind.as_deref() != Some(recorded)
        {
            return Err(format!("recorded content type {recorded:?}, here {kind:?}"));
        }
        if let Some(reply) = line.get("reply").and_then(Value::as_str)
            && reply != body
        {
            return Err(format!("recorded {reply:?}, here {body:?}"));
        }
        let Some(recorded) = line.get("json") else {
            return Ok(());
        };
        let (mut recorded, mut ours) = (
            without_left_out(recorded),
            serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?,
        );
        shape(&recorded, &ours, "")?;
        of_the_moment(&mut recorded);
        of_the_moment(&mut ours);
        epochs_named(&mut recorded);
        epochs_named(&mut ours);
        self.names.same(&recorded, &ours)
    }

    /// The regions that the recorded script saw in PD.
    pub(super) async fn regions(&mut self, file: &mut File, line: &Value) {
        for name in ["left", "right", "merged"] {
            let Some(recorded) = line.get(name) else {
                continue;
            };
            let recorded = self.canonical(".metapb.Region", recorded);
            let id = self.names.id(number(&recorded, "id"));
            let request =
                json!({ "header": { "cluster_id": self.names.cluster_id() }, "region_id": id });
            let deadline = tokio::time::Instant::now() + PATIENCE;
            let verdict = loop {
                let answer = self
                    .pd
                    .unary("/pdpb.PD/GetRegionByID", &request)
                    .await
                    .unwrap();
                let verdict = self.names.same(&recorded, &answer["region"]);
                if verdict.is_ok() || tokio::time::Instant::now() >= deadline {
                    break verdict;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            };
            self.report
                .add(&file.name, &format!("{} region {name}", line["n"]), verdict);
        }
    }
}

/// Takes out what is of the moment.
fn of_the_moment(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OF_THE_MOMENT.contains(&name.as_str()));
            fields.values_mut().for_each(of_the_moment);
        }
        Value::Array(items) => items.iter_mut().for_each(of_the_moment),
        _ => {}
    }
}

/// PD's HTTP API calls a region's epoch `epoch`.
fn epochs_named(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(epoch) = fields.remove("epoch") {
                fields.insert("region_epoch".to_owned(), epoch);
            }
            fields.values_mut().for_each(epochs_named);
        }
        Value::Array(items) => items.iter_mut().for_each(epochs_named),
        _ => {}
    }
}

/// The members that PD answers with are there, with values of the same type.
fn shape(recorded: &Value, ours: &Value, path: &str) -> Result<(), String> {
    match (recorded, ours) {
        (Value::Object(a), Value::Object(b)) => {
            a.iter().try_for_each(|(name, value)| match b.get(name) {
                Some(mine) => shape(value, mine, &format!("{path}.{name}")),
                None => Err(format!("{path}.{name} is missing (recorded {value})")),
            })
        }
        (Value::Array(a), Value::Array(b)) => match (a.first(), b.first()) {
            (Some(a), Some(b)) => shape(a, b, &format!("{path}[0]")),
            _ => Ok(()),
        },
        (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, _) => Ok(()),
        (a, b) => Err(format!("{path}: recorded {a}, here {b}")),
    }
}
