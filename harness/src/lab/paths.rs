//! Where things are: the cache, shared by all labs, and a folder per lab.

use std::path::{Path, PathBuf};

use super::error::LabError;
use super::topology::Kind;

/// The cache: `$CDCLAB_CACHE`, else `cdclab` in the user's cache folder.
///
/// # Errors
/// [`LabError::NoHome`].
pub fn cache() -> Result<PathBuf, LabError> {
    folder("cache", "CDCLAB_CACHE", "XDG_CACHE_HOME", ".cache")
}

/// The folder of all labs: `labs` in `$CDCLAB_HOME`, else in `cdclab` in the user's data folder.
///
/// # Errors
/// [`LabError::NoHome`].
pub fn labs() -> Result<PathBuf, LabError> {
    Ok(folder("labs", "CDCLAB_HOME", "XDG_DATA_HOME", ".local/share")?.join("labs"))
}

fn folder(what: &'static str, own: &str, xdg: &str, at_home: &str) -> Result<PathBuf, LabError> {
    let set = |name: &str| {
        let value = std::env::var_os(name)?;
        (!value.is_empty()).then(|| PathBuf::from(value))
    };
    let found = set(own)
        .or_else(|| set(xdg).map(|dir| dir.join("cdclab")))
        .or_else(|| set("HOME").map(|home| home.join(at_home).join("cdclab")))
        .ok_or(LabError::NoHome { what })?;
    std::path::absolute(&found).map_err(LabError::file("find", found))
}

/// The folder of one lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The lab's folder. Its path is also the label that the lab's processes carry.
    pub lab: PathBuf,
}

impl Paths {
    /// The folder of the lab with this name.
    ///
    /// # Errors
    /// [`LabError::BadName`], [`LabError::NoHome`].
    pub fn of(name: &str) -> Result<Paths, LabError> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(good) {
            return Err(LabError::BadName(name.to_owned()));
        }
        Ok(Paths {
            lab: labs()?.join(name),
        })
    }

    /// A component's data.
    pub fn data(&self, component: Kind) -> PathBuf {
        self.lab.join("data").join(component.name())
    }

    /// A component's configuration.
    pub fn conf(&self, component: Kind) -> PathBuf {
        self.lab.join("conf").join(component.name())
    }

    /// All logs.
    pub fn logs(&self) -> PathBuf {
        self.lab.join("logs")
    }

    /// A component's log.
    pub fn log(&self, component: Kind) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }
}

/// The checkout that this program was built from; manifests and Java sources are read there.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(33)] {
            assert_eq!(Paths::of(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
        assert!(Paths::of("a-B_1").unwrap().lab.ends_with("labs/a-B_1"));
    }
}
