//! `bench embedded`: the embedded TiDB beside a bare MariaDB with the same settings, in turn on the same machine.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::cdcpb::event::Row;
use tokio::sync::oneshot;

use super::load::{Commit, LETTER, Shape, TEXT, Target};
use super::{BenchError, Figures, Latency};
use crate::lab::{Kind, Lab, LabError, Memory};
use crate::observe::feed::{self, Change, FeedError};
use crate::observe::{pd, poll};

/// How long changes may take after the last commit.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows of the feed that at least come in a second.
const SLOWEST: u64 = 10_000;
/// Clients that commit without a pause.
const CLIENTS: [u64; 3] = [1, 8, 64];

/// How much is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Commits per second while latencies are taken.
    pub rate: u64,
    /// How long each load at a rate, and each one without pauses, goes on.
    pub during: Duration,
    /// Rows that are loaded in bulk, and read again from the feed.
    pub rows: u64,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Latencies of commits at a rate.
    pub commit: CommitLatency,
    /// Commits per second without a pause, by the number of clients.
    pub commits: Vec<Throughput>,
    /// From the sending of an autocommit statement until its row is read from the change feed, at the rate of `commit`.
    pub commit_to_event: Latency,
    /// Rows of about 200 bytes loaded in bulk.
    pub bulk_load: Pair,
    /// The same rows read from the change feed, which starts before them.
    pub catch_up: CatchUp,
    /// The store, killed with all of that in it, until it serves again, in milliseconds.
    pub restart_ms: u64,
    /// Memory by process, in bytes, before the store was killed.
    pub memory: BTreeMap<String, Memory>,
}

/// Latencies of commits of one row, in milliseconds.
#[derive(Debug, Clone)]
pub struct CommitLatency {
    /// Commits per second.
    pub rate: u64,
    /// How many were counted on each side.
    pub commits: u64,
    /// On the bare MariaDB.
    pub bare: Latency,
    /// On the embedded TiDB.
    pub embedded: Latency,
    /// The second without the first.
    pub added: Latency,
}

/// Commits per second.
#[derive(Debug, Clone)]
pub struct Throughput {
    /// How many clients.
    pub clients: u64,
    /// What they got.
    pub per_second: Pair,
}

/// One figure of both servers, per second.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The bare MariaDB's.
    pub bare_per_s: f64,
    /// The embedded TiDB's.
    pub embedded_per_s: f64,
    /// The second by the first.
    pub ratio: f64,
}

/// Reading the feed from a timestamp in the past.
#[derive(Debug, Clone)]
pub struct CatchUp {
    /// How many rows came.
    pub rows: u64,
    /// How many regions they lie in.
    pub regions: u64,
    /// From the request until the last row.
    pub seconds: f64,
    /// Rows per second.
    pub rows_per_s: f64,
    /// Megabytes of keys and values per second.
    pub mb_per_s: f64,
}

impl Report {
    /// What is printed for programs.
    pub fn figures(&self) -> Figures {
        let mut out = Figures::default();
        let rate = self.commit.rate;
        for (name, latency) in [
            ("bare commit", self.commit.bare),
            ("commit", self.commit.embedded),
            ("commit added", self.commit.added),
            ("commit to event", self.commit_to_event),
        ] {
            out.add(format!("{name} p50 at {rate}/s"), latency.p50_ms, "ms");
            out.add(format!("{name} p99 at {rate}/s"), latency.p99_ms, "ms");
        }
        let mut pair = |name: String, pair: Pair, unit| {
            out.add(format!("bare {name}"), pair.bare_per_s, unit);
            out.add(name.clone(), pair.embedded_per_s, unit);
            out.ratio(name, pair.ratio);
        };
        for commits in &self.commits {
            let name = format!("commits of {} clients", commits.clients);
            pair(name, commits.per_second, "commits/s");
        }
        pair("bulk load".to_owned(), self.bulk_load, "rows/s");
        out.add("feed catch-up", self.catch_up.rows_per_s, "rows/s");
        out.add("feed catch-up bytes", self.catch_up.mb_per_s, "MB/s");
        out.add("store restart", self.restart_ms as f64, "ms");
        for (name, memory) in &self.memory {
            out.add(format!("memory of {name}"), memory.now as f64, "bytes");
            out.add(
                format!("peak memory of {name}"),
                memory.peak as f64,
                "bytes",
            );
        }
        out
    }
}

