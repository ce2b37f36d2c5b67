//! Load on a server that speaks MySQL: commits at a rate, commits as fast as can be, rows in bulk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::BenchError;
use crate::lab::Place;
use crate::observe::sql::{Rows, Session, lossy};

/// What rows look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Three columns in about 200 bytes.
    Flat,
    /// Five columns of the common types.
    Narrow,
    /// Sixty columns: the key, and fifty-nine that take the common types in turn.
    Wide,
}

/// Columns beside the key of [`Shape::Wide`].
const WIDE: u64 = 59;

impl Shape {
    fn columns(self) -> String {
        match self {
            Shape::Flat => format!("id BIGINT PRIMARY KEY, k INT NOT NULL, c VARCHAR({TEXT}) NOT NULL"),
            Shape::Narrow => "id BIGINT PRIMARY KEY, k INT NOT NULL, name VARCHAR(40) NOT NULL, amount DECIMAL(12,2), at DATETIME"
                .to_owned(),
            Shape::Wide => {
                let columns = (0..WIDE).map(|n| {
                    let kind = ["INT", "VARCHAR(20)", "DECIMAL(12,2)", "DATETIME"][(n % 4) as usize];
                    format!(", c{n} {kind}")
                });
                format!("id BIGINT PRIMARY KEY{}", columns.collect::<String>())
            }
        }
    }

    /// The values of a row, which depend on its id alone.
    fn row(self, id: u64) -> String {
        let second = id % 60;
        match self {
            Shape::Flat => {
                let text = char::from(LETTER).to_string().repeat(TEXT);
                format!("({id},{},'{text}')", id % 1000)
            }
            Shape::Narrow => format!(
                "({id},{},'name of {id}',{}.{:02},'2024-02-29 12:34:{second:02}')",
                id % 1000,
                id % 100_000,
                id % 100
            ),
            Shape::Wide => {
                let values = (0..WIDE).map(|n| match n % 4 {
                    0 => format!(",{}", id % 1_000_000 + n),
                    1 => format!(",'text {n} {}'", id % 1000),
                    2 => format!(",{}.{:02}", id % 10_000, n),
                    _ => format!(",'2024-02-29 12:{n:02}:{second:02}'"),
                });
                format!("({id}{})", values.collect::<String>())
            }
        }
    }
}

/// Bytes of a row's text, so that the row has about 200 in all.
pub(super) const TEXT: usize = 180;
/// What the text consists of.
pub(super) const LETTER: u8 = b'x';
/// Rows of one statement in bulk.
const BATCH: u64 = 500;
/// Sessions that load in bulk.
const LOADERS: u64 = 4;
/// Sessions that share a rate: so many that the rate does not wait for them.
const PACED: u64 = 64;

/// A server under load.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Host and port.
    pub(super) address: String,
}

/// One commit: its row's id, when it was asked for and when the server said that it is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    pub(super) id: i64,
    pub(super) asked: Instant,
    pub(super) told: Instant,
}

async fn run(session: &mut Session, address: &str, sql: &str) -> Result<Rows, BenchError> {
    session
        .run(sql)
        .await
        .map_err(|source| BenchError::Statement {
            statement: sql.chars().take(60).collect(),
            address: address.to_owned(),
            source,
        })
}

/// What sessions did, as soon as all are through or one has failed.
pub(super) async fn all<T: 'static>(
    mut sessions: JoinSet<Result<T, BenchError>>,
) -> Result<Vec<T>, BenchError> {
    let mut results = Vec::new();
    while let Some(done) = sessions.join_next().await {
        results.push(done.map_err(|source| BenchError::Task {
            what: "a session under load",
            source,
        })??);
    }
    Ok(results)
}

fn insert(table: &str, shape: Shape, ids: std::ops::Range<u64>) -> String {
    let rows = ids.map(|id| shape.row(id));
    format!(
        "INSERT INTO bench.{table} VALUES {}",
        rows.collect::<Vec<_>>().join(",")
    )
}

impl Target {
    async fn session(&self) -> Result<Session, BenchError> {
        let session = Session::connect(&self.address).await;
        session.map_err(|source| BenchError::Statement {
            statement: "a login".to_owned(),
            address: self.address.clone(),
            source,
        })
    }

    /// A table of its own name, fresh.
    pub(super) async fn table(&self, name: &str, shape: Shape) -> Result<(), BenchError> {
        let mut session = self.session().await?;
        for sql in [
            "CREATE DATABASE IF NOT EXISTS bench".to_owned(),
            format!("CREATE TABLE bench.{name} ({})", shape.columns()),
        ] {
            run(&mut session, &self.address, &sql).await?;
        }
        session.close().await;
        Ok(())
    }

