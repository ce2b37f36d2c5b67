//! That MariaDB's data and TiKV's belong together.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::apply::Gtid;
use super::apply::record::Applied;
use super::catalog::TidbVersion;

/// Which pair of MariaDB data and TiKV this is; kept in the data folder, and its id in TiKV too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Made up at the first start.
    pub identity: String,
    /// The cluster of TiKV.
    pub cluster_id: u64,
    /// TiDB's release line that the schema is written as.
    pub version: String,
}

/// Why this data cannot be used. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file could not be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is damaged.
    #[error("read {}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The data folder belongs to another cluster or another start of this one.
    #[error(
        "use the data folder {} with cluster {cluster_id}: {why}; use an empty data folder with an empty cluster, or the \
         two that belong together", dir.display()
    )]
    Apart {
        /// The data folder.
        dir: PathBuf,
        /// The cluster of TiKV.
        cluster_id: u64,
        /// How they differ.
        why: String,
    },
}

/// What is found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Both sides are empty (or were left so by an interrupted first start).
    Fresh(Identity),
    /// Both sides belong together.
    Known(Identity, Applied),
}

const FILE: &str = "identity.json";

/// What the two sides say.
#[derive(Debug)]
pub struct Sides<'a> {
    /// The data folder.
    pub dir: &'a Path,
    /// The cluster of TiKV.
    pub cluster_id: u64,
    /// TiDB's release line.
    pub version: TidbVersion,
    /// The position kept in TiKV.
    pub applied: Option<Applied>,
    /// Whether TiKV holds a schema.
    pub has_schema: bool,
    /// Where MariaDB's binlog ends.
    pub binlog: Gtid,
}

impl Sides<'_> {
    /// Decides whether they belong together. For a fresh pair an identity is made up and kept in the data folder.
    pub fn settle(self) -> Result<Found, IdentityError> {
        let path = self.dir.join(FILE);
        let stored = load(&path)?;
        let apart = |why: String| IdentityError::Apart {
            dir: self.dir.to_owned(),
            cluster_id: self.cluster_id,
            why,
        };
        if let Some(identity) = &stored {
            if identity.cluster_id != self.cluster_id {
                return Err(apart(format!(
                    "the folder belongs to cluster {}",
                    identity.cluster_id
                )));
            }
            if identity.version != self.version.to_string() {
                return Err(apart(format!(
                    "its data was written as {}, this is {}",
                    identity.version, self.version
                )));
            }
        }
        match (stored, self.applied) {
            (Some(identity), Some(applied)) if identity.identity == applied.identity => {
                Ok(Found::Known(identity, applied))
            }
            (Some(_), Some(_)) => Err(apart(
                "the cluster holds the data of another folder".to_owned(),
            )),
            (None, Some(_)) => Err(apart(
                "the cluster holds data, the folder is new".to_owned(),
            )),
            (_, None) if self.has_schema => Err(apart(
                "the cluster holds the data of a TiDB that is not the embedded one".to_owned(),
            )),
            (_, None) if self.binlog != Gtid(0) => Err(apart(
                "the folder holds data, the cluster is empty".to_owned(),
            )),
            (Some(identity), None) => Ok(Found::Fresh(identity)),
            (None, None) => {
                let identity = Identity {
                    identity: Uuid::new_v4().to_string(),
                    cluster_id: self.cluster_id,
                    version: self.version.to_string(),
                };
                store(&path, &identity)?;
                Ok(Found::Fresh(identity))
            }
        }
    }
}

fn load(path: &Path) -> Result<Option<Identity>, IdentityError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(IdentityError::File {
                what: "read",
                path: path.to_owned(),
                source,
            });
        }
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| IdentityError::Damaged {
            path: path.to_owned(),
            why: e.to_string(),
        })
}

fn store(path: &Path, identity: &Identity) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::File {
        what: "write",
        path: path.to_owned(),
        source,
    };
    let text = serde_json::to_string(identity).map_err(|e| IdentityError::Damaged {
        path: path.to_owned(),
        why: e.to_string(),
    })?;
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).map_err(failed)?;
    fs::File::open(&fresh)
        .and_then(|f| f.sync_all())
        .map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(dir: &Path) -> Sides<'_> {
        Sides {
            dir,
            cluster_id: 7,
            version: TidbVersion::V8_5,
            applied: None,
            has_schema: false,
            binlog: Gtid(0),
        }
    }

    fn applied(identity: &str) -> Applied {
        Applied {
            identity: identity.to_owned(),
            gtid: "0-1-5".to_owned(),
        }
    }

    #[test]
    fn a_pair_is_known_again() {
        let dir = tempfile::tempdir().unwrap();
        let Found::Fresh(identity) = sides(dir.path()).settle().unwrap() else {
            panic!("an empty pair is fresh");
        };
        // A first start that was interrupted before TiKV was written.
        assert_eq!(
            sides(dir.path()).settle().unwrap(),
            Found::Fresh(identity.clone())
        );
        let again = Sides {
            applied: Some(applied(&identity.identity)),
            has_schema: true,
            binlog: Gtid(9),
            ..sides(dir.path())
        };
        assert!(matches!(again.settle(), Ok(Found::Known(_, a)) if a.gtid == "0-1-5"));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let why = |sides: Sides<'_>| sides.settle().unwrap_err().to_string();
        let new_folder = Sides {
            applied: Some(applied("x")),
            ..sides(dir.path())
        };
        assert!(why(new_folder).contains("the folder is new"));
        let other_tidb = Sides {
            has_schema: true,
            ..sides(dir.path())
        };
        assert!(why(other_tidb).contains("not the embedded one"));
        sides(dir.path()).settle().unwrap();
        let emptied = Sides {
            binlog: Gtid(3),
            ..sides(dir.path())
        };
        assert!(why(emptied).contains("the cluster is empty"));
        let mixed = Sides {
            applied: Some(applied("x")),
            ..sides(dir.path())
        };
        assert!(why(mixed).contains("another folder"));
        let cluster = Sides {
            cluster_id: 8,
            ..sides(dir.path())
        };
        assert!(why(cluster).contains("belongs to cluster 7"));
        let release = Sides {
            version: TidbVersion::V4_0,
            ..sides(dir.path())
        };
        assert!(why(release).contains("written as v8.5"));
    }
}
