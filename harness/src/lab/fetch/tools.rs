//! Programs of the machine that are needed, and the command that gets each.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::FetchError;

/// How to get a JDK.
pub(crate) const JDK_HINT: &str =
    "install a JDK, `apt-get install openjdk-17-jdk-headless`, or set JAVA_HOME";
/// How many of a failed tool's last lines are shown.
const TAIL: usize = 8;

/// Finds a program on the `PATH`.
pub(crate) fn find(tool: &str, hint: &str) -> Result<PathBuf, FetchError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps some tools where a user's PATH does not look.
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut places = std::env::split_paths(&path)
        .chain(more)
        .map(|dir| dir.join(tool));
    places
        .find(|file| file.is_file())
        .ok_or_else(|| FetchError::Tool {
            tool: format!("`{tool}`"),
            hint: hint.to_owned(),
        })
}

/// The `java` or `javac` of a runtime: the one given, else `JAVA_HOME`'s, else the one on the `PATH`.
pub(crate) fn java(home: Option<&Path>, program: &str) -> Result<PathBuf, FetchError> {
    let set = std::env::var_os("JAVA_HOME").filter(|value| !value.is_empty());
    let (home, from) = match (home, set) {
        (Some(home), _) => (home.to_owned(), "`java-home` in the topology"),
        (None, Some(home)) => (PathBuf::from(home), "JAVA_HOME"),
        (None, None) => return find(program, JDK_HINT),
    };
    let file = home.join("bin").join(program);
    if file.is_file() {
        return Ok(file);
    }
    Err(FetchError::Tool {
        tool: format!("`{}`", file.display()),
        hint: format!("correct {from}, or {JDK_HINT}"),
    })
}

/// Runs a command to its end and gives its standard output; the end of what it said is the error's text.
pub(crate) fn run(command: &mut Command, what: &str, hint: &str) -> Result<String, FetchError> {
    let failed = |why: String| FetchError::Fetch {
        what: what.to_owned(),
        why,
        hint: hint.to_owned(),
    };
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.map_err(|error| failed(format!("{}: {error}", command.get_program().display())))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stdout, output.stderr].concat();
    let said = last_lines(&String::from_utf8_lossy(&text));
    Err(failed(if said.is_empty() {
        output.status.to_string()
    } else {
        said
    }))
}

/// The last lines of a text that are not empty.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n  ")
}