    /// Commits one row each, `rate` a second, with ids from `from` on. A commit that had to wait for a free session counts from
    /// when it was due.
    pub(super) async fn at_rate(
        &self,
        table: &'static str,
        from: u64,
        rate: u64,
        during: Duration,
    ) -> Result<Vec<Commit>, BenchError> {
        let count = rate * during.as_secs();
        let next = Arc::new(AtomicU64::new(0));
        let mut paced = Vec::new();
        for _ in 0..PACED.min(count) {
            paced.push(self.session().await?);
        }
        let begin = Instant::now();
        let mut sessions = JoinSet::new();
        for mut session in paced {
            let (next, address) = (Arc::clone(&next), self.address.clone());
            sessions.spawn(async move {
                let mut commits = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        session.close().await;
                        return Ok(commits);
                    }
                    let due = begin + Duration::from_secs(1) * n as u32 / rate as u32;
                    let late = Instant::now() >= due;
                    tokio::time::sleep_until(due.into()).await;
                    // The timer's own delay is not the server's.
                    let asked = if late { due } else { Instant::now() };
                    run(
                        &mut session,
                        &address,
                        &insert(table, Shape::Flat, from + n..from + n + 1),
                    )
                    .await?;
                    commits.push(Commit {
                        id: (from + n) as i64,
                        asked,
                        told: Instant::now(),
                    });
                }
            });
        }
        Ok(all(sessions).await?.concat())
    }

    /// Commits one row each from so many clients without a pause; commits per second.
    pub(super) async fn flat_out(
        &self,
        table: &'static str,
        clients: u64,
        during: Duration,
    ) -> Result<f64, BenchError> {
        let next = Arc::new(AtomicU64::new(0));
        let mut ready = Vec::new();
        for _ in 0..clients {
            ready.push(self.session().await?);
        }
        let begin = Instant::now();
        let mut sessions = JoinSet::new();
        for mut session in ready {
            let (next, address) = (Arc::clone(&next), self.address.clone());
            sessions.spawn(async move {
                while begin.elapsed() < during {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    run(
                        &mut session,
                        &address,
                        &insert(table, Shape::Flat, n..n + 1),
                    )
                    .await?;
                }
                session.close().await;
                Ok(())
            });
        }
        all(sessions).await?;
        Ok(next.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
    }

    /// Where its binlog is now.
    pub(super) async fn binlog(&self) -> Result<Place, BenchError> {
        const SQL: &str = "SHOW MASTER STATUS";
        let mut session = self.session().await?;
        let rows = run(&mut session, &self.address, SQL).await?.rows;
        session.close().await;
        let mut cells = rows.into_iter().flatten().flatten().map(lossy);
        match (cells.next(), cells.next()) {
            (Some(file), Some(position)) => Ok(Place { file, position }),
            _ => Err(BenchError::NoBinlog(self.address.clone())),
        }
    }

    /// Writes one row, anew if it is there.
    pub(super) async fn replace(
        &self,
        table: &str,
        shape: Shape,
        id: u64,
    ) -> Result<(), BenchError> {
        let mut session = self.session().await?;
        let delete = format!("DELETE FROM bench.{table} WHERE id = {id}");
        for sql in [delete, insert(table, shape, id..id + 1)] {
            run(&mut session, &self.address, &sql).await?;
        }
        session.close().await;
        Ok(())
    }

    /// Writes rows in statements of [`BATCH`] from one session.
    pub(super) async fn fill(
        &self,
        table: &str,
        shape: Shape,
        ids: std::ops::Range<u64>,
    ) -> Result<(), BenchError> {
        let mut session = self.session().await?;
        for from in ids.clone().step_by(BATCH as usize) {
            let batch = from..(from + BATCH).min(ids.end);
            run(&mut session, &self.address, &insert(table, shape, batch)).await?;
        }
        session.close().await;
        Ok(())
    }

    /// Writes so many rows in one transaction.
    pub(super) async fn at_once(
        &self,
        table: &str,
        shape: Shape,
        rows: u64,
    ) -> Result<(), BenchError> {
        let mut session = self.session().await?;
        run(&mut session, &self.address, "BEGIN").await?;
        for from in (0..rows).step_by(BATCH as usize) {
            let batch = from..(from + BATCH).min(rows);
            run(&mut session, &self.address, &insert(table, shape, batch)).await?;
        }
        run(&mut session, &self.address, "COMMIT").await?;
        session.close().await;
        Ok(())
    }

    /// Writes so many rows in as many transactions, from [`PACED`] sessions.
    pub(super) async fn one_by_one(
        &self,
        table: &'static str,
        shape: Shape,
        rows: u64,
    ) -> Result<(), BenchError> {
        self.by_sessions(table, shape, rows, (PACED, 1)).await
    }

    /// Loads so many rows in statements of [`BATCH`] from [`LOADERS`] sessions; rows per second.
    pub(super) async fn bulk(
        &self,
        table: &'static str,
        shape: Shape,
        rows: u64,
    ) -> Result<f64, BenchError> {
        let begin = Instant::now();
        self.by_sessions(table, shape, rows, (LOADERS, BATCH))
            .await?;
        Ok(rows as f64 / begin.elapsed().as_secs_f64())
    }

    async fn by_sessions(
        &self,
        table: &'static str,
        shape: Shape,
        rows: u64,
        (sessions, batch): (u64, u64),
    ) -> Result<(), BenchError> {
        let next = Arc::new(AtomicU64::new(0));
        let mut writers = JoinSet::new();
        for _ in 0..sessions {
            let mut session = self.session().await?;
            let (next, address) = (Arc::clone(&next), self.address.clone());
            writers.spawn(async move {
                loop {
                    let from = next.fetch_add(batch, Ordering::Relaxed);
                    if from >= rows {
                        session.close().await;
                        return Ok(());
                    }
                    let ids = from..(from + batch).min(rows);
                    run(&mut session, &address, &insert(table, shape, ids)).await?;
                }
            });
        }
        all(writers).await.map(drop)
    }
}
