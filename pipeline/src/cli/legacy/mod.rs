//! The command line of v4.0.9: reads and writes PD's etcd itself, and asks the owner.

use super::{Failure, Outcome, Terminal, commands::Command, flags::Values};

pub(super) async fn run(
    command: Command,
    _values: &Values,
    _terminal: &mut Terminal<'_>,
) -> Outcome {
    Err(Failure(format!("{command:?}: not there yet")))
}
