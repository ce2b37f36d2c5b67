//! Tying a child process to its parent's life, on the child's side.
//!
//! A process asks the kernel to be killed with its parent, then becomes another program. That is done by a small program
//! in between (a hidden subcommand of this binary) because it cannot be done safely between fork and exec.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// `embedded tether`: for internal use.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The process whose end ends this one.
    #[arg(long)]
    pub parent: i32,
    /// The program to become, and its arguments.
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Why a program could not be tied and started. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TetherError {
    /// The kernel does not tie.
    #[error("tie the process to its parent: {0}")]
    Tie(nix::Error),
    /// The parent is gone.
    #[error("tie the process to its parent: process {parent} is gone")]
    Orphan {
        /// Its id.
        parent: i32,
    },
    /// No program was named.
    #[error("start a tied program: none was named")]
    NoProgram,
    /// The program could not be started.
    #[error("start {}: {source}", program.display())]
    Exec {
        /// The program.
        program: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Becomes the program; comes back only when that fails.
pub fn run(args: Args) -> TetherError {
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        return TetherError::Tie(error);
    }
    // The parent may have died before it was asked for.
    if getppid() != Pid::from_raw(args.parent) {
        return TetherError::Orphan {
            parent: args.parent,
        };
    }
    let Some((program, rest)) = args.command.split_first() else {
        return TetherError::NoProgram;
    };
    let source = Command::new(program).args(rest).exec();
    TetherError::Exec {
        program: program.into(),
        source,
    }
}
