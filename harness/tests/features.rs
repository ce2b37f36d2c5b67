//! Every command of ours asks for the same features of what we depend on, so that nothing is compiled twice.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What the commands build: `cargo xtask`, what the lab starts, `cargo test`.
const COMMANDS: [(&str, &[&str]); 3] = [
    ("cargo xtask", &["--package=xtask", "--edges=normal,build"]),
    (
        "lab-up",
        &[
            "--package=pipeline",
            "--package=embedded",
            "--edges=normal,build",
        ],
    ),
    ("cargo test", &["--workspace", "--edges=normal,build,dev"]),
];

/// Packages with the sets of features that are asked for; build scripts may have one of their own.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix=none", "--format={p}|{f}"])
        .args(arguments)
        .current_dir(harness::lab::repository())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let Some((package, features)) = line.split_once('|') else {
            continue;
        };
        let features = features.trim_end_matches(" (*)").to_owned();
        found
            .entry(package.to_owned())
            .or_default()
            .insert(features);
    }
    assert!(found.len() > 100, "{arguments:?}: {found:?}");
    found
}

#[test]
fn no_dependency_is_compiled_twice() {
    let all = COMMANDS.map(|(command, arguments)| (command, features(arguments)));
    let mut sets: BTreeMap<&str, BTreeMap<&BTreeSet<String>, Vec<&str>>> = BTreeMap::new();
    for (command, found) in &all {
        for (package, features) in found {
            let of_package = sets.entry(package).or_default();
            of_package.entry(features).or_default().push(command);
        }
    }
    sets.retain(|_, features| features.len() > 1);
    assert!(
        sets.is_empty(),
        "name these features in workspace-hack/Cargo.toml: {sets:#?}"
    );
}
