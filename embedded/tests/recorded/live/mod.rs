//! Every recorded statement, run here: what the client is told, and what TiKV takes in.

mod apart;
mod compare;
pub(crate) mod docs;
mod feed;
mod ids;
mod session;
mod shards;

use std::collections::{HashMap, HashSet};

use embedded::tidb::catalog::TidbVersion;
use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::{Recording, Statement, recordings};
use crate::cluster::Cluster;
use crate::cluster::rows::catalog;
use crate::report::Report;
use apart::Apart;
use compare::Comparison;
use feed::Feed;

/// Holds this release to the recordings of a folder, of whose statements `at_least` are equal.
pub(crate) async fn hold(release: &'static str, folder: &str, at_least: usize) {
    let only = std::env::var("CDCLAB_RECORDING").ok();
    let mut report = Report::default();
    let mut apart = Apart::of(folder);
    let mut ran = Vec::new();
    for recording in recordings(folder) {
        if only
            .as_ref()
            .is_some_and(|only| !recording.name.contains(only.as_str()))
        {
            continue;
        }
        // A cluster of its own: what one file does to regions and counters is no other's business.
        let mut cluster = Cluster::start(release).await;
        let mut feed = Feed::connect(cluster.pd_url()).await;
        let whole = run_file(
            &mut cluster,
            &mut feed,
            release,
            &recording,
            &mut |statement, how| {
                let subject = format!("{} {}", statement.step(), statement.sql());
                let verdict = apart.verdict(&recording.name, statement.step(), &how);
                report.add(&recording.name, &subject, verdict);
            },
        )
        .await;
        ran.push(recording.name.clone());
        if !whole {
            eprintln!("{}:\n{}", recording.name, end_of(&cluster.tidb_log()));
        }
    }
    apart.finish(&ran);
    // Not all of them, where only some are asked for.
    let at_least = if only.is_some() { 1 } else { at_least };
    report.finish(
        &format!("statements of {folder} run on {release}"),
        at_least,
    );
}

/// Runs one file; false if the cluster did not survive it.
async fn run_file(
    cluster: &mut Cluster,
    feed: &mut Feed,
    release: &'static str,
    recording: &Recording,
    told: &mut dyn FnMut(&Statement, Differences),
) -> bool {
    let client = cluster.client().await;
    let version: TidbVersion = release.parse().unwrap();
    let before = catalog(&client, release).await;
    let mut comparison = Comparison::new(version, system_tables(&before));
    let mut sessions: HashMap<String, Conn> = HashMap::new();
    for statement in &recording.statements {
        let name = statement.session().to_owned();
        if !sessions.contains_key(&name) {
            let mut conn = cluster.sql().await;
            // As the recording client had it.
            conn.query_drop("SET NAMES utf8mb4 COLLATE utf8mb4_bin")
                .await
                .unwrap();
            sessions.insert(name.clone(), conn);
        }
        let conn = sessions.get_mut(&name).unwrap();
        let before = client.tso().await.unwrap();
        let answer = match session::run(conn, statement.sql()).await {
            Ok(answer) => answer,
            Err(lost) => {
                told(statement, vec![("lost", lost)]);
                let rest = recording
                    .statements
                    .iter()
                    .skip_while(|s| s.step() <= statement.step());
                rest.for_each(|s| told(s, vec![("lost", "not run".to_owned())]));
                return false;
            }
        };
        let written = feed.since(before).await;
        told(statement, comparison.compare(statement, &answer, &written));
    }
    for (_, conn) in sessions {
        conn.disconnect().await.unwrap();
    }
    true
}

/// The last lines of a log.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// The ids of the server's own tables.
fn system_tables(catalog: &embedded::tidb::catalog::Catalog) -> HashSet<i64> {
    let tables = catalog.databases().flat_map(|db| db.tables());
    tables.map(|table| table.id).collect()
}

/// What a comparison found: the aspect of an answer, and how it differs.
pub(crate) type Differences = Vec<(&'static str, String)>;
