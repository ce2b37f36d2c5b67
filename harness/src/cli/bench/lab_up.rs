//! `bench lab-up`: how long a lab takes to come up, as ratios within one run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use clap::Args;
use tokio::process::Command;

use super::super::{Failure, Json, Profile};
use super::{LAB, remove, show};
use crate::bench::Figures;
use crate::lab::{self, Kind, LabError, Status, Topology};

#[derive(Debug, Args)]
pub(super) struct LabUp {
    #[command(flatten)]
    profile: Profile,
    /// How often each is measured; the median counts. The empty cache is measured once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    #[command(flatten)]
    json: Json,
}

/// A second lab beside it.
const BESIDE: &str = "cdclab-bench-beside";

/// One `lab-up`, the smoke probe left out.
#[derive(Debug, Clone, Default)]
struct Run {
    /// Milliseconds from the command's start to its end: everything is ready.
    total_ms: u64,
    /// Milliseconds from a component's start until it was ready.
    components_ms: BTreeMap<String, u64>,
}

/// What was measured; times in milliseconds.
#[derive(Debug)]
struct Report {
    profile: String,
    /// With an empty cache: downloads included, the build not.
    cold: Run,
    /// With a full cache, a new lab.
    warm: Run,
    /// The same while another lab runs.
    second: Run,
    /// Each component by itself, after what it needs.
    alone_ms: BTreeMap<String, u64>,
    /// The slowest of those.
    slowest: String,
    /// `warm` by the slowest component alone.
    ratio: f64,
}

impl LabUp {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let outcome = tokio::select! {
            report = self.measure() => report,
            () = lab::interrupted() => Err(LabError::Interrupted.into()),
        };
        // Whatever happened, nothing of the bench stays.
        let removed = [LAB, BESIDE].map(remove);
        let report = outcome?;
        removed.into_iter().collect::<Result<Vec<()>, _>>()?;
        show(&report, &self.json, Report::figures, Report::table)
    }

    async fn measure(&self) -> Result<Report, Failure> {
        let profile = &self.profile.profile;
        let kinds: Vec<Kind> = Topology::profile(profile)?.components.into_keys().collect();
        for name in [LAB, BESIDE] {
            remove(name)?;
        }
        // What is built, and what the cache lacks, is not measured.
        self.up(LAB, &[], None).await?;
        remove(LAB)?;
        let empty = tempfile::tempdir().map_err(|error| {
            Failure::broke(format!("make a folder for an empty cache: {error}"))
        })?;
        let cold = self.fresh(&[], Some(empty.path())).await?;
        let warm = self.median(&[]).await?;
        self.up(BESIDE, &[], None).await?;
        let second = self.median(&[]).await?;
        remove(BESIDE)?;
        let mut alone_ms = BTreeMap::new();
        for kind in kinds {
            let run = self.median(&[kind]).await?;
            let own = run.components_ms.get(kind.name()).copied();
            alone_ms.insert(kind.name().to_owned(), own.unwrap_or_default());
        }
        let slowest = alone_ms.iter().max_by_key(|(_, ms)| **ms);
        let (slowest, ms) = slowest.map_or((String::new(), 0), |(name, ms)| (name.clone(), *ms));
        Ok(Report {
            profile: profile.clone(),
            ratio: warm.total_ms as f64 / ms.max(1) as f64,
            cold,
            warm,
            second,
            alone_ms,
            slowest,
        })
    }

    /// The run with the median total.
    async fn median(&self, only: &[Kind]) -> Result<Run, Failure> {
        let mut runs = Vec::new();
        for _ in 0..self.runs {
            runs.push(self.fresh(only, None).await?);
        }
        runs.sort_by_key(|run| run.total_ms);
        Ok(runs.swap_remove(runs.len() / 2))
    }

    /// A new lab, which is removed afterwards.
    async fn fresh(&self, only: &[Kind], cache: Option<&Path>) -> Result<Run, Failure> {
        let run = self.up(LAB, only, cache).await?;
        remove(LAB)?;
        Ok(run)
    }

    async fn up(&self, name: &str, only: &[Kind], cache: Option<&Path>) -> Result<Run, Failure> {
        let mut command = Command::new(std::env::current_exe().map_err(Failure::broke)?);
        command
            .args(["lab-up", "--json", "--no-smoke", "--name", name])
            .args(["--profile", &self.profile.profile])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if !only.is_empty() {
            let names: Vec<&str> = only.iter().map(|kind| kind.name()).collect();
            command.args(["--only", &names.join(",")]);
        }
        if let Some(cache) = cache {
            command.env("CDCLAB_CACHE", cache);
        }
        let began = Instant::now();
        let output = command
            .output()
            .await
            .map_err(|error| Failure::broke(format!("run lab-up: {error}")))?;
        let total_ms = began.elapsed().as_millis() as u64;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Failure::broke(format!(
                "bring up lab `{name}`: {}",
                said.trim().trim_start_matches("error: ")
            )));
        }
        let status: Status = serde_json::from_slice(&output.stdout)
            .map_err(|error| Failure::broke(format!("read the status of lab `{name}`: {error}")))?;
        let component = |c: lab::ComponentStatus| (c.name, c.ready_ms);
        Ok(Run {
            total_ms,
            components_ms: status.components.into_iter().map(component).collect(),
        })
    }
}

impl Report {
    fn figures(&self) -> Figures {
        let mut out = Figures::default();
        for (name, run) in [
            ("cold", &self.cold),
            ("warm", &self.warm),
            ("second", &self.second),
        ] {
            out.add(name, run.total_ms as f64, "ms");
            for (component, ms) in &run.components_ms {
                out.add(format!("{name} {component}"), *ms as f64, "ms");
            }
        }
        for (component, ms) in &self.alone_ms {
            out.add(format!("{component} alone"), *ms as f64, "ms");
        }
        out.ratio(format!("warm by {} alone", self.slowest), self.ratio);
        out
    }

    fn table(&self) -> String {
        let seconds =
            |ms: Option<&u64>| ms.map_or(String::new(), |ms| format!("{:.1} s", *ms as f64 / 1e3));
        let row = |name: &str, cells: [Option<&u64>; 4]| {
            let cells: String = cells.map(|ms| format!("{:>10}", seconds(ms))).concat();
            format!("{name:<12}{cells}")
        };
        let mut lines = vec![format!(
            "{:<12}{:>10}{:>10}{:>10}{:>10}",
            "component", "cold", "warm", "second", "alone"
        )];
        for name in self.alone_ms.keys() {
            let of = |run: &'_ Run| run.components_ms.get(name).copied();
            let (cold, warm, second) = (of(&self.cold), of(&self.warm), of(&self.second));
            lines.push(row(
                name,
                [
                    cold.as_ref(),
                    warm.as_ref(),
                    second.as_ref(),
                    self.alone_ms.get(name),
                ],
            ));
        }
        let totals = [&self.cold, &self.warm, &self.second].map(|run| run.total_ms);
        lines.push(row(
            "all ready",
            [Some(&totals[0]), Some(&totals[1]), Some(&totals[2]), None],
        ));
        lines.push(format!(
            "\nwarm `{}`, ready, is {:.2} times its slowest component alone ({}); the aim is 1.3",
            self.profile, self.ratio, self.slowest
        ));
        lines.join("\n")
    }
}
