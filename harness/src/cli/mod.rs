//! The commands of `cargo xtask`: flags are declared here once; what they do is in the library.
//!
//! Exit codes: 0 fine, 1 an expectation failed, 2 used wrongly, 3 the environment lacks something, 4 the lab broke,
//! 130 interrupted.

mod bench;
mod demo;
mod doctor;
mod fetch;
mod lab;
mod logs;
mod shell;
mod table;
mod verify;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::lab::{DEFAULT_NAME, DEFAULT_PROFILE, LabError};

/// Exit code of a command that could not do its work for a reason of its own.
const BROKE: u8 = 4;
/// Exit code of a command for which the environment lacks something.
const LACKING: u8 = 3;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    max_term_width = 100
)]
/// cdclab: a lab and a judge for change data capture out of TiDB
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring a lab up: fetch what is missing, start everything, send one row through the chain
    LabUp(lab::Up),
    /// Take a lab down: end its processes and nothing else
    LabDown(lab::Down),
    /// Show what runs, what is real and what is embedded
    LabStatus(lab::Status),
    /// Show the logs of a lab
    LabLogs(logs::Logs),
    /// Open a shell on a part of a lab
    LabShell(shell::Shell),
    /// Compare all rows and index entries in TiKV with MariaDB, while clients write
    Verify(verify::Verify),
    /// Walk the article's steps on a lab, each with its output
    Demo(demo::Demo),
    /// Measure
    Bench(bench::Bench),
    /// Fetch what labs need into the cache, without starting anything
    Fetch(fetch::Fetch),
    /// Check that this machine has what a lab needs
    Doctor(doctor::Doctor),
}

#[derive(Debug, Args)]
struct Name {
    /// The lab's name; `default` has the well-known ports, others get free ones
    #[arg(long, default_value = DEFAULT_NAME)]
    name: String,
}

#[derive(Debug, Args)]
struct Profile {
    /// The profile: `current` or `seed`
    #[arg(long, default_value = DEFAULT_PROFILE)]
    profile: String,
}

#[derive(Debug, Args)]
struct Json {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// A failed command: what it could not do, and its exit code.
#[derive(Debug)]
struct Failure {
    /// Reads after "failed to".
    message: String,
    code: u8,
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Failure {
        Failure {
            code: error.exit_code(),
            message: error.to_string(),
        }
    }
}

impl Failure {
    fn broke(error: impl ToString) -> Failure {
        Failure {
            message: error.to_string(),
            code: BROKE,
        }
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: failed to start: {error}");
            return ExitCode::from(BROKE);
        }
    };
    let outcome = runtime.block_on(run(cli.command));
    // Work that blocks, a download say, does not hold up a command that was interrupted.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: failed to {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::LabUp(up) => up.run().await,
        Command::LabDown(down) => down.run(),
        Command::LabStatus(status) => status.run().await,
        Command::LabLogs(logs) => logs.run().await,
        Command::LabShell(shell) => shell.run(),
        Command::Verify(verify) => verify.run(),
        Command::Demo(demo) => demo.run().await,
        Command::Bench(bench) => bench.run().await,
        Command::Fetch(fetch) => fetch.run(),
        Command::Doctor(doctor) => doctor.run(),
    }
}

/// Prints to standard output. A closed pipe (`| head`) is the reader's choice.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::broke(format!("print: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn unknown_commands_are_refused() {
        let error = Cli::try_parse_from(["xtask", "lab-upp"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("lab-up"), "{error}");
    }
}