impl Pair {
    fn of(bare_per_s: f64, embedded_per_s: f64) -> Pair {
        Pair {
            bare_per_s,
            embedded_per_s,
            ratio: embedded_per_s / bare_per_s,
        }
    }
}

/// Measures a lab with at least an embedded TiDB; `told` hears what is being measured.
///
/// # Errors
/// [`BenchError`].
pub async fn measure(lab: &Lab, plan: &Plan, told: impl Fn(&str)) -> Result<Report, BenchError> {
    let bare_mariadb = lab.bare_mariadb().await?;
    let bare = Target {
        address: bare_mariadb.address.clone(),
    };
    let embedded = Target {
        address: lab.endpoint(Kind::Tidb, "mysql")?,
    };
    let pd = lab.topology().url(Kind::Pd, "client")?;

    told(&format!("commits at {} a second", plan.rate));
    let (commit, commit_to_event) = latencies(&bare, &embedded, &pd, plan).await?;
    let mut commits = Vec::new();
    for (table, clients) in ["flat_1", "flat_8", "flat_64"].into_iter().zip(CLIENTS) {
        told(&format!("commits of {clients} clients"));
        let mut figures = Vec::new();
        for target in [&bare, &embedded] {
            target.table(table, Shape::Flat).await?;
            figures.push(target.flat_out(table, clients, plan.during).await?);
        }
        commits.push(Throughput {
            clients,
            per_second: Pair::of(figures[0], figures[1]),
        });
    }
    told(&format!("{} rows in bulk", plan.rows));
    let mut figures = Vec::new();
    let mut before = 0;
    for target in [&bare, &embedded] {
        target.table("bulk", Shape::Flat).await?;
        before = pd::tso(&pd).await?;
        figures.push(target.bulk("bulk", Shape::Flat, plan.rows).await?);
    }
    bare_mariadb.end().await?;
    told("the change feed from before them");
    let catch_up = catch_up(&pd, before, plan.rows).await?;
    let memory = lab.memory();
    told("the store's start after kill -9");
    let (killed, store) = (lab.clone(), Kind::Tikv);
    let kill = tokio::task::spawn_blocking(move || killed.kill(store));
    kill.await.map_err(LabError::from)??;
    let begin = Instant::now();
    lab.start(store).await?;
    let restart_ms = begin.elapsed().as_millis() as u64;
    Ok(Report {
        commit,
        commits,
        commit_to_event,
        bulk_load: Pair::of(figures[0], figures[1]),
        catch_up,
        restart_ms,
        memory,
    })
}

async fn latencies(
    bare: &Target,
    embedded: &Target,
    pd: &str,
    plan: &Plan,
) -> Result<(CommitLatency, Latency), BenchError> {
    const TABLE: &str = "paced";
    let of = |commits: &[Commit]| {
        let took = commits.iter().map(|commit| commit.told - commit.asked);
        Latency::of(took.collect())
    };
    bare.table(TABLE, Shape::Flat).await?;
    let alone = of(&bare.at_rate(TABLE, 0, plan.rate, plan.during).await?);
    embedded.table(TABLE, Shape::Flat).await?;
    let from = pd::tso(pd).await?;
    let arrivals = Arrivals::listen(pd.to_owned(), from).await?;
    let commits = embedded.at_rate(TABLE, 0, plan.rate, plan.during).await?;
    let arrived = arrivals.all(commits.len()).await?;
    let to_event = commits
        .iter()
        .filter_map(|commit| Some(*arrived.get(&commit.id)? - commit.asked));
    let commit_to_event = Latency::of(to_event.collect());
    let with = of(&commits);
    let commit = CommitLatency {
        rate: plan.rate,
        commits: commits.len() as u64,
        bare: alone,
        embedded: with,
        added: with.above(alone),
    };
    Ok((commit, commit_to_event))
}

/// When rows came from the feed, by their id.
struct Arrivals {
    seen: Arc<Mutex<HashMap<i64, Instant>>>,
    reader: tokio::task::JoinHandle<Result<(), FeedError>>,
}

