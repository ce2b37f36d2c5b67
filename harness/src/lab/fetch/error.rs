use std::path::PathBuf;

use thiserror::Error;

/// Why something that a lab needs cannot be had. Messages read after "failed to".
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FetchError {
    /// A tool is missing.
    #[error("find {tool}: {hint}")]
    Tool {
        /// The tool.
        tool: String,
        /// The command that gets it.
        hint: String,
    },
    /// Something could not be fetched.
    #[error("fetch {what}: {why}\n  {hint}")]
    Fetch {
        /// What was to be fetched.
        what: String,
        /// What went wrong.
        why: String,
        /// The command that gets it by hand.
        hint: String,
    },
    /// What the registry serves is not what the lock file says.
    #[error(
        "trust the jars of {what}: not as fixtures/components/{what}/jars.sha256 says, even fetched anew: {}",
        jars.join(", ")
    )]
    Hash {
        /// The manifest.
        what: String,
        /// The jars that differ.
        jars: Vec<String>,
    },
    /// There is no manifest for this version.
    #[error("find fixtures/components/{name}: this version cannot be fetched; there are {}", known.join(", "))]
    Manifest {
        /// Component and version.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A lock file cannot be read.
    #[error("read {}:{line}: expected a sha256, two spaces and a file name", path.display())]
    LockFile {
        /// The lock file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Our own programs did not build.
    #[error("build the lab's programs: `{command}` {why}")]
    Build {
        /// The command.
        command: String,
        /// How it ended.
        why: String,
    },
    /// A program is not where it was said to be.
    #[error("find `{program}` in CDCLAB_BIN_DIR ({}): build it there, or unset the variable", dir.display())]
    BinDir {
        /// The program.
        program: &'static str,
        /// The folder.
        dir: PathBuf,
    },
    /// A file or folder could not be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FetchError {
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> FetchError {
        let path = path.into();
        move |source| FetchError::File { what, path, source }
    }
}
