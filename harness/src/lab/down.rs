//! Taking a lab down.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use super::error::LabError;
use super::paths::Paths;
use super::process::{self, Found};
use super::state::Lock;
use super::topology::Kind;

/// How long a component may take to end by itself.
const GRACE: Duration = Duration::from_secs(30);

/// Ends everything that runs with this lab's label, each component before those that it needs or uses; says what was
/// ended. Blocks.
///
/// # Errors
/// [`LabError::Busy`], [`LabError::Survived`].
pub fn down(name: &str) -> Result<Vec<Kind>, LabError> {
    let paths = Paths::of(name)?;
    if !paths.lab.exists() {
        return Ok(Vec::new());
    }
    let lock = Lock::try_take(&paths.lab).map_err(LabError::file("lock", &paths.lab))?;
    let _lock = lock.ok_or_else(|| LabError::Busy(name.to_owned()))?;
    let mut ended = Vec::new();
    loop {
        let all = process::find(&paths.lab);
        let running: BTreeSet<Kind> = all.iter().filter_map(|found| found.component).collect();
        let wave = last_users(&running);
        if wave.is_empty() {
            // Tools of a command that was killed.
            process::end(&all, GRACE)?;
            return Ok(ended);
        }
        let of_wave = |found: &&Found| found.component.is_some_and(|kind| wave.contains(&kind));
        let wave_processes: Vec<Found> = all.iter().filter(of_wave).cloned().collect();
        let is_child = |found: &Found| {
            wave_processes
                .iter()
                .any(|other| other.id.pid == found.parent)
        };
        let (children, parents): (Vec<Found>, Vec<Found>) =
            wave_processes.iter().cloned().partition(is_child);
        process::end(&parents, GRACE)?;
        // A component ends its own children; one that was killed may leave some.
        process::end(&children, GRACE)?;
        ended.extend(wave);
    }
}

/// The components that no other running one needs or uses.
fn last_users(running: &BTreeSet<Kind>) -> Vec<Kind> {
    let wanted = |kind: Kind| {
        running.iter().any(|other| {
            let spec = other.spec();
            spec.needs.contains(&kind) || spec.uses.contains(&kind)
        })
    };
    running
        .iter()
        .copied()
        .filter(|kind| !wanted(*kind))
        .collect()
}

/// Removes a lab's data, logs and memory. Take it down first.
///
/// # Errors
/// [`LabError::File`].
pub fn purge(name: &str) -> Result<(), LabError> {
    let paths = Paths::of(name)?;
    match std::fs::remove_dir_all(&paths.lab) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LabError::file("remove", &paths.lab)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_before_what_uses_it() {
        let mut running: BTreeSet<Kind> = Kind::ALL.into();
        let mut order = Vec::new();
        loop {
            let wave = last_users(&running);
            if wave.is_empty() {
                break;
            }
            running.retain(|kind| !wave.contains(kind));
            order.push(wave);
        }
        assert!(running.is_empty(), "a cycle: {running:?}");
        assert_eq!(order[0], [Kind::Flink, Kind::Cdc]);
        assert_eq!(order.last().unwrap(), &[Kind::Etcd]);
        let place = |kind| order.iter().position(|wave| wave.contains(&kind));
        assert!(place(Kind::Kafka) < place(Kind::Zookeeper));
        assert!(place(Kind::Tidb) < place(Kind::Tikv));
    }
}
