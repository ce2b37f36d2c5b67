//! `bench pipeline`: the pipeline beside Debezium's connector for MariaDB, the original canal server and a producer of ready-made
//! messages: the same rows, the same broker, acks=all, arrivals counted by a consumer of its own.

mod arrivals;
mod growth;
mod report;

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _};

use self::arrivals::{Arrivals, Dialect, Seen};
use super::load::{Commit, Shape, Target};
use super::{BenchError, Latency};
use crate::lab::{
    BareMariaDb, Canal, Captured, DEBEZIUM_PREFIX, Debezium, Kind, Lab, LabError, Place, Usage,
};
use crate::observe::changefeed::Cdc;
use crate::observe::kafka::{Kafka, KafkaFailure};
use crate::observe::pd;

pub use growth::Growth;
pub use report::{CatchUp, Latencies, OfShape, Paced, Report};

/// How long arrivals are waited for beside a time by their number.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows that at least arrive in a second.
const SLOWEST: u64 = 1_000;
/// Between two looks for room in the producer's queue.
const PACE: Duration = Duration::from_micros(100);
/// Commits per second while latencies are taken.
const RATES: [u64; 2] = [100, 1_000];
/// The table that they are taken on.
const PACED: &str = "paced";
/// The row by which a connector shows that it follows, and is told apart from those that are measured.
const MARKER: u64 = 1 << 40;
/// The producer's settings: those of the pipeline's own, with a larger queue.
const PRODUCER: [(&str, &str); 4] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("linger.ms", "2"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// How much is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Rows of five columns.
    pub narrow: u64,
    /// Rows of sixty columns.
    pub wide: u64,
    /// How long each load at a rate goes on.
    pub during: Duration,
    /// Whether to see how figures grow with rows and tables; this takes long.
    pub growth: bool,
}

/// What everything is measured on.
struct Bench<'a> {
    lab: &'a Lab,
    kafka: Kafka,
    cdc: Cdc,
    pd: String,
    bare_mariadb: BareMariaDb,
    bare: Target,
    embedded: Target,
}

/// Measures a lab with at least an embedded TiDB, Kafka and the pipeline; `told` hears what is being measured.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(lab: &Lab, plan: &Plan, told: impl Fn(&str)) -> Result<Report, BenchError> {
    let bare_mariadb = lab.bare_mariadb().await?;
    let bench = Bench {
        lab,
        kafka: lab.kafka()?,
        cdc: lab.cdc()?,
        pd: lab.topology().url(Kind::Pd, "client")?,
        bare: Target {
            address: bare_mariadb.address.clone(),
        },
        embedded: Target {
            address: lab.endpoint(Kind::Tidb, "mysql")?,
        },
        bare_mariadb,
    };
    let mut shapes = Vec::new();
    for (name, shape, rows) in [
        ("narrow", Shape::Narrow, plan.narrow),
        ("wide", Shape::Wide, plan.wide),
    ] {
        shapes.push(bench.of_shape(name, shape, rows, &told).await?);
    }
    let latencies = bench.latencies(plan.during, &told).await?;
    let growth = match plan.growth {
        true => Some(bench.growth(&told).await?),
        false => None,
    };
    bench.bare_mariadb.end().await?;
    Ok(Report {
        shapes,
        latencies,
        growth,
    })
}

