//! Who may use what: a lab is shared by scenarios that run side by side, also of several commands.
//!
//! A claim is a lock on a file in the lab's folder; it is given back when its holder ends, however that happens. A scenario
//! that breaks the lab claims all of it; every other one claims a share, its databases, its topic and its changefeed.

use std::convert::Infallible;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::failure::Trouble;
use crate::observe::poll;

/// How long others may keep what is claimed: as long as all other scenarios take together.
const DEADLINE: Duration = Duration::from_secs(1800);

/// What is held until this is dropped.
#[derive(Debug)]
pub(super) struct Claims(#[allow(dead_code, reason = "held, never read")] Vec<Flock<File>>);

/// What is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    name: String,
    shared: bool,
}

impl Claim {
    /// A name that one scenario has at a time.
    pub(super) fn one(kind: &str, name: &str) -> Claim {
        Claim {
            name: format!("{kind}-{name}"),
            shared: false,
        }
    }

    /// The lab: all of it, or a share.
    pub(super) fn lab(whole: bool) -> Claim {
        Claim {
            name: "lab".to_owned(),
            shared: !whole,
        }
    }
}

impl Claims {
    /// Takes all of them, as soon as they are free together.
    pub(super) async fn take(lab: &Path, claims: &[Claim]) -> Result<Claims, Trouble> {
        let folder = lab.join("claims");
        std::fs::create_dir_all(&folder).map_err(|error| Trouble::claim(&folder, &error))?;
        let outcome = poll::until(DEADLINE, || async {
            Ok::<_, Infallible>(
                match try_take(&folder, claims) {
                    Ok(Some(held)) => Ok(Ok(held)),
                    Ok(None) => Err(()),
                    // It will not get better.
                    Err(error) => Ok(Err(error)),
                }
                .map_err(|()| {
                    "another scenario uses the same names, or has the lab to itself".to_owned()
                }),
            )
        });
        match outcome.await {
            Ok(Ok(Ok(held))) => Ok(Claims(held)),
            Ok(Ok(Err((path, error)))) => Err(Trouble::claim(&path, &error)),
            Ok(Err(missing)) => Err(Trouble::Claimed {
                seconds: DEADLINE.as_secs(),
                missing,
            }),
            Err(never) => match never {},
        }
    }
}

type Failed = (PathBuf, std::io::Error);

/// All of them, or none.
fn try_take(folder: &Path, claims: &[Claim]) -> Result<Option<Vec<Flock<File>>>, Failed> {
    let mut held = Vec::new();
    for claim in claims {
        let path = folder.join(&claim.name);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| (path.clone(), error))?;
        let how = match claim.shared {
            true => FlockArg::LockSharedNonblock,
            false => FlockArg::LockExclusiveNonblock,
        };
        match Flock::lock(file, how) {
            Ok(lock) => held.push(lock),
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err((path, errno.into())),
        }
    }
    Ok(Some(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_once_and_the_lab_shared() {
        let dir = tempfile::tempdir().unwrap();
        let take = |claims: &[Claim]| try_take(dir.path(), claims).unwrap();
        let first = take(&[Claim::lab(false), Claim::one("database", "a")]).unwrap();
        let second = take(&[Claim::lab(false), Claim::one("database", "b")]).unwrap();
        assert!(take(&[Claim::one("database", "a")]).is_none());
        assert!(take(&[Claim::lab(true)]).is_none());
        drop(second);
        // A refused claim keeps nothing.
        assert!(take(&[Claim::one("database", "b"), Claim::one("database", "a")]).is_none());
        assert!(take(&[Claim::one("database", "b")]).is_some());
        drop(first);
        let whole = take(&[Claim::lab(true)]).unwrap();
        assert!(take(&[Claim::lab(false)]).is_none());
        drop(whole);
    }
}
