//! The processes of the embedded TiDB cluster: `embedded pd`, `embedded tikv`, `embedded tidb`; and `embedded verify`,
//! which compares what they hold.
//!
//! Each process runs in the foreground, logs to stderr, ends cleanly on SIGTERM or SIGINT (`embedded verify` at once), and exits
//! with 1 and one message when it cannot start or has to stop.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use embedded::{pd, shutdown, telemetry, tidb, tikv, verify};

#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    component: Component,
}

#[derive(Subcommand)]
enum Component {
    /// The placement driver: timestamps, ids, regions, GC safepoints, etcd.
    Pd(pd::Args),
    /// The store: transactions and their change feed.
    Tikv(tikv::Args),
    /// The SQL front: MySQL's protocol over a MariaDB of its own.
    Tidb(tidb::Args),
    /// Compares all rows and index entries in TiKV with MariaDB: exit code 0 if all is equal, 1 if not, 2 if that could not
    /// be found out.
    Verify(verify::Args),
    /// Becomes another program that ends with its parent. For internal use.
    #[command(hide = true)]
    Tether(tidb::mariadb::tether::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::init();
    let outcome = run(cli.component).await;
    match outcome {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("failed to {}", telemetry::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(component: Component) -> Result<ExitCode, Box<dyn Error>> {
    match component {
        // These a signal ends at once.
        Component::Verify(args) => return Ok(verify::run(args).await),
        Component::Tether(args) => return Err(tidb::mariadb::tether::run(args).into()),
        Component::Pd(args) => pd::run(args, shutdown::on_signals()?).await?,
        Component::Tikv(args) => tikv::run(args, shutdown::on_signals()?).await?,
        Component::Tidb(args) => tidb::run(args, shutdown::on_signals()?).await?,
    }
    Ok(ExitCode::SUCCESS)
}