impl Bench<'_> {
    async fn of_shape(
        &self,
        name: &'static str,
        shape: Shape,
        rows: u64,
        told: &impl Fn(&str),
    ) -> Result<OfShape, BenchError> {
        told(&format!("{rows} {name} rows: loading them"));
        for target in [&self.bare, &self.embedded] {
            target.table(name, shape).await?;
        }
        let debezium = self.place_debezium(name, shape).await?;
        let place = self.bare.binlog().await?;
        let before = pd::tso(&self.pd).await?;
        for target in [&self.bare, &self.embedded] {
            target.bulk(name, shape, rows).await?;
        }
        told(&format!("{rows} {name} rows by the pipeline"));
        let rules = format!("bench.{name}");
        let (pipeline, seen) = self.catch_up(name, &rules, before, rows).await?;
        told(&format!("{rows} {name} rows by Debezium"));
        let debezium = self.debezium_catches_up(name, &debezium, rows).await?;
        told(&format!("{rows} {name} rows by the canal server"));
        let canal = self.canal_catches_up(name, &place, rows).await?;
        told(&format!("{rows} {name} messages by a bare producer"));
        let ceiling = self.ceiling(name, &seen.sample, rows).await?;
        Ok(OfShape {
            name,
            pipeline,
            debezium,
            canal,
            ceiling,
        })
    }

    /// A changefeed from a timestamp in the past, until all rows have arrived.
    async fn catch_up(
        &self,
        name: &str,
        rules: &str,
        before: u64,
        rows: u64,
    ) -> Result<(CatchUp, Seen), BenchError> {
        let topic = format!("pipeline-{name}");
        self.kafka.create_topic(&topic, 1, &[]).await?;
        let arrivals = Arrivals::follow(&self.kafka, &topic, Dialect::CanalJson, 0..rows).await?;
        let measured = self.lab.watched(Kind::Cdc)?.measure()?;
        self.changefeed(name, rules, &topic, before).await?;
        let seen = arrivals.all(patience(rows)).await?;
        let usage = measured.usage()?;
        self.remove(name).await?;
        Ok((CatchUp::of(&seen, Some(usage)), seen))
    }

    async fn changefeed(
        &self,
        id: &str,
        rules: &str,
        topic: &str,
        before: u64,
    ) -> Result<(), BenchError> {
        let path = self.lab.paths().conf(Kind::Cdc).join("bench.toml");
        // v4.0.9 wants to be asked for old values.
        let old_values = if self.cdc.v4 {
            "enable-old-value = true\n"
        } else {
            ""
        };
        let text = format!("{old_values}filter.rules = ['{rules}']\n");
        std::fs::write(&path, text).map_err(|source| BenchError::File {
            path: path.clone(),
            source,
        })?;
        let uri = format!(
            "--sink-uri=kafka://{}/{topic}?protocol=canal-json&kafka-version=2.7.0&partition-num=1&replication-factor=1",
            self.kafka.bootstrap()
        );
        let (config, start) = (
            format!("--config={}", path.display()),
            format!("--start-ts={before}"),
        );
        let create = [
            "changefeed",
            "create",
            &uri,
            "-c",
            id,
            &config,
            &start,
            "--no-confirm",
        ];
        Ok(self.cdc.cli(&create).await.map(drop)?)
    }

    async fn remove(&self, id: &str) -> Result<(), BenchError> {
        let mut remove = vec!["changefeed", "remove", "-c", id];
        remove.extend(self.cdc.v4.then_some("--force"));
        Ok(self.cdc.cli(&remove).await.map(drop)?)
    }

    async fn debezium(&self, table: &str) -> Result<Debezium, LabError> {
        let captured = Captured {
            mariadb: &self.bare_mariadb.address,
            database: "bench",
            tables: &[table],
            settings: &[],
        };
        self.lab.debezium(captured).await
    }

    /// Has Debezium follow a table from now on, and ends it: it will go on from here. Gives its topic.
    async fn place_debezium(&self, table: &str, shape: Shape) -> Result<String, BenchError> {
        let topic = format!("{DEBEZIUM_PREFIX}.bench.{table}");
        self.kafka.create_topic(&topic, 1, &[]).await?;
        let marker = MARKER..MARKER + 1;
        let arrivals =
            Arrivals::follow(&self.kafka, &topic, Dialect::Debezium, marker.clone()).await?;
        let connector = self.debezium(table).await?;
        // It has a task before it follows the binlog: a row that it misses is no sign.
        let mut arrived = std::pin::pin!(arrivals.all(PATIENCE));
        loop {
            self.bare.replace(table, shape, marker.start).await?;
            tokio::select! {
                arrived = &mut arrived => break arrived.map(drop)?,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        connector.end().await?;
        Ok(topic)
    }

    async fn debezium_catches_up(
        &self,
        table: &str,
        topic: &str,
        rows: u64,
    ) -> Result<CatchUp, BenchError> {
        let arrivals = Arrivals::follow(&self.kafka, topic, Dialect::Debezium, 0..rows).await?;
        let connector = self.debezium(table).await?;
        let measured = connector.watched().measure()?;
        let seen = arrivals.all(patience(rows)).await?;
        let usage = measured.usage()?;
        connector.end().await?;
        Ok(CatchUp::of(&seen, Some(usage)))
    }

    async fn canal_topic(&self, table: &str) -> Result<String, BenchError> {
        let topic = format!("canal-{table}");
        self.kafka.create_topic(&topic, 1, &[]).await?;
        Ok(topic)
    }

    async fn canal(&self, table: &str, place: &Place, topic: &str) -> Result<Canal, BenchError> {
        let mariadb = &self.bare_mariadb.address;
        let started = self.lab.canal(mariadb, ("bench", table), place, topic);
        Ok(started.await?)
    }

    async fn canal_catches_up(
        &self,
        table: &str,
        place: &Place,
        rows: u64,
    ) -> Result<CatchUp, BenchError> {
        let topic = self.canal_topic(table).await?;
        let arrivals = Arrivals::follow(&self.kafka, &topic, Dialect::Canal, 0..rows).await?;
        let mut canal = self.canal(table, place, &topic).await?;
        let measured = canal.watched().measure()?;
        let seen = canal.serves(arrivals.all(patience(rows))).await?;
        let usage = measured.usage()?;
        canal.end().await?;
        Ok(CatchUp::of(&seen, Some(usage)))
    }

    /// Has the canal server follow a table from now on. Gives its topic too.
    async fn place_canal(&self, table: &str, shape: Shape) -> Result<(Canal, String), BenchError> {
        let topic = self.canal_topic(table).await?;
        let place = self.bare.binlog().await?;
        let marker = MARKER..MARKER + 1;
        let arrivals =
            Arrivals::follow(&self.kafka, &topic, Dialect::Canal, marker.clone()).await?;
        let mut canal = self.canal(table, &place, &topic).await?;
        self.bare.replace(table, shape, marker.start).await?;
        canal.serves(arrivals.all(PATIENCE)).await?;
        Ok((canal, topic))
    }

    /// Sends ready-made messages.
    async fn ceiling(
        &self,
        name: &str,
        sample: &[Vec<u8>],
        rows: u64,
    ) -> Result<CatchUp, BenchError> {
        let topic = format!("ceiling-{name}");
        self.kafka.create_topic(&topic, 1, &[]).await?;
        let arrivals = Arrivals::follow(&self.kafka, &topic, Dialect::Any, 0..rows).await?;
        let (producer, values) = (self.kafka.producer(&PRODUCER)?, sample.to_vec());
        let bootstrap = self.kafka.bootstrap().to_owned();
        let end = Instant::now() + patience(rows);
        let sent = tokio::task::spawn_blocking(move || {
            let failed = |source| KafkaFailure::Call {
                what: format!("send to topic `{topic}`"),
                bootstrap: bootstrap.clone(),
                source: Box::new(source),
            };
            for value in values.iter().cycle().take(rows as usize) {
                loop {
                    let record = BaseRecord::<(), [u8]>::to(&topic).payload(value);
                    match producer.send(record) {
                        Ok(()) => break,
                        Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _))
                            if Instant::now() < end =>
                        {
                            // As soon as anything was delivered there is room.
                            std::thread::sleep(PACE);
                        }
                        Err((error, _)) => return Err(failed(error)),
                    }
                }
            }
            producer.flush(patience(rows)).map_err(failed)
        });
        sent.await.map_err(|source| BenchError::Task {
            what: "the bare producer",
            source,
        })??;
        Ok(CatchUp::of(&arrivals.all(patience(rows)).await?, None))
    }

    async fn latencies(
        &self,
        during: Duration,
        told: &impl Fn(&str),
    ) -> Result<Vec<Latencies>, BenchError> {
        for target in [&self.bare, &self.embedded] {
            target.table(PACED, Shape::Flat).await?;
        }
        let topic = format!("pipeline-{PACED}");
        self.kafka.create_topic(&topic, 1, &[]).await?;
        let before = pd::tso(&self.pd).await?;
        self.changefeed(PACED, &format!("bench.{PACED}"), &topic, before)
            .await?;
        let debezium_topic = self.place_debezium(PACED, Shape::Flat).await?;
        let connector = self.debezium(PACED).await?;
        let mut from = 0;
        let mut ours_and_debeziums = Vec::new();
        for rate in RATES {
            told(&format!("latencies at {rate} commits a second"));
            let mut of = Vec::new();
            for (target, topic, dialect) in [
                (&self.embedded, &topic, Dialect::CanalJson),
                (&self.bare, &debezium_topic, Dialect::Debezium),
            ] {
                let seen = self.paced(target, topic, dialect, (&mut from, rate, during));
                of.push(seen.await?);
            }
            ours_and_debeziums.push((of[0], of[1]));
        }
        connector.end().await?;
        self.remove(PACED).await?;
        let (mut canal, topic) = self.place_canal(PACED, Shape::Flat).await?;
        let mut latencies = Vec::new();
        for (rate, (pipeline, debezium)) in RATES.into_iter().zip(ours_and_debeziums) {
            told(&format!(
                "the canal server's latencies at {rate} commits a second"
            ));
            let load = (&mut from, rate, during);
            let seen = self.paced(&self.bare, &topic, Dialect::Canal, load);
            latencies.push(Latencies {
                rate,
                pipeline,
                debezium,
                canal: canal.serves(seen).await?,
            });
        }
        canal.end().await?;
        Ok(latencies)
    }

    /// The latency of commits at a rate, whose ids go on from `next`.
    async fn paced(
        &self,
        target: &Target,
        topic: &str,
        dialect: Dialect,
        (next, rate, during): (&mut u64, u64, Duration),
    ) -> Result<Paced, BenchError> {
        let count = rate * during.as_secs();
        let from = *next;
        *next += rate + count;
        // What is done before the first row is not a row's latency.
        let arrivals = Arrivals::follow(&self.kafka, topic, dialect, from..*next).await?;
        target
            .at_rate(PACED, from, rate, Duration::from_secs(1))
            .await?;
        let commits = target.at_rate(PACED, from + rate, rate, during).await?;
        let seen = arrivals.all(patience(count)).await?;
        Ok(Paced::of(&commits, &seen, from))
    }
}

