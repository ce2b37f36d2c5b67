//! What a line of a recording does, and how its outcome is compared.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use serde_json::Value;
use tonic::Status;

use super::feed::{self, number};
use super::run::{File, PATIENCE, Replay};
use super::{kind, text};

pub(super) const NO_FLUSH: &str =
    "pipelined DML (KvFlush) is not served: nothing that writes to the embedded cluster uses it";
const NOTIFY: &str =
    "NotifyTxnStatus ends the stream with INVALID_ARGUMENT; the real store's process aborts";
const QUICK_STOP: &str =
    "on SIGTERM the store ends at once; the real one goes on for 20 s, moving leaders away";
impl Replay {
    /// Sends a request on a stream; false if it is left out.
    pub(super) async fn send(&mut self, file: &mut File, line: &Value) -> bool {
        let message = self.names.outgoing(&line["msg"]).await;
        if let Some(channel) = file.channels.get(text(line, "ch")) {
            channel.stream.send(&message);
        }
        true
    }

    pub(super) async fn kv(&mut self, file: &mut File, at: usize, line: &Value) {
        let rpc = text(line, "rpc");
        let start_ts = number(&line["msg"], "start_version") + number(&line["msg"], "start_ts");
        if file.left_out.contains(&start_ts) {
            self.report.diverge(&file.name, NO_FLUSH);
            return;
        }
        if rpc == "KvPrewrite" {
            file.locked.insert(start_ts);
        }
        self.let_time_pass(rpc, &line["msg"]).await;
        let message = self.names.outgoing(&line["msg"]).await;
        let path = format!("/tikvpb.Tikv/{rpc}");
        let ours = self.tikv.unary(&path, &message).await;
        let Some(recorded) = answer_to(&file.lines, at, "kv-recv") else {
            // A request made up from the events it caused.
            let verdict = match ours {
                Ok(reply) if reply.as_object().is_some_and(|r| !r.contains_key("errors")) => Ok(()),
                other => Err(format!("{other:?}")),
            };
            self.report
                .add(&file.name, &format!("{} {rpc}", line["n"]), verdict);
            return;
        };
        let output = self.schema.method(&path).unwrap().1.to_owned();
        let recorded = self.canonical(&output, &recorded["msg"]);
        let verdict = match ours {
            Ok(ours) => self.names.same(&recorded, &ours),
            Err(status) => Err(format!("recorded {recorded}, here {status:?}")),
        };
        self.report
            .add(&file.name, &format!("{} {rpc}", line["n"]), verdict);
    }

