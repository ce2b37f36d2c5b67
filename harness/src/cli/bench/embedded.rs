//! `bench embedded`: flags and print-out.

use std::time::Duration;

use clap::Args;

use super::super::{Failure, Json, Profile};
use super::{measured, show};
use crate::bench::Latency;
use crate::bench::embedded::{Pair, Plan, Report, measure};
use crate::lab::Kind;

#[derive(Debug, Args)]
pub(super) struct Embedded {
    #[command(flatten)]
    profile: Profile,
    /// Commits per second while latencies are taken
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    rate: u64,
    /// Seconds that each load goes on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Rows of about 200 bytes that are loaded in bulk, then read from the change feed
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    rows: u64,
    #[command(flatten)]
    json: Json,
}

impl Embedded {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let plan = Plan {
            rate: self.rate,
            during: Duration::from_secs(self.seconds),
            rows: self.rows,
        };
        let only = [Kind::Tidb];
        let report = measured(
            || self.arguments(),
            &self.profile,
            &self.json,
            &only,
            async |lab| measure(lab, &plan, |what| eprintln!("measuring {what}")).await,
        )
        .await?;
        show(&report, &self.json, Report::figures, table)
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "embedded".to_owned(),
            format!("--profile={}", self.profile.profile),
            format!("--rate={}", self.rate),
            format!("--seconds={}", self.seconds),
            format!("--rows={}", self.rows),
        ];
        arguments.extend(self.json.json.then(|| "--json".to_owned()));
        arguments
    }
}

/// The report for people, with the aims beside the figures.
fn table(report: &Report) -> String {
    let latency = |name: &str, latency: &Latency, aim: &str| {
        format!(
            "{name:<34}{:>9.2} ms{:>9.2} ms{aim}",
            latency.p50_ms, latency.p99_ms
        )
    };
    let commit = &report.commit;
    let mut lines = vec![
        format!(
            "{:<34}{:>12}{:>12}",
            format!("at {} commits/s", commit.rate),
            "p50",
            "p99"
        ),
        latency("commit, bare MariaDB", &commit.bare, ""),
        latency("commit, embedded TiDB", &commit.embedded, ""),
        latency("added", &commit.added, "   aim: p99 under 5 ms"),
        latency(
            "commit -> event",
            &report.commit_to_event,
            "   aim: p99 under 20 ms",
        ),
        String::new(),
        format!(
            "{:<34}{:>12}{:>12}{:>9}",
            "per second", "bare", "embedded", "ratio"
        ),
    ];
    let pair = |name: String, pair: &Pair| {
        format!(
            "{name:<34}{:>12.0}{:>12.0}{:>9.2}",
            pair.bare_per_s, pair.embedded_per_s, pair.ratio
        )
    };
    for commits in &report.commits {
        let name = format!("commits, {} client(s)", commits.clients);
        lines.push(pair(name, &commits.per_second));
    }
    lines.push(pair("rows in bulk".to_owned(), &report.bulk_load));
    let catch_up = &report.catch_up;
    lines.push(format!(
        "\nchange feed: {} rows from {} regions in {:.2} s: {:.0} rows/s, {:.0} MB/s   aim: over 400000 rows/s",
        catch_up.rows, catch_up.regions, catch_up.seconds, catch_up.rows_per_s, catch_up.mb_per_s
    ));
    let restart = report.restart_ms as f64 / 1e3;
    lines.push(format!(
        "the store after kill -9: serves again in {restart:.2} s   aim: under 2 s with 1 GB"
    ));
    lines.push(format!("\n{:<34}{:>12}{:>12}", "memory", "now", "peak"));
    let mb = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
    for (name, memory) in &report.memory {
        lines.push(format!(
            "{name:<34}{:>12}{:>12}",
            mb(memory.now),
            mb(memory.peak)
        ));
    }
    let own = [Kind::Pd, Kind::Tikv, Kind::Tidb].map(|kind| report.memory.get(kind.name()));
    let (now, peak) = own
        .into_iter()
        .flatten()
        .fold((0, 0), |(now, peak), it| (now + it.now, peak + it.peak));
    lines.push(format!(
        "{:<34}{:>12}{:>12}   aim: under 200 MB",
        "pd, tikv and tidb",
        mb(now),
        mb(peak)
    ));
    lines.join("\n")
}
