//! The parts of a span that no region serves at the moment, and when each is to be asked for again.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use proto::metapb;
use tokio::time::Instant;

use crate::{model::Span, upstream::retry::pause_after};

/// Holes that come up within this time are asked for together: the halves of a merge, the regions of a store that stopped.
const TOGETHER: Duration = Duration::from_millis(20);

/// A part of the span, memcomparable-encoded keys.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    pub(super) span: Span,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Who leads a region, from the store that leads it no more.
    pub(super) leaders: Vec<(u64, metapb::Peer)>,
}

#[derive(Debug)]
struct Waiting {
    hole: Hole,
    due: Instant,
}

/// All holes of one span. They never overlap.
#[derive(Debug, Default)]
pub(super) struct Holes {
    waiting: BTreeMap<Bytes, Waiting>,
    /// Not later than the first that is due.
    next: Option<Instant>,
}

impl Holes {
    /// Adds a hole that is due after the pause its failures call for, at least `at_least`.
    pub(super) fn add(&mut self, hole: Hole, at_least: Duration) {
        let pause = if hole.failures == 0 {
            TOGETHER
        } else {
            pause_after(hole.failures)
        };
        self.add_due(hole, Instant::now() + pause.max(at_least));
    }

    /// Adds a hole that is due at once.
    pub(super) fn add_now(&mut self, hole: Hole) {
        self.add_due(hole, Instant::now());
    }

    fn add_due(&mut self, hole: Hole, due: Instant) {
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
        self.waiting
            .insert(hole.span.start.clone(), Waiting { hole, due });
    }

    /// When to look again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.next
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes those that are due, in key order, neighbours as one.
    pub(super) fn take_due(&mut self) -> Vec<Hole> {
        let horizon = Instant::now() + TOGETHER / 2;
        let mut due: Vec<Hole> = Vec::new();
        self.next = None;
        for (start, waiting) in std::mem::take(&mut self.waiting) {
            if waiting.due > horizon {
                self.next = Some(self.next.map_or(waiting.due, |next| next.min(waiting.due)));
                self.waiting.insert(start, waiting);
                continue;
            }
            let hole = waiting.hole;
            match due.last_mut() {
                Some(before)
                    if !before.span.end.is_empty() && before.span.end == hole.span.start =>
                {
                    before.span.end = hole.span.end;
                    before.failures = before.failures.max(hole.failures);
                    before.leaders.extend(hole.leaders);
                }
                _ => due.push(hole),
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(start: &'static str, end: &'static str, failures: u32) -> Hole {
        Hole {
            span: Span::new(start, end),
            failures,
            leaders: Vec::new(),
        }
    }

    #[tokio::test]
    async fn neighbours_that_are_due_become_one() {
        let mut holes = Holes::default();
        holes.add_now(hole("m", "p", 0));
        holes.add_now(hole("c", "m", 2));
        holes.add(hole("p", "r", 0), Duration::from_millis(50));
        holes.add_now(hole("r", "", 0));
        let due = holes.take_due();
        let spans: Vec<_> = due
            .iter()
            .map(|hole| (hole.span.clone(), hole.failures))
            .collect();
        assert_eq!(spans, [(Span::new("c", "p"), 2), (Span::new("r", ""), 0)]);
        assert_eq!(holes.len(), 1);
        assert!(holes.take_due().is_empty());
        tokio::time::sleep_until(holes.next_due().unwrap()).await;
        assert_eq!(holes.take_due().len(), 1);
        assert_eq!((holes.len(), holes.next_due()), (0, None));
    }
}
