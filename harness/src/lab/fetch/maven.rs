//! Jars by Maven, from the pom and the lock file in `fixtures/components/NAME/`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{FetchError, Fetcher, stamp, tools};
use crate::lab::paths::repository;
use crate::lab::state::Lock;

/// Pinned, so that every Maven resolves alike.
const GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
/// Before it is tried again, when a registry did not answer as it does otherwise.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
pub(crate) const MAVEN_HINT: &str = "install Maven: `apt-get install maven`";

/// A line of `jars.sha256`.
#[derive(Debug, PartialEq, Eq)]
struct Jar {
    hash: String,
    name: String,
}

/// The folder with the jars of a component, e.g. `kafka-3.9.2`, each as its hash says.
pub(crate) fn jars(fetcher: &Fetcher, component: &str) -> Result<PathBuf, FetchError> {
    let folder = fetcher.cache.join("jars").join(component);
    let lock_file = lock_file(component)?;
    if holds(&folder, &lock_file) {
        return Ok(folder);
    }
    let _lock = Lock::wait(&folder).map_err(FetchError::file("lock", &folder))?;
    if holds(&folder, &lock_file) {
        return Ok(folder);
    }
    let missing = check(&folder, &lock_file)?;
    if !missing.is_empty() {
        copy(fetcher, &folder, component, &lock_file, missing.len())?;
        let damaged = check(&folder, &lock_file)?;
        if !damaged.is_empty() {
            // What Maven keeps is damaged: once more from the start.
            let what = format!(
                "{component}: damaged, fetched again: {}",
                damaged.join(", ")
            );
            fetcher.progress.line(&what);
            forget(&repository_of(fetcher), &damaged);
            copy(fetcher, &folder, component, &lock_file, damaged.len())?;
            let jars = check(&folder, &lock_file)?;
            if !jars.is_empty() {
                let what = component.to_owned();
                return Err(FetchError::Hash { what, jars });
            }
        }
    }
    stamp::write(&folder).map_err(FetchError::file("write", &folder))?;
    Ok(folder)
}

/// Whether a component's jars are in the cache.
pub(crate) fn is_cached(fetcher: &Fetcher, component: &str) -> bool {
    let folder = fetcher.cache.join("jars").join(component);
    lock_file(component).is_ok_and(|lock_file| holds(&folder, &lock_file))
}

/// Whether the folder was found good, and for this list: a later one may name more.
fn holds(folder: &Path, lock_file: &[Jar]) -> bool {
    stamp::holds(folder) && lock_file.iter().all(|jar| folder.join(&jar.name).exists())
}

/// The manifests that there are.
pub(crate) fn manifests() -> Vec<String> {
    let folder = repository().join("fixtures/components");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("pom.xml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn lock_file(component: &str) -> Result<Vec<Jar>, FetchError> {
    let path = repository()
        .join("fixtures/components")
        .join(component)
        .join("jars.sha256");
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => FetchError::Manifest {
            name: component.to_owned(),
            known: manifests(),
        },
        _ => FetchError::file("read", &path)(error),
    })?;
    parse(&text).map_err(|line| FetchError::LockFile { path, line })
}

/// Lines as `sha256sum` writes them; the number of the first one that is none.
fn parse(text: &str) -> Result<Vec<Jar>, usize> {
    let jar = |(index, line): (usize, &str)| {
        let (hash, name) = line.split_once("  ").ok_or(index + 1)?;
        let good = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let plain = !name.is_empty() && !name.contains('/');
        if !good || !plain {
            return Err(index + 1);
        }
        Ok(Jar {
            hash: hash.to_owned(),
            name: name.to_owned(),
        })
    };
    text.lines().enumerate().map(jar).collect()
}

