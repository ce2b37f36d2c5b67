//! Our own programs, built by cargo as part of a lab.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{FetchError, Fetcher};
use crate::lab::paths::repository;

/// Our programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The pipeline.
    pub(crate) cdc: PathBuf,
    /// PD, TiKV and TiDB.
    pub(crate) embedded: PathBuf,
}

#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds our programs when the first component asks for them.
#[derive(Debug)]
pub(crate) struct Builder {
    fetcher: Fetcher,
    built: Mutex<Built>,
    work: Mutex<Work>,
}

/// Whether the machine is busy with our programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    None,
    UnderWay,
    Ended(Instant),
}

#[derive(Debug)]
enum Built {
    NotYet,
    Done(Programs),
    Failed,
}

impl Builder {
    pub(crate) fn new(fetcher: Fetcher) -> Builder {
        Builder::with(fetcher, Built::NotYet)
    }

    /// A builder whose work is done.
    pub(crate) fn done(fetcher: Fetcher, programs: Programs) -> Builder {
        Builder::with(fetcher, Built::Done(programs))
    }

    fn with(fetcher: Fetcher, built: Built) -> Builder {
        Builder {
            fetcher,
            built: Mutex::new(built),
            work: Mutex::new(Work::None),
        }
    }

    /// How long nothing has been built: not at all while a build is under way, none if there was none.
    pub(crate) fn idle(&self) -> Option<Duration> {
        match *self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            Work::None => None,
            Work::UnderWay => Some(Duration::ZERO),
            Work::Ended(at) => Some(at.elapsed()),
        }
    }

    fn note(&self, work: Work) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = work;
    }

    /// The programs. Blocks; who asks while another one builds waits for that.
    pub(crate) fn get(&self) -> Result<Programs, FetchError> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Built::NotYet = *built {
            *built = Built::Failed;
            self.note(Work::UnderWay);
            let outcome = programs(&self.fetcher);
            self.note(Work::Ended(Instant::now()));
            *built = Built::Done(outcome?);
        }
        match &*built {
            Built::Done(programs) => Ok(programs.clone()),
            // The first one to ask has the reason.
            Built::NotYet | Built::Failed => Err(failed("failed before".to_owned())),
        }
    }
}

fn failed(why: String) -> FetchError {
    FetchError::Build {
        command: "cargo build --package=pipeline --package=embedded --bins".to_owned(),
        why,
    }
}

/// Builds them, or takes them from `$CDCLAB_BIN_DIR`.
fn programs(fetcher: &Fetcher) -> Result<Programs, FetchError> {
    if let Some(dir) = std::env::var_os("CDCLAB_BIN_DIR").filter(|dir| !dir.is_empty()) {
        return Ok(Programs {
            cdc: given(dir.as_ref(), "cdc")?,
            embedded: given(dir.as_ref(), "embedded")?,
        });
    }
    // Under `cargo run` and `cargo test`, CARGO names the cargo in use.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = [
        "build",
        // As this program was itself.
        match cfg!(debug_assertions) {
            true => "--profile=dev",
            false => "--profile=release",
        },
        "--package=pipeline",
        "--package=embedded",
        "--bins",
        "--message-format=json-render-diagnostics",
    ];
    let mut command = fetcher.command(cargo);
    command
        .args(arguments)
        .current_dir(repository())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    // What Cargo tells a test or `cargo run` about its package is none of the build's: build scripts that look at it (ring's)
    // would run again, and all that depends on them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|of_package| text.starts_with(of_package))
        {
            command.env_remove(&name);
        }
    }
    if fetcher.progress.is_quiet() {
        command.arg("--quiet");
    }
    let output = command.spawn().and_then(|child| child.wait_with_output());
    let output = output.map_err(|error| failed(format!("did not run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}; see above", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let built = |name: &str| {
        let messages = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Message>(line).ok());
        let found = messages
            .filter(|message| {
                message
                    .target
                    .as_ref()
                    .is_some_and(|target| target.name == name)
            })
            .find_map(|message| message.executable);
        found.ok_or_else(|| failed(format!("built no program `{name}`")))
    };
    Ok(Programs {
        cdc: built("cdc")?,
        embedded: built("embedded")?,
    })
}

fn given(dir: &Path, program: &'static str) -> Result<PathBuf, FetchError> {
    let file = dir.join(program);
    if file.is_file() {
        return std::path::absolute(&file).map_err(FetchError::file("find", file));
    }
    let dir = dir.to_owned();
    Err(FetchError::BinDir { program, dir })
}
