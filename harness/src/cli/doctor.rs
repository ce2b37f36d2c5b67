//! `doctor`.

use clap::Args;

use super::{Failure, LACKING, Profile, print};
use crate::lab::{Finding, Topology, examine};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    profile: Profile,
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let profile = &self.profile.profile;
        let checks = examine(&Topology::profile(profile)?)?;
        let width = checks
            .iter()
            .map(|check| check.what.chars().count())
            .max()
            .unwrap_or(0);
        let mut missing = Vec::new();
        for check in &checks {
            let (mark, text) = match &check.finding {
                Finding::Good(text) => ("ok     ", text),
                Finding::Note(text) => ("note   ", text),
                Finding::Missing(text) => {
                    missing.push(check.what.as_str());
                    ("missing", text)
                }
            };
            print(&format!("{mark}  {:width$}  {text}", check.what))?;
        }
        if missing.is_empty() {
            return print(&format!(
                "\nthis machine has what profile {profile} needs: cargo xtask lab-up"
            ));
        }
        Err(Failure {
            message: format!(
                "find what a lab needs: {}; see above for what helps",
                missing.join(", ")
            ),
            code: LACKING,
        })
    }
}
