//! The command line since v5: asks a server.

mod changefeed;
mod client;
mod create;

mod others;
mod update;

pub(super) use self::others::confirm_meta;

use super::{Failure, Outcome, Terminal, commands::Command, flags::Values};
use crate::{compat::Compat, config::golang};

/// Prints a value as the original does: indented by two.
fn print<T: serde::Serialize>(terminal: &mut Terminal<'_>, value: &T) -> Outcome {
    terminal.line(golang::json_indented(value, "  ").map_err(Failure::from)?);
    Ok(())
}

pub(super) async fn run(
    command: Command,
    compat: Compat,
    values: &Values,
    terminal: &mut Terminal<'_>,
) -> Outcome {
    match command {
        Command::Create => create::run(compat, values, terminal).await,
        Command::List => changefeed::list(values, terminal).await,
        Command::Query => changefeed::query(values, terminal).await,
        Command::Pause => changefeed::pause(values).await,
        Command::Resume => changefeed::resume(values, terminal).await,
        Command::Remove => changefeed::remove(values, terminal).await,
        Command::Update => update::run(compat, values, terminal).await,
        Command::Statistics => changefeed::statistics(values, terminal).await,
        Command::CaptureList => others::captures(values, terminal).await,
        Command::ProcessorList => others::processors(values, terminal).await,
        Command::ProcessorQuery => others::processor(values, terminal).await,
        Command::TsoQuery => others::tso(values, terminal).await,
        Command::UnsafeShowMetadata => others::show_metadata(values, terminal).await,
        Command::UnsafeReset => others::reset(values, terminal).await,
        Command::UnsafeDeleteSafepoint => others::delete_safepoint(values, terminal).await,
        Command::UnsafeResolveLock => others::resolve_lock(values).await,
        other => Err(Failure(format!("{other:?} is no command of this release"))),
    }
}
