//! The command line: `cdc server`, `cdc cli …`, `cdc version` (`spec/cli-and-api.md §1–3`).
//!
//! Words, exit codes and which stream they go to are TiCDC's, of the release that is served. Hints of our own go to
//! standard error. `cdc cli` learns the release from `--compat`, from `CDC_COMPAT`, or from the servers that PD's etcd
//! lists, so that v4.0.9's commands work as written where v4.0.9 is served.

mod commands;
mod detect;
mod diff;
mod flags;
mod hints;
mod legacy;
mod modern;
mod pd;
mod prompt;
mod server;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use self::{
    commands::{Command, Found, Generation},
    flags::Values,
};
use crate::{
    compat::{Compat, Release},
    config::kafka::unsupported,
    server::GIT_HASH,
};

/// Flags that TiCDC has and that would change what is done: not passed over in silence.
const NOT_SERVED: [&str; 4] = ["ca", "cert", "key", "interact"];

/// Where a command writes.
pub(crate) struct Terminal<'a> {
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
    pub(crate) input: &'a mut dyn io::BufRead,
}

impl Terminal<'_> {
    /// A line on standard output. A reader that has gone (`cdc … | head`) is no error of ours.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) {
        let _ = writeln!(self.out, "{text}");
    }

    /// A line on standard error.
    pub(crate) fn note(&mut self, text: impl std::fmt::Display) {
        let _ = writeln!(self.err, "{text}");
    }
}

/// A command that cannot go on; the text is the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// How a command ended, errors apart.
pub(crate) type Outcome = Result<(), Failure>;

/// Runs the process's command line.
#[must_use]
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let mut terminal = Terminal {
        // not locked: a server's log goes there too
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        input: &mut io::stdin().lock(),
    };
    let workers = if args.first().is_some_and(|arg| arg == "server") {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    } else {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let runtime = match workers {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal.note(format_args!("Error: start the runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(&args, &mut terminal));
    // tasks that still hang on a connection must not keep the process
    runtime.shutdown_background();
    code
}

/// Runs a command line.
pub(crate) async fn run(args: &[String], terminal: &mut Terminal<'_>) -> ExitCode {
    let release = match detect::release(args).await {
        Ok(release) => release,
        Err(failure) => {
            terminal.note(format_args!("Error: {}", failure.0));
            return ExitCode::FAILURE;
        }
    };
    let compat = release.compat();
    let generation = Generation::of(compat);
    let (command, rest) = match commands::find(args, generation) {
        Found::Command(command, rest) => (command, rest),
        Found::Unknown(name) => {
            let text = format!(
                "Error: unknown command \"{name}\" for \"cdc\"\nRun 'cdc --help' for usage.\nunknown command \"{name}\" \
                 for \"cdc\""
            );
            match generation {
                Generation::Modern => terminal.note(text),
                // one more line end, as that release has it
                Generation::Legacy => terminal.line(text),
            }
            return ExitCode::FAILURE;
        }
    };
    let flags = command.flags(generation);
    let values = match Values::parse(&flags, &rest) {
        Ok(values) if values.help => {
            terminal.line(command.help(generation));
            return ExitCode::SUCCESS;
        }
        Ok(values) => values,
        Err(reason) => return misused(terminal, generation, command, &reason),
    };
    if command.is_group() {
        // the original shows its help for what it does not know below a group
        match generation {
            Generation::Modern => terminal.line(command.help(generation)),
            Generation::Legacy if command == Command::Root => {
                terminal.line(command.help(generation));
            }
            Generation::Legacy => {}
        }
        return ExitCode::SUCCESS;
    }
    if let Some(missing) = values.missing(&flags) {
        let reason = format!("required flag(s) {missing} not set");
        return misused(terminal, generation, command, &reason);
    }
    if let Some(flag) = NOT_SERVED.iter().find(|flag| values.has(flag)) {
        let refused = unsupported(format_args!("--{flag}"));
        failed(terminal, generation, command, &refused.to_string());
        return ExitCode::FAILURE;
    }
    let outcome = match (command, generation) {
        (Command::Version, _) => {
            terminal.line(version(release));
            Ok(())
        }
        (Command::Server, _) => server::run(release, &values).await,
        (_, Generation::Modern) => modern::run(command, compat, &values, terminal).await,
        (_, Generation::Legacy) => legacy::run(command, &values, terminal).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failed(terminal, generation, command, &failure.0);
            ExitCode::FAILURE
        }
    }
}

/// An error of the command itself: v4.0.9 shows how to use it then too.
fn failed(terminal: &mut Terminal<'_>, generation: Generation, command: Command, reason: &str) {
    match generation {
        Generation::Modern => terminal.note(format_args!("Error: {reason}")),
        Generation::Legacy if command == Command::Server => {
            terminal.note(format_args!("Error: {reason}"));
        }
        Generation::Legacy => {
            let usage = command.usage(generation);
            terminal.line(format_args!("Error: {reason}\n{usage}\n{reason}"));
        }
    }
}

/// An error in the command line's words.
fn misused(
    terminal: &mut Terminal<'_>,
    generation: Generation,
    command: Command,
    reason: &str,
) -> ExitCode {
    match generation {
        Generation::Modern => {
            terminal.line(command.usage(generation));
            terminal.note(format_args!("Error: {reason}\n{reason}"));
        }
        Generation::Legacy => failed(terminal, generation, command, reason),
    }
    ExitCode::FAILURE
}

/// What `cdc version` prints, without the last line's end.
fn version(release: Release) -> String {
    let mut text = format!(
        "Release Version: {release}\nGit Commit Hash: {GIT_HASH}\nGit Branch: None\nUTC Build Time: None\nGo Version: None\n"
    );
    match release.compat() {
        // that release ends with an empty line
        Compat::V4_0_9 => {}
        Compat::V6_5 | Compat::V8_5 => text.push_str("Failpoint Build: false"),
    }
    text
}
