//! Which regions serve the holes of a span.

use bytes::Bytes;

use super::holes::Hole;
use crate::{
    model::Span,
    upstream::{
        Error, keys,
        pd::{Pd, Region},
    },
};

/// Regions asked for in one request.
const PAGE: i32 = 1024;

/// A part of a hole and the region that serves it.
#[derive(Debug)]
pub(super) struct Piece {
    /// Memcomparable-encoded, within the region.
    pub(super) span: Span,
    pub(super) region: Region,
    pub(super) failures: u32,
}

/// What was found out about holes.
#[derive(Debug, Default)]
pub(super) struct Located {
    pub(super) pieces: Vec<Piece>,
    /// What PD has no region or no leader for at the moment, or could not be asked about.
    pub(super) left: Vec<Hole>,
    pub(super) error: Option<Error>,
}

/// Looks `holes`, given in key order, up at PD. Every key of them is in exactly one piece or hole of the answer.
pub(super) async fn locate(pd: &Pd, holes: Vec<Hole>) -> Located {
    let (regions, error) = regions_over(pd, &holes).await;
    let mut located = Located {
        error,
        ..Located::default()
    };
    for hole in holes {
        cut(hole, &regions, &mut located);
    }
    located
}

/// The regions that hold any key of `holes`, as far as PD could be asked.
async fn regions_over(pd: &Pd, holes: &[Hole]) -> (Vec<Region>, Option<Error>) {
    let mut regions = Vec::new();
    let Some((first, last)) = holes.first().zip(holes.last()) else {
        return (regions, None);
    };
    let mut rest = Span {
        start: first.span.start.clone(),
        end: last.span.end.clone(),
    };
    loop {
        let page = match pd.scan_regions(&rest, PAGE).await {
            Ok(page) => page,
            Err(error) => return (regions, Some(error)),
        };
        let end = page.last().map(|region| region.meta.end_key.clone());
        regions.extend(page);
        // On from the first key of a hole behind what is known; that there is one more page also means it got further.
        let next = end.filter(|end| !end.is_empty()).and_then(|end| {
            let hole = holes
                .iter()
                .find(|hole| hole.span.end.is_empty() || hole.span.end > end)?;
            Some(hole.span.start.clone().max(end))
        });
        match next {
            Some(next) if next > rest.start => rest.start = next,
            _ => return (regions, None),
        }
    }
}

