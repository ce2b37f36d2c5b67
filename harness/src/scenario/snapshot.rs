//! Snapshots on disk: insta's files, in a tree that mirrors the scenarios'.
//!
//! `dml/update.sql` has `dml/update.snap`; where a profile's dialect differs, it has `dml/update@PROFILE.snap` for that
//! profile. What is new or differs is written beside it as `.snap.new`, for `cargo insta review`; `INSTA_UPDATE` is
//! followed as insta follows it (`always`, `new`, `no`; nothing is written in CI).

use std::path::{Path, PathBuf};

use insta::internals::SnapshotContents;
use thiserror::Error;

use super::diff;
use super::record::{Record, sections};
use crate::lab::DEFAULT_PROFILE;

/// What a snapshot says about itself.
const SOURCE: &str = "harness/src/scenario";

/// Why a snapshot cannot be compared with.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// A file or folder cannot be used.
    #[error("{what} snapshot {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no snapshot.
    #[error("read snapshot {}: {what}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// A record that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line of the directive in the scenario; `None` if it is about the whole.
    pub line: Option<usize>,
    /// The directive.
    pub title: String,
    /// The diff, and where the new snapshot is.
    pub what: String,
}

/// What to do with a record that has no snapshot, or another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Write it over the snapshot.
    Always,
    /// Write it beside the snapshot.
    Beside,
    /// Write nothing.
    No,
}

impl Update {
    /// As `INSTA_UPDATE` and `CI` say.
    pub fn from_environment() -> Update {
        let set = |name: &str| std::env::var(name).unwrap_or_default();
        Update::of(&set("INSTA_UPDATE"), &set("CI"))
    }

    fn of(insta_update: &str, ci: &str) -> Update {
        match insta_update {
            "always" => Update::Always,
            "new" => Update::Beside,
            "no" => Update::No,
            _ if matches!(ci, "" | "0" | "false") => Update::Beside,
            _ => Update::No,
        }
    }
}

/// The snapshots of one tree of scenarios, for one profile.
#[derive(Debug, Clone)]
pub struct Snapshots {
    folder: PathBuf,
    profile: String,
    update: Update,
}

impl Snapshots {
    /// In this folder.
    pub fn new(folder: PathBuf, profile: &str, update: Update) -> Snapshots {
        Snapshots {
            folder,
            profile: profile.to_owned(),
            update,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The profile's own snapshot of a scenario.
    fn own(&self, name: &str) -> PathBuf {
        match self.profile.as_str() {
            DEFAULT_PROFILE => self.folder.join(format!("{name}.snap")),
            other => self.folder.join(format!("{name}@{other}.snap")),
        }
    }

    /// The snapshot that counts: the profile's own, else the one without a profile.
    pub fn path(&self, name: &str) -> PathBuf {
        let own = self.own(name);
        let common = self.folder.join(format!("{name}.snap"));
        if !own.exists() && common.exists() {
            common
        } else {
            own
        }
    }

    /// Compares a record with its snapshot; what differs is written as [`Update`] says.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn compare(&self, name: &str, record: &Record) -> Result<Vec<Difference>, SnapshotError> {
        let path = self.path(name);
        let text = record.text();
        let known = match path.exists() {
            true => Some(read(&path)?),
            false => None,
        };
        let own = self.own(name);
        let pending = beside(&own);
        if known.as_deref() == Some(text.as_str()) {
            // Of an earlier run; it is settled.
            return remove(&pending).map(|()| Vec::new());
        }
        let written = match self.update {
            Update::Always => {
                write(&own, name, &text)?;
                remove(&pending)?;
                return Ok(Vec::new());
            }
            Update::Beside => {
                write(&pending, name, &text)?;
                format!("review it with `cargo insta review`: {}", shown(&pending))
            }
            Update::No => "it was not written".to_owned(),
        };
        let Some(known) = known else {
            let what = format!(
                "there is no snapshot {}; {written}\n{}",
                shown(&own),
                diff::indented(&text, "    ")
            );
            return Ok(vec![whole(what)]);
        };
        let mut differences = differences(&known, record);
        if differences.is_empty() {
            differences.push(whole(diff::lines(&known, &text)));
        }
        for difference in &mut differences {
            let snapshot = shown(&path);
            difference.what = format!(
                "differs from {snapshot} (-expected|+actual); {written}\n{}",
                difference.what
            );
        }
        Ok(differences)
    }
}

fn whole(what: String) -> Difference {
    Difference {
        line: None,
        title: "the record".to_owned(),
        what,
    }
}

/// The sections that differ.
fn differences(known: &str, record: &Record) -> Vec<Difference> {
    let known = sections(known);
    let text = record.text();
    let actual = sections(&text);
    let titles = |sections: &[(&str, &str)]| -> Vec<String> {
        sections
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect()
    };
    if titles(&known) != titles(&actual) {
        return Vec::new();
    }
    let lines =
        std::iter::once(None).chain(record.sections.iter().map(|section| Some(section.line)));
    known
        .iter()
        .zip(&actual)
        .zip(lines)
        .filter(|((known, actual), _)| known.1 != actual.1)
        .map(|((known, actual), line)| Difference {
            line,
            title: match known.0 {
                "" => "the record's head".to_owned(),
                title => title.to_owned(),
            },
            what: diff::lines(known.1, actual.1),
        })
        .collect()
}

/// `x.snap.new`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let root = crate::lab::repository();
    let short = path
        .strip_prefix(&here)
        .or_else(|_| path.strip_prefix(root));
    short.unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> Result<String, SnapshotError> {
    let bad = |what: String| SnapshotError::Bad {
        path: path.to_owned(),
        what,
    };
    let snapshot = insta::Snapshot::from_file(path).map_err(|error| bad(error.to_string()))?;
    match snapshot.contents() {
        SnapshotContents::Text(text) => Ok(text.to_string().trim_end().to_owned()),
        SnapshotContents::Binary(_) => Err(bad("it is binary".to_owned())),
    }
}

fn write(path: &Path, name: &str, text: &str) -> Result<(), SnapshotError> {
    let failed = |source| SnapshotError::File {
        what: "write",
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = format!("---\nsource: {SOURCE}\nexpression: {name}\n---\n{text}\n");
    std::fs::write(path, file).map_err(failed)
}

fn remove(path: &Path) -> Result<(), SnapshotError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(SnapshotError::File {
            what: "remove",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

/// The names of the snapshots in a folder, with the profile of each: `("dml/update", Some("seed"))`; and pending ones.
///
/// # Errors
/// [`SnapshotError::File`].
pub fn list(folder: &Path) -> Result<Listed, SnapshotError> {
    let mut listed = Listed::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let failed = |source| SnapshotError::File {
            what: "list",
            path: current.clone(),
            source,
        };
        let entries = match std::fs::read_dir(&current) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .display()
                .to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".new") {
                listed.pending.push(name);
            } else if let Some(stem) = name.strip_suffix(".snap") {
                let (scenario, profile) = match stem.rsplit_once('@') {
                    Some((scenario, profile)) => (scenario, Some(profile.to_owned())),
                    None => (stem, None),
                };
                listed.snapshots.push((scenario.to_owned(), profile));
            } else {
                listed.others.push(name);
            }
        }
    }
    listed.snapshots.sort();
    listed.pending.sort();
    listed.others.sort();
    Ok(listed)
}

/// What is in a folder of snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Scenario and profile.
    pub snapshots: Vec<(String, Option<String>)>,
    /// Files that wait for a review.
    pub pending: Vec<String>,
    /// Files that are neither.
    pub others: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(body: &str) -> Record {
        let mut record = Record::default();
        record.truth.push("written by hand".to_owned());
        record.add(4, "@query SELECT 1", "1\n".to_owned());
        record.add(7, "@messages", body.to_owned());
        record
    }

