//! What a process takes: processor time and memory.

use std::time::Duration;

use procfs::process::Process;

use super::Lab;
use super::error::LabError;
use super::process::{self, Id};
use super::topology::Kind;

/// A process to be measured.
#[derive(Debug, Clone, Copy)]
pub struct Watched(pub(super) Id);

/// What a process took since a measurement began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Processor time of all threads.
    pub cpu: Duration,
    /// Resident memory at its most, in bytes.
    pub peak: u64,
}

/// A measurement that goes on.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    process: Watched,
    before: Duration,
}

impl Lab {
    /// A component's process; the one that was started first if it has several.
    ///
    /// # Errors
    /// [`LabError::ComponentDown`].
    pub fn watched(&self, component: Kind) -> Result<Watched, LabError> {
        let found = process::find(&self.paths().lab)
            .into_iter()
            .find(|found| found.component == Some(component));
        let found = found.ok_or_else(|| LabError::ComponentDown {
            lab: self.name().to_owned(),
            component,
        })?;
        Ok(Watched(found.id))
    }
}

impl Watched {
    /// Begins to measure; the peak of memory counts from now on.
    ///
    /// # Errors
    /// [`LabError::File`] with what the kernel says, also of a process that is gone.
    pub fn measure(self) -> Result<Measured, LabError> {
        let forget = format!("/proc/{}/clear_refs", self.0.pid);
        // Resets the peak (proc(5)).
        std::fs::write(&forget, "5").map_err(LabError::file("write", &forget))?;
        Ok(Measured {
            process: self,
            before: self.look()?.cpu,
        })
    }

    fn look(self) -> Result<Usage, LabError> {
        let path = format!("/proc/{}", self.0.pid);
        let failed = |error: procfs::ProcError| {
            LabError::file("read", &path)(std::io::Error::other(error.to_string()))
        };
        let process = Process::new(self.0.pid).map_err(failed)?;
        let stat = process.stat().map_err(failed)?;
        let ticks = (stat.utime + stat.stime) as f64;
        let status = process.status().map_err(failed)?;
        Ok(Usage {
            cpu: Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64),
            peak: status.vmhwm.unwrap_or_default() * 1024,
        })
    }
}

impl Measured {
    /// What it took so far.
    ///
    /// # Errors
    /// [`LabError::File`] of a process that is gone.
    pub fn usage(&self) -> Result<Usage, LabError> {
        let now = self.process.look()?;
        Ok(Usage {
            cpu: now.cpu.saturating_sub(self.before),
            ..now
        })
    }
}
