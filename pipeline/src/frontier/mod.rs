//! How far a span is complete: the minimum of its regions' resolved-ts.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
};

use bytes::Bytes;

use crate::model::{Span, Ts};

/// The resolved-ts of every part of a span.
///
/// The span is cut into pieces without gaps; each has the timestamp up to which it is complete. A piece that no region
/// serves at the moment keeps its last timestamp. No timestamp ever goes back. Moving a piece forward and asking for the
/// minimum cost O(log n) in the number of pieces.
///
/// Keys are only compared, so they may be raw or memcomparable-encoded, as long as all are the same.
#[derive(Debug)]
pub struct Frontier {
    span: Span,
    /// Where each piece starts and how far it is; it ends where the next one starts.
    pieces: BTreeMap<Bytes, Ts>,
    /// How many pieces stand at a timestamp.
    standing: BTreeMap<Ts, usize>,
}

impl Frontier {
    /// A frontier over `span`, complete up to `ts`.
    #[must_use]
    pub fn new(span: Span, ts: Ts) -> Self {
        Self {
            pieces: BTreeMap::from([(span.start.clone(), ts)]),
            standing: BTreeMap::from([(ts, 1)]),
            span,
        }
    }

    /// The timestamp up to which the whole span is complete.
    #[must_use]
    pub fn resolved_ts(&self) -> Ts {
        self.standing.first_key_value().map_or(0, |(&ts, _)| ts)
    }

    /// The timestamp up to which the part of the span within `range` is complete.
    #[must_use]
    pub fn resolved_ts_of(&self, range: &Span) -> Ts {
        let first = self
            .pieces
            .range::<[u8], _>((Unbounded, Included(&range.start[..])))
            .next_back();
        let rest = self
            .pieces
            .range::<[u8], _>((Excluded(&range.start[..]), upper(range)));
        first
            .into_iter()
            .chain(rest)
            .map(|(_, &ts)| ts)
            .min()
            .unwrap_or_else(|| self.resolved_ts())
    }

    /// Moves what lies in `range` forward to `ts`; pieces that are there already stay where they are.
    pub fn forward(&mut self, range: &Span, ts: Ts) {
        let start = range.start.clone().max(self.span.start.clone());
        let end = match self.span.end.is_empty()
            || (!range.end.is_empty() && range.end < self.span.end)
        {
            true => range.end.clone(),
            false => self.span.end.clone(),
        };
        let range = Span { start, end };
        if range.is_empty() {
            return;
        }
        self.cut(&range.start);
        if range.end != self.span.end {
            self.cut(&range.end);
        }
        self.raise(&range, ts);
    }

    /// Number of pieces.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Makes a piece start at `key`, which lies in the span.
    fn cut(&mut self, key: &Bytes) {
        if let Some((start, &ts)) = self
            .pieces
            .range::<[u8], _>((Unbounded, Included(&key[..])))
            .next_back()
            && start != key
        {
            self.pieces.insert(key.clone(), ts);
            *self.standing.entry(ts).or_default() += 1;
        }
    }

    /// Raises the pieces of `range`, at whose ends pieces begin, and makes one of neighbours that now stand together, so
    /// that pieces of regions merged since do not stay for ever.
    fn raise(&mut self, range: &Span, ts: Ts) {
        let mut before = None;
        let mut joined = Vec::new();
        for (start, at) in self
            .pieces
            .range_mut::<[u8], _>((Included(&range.start[..]), upper(range)))
        {
            if *at < ts {
                leave(&mut self.standing, *at);
                *self.standing.entry(ts).or_default() += 1;
                *at = ts;
            }
            if before == Some(*at) {
                joined.push(start.clone());
            }
            before = Some(*at);
        }
        for start in joined {
            if let Some(at) = self.pieces.remove(&start) {
                leave(&mut self.standing, at);
            }
        }
    }
}

/// The upper bound of the starts of pieces that reach into `range`.
fn upper(range: &Span) -> std::ops::Bound<&[u8]> {
    if range.end.is_empty() {
        Unbounded
    } else {
        Excluded(&range.end[..])
    }
}

/// One piece fewer stands at `ts`.
fn leave(standing: &mut BTreeMap<Ts, usize>, ts: Ts) {
    if let Some(count) = standing.get_mut(&ts) {
        *count -= 1;
        if *count == 0 {
            standing.remove(&ts);
        }
    }
}

#[cfg(test)]
mod tests;
