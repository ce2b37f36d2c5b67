//! The flags of each command.

use super::{Command, Command::*, Generation};
use crate::cli::flags::{Flag, Kind};

pub(super) const COMPAT: Flag = Flag::new(
    "compat",
    Kind::Text,
    "Behave as this TiCDC: v4.0.9, v6.5 or v8.5",
);
const ID: Flag = Flag::new(
    "changefeed-id",
    Kind::Text,
    "Replication task (changefeed) ID",
)
.short('c');
const NAMESPACE: Flag = Flag::new(
    "namespace",
    Kind::Text,
    "Replication task (changefeed) Namespace",
)
.short('n')
.default("default");
const NO_CONFIRM: Flag = Flag::new(
    "no-confirm",
    Kind::Bool,
    "Don't ask user whether to ignore ineligible table",
);
const CONFIG: Flag = Flag::new("config", Kind::Text, "Path of the configuration file");
const TLS: [Flag; 3] = [
    Flag::new("ca", Kind::Text, "CA certificate path for TLS connection"),
    Flag::new("cert", Kind::Text, "Certificate path for TLS connection"),
    Flag::new("key", Kind::Text, "Private key path for TLS connection"),
];

pub(super) fn globals(generation: Generation) -> Vec<Flag> {
    let mut flags: Vec<Flag> = TLS.to_vec();
    match generation {
        Generation::Legacy => flags.extend([
            Flag::new("interact", Kind::Bool, "Run cdc cli with readline").short('i'),
            Flag::new(
                "log-level",
                Kind::Text,
                "log level (etc: debug|info|warn|error)",
            )
            .default("warn"),
            Flag::new(
                "pd",
                Kind::Text,
                "PD address, use ',' to separate multiple PDs",
            )
            .default("http://127.0.0.1:2379"),
        ]),
        Generation::Modern => flags.extend([
            Flag::new(
                "log-level",
                Kind::Text,
                "log level (etc: debug|info|warn|error)",
            )
            .default("warn"),
            Flag::new("password", Kind::Text, "Password for the client"),
            Flag::new(
                "pd",
                Kind::Text,
                "PD address, use ',' to separate multiple PDs",
            ),
            Flag::new("server", Kind::Text, "CDC server address"),
            Flag::new("user", Kind::Text, "User name for the client"),
        ]),
    }
    flags.push(COMPAT);
    flags.into_iter().map(Flag::global).collect()
}

/// The flags of `create` and `update`, which are much the same.
fn changefeed_flags(generation: Generation, update: bool) -> Vec<Flag> {
    let id = if update { ID.required() } else { ID };
    let target = Flag::new("target-ts", Kind::Uint, "Target ts of changefeed");
    let start = Flag::new("start-ts", Kind::Uint, "Start ts of changefeed");
    let sink = Flag::new("sink-uri", Kind::Text, "sink uri");
    let engine = Flag::new("sort-engine", Kind::Text, "sort engine used for data sort");
    let dir = Flag::new("sort-dir", Kind::Text, "directory used for data sort");
    match generation {
        Generation::Modern => {
            let mut flags = vec![
                id,
                CONFIG,
                NAMESPACE,
                NO_CONFIRM,
                Flag::new("schema-registry", Kind::Text, "Avro Schema Registry URI"),
                sink,
                start,
                target,
                engine.hidden(),
                dir.hidden(),
                Flag::new("tz", Kind::Text, "timezone used when checking sink uri").hidden(),
                Flag::new("upstream-pd", Kind::Text, "upstream PD address").hidden(),
                Flag::new("upstream-ca", Kind::Text, "CA certificate path").hidden(),
                Flag::new("upstream-cert", Kind::Text, "Certificate path").hidden(),
                Flag::new("upstream-key", Kind::Text, "Private key path").hidden(),
            ];
            if !update {
                flags.push(Flag::new(
                    "disable-gc-check",
                    Kind::Bool,
                    "Disable GC safe point check",
                ));
            }
            flags
        }
        Generation::Legacy => {
            let mut flags = vec![
                id,
                CONFIG,
                Flag::new("cyclic-filter-replica-ids", Kind::Text, "(Experimental) Cyclic replication filter replica ID of changefeed"),
                Flag::new("cyclic-replica-id", Kind::Uint, "(Experimental) Cyclic replication replica ID of changefeed"),
                Flag::new("cyclic-sync-ddl", Kind::Bool, "(Experimental) Cyclic replication sync DDL of changefeed").default("true"),
                NO_CONFIRM,
                Flag::new("opts", Kind::Pairs, "Extra options, in the `key=value` format"),
                sink.default("mysql://root:123456@127.0.0.1:3306/"),
                dir.default("."),
                engine.default("memory"),
                start,
                Flag::new("sync-interval", Kind::Duration, "(Experimental) Set the interval for syncpoint in replication(default 10min)").default("10m0s"),
                Flag::new("sync-point", Kind::Bool, "(Experimental) Set and Record syncpoint in replication(default off)"),
                target,
                Flag::new("tz", Kind::Text, "timezone used when checking sink uri (changefeed timezone is determined by cdc server)").default("SYSTEM"),
            ];
            if !update {
                flags.push(Flag::new(
                    "disable-gc-check",
                    Kind::Bool,
                    "Disable GC safe point check",
                ));
            }
            flags
        }
    }
}

