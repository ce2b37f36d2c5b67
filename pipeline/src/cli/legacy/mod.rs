//! The command line of v4.0.9: reads and writes PD's etcd itself, and asks the owner over HTTP.

mod cluster;
mod create;
mod others;
mod query;
mod update;

use self::cluster::Cluster;
use super::{Failure, Outcome, Terminal, commands::Command, flags::Values};
use crate::config::golang;

/// Prints a value as the original does: indented by two.
fn print<T: serde::Serialize>(terminal: &mut Terminal<'_>, value: &T) -> Outcome {
    terminal.line(golang::json_indented(value, "  ").map_err(Failure::from)?);
    Ok(())
}

pub(super) async fn run(command: Command, values: &Values, terminal: &mut Terminal<'_>) -> Outcome {
    let cluster = Cluster::new(values.text("pd"))?;
    match command {
        Command::Create => create::run(&cluster, values, terminal).await,
        Command::List => query::list(&cluster, values, terminal).await,
        Command::Query => query::query(&cluster, values, terminal).await,
        Command::Pause => others::pause(&cluster, values).await,
        Command::Resume => others::resume(&cluster, values, terminal).await,
        Command::Remove => others::remove(&cluster, values).await,
        Command::Update => update::run(&cluster, values, terminal).await,
        Command::Statistics => query::statistics(&cluster, values, terminal).await,
        Command::CaptureList => query::captures(&cluster, terminal).await,
        Command::ProcessorList => query::processors(&cluster, terminal).await,
        Command::ProcessorQuery => query::processor(&cluster, values, terminal).await,
        Command::TsoQuery => others::tso(&cluster, terminal).await,
        Command::UnsafeShowMetadata => others::show_metadata(&cluster, terminal).await,
        Command::UnsafeReset => others::reset(&cluster, values, terminal).await,
        Command::UnsafeDeleteSafepoint => {
            others::delete_safepoint(&cluster, values, terminal).await
        }
        other => Err(Failure(format!("{other:?} is no command of this release"))),
    }
}
