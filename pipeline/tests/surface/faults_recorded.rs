//! The faults of `fixtures/golden/ticdc/faults`, one after the other: the same states, error codes, answers and messages;
//! how long each took there and here is printed.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    cluster::{Cluster, free_ports, until},
    commands::Replay,
    load::recording,
    topics::{Line, check_watermarks, read, told_once},
};

/// State, error code and error text of a changefeed.
type Told = (String, String, String);

struct Faults {
    lines: Vec<Value>,
    cluster: Cluster,
    /// The port of the server that is recorded as 8301.
    second: u16,
    wrong: Vec<String>,
}

/// The state in an item of a list or an answer about one changefeed.
fn told(feed: &Value) -> Told {
    let error = &feed["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        text(&feed["state"]),
        text(&error["code"]),
        text(&error["message"]),
    )
}

impl Faults {
    fn start() -> Self {
        let [second] = free_ports();
        Self {
            lines: recording("faults"),
            cluster: Cluster::start("v8.5.3", "v8.5"),
            second,
            wrong: Vec::new(),
        }
    }

    fn step(&self, step: u64) -> Value {
        let line = self.lines.iter().find(|line| line["step"] == step);
        line.unwrap_or_else(|| panic!("no step {step}")).clone()
    }

    /// Words of ours in those of the recording.
    fn theirs(&self, text: &str) -> String {
        let local = |port: u16| format!("127.0.0.1:{port}");
        text.replace(&local(self.cluster.pd), "127.0.0.1:2379")
            .replace(&local(self.cluster.kafka), "127.0.0.1:9092")
            .replace(&local(self.second), "127.0.0.1:8301")
            .replace(&local(self.cluster.cdc), "127.0.0.1:8300")
    }

    fn sql(&self, step: u64) {
        self.cluster.sql(self.step(step)["sql"].as_str().unwrap());
    }

