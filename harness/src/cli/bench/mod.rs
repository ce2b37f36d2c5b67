//! `bench`: what takes how long, as ratios within one run.

mod embedded;
mod lab_up;

use clap::{Args, Subcommand};

use super::{Failure, Json, print};
use crate::bench::Figures;
use crate::lab;

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
}

/// The lab that is made, and removed again.
const LAB: &str = "cdclab-bench";

impl Bench {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self.what {
            What::LabUp(bench) => bench.run().await,
            What::Embedded(bench) => bench.run().await,
        }
    }
}

/// Ends and removes a lab of the bench.
fn remove(name: &str) -> Result<(), Failure> {
    lab::down(name)?;
    Ok(lab::purge(name)?)
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