    #[test]
    fn a_difference_names_the_directive_and_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("snapshots");
        let always = Snapshots::new(folder.clone(), "current", Update::Always);
        assert_eq!(always.compare("a/b", &record("x\ny\n")).unwrap(), []);
        let beside = Snapshots::new(folder.clone(), "current", Update::Beside);
        assert_eq!(beside.compare("a/b", &record("x\ny\n")).unwrap(), []);

        let found = beside.compare("a/b", &record("x\nz\n")).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].title.as_str()),
            (Some(7), "@messages")
        );
        assert!(
            found[0].what.contains("    -y\n    +z\n"),
            "{}",
            found[0].what
        );
        assert!(found[0].what.contains("a/b.snap.new"), "{}", found[0].what);
        assert_eq!(list(&folder).unwrap().pending, ["a/b.snap.new"]);

        // Once it is right again, nothing is pending.
        assert_eq!(beside.compare("a/b", &record("x\ny\n")).unwrap(), []);
        assert_eq!(list(&folder).unwrap().pending, Vec::<String>::new());
    }

    #[test]
    fn a_profile_has_its_own_snapshot_where_it_differs() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots =
            |profile: &str, update| Snapshots::new(dir.path().to_owned(), profile, update);
        snapshots("current", Update::Always)
            .compare("a", &record("x\n"))
            .unwrap();
        let seed = snapshots("seed", Update::No);
        assert_eq!(seed.compare("a", &record("x\n")).unwrap(), []);
        assert_eq!(seed.compare("a", &record("y\n")).unwrap().len(), 1);
        snapshots("seed", Update::Always)
            .compare("a", &record("y\n"))
            .unwrap();
        assert_eq!(seed.compare("a", &record("y\n")).unwrap(), []);
        assert_eq!(seed.compare("a", &record("x\n")).unwrap().len(), 1);
        let listed = list(dir.path()).unwrap();
        let seed = Some("seed".to_owned());
        assert_eq!(
            listed.snapshots,
            [("a".to_owned(), None), ("a".to_owned(), seed)]
        );
    }

    #[test]
    fn a_new_record_is_shown_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::new(dir.path().to_owned(), "current", Update::No);
        let found = snapshots.compare("a", &record("x\n")).unwrap();
        assert!(
            found[0].what.contains("there is no snapshot"),
            "{}",
            found[0].what
        );
        assert!(found[0].what.contains("== @messages"), "{}", found[0].what);
        assert!(list(dir.path()).unwrap().pending.is_empty());
    }

    #[test]
    fn a_missing_directive_is_a_difference() {
        let dir = tempfile::tempdir().unwrap();
        let always = Snapshots::new(dir.path().to_owned(), "current", Update::Always);
        always.compare("a", &record("x\n")).unwrap();
        let mut less = record("x\n");
        less.sections.pop();
        let no = Snapshots::new(dir.path().to_owned(), "current", Update::No);
        let found = no.compare("a", &less).unwrap();
        assert!(found[0].what.contains("-== @messages"), "{}", found[0].what);
    }

    #[test]
    fn insta_s_variables_are_followed() {
        for (update, ci, expected) in [
            ("", "", Update::Beside),
            ("auto", "true", Update::No),
            ("", "0", Update::Beside),
            ("always", "true", Update::Always),
            ("no", "", Update::No),
            ("new", "true", Update::Beside),
        ] {
            assert_eq!(Update::of(update, ci), expected, "{update} {ci}");
        }
    }
}
