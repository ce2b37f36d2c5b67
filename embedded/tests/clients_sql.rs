//! Clients of MySQL's that we did not write work with the embedded TiDB as with the real one: Connector/J, PyMySQL and the
//! command line. The programs are in `fixtures/clients`; each tells a line for each thing that it checks.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cluster::secured::Certificates;
use cluster::{Cluster, parts};

const RELEASES: [&str; 2] = ["v8.5.3", "v4.0.9"];

fn clients(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/clients")
        .join(folder)
}

/// Runs a client and gives what it wrote to its standard output.
fn output(command: &mut Command, hint: &str) -> String {
    let what = command.get_program().display().to_string();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{what}: {error}; {hint}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Every check of a client came out well, and there were so many.
fn all_well(client: &str, told: &str, expected: usize) {
    let failed: Vec<&str> = told
        .lines()
        .filter(|line| !line.starts_with("ok ") && *line != "done")
        .collect();
    assert!(failed.is_empty(), "{client}:\n{}", failed.join("\n"));
    let well = told.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(well, expected, "{client}:\n{told}");
    assert!(told.ends_with("done\n"), "{client}:\n{told}");
}

/// The classes of the client in Java, compiled once.
fn jdbc() -> &'static Path {
    static CLASSES: OnceLock<PathBuf> = OnceLock::new();
    const HINT: &str = "a JDK is needed: apt-get install openjdk-17-jdk-headless";
    CLASSES.get_or_init(|| {
        let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients-jdbc");
        let mut sources: Vec<PathBuf> = std::fs::read_dir(clients("jdbc"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        sources.sort();
        let mut javac = Command::new("javac");
        javac.args(["--release", "17", "-encoding", "UTF-8", "-d"]);
        javac.arg(&classes).arg("-cp").arg(parts::connector_j());
        output(javac.args(sources), HINT);
        classes
    })
}

fn connector_j(cluster: &Cluster, secured: &[&str]) -> String {
    let class_path = std::env::join_paths([jdbc(), &parts::connector_j()]).unwrap();
    let server = format!("127.0.0.1:{}", cluster.tidb_port());
    let mut java = Command::new("java");
    java.args(["-Xmx1g", "-Dfile.encoding=UTF-8"]);
    if secured.is_empty() {
        // The first compiler would not use the processor's AES.
        java.arg("-XX:TieredStopAtLevel=1");
    }
    java.args(["-Duser.timezone=Europe/Berlin", "-cp"])
        .arg(class_path);
    java.args(["Checks", &server, cluster.version]);
    output(java.args(secured), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connector_j_is_served() {
    for release in RELEASES {
        let cluster = Cluster::start(release).await;
        all_well(
            &format!("Connector/J on {release}"),
            &connector_j(&cluster, &[]),
            36,
        );
        cluster.verify().await;
    }
}

/// Everything over again, and what is about TLS itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connector_j_is_served_under_tls() {
    let files = Certificates::new();
    let cluster = Cluster::start_with("v8.5.3", files.arguments()).await;
    let folder = files.path("");
    let told = connector_j(&cluster, &["REQUIRED", &folder]);
    all_well("Connector/J under TLS", &told, 36 + 6);
    cluster.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymysql_is_served() {
    for release in RELEASES {
        let cluster = Cluster::start(release).await;
        let told = pymysql(&cluster, &[]);
        all_well(&format!("PyMySQL on {release}"), &told, 8);
        cluster.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pymysql_is_served_under_tls() {
    let files = Certificates::new();
    let cluster = Cluster::start_with("v4.0.9", files.arguments()).await;
    let told = pymysql(&cluster, &[&files.path("ca.pem")]);
    all_well("PyMySQL under TLS", &told, 8 + 1);
    cluster.verify().await;
}

fn pymysql(cluster: &Cluster, secured: &[&str]) -> String {
    let mut python = Command::new("python3");
    python
        .arg(clients("python/checks.py"))
        .args([&cluster.tidb_port().to_string(), cluster.version])
        .arg(cluster.dir.path().join("rows.tsv"))
        .args(secured)
        .env("PYTHONPATH", parts::pymysql())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONIOENCODING", "utf-8");
    output(&mut python, "Python is needed: apt-get install python3")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_is_served() {
    for release in RELEASES {
        let cluster = Cluster::start(release).await;
        let root = ["--user=root", "test"];
        let typed = "create table t (a int primary key, b varchar(20), c blob);\n\
                     insert into t values (1, 'ein\\tTab', x'00ff'), (2, null, null);\n\
                     delimiter //\n select count(*) from t//\n delimiter ;\n\
                     select a, b, hex(c) from t order by a;\n\
                     use mysql\n use test\n drop table if exists missing;\n show warnings;\n";
        let told = cluster.mysql(&root, typed).unwrap();
        assert_eq!(
            told,
            "count(*)\n2\na\tb\thex(c)\n1\tein\\tTab\t00FF\n2\tNULL\tNULL\n\
             Level\tCode\tMessage\nNote\t1051\tUnknown table 'test.missing'\n",
            "{release}"
        );
        // Its completion of names asks for the columns of every table; its table form for the lengths of values.
        let table = ["--user=root", "--auto-rehash", "--table", "test"];
        let told = cluster
            .mysql(&table, "select a, b from t where a = 2;")
            .unwrap();
        assert!(told.contains("| 2 | NULL |"), "{release}: {told}");
        let told = cluster.mysql(&root, "status\n").unwrap();
        for line in [
            format!("Server version:\t\t{}", version_told(release)),
            "Current user:\t\troot@".to_owned(),
            "SSL:\t\t\tNot in use".to_owned(),
        ] {
            assert!(told.contains(&line), "{release}: {line}: {told}");
        }
        // The first statement that fails ends a script; --force goes on.
        let script = "insert into t values (3, '', ''); insert into t values (1, '', ''); insert into t values (4, '', '');";
        let told = cluster.mysql(&root, script).unwrap_err();
        assert!(told.contains("ERROR 1062 (23000) at line 1"), "{told}");
        let counted = cluster.mysql(&["-uroot", "-N", "-e", "select max(a) from t", "test"], "");
        assert_eq!(counted.unwrap(), "3\n");
        cluster
            .mysql(&["-uroot", "--force", "test"], &script.replace("(3", "(5"))
            .unwrap();
        // A file of its own, a dump's text, a user with a password.
        let file = cluster.dir.path().join("rows.csv");
        std::fs::write(&file, "10,zehn,x\n11,elf,y\n").unwrap();
        let load = format!(
            "load data local infile '{}' into table t fields terminated by ',';",
            file.display()
        );
        cluster
            .mysql(&["-uroot", "--local-infile=1", "test"], &load)
            .unwrap();
        let dump = "/*!40101 SET NAMES utf8mb4 */;\n/*!40014 SET @old = @@foreign_key_checks, foreign_key_checks = 0 */;\n\
                    insert into t values (20, 'ü', ''), (21, '', '');\n/*!40014 SET foreign_key_checks = @old */;\n\
                    create user cli identified by 'geheim'; grant select on test.* to cli;\n";
        cluster.mysql(&root, dump).unwrap();
        let count = ["-N", "-e", "select count(*), sum(a) from t", "test"];
        let reader = |password: &'static str| [&["-ucli", password][..], &count].concat();
        assert_eq!(cluster.mysql(&reader("-pgeheim"), "").unwrap(), "9\t77\n");
        let refused = cluster.mysql(&reader("-pfalsch"), "").unwrap_err();
        assert!(
            refused.contains("ERROR 1045 (28000): Access denied for user 'cli'@"),
            "{refused}"
        );
        cluster.verify().await;
    }
}

fn version_told(release: &str) -> String {
    let mysql = match release.starts_with("v8") {
        true => "8.0.11",
        false => "5.7.25",
    };
    format!("{mysql}-TiDB-{release}")
}
