//! Processes of a lab: started so that they outlive the command, found by the label they carry, ended by id.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;
use tokio::process::{Child, Command};

use super::components::Plan;
use super::error::LabError;
use super::topology::Kind;

/// In the environment of everything that a lab starts: the lab's folder.
pub(crate) const LABEL: &str = "CDCLAB_LAB";
/// In the environment of everything that a lab starts: the component, or [`TOOL`].
pub(crate) const ROLE: &str = "CDCLAB_ROLE";
/// Role of what fetches and builds for a lab.
pub(crate) const TOOL: &str = "tool";

/// Pause between two looks at a process that is to end.
const PACE: Duration = Duration::from_millis(10);
/// How long a killed process may take to be gone.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// A process of a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The component; `None` for a tool.
    pub(crate) component: Option<Kind>,
    pub(crate) id: Id,
    pub(crate) parent: i32,
    /// Resident memory in bytes.
    pub(crate) rss: u64,
}

/// A process, not to be mistaken for a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Id {
    pub(crate) pid: i32,
    /// Clock ticks from boot to its start.
    pub(crate) started: u64,
}

impl Id {
    /// The process that has this pid now.
    pub(crate) fn of(pid: i32) -> Option<Id> {
        let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
        (!has_ended(&stat)).then_some(Id {
            pid,
            started: stat.starttime,
        })
    }

    pub(crate) fn alive(self) -> bool {
        Id::of(self.pid) == Some(self)
    }

    pub(crate) fn signal(self, signal: Signal) {
        if self.alive() {
            // It may end by itself in between; then there is nothing to do.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }
}

/// A zombie holds nothing any more, once it is the last thread: the others hold the process's ports until they end.
fn has_ended(stat: &procfs::process::Stat) -> bool {
    match stat.state {
        'X' => true,
        'Z' => stat.num_threads <= 1,
        _ => false,
    }
}

/// Starts a component in a session of its own, so that neither Ctrl-C nor a closed terminal reaches it, with its output
/// appended to its log.
pub(crate) fn spawn(
    lab: &Path,
    component: Kind,
    plan: &Plan,
    data: &Path,
    log: &Path,
) -> Result<Child, LabError> {
    let output = File::options().create(true).append(true).open(log);
    let output = output.map_err(LabError::file("open", log))?;
    let errors = output.try_clone().map_err(LabError::file("open", log))?;
    Command::new("setsid")
        .arg("--")
        .arg(&plan.program)
        .args(&plan.arguments)
        .envs(plan.environment.iter().map(|(name, value)| (name, value)))
        .env(LABEL, lab)
        .env(ROLE, component.name())
        .current_dir(data)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|source| LabError::Spawn {
            component,
            program: plan.program.clone(),
            source,
        })
}

/// Everything that runs with this lab's label, whoever started it and whatever was remembered of it; oldest first.
pub(crate) fn find(lab: &Path) -> Vec<Found> {
    let Ok(all) = procfs::process::all_processes() else {
        return Vec::new();
    };
    let own = std::process::id() as i32;
    let page = procfs::page_size();
    let mut found: Vec<Found> = all
        .flatten()
        .filter_map(|process| {
            // Processes of others and those that just ended cannot be read: not ours.
            let environment = process.environ().ok()?;
            if environment.get(OsStr::new(LABEL))? != lab.as_os_str() || process.pid == own {
                return None;
            }
            let role = environment.get(OsStr::new(ROLE))?.to_str()?;
            let stat = process.stat().ok()?;
            let component = Kind::parse(role);
            (!has_ended(&stat) && (component.is_some() || role == TOOL)).then(|| Found {
                component,
                id: Id {
                    pid: process.pid,
                    started: stat.starttime,
                },
                parent: stat.ppid,
                rss: stat.rss * page,
            })
        })
        .collect();
    found.sort_by_key(|found| (found.id.started, found.id.pid));
    found
}

/// Ends processes: SIGTERM, and SIGKILL for those that are still there after the grace period (at once if it is zero).
pub(crate) fn end(processes: &[Found], grace: Duration) -> Result<(), LabError> {
    if !grace.is_zero() {
        for process in processes {
            process.id.signal(Signal::SIGTERM);
        }
        if gone(processes, grace) {
            return Ok(());
        }
    }
    for process in processes {
        process.id.signal(Signal::SIGKILL);
    }
    if gone(processes, AFTER_KILL) {
        return Ok(());
    }
    let left = processes.iter().filter(|process| process.id.alive());
    let left: Vec<String> = left
        .map(|found| {
            let role = found.component.map_or(TOOL, Kind::name);
            format!("{role} (process {})", found.id.pid)
        })
        .collect();
    Err(LabError::Survived(left.join(", ")))
}

fn gone(processes: &[Found], within: Duration) -> bool {
    let end = Instant::now() + within;
    while processes.iter().any(|process| process.id.alive()) {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(PACE);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_label_and_ended() {
        let lab = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .env(LABEL, lab.path())
            .env(ROLE, "kafka")
            .spawn()
            .unwrap();
        // The kernel shows a program's environment a moment after it has started it.
        let deadline = Instant::now() + Duration::from_secs(10);
        let found = loop {
            let found = find(lab.path());
            if !found.is_empty() || Instant::now() > deadline {
                break found;
            }
            std::thread::yield_now();
        };
        let pids: Vec<i32> = found.iter().map(|found| found.id.pid).collect();
        assert_eq!(pids, [child.id() as i32]);
        assert_eq!(found[0].component, Some(Kind::Kafka));
        assert!(found[0].rss > 0);
        assert_eq!(find(Path::new("/nowhere")), []);
        end(&found, Duration::from_secs(5)).unwrap();
        assert!(!found[0].id.alive());
        child.wait().unwrap();
    }

    /// The first thread may end before the others, and those hold what the process held: its ports.
    #[test]
    fn a_process_is_alive_while_a_thread_is() {
        const PROGRAM: &str = "#include <pthread.h>\n#include <unistd.h>\n\
            static void *wait(void *none) { sleep(600); return none; }\n\
            int main(void) { pthread_t t; pthread_create(&t, 0, wait, 0); pthread_exit(0); }\n";
        let folder = tempfile::tempdir().unwrap();
        let (source, program) = (folder.path().join("p.c"), folder.path().join("p"));
        std::fs::write(&source, PROGRAM).unwrap();
        let mut cc = std::process::Command::new("cc");
        let built = cc
            .arg("-pthread")
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .status();
        assert!(built.unwrap().success());
        let mut child = std::process::Command::new(&program).spawn().unwrap();
        let process = Process::new(child.id() as i32).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while process.stat().unwrap().state != 'Z' {
            assert!(Instant::now() < deadline, "its first thread has not ended");
            std::thread::yield_now();
        }
        let id = Id::of(child.id() as i32).unwrap();
        assert!(id.alive());
        child.kill().unwrap();
        // Not waited for: a zombie of one thread holds nothing.
        while id.alive() {
            assert!(Instant::now() < deadline, "it is taken for alive");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_another() {
        let own = Id::of(std::process::id() as i32).unwrap();
        assert!(own.alive());
        let earlier = Id {
            started: own.started - 1,
            ..own
        };
        assert!(!earlier.alive());
    }
}
