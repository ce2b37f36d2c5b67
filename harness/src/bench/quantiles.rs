//! Latencies and their quantiles.

use std::time::Duration;

use serde::Serialize;

/// Quantiles of a sample, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Half of them are at most this.
    pub p50_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// 999 of 1000 are at most this.
    pub p999_ms: f64,
}

impl Latency {
    /// Of a sample; zero of none.
    pub(super) fn of(mut sample: Vec<Duration>) -> Latency {
        sample.sort_unstable();
        Latency {
            p50_ms: quantile(&sample, 0.50),
            p99_ms: quantile(&sample, 0.99),
            p999_ms: quantile(&sample, 0.999),
        }
    }

    /// What is on top of another one, quantile by quantile.
    pub(super) fn above(self, other: Latency) -> Latency {
        Latency {
            p50_ms: self.p50_ms - other.p50_ms,
            p99_ms: self.p99_ms - other.p99_ms,
            p999_ms: self.p999_ms - other.p999_ms,
        }
    }
}

/// The smallest value that at least this share of a sorted sample does not exceed.
fn quantile(sorted: &[Duration], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    let at = rank.saturating_sub(1);
    sorted
        .get(at)
        .map_or(0.0, |value| value.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let sample = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(sample);
        assert_eq!((latency.p50_ms, latency.p99_ms), (100.0, 198.0));
        assert_eq!(latency.p999_ms, 200.0);
        assert_eq!(Latency::of(Vec::new()), Latency::default());
        let one = Latency::of(vec![Duration::from_millis(7)]);
        assert_eq!((one.p50_ms, one.p99_ms), (7.0, 7.0));
        assert_eq!(latency.above(one).p50_ms, 93.0);
    }
}
