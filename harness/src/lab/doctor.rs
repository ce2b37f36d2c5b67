//! What a lab needs of the machine, looked at before it is needed.

use std::path::Path;
use std::process::Command;

use procfs::Current as _;

use super::error::LabError;
use super::fetch::{Fetcher, debian, maven, tools};
use super::topology::{Kind, Topology};
use super::{paths, ports};

/// Free space that a cache and a lab want, in bytes.
const DISK: u64 = 3_000_000_000;
/// Memory that a lab wants, in bytes.
const MEMORY: u64 = 2_000_000_000;
/// The oldest Java that all components run on.
const JAVA: u32 = 11;

/// How a check came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is there; what is.
    Good(String),
    /// A lab can do without; what follows.
    Note(String),
    /// A lab cannot be started; the command that helps.
    Missing(String),
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The thing.
    pub what: String,
    /// How it is.
    pub finding: Finding,
}

impl Check {
    fn new(what: impl Into<String>, finding: Finding) -> Check {
        Check {
            what: what.into(),
            finding,
        }
    }
}

/// Looks at everything that a lab of this topology needs. Blocks.
///
/// # Errors
/// [`LabError::NoHome`].
pub fn examine(topology: &Topology) -> Result<Vec<Check>, LabError> {
    let fetcher = Fetcher::quiet()?;
    let mut checks = vec![
        tool("C compiler", "cc", "apt-get install gcc libc6-dev"),
        tool("C++ compiler", "c++", "apt-get install g++"),
        tool("make", "make", "apt-get install make"),
        perl(),
        tool("Maven", "mvn", "apt-get install maven"),
    ];
    checks.extend(["java", "javac", "jar"].map(|program| java("JDK", None, program)));
    checks.push(client("Go", "go", "version", "apt-get install golang-go"));
    checks.push(client(
        "Python",
        "python3",
        "--version",
        "apt-get install python3",
    ));
    for (kind, component) in &topology.components {
        if let Some(home) = &component.java_home {
            checks.push(java(&format!("Java of {kind}"), Some(home), "java"));
        }
    }
    for program in ["apt-get", "apt-cache", "dpkg-deb"] {
        checks.push(tool("Debian packages", program, debian::APT_HINT));
    }
    checks.push(tool("shared libraries", "ldd", "apt-get install libc-bin"));
    checks.push(tool("sessions", "setsid", "apt-get install util-linux"));
    for (what, folder) in [("cache", paths::cache()?), ("labs", paths::labs()?)] {
        checks.push(disk(what, &folder));
    }
    checks.push(memory());
    checks.extend(cached(topology, &fetcher));
    checks.extend(used_ports(topology));
    Ok(checks)
}

fn first_line(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output
        .map(|output| [output.stdout, output.stderr].concat())
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    format!("{} ({})", plain(line.trim()), program.display())
}

/// A line without the escape sequences with which Maven makes it bold, also where nobody sees it.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}

fn tool(what: &str, program: &str, hint: &str) -> Check {
    let finding = match tools::find(program, hint) {
        Ok(path) => Finding::Good(first_line(&path, "--version")),
        Err(_) => Finding::Missing(hint.to_owned()),
    };
    Check::new(format!("{what} ({program})"), finding)
}

/// What OpenSSL's build configures itself with: Debian's `perl-base`, which is always there, lacks some of its modules.
fn perl() -> Check {
    const HINT: &str = "apt-get install perl";
    let modules = ["FindBin", "IPC::Cmd", "File::Compare", "File::Copy"];
    let finding = match tools::find("perl", HINT) {
        Err(_) => Finding::Missing(HINT.to_owned()),
        Ok(path) => {
            let mut command = Command::new(&path);
            command.args(modules.map(|module| format!("-M{module}")));
            // `$^V`, and nothing but it
            match command.args(["-e", "print \"perl $^V\""]).output() {
                Ok(output) if output.status.success() => Finding::Good(format!(
                    "{} ({})",
                    String::from_utf8_lossy(&output.stdout),
                    path.display()
                )),
                _ => Finding::Missing(format!(
                    "{} lacks one of {}: {HINT}",
                    path.display(),
                    modules.join(", ")
                )),
            }
        }
    };
    Check::new("OpenSSL's build (perl)", finding)
}

/// No lab needs it: the tests do, for a client that is not ours.
fn client(what: &str, program: &str, version: &str, hint: &str) -> Check {
    let finding = match tools::find(program, hint) {
        Ok(path) => Finding::Good(first_line(&path, version)),
        Err(_) => Finding::Note(format!(
            "`cargo test` needs it for one of its clients: {hint}"
        )),
    };
    Check::new(format!("{what} ({program})"), finding)
}

