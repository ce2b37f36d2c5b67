//! `bench`: what takes how long, as ratios within one run.

mod embedded;
mod lab_up;
mod pipeline;

use std::os::unix::process::CommandExt as _;

use clap::{Args, Subcommand};

use super::{Failure, Json, Profile, print};
use crate::bench::{BenchError, Figures};
use crate::lab::{self, Kind, Lab, LabError, Options};

#[derive(Debug, Args)]
pub(super) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A lab with an empty cache, with a full one, beside another lab, and each component alone
    LabUp(lab_up::LabUp),
    /// The embedded TiDB beside a bare MariaDB, and its change feed
    Embedded(embedded::Embedded),
    /// The pipeline beside Debezium on the same rows, and beside a producer that has its messages ready
    Pipeline(pipeline::Pipeline),
}

/// The lab that is made, and removed again.
const LAB: &str = "cdclab-bench";

impl Bench {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.what {
            What::LabUp(bench) => bench.run().await,
            What::Embedded(bench) => bench.run().await,
            What::Pipeline(bench) => bench.run().await,
        }
    }
}

/// Ends and removes a lab of the bench.
fn remove(name: &str) -> Result<(), Failure> {
    lab::down(name)?;
    Ok(lab::purge(name)?)
}

/// Measures on a lab of these components, and removes it whatever happened; by a program and on a lab that the compiler has
/// optimised, if this is none.
async fn measured<R>(
    arguments: impl FnOnce() -> Vec<String>,
    profile: &Profile,
    json: &Json,
    only: &[Kind],
    measure: impl AsyncFnOnce(&Lab) -> Result<R, BenchError>,
) -> Result<R, Failure> {
    if cfg!(debug_assertions) {
        return Err(run_optimised(&arguments()));
    }
    let on_a_lab = async {
        remove(LAB)?;
        let options = Options {
            only: only.to_vec(),
            smoke: false,
            quiet: json.json,
            ..Options::profile(LAB, &profile.profile)?
        };
        let (lab, _) = Lab::up(&options).await?;
        measure(&lab).await.map_err(Failure::broke)
    };
    let outcome = tokio::select! {
        report = on_a_lab => report,
        () = lab::interrupted() => Err(LabError::Interrupted.into()),
    };
    let removed = remove(LAB);
    let report = outcome?;
    removed?;
    Ok(report)
}

/// The same bench by a program, and on a lab, that the compiler has optimised, in place of this process; why it cannot be run.
fn run_optimised(arguments: &[String]) -> Failure {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = std::process::Command::new(cargo);
    command
        .current_dir(lab::repository())
        .args([
            "run",
            "--quiet",
            "--release",
            "--package=xtask",
            "--",
            "bench",
        ])
        .args(arguments);
    eprintln!("building and running with optimisations");
    Failure::broke(format!("run cargo: {}", command.exec()))
}

/// Prints a report as JSON, or as text.
fn show<R>(
    report: &R,
    json: &Json,
    figures: impl Fn(&R) -> Figures,
    text: impl Fn(&R) -> String,
) -> Result<(), Failure> {
    if !json.json {
        return print(&text(report));
    }
    let printed = serde_json::to_string_pretty(&figures(report));
    print(&printed.map_err(|error| Failure::broke(format!("print the report: {error}")))?)
}
