//! How time and memory grow with rows and with tables.

use tokio::task::JoinSet;

use super::{Bench, CatchUp};
use crate::bench::load::{Shape, all};
use crate::bench::{BenchError, Figures};
use crate::observe::pd;

/// Rows of one table.
const ROWS: [u64; 3] = [100_000, 1_000_000, 10_000_000];
/// Tables that share [`SHARED`] rows.
const TABLES: [u64; 3] = [1, 100, 10_000];
const SHARED: u64 = 100_000;
/// Rows of one transaction.
const AT_ONCE: u64 = 5_000_000;
/// Transactions of one row each.
const ONE_BY_ONE: u64 = 1_000_000;
/// Sessions that make tables.
const MAKERS: u64 = 8;

/// The pipeline's figures by what they grow with.
#[derive(Debug, Clone)]
pub struct Growth {
    /// By rows of one table.
    pub rows: Vec<(u64, CatchUp)>,
    /// By tables with as many rows in all.
    pub tables: Vec<(u64, CatchUp)>,
    /// All rows in one transaction.
    pub at_once: CatchUp,
    /// Each row in a transaction of its own.
    pub one_by_one: CatchUp,
}

impl Growth {
    /// The rows of one table by how they were committed.
    pub fn transactions(&self) -> [(String, &CatchUp); 2] {
        [
            (format!("{AT_ONCE} rows of 1 transaction"), &self.at_once),
            (format!("{ONE_BY_ONE} transactions"), &self.one_by_one),
        ]
    }

    pub(super) fn add_to(&self, out: &mut Figures) {
        let mut add = |what: String, it: &CatchUp| {
            out.add(format!("{what}: catch-up"), it.rows_per_s, "rows/s");
            if let Some(peak) = it.peak {
                out.add(format!("{what}: peak memory"), peak as f64, "bytes");
            }
        };
        for (what, it) in self.transactions() {
            add(what, it);
        }
        for (what, of) in [("rows", &self.rows), ("tables", &self.tables)] {
            for (count, it) in of {
                add(format!("{count} {what}"), it);
            }
        }
        for (what, of) in [("rows", &self.rows), ("tables", &self.tables)] {
            if let (Some((_, few)), Some((_, many))) = (of.first(), of.last()) {
                let name = format!("rows_per_s_at_most_{what}_vs_fewest");
                out.ratio(name, many.rows_per_s / few.rows_per_s);
                if let (Some(few), Some(many)) = (few.peak, many.peak) {
                    let name = format!("memory_at_most_{what}_vs_fewest");
                    out.ratio(name, many as f64 / few as f64);
                }
            }
        }
    }
}

impl Bench<'_> {
    pub(super) async fn growth(&self, told: &impl Fn(&str)) -> Result<Growth, BenchError> {
        let mut rows = Vec::new();
        for (table, count) in ["grown_5", "grown_6", "grown_7"].into_iter().zip(ROWS) {
            let what = format!("{count} rows of one table");
            told(&what);
            let before = self.fresh(table).await?;
            self.embedded.bulk(table, Shape::Narrow, count).await?;
            rows.push((count, self.grown(table, before, count, &what, told).await?));
        }
        let what = format!("{AT_ONCE} rows of one transaction");
        told(&what);
        let before = self.fresh("at_once").await?;
        let loaded = self.embedded.at_once("at_once", Shape::Narrow, AT_ONCE);
        loaded.await?;
        let grown = self.grown("at_once", before, AT_ONCE, &what, told);
        let at_once = grown.await?;
        let what = format!("{ONE_BY_ONE} transactions");
        told(&what);
        let before = self.fresh("one_by_one").await?;
        let loaded = self
            .embedded
            .one_by_one("one_by_one", Shape::Narrow, ONE_BY_ONE);
        loaded.await?;
        let grown = self.grown("one_by_one", before, ONE_BY_ONE, &what, told);
        let one_by_one = grown.await?;
        let mut tables = Vec::new();
        for count in TABLES {
            let what = format!("{SHARED} rows of {count} tables");
            told(&what);
            let before = self.spread(count).await?;
            let of = format!("of_{count}_*");
            tables.push((count, self.grown(&of, before, SHARED, &what, told).await?));
        }
        Ok(Growth {
            rows,
            tables,
            at_once,
            one_by_one,
        })
    }

    /// Makes a table; gives a timestamp of after that.
    async fn fresh(&self, table: &str) -> Result<u64, BenchError> {
        self.embedded.table(table, Shape::Narrow).await?;
        Ok(pd::tso(&self.pd).await?)
    }

    /// Has the pipeline catch up on the `rows` of `tables`, and tells how it went: the whole takes long.
    async fn grown(
        &self,
        tables: &str,
        before: u64,
        rows: u64,
        what: &str,
        told: &impl Fn(&str),
    ) -> Result<CatchUp, BenchError> {
        // An id of a changefeed has no `_`.
        let id = tables.trim_end_matches("_*").replace('_', "-");
        let rules = format!("bench.{tables}");
        let (figures, _) = self.catch_up(&id, &rules, before, rows).await?;
        let CatchUp {
            seconds,
            rows_per_s,
            peak,
            ..
        } = figures;
        let peak = peak.map_or(String::new(), |peak| format!(", {} MB", peak / 1_000_000));
        told(&format!(
            "{what}: {seconds:.1} s, {rows_per_s:.0} rows/s{peak}"
        ));
        Ok(figures)
    }

    /// Makes so many tables, and lays [`SHARED`] rows in them; gives a timestamp between the two.
    async fn spread(&self, tables: u64) -> Result<u64, BenchError> {
        let mut makers = JoinSet::new();
        for maker in 0..MAKERS {
            let target = self.embedded.clone();
            makers.spawn(async move {
                for n in (maker..tables).step_by(MAKERS as usize) {
                    target
                        .table(&format!("of_{tables}_{n}"), Shape::Narrow)
                        .await?;
                }
                Ok(())
            });
        }
        all(makers).await?;
        let before = pd::tso(&self.pd).await?;
        let share = SHARED / tables;
        let mut writers = JoinSet::new();
        for writer in 0..MAKERS {
            let target = self.embedded.clone();
            writers.spawn(async move {
                for n in (writer..tables).step_by(MAKERS as usize) {
                    let ids = n * share..(n + 1) * share;
                    let table = format!("of_{tables}_{n}");
                    target.fill(&table, Shape::Narrow, ids).await?;
                }
                Ok(())
            });
        }
        all(writers).await?;
        Ok(before)
    }
}
