//! What recorded commands leave behind: keys in etcd, messages in topics, safepoints in PD.

use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime},
};

use pipeline::etcd::Client;
use regex::Regex;
use serde_json::Value;

use super::{
    cluster::{Cluster, block},
    normal::normal,
    topics::{Line, read, told_once},
};

/// How long what is written at the next tick may take.
const SOON: Duration = Duration::from_secs(8);

/// What differs from run to run in keys and values besides what differs in answers.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"owner/[0-9a-f]+", "owner/<lease>"),
        (r#""\d+":\{"#, r#""<id>":{"#),
        // where the program lies
        (r#""deploy-path":"[^"]*""#, r#""deploy-path":"<path>""#),
        // the addresses that were given and those of the members, which are the same
        (r#""pd-endpoints":"[^"]*""#, r#""pd-endpoints":"<pd>""#),
        // how many keys were deleted, which depends on how many positions were written
        (r"(delete-etcd-key-count = )\d+", "$1<n>"),
        // so far as it has come
        (r#""count":\d+"#, r#""count":<n>"#),
        (
            r#"("(?:checkpoint|resolved|min-table-barrier)-ts":)(?:0|<ts>)"#,
            "$1<ts>",
        ),
        (r#""epoch":(?:\d+|<ts>)"#, r#""epoch":<ts>"#),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).unwrap(), with))
    .collect()
});

fn lasting(text: &str) -> String {
    let mut text = normal(text);
    for (pattern, with) in RULES.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    text
}

/// The least difference within [`SOON`].
fn soon(compare: impl Fn() -> Option<String>) -> Vec<String> {
    let started = Instant::now();
    loop {
        match compare() {
            Some(_) if started.elapsed() < SOON => std::thread::sleep(Duration::from_millis(50)),
            difference => return difference.into_iter().collect(),
        }
    }
}

fn only(left: &[String], right: &[String]) -> String {
    let lines = left.iter().filter(|line| !right.contains(line));
    lines.map(|line| format!("\n    {line}")).collect()
}

/// Keys, values and whether they end with a session.
pub fn etcd(cluster: &Cluster, line: &Value, theirs: impl Fn(&str) -> String) -> Vec<String> {
    let shown = |lease: bool, key: &str, value: &str| lasting(&format!("{lease} {key} = {value}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut recorded: Vec<String> = line["kvs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| {
            shown(
                pair["lease"] == true,
                &text(&pair["key"]),
                &text(&pair["value"]),
            )
        })
        .collect();
    recorded.sort_unstable();
    let prefix = text(&line["etcd"]);
    soon(|| {
        let pd = vec![format!("http://127.0.0.1:{}", cluster.pd)];
        let pairs = block(async { Client::new(&pd).unwrap().list(&prefix).await.unwrap().0 });
        let text = |bytes: &[u8]| theirs(&String::from_utf8_lossy(bytes));
        let mut ours: Vec<String> = pairs
            .iter()
            .map(|pair| shown(pair.lease != 0, &text(&pair.key), &text(&pair.value)))
            .collect();
        ours.sort_unstable();
        (ours != recorded).then(|| {
            let (there, here) = (only(&recorded, &ours), only(&ours, &recorded));
            format!(
                "etcd\n  only recorded:{there}\n  only ours:{here}\n  {} and {} keys",
                recorded.len(),
                ours.len()
            )
        })
    })
}

/// Messages by partition and offset.
pub fn topic(cluster: &Cluster, line: &Value) -> Vec<String> {
    let name = line["topic"].as_str().unwrap();
    let recorded = told_once(&Line::recorded(line));
    soon(|| {
        let ours = told_once(&read(cluster.kafka, name));
        let (there, here) = (only(&recorded, &ours), only(&ours, &recorded));
        (ours != recorded)
            .then(|| format!("topic {name}\n  only recorded:{there}\n  only ours:{here}"))
    })
}

/// How long a service's safepoint lives, to the minute: seconds until it expires when it was just written.
fn lifetime(service: &str) -> i64 {
    if service.contains("-initializing-") || service == "ticdc-changefeed-creating" {
        600
    } else if service.contains("-creating") || service.contains("-resuming") {
        3600
    } else {
        86_400
    }
}

/// Which services hold back GC, and for how long.
pub fn safepoints(cluster: &Cluster, line: &Value) -> Vec<String> {
    let number = Regex::new(r"\d{18,20}").unwrap();
    let services = |body: &str| -> BTreeMap<String, (i64, u64)> {
        let body: Value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let services = body["service_gc_safe_points"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut found = BTreeMap::new();
        for service in services {
            let id = normal(service["service_id"].as_str().unwrap());
            let id = number
                .replace_all(&id, "<cluster>")
                .replace("<cluster><cluster>", "<cluster>");
            found.insert(
                id,
                (
                    service["expired_at"].as_i64().unwrap(),
                    service["safe_point"].as_u64().unwrap(),
                ),
            );
        }
        found
    };
    let recorded = services(line["response"].as_str().unwrap());
    soon(|| {
        let path = line["pd"].as_str().unwrap();
        let url = format!("http://127.0.0.1:{}{path}", cluster.pd);
        let body = block(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
        let ours = services(&body);
        if !ours.keys().eq(recorded.keys()) {
            let (there, here) = (recorded.keys(), ours.keys());
            return Some(format!(
                "safepoints\n  recorded: {there:?}\n  ours: {here:?}"
            ));
        }
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        for (id, (expires, at)) in &ours {
            let left = expires - now;
            let whole = lifetime(id);
            if id != "gc_worker" && !(left <= whole && left > whole - 300) || *at == 0 {
                return Some(format!(
                    "safepoint {id} at {at} is kept for {left} of {whole} s"
                ));
            }
        }
        None
    })
}
