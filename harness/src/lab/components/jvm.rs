//! What the JVM components have in common.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Context;
use crate::lab::error::LabError;
use crate::lab::fetch::{FetchError, Fetcher, java as programs, maven, tools};
use crate::lab::paths::repository;
use crate::lab::topology::{Component, Kind, Topology};

/// A JVM's command line.
pub(super) struct Start {
    /// `-Xmx`.
    pub(super) heap: &'static str,
    /// Further options.
    pub(super) options: Vec<String>,
    pub(super) class_path: String,
    /// The main class and its arguments.
    pub(super) program: Vec<String>,
}

impl Start {
    /// The arguments: quick to start and small.
    pub(super) fn arguments(self) -> Vec<String> {
        let mut arguments = vec![
            format!("-Xmx{}", self.heap),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-XX:+UseSerialGC".to_owned(),
            // A component that is out of memory is dead, and says so.
            "-XX:+ExitOnOutOfMemoryError".to_owned(),
        ];
        arguments.extend(self.options);
        arguments.extend(["-cp".to_owned(), self.class_path]);
        arguments.extend(self.program);
        arguments
    }
}

/// The jars of a component in the topology's version.
pub(super) fn jars(context: &Context<'_>, kind: Kind) -> Result<PathBuf, LabError> {
    Ok(jars_of(context.topology, kind, context.fetcher)?)
}

fn jars_of(topology: &Topology, kind: Kind, fetcher: &Fetcher) -> Result<PathBuf, FetchError> {
    let version = topology
        .components
        .get(&kind)
        .map_or("", |component| &component.version);
    maven::jars(fetcher, &format!("{kind}-{version}"))
}

/// The component's Java.
pub(super) fn java(component: &Component) -> Result<PathBuf, LabError> {
    Ok(tools::java(component.java_home.as_deref(), "java")?)
}

/// All jars of a folder by name, so that every start has the same class path.
pub(crate) fn class_path(jars: &Path) -> Result<String, LabError> {
    let entries = std::fs::read_dir(jars).map_err(LabError::file("list", jars))?;
    let mut paths: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jar"))
        .map(|path| path.display().to_string())
        .collect();
    paths.sort();
    Ok(paths.join(":"))
}

/// Our Java programs in front of Flink's jars.
pub(super) fn flink_class_path(topology: &Topology, fetcher: &Fetcher) -> Result<String, LabError> {
    let jars = jars_of(topology, Kind::Flink, fetcher)?;
    let ours = programs::programs(fetcher, &jars)?;
    Ok(format!("{}:{}", ours.display(), class_path(&jars)?))
}

/// `name=value` lines, with the topology's own settings in place of ours.
pub(super) fn properties(mut settings: BTreeMap<&str, String>, component: &Component) -> String {
    let own = component.config.iter();
    let own: BTreeMap<&str, String> = own
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    settings.retain(|name, _| !own.contains_key(name));
    let mut text = String::new();
    for (name, value) in settings.into_iter().chain(own) {
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

/// What every Flink needs of a modern JVM.
pub(super) fn flink_options() -> Vec<String> {
    const PACKAGES: [&str; 12] = [
        "java.lang",
        "java.net",
        "java.io",
        "java.nio",
        "sun.nio.ch",
        "java.lang.reflect",
        "java.text",
        "java.time",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "java.util.concurrent.locks",
    ];
    let opens = PACKAGES.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED"));
    let mut options = opens.to_vec();
    // Flink 1.12 reaches into this one.
    options.push("--add-exports=java.base/sun.net.util=ALL-UNNAMED".to_owned());
    options
}

/// A Java command that runs one source file of ours (under `fixtures`) against the jars of manifests of
/// `fixtures/components`, the first first; `arguments` are the program's.
pub(crate) fn from_source(
    source: &str,
    manifests: &[&str],
    arguments: &[&str],
    heap: &'static str,
    fetcher: &Fetcher,
) -> Result<std::process::Command, LabError> {
    let source = repository().join("fixtures").join(source);
    let mut classes = Vec::new();
    for manifest in manifests {
        classes.push(class_path(&maven::jars(fetcher, manifest)?)?);
    }
    let mut program = vec![source.display().to_string()];
    program.extend(arguments.iter().map(|word| (*word).to_owned()));
    let start = Start {
        heap,
        // Its calendar is the machine's otherwise.
        options: vec!["-Duser.timezone=UTC".to_owned()],
        class_path: classes.join(":"),
        program,
    };
    let mut command = std::process::Command::new(tools::java(None, "java")?);
    command.args(start.arguments());
    Ok(command)
}

/// A Java command beside a lab's Flink, with its jars, our programs and further manifests, e.g.
/// `tidb-cdc-reader-2.3.0`; `program` is the main class and its arguments.
pub(crate) fn beside_flink(
    topology: &Topology,
    more: &[&str],
    program: &[&str],
    fetcher: &Fetcher,
) -> Result<std::process::Command, LabError> {
    let component = topology.component(Kind::Flink)?;
    let mut classes = flink_class_path(topology, fetcher)?;
    for manifest in more {
        classes.push(':');
        classes.push_str(&class_path(&maven::jars(fetcher, manifest)?)?);
    }
    let start = Start {
        heap: "512m",
        options: flink_options(),
        class_path: classes,
        program: program.iter().map(|word| (*word).to_owned()).collect(),
    };
    let mut command = std::process::Command::new(java(component)?);
    command.args(start.arguments());
    Ok(command)
}