    /// A lock's time to live passes here as it did there.
    async fn let_time_pass(&mut self, rpc: &str, message: &Value) {
        let (now, lock) = (number(message, "current_ts"), number(message, "lock_ts"));
        if rpc != "KvCheckTxnStatus" || now <= lock {
            return;
        }
        let needed = (now >> 18) - (lock >> 18);
        self.names.fetch(lock).await;
        let Some(lock) = self.names.fetched(lock) else {
            return;
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while (self.names.now().await >> 18) < (lock >> 18) + needed {
            assert!(
                tokio::time::Instant::now() < deadline,
                "PD's clock stands still"
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    pub(super) fn same_status(&self, recorded: &Value, ours: &Status) -> Result<(), String> {
        let broken = ours
            .message()
            .contains("error reading a body from connection");
        let code = match broken {
            true => "Unavailable".to_owned(),
            false => format!("{:?}", ours.code()),
        };
        let recorded_code: String = text(recorded, "code").split('_').map(capitalized).collect();
        if code != recorded_code {
            return Err(format!("recorded {recorded_code}, here {ours:?}"));
        }
        let details = self.names.text(text(recorded, "details"));
        // What a broken connection is called is the client's affair.
        let own_words = matches!(text(recorded, "code"), "OK" | "UNAVAILABLE" | "CANCELLED");
        if own_words || details == ours.message() {
            Ok(())
        } else {
            Err(format!("recorded {details:?}, here {:?}", ours.message()))
        }
    }

    /// Notes that say what the recorded script did; true if it acted on the store.
    pub(super) async fn note(&mut self, file: &mut File, line: &Value) -> bool {
        match text(line, "text") {
            "SIGTERM to the store" => {
                self.stop_store(Signal::SIGTERM).await;
                self.report.diverge(&file.name, QUICK_STOP);
                true
            }
            "SIGKILL to the store" => {
                self.stop_store(Signal::SIGKILL).await;
                true
            }
            "restart" => {
                self.restart_store().await;
                false
            }
            "reader resumes" => {
                self.congested(file).await;
                true
            }
            _ => false,
        }
    }

    /// Lets paused readers go on, once the store has given them up.
    async fn congested(&mut self, file: &mut File) {
        let url = format!("{}/status", self.servers.status_url());
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let status: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
            // Our own subscription stays.
            if number(&status, "subscriptions") <= 1 {
                break;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "not congested: {status}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        for channel in file.channels.values() {
            channel.stream.read(true);
        }
    }

    /// Waits for what the recording received before the next line that acts.
    pub(super) async fn settle(&mut self, file: &mut File, at: usize) {
        if text(&file.lines[at], "ch") == "v2-scan-paused" && kind(&file.lines[at]) == "send" {
            self.congested(file).await;
        }
        let next = file.lines[at + 1..].iter().position(|line| {
            !matches!(
                kind(line),
                "recv" | "kv-recv" | "pd-recv" | "pd-status" | "status"
            )
        });
        let next = next.map_or(file.lines.len(), |more| at + 1 + more);
        let wanted: BTreeMap<String, usize> = file
            .expected
            .iter()
            .filter(|(ch, _)| file.channels.contains_key(*ch) && !file.given_up.contains(*ch))
            .map(|(ch, events)| (ch.clone(), events.iter().filter(|(n, _)| *n < next).count()))
            .collect();
        // Congestion delivers what it delivers.
        if file.name.starts_with("15") {
            return;
        }
        let enough = |file: &File, ch: &str, count: usize| {
            let channel = &file.channels[ch];
            channel.events.len() >= count || channel.ended.is_some()
        };
        let all = file
            .until(|file| wanted.iter().all(|(ch, count)| enough(file, ch, *count)))
            .await;
        if !all {
            for (ch, count) in wanted {
                if !enough(file, &ch, count) {
                    file.given_up.insert(ch);
                }
            }
        }
    }

    /// Resolved-ts of a step: held by a lock, standing still, or fresh.
    pub(super) async fn resolved(&mut self, file: &mut File, at: usize, started: u64) {
        let mut seen: BTreeMap<(String, u64, usize), Vec<u64>> = BTreeMap::new();
        for line in &file.lines[at + 1..] {
            match kind(line) {
                "recv" => {
                    for resolved in feed::all_resolved(&line["msg"]) {
                        let key = (
                            text(line, "ch").to_owned(),
                            resolved.request,
                            resolved.regions.len(),
                        );
                        seen.entry(key).or_default().push(resolved.ts);
                    }
                }
                "kv-recv" | "status" | "pd-recv" | "close" => {}
                "note" if !text(line, "text").contains("SIG") => {}
                _ => break,
            }
        }
        if file.name.starts_with("15") {
            return;
        }
        for ((ch, request, regions), values) in seen {
            if file.given_up.contains(&ch) || !file.channels.contains_key(&ch) {
                continue;
            }
            let last = *values.last().unwrap_or(&0);
            let before = file.channels[&ch].resolved.len();
            let of_round = |file: &File, from: usize| -> Vec<u64> {
                let resolved = file.channels[&ch].resolved.iter().skip(from);
                let same = resolved.filter(|r| r.request == request && r.regions.len() == regions);
                same.map(|r| r.ts).collect()
            };
            let (what, came) = if file.locked.contains(&last) {
                let held = self.names.fetched(last).unwrap_or(0);
                // A round between the start-ts and the lock: it stands still above the start-ts then.
                let holds = |values: Vec<u64>| match values.as_slice() {
                    [.., before, last] if before == last => *last >= held,
                    [.., last] => *last == held,
                    [] => false,
                };
                let came = file.until(|file| holds(of_round(file, 0))).await;
                (format!("held at {held}"), came)
            } else if values.len() >= 2 && values.iter().all(|ts| *ts == last) {
                let still =
                    |values: Vec<u64>| values.len() >= 2 && values.windows(2).all(|w| w[0] == w[1]);
                let came = file.until(|file| still(of_round(file, before))).await;
                ("still".to_owned(), came)
            } else if values
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
                >= 2
            {
                let fresh = |values: Vec<u64>| values.last().is_some_and(|ts| *ts > started);
                (
                    format!("above {started}"),
                    file.until(|file| fresh(of_round(file, 0))).await,
                )
            } else {
                continue;
            };
            let got = of_round(file, 0);
            let verdict = match came {
                true => Ok(()),
                false => Err(format!(
                    "expected resolved-ts {what} (recorded {values:?}), here {:?}",
                    &got[got.len().saturating_sub(4)..]
                )),
            };
            let subject = format!(
                "{} {ch} resolved-ts of request {request}",
                file.lines[at]["n"]
            );
            self.report.add(&file.name, &subject, verdict);
        }
    }

    pub(super) async fn close(&mut self, file: &mut File, line: &Value) {
        let ch = text(line, "ch").to_owned();
        let silent = !file.lines.iter().any(|line| {
            kind(line) == "recv"
                && text(line, "ch") == ch
                && !feed::all_resolved(&line["msg"]).is_empty()
        });
        if silent && self.ticks.is_some() {
            // That nothing comes is seen while others get theirs.
            self.rounds(3).await;
        }
        file.drain();
        let Some(channel) = file.channels.get_mut(&ch) else {
            return;
        };
        if silent && !file.name.starts_with("15") {
            let verdict = match channel.resolved.as_slice() {
                [] => Ok(()),
                resolved => Err(format!("recorded no resolved-ts, here {resolved:?}")),
            };
            self.report.add(
                &file.name,
                &format!("{} {ch} without resolved-ts", line["n"]),
                verdict,
            );
        }
        match text(line, "how") {
            "cancel" => channel.stream.cancel(),
            _ => channel.stream.half_close(),
        }
        if text(line, "how") == "cancel" {
            channel.ended = Some(Status::cancelled(""));
        }
    }

    pub(super) async fn status(&mut self, file: &mut File, line: &Value) {
        let ch = text(line, "ch").to_owned();
        if file.name.starts_with("16") && ch == "down" {
            return;
        }
        let notified = file
            .lines
            .iter()
            .any(|line| line["msg"].get("notify_txn_status").is_some());
        if notified && (ch == "v2-2" || ch == "v1-2") {
            self.report.diverge(&file.name, NOTIFY);
            return;
        }
        file.until(|file| file.channels.get(&ch).is_none_or(|c| c.ended.is_some()))
            .await;
        let ended = file.channels.get(&ch).and_then(|c| c.ended.clone());
        let verdict = match ended {
            Some(status) => self.same_status(line, &status),
            None => Err(format!("recorded {line}, here it goes on")),
        };
        self.report
            .add(&file.name, &format!("{} {ch} ends", line["n"]), verdict);
    }

    /// Compares all that came on the streams of a file.
    pub(super) async fn finish(&mut self, file: &mut File) {
        file.drain();
        let channels = std::mem::take(&mut file.channels);
        for (ch, channel) in channels {
            let recorded = file.expected.remove(&ch).unwrap_or_default();
            let recorded: Vec<Value> = recorded.into_iter().map(|(_, event)| event).collect();
            if file.name.starts_with("16") && ch == "down" {
                self.report.diverge(&file.name, QUICK_STOP);
                continue;
            }
            let verdicts = match file.name.starts_with("15") {
                true => super::synthetic::congested(&mut self.names, &recorded, &channel.events),
                false => feed::compare(&mut self.names, &recorded, &channel.events),
            };
            for (subject, verdict) in verdicts {
                self.report
                    .add(&file.name, &format!("{ch} {subject}"), verdict);
            }
            for broken in channel.broken {
                self.report.add(&file.name, &ch, Err(broken));
            }
        }
    }
}

/// The line that answers the request of line `at`.
pub(super) fn answer_to<'a>(lines: &'a [Value], at: usize, answer: &str) -> Option<&'a Value> {
    let rpc = text(&lines[at], "rpc");
    for line in &lines[at + 1..] {
        if kind(line) == answer && text(line, "rpc") == rpc {
            return Some(line);
        }
        if kind(line).ends_with("-send") || kind(line) == "pd-status" || kind(line) == "pd-recv" {
            return None;
        }
    }
    None
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    match (word, chars.next()) {
        ("OK", _) => "Ok".to_owned(),
        (_, Some(first)) => first.to_string() + &chars.as_str().to_lowercase(),
        _ => String::new(),
    }
}
