//! Finding scenarios and their snapshots on disk.

use std::path::{Path, PathBuf};

use super::plan::ScenarioError;

/// A scenario's file, its name and where its snapshots are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The name: the path below the folder `scenarios`, without `.sql`.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The folder of the snapshots: `snapshots` beside the folder `scenarios`, or beside the file.
    pub snapshots: PathBuf,
}

impl Found {
    /// A file by itself.
    pub fn of(file: &Path) -> Found {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let root = absolute
            .ancestors()
            .skip(1)
            .find(|folder| folder.file_name().is_some_and(|name| name == "scenarios"));
        let beside = absolute.parent().unwrap_or(Path::new("."));
        let (below, snapshots) = match root {
            Some(root) => (root, root.parent().unwrap_or(root).join("snapshots")),
            None => (beside, beside.join("snapshots")),
        };
        let name = absolute.strip_prefix(below).unwrap_or(&absolute);
        let name: Vec<String> = name
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        Found {
            name: name.join("/"),
            file: file.to_owned(),
            snapshots,
        }
    }
}

/// The scenarios of a path: the file itself, or all `.sql` files below a folder, sorted.
///
/// # Errors
/// [`ScenarioError::File`] if it is not there or cannot be read.
pub fn find(path: &Path) -> Result<Vec<Found>, ScenarioError> {
    let failed = |file: &Path| {
        let file = file.to_owned();
        move |source| ScenarioError::File { file, source }
    };
    let metadata = std::fs::metadata(path).map_err(failed(path))?;
    if metadata.is_file() {
        return Ok(vec![Found::of(path)]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
            let path = entry.map_err(failed(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                found.push(Found::of(&path));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_snapshots_follow_the_folder_scenarios() {
        let found = Found::of(Path::new("/x/scenarios/dml/update.sql"));
        assert_eq!(found.name, "dml/update");
        assert_eq!(found.snapshots, Path::new("/x/snapshots"));
        let found = Found::of(Path::new("/x/y/a.b.sql"));
        assert_eq!(
            (found.name.as_str(), found.snapshots.as_path()),
            ("a.b", Path::new("/x/y/snapshots"))
        );
    }

    #[test]
    fn a_folder_gives_all_its_scenarios() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("scenarios");
        std::fs::create_dir_all(root.join("a")).unwrap();
        for name in ["b.sql", "a/c.sql", "a/readme.md"] {
            std::fs::write(root.join(name), "").unwrap();
        }
        let names: Vec<String> = find(&root)
            .unwrap()
            .into_iter()
            .map(|found| found.name)
            .collect();
        assert_eq!(names, ["a/c", "b"]);
        assert!(find(&dir.path().join("none")).is_err());
    }
}