impl Arrivals {
    /// Reads until this is dropped; returns once every region has been scanned.
    async fn listen(pd: String, from: u64) -> Result<Arrivals, BenchError> {
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let (scanned, ready) = oneshot::channel();
        let arrived = Arc::clone(&seen);
        let reader = tokio::spawn(async move {
            let mut open = 0;
            let mut scanned = Some(scanned);
            feed::follow(&pd, from, |change| {
                match change {
                    Change::Opened { regions } => open = regions,
                    Change::Initialized => {
                        open -= 1;
                        if let Some(scanned) = scanned.take_if(|_| open == 0) {
                            // Who waits may have given up.
                            let _ = scanned.send(());
                        }
                    }
                    Change::Committed(row) => {
                        if let Some(id) = id_of(&row) {
                            let now = Instant::now();
                            let mut seen = arrived.lock().unwrap_or_else(PoisonError::into_inner);
                            seen.entry(id).or_insert(now);
                        }
                    }
                }
                ControlFlow::Continue(())
            })
            .await
        });
        let mut arrivals = Arrivals { seen, reader };
        tokio::select! {
            _ = ready => Ok(arrivals),
            ended = &mut arrivals.reader => Err(ended_by_itself(ended)),
        }
    }

    /// All arrivals, as soon as there are so many.
    async fn all(mut self, expected: usize) -> Result<HashMap<i64, Instant>, BenchError> {
        let seen = Arc::clone(&self.seen);
        let count = || seen.lock().unwrap_or_else(PoisonError::into_inner).len();
        let enough = poll::until(PATIENCE, || async {
            let missing = || format!("{} of {expected} rows", count());
            Ok::<_, BenchError>((count() >= expected).then_some(()).ok_or_else(missing))
        });
        let outcome = tokio::select! {
            outcome = enough => outcome?,
            ended = &mut self.reader => return Err(ended_by_itself(ended)),
        };
        match outcome {
            Ok(()) => {
                let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(seen.clone())
            }
            Err(_) => Err(BenchError::Missing {
                seen: count() as u64,
                expected: expected as u64,
                seconds: PATIENCE.as_secs(),
            }),
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn ended_by_itself(ended: Result<Result<(), FeedError>, tokio::task::JoinError>) -> BenchError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => FeedError::Ended.into(),
        Err(source) => BenchError::Task {
            what: "the reader of the change feed",
            source,
        },
    }
}

/// The id of a row of the bench: `t{table}_r{id}`, its value ends with the text.
fn id_of(row: &Row) -> Option<i64> {
    const PREFIX: usize = 1 + 8;
    let handle = row.key.get(PREFIX..)?.strip_prefix(b"_r")?;
    let handle = u64::from_be_bytes(handle.try_into().ok()?);
    let text = row.value.len().checked_sub(TEXT)?;
    let ours = row.value[text..].iter().all(|letter| *letter == LETTER);
    // The sign is flipped, so that keys sort as numbers do.
    ours.then_some((handle ^ (1 << 63)) as i64)
}

async fn catch_up(pd: &str, from: u64, expected: u64) -> Result<CatchUp, BenchError> {
    let (mut rows, mut bytes) = (0, 0);
    let mut open = 0;
    let begin = Instant::now();
    let reading = feed::follow(pd, from, |change| {
        match change {
            Change::Opened { regions } => open = regions,
            Change::Committed(row) if id_of(&row).is_some() => {
                rows += 1;
                bytes += row.key.len() + row.value.len();
            }
            Change::Committed(_) | Change::Initialized => {}
        }
        match rows == expected {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let patience = PATIENCE + Duration::from_secs(expected / SLOWEST);
    let read = tokio::time::timeout(patience, reading).await;
    let Ok(read) = read else {
        return Err(BenchError::Missing {
            seen: rows,
            expected,
            seconds: patience.as_secs(),
        });
    };
    read?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(CatchUp {
        rows,
        regions: open as u64,
        seconds,
        rows_per_s: rows as f64 / seconds,
        mb_per_s: bytes as f64 / 1e6 / seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rows_of_the_bench_are_counted() {
        let row = |key: &[u8], value: &[u8]| Row {
            key: key.to_vec().into(),
            value: value.to_vec().into(),
            ..Row::default()
        };
        let text = [LETTER; TEXT];
        let key = b"t\x80\0\0\0\0\0\0\x70_r\x80\0\0\0\0\0\0\x07";
        assert_eq!(id_of(&row(key, &text)), Some(7));
        assert_eq!(id_of(&row(key, b"short")), None);
        assert_eq!(id_of(&row(key, &[b'y'; TEXT])), None);
        assert_eq!(
            id_of(&row(b"t\x80\0\0\0\0\0\0\x70_i\x80\0\0\0\0\0\0\x07", &text)),
            None
        );
        assert_eq!(id_of(&row(b"m", &text)), None);
    }
}
