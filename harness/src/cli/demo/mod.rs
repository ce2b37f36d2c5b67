//! `demo`: the article's steps on a lab, each with its output.

mod page;
mod steps;

use clap::Args;

use super::{Failure, Name, Profile};
use crate::lab::{self, Lab, LabError, Options, Paths};

#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    lab: Name,
    #[command(flatten)]
    profile: Profile,
}

/// What becomes of the lab afterwards: as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Running,
    /// It was down, and has data.
    Stopped,
    /// There was none.
    Absent,
}

impl Demo {
    /// Runs on the lab of this name, which is started if it does not run; afterwards everything is as before.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (name, profile) = (&self.lab.name, &self.profile.profile);
        let before = match Lab::attach(name) {
            Ok(_) => Before::Running,
            Err(LabError::NotRunning(_)) => Before::Stopped,
            Err(LabError::NoLab(_)) if Paths::of(name)?.lab.exists() => Before::Stopped,
            Err(LabError::NoLab(_)) => Before::Absent,
            Err(error) => return Err(error.into()),
        };
        let options = Options {
            smoke: false,
            ..Options::profile(name, profile)?
        };
        let shown = match Lab::up(&options).await {
            Ok((lab, _)) => show(&lab).await,
            Err(error) => Err(error.into()),
        };
        let restored = match before {
            Before::Running => Ok(()),
            Before::Stopped => lab::down(name).map(drop),
            Before::Absent => lab::down(name).and_then(|_| lab::purge(name)),
        };
        shown?;
        Ok(restored?)
    }
}

async fn show(lab: &Lab) -> Result<(), Failure> {
    let demo = steps::Steps::new(lab)?;
    // Nothing of the user's is touched.
    demo.unclaimed().await?;
    let shown = tokio::select! {
        shown = demo.all() => shown,
        () = lab::interrupted() => Err(LabError::Interrupted.into()),
    };
    let tidied = demo.tidy().await;
    shown.and(tidied)
}