impl Paced {
    fn of(commits: &[Commit], seen: &Seen, from: u64) -> Paced {
        let arrived = |commit: &Commit| -> Option<Instant> {
            let slot = u64::try_from(commit.id).ok()?.checked_sub(from)?;
            *seen.times.get(usize::try_from(slot).ok()?)?
        };
        let since = |of: fn(&Commit) -> Instant| {
            let took = commits
                .iter()
                .filter_map(|commit| Some(arrived(commit)?.saturating_duration_since(of(commit))));
            Latency::of(took.collect())
        };
        Paced {
            whole: since(|commit| commit.asked),
            after: since(|commit| commit.told),
        }
    }
}

fn patience(rows: u64) -> Duration {
    PATIENCE + Duration::from_secs(rows / SLOWEST)
}

impl CatchUp {
    fn of(seen: &Seen, usage: Option<Usage>) -> CatchUp {
        let (first, last) = (seen.first, seen.last);
        let seconds = first.zip(last).map_or(0.0, |(first, last)| {
            last.duration_since(first).as_secs_f64()
        });
        let rows = seen.rows as f64;
        CatchUp {
            rows: seen.rows,
            seconds,
            rows_per_s: rows / seconds,
            mb_per_s: seen.bytes as f64 / 1e6 / seconds,
            cpu_s_per_million: usage.map(|usage| usage.cpu.as_secs_f64() / rows * 1e6),
            peak: usage.map(|usage| usage.peak),
        }
    }
}
