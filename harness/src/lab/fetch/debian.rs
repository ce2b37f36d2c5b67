//! MariaDB, etcd and PyMySQL from Debian's packages, unpacked into the cache: nothing is installed, no root, and apt's signed index
//! is what is trusted (hashes of single packages would break with every security update).

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::progress::Task;
use super::{FetchError, Fetcher, stamp, tools};
use crate::lab::state::Lock;

pub(crate) const APT_HINT: &str = "a Debian-like machine with apt and dpkg is needed";
/// How often libraries that are missing may bring others that are missing.
const ROUNDS: usize = 4;

/// Packages that are unpacked into one folder.
pub(crate) struct Packages {
    pub(crate) name: &'static str,
    packages: &'static [&'static str],
    /// What must be there; of programs, with all their libraries.
    programs: &'static [&'static str],
}

/// The SQL engine behind the embedded TiDB, and a client.
pub(crate) const MARIADB: Packages = Packages {
    name: "mariadb",
    packages: &[
        "mariadb-server-core",
        "mariadb-server",
        "mariadb-client-core",
        "mariadb-common",
        "libmariadb3",
    ],
    programs: &[
        "usr/sbin/mariadbd",
        "usr/bin/mariadb",
        "usr/bin/mariadb-install-db",
    ],
};

/// What PD keeps its state in, and a client.
pub(crate) const ETCD: Packages = Packages {
    name: "etcd",
    packages: &["etcd-server", "etcd-client"],
    programs: &["usr/bin/etcd", "usr/bin/etcdctl"],
};

/// A client of TiDB's that tests use: a library of Python's, for any interpreter.
pub(crate) const PYMYSQL: Packages = Packages {
    name: "pymysql",
    packages: &["python3-pymysql"],
    programs: &["usr/lib/python3/dist-packages/pymysql/__init__.py"],
};

/// Unpacked packages.
#[derive(Debug, Clone)]
pub(crate) struct Unpacked {
    /// The folder that stands for `/`.
    pub(crate) root: PathBuf,
    /// The first package's version, without Debian's own part.
    pub(crate) version: String,
}

impl Unpacked {
    /// The folders with shared libraries, as `LD_LIBRARY_PATH` wants them.
    pub(crate) fn library_path(&self) -> OsString {
        library_path(&self.root)
    }
}

fn library_path(root: &Path) -> OsString {
    let mut folders = Vec::new();
    for base in ["usr/lib", "lib"].map(|base| root.join(base)) {
        let inner = std::fs::read_dir(&base).into_iter().flatten().flatten();
        folders.extend(
            inner
                .map(|entry| entry.path())
                .filter(|path| path.is_dir() && path.to_string_lossy().contains("-linux-")),
        );
        folders.push(base);
    }
    // A colon in a folder's name cannot be written down there; the programs then say which library they miss.
    std::env::join_paths(folders).unwrap_or_default()
}

/// The unpacked packages, fetched if need be.
pub(crate) fn unpacked(fetcher: &Fetcher, set: &Packages) -> Result<Unpacked, FetchError> {
    let folder = fetcher.cache.join("debian").join(set.name);
    let (root, packages) = (folder.join("root"), folder.join("packages"));
    if !stamp::holds(&root) {
        let _lock = Lock::wait(&folder).map_err(FetchError::file("lock", &folder))?;
        if !stamp::holds(&root) {
            fetch(fetcher, set, &packages, &root)?;
        }
    }
    let version = version(&packages, set.packages[0]).ok_or_else(|| FetchError::Fetch {
        what: set.name.to_owned(),
        why: format!(
            "{} holds no package {}",
            packages.display(),
            set.packages[0]
        ),
        hint: format!("remove {} and try again", folder.display()),
    })?;
    Ok(Unpacked { root, version })
}

/// Whether packages are unpacked in the cache.
pub(crate) fn is_cached(fetcher: &Fetcher, set: &Packages) -> bool {
    stamp::holds(&fetcher.cache.join("debian").join(set.name).join("root"))
}

/// Where MariaDB's fresh data folder is kept, for new labs to copy. The embedded TiDB makes it if it is not there.
pub(crate) fn mariadb_template(fetcher: &Fetcher) -> PathBuf {
    fetcher
        .cache
        .join("debian")
        .join(MARIADB.name)
        .join("template")
}

