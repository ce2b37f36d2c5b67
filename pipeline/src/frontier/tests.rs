use proptest::prelude::*;

use super::*;

fn span(start: &'static str, end: &'static str) -> Span {
    Span::new(start, end)
}

#[test]
fn the_slowest_piece_decides() {
    let mut frontier = Frontier::new(span("a", "z"), 10);
    frontier.forward(&span("a", "m"), 20);
    assert_eq!(frontier.resolved_ts(), 10);
    frontier.forward(&span("m", "z"), 15);
    assert_eq!(frontier.resolved_ts(), 15);
    frontier.forward(&span("m", "z"), 12);
    assert_eq!(frontier.resolved_ts(), 15, "it never goes back");
    assert_eq!(frontier.resolved_ts_of(&span("b", "c")), 20);
    assert_eq!(frontier.resolved_ts_of(&span("b", "")), 15);
}

#[test]
fn a_hole_keeps_its_timestamp_over_split_and_merge() {
    let mut frontier = Frontier::new(span("a", ""), 10);
    frontier.forward(&span("", "k"), 30);
    frontier.forward(&span("k", "p"), 20);
    frontier.forward(&span("p", ""), 40);
    // [k, p) is split and only its right half is served.
    frontier.forward(&span("m", "p"), 50);
    assert_eq!(frontier.resolved_ts(), 20);
    assert_eq!(frontier.resolved_ts_of(&span("k", "p")), 20);
    assert_eq!(frontier.resolved_ts_of(&span("n", "o")), 50);
    // Everything merges into one region.
    frontier.forward(&span("", ""), 60);
    assert_eq!((frontier.resolved_ts(), frontier.pieces()), (60, 1));
}

#[test]
fn ranges_outside_the_span_change_nothing() {
    let mut frontier = Frontier::new(span("c", "f"), 10);
    frontier.forward(&span("a", "c"), 90);
    frontier.forward(&span("f", ""), 90);
    assert_eq!((frontier.resolved_ts(), frontier.pieces()), (10, 1));
}

#[test]
fn a_hundred_thousand_regions() {
    let key = |i: u32| {
        if i == 100_000 {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(&i.to_be_bytes())
        }
    };
    let range = |i: u32| Span {
        start: key(i),
        end: key(i + 1),
    };
    let mut frontier = Frontier::new(
        Span {
            start: key(0),
            end: Bytes::new(),
        },
        1,
    );
    for round in 2..6 {
        // Not in key order, as regions answer.
        for i in 0..100_000u32 {
            assert_eq!(frontier.resolved_ts(), round - 1);
            frontier.forward(&range((i * 7919) % 100_000), round);
        }
    }
    assert_eq!((frontier.resolved_ts(), frontier.pieces()), (5, 100_000));
}

/// One timestamp for each of 16 keys: slow and evidently right.
struct Naive(Vec<(u8, Ts)>);

impl Naive {
    fn within<'a>(&'a mut self, range: &'a Span) -> impl Iterator<Item = &'a mut Ts> {
        self.0
            .iter_mut()
            .filter(|(key, _)| range.contains(&[*key]))
            .map(|(_, ts)| ts)
    }
}

proptest! {
    #[test]
    fn equals_the_naive_model(
        steps in prop::collection::vec((0u8..18, 0u8..18, 1u64..40), 1..60),
        bounds in (0u8..8, 9u8..18),
    ) {
        let bound = |key: u8| if key == 17 { Bytes::new() } else { Bytes::copy_from_slice(&[key]) };
        let whole = Span { start: bound(bounds.0), end: bound(bounds.1) };
        let mut frontier = Frontier::new(whole.clone(), 5);
        let mut naive = Naive((0..17).filter(|key| whole.contains(&[*key])).map(|key| (key, 5)).collect());
        let mut last = 5;
        for (start, end, ts) in steps {
            let range = Span { start: Bytes::copy_from_slice(&[start]), end: bound(end) };
            frontier.forward(&range, ts);
            naive.within(&range).for_each(|at| *at = ts.max(*at));
            let expected = naive.0.iter().map(|(_, at)| *at).min();
            prop_assert_eq!(Some(frontier.resolved_ts()), expected);
            prop_assert!(frontier.resolved_ts() >= last);
            last = frontier.resolved_ts();
            if let Some(expected) = naive.within(&range).map(|at| *at).min() {
                prop_assert_eq!(frontier.resolved_ts_of(&range), expected);
            }
            prop_assert_eq!(frontier.standing.values().sum::<usize>(), frontier.pieces());
        }
    }
}
