//! What was measured of the pipeline.

use super::Growth;
use crate::bench::{Figures, Latency};

/// What was measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Rows read from the past, by their shape.
    pub shapes: Vec<OfShape>,
    /// From the sending of a commit until its message was read.
    pub latencies: Vec<Latencies>,
    /// How figures grow.
    pub growth: Option<Growth>,
}

/// Rows of one shape.
#[derive(Debug, Clone)]
pub struct OfShape {
    /// `narrow`, of five columns, or `wide`, of sixty.
    pub name: &'static str,
    /// By the pipeline, from the embedded TiDB.
    pub pipeline: CatchUp,
    /// The same rows by Debezium, from a bare MariaDB.
    pub debezium: CatchUp,
    /// The same rows by the original canal server, from that MariaDB too.
    pub canal: CatchUp,
    /// The pipeline's messages by a producer that has them ready.
    pub ceiling: CatchUp,
}

/// Rows from the past on their way to the consumer.
#[derive(Debug, Clone, Copy)]
pub struct CatchUp {
    /// How many.
    pub rows: u64,
    /// From the arrival of the first to that of the last.
    pub seconds: f64,
    /// Rows per second.
    pub rows_per_s: f64,
    /// Megabytes of messages per second.
    pub mb_per_s: f64,
    /// Seconds of processor time for a million of rows.
    pub cpu_s_per_million: Option<f64>,
    /// Resident memory at its most, in bytes.
    pub peak: Option<u64>,
}

/// Latencies at a rate.
#[derive(Debug, Clone, Copy)]
pub struct Latencies {
    /// Commits per second.
    pub rate: u64,
    /// The pipeline's.
    pub pipeline: Paced,
    /// Debezium's.
    pub debezium: Paced,
    /// The canal server's.
    pub canal: Paced,
}

/// How long it takes until a message is read, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// From the sending of its commit.
    pub whole: Latency,
    /// From the server's answer to that.
    pub after: Latency,
}

impl Report {
    /// What is printed for programs.
    pub fn figures(&self) -> Figures {
        let mut out = Figures::default();
        for of in &self.shapes {
            let name = of.name;
            for (who, it) in [
                ("pipeline", of.pipeline),
                ("debezium", of.debezium),
                ("canal", of.canal),
                ("ceiling", of.ceiling),
            ] {
                let what = format!("{who}, {name} rows");
                out.add(format!("{what}: catch-up"), it.rows_per_s, "rows/s");
                out.add(format!("{what}: catch-up bytes"), it.mb_per_s, "MB/s");
                if let Some(cpu) = it.cpu_s_per_million {
                    out.add(format!("{what}: cpu per million rows"), cpu, "s");
                }
                if let Some(peak) = it.peak {
                    out.add(format!("{what}: peak memory"), peak as f64, "bytes");
                }
            }
            // Narrow rows are what the ratios are named for.
            let prefix = if name == "narrow" { "" } else { "wide_" };
            out.ratio(
                format!("{prefix}catch_up_rows_vs_debezium"),
                of.rows_vs_debezium(),
            );
            out.ratio(
                format!("{prefix}catch_up_rows_vs_canal"),
                of.rows_vs_canal(),
            );
            out.ratio(
                format!("{prefix}catch_up_bytes_vs_ceiling"),
                of.bytes_vs_ceiling(),
            );
            if let Some(ratio) = of.cpu_vs_debezium() {
                out.ratio(format!("{prefix}cpu_vs_debezium"), ratio);
            }
        }
        for of in &self.latencies {
            let rate = of.rate;
            for (who, it) in [
                ("pipeline", of.pipeline),
                ("debezium", of.debezium),
                ("canal", of.canal),
            ] {
                for (from, it) in [("commit", it.whole), ("committed", it.after)] {
                    for (quantile, ms) in
                        [("p50", it.p50_ms), ("p99", it.p99_ms), ("p999", it.p999_ms)]
                    {
                        let what = format!("{who}: {from} to message {quantile} at {rate}/s");
                        out.add(what, ms, "ms");
                    }
                }
            }
            out.ratio(
                format!("latency_p99_vs_debezium_at_{rate}"),
                of.pipeline.whole.p99_ms / of.debezium.whole.p99_ms,
            );
        }
        if let Some(growth) = &self.growth {
            growth.add_to(&mut out);
        }
        out
    }
}

impl OfShape {
    /// The pipeline's rows per second by Debezium's.
    pub fn rows_vs_debezium(&self) -> f64 {
        self.pipeline.rows_per_s / self.debezium.rows_per_s
    }

    /// The pipeline's rows per second by the canal server's.
    pub fn rows_vs_canal(&self) -> f64 {
        self.pipeline.rows_per_s / self.canal.rows_per_s
    }

    /// The pipeline's bytes per second by those of the bare producer.
    pub fn bytes_vs_ceiling(&self) -> f64 {
        self.pipeline.mb_per_s / self.ceiling.mb_per_s
    }

    /// The pipeline's processor time by Debezium's.
    pub fn cpu_vs_debezium(&self) -> Option<f64> {
        Some(self.pipeline.cpu_s_per_million? / self.debezium.cpu_s_per_million?)
    }
}
