//! A cluster of processes: etcd, Kafka, `embedded pd | tikv | tidb`, and `cdc server`.

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use pipeline::upstream::Upstream;
use tempfile::TempDir;

/// How long a part may take to serve.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(25);
/// Folders in the lab's cache, by part.
static FETCHED: LazyLock<Mutex<HashMap<&str, PathBuf>>> = LazyLock::new(Mutex::default);

/// The folder of a part in the lab's cache, fetched if it is not there.
fn fetched(part: &'static str) -> PathBuf {
    let mut fetched = FETCHED.lock().unwrap();
    let folder = fetched.entry(part).or_insert_with(|| {
        let mut command = Command::new(env!("CARGO"));
        // what Cargo tells this program of itself makes build scripts run again
        for (name, _) in std::env::vars_os() {
            let told = name.to_string_lossy();
            if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        let output = command
            .args(["xtask", "fetch", part])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo xtask fetch {part}: {said}");
        String::from_utf8(output.stdout).unwrap().trim_end().into()
    });
    folder.clone()
}

fn embedded() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_cdc")).with_file_name("embedded");
    assert!(
        path.is_file(),
        "{} is missing; run `cargo build -p embedded` first",
        path.display()
    );
    path
}

/// Ports that are free now and that no other cluster of this process has. They lie below those that systems give to
/// outgoing connections, one of which could take a port between now and its use.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 18_000 + u16::try_from(std::process::id() % 120).unwrap() * 100;
    [(); N].map(|()| {
        loop {
            let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
            assert!(port < 32_000, "no free port from {first} on");
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

/// A running cluster; everything it started ends with it.
pub struct Cluster {
    pub dir: TempDir,
    pub pd: u16,
    pub kafka: u16,
    pub cdc: u16,
    tidb: u16,
    controller: u16,
    /// The address of etcd, and the release of TiDB: what PD is started with.
    pd_of: (String, String),
    children: Vec<(&'static str, Child)>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // the front first: it ends its MariaDB by itself when it is asked to
        for (name, child) in self.children.iter_mut().rev() {
            if *name == "tidb" || name.starts_with("cdc") {
                let _ = Command::new("kill").arg(child.id().to_string()).status();
                let deadline = Instant::now() + Duration::from_secs(20);
                while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
                    std::thread::sleep(POLL);
                }
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until a condition holds, or says what was missing.
pub fn until(what: &str, mut condition: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    while let Err(missing) = condition() {
        assert!(
            started.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}; last: {missing}"
        );
        std::thread::sleep(POLL);
    }
}

impl Cluster {
    /// A fresh cluster of this TiDB release with a server of this level, everything up.
    #[allow(clippy::too_many_lines)]
    pub fn start(tidb: &str, compat: &str) -> Self {
        let [
            etcd,
            peer,
            pd,
            tikv,
            tikv_status,
            sql,
            sql_status,
            kafka,
            controller,
            cdc,
        ] = free_ports();
        // short: MariaDB's socket lives below
        let dir = tempfile::Builder::new().prefix("cs").tempdir().unwrap();
        let mut cluster = Self {
            dir,
            pd,
            kafka,
            cdc,
            tidb: sql,
            controller,
            pd_of: (format!("http://127.0.0.1:{etcd}"), tidb.to_owned()),
            children: Vec::new(),
        };
        let local = |port: u16| format!("127.0.0.1:{port}");
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let folder = |name: &str| {
            let path = cluster.dir.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path.display().to_string()
        };
        let (etcd_dir, tikv_dir, tidb_dir) = (folder("etcd"), folder("tikv"), folder("tidb"));
        let kafka_dir = folder("kafka");
        let etcd_bin = fetched("etcd").join("usr/bin/etcd");
        let mariadb = fetched("mariadb");
        cluster.spawn(
            "etcd",
            Command::new(etcd_bin)
                .args(["--data-dir", &etcd_dir])
                .args(["--listen-client-urls", &url(etcd)])
                .args(["--advertise-client-urls", &url(etcd)])
                .args(["--listen-peer-urls", &url(peer)])
                .args(["--initial-advertise-peer-urls", &url(peer)])
                .args(["--initial-cluster", &format!("default={}", url(peer))]),
        );
        cluster.spawn(
            "kafka",
            &mut kafka_command(&kafka_dir, kafka, controller, ""),
        );
        let version = tidb.trim_start_matches('v');
        cluster.start_pd();
        cluster.spawn(
            "tikv",
            Command::new(embedded())
                .args(["tikv", "--pd", &url(pd), "--addr", &local(tikv)])
                .args([
                    "--status-addr",
                    &local(tikv_status),
                    "--data-dir",
                    &tikv_dir,
                ])
                .args(["--version", version, "--cdc-min-ts-interval", "100ms"]),
        );
        cluster.spawn(
            "tidb",
            Command::new(embedded())
                .args(["tidb", "--pd", &url(pd), "--addr", &local(sql)])
                .args(["--status-addr", &local(sql_status), "--data-dir", &tidb_dir])
                .arg("--mariadb-dir")
                .arg(mariadb)
                .args(["--version", tidb]),
        );
        until("TiDB", || {
            let ended = cluster.children.iter_mut().find_map(|(name, child)| {
                let status = child.try_wait().ok()??;
                Some((*name, status))
            });
            if let Some((name, status)) = ended {
                panic!("{name} ended with {status}:\n{}", cluster.log(name));
            }
            let output = cluster.mariadb("select 1");
            output
                .status
                .success()
                .then_some(())
                .ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
        });
        until("Kafka", || {
            std::net::TcpStream::connect(local(kafka))
                .map(drop)
                .map_err(|error| error.to_string())
        });
        cluster.start_cdc("cdc", cdc, compat);
        cluster.owned();
        cluster
    }

    /// A Kafka with these settings and nothing else.
    pub fn kafka_alone(settings: &str) -> Self {
        let [kafka, controller] = free_ports();
        let mut cluster = Self {
            dir: tempfile::tempdir().unwrap(),
            pd: 0,
            kafka,
            cdc: 0,
            tidb: 0,
            controller,
            pd_of: (String::new(), String::new()),
            children: Vec::new(),
        };
        let dir = cluster.dir.path().join("kafka");
        fs::create_dir_all(&dir).unwrap();
        let dir = dir.display().to_string();
        cluster.spawn(
            "kafka",
            &mut kafka_command(&dir, kafka, controller, settings),
        );
        until("Kafka", || {
            std::net::TcpStream::connect(("127.0.0.1", kafka))
                .map(drop)
                .map_err(|error| error.to_string())
        });
        cluster
    }

    fn spawn(&mut self, name: &'static str, command: &mut Command) {
        let log = fs::File::create(self.dir.path().join(format!("{name}.log"))).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        self.children.push((name, child));
    }

    /// A client that runs statements; it needs nothing of the cluster but that it is there.
    pub fn client(&self) -> impl Fn(&str) -> Output + Send + use<> {
        let root = fetched("mariadb");
        let port = format!("-P{}", self.tidb);
        move |sql| {
            Command::new(root.join("usr/bin/mariadb"))
                .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
                .args(["-h127.0.0.1", &port, "-uroot", "-NB", "test", "-e", sql])
                .output()
                .unwrap()
        }
    }

    fn mariadb(&self, sql: &str) -> Output {
        self.client()(sql)
    }

    /// What queries give, tab-separated and without names; nothing for those that fail.
    pub fn answers(&self, sql: &str) -> String {
        let root = fetched("mariadb");
        let file = self.dir.path().join("queries.sql");
        fs::write(&file, sql).unwrap();
        let output = Command::new(root.join("usr/bin/mariadb"))
            .env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"))
            .args(["-h127.0.0.1", &format!("-P{}", self.tidb), "-uroot", "test"])
            .args(["-N", "--force", "--default-character-set=utf8mb4"])
            .stdin(fs::File::open(file).unwrap())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs statements.
    pub fn sql(&self, sql: &str) {
        let output = self.mariadb(sql);
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Waits until the server owns the changefeeds.
    pub fn owned(&self) {
        until("an owner", || {
            let status = self.get("/status");
            match status.contains("\"is_owner\": true") {
                true => Ok(()),
                false => Err(status),
            }
        });
    }

    /// The body of a GET, or why there is none.
    pub fn get(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.cdc);
        block(async move {
            match reqwest::get(url).await {
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => error.to_string(),
            }
        })
    }

    /// The body of the answer to a POST.
    pub fn post(&self, path: &str, body: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.cdc);
        let request = reqwest::Client::new().post(url).body(body.to_owned());
        block(async move { request.send().await.unwrap().text().await.unwrap() })
    }

    /// Lets everything up to now be collected, as a cluster's own GC does.
    pub fn collect_garbage(&self) {
        let pd = vec![format!("http://127.0.0.1:{}", self.pd)];
        block(async move {
            let upstream = Upstream::connect(&pd).await.unwrap();
            let now = upstream.tso().await.unwrap();
            upstream
                .update_service_safepoint("gc_worker", i64::MAX, now)
                .await
                .unwrap();
        });
    }

    /// Runs `cdc cli` against PD; its standard output.
    pub fn cli(&self, args: &[&str]) -> String {
        self.any_cli(args, &format!("--pd=http://127.0.0.1:{}", self.pd))
    }

    /// Runs `cdc cli` against one server.
    pub fn server_cli(&self, port: u16, args: &[&str]) -> String {
        self.any_cli(args, &format!("--server=http://127.0.0.1:{port}"))
    }

    fn any_cli(&self, args: &[&str], whom: &str) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_cdc"))
            .arg("cli")
            .args(args)
            .arg(whom)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// All changefeeds as `changefeed list --all` shows them, by id.
    pub fn changefeeds(&self) -> serde_json::Map<String, serde_json::Value> {
        let list = self.cli(&["changefeed", "list", "--all"]);
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        list.into_iter()
            .map(|item| {
                let id = item["id"].as_str().unwrap().to_owned();
                (id, item["summary"].clone())
            })
            .collect()
    }

    /// Waits until a changefeed has sent everything up to now; one that is not there or stands still has nothing to
    /// send.
    pub fn caught_up(&self, id: &str) {
        let now: u64 = self.cli(&["tso", "query"]).trim().parse().unwrap();
        until(&format!("changefeed {id} past {now}"), || {
            let feeds = self.changefeeds();
            let Some(summary) = feeds.get(id) else {
                return Ok(());
            };
            match summary["tso"].as_u64() {
                _ if summary["state"] != "normal" => Ok(()),
                Some(tso) if tso > now => self.stored_past(id, now),
                _ => Err(summary.to_string()),
            }
        });
    }

    /// Whether etcd knows that a changefeed has sent everything up to a timestamp: the owner tells what it has in memory of
    /// all changefeeds, and v4.0.9 of one what is stored, at its next tick.
    fn stored_past(&self, id: &str, now: u64) -> Result<(), String> {
        let told = self.cli(&["changefeed", "query", "-s=false", "-c", id]);
        let told: serde_json::Value = serde_json::from_str(&told).map_err(|e| e.to_string())?;
        match told["status"]["checkpoint-ts"].as_u64() {
            Some(stored) if stored <= now => Err(told["status"].to_string()),
            _ => Ok(()),
        }
    }

    /// Removes all changefeeds of v4.0.9, and what is kept of them.
    pub fn reset_changefeeds(&self) {
        for (id, _) in self.changefeeds() {
            self.cli(&["changefeed", "remove", "-f", "-c", &id]);
        }
    }

    /// Ends a part at once.
    pub fn kill(&mut self, name: &str) {
        let at = self
            .children
            .iter()
            .position(|(part, _)| *part == name)
            .unwrap();
        let (_, mut child) = self.children.remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends a signal to a part.
    pub fn signal(&self, name: &str, signal: &str) {
        let (_, child) = self
            .children
            .iter()
            .find(|(part, _)| *part == name)
            .unwrap();
        let sent = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Starts PD, for the first time or after it was killed.
    pub fn start_pd(&mut self) {
        let (etcd, version) = self.pd_of.clone();
        let mut command = Command::new(embedded());
        command
            .args(["pd", "--addr", &format!("127.0.0.1:{}", self.pd)])
            .args(["--etcd", &etcd, "--version", &version]);
        self.spawn("pd", &mut command);
    }

    /// Starts Kafka again after it was killed.
    pub fn restart_kafka(&mut self) {
        let dir = self.dir.path().join("kafka").display().to_string();
        let mut command = kafka_command(&dir, self.kafka, self.controller, "");
        self.spawn("kafka", &mut command);
    }

    /// Starts a server on this port.
    pub fn start_cdc(&mut self, name: &'static str, port: u16, compat: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdc"));
        command
            .args(["server", "--pd", &format!("http://127.0.0.1:{}", self.pd)])
            .args(["--addr", &format!("127.0.0.1:{port}"), "--compat", compat]);
        self.spawn(name, &mut command);
    }

    /// Ends a part as an operator does, and waits for it; its exit code.
    pub fn terminate(&mut self, name: &str) -> Option<i32> {
        let at = self
            .children
            .iter()
            .position(|(part, _)| *part == name)
            .unwrap();
        let (_, mut child) = self.children.remove(at);
        let sent = Command::new("kill").arg(child.id().to_string()).status();
        assert!(sent.unwrap().success());
        let mut code = None;
        until(&format!("the end of {name}"), || match child.try_wait() {
            Ok(Some(status)) => {
                code = status.code();
                Ok(())
            }
            other => Err(format!("{other:?}")),
        });
        code
    }

    /// The end of a part's log.
    pub fn log(&self, name: &str) -> String {
        let path = self.dir.path().join(format!("{name}.log"));
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// A Kafka of one node without ZooKeeper.
fn kafka_command(dir: &str, port: u16, controller: u16, settings: &str) -> Command {
    let jars = fetched("kafka-3.9.2");
    let properties = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\nlog.dirs={dir}\n\
         auto.create.topics.enable=false\noffsets.topic.replication.factor=1\n{settings}"
    );
    let file = Path::new(dir).with_extension("properties");
    fs::write(&file, properties).unwrap();
    fs::write(
        Path::new(dir).join("meta.properties"),
        "version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qk\nnode.id=1\n",
    )
    .unwrap();
    let mut command = Command::new("java");
    command
        .args([
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-cp",
        ])
        .arg(format!("{}/*", jars.display()))
        .arg("kafka.Kafka")
        .arg(file);
    command
}

/// Runs something that waits on the network.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
