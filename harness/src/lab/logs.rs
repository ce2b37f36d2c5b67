//! The logs of components: files that grow, kept over restarts.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// A log that is longer than this when its component starts is put aside.
const LIMIT: u64 = 16 << 20;
/// How much of a log's end is looked at.
const TAIL_BYTES: u64 = 32 << 10;
/// How many lines of it are shown.
const TAIL_LINES: usize = 15;

/// Puts a long log aside as `NAME.log.1`; the length that the log has now.
pub(crate) fn rotate(log: &Path) -> io::Result<u64> {
    let length = match std::fs::metadata(log) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if length <= LIMIT {
        return Ok(length);
    }
    let mut aside = log.as_os_str().to_owned();
    aside.push(".1");
    std::fs::rename(log, aside)?;
    Ok(0)
}

/// The last lines of a log, of those after `from` bytes; indented.
pub(crate) fn tail(log: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = match read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => format!("(unreadable: {error})"),
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return "    (nothing)".to_owned();
    }
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    last.iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_runs_lines_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        assert_eq!(rotate(&log).unwrap(), 0);
        std::fs::write(&log, "of an earlier run\n").unwrap();
        let from = rotate(&log).unwrap();
        assert_eq!(tail(&log, from), "    (nothing)");
        std::fs::write(&log, "of an earlier run\n\nof this run\n").unwrap();
        assert_eq!(tail(&log, from), "    of this run");
    }

    #[test]
    fn a_long_log_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("x.log");
        File::create(&log).unwrap().set_len(LIMIT + 1).unwrap();
        assert_eq!(rotate(&log).unwrap(), 0);
        assert!(!log.exists() && dir.path().join("x.log.1").exists());
    }
}
