//! Recorded commands and calls, run again.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    process::{Command, Stdio},
};

use regex::Regex;
use reqwest::Method;
use serde_json::Value;

use super::{
    cluster::{Cluster, block},
    load::recording,
    normal::normal,
    stored,
};

/// A recording and where it was made.
pub struct Replay<'a> {
    pub cluster: &'a Cluster,
    /// The addresses of PD and of the server in the recording.
    pub pd: &'static str,
    pub cdc: &'static str,
    /// The id of the capture there.
    pub capture: &'static str,
    /// Lines that are not compared, and why.
    pub known: Vec<(usize, &'static str)>,
    /// Lines whose answer depends on when it is asked for, and why.
    pub early: Vec<(usize, &'static str)>,
}

const FILES: [(&str, &str); 5] = [
    ("old.toml", "enable-old-value = true\n"),
    ("noold.toml", "enable-old-value = false\n"),
    ("bad.toml", "enable-old-value = true\nno-such-key = 1\n"),
    (
        "paused.toml",
        "case-sensitive = true\n[filter]\nrules = [\"test.*\"]\n",
    ),
    (
        "rules.toml",
        "enable-old-value = true\n[filter]\nrules = [\"test.*\"]\n[sink]\ndispatchers = [{matcher = [\"test.*\"], \
         dispatcher = \"ts\"}]\n",
    ),
];

impl Replay<'_> {
    /// Words of the recording in ours.
    fn ours(&self, text: &str) -> String {
        let local = |port: u16| format!("127.0.0.1:{port}");
        let me = self.capture_id();
        text.replace(self.pd, &local(self.cluster.pd))
            .replace(self.cdc, &local(self.cluster.cdc))
            .replace("127.0.0.1:9092", &local(self.cluster.kafka))
            .replace(self.capture, &me)
    }

    /// Our words in those of the recording.
    fn theirs(&self, text: &str) -> String {
        let local = |port: u16| format!("127.0.0.1:{port}");
        text.replace(&local(self.cluster.pd), self.pd)
            .replace(&local(self.cluster.cdc), self.cdc)
            .replace(&local(self.cluster.kafka), "127.0.0.1:9092")
    }

    fn capture_id(&self) -> String {
        let status = self.cluster.get("/status");
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        status["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Runs a recording; panics with all differences.
    pub fn run(&self, name: &str, after: impl Fn(usize, &Cluster)) {
        for (file, text) in FILES {
            fs::write(self.cluster.dir.path().join(file), text).unwrap();
        }
        let mut wrong = Vec::new();
        let mut compared = 0;
        for (at, line) in recording(name).iter().enumerate() {
            let differences = if let Some(sql) = line["sql"].as_str() {
                self.cluster.sql(&format!("use test; {sql}"));
                continue;
            } else if line["topic"].is_string() {
                // what was seen there has happened here
                self.cluster.caught_up("ticdc-kafka");
                stored::topic(self.cluster, line)
            } else if line["etcd"].is_string() {
                self.cluster.caught_up("ticdc-kafka");
                stored::etcd(self.cluster, line, |text| self.theirs(text))
            } else if line["pd"]
                .as_str()
                .is_some_and(|path| path.starts_with('/'))
            {
                stored::safepoints(self.cluster, line)
            } else if line["cmd"].is_array() {
                if !line["exit"].is_i64() {
                    // it had to be stopped
                    continue;
                }
                self.command(line)
            } else if let Some(call) = line["http"].as_str() {
                self.call(call, line)
            } else {
                continue;
            };
            if self.early.iter().any(|(early, _)| *early == at) {
                continue;
            }
            match self.known.iter().find(|(known, _)| *known == at) {
                Some((_, reason)) => assert!(
                    !differences.is_empty(),
                    "{name} line {at} is as recorded, though it is listed as different: {reason}"
                ),
                None => {
                    compared += 1;
                    wrong.extend(
                        differences
                            .into_iter()
                            .map(|difference| format!("{name} line {at}: {difference}")),
                    );
                }
            }
            after(at, self.cluster);
        }
        assert!(
            wrong.is_empty(),
            "{} of {compared} differ:\n{}\n\nserver:\n{}",
            wrong.len(),
            wrong.join("\n\n"),
            self.cluster.log("cdc")
        );
        assert!(compared > 0);
    }

    /// Runs a recorded command; how what it says differs.
    pub fn command(&self, line: &Value) -> Vec<String> {
        let args: Vec<String> = line["cmd"]
            .as_array()
            .unwrap()
            .iter()
            .skip(1)
            .map(|arg| self.ours(arg.as_str().unwrap()))
            .collect();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdc"));
        command.args(&args).current_dir(self.cluster.dir.path());
        let alone = args.iter().any(|arg| arg.ends_with("//127.0.0.1:1"));
        if alone || args.first().is_some_and(|arg| arg != "cli") {
            // there is no server to ask which release is meant
            command.env(
                "CDC_COMPAT",
                if self.pd.ends_with("3379") {
                    "v4.0.9"
                } else {
                    "v8.5"
                },
            );
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = line["stdin"].as_str().unwrap_or_default().to_owned();
        // a command that does not read is not waited for
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| self.theirs(&String::from_utf8_lossy(bytes));
        let shown = args.join(" ");
        let mut differences = Vec::new();
        let exit = i64::from(output.status.code().unwrap_or(-1));
        if line["exit"] != exit {
            differences.push(format!("{shown}\n  exit {exit}, recorded {}", line["exit"]));
        }
        let out = text(&output.stdout);
        differences.extend(compare(
            &shown,
            "stdout",
            line["stdout"].as_str().unwrap(),
            &out,
        ));
        let err: String = text(&output.stderr)
            .lines()
            // ours only; that release prints its log on standard output
            .filter(|line| !line.starts_with("[HINT]") && !line.starts_with("[WARN]"))
            .map(|line| format!("{line}\n"))
            .collect();
        if !shown.starts_with("nope") || self.pd.ends_with("2379") {
            differences.extend(compare(
                &shown,
                "stderr",
                line["stderr"].as_str().unwrap(),
                &err,
            ));
        }
        if let Some(flags) = line["flags"].as_array() {
            differences.extend(compare_flags(&shown, flags, &out));
        }
        differences
    }

    fn call(&self, call: &str, line: &Value) -> Vec<String> {
        let (method, path) = call.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let url = format!("http://127.0.0.1:{}{}", self.cluster.cdc, self.ours(path));
        let body = match &line["body"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            value => Some(value.to_string()),
        };
        // a time there was long ago: one of now for it
        let tso = Regex::new(r"\b4[678]\d{16}\b").unwrap();
        let body = body.map(|body| match tso.is_match(&body) {
            true => tso
                .replace_all(&body, self.cluster.cli(&["tso", "query"]).trim())
                .into_owned(),
            false => self.ours(&body),
        });
        let (status, answer) = block(async {
            let client = reqwest::Client::new();
            let mut request = client.request(method, url);
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/json")
                    .body(body);
            }
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        });
        let mut differences = Vec::new();
        if line["status"] != status {
            differences.push(format!(
                "{call}\n  status {status}, recorded {}",
                line["status"]
            ));
        }
        let recorded = line["response"].as_str().unwrap_or_default();
        let ours = self.theirs(&answer);
        differences.extend(compare(call, "body", &sorted(recorded), &sorted(&ours)));
        differences
    }
}

/// The items of a list, which come in any order; other bodies as they are.
fn sorted(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    let Some(items) = value.as_array().or_else(|| value["items"].as_array()) else {
        return body.to_owned();
    };
    let mut lines: Vec<_> = items.iter().map(|item| normal(&item.to_string())).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn compare(what: &str, stream: &str, recorded: &str, ours: &str) -> Option<String> {
    let (recorded, ours) = (normal(recorded), normal(ours));
    let same = match recorded.split_once("<usage>") {
        Some((before, _)) => ours.starts_with(before.trim_end()) && ours.contains("Usage:"),
        None => recorded == ours,
    };
    (!same).then(|| format!("{what}\n  {stream} recorded: {recorded}\n  {stream} ours:     {ours}"))
}

/// The flags that the usage lists, by name and letter; `compat` is ours.
fn compare_flags(what: &str, recorded: &[Value], usage: &str) -> Option<String> {
    let line = Regex::new(r"(?m)^\s+(?:-(\w), )?\s*--([\w-]+)").unwrap();
    let ours: BTreeSet<(String, String)> = line
        .captures_iter(usage)
        .map(|found| {
            let short = found.get(1).map_or("", |short| short.as_str());
            (found[2].to_owned(), short.to_owned())
        })
        .filter(|(name, _)| name != "compat")
        .collect();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let recorded = recorded
        .iter()
        .map(|flag| (text(&flag["name"]), text(&flag["short"])))
        .collect::<BTreeSet<_>>();
    (ours != recorded)
        .then(|| format!("{what}\n  flags recorded: {recorded:?}\n  flags ours: {ours:?}"))
}