/// Names of the jars that are missing or damaged; damaged ones, and jars that do not belong there, are removed.
fn check(folder: &Path, lock_file: &[Jar]) -> Result<Vec<String>, FetchError> {
    let mut bad = Vec::new();
    for jar in lock_file {
        let path = folder.join(&jar.name);
        if !path.exists() {
            bad.push(jar.name.clone());
        } else if hash(&path)? != jar.hash {
            std::fs::remove_file(&path).map_err(FetchError::file("remove", &path))?;
            bad.push(jar.name.clone());
        }
    }
    let entries = std::fs::read_dir(folder).map_err(FetchError::file("list", folder))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".jar") && !lock_file.iter().any(|jar| jar.name == name) {
            std::fs::remove_file(&path).map_err(FetchError::file("remove", &path))?;
        }
    }
    Ok(bad)
}

fn hash(path: &Path) -> Result<String, FetchError> {
    let mut file = std::fs::File::open(path).map_err(FetchError::file("open", path))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file
            .read(&mut buffer)
            .map_err(FetchError::file("read", path))?
        {
            0 => return Ok(hex::encode(hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// The Maven repository of the cache: nobody else's, so that what is damaged there may be removed.
fn repository_of(fetcher: &Fetcher) -> PathBuf {
    fetcher.cache.join("m2")
}

/// Removes jars from a Maven repository, so that it asks for them again.
fn forget(repository: &Path, jars: &[String]) {
    let mut open = vec![repository.to_owned()];
    while let Some(dir) = open.pop() {
        for path in std::fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
        {
            if path.is_dir() {
                open.push(path);
            } else if path
                .file_name()
                .is_some_and(|name| jars.iter().any(|jar| name == jar.as_str()))
            {
                // Should it stay, the next check says so.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn copy(
    fetcher: &Fetcher,
    folder: &Path,
    component: &str,
    lock_file: &[Jar],
    count: usize,
) -> Result<(), FetchError> {
    let hint = format!(
        "is Maven Central within reach? try `mvn -f fixtures/components/{component}/pom.xml dependency:copy-dependencies`"
    );
    let failed = |why: String| FetchError::Fetch {
        what: format!("the jars of {component}"),
        why,
        hint: hint.clone(),
    };
    let mvn = tools::find("mvn", MAVEN_HINT)?;
    tools::java(None, "java")?;
    let repository_dir = repository_of(fetcher);
    // A Maven repository is not made for two at a time.
    let _lock = Lock::wait(&repository_dir).map_err(FetchError::file("lock", &repository_dir))?;
    let mut pauses = PAUSES.into_iter();
    loop {
        let why = match resolve(fetcher, &mvn, folder, component, lock_file, count) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        let Some(pause) = pauses.next().filter(|_| may_pass(&why)) else {
            return Err(failed(why));
        };
        let what = format!("{component}: {why}\n  once more in {} s", pause.as_secs());
        fetcher.progress.line(&what);
        std::thread::sleep(pause);
    }
}

/// Whether what Maven says is of a moment: the registry was overloaded, or a connection broke.
fn may_pass(why: &str) -> bool {
    [
        "status: 429",
        "status: 5",
        "timed out",
        "Connection reset",
        "Premature end",
        "failed to respond",
        "Temporary failure",
    ]
    .iter()
    .any(|sign| why.contains(sign))
}

/// Runs Maven once; what it says if it fails.
fn resolve(
    fetcher: &Fetcher,
    mvn: &Path,
    folder: &Path,
    component: &str,
    lock_file: &[Jar],
    count: usize,
) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("mvn: {error}");
    let task = fetcher
        .progress
        .task(&format!("fetching {component}"), count as u64);
    let mut child = fetcher
        .command(mvn.to_owned())
        .args(["--batch-mode", "--strict-checksums", "-Dstyle.color=never"])
        // What could not be had before is asked for again.
        .arg("--update-snapshots")
        .arg(format!(
            "-Dmaven.repo.local={}",
            repository_of(fetcher).display()
        ))
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .arg("-f")
        .arg(
            repository()
                .join("fixtures/components")
                .join(component)
                .join("pom.xml"),
        )
        .arg(GOAL)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut said = String::new();
    let output = child.stdout.take().map(BufReader::new);
    for line in output
        .into_iter()
        .flat_map(|output| output.lines())
        .map_while(Result::ok)
    {
        if let Some(name) = downloaded(&line)
            && lock_file.iter().any(|jar| jar.name == name)
        {
            task.step();
            task.detail(name);
        }
        if line.starts_with("[ERROR]") {
            said.push_str(&line);
            said.push('\n');
        }
    }
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        // The first line tells the cause, the others how to ask Maven for more.
        let first = said.lines().next().unwrap_or("it said nothing");
        return Err(format!("mvn ended with {status}: {first}"));
    }
    task.done();
    Ok(())
}

/// The file of a line `[INFO] Downloaded from central: https://…/kafka-clients-3.9.2.jar (9.5 MB at 20 MB/s)`.
fn downloaded(line: &str) -> Option<&str> {
    let (_, from) = line.split_once("Downloaded from ")?;
    let url = from.split_whitespace().nth(1)?;
    url.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_are_read() {
        let hash = "ab".repeat(32);
        let jar = Jar {
            hash: hash.clone(),
            name: "a.jar".to_owned(),
        };
        assert_eq!(parse(&format!("{hash}  a.jar\n")), Ok(vec![jar]));
        assert_eq!(parse(&format!("{hash}  a.jar\n{hash} b.jar\n")), Err(2));
        assert_eq!(parse(&format!("{hash}  ../a.jar")), Err(1));
        assert_eq!(parse("abc  a.jar"), Err(1));
        for manifest in manifests() {
            assert!(!lock_file(&manifest).unwrap().is_empty(), "{manifest}");
        }
        let error = lock_file("kafka-1.0").unwrap_err().to_string();
        assert!(
            error.contains("kafka-1.0") && error.contains("kafka-3.9.2"),
            "{error}"
        );
    }

    #[test]
    fn mavens_lines_are_understood() {
        let line = "[INFO] Downloaded from central: https://host/org/apache/kafka/kafka_2.13/3.9.2/kafka_2.13-3.9.2.jar (5.4 MB at 9.1 MB/s)";
        assert_eq!(downloaded(line), Some("kafka_2.13-3.9.2.jar"));
        assert_eq!(
            downloaded("[INFO] Downloading from central: https://host/a.jar"),
            None
        );
    }

    #[test]
    fn what_is_of_a_moment_is_tried_again() {
        assert!(may_pass(
            "mvn ended with exit status: 1: [ERROR] Could not transfer artifact a:pom:1 from/to central (https://host): transfer \
             failed for https://host/a-1.pom, status: 503 Service Unavailable -> [Help 1]"
        ));
        assert!(may_pass(
            "[ERROR] … Connect to host:443 timed out -> [Help 1]"
        ));
        assert!(!may_pass(
            "[ERROR] … Could not find artifact a:jar:1 in central (https://host) -> [Help 1]"
        ));
        assert!(!may_pass("[ERROR] … status: 403 Forbidden -> [Help 1]"));
    }

    #[test]
    fn damaged_and_foreign_jars_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let jar = |name: &str, content: &str| Jar {
            hash: hex::encode(Sha256::digest(content)),
            name: name.to_owned(),
        };
        let lock_file = [
            jar("good.jar", "good"),
            jar("damaged.jar", "whole"),
            jar("missing.jar", ""),
        ];
        for (name, content) in [
            ("good.jar", "good"),
            ("damaged.jar", "who"),
            ("foreign.jar", "x"),
            ("note.txt", "x"),
        ] {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        assert_eq!(
            check(dir.path(), &lock_file).unwrap(),
            ["damaged.jar", "missing.jar"]
        );
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["good.jar", "note.txt"]);
    }
}