fn fetch(
    fetcher: &Fetcher,
    set: &Packages,
    packages: &Path,
    root: &Path,
) -> Result<(), FetchError> {
    let task = fetcher
        .progress
        .task(&format!("fetching {}", set.name), set.packages.len() as u64);
    // What is left of a damaged or half-made one is made anew.
    for stale in [root, packages, &packages.with_file_name("template")] {
        match std::fs::remove_dir_all(stale) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(FetchError::file("remove", stale)(error));
            }
            _ => {}
        }
    }
    for folder in [root, packages] {
        std::fs::create_dir_all(folder).map_err(FetchError::file("make", folder))?;
    }
    let mut apt = Apt::new(fetcher, set.packages[0], &task)?;
    let wanted: Vec<String> = set.packages.iter().map(|name| (*name).to_owned()).collect();
    apt.unpack(&wanted, packages, root)?;
    for program in set.programs {
        if !root.join(program).is_file() {
            return Err(FetchError::Fetch {
                what: set.name.to_owned(),
                why: format!("its packages hold no {program}"),
                hint: format!("look at `apt-cache policy {}`", set.packages.join(" ")),
            });
        }
    }
    for _ in 0..ROUNDS {
        let missing = missing_libraries(fetcher, root, set)?;
        if missing.is_empty() {
            stamp::write(root).map_err(FetchError::file("write", root))?;
            task.done();
            return Ok(());
        }
        let found: BTreeSet<String> = missing
            .iter()
            .filter_map(|library| apt.package_of(library))
            .collect();
        let found: Vec<String> = found.into_iter().collect();
        if found.is_empty() {
            break;
        }
        apt.unpack(&found, packages, root)?;
    }
    let missing: Vec<String> = missing_libraries(fetcher, root, set)?.into_iter().collect();
    Err(FetchError::Fetch {
        what: set.name.to_owned(),
        why: format!(
            "no package was found for shared libraries that it needs: {}",
            missing.join(", ")
        ),
        hint: format!(
            "`apt-get install {}` brings them all",
            set.packages.join(" ")
        ),
    })
}

/// `10.11.19` of `mariadb-server-core_1%3a10.11.19-0+deb12u1_amd64.deb`.
fn version(packages: &Path, package: &str) -> Option<String> {
    let prefix = format!("{package}_");
    let entries = std::fs::read_dir(packages).ok()?.flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let name = names.find(|name| name.starts_with(&prefix))?;
    Some(upstream_version(&name[prefix.len()..]).to_owned())
}

fn upstream_version(text: &str) -> &str {
    let text = text.split_once("%3a").map_or(text, |(_, rest)| rest);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    text[..end.unwrap_or(text.len())].trim_end_matches('.')
}

/// The shared libraries that the programs ask for and nobody has.
fn missing_libraries(
    fetcher: &Fetcher,
    root: &Path,
    set: &Packages,
) -> Result<BTreeSet<String>, FetchError> {
    let ldd = tools::find("ldd", "install it: `apt-get install libc-bin`")?;
    let mut missing = BTreeSet::new();
    for program in set.programs {
        // For a script ldd fails, and prints nothing that counts here.
        let output = fetcher
            .command(&ldd)
            .arg(root.join(program))
            .env("LD_LIBRARY_PATH", library_path(root))
            .output()
            .map_err(FetchError::file("run", &ldd))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let absent = text
            .lines()
            .filter_map(|line| line.split_once(" => not found"));
        missing.extend(absent.map(|(name, _)| name.trim().to_owned()));
    }
    Ok(missing)
}

/// The names that Debian may give to the package of a shared library (its policy, chapter 8): `libaio.so.1` is in
/// `libaio1`, with a suffix where an interface changed.
fn package_names(library: &str) -> Vec<String> {
    let Some((stem, version)) = library.split_once(".so.") else {
        return Vec::new();
    };
    // OpenSSL's two libraries share a package.
    let stem = if stem == "libcrypto" { "libssl" } else { stem };
    let dash = if stem.ends_with(|c: char| c.is_ascii_digit()) {
        "-"
    } else {
        ""
    };
    let name = format!("{stem}{dash}{version}")
        .to_lowercase()
        .replace('_', "-");
    ["", "t64", "v5"]
        .map(|suffix| format!("{name}{suffix}"))
        .to_vec()
}

struct Apt<'a> {
    fetcher: &'a Fetcher,
    task: &'a Task,
    get: PathBuf,
    policy: PathBuf,
    dpkg: PathBuf,
    options: Vec<OsString>,
    own_lists: bool,
}