    fn run(&mut self, step: u64) -> Vec<String> {
        let mut line = self.step(step);
        let second = format!("127.0.0.1:{}", self.second);
        let here = |text: &mut Value| {
            *text = text
                .as_str()
                .unwrap()
                .replace("127.0.0.1:8301", &second)
                .into();
        };
        line["cmd"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(here);
        here(&mut line["stdout"]);
        let replay = Replay {
            cluster: &self.cluster,
            pd: "127.0.0.1:2379",
            cdc: "127.0.0.1:8300",
            capture: "no capture",
            known: Vec::new(),
            early: Vec::new(),
        };
        replay.command(&line)
    }

    /// Runs a recorded command and compares what it says.
    fn command(&mut self, step: u64) {
        let differences = self.run(step);
        let differences = differences
            .into_iter()
            .map(|text| format!("step {step}: {text}"));
        self.wrong.extend(differences);
    }

    /// What the recording tells of a changefeed between two notes, each once.
    fn recorded(&self, from: &str, to: &str) -> Vec<Told> {
        let at = |note: &str| {
            self.lines
                .iter()
                .position(|line| line["note"] == note)
                .unwrap()
        };
        let mut series: Vec<Told> = Vec::new();
        for line in &self.lines[at(from)..at(to)] {
            if line["state"].is_object() {
                let told = told(&line["state"]);
                if series.last() != Some(&told) {
                    series.push(told);
                }
            }
        }
        series
    }

    /// Seconds from a note until a state, or until it was back in it for good, before another note.
    fn took(&self, from: &str, to: &str, state: &str) -> f64 {
        let place = |note: &str| {
            let mut lines = self.lines.iter();
            lines.position(|line| line["note"] == note).unwrap()
        };
        let part = &self.lines[place(from)..place(to)];
        let at = |line: &Value| line["at"].as_f64().unwrap();
        let mut there = part.iter().filter(|line| line["state"]["state"] == state);
        let line = match state {
            "normal" => there.next_back(),
            _ => there.next(),
        };
        at(line.unwrap()) - at(&part[0])
    }

    /// Waits for a warning of a changefeed that is normal: what the recording tells of it between two notes, and what was told here.
    fn warned(&self, id: &str, what: &str, from: &str, to: &str) -> (Vec<Told>, Vec<Told>) {
        let (series, noticed) = self.watch(id, |told| told.0 == "warning");
        let took = self.took(from, to, "warning");
        print(&format!("{what}: warning"), took, noticed);
        let normal = ("normal".to_owned(), String::new(), String::new());
        let ours = [normal].into_iter().chain(series).collect();
        (self.recorded(from, to), ours)
    }

    /// Watches a changefeed until what is told of it will do; all that was told, each once, and how long it took.
    fn watch(&self, id: &str, until_told: impl Fn(&Told) -> bool) -> (Vec<Told>, Duration) {
        let started = Instant::now();
        let mut series: Vec<Told> = Vec::new();
        until(&format!("{id} as recorded"), || {
            let body = self.cluster.get("/api/v2/changefeeds?state=all");
            let list: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            let Some(feed) = items.iter().find(|feed| feed["id"] == id) else {
                return Err(format!("{id} is not there: {body}"));
            };
            let mut now = told(feed);
            now.2 = self.theirs(&now.2);
            if series.last() != Some(&now) {
                series.push(now.clone());
            }
            match until_told(&now) {
                true => Ok(()),
                false => Err(format!("{series:?}")),
            }
        });
        (series, started.elapsed())
    }

    /// Everything recorded was told here in that order, among more.
    fn compare(&mut self, what: &str, recorded: &[Told], ours: &[Told]) {
        let mut rest = ours.iter();
        for told in recorded {
            let same = |other: &Told| {
                // some texts say more here
                (&other.0, &other.1) == (&told.0, &told.1) && other.2.starts_with(&told.2)
            };
            if !rest.any(same) {
                self.wrong
                    .push(format!("{what}: {told:?} was not told\n  ours: {ours:#?}"));
                return;
            }
        }
    }

    /// The messages of a topic: rows and statements as recorded, and watermarks that keep their promise.
    fn topic(&mut self, step: u64, apart: &[&str]) {
        let line = self.step(step);
        let name = line["topic"].as_str().unwrap();
        let recorded = told_once(&Line::recorded(&line));
        let lines = read(self.cluster.kafka, name);
        check_watermarks(name, &lines);
        let mut ours = told_once(&lines);
        ours.retain(|line| !apart.iter().any(|apart| line.contains(apart)));
        if ours != recorded {
            self.wrong.push(format!(
                "step {step}: topic {name}\n  recorded {recorded:#?}\n  ours {ours:#?}"
            ));
        }
    }
}

/// The least time that something may take, in seconds: a busy machine is no fault.
const LENIENCE: f64 = 10.0;

/// Shows how long both took; ours is to be the sooner one.
fn print(what: &str, theirs: f64, ours: Duration) {
    println!(
        "{what}: there {theirs:.1} s, here {:.1} s",
        ours.as_secs_f64()
    );
    assert!(
        ours.as_secs_f64() < theirs.max(LENIENCE),
        "{what} took {ours:?}, there {theirs} s"
    );
}

fn is(state: &'static str, code: &'static str) -> impl Fn(&Told) -> bool {
    move |told| told.0 == state && told.1 == code
}

const KILLED: &str = "kill -9 of the capture, writes, restart";
const SECOND: &str = "second capture, kill -9 of the first";
const TERM: &str = "SIGTERM of the owner";
const STOPS: &str = "broker stops";
const BACK: &str = "broker is back";
const DELETED: &str = "topic deleted";
const LARGE: &str = "a row too large";
const KEYLESS: &str = "a table loses its key";
const TARGET: &str = "target-ts";
const PAST: &str = "start-ts in the past";

#[test]
fn recorded_faults() {
    let mut faults = Faults::start();
    captures(&mut faults);
    broker(&mut faults);
    topic_deleted(&mut faults);
    large(&mut faults);
    keyless(&mut faults);
    bounds(&mut faults);
    assert!(
        faults.wrong.is_empty(),
        "{} differ:\n{}\n\nserver:\n{}",
        faults.wrong.len(),
        faults.wrong.join("\n\n"),
        faults.cluster.log("cdc-3")
    );
}

/// Captures that are killed and asked to end.
fn captures(faults: &mut Faults) {
    faults.sql(2);
    faults.command(3);
    faults.sql(4);
    faults.cluster.caught_up("f1");

    let port = faults.cluster.cdc;
    faults.cluster.kill("cdc");
    let killed = Instant::now();
    faults.sql(5);
    faults.cluster.start_cdc("cdc", port, "v8.5");
    faults.watch("f1", is("normal", ""));
    faults.cluster.caught_up("f1");
    print(
        "kill -9, writes, restart: normal",
        faults.took(KILLED, SECOND, "normal"),
        killed.elapsed(),
    );
    faults.sql(7);
    faults.cluster.caught_up("f1");
    faults.topic(8, &[]);

    let second = faults.second;
    faults.cluster.start_cdc("cdc-2", second, "v8.5");
    until("two captures", || {
        let captures = faults.cluster.cli(&["capture", "list"]);
        match captures.matches("\"address\"").count() {
            2 => Ok(()),
            _ => Err(captures),
        }
    });
    faults.cluster.kill("cdc");
    let killed = Instant::now();
    faults.sql(11);
    until("the second capture owns", || {
        match faults.run(13).is_empty() {
            true => Ok(()),
            false => Err(faults.run(13).join("\n")),
        }
    });
    faults.cluster.cdc = second;
    faults.cluster.caught_up("f1");
    // the session of 10 s has to end there and here
    println!(
        "second capture takes over after kill -9: there within 33 s, here {:.1} s",
        killed.elapsed().as_secs_f64()
    );
    assert!(
        killed.elapsed() < Duration::from_secs(33),
        "{:?}",
        killed.elapsed()
    );
    faults.cluster.cdc = port;
    faults.command(14);

    faults.cluster.start_cdc("cdc-3", port, "v8.5");
    until("two captures again", || {
        let captures = faults.cluster.server_cli(second, &["capture", "list"]);
        match captures.matches("\"address\"").count() {
            2 => Ok(()),
            _ => Err(captures),
        }
    });
    assert_eq!(faults.cluster.terminate("cdc-2"), Some(0));
    faults.cluster.owned();
    faults.command(15);
    faults.sql(16);
    faults.cluster.caught_up("f1");
    faults.topic(17, &[]);
    assert!(faults.lines.iter().any(|line| line["note"] == TERM));
}

/// The broker goes and comes back.
fn broker(faults: &mut Faults) {
    faults.cluster.kill("kafka");
    faults.sql(18);
    let recorded = faults.recorded(STOPS, DELETED);
    let (mut ours, noticed) = faults.watch("f1", |told| told.0 == "warning");
    print(
        "broker gone: warning",
        faults.took(STOPS, BACK, "warning"),
        noticed,
    );
    let (query, list) = (faults.run(19), faults.run(20));
    faults.cluster.restart_kafka();
    until("Kafka", || {
        std::net::TcpStream::connect(("127.0.0.1", faults.cluster.kafka))
            .map(drop)
            .map_err(|error| error.to_string())
    });
    let (more, back) = faults.watch("f1", is("normal", ""));
    print(
        "broker back: normal",
        faults.took(BACK, DELETED, "normal"),
        back,
    );
    ours.extend(more);
    ours.insert(0, ("normal".to_owned(), String::new(), String::new()));
    faults.compare("broker", &recorded, &ours);
    faults.wrong.extend(
        query
            .into_iter()
            .chain(list)
            .map(|text| format!("broker: {text}")),
    );
    faults.sql(21);
    faults.cluster.caught_up("f1");
    faults.topic(22, &[]);
}

fn topic_deleted(faults: &mut Faults) {
    super::topics::delete(faults.cluster.kafka, "f1");
    faults.sql(23);
    let mut recorded = faults.recorded(DELETED, LARGE);
    // one producer sends rows and watermarks here, there are two there
    recorded.retain(|told| told.1 != "CDC:ErrKafkaSendMessage");
    let (mut ours, noticed) = faults.watch("f1", |told| told.0 == "warning");
    println!(
        "topic deleted: warning after {:.1} s",
        noticed.as_secs_f64()
    );
    let started = Instant::now();
    let (more, _) = faults.watch("f1", is("normal", ""));
    print(
        "topic deleted: normal",
        faults.took(DELETED, LARGE, "normal"),
        noticed + started.elapsed(),
    );
    ours.extend(more);
    ours.insert(0, ("normal".to_owned(), String::new(), String::new()));
    faults.compare("topic deleted", &recorded, &ours);
    faults.cluster.caught_up("f1");
    faults.topic(25, &[]);
    faults.command(26);
}

fn large(faults: &mut Faults) {
    faults.sql(27);
    faults.command(28);
    faults.sql(29);
    let (recorded, mut ours) = faults.warned("f2", "row too large", LARGE, KEYLESS);
    faults.command(30);
    faults.command(31);
    let (more, _) = faults.watch("f2", is("warning", "CDC:ErrMessageTooLarge"));
    ours.extend(more);
    faults.compare("row too large", &recorded, &ours);
    faults.command(33);
    faults.watch("f2", is("warning", "CDC:ErrMessageTooLarge"));
    faults.topic(32, &[]);
    let repeats = read(faults.cluster.kafka, "f2").len();
    assert!(
        repeats <= Line::recorded(&faults.step(32)).len(),
        "{repeats} repeats"
    );
    faults.command(34);
}

fn keyless(faults: &mut Faults) {
    faults.sql(35);
    faults.command(36);
    faults.sql(37);
    let (recorded, ours) = faults.warned("f3", "a table loses its key", KEYLESS, TARGET);
    faults.compare("a table loses its key", &recorded, &ours);
    faults.command(38);
    faults.command(39);
    faults.sql(40);
}

/// Changefeeds with an end, and with a start in the past.
fn bounds(faults: &mut Faults) {
    let now = |faults: &Faults| -> u64 {
        faults
            .cluster
            .cli(&["tso", "query"])
            .trim()
            .parse()
            .unwrap()
    };
    // as far from the time of the command as in the recording
    let old = |faults: &Faults, step: u64| -> u64 {
        faults.step(step)["stdout"]
            .as_str()
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    let target = now(faults) + (470_670_960_813_408_263 - old(faults, 41)) / 4;
    faults.with_ts(42, "--target-ts=", target);
    let created = Instant::now();
    faults.sql(43);
    let (series, _) = faults.watch("f4", is("finished", ""));
    assert!(series.iter().all(|told| told.1.is_empty()), "{series:?}");
    print(
        "target-ts: finished",
        faults.took(TARGET, PAST, "finished"),
        created.elapsed(),
    );
    faults.sql(44);
    faults.command(45);
    faults.command(46);
    faults.command(47);
    faults.topic(48, &[]);
    faults.command(49);
    faults.command(50);

    let start = now(faults);
    faults.sql(52);
    faults.with_ts(53, "--start-ts=", start);
    faults.cluster.caught_up("f5");
    faults.topic(54, &[]);
    faults.command(55);
    faults.command(56);
}

impl Faults {
    /// Runs a recorded command with a time of now.
    fn with_ts(&mut self, step: u64, flag: &str, ts: u64) {
        let at = self
            .lines
            .iter()
            .position(|line| line["step"] == step)
            .unwrap();
        for arg in self.lines[at]["cmd"].as_array_mut().unwrap() {
            if arg.as_str().unwrap().starts_with(flag) {
                *arg = format!("{flag}{ts}").into();
            }
        }
        self.command(step);
    }
}
