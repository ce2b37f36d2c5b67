use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use super::{Context, Endpoint, Implementation, Plan, Scheme, Spec, get, jvm, text};
use crate::lab::error::LabError;
use crate::lab::topology::Kind;

/// The sizes of all parts: a task manager that is started without Flink's scripts has no defaults for them.
const SETTINGS: &[(&str, &str)] = &[
    ("classloader.check-leaked-classloader", "false"),
    ("execution.target", "remote"),
    ("jobmanager.bind-host", "127.0.0.1"),
    ("jobmanager.memory.heap.size", "256m"),
    ("jobmanager.rpc.address", "127.0.0.1"),
    ("parallelism.default", "1"),
    ("rest.address", "127.0.0.1"),
    ("rest.bind-address", "127.0.0.1"),
    ("taskmanager.bind-host", "127.0.0.1"),
    ("taskmanager.cpu.cores", "2.0"),
    ("taskmanager.host", "127.0.0.1"),
    ("taskmanager.memory.framework.heap.size", "128m"),
    ("taskmanager.memory.framework.off-heap.size", "64m"),
    ("taskmanager.memory.jvm-metaspace.size", "192m"),
    ("taskmanager.memory.jvm-overhead.max", "64m"),
    ("taskmanager.memory.jvm-overhead.min", "64m"),
    ("taskmanager.memory.managed.size", "32m"),
    ("taskmanager.memory.network.max", "32m"),
    ("taskmanager.memory.network.min", "32m"),
    ("taskmanager.memory.task.heap.size", "256m"),
    ("taskmanager.memory.task.off-heap.size", "0m"),
    ("taskmanager.numberOfTaskSlots", "16"),
];

const LOG4J: &str = "\
rootLogger.level=INFO
rootLogger.appenderRef.c.ref=C
appender.c.type=CONSOLE
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
";

const GATEWAY: &str = "sql-gateway";
const WITHOUT_GATEWAY: &[Endpoint] = &[
    Endpoint::new("rest", 8081, Scheme::Http),
    Endpoint::inner("rpc", 6123),
    Endpoint::inner("blob", 6124),
];
const WITH_GATEWAY: &[Endpoint] = &[
    Endpoint::new("rest", 8081, Scheme::Http),
    Endpoint::new(GATEWAY, 8083, Scheme::Http),
    Endpoint::inner("rpc", 6123),
    Endpoint::inner("blob", 6124),
];

pub(super) const FLINK: Spec = Spec {
    needs: &[],
    uses: &[Kind::Kafka],
    implementation: Implementation::Real,
    java: true,
    endpoints: |version, _| {
        if is_old(version) {
            WITHOUT_GATEWAY
        } else {
            WITH_GATEWAY
        }
    },
    plan,
    before: None,
    // A task manager is registered and has a free slot; the gateway, where there is one, answers.
    ready: |topology| {
        Box::pin(async move {
            let rest = topology.url(Kind::Flink, "rest").map_err(text)?;
            let overview: Overview = get(&format!("{rest}/overview")).await?;
            if overview.task_managers == 0 {
                return Err("no task manager has registered".to_owned());
            }
            if overview.slots_available == 0 {
                return Err("no slot is free".to_owned());
            }
            if let Ok(gateway) = topology.url(Kind::Flink, GATEWAY) {
                let info = get::<Info>(&format!("{gateway}/v1/info")).await;
                info.map_err(|error| format!("the SQL gateway: {error}"))?;
            }
            Ok(())
        })
    },
};

#[derive(Deserialize)]
struct Overview {
    #[serde(rename = "taskmanagers")]
    task_managers: u32,
    #[serde(rename = "slots-available")]
    slots_available: u32,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "productName")]
    _product: String,
}

/// Before 1.16 there is no SQL gateway, and durations in the configuration are bare milliseconds.
fn is_old(version: &str) -> bool {
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (1, 16)
}

fn plan(context: &Context<'_>) -> Result<Plan, LabError> {
    let component = context.component(Kind::Flink)?;
    let class_path = jvm::flink_class_path(context.topology, context.fetcher)?;
    let conf = context.paths.conf(Kind::Flink);
    let old = is_old(&component.version);
    let milliseconds = |n: u32| if old { n.to_string() } else { format!("{n}ms") };
    let mut settings: BTreeMap<&str, String> = SETTINGS
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    let port = |name: &str| {
        context
            .topology
            .port(Kind::Flink, name)
            .map(|port| port.to_string())
    };
    settings.extend([
        ("blob.server.port", port("blob")?),
        // Under load a registration that is lost at the start costs seconds by default.
        ("cluster.registration.error-delay", milliseconds(200)),
        ("cluster.registration.initial-timeout", milliseconds(100)),
        (
            "cluster.registration.refused-registration-delay",
            milliseconds(500),
        ),
        (
            "io.tmp.dirs",
            context.paths.data(Kind::Flink).display().to_string(),
        ),
        ("jobmanager.rpc.port", port("rpc")?),
        ("rest.port", port("rest")?),
    ]);
    if !old {
        settings.extend([
            ("sql-gateway.endpoint.rest.address", "127.0.0.1".to_owned()),
            (
                "sql-gateway.endpoint.rest.bind-address",
                "127.0.0.1".to_owned(),
            ),
            ("sql-gateway.endpoint.rest.port", port(GATEWAY)?),
        ]);
    }
    for (name, value) in &component.config {
        settings.insert(name, value.clone());
    }
    let mut yaml = String::new();
    for (name, value) in settings {
        let _ = writeln!(yaml, "{name}: {value}");
    }
    let file = conf.join(if old {
        "flink-conf.yaml"
    } else {
        "config.yaml"
    });
    let log4j = conf.join("log4j2.properties");
    let mut options = jvm::flink_options();
    options.push(format!(
        "-Dlog4j.configurationFile=file:{}",
        log4j.display()
    ));
    options.push("-Dorg.slf4j.simpleLogger.showDateTime=true".to_owned());
    let folder = conf.display().to_string();
    Ok(Plan {
        program: jvm::java(component)?,
        arguments: jvm::Start {
            heap: "768m",
            options,
            class_path,
            program: vec!["FlinkAllInOne".to_owned(), folder.clone()],
        }
        .arguments(),
        // The gateway looks for its configuration there.
        environment: vec![("FLINK_CONF_DIR".to_owned(), folder)],
        files: vec![(file, yaml), (log4j, LOG4J.to_owned())],
        first: Vec::new(),
        version: component.version.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_came_with_1_16() {
        for (version, gateway) in [
            ("1.12.1", false),
            ("1.15.4", false),
            ("1.16.0", true),
            ("1.20.3", true),
            ("2.3.0", true),
        ] {
            let endpoints = (FLINK.endpoints)(version, false);
            assert_eq!(
                endpoints.iter().any(|endpoint| endpoint.name == GATEWAY),
                gateway,
                "{version}"
            );
        }
    }
}