fn java(what: &str, home: Option<&Path>, program: &str) -> Check {
    let finding = match tools::java(home, program) {
        Err(error) => Finding::Missing(error.to_string()),
        Ok(path) => {
            let text = first_line(&path, "-version");
            match major(&text) {
                // `jar` knows no `-version`; it comes with `javac`.
                _ if program == "jar" => Finding::Good(path.display().to_string()),
                Some(version) if version >= JAVA => Finding::Good(text),
                _ => Finding::Missing(format!("{text} is older than {JAVA}: {}", tools::JDK_HINT)),
            }
        }
    };
    Check::new(format!("{what} ({program})"), finding)
}

/// The major version in `openjdk version "17.0.15" 2025-04-15` or `javac 1.8.0_402`.
fn major(text: &str) -> Option<u32> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[from..].split(|c: char| !c.is_ascii_digit());
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

fn disk(what: &str, folder: &Path) -> Check {
    let made = std::fs::create_dir_all(folder);
    let space =
        made.and_then(|()| nix::sys::statvfs::statvfs(folder).map_err(std::io::Error::from));
    let finding = match space {
        Err(error) => Finding::Missing(format!("{}: {error}", folder.display())),
        Ok(space) => {
            let free = space.blocks_available() * space.fragment_size();
            let text = format!("{}, {:.1} GB free", folder.display(), free as f64 / 1e9);
            match free >= DISK {
                true => Finding::Good(text),
                false => {
                    Finding::Missing(format!("{text}; {:.0} GB are needed", DISK as f64 / 1e9))
                }
            }
        }
    };
    Check::new(format!("disk for {what}"), finding)
}

fn memory() -> Check {
    let finding = match procfs::Meminfo::current() {
        Err(error) => Finding::Note(error.to_string()),
        Ok(info) => {
            let free = info.mem_available.unwrap_or(info.mem_free);
            let text = format!("{:.1} GB available", free as f64 / 1e9);
            match free >= MEMORY {
                true => Finding::Good(text),
                false => Finding::Note(format!(
                    "{text}; a lab takes about {:.0} GB",
                    MEMORY as f64 / 1e9
                )),
            }
        }
    };
    Check::new("memory", finding)
}

fn cached(topology: &Topology, fetcher: &Fetcher) -> Vec<Check> {
    let state = |what: String, there: bool| {
        let finding = match there {
            true => Finding::Good("in the cache".to_owned()),
            false => Finding::Note("not in the cache; `cargo xtask lab-up` fetches it".to_owned()),
        };
        Check::new(what, finding)
    };
    let mut checks = Vec::new();
    for kind in [Kind::Zookeeper, Kind::Kafka, Kind::Flink] {
        if let Some(component) = topology.components.get(&kind) {
            let name = format!("{kind}-{}", component.version);
            let there = maven::is_cached(fetcher, &name);
            checks.push(state(
                format!("jars of {kind} {}", component.version),
                there,
            ));
        }
    }
    for set in [&debian::ETCD, &debian::MARIADB] {
        let there = debian::is_cached(fetcher, set);
        checks.push(state(format!("packages of {}", set.name), there));
    }
    checks
}

/// Those of the well-known ports that something else uses.
fn used_ports(topology: &Topology) -> Vec<Check> {
    let mut used = Vec::new();
    let mut count = 0;
    for (kind, component) in &topology.components {
        for endpoint in topology.endpoints(*kind) {
            let port = component
                .ports
                .get(endpoint.name)
                .copied()
                .unwrap_or(endpoint.port);
            count += 1;
            if ports::used(port) {
                let finding = Finding::Note(format!(
                    "used by {}; a lab with another --name takes other ports",
                    ports::holder(port)
                ));
                used.push(Check::new(
                    format!("port {port} ({kind} {})", endpoint.name),
                    finding,
                ));
            }
        }
    }
    if used.is_empty() {
        used.push(Check::new(
            "ports",
            Finding::Good(format!("all {count} are free")),
        ));
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bold_words_are_plain() {
        let line = "\u{1b}[1mApache Maven 3.8.7\u{1b}[m";
        assert_eq!(plain(line), "Apache Maven 3.8.7");
        assert_eq!(plain("make 4.3"), "make 4.3");
    }

    #[test]
    fn perl_is_asked_for_its_modules() {
        // whoever compiled this has it
        assert!(matches!(perl().finding, Finding::Good(text) if text.starts_with("perl v5")));
    }

    #[test]
    fn versions_of_java_are_understood() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major("java version \"1.8.0_402\""), Some(8));
        assert_eq!(major("javac 25"), Some(25));
        assert_eq!(major("none"), None);
    }
}
