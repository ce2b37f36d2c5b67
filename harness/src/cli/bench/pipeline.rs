//! `bench pipeline`: flags and print-out.

use std::time::Duration;

use clap::Args;

use super::super::{Failure, Json, Profile};
use super::{measured, show};
use crate::bench::Latency;
use crate::bench::pipeline::{CatchUp, Growth, Plan, Report, measure};
use crate::lab::Kind;

#[derive(Debug, Args)]
pub(super) struct Pipeline {
    #[command(flatten)]
    profile: Profile,
    /// Rows of five columns that are read from the past
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..1 << 32))]
    rows: u64,
    /// Rows of sixty columns
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..1 << 32))]
    wide_rows: u64,
    /// Seconds that commits go on, at 100 and 1,000 a second
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// See how figures grow from 10^5 to 10^7 rows and from 1 to 10,000 tables, with a transaction of 5,000,000 rows and with
    /// 1,000,000 transactions; this takes long
    #[arg(long)]
    growth: bool,
    #[command(flatten)]
    json: Json,
}

impl Pipeline {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let plan = Plan {
            narrow: self.rows,
            wide: self.wide_rows,
            during: Duration::from_secs(self.seconds),
            growth: self.growth,
        };
        let only = [Kind::Tidb, Kind::Kafka, Kind::Cdc];
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
            "pipeline".to_owned(),
            format!("--profile={}", self.profile.profile),
            format!("--rows={}", self.rows),
            format!("--wide-rows={}", self.wide_rows),
            format!("--seconds={}", self.seconds),
        ];
        arguments.extend(self.growth.then(|| "--growth".to_owned()));
        arguments.extend(self.json.json.then(|| "--json".to_owned()));
        arguments
    }
}

/// The report for people, with the aims beside the figures.
fn table(report: &Report) -> String {
    let mut lines = Vec::new();
    for of in &report.shapes {
        let rows = of.pipeline.rows;
        lines.push(head(&format!("{rows} {} rows from the past", of.name)));
        lines.push(line("pipeline", &of.pipeline));
        lines.push(line("Debezium", &of.debezium));
        lines.push(line("canal server", &of.canal));
        lines.push(line("ready-made messages", &of.ceiling));
        let cpu = of.cpu_vs_debezium().unwrap_or_default();
        lines.push(format!(
            "rows/s by Debezium's: {:.1} (aim: over 5), by the canal server's: {:.1}; bytes/s by the ready-made's: {:.2} (aim: over 0.5); processor time by \
             Debezium's: {cpu:.2}\n",
            of.rows_vs_debezium(),
            of.rows_vs_canal(),
            of.bytes_vs_ceiling()
        ));
    }
    lines.push(format!(
        "{:<34}{:>12}{:>12}{:>12}",
        "commit -> message", "p50", "p99", "p999"
    ));
    let latency = |name: String, it: &Latency, aim: &str| {
        format!(
            "{name:<34}{:>9.2} ms{:>9.2} ms{:>9.2} ms{aim}",
            it.p50_ms, it.p99_ms, it.p999_ms
        )
    };
    for of in &report.latencies {
        for (who, it, aim) in [
            ("pipeline", &of.pipeline, "   aim: p99 under 100 ms"),
            ("Debezium", &of.debezium, ""),
            ("canal server", &of.canal, ""),
        ] {
            let name = format!("{who} at {} commits/s", of.rate);
            lines.push(latency(name, &it.whole, aim));
            lines.push(latency("  after the commit".to_owned(), &it.after, ""));
        }
    }
    lines.extend(report.growth.as_ref().map(grown));
    lines.join("\n")
}

fn grown(growth: &Growth) -> String {
    let mut lines = vec![String::new(), head("the pipeline as things grow")];
    for (what, of) in [("rows", &growth.rows), ("tables", &growth.tables)] {
        lines.extend(
            of.iter()
                .map(|(count, it)| line(&format!("{count} {what}"), it)),
        );
    }
    lines.extend(
        growth
            .transactions()
            .iter()
            .map(|(what, it)| line(what, it)),
    );
    lines.join("\n")
}

fn head(what: &str) -> String {
    format!(
        "{what:<34}{:>12}{:>10}{:>16}{:>14}",
        "rows/s", "MB/s", "cpu s/million", "peak memory"
    )
}

fn line(name: &str, it: &CatchUp) -> String {
    let cpu = it
        .cpu_s_per_million
        .map_or(String::new(), |s| format!("{s:.1}"));
    let peak = it.peak.map_or(String::new(), |bytes| {
        format!("{:.0} MB", bytes as f64 / 1e6)
    });
    format!(
        "{name:<34}{:>12.0}{:>10.1}{cpu:>16}{peak:>14}",
        it.rows_per_s, it.mb_per_s
    )
}
