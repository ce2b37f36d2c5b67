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
/// Sessions that make tables.
const MAKERS: u64 = 8;

/// The pipeline's figures by what they grow with.
#[derive(Debug, Clone)]
pub struct Growth {
    /// By rows of one table.
    pub rows: Vec<(u64, CatchUp)>,
    /// By tables with as many rows in all.
    pub tables: Vec<(u64, CatchUp)>,
}

impl Growth {
    pub(super) fn add_to(&self, out: &mut Figures) {
        for (what, of) in [("rows", &self.rows), ("tables", &self.tables)] {
            for (count, it) in of {
                out.add(format!("{count} {what}: catch-up"), it.rows_per_s, "rows/s");
                if let Some(peak) = it.peak {
                    out.add(format!("{count} {what}: peak memory"), peak as f64, "bytes");
                }
            }
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
        let mut growth = Growth {
            rows: Vec::new(),
            tables: Vec::new(),
        };
        for (table, rows) in ["grown_5", "grown_6", "grown_7"].into_iter().zip(ROWS) {
            told(&format!("{rows} rows of one table"));
            self.embedded.table(table, Shape::Narrow).await?;
            let before = pd::tso(&self.pd).await?;
            self.embedded.bulk(table, Shape::Narrow, rows).await?;
            let id = format!("rows-{rows}");
            let rules = format!("bench.{table}");
            let (figures, _) = self.catch_up(&id, &rules, before, rows).await?;
            growth.rows.push((rows, figures));
        }
        for tables in TABLES {
            told(&format!("{SHARED} rows of {tables} tables"));
            let before = self.spread(tables).await?;
            let id = format!("tables-{tables}");
            let rules = format!("bench.of_{tables}_*");
            let (figures, _) = self.catch_up(&id, &rules, before, SHARED).await?;
            growth.tables.push((tables, figures));
        }
        Ok(growth)
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
