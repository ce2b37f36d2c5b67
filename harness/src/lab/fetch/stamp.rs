//! What a folder of the cache held when it was last found good: names, sizes and times of its files. A file that was
//! changed, cut or removed since is noticed without reading everything again.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::lab::state::write_whole;

/// Files that begin with a dot are not looked at.
const FILE: &str = ".stamp";

type Stamp = BTreeMap<String, (u64, u64)>;

fn stamp(folder: &Path) -> io::Result<Stamp> {
    let mut found = Stamp::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let metadata = path.symlink_metadata()?;
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            if metadata.is_dir() {
                open.push(path);
                continue;
            }
            let time = metadata.modified()?.duration_since(UNIX_EPOCH);
            let time = time.map_or(0, |time| time.as_nanos() as u64);
            let name = path.strip_prefix(folder).unwrap_or(&path);
            found.insert(name.to_string_lossy().into_owned(), (metadata.len(), time));
        }
    }
    Ok(found)
}

/// Remembers a folder as good.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    let text = serde_json::to_vec(&stamp(folder)?)?;
    write_whole(&folder.join(FILE), &text)
}

/// Whether a folder is as it was when it was remembered as good.
pub(crate) fn holds(folder: &Path) -> bool {
    let Ok(text) = std::fs::read(folder.join(FILE)) else {
        return false;
    };
    let remembered: Option<Stamp> = serde_json::from_slice(&text).ok();
    remembered.is_some() && remembered == stamp(folder).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("d/a"), "abc").unwrap();
        assert!(!holds(dir.path()));
        write(dir.path()).unwrap();
        assert!(holds(dir.path()));
        std::fs::write(dir.path().join("d/a"), "ab").unwrap();
        assert!(!holds(dir.path()));
        write(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join("d/a")).unwrap();
        assert!(!holds(dir.path()));
    }
}
