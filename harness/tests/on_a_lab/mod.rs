//! A lab with some components, for a test that looks at it.

use std::error::Error;

use harness::lab::{self, Kind, Lab, Options};

/// Brings a lab up with these components and what they need, lets `read` read it, and takes it down; its folder stays if reading failed.
pub(crate) fn on_a_lab(
    name: &str,
    profile: &str,
    only: &[Kind],
    read: impl AsyncFnOnce(&Lab) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    lab::down(name)?;
    lab::purge(name)?;
    let options = Options {
        only: only.to_vec(),
        smoke: false,
        ..Options::profile(name, profile)?
    };
    let (lab, _) = runtime.block_on(Lab::up(&options))?;
    let read = runtime.block_on(read(&lab));
    lab::down(name)?;
    read?;
    lab::purge(name)?;
    Ok(())
}
