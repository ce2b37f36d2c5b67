//! Load on a server that speaks MySQL: commits at a rate, commits as fast as can be, rows in bulk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::BenchError;
use crate::observe::sql::{Rows, Session};

/// Bytes of a row's text, so that the row has about 200 in all.
pub(super) const TEXT: usize = 180;
/// What the text consists of.
pub(super) const LETTER: u8 = b'x';
/// Rows of one statement in bulk.
const BATCH: u64 = 500;
/// Sessions that load in bulk.
const LOADERS: u64 = 4;
/// Sessions that share a rate.
const PACED: u64 = 16;

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
async fn all<T: 'static>(
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

fn insert(table: &str, ids: std::ops::Range<u64>) -> String {
    let text = char::from(LETTER).to_string().repeat(TEXT);
    let rows = ids.map(|id| format!("({id},{},'{text}')", id % 1000));
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
    pub(super) async fn table(&self, name: &str) -> Result<(), BenchError> {
        let mut session = self.session().await?;
        for sql in [
            "CREATE DATABASE IF NOT EXISTS bench".to_owned(),
            format!(
                "CREATE TABLE bench.{name} (id BIGINT PRIMARY KEY, k INT NOT NULL, c VARCHAR({TEXT}) NOT NULL)"
            ),
        ] {
            run(&mut session, &self.address, &sql).await?;
        }
        session.close().await;
        Ok(())
    }

    /// Commits one row each, `rate` a second. A commit that had to wait for a free session counts from when it was due.
    pub(super) async fn at_rate(
        &self,
        table: &'static str,
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
                    run(&mut session, &address, &insert(table, n..n + 1)).await?;
                    commits.push(Commit {
                        id: n as i64,
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
                    run(&mut session, &address, &insert(table, n..n + 1)).await?;
                }
                session.close().await;
                Ok(())
            });
        }
        all(sessions).await?;
        Ok(next.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
    }

    /// Loads so many rows in statements of [`BATCH`] from [`LOADERS`] sessions; rows per second.
    pub(super) async fn bulk(&self, table: &'static str, rows: u64) -> Result<f64, BenchError> {
        let next = Arc::new(AtomicU64::new(0));
        let begin = Instant::now();
        let mut sessions = JoinSet::new();
        for _ in 0..LOADERS {
            let mut session = self.session().await?;
            let (next, address) = (Arc::clone(&next), self.address.clone());
            sessions.spawn(async move {
                loop {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if from >= rows {
                        session.close().await;
                        return Ok(());
                    }
                    let ids = from..(from + BATCH).min(rows);
                    run(&mut session, &address, &insert(table, ids)).await?;
                }
            });
        }
        all(sessions).await?;
        Ok(rows as f64 / begin.elapsed().as_secs_f64())
    }
}
