use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Endpoint, Implementation, Plan, Scheme, Spec, jvm, text};
use crate::lab::topology::{Kind, Topology};

/// How long an answer may take: one who asks while ZooKeeper is opening its port is never answered, and asks again.
const ANSWER: Duration = Duration::from_millis(500);

pub(super) const ZOOKEEPER: Spec = Spec {
    needs: &[],
    uses: &[],
    implementation: Implementation::Real,
    java: true,
    endpoints: |_, _| const { &[Endpoint::new("client", 2181, Scheme::Other)] },
    plan: |context| {
        let component = context.component(Kind::Zookeeper)?;
        let jars = jvm::jars(context, Kind::Zookeeper)?;
        let file = context.paths.conf(Kind::Zookeeper).join("zoo.cfg");
        let settings = BTreeMap::from([
            ("tickTime", "2000".to_owned()),
            (
                "dataDir",
                context.paths.data(Kind::Zookeeper).display().to_string(),
            ),
            (
                "clientPort",
                context
                    .topology
                    .port(Kind::Zookeeper, "client")?
                    .to_string(),
            ),
            ("clientPortAddress", "127.0.0.1".to_owned()),
            ("admin.enableServer", "false".to_owned()),
            ("maxClientCnxns", "0".to_owned()),
            ("4lw.commands.whitelist", "ruok,srvr,mntr,dump".to_owned()),
        ]);
        Ok(Plan {
            program: jvm::java(component)?,
            arguments: jvm::Start {
                heap: "128m",
                options: vec!["-Dorg.slf4j.simpleLogger.showDateTime=true".to_owned()],
                class_path: jvm::class_path(&jars)?,
                program: vec![
                    "org.apache.zookeeper.server.quorum.QuorumPeerMain".to_owned(),
                    file.display().to_string(),
                ],
            }
            .arguments(),
            environment: Vec::new(),
            files: vec![(file, jvm::properties(settings, component))],
            first: Vec::new(),
            version: component.version.clone(),
        })
    },
    before: None,
    // It says that it is fine, and serves.
    ready: |topology| {
        Box::pin(async move {
            let answer = ask(topology, "ruok").await?;
            if answer != "imok" {
                return Err(format!("it answers `{answer}` to ruok, not `imok`"));
            }
            let answer = ask(topology, "srvr").await?;
            if !answer.contains("Mode: ") {
                return Err(format!("it answers `{}` to srvr", answer.trim()));
            }
            Ok(())
        })
    },
};

/// The answer to one of ZooKeeper's four-letter words.
pub(super) async fn ask(topology: &Topology, word: &str) -> Result<String, String> {
    let address = topology.address(Kind::Zookeeper, "client").map_err(text)?;
    let asked = async {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(ANSWER, asked).await {
        Ok(answer) => answer.map_err(text),
        Err(_) => Err(format!("it does not answer {word}")),
    }
}
