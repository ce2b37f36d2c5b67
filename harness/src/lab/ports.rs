//! Which ports a lab has, and who else has them.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use procfs::net::TcpState;
use procfs::process::FDTarget;

/// Where free ports are looked for: below the range from which systems give ports to outgoing connections, so that none
/// is taken by chance while the lab is down.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A free port that is none of `taken`. The search starts at a place of the lab's own, so that two labs that are made at
/// the same time do not meet.
pub(crate) fn free(lab: &str, taken: &BTreeSet<u16>) -> io::Result<u16> {
    let mut hasher = DefaultHasher::new();
    lab.hash(&mut hasher);
    let width = u64::from(RANGE.end - RANGE.start);
    let offset = (hasher.finish() % width) as u16;
    let found = (RANGE.start + offset..RANGE.end)
        .chain(RANGE.start..RANGE.start + offset)
        .find(|port| !taken.contains(port) && !used(*port));
    found.ok_or_else(|| {
        let what = format!("all of {}–{} are taken", RANGE.start, RANGE.end - 1);
        io::Error::new(io::ErrorKind::AddrInUse, what)
    })
}

/// Whether the port cannot be had on loopback.
pub(crate) fn used(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
}

/// The process that listens on a port, for people.
pub(crate) fn holder(port: u16) -> String {
    let seen = listener(port).and_then(|inode| {
        procfs::process::all_processes()
            .ok()?
            .flatten()
            .find_map(|process| {
                let mut open = process.fd().ok()?.flatten();
                if !open.any(|fd| matches!(fd.target, FDTarget::Socket(found) if found == inode)) {
                    return None;
                }
                let command = process.cmdline().unwrap_or_default().join(" ");
                let shown: String = command.chars().take(100).collect();
                Some(format!("process {} ({shown})", process.pid))
            })
    });
    seen.unwrap_or_else(|| "a process of another user".to_owned())
}

fn listener(port: u16) -> Option<u64> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    let mut open = tables.into_iter().flatten().flatten();
    open.find(|entry| entry.state == TcpState::Listen && entry.local_address.port() == port)
        .map(|entry| entry.inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(used(port));
        let own = format!("process {} (", std::process::id());
        assert!(holder(port).starts_with(&own), "{}", holder(port));
    }

    #[test]
    fn free_ports_differ_and_are_free() {
        let mut taken = BTreeSet::new();
        for _ in 0..20 {
            let port = free("a lab", &taken).unwrap();
            assert!(RANGE.contains(&port));
            let held = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            assert!(held.is_ok() && taken.insert(port), "{port}");
        }
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let first = free("another lab", &BTreeSet::new()).unwrap();
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        assert_ne!(free("another lab", &BTreeSet::new()).unwrap(), first);
    }
}
