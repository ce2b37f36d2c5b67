//! Our Java programs, compiled against the Flink that they run with.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{FetchError, Fetcher, stamp, tools};
use crate::lab::paths::repository;
use crate::lab::state::Lock;

/// Compiles `fixtures/components/java/*.java` against a folder of jars into a jar (class data sharing wants jars).
pub(crate) fn programs(fetcher: &Fetcher, jars: &Path) -> Result<PathBuf, FetchError> {
    let sources = repository().join("fixtures/components/java");
    let entries = std::fs::read_dir(&sources).map_err(FetchError::file("list", &sources))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "java"))
        .collect();
    files.sort();
    let mut hasher = Sha256::new();
    for file in &files {
        hasher.update(std::fs::read(file).map_err(FetchError::file("read", file))?);
    }
    let against = jars.file_name().unwrap_or_default().to_string_lossy();
    let version = &hex::encode(hasher.finalize())[..12];
    let folder = fetcher
        .cache
        .join("java")
        .join(format!("{against}-{version}"));
    let jar = folder.join("programs.jar");
    if stamp::holds(&folder) {
        return Ok(jar);
    }
    let _lock = Lock::wait(&folder).map_err(FetchError::file("lock", &folder))?;
    if stamp::holds(&folder) {
        return Ok(jar);
    }
    let (javac, archiver) = (tools::java(None, "javac")?, tools::java(None, "jar")?);
    let what = "our Java programs";
    let hint = "they are in fixtures/components/java";
    let classes = folder.join("classes");
    // The oldest Flink here runs on Java 8, and so do they.
    let mut compile = fetcher.command(javac);
    compile
        .args(["--release", "8", "-nowarn", "-Xlint:-options", "-cp"])
        .arg(format!("{}/*", jars.display()))
        .arg("-d")
        .arg(&classes)
        .args(&files);
    tools::run(&mut compile, what, hint)?;
    let mut pack = fetcher.command(archiver);
    pack.arg("cf").arg(&jar).arg("-C").arg(&classes).arg(".");
    tools::run(&mut pack, what, hint)?;
    stamp::write(&folder).map_err(FetchError::file("write", &folder))?;
    Ok(jar)
}