fn server_flags(generation: Generation) -> Vec<Flag> {
    let mut flags = vec![
        Flag::new(
            "pd",
            Kind::Text,
            "Set the PD endpoints to use. Use ',' to separate multiple PDs",
        )
        .default("http://127.0.0.1:2379"),
        Flag::new("addr", Kind::Text, "Set the listening address").default("127.0.0.1:8300"),
        Flag::new(
            "advertise-addr",
            Kind::Text,
            "Set the advertise listening address for client communication",
        ),
        Flag::new("tz", Kind::Text, "Specify time zone of TiCDC cluster").default("System"),
        Flag::new(
            "gc-ttl",
            Kind::Uint,
            "CDC GC safepoint TTL duration, specified in seconds",
        )
        .default("86400"),
        Flag::new("log-file", Kind::Text, "log file path"),
        Flag::new(
            "log-level",
            Kind::Text,
            "log level (etc: debug|info|warn|error)",
        )
        .default("info"),
        Flag::new(
            "data-dir",
            Kind::Text,
            "the path to the directory used to store TiCDC-generated data",
        ),
        Flag::new(
            "owner-flush-interval",
            Kind::Duration,
            "owner flushes changefeed status interval",
        )
        .hidden(),
        Flag::new(
            "processor-flush-interval",
            Kind::Duration,
            "processor flushes task status interval",
        )
        .hidden(),
        COMPAT,
    ];
    flags.extend(TLS);
    if generation == Generation::Modern {
        flags.push(Flag::new(
            "config",
            Kind::Text,
            "Path of the configuration file",
        ));
        flags.push(Flag::new("cluster-id", Kind::Text, "Set cdc cluster id").default("default"));
    }
    flags
}

impl Command {
    pub(super) fn own_flags(self, generation: Generation) -> Vec<Flag> {
        let modern = generation == Generation::Modern;
        let namespace = modern.then_some(NAMESPACE);
        match self {
            Server => server_flags(generation),
            Create => changefeed_flags(generation, false),
            Update => changefeed_flags(generation, true),
            List => [Flag::new(
                "all",
                Kind::Bool,
                "List all replication tasks(including removed and finished)",
            )
            .short('a')]
            .into_iter()
            .chain(namespace)
            .collect(),
            Query => [
                ID.required(),
                Flag::new("simple", Kind::Bool, "Output simplified replication status").short('s'),
            ]
            .into_iter()
            .chain(namespace)
            .collect(),
            Pause => [ID.required()].into_iter().chain(namespace).collect(),
            Resume if modern => vec![
                ID.required(),
                NAMESPACE,
                NO_CONFIRM,
                Flag::new(
                    "overwrite-checkpoint-ts",
                    Kind::Text,
                    "Overwrite the changefeed checkpoint ts, should be 'now' or a specified tso value",
                ),
                Flag::new("upstream-pd", Kind::Text, "upstream PD address").hidden(),
            ],
            Resume => vec![ID.required(), NO_CONFIRM],
            Remove if modern => vec![ID.required(), NAMESPACE],
            Remove => vec![
                ID.required(),
                Flag::new(
                    "force",
                    Kind::Bool,
                    "remove all information of the changefeed",
                )
                .short('f'),
            ],
            Statistics => [
                ID.required(),
                Flag::new(
                    "interval",
                    Kind::Uint,
                    "Interval for outputing the latest statistics",
                )
                .short('I')
                .default("10"),
            ]
            .into_iter()
            .chain(namespace)
            .collect(),
            ProcessorQuery => [
                ID.required(),
                Flag::new("capture-id", Kind::Text, "capture ID")
                    .short('p')
                    .required(),
            ]
            .into_iter()
            .chain(namespace)
            .collect(),
            Unsafe | UnsafeReset | UnsafeShowMetadata | UnsafeDeleteSafepoint => {
                vec![Flag::new(
                    "no-confirm",
                    Kind::Bool,
                    "Don't ask user whether to confirm executing meta command",
                )]
            }
            UnsafeResolveLock => vec![
                Flag::new("region", Kind::Uint, "Region ID").required(),
                Flag::new(
                    "ts",
                    Kind::Uint,
                    "Resolve locks before the timestamp, default 1 minute ago from now",
                ),
            ],
            _ => Vec::new(),
        }
    }
}
