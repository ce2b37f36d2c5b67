//! A lab with nothing but Kafka and what it needs, and the sink opened on it.

use std::{
    future::Future,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

use pipeline::{
    coded::Coded,
    compat::Compat,
    config::{
        kafka::Identity, legacy::LegacyConfig, replica::ReplicaConfig, uri::SinkUri, validate,
    },
    meters::FeedMeters,
    sink::{
        kafka::{producer::Producer, settle::Settled},
        prepare::{Kafka, prepare, prepare_legacy},
    },
};
use rdkafka::{
    ClientConfig, Message as _, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    topic_partition_list::Offset,
};
use tempfile::TempDir;

/// The lab's user (README).
pub const USER: &str = "lab";
pub const PASSWORD: &str = "lab-secret";
const IDENTITY: Identity<'_> = Identity {
    capture: "127.0.0.1:8300",
    namespace: "default",
    changefeed: "secured",
};

/// A running lab; it ends with this.
pub struct Lab {
    home: TempDir,
    name: String,
    status: serde_json::Value,
}

fn xtask(home: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .arg("xtask")
        .args(arguments)
        .env("CDCLAB_HOME", home.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

impl Drop for Lab {
    fn drop(&mut self) {
        let output = xtask(&self.home, &["lab-down", "--name", &self.name, "--purge"]);
        if !output.status.success() && !std::thread::panicking() {
            panic!("{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

impl Lab {
    pub fn start(profile: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        // the search for free ports begins at a place of the name's own
        let name = format!("secured-{profile}-{}", std::process::id());
        let up = [
            "lab-up",
            "--name",
            &name,
            "--profile",
            profile,
            "--only",
            "kafka",
            "--secure-kafka",
            "--json",
        ];
        let output = xtask(&home, &up);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let status = serde_json::from_slice(&output.stdout).unwrap();
        Self { home, name, status }
    }

    /// The address of a listener.
    pub fn address(&self, endpoint: &str) -> &str {
        address(&self.status, endpoint)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        let conf = self.home.path().join("labs").join(&self.name);
        conf.join("conf/kafka").join(name)
    }

    /// Where Kafka keeps a partition.
    pub fn segment(&self, topic: &str) -> PathBuf {
        let data = self.home.path().join("labs").join(&self.name);
        data.join(format!("data/kafka/log/{topic}-0/00000000000000000000.log"))
    }

    /// Options of TLS with the lab's own authority and a client's certificate.
    pub fn tls(&self) -> String {
        format!(
            "&ca={}&cert={}&key={}",
            self.file("ca.pem").display(),
            self.file("client.pem").display(),
            self.file("client-key.pem").display()
        )
    }

    pub fn uri(&self, endpoint: &str, topic: &str, options: &str) -> String {
        format!(
            "kafka://{}/{topic}?protocol=canal-json{options}",
            self.address(endpoint)
        )
    }

    /// What another client reads of a topic's only partition, in the clear. It is a new one each time: one that ran before the
    /// topic was made learns of it late.
    pub fn read(&self, topic: &str, count: usize) -> Vec<String> {
        let reader: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.address("bootstrap"))
            .set("group.id", "reader")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning)
            .unwrap();
        reader.assign(&list).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut read = Vec::new();
        while read.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = reader.poll(left).unwrap_or_else(|| {
                panic!("{topic}: {} of {count} messages within 30 s", read.len())
            });
            let message = message.unwrap();
            read.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
        }
        read
    }
}

/// The address of one of Kafka's listeners in what `lab-up` printed.
fn address<'a>(status: &'a serde_json::Value, endpoint: &str) -> &'a str {
    let components = status["components"].as_array().unwrap();
    let kafka = components.iter().find(|one| one["name"] == "kafka");
    kafka.unwrap()["endpoints"][endpoint]
        .as_str()
        .unwrap_or_else(|| panic!("no endpoint {endpoint}: {status}"))
}

/// SASL options of the lab's user.
pub fn sasl(mechanism: &str, password: &str) -> String {
    format!("&sasl-mechanism={mechanism}&sasl-user={USER}&sasl-password={password}")
}

/// Checks and settles a sink as a changefeed does.
pub fn open(uri: &str) -> Result<Settled, Coded> {
    let uri = SinkUri::parse(uri).unwrap();
    let mut config = ReplicaConfig::defaults(Compat::V8_5);
    validate::adjust(&mut config, &uri)?;
    block(prepare(&Kafka, &uri, &config, Compat::V8_5, IDENTITY)).map(|prepared| prepared.settled)
}

/// The same of v4.0.9.
pub fn open_legacy(uri: &str) -> Result<Settled, Coded> {
    let uri = SinkUri::parse(uri).unwrap();
    let mut config = LegacyConfig {
        enable_old_value: true,
        ..LegacyConfig::default()
    };
    block(prepare_legacy(
        &Kafka,
        &uri,
        &mut config,
        |_, _| (),
        IDENTITY,
    ))
    .map(|prepared| prepared.settled)
}

/// Sends these and waits until all are acknowledged.
pub fn send(settled: &Settled, compat: Compat, messages: &[String]) {
    block(async {
        let producer = Producer::new(settled, compat, 64 << 20, FeedMeters::default()).unwrap();
        for message in messages {
            producer
                .send(&settled.topic, 0, None, message.as_bytes())
                .await
                .unwrap();
        }
        producer.flush().await.unwrap();
    });
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
