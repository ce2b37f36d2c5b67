//! `fetch`.

use clap::Args;

use super::{Failure, print};
use crate::lab;

/// Everything goes into the cache; nothing is installed.
#[derive(Debug, Args)]
pub(super) struct Fetch {
    /// `etcd`, `mariadb`, `pymysql`, or a folder of fixtures/components; everything if none is given
    parts: Vec<String>,
}

impl Fetch {
    /// Progress goes to standard error, the folders, in the order of the parts, to standard output.
    pub(super) fn run(self) -> Result<(), Failure> {
        let parts = match self.parts.is_empty() {
            true => lab::parts(),
            false => self.parts,
        };
        for part in parts {
            print(&lab::fetch(&part)?.display().to_string())?;
        }
        Ok(())
    }
}
