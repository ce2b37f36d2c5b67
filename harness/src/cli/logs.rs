//! `lab-logs`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, Name, lab::component_of};
use crate::lab::{Kind, LabError, Paths, State};

/// How often growing files are looked at.
const PACE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// The component; all if none is given
    component: Option<String>,
    #[command(flatten)]
    lab: Name,
    /// Go on showing what is written
    #[arg(short, long)]
    follow: bool,
    /// How many lines of each log's end to show first
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: usize,
}

impl Logs {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let name = &self.lab.name;
        let paths = Paths::of(name)?;
        let kinds: Vec<Kind> = match &self.component {
            Some(component) => vec![component_of(name, component)?],
            None => {
                let state =
                    State::load(name, &paths)?.ok_or_else(|| LabError::NoLab(name.clone()))?;
                state.topology.components.keys().copied().collect()
            }
        };
        let alone = kinds.len() == 1;
        let mut logs: Vec<Log> = kinds
            .into_iter()
            .map(|kind| Log::new(kind, paths.log(kind)))
            .collect();
        let mut out = std::io::stdout();
        let mut first = true;
        loop {
            for log in &mut logs {
                let lines = log.lines().map_err(|error| {
                    Failure::broke(format!("read {}: {error}", log.path.display()))
                })?;
                let skipped = if first {
                    lines.len().saturating_sub(self.lines)
                } else {
                    0
                };
                for line in &lines[skipped..] {
                    let written = match alone {
                        true => writeln!(out, "{line}"),
                        false => writeln!(out, "{:9} | {line}", log.kind),
                    };
                    match written {
                        Ok(()) => {}
                        // The reader has seen enough.
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                        Err(error) => return Err(Failure::broke(format!("print: {error}"))),
                    }
                }
            }
            first = false;
            if !self.follow {
                return Ok(());
            }
            tokio::time::sleep(PACE).await;
        }
    }
}

struct Log {
    kind: Kind,
    path: PathBuf,
    reader: Option<BufReader<File>>,
    /// The beginning of a line that is not complete.
    part: Vec<u8>,
}

impl Log {
    fn new(kind: Kind, path: PathBuf) -> Log {
        Log {
            kind,
            path,
            reader: None,
            part: Vec::new(),
        }
    }

    /// The lines that were completed since the last time. A file that is not there yet has none; one that took the
    /// place of the file that was read is read from its start.
    fn lines(&mut self) -> std::io::Result<Vec<String>> {
        let mut lines = Vec::new();
        self.read(&mut lines)?;
        let current = match std::fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(lines),
            metadata => metadata?.ino(),
        };
        let read = match &self.reader {
            Some(reader) => Some(reader.get_ref().metadata()?.ino()),
            None => None,
        };
        if read != Some(current) {
            self.reader = Some(BufReader::new(File::open(&self.path)?));
            self.read(&mut lines)?;
        }
        Ok(lines)
    }

    fn read(&mut self, lines: &mut Vec<String>) -> std::io::Result<()> {
        while let Some(reader) = &mut self.reader {
            if reader.read_until(b'\n', &mut self.part)? == 0 || !self.part.ends_with(b"\n") {
                break;
            }
            lines.push(String::from_utf8_lossy(&self.part).trim_end().to_owned());
            self.part.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_and_replaced_file_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut log = Log::new(Kind::Kafka, path.clone());
        assert_eq!(log.lines().unwrap(), [""; 0]);
        let mut file = File::create(&path).unwrap();
        write!(file, "one\ntw").unwrap();
        assert_eq!(log.lines().unwrap(), ["one"]);
        writeln!(file, "o").unwrap();
        assert_eq!(log.lines().unwrap(), ["two"]);
        std::fs::rename(&path, dir.path().join("x.log.1")).unwrap();
        std::fs::write(&path, "three\n").unwrap();
        writeln!(file, "late").unwrap();
        assert_eq!(log.lines().unwrap(), ["late", "three"]);
    }
}