/// Cuts a hole along the boundaries of `regions`, which are in key order.
fn cut(hole: Hole, regions: &[Region], located: &mut Located) {
    let Hole {
        span,
        failures,
        leaders,
    } = hole;
    let left = |span: Span| Hole {
        span,
        failures: failures + 1,
        leaders: Vec::new(),
    };
    let mut rest = Some(span);
    let from = regions.partition_point(|region| {
        let end = &region.meta.end_key;
        !end.is_empty() && rest.as_ref().is_some_and(|rest| *end <= rest.start)
    });
    for region in &regions[from..] {
        let Some(span) = rest.take() else { return };
        let Some(common) = keys::intersect(&span, &region.span()) else {
            rest = Some(span);
            // Either before what is left (pages that overlap) or behind it.
            match region.meta.start_key
                >= rest
                    .as_ref()
                    .map_or_else(Bytes::new, |rest| rest.start.clone())
            {
                true => break,
                false => continue,
            }
        };
        if common.start > span.start {
            located.left.push(left(Span {
                start: span.start,
                end: common.start.clone(),
            }));
        }
        if !common.end.is_empty() && common.end != span.end {
            rest = Some(Span {
                start: common.end.clone(),
                end: span.end,
            });
        }
        let mut region = region.clone();
        if let Some((_, leader)) = leaders.iter().find(|(id, _)| *id == region.meta.id)
            && region.meta.peers.iter().any(|peer| peer.id == leader.id)
        {
            region.leader = Some(*leader);
        }
        match region.leader {
            Some(_) => located.pieces.push(Piece {
                span: common,
                region,
                failures,
            }),
            None => located.left.push(left(common)),
        }
    }
    located.left.extend(rest.map(left));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto::metapb;

    use super::*;

    fn region(id: u64, start: &[u8], end: &[u8], led: bool) -> Region {
        let peer = metapb::Peer {
            id: id + 100,
            store_id: 1,
            ..Default::default()
        };
        let meta = metapb::Region {
            id,
            start_key: Bytes::copy_from_slice(start),
            end_key: Bytes::copy_from_slice(end),
            peers: vec![peer],
            ..Default::default()
        };
        Region {
            meta,
            leader: led.then_some(peer),
        }
    }

    fn hole(start: &'static str, end: &'static str) -> Hole {
        Hole {
            span: Span::new(start, end),
            failures: 0,
            leaders: Vec::new(),
        }
    }

    #[test]
    fn gaps_and_leaderless_regions_stay_holes() {
        let regions = [
            region(1, b"", b"c", true),
            region(2, b"e", b"g", false),
            region(3, b"g", b"", true),
        ];
        let mut located = Located::default();
        cut(hole("a", "z"), &regions, &mut located);
        let pieces: Vec<_> = located
            .pieces
            .iter()
            .map(|piece| (piece.region.meta.id, piece.span.clone()))
            .collect();
        assert_eq!(pieces, [(1, Span::new("a", "c")), (3, Span::new("g", "z"))]);
        let left: Vec<_> = located
            .left
            .iter()
            .map(|hole| (hole.span.clone(), hole.failures))
            .collect();
        assert_eq!(left, [(Span::new("c", "e"), 1), (Span::new("e", "g"), 1)]);
    }

    #[test]
    fn the_leader_a_store_named_is_taken() {
        let mut regions = [region(1, b"", b"", false)];
        let new = metapb::Peer {
            id: 9,
            store_id: 2,
            ..Default::default()
        };
        regions[0].meta.peers.push(new);
        let mut located = Located::default();
        cut(
            Hole {
                leaders: vec![(1, new)],
                ..hole("a", "")
            },
            &regions,
            &mut located,
        );
        assert_eq!(located.pieces[0].region.leader, Some(new));
    }

    proptest! {
        /// Every key of the hole is in exactly one piece or hole, and in no region that does not hold it.
        #[test]
        fn nothing_is_lost_and_nothing_doubled(
            bounds in prop::collection::btree_set(1u8..40, 0..8),
            kept in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 9),
            hole in (0u8..40, 1u8..42),
        ) {
            let key = |b: Option<&u8>| b.map_or_else(Vec::new, |b| vec![*b]);
            let bounds: Vec<u8> = bounds.into_iter().collect();
            let mut regions = Vec::new();
            for (i, (present, led, twice)) in kept.into_iter().enumerate().take(bounds.len() + 1) {
                let start = key(i.checked_sub(1).and_then(|i| bounds.get(i)));
                let end = key(bounds.get(i));
                if present {
                    regions.push(region(i as u64 + 1, &start, &end, led));
                    // A second page may bring the last region of the first again.
                    if twice {
                        regions.push(region(i as u64 + 1, &start, &end, led));
                    }
                }
            }
            let end = if hole.1 == 41 { Bytes::new() } else { Bytes::copy_from_slice(&[hole.1]) };
            let span = Span { start: Bytes::copy_from_slice(&[hole.0]), end };
            prop_assume!(!span.is_empty());
            let mut located = Located::default();
            cut(Hole { span: span.clone(), failures: 0, leaders: Vec::new() }, &regions, &mut located);
            for key in 0u8..60 {
                let times = located.pieces.iter().map(|piece| &piece.span)
                    .chain(located.left.iter().map(|hole| &hole.span))
                    .filter(|span| span.contains(&[key]))
                    .count();
                prop_assert_eq!(times, usize::from(span.contains(&[key])), "key {}", key);
            }
            for piece in &located.pieces {
                prop_assert_eq!(keys::intersect(&piece.span, &piece.region.span()), Some(piece.span.clone()));
            }
        }
    }
}