impl<'a> Apt<'a> {
    /// Uses the machine's package lists; where they do not know `package`, lists of its own.
    fn new(fetcher: &'a Fetcher, package: &str, task: &'a Task) -> Result<Apt<'a>, FetchError> {
        let mut apt = Apt {
            fetcher,
            task,
            get: tools::find("apt-get", APT_HINT)?,
            policy: tools::find("apt-cache", APT_HINT)?,
            dpkg: tools::find("dpkg-deb", APT_HINT)?,
            options: ["-q", "-o", "APT::Sandbox::User=root"]
                .map(OsString::from)
                .to_vec(),
            own_lists: false,
        };
        if !apt.knows(package) {
            apt.make_lists()?;
        }
        Ok(apt)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = self.fetcher.command(program);
        command.args(&self.options).env("LC_ALL", "C.UTF-8");
        command
    }

    fn knows(&self, package: &str) -> bool {
        let output = self
            .command(&self.policy)
            .args(["policy", package])
            .output();
        output.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.contains("Candidate: ") && !text.contains("Candidate: (none)")
        })
    }

    /// Fetches package lists into the cache, from the machine's sources and trusted by its keys.
    fn make_lists(&mut self) -> Result<(), FetchError> {
        self.task.detail("(package lists)");
        let own = self.fetcher.cache.join("apt");
        for folder in ["lists/partial", "archives/partial"].map(|folder| own.join(folder)) {
            std::fs::create_dir_all(&folder).map_err(FetchError::file("make", &folder))?;
        }
        for (name, folder) in [
            ("Dir::State::lists", own.join("lists")),
            ("Dir::Cache", own),
        ] {
            let mut option = OsString::from(format!("{name}="));
            option.push(folder);
            self.options.extend(["-o".into(), option]);
        }
        self.own_lists = true;
        let hint = "are Debian's servers within reach? try `apt-get update`";
        let mut update = self.command(&self.get);
        // Lists that could not be fetched are only a warning by default.
        tools::run(
            update.args(["update", "-o", "APT::Update::Error-Mode=any"]),
            "package lists",
            hint,
        )
        .map(drop)
    }

    fn unpack(&mut self, names: &[String], packages: &Path, root: &Path) -> Result<(), FetchError> {
        if let Err(error) = self.download(names, packages) {
            if self.own_lists {
                return Err(error);
            }
            // The machine's lists may be so old that what they name is gone.
            self.make_lists()?;
            self.download(names, packages)?;
        }
        let entries = std::fs::read_dir(packages).map_err(FetchError::file("list", packages))?;
        let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        for name in names {
            let prefix = format!("{name}_");
            let is_it = |path: &&PathBuf| {
                path.file_name()
                    .is_some_and(|file| file.to_string_lossy().starts_with(&prefix))
            };
            let what = format!("the package {name}");
            let hint = format!("try `apt-get download {name}`");
            let file = files.iter().find(is_it).ok_or_else(|| FetchError::Fetch {
                what: what.clone(),
                why: "apt-get left no file".to_owned(),
                hint: hint.clone(),
            })?;
            self.task.detail(name);
            tools::run(
                self.fetcher
                    .command(&self.dpkg)
                    .arg("-x")
                    .arg(file)
                    .arg(root),
                &what,
                &hint,
            )?;
            self.task.step();
        }
        Ok(())
    }

    fn download(&self, names: &[String], packages: &Path) -> Result<(), FetchError> {
        self.task.detail(&names.join(" "));
        let what = format!("the packages {}", names.join(", "));
        let hint = "are Debian's servers within reach? try `apt-get update`";
        let mut get = self.command(&self.get);
        tools::run(
            get.arg("download").args(names).current_dir(packages),
            &what,
            hint,
        )
        .map(drop)
    }

    /// The package that brings a shared library, if the lists know one.
    fn package_of(&self, library: &str) -> Option<String> {
        package_names(library)
            .into_iter()
            .find(|name| self.knows(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_have_packages() {
        for (library, package) in [
            ("libaio.so.1", "libaio1"),
            ("libpcre2-8.so.0", "libpcre2-8-0"),
            ("liblz4.so.1", "liblz4-1"),
            ("libstdc++.so.6", "libstdc++6"),
            ("libcrypto.so.3", "libssl3"),
            ("libaio.so.1t64", "libaio1t64"),
        ] {
            assert_eq!(package_names(library)[0], package);
        }
        assert!(package_names("linux-vdso.so").is_empty());
    }

    #[test]
    fn versions_are_read_from_file_names() {
        assert_eq!(
            upstream_version("1%3a10.11.19-0+deb12u1_amd64.deb"),
            "10.11.19"
        );
        assert_eq!(upstream_version("3.4.23-4+b4_amd64.deb"), "3.4.23");
        assert_eq!(upstream_version("3.5.16~dfsg-1_arm64.deb"), "3.5.16");
    }
}
