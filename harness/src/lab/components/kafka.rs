pub(crate) mod secured;

use std::collections::BTreeMap;

use tokio::net::TcpStream;

use super::{Endpoint, Implementation, Plan, Scheme, Spec, jvm, text, zookeeper};
use crate::lab::error::LabError;
use crate::lab::topology::Kind;
use crate::observe::kafka::Kafka;

const LOG4J: &str = "\
log4j.rootLogger=INFO, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
";
const BROKER: &str = "broker.id";
/// The listener that the chain itself uses.
const PLAIN: Endpoint = Endpoint::new("bootstrap", 9092, Scheme::Other);

pub(super) const KAFKA: Spec = Spec {
    needs: &[Kind::Zookeeper],
    uses: &[],
    implementation: Implementation::Real,
    java: true,
    endpoints: |_, secured| match secured {
        true => secured::ENDPOINTS,
        false => &[PLAIN],
    },
    plan: |context| {
        let component = context.component(Kind::Kafka)?;
        let jars = jvm::jars(context, Kind::Kafka)?;
        let conf = context.paths.conf(Kind::Kafka);
        let (file, log4j) = (
            conf.join("server.properties"),
            conf.join("log4j.properties"),
        );
        let mut listeners = format!(
            "PLAINTEXT://{}",
            context.topology.address(Kind::Kafka, "bootstrap")?
        );
        if component.secured {
            listeners += &secured::listeners(context.topology)?;
        }
        let one = || "1".to_owned();
        let mut settings = BTreeMap::from([
            (BROKER, "0".to_owned()),
            ("listeners", listeners.clone()),
            ("advertised.listeners", listeners),
            (
                "zookeeper.connect",
                context.topology.address(Kind::Zookeeper, "client")?,
            ),
            // A killed broker's registration is gone sooner than after the default of 18 s.
            ("zookeeper.session.timeout.ms", "6000".to_owned()),
            (
                "log.dirs",
                context
                    .paths
                    .data(Kind::Kafka)
                    .join("log")
                    .display()
                    .to_string(),
            ),
            ("num.partitions", one()),
            ("offsets.topic.replication.factor", one()),
            ("offsets.topic.num.partitions", one()),
            ("transaction.state.log.replication.factor", one()),
            ("transaction.state.log.num.partitions", one()),
            ("transaction.state.log.min.isr", one()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            // A mistyped topic is an error, not a new topic.
            ("auto.create.topics.enable", "false".to_owned()),
            ("message.max.bytes", "12800000".to_owned()),
            ("replica.fetch.max.bytes", "12800000".to_owned()),
            ("log.cleaner.dedupe.buffer.size", "2000000".to_owned()),
        ]);
        let run = |program: Vec<String>| {
            Ok::<_, LabError>(
                jvm::Start {
                    heap: "256m",
                    options: vec![format!("-Dlog4j.configuration=file:{}", log4j.display())],
                    class_path: jvm::class_path(&jars)?,
                    program,
                }
                .arguments(),
            )
        };
        let (mut files, mut first) = (Vec::new(), Vec::new());
        if component.secured {
            let of_lab = secured::Files::of(context.paths);
            files = of_lab.texts()?;
            settings.extend(secured::settings(&of_lab, &files));
            first.push(run(secured::scram_user(context)?)?);
        }
        files.push((file.clone(), jvm::properties(settings, component)));
        files.push((log4j.clone(), LOG4J.to_owned()));
        Ok(Plan {
            program: jvm::java(component)?,
            arguments: run(vec!["kafka.Kafka".to_owned(), file.display().to_string()])?,
            environment: Vec::new(),
            files,
            first,
            version: component.version.clone(),
        })
    },
    // A broker that was killed stays registered until its session ends, and Kafka refuses to start beside it.
    before: Some(|topology| {
        Box::pin(async move {
            let component = topology.component(Kind::Kafka).map_err(text)?;
            let broker = component.config.get(BROKER).map_or("0", String::as_str);
            let node = format!("/brokers/ids/{broker}");
            let sessions = zookeeper::ask(topology, "dump").await?;
            match sessions.lines().any(|line| line.trim() == node) {
                true => {
                    Err("ZooKeeper still has the session of the broker that was killed".to_owned())
                }
                false => Ok(()),
            }
        })
    }),
    // Its controller would create a topic on a registered broker.
    ready: |topology| {
        Box::pin(async move {
            let address = topology.address(Kind::Kafka, "bootstrap").map_err(text)?;
            // Kafka's client waits ever longer between attempts; so it is not asked before there is a listener.
            TcpStream::connect(&address).await.map_err(text)?;
            Kafka::new(&address).ready().await.map_err(text)
        })
    },
};
