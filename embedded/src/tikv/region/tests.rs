use super::*;

fn first() -> Region {
    Region::new(metapb::Region {
        id: 2,
        region_epoch: Some(metapb::RegionEpoch {
            conf_ver: 1,
            version: 1,
        }),
        peers: vec![metapb::Peer {
            id: 3,
            store_id: 1,
            ..Default::default()
        }],
        ..Default::default()
    })
    .unwrap()
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn context(id: u64, version: u64, store_id: u64) -> kvrpcpb::Context {
    kvrpcpb::Context {
        region_id: id,
        region_epoch: Some(metapb::RegionEpoch {
            conf_ver: 1,
            version,
        }),
        peer: Some(metapb::Peer {
            store_id,
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[test]
fn a_split_keeps_the_right_and_tells_those_behind_of_the_left() {
    let regions = Regions::new(vec![first()]);
    let parts = first().cut(&[bytes("g"), bytes("p")], &[new(10, 11), new(12, 13)]);
    let shape: Vec<_> = parts
        .iter()
        .map(|part| {
            (
                part.id(),
                part.leader().id,
                part.range.clone(),
                part.version(),
            )
        })
        .collect();
    let range = |start, end| Range {
        start: bytes(start),
        end: bytes(end),
    };
    assert_eq!(
        shape,
        [
            (10, 11, range("", "g"), 3),
            (12, 13, range("g", "p"), 3),
            (2, 3, range("p", ""), 3)
        ]
    );
    regions.replace(parts);
    let told = |ctx: kvrpcpb::Context| {
        let error = regions.check(1, Some(&ctx)).unwrap_err();
        let current = error.epoch_not_match.map(|e| e.current_regions);
        current
            .unwrap_or_default()
            .iter()
            .map(|region| region.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(context(2, 1, 1)), [2, 12, 10]);
    assert_eq!(told(context(2, 2, 1)), [2, 12]);
    assert_eq!(told(context(2, 9, 1)), [2]);
    assert!(regions.check(1, Some(&context(12, 3, 1))).is_ok());
    assert!(
        regions
            .check(1, Some(&context(99, 3, 1)))
            .unwrap_err()
            .region_not_found
            .is_some()
    );
    assert!(
        regions
            .check(1, Some(&context(2, 3, 7)))
            .unwrap_err()
            .store_not_match
            .is_some()
    );
    assert!(
        regions
            .check(1, None)
            .unwrap_err()
            .region_not_found
            .is_some()
    );
    let middle = regions.get(12).unwrap();
    assert!(check_keys(&middle, &[bytes("g"), bytes("o")]).is_ok());
    assert!(
        check_keys(&middle, &[bytes("p")])
            .unwrap_err()
            .key_not_in_region
            .is_some()
    );
}

fn new(id: u64, peer: u64) -> NewRegion {
    NewRegion {
        id,
        peers: vec![peer],
    }
}

#[test]
fn a_merge_covers_both_and_stands_above_both() {
    let regions = Regions::new(vec![first()]);
    let parts = first().cut(&[bytes("g"), bytes("p")], &[new(10, 11), new(12, 13)]);
    regions.replace(parts.clone());
    let [left, middle, right] = parts.as_slice() else {
        panic!("{parts:?}");
    };
    assert_eq!(left.merged_with(right), None);
    let merged = middle.merged_with(right).unwrap();
    assert_eq!((merged.id(), merged.version()), (12, 5));
    assert_eq!(
        (merged.range.start.as_ref(), merged.range.end.as_ref()),
        (&b"g"[..], &b""[..])
    );
    assert_eq!(right.merged_with(middle).unwrap().range, merged.range);
    regions.replace(vec![merged]);
    let ids: Vec<u64> = regions.all().iter().map(|region| region.id()).collect();
    assert_eq!(ids, [10, 12]);
    assert_eq!(regions.at(&bytes("z")).unwrap().id(), 12);
}

#[test]
fn only_the_leading_store_serves_a_region() {
    let on_both = first().on_stores(&[1, 2], &mut [20].into_iter());
    assert_eq!(on_both.meta.region_epoch.unwrap().conf_ver, 2);
    assert_eq!(on_both.on_stores(&[1, 2], &mut std::iter::empty()), on_both);
    let regions = Regions::new(vec![on_both.led_by(2).unwrap()]);
    let refused = regions.check(1, Some(&context(2, 1, 1))).unwrap_err();
    let leader = refused.not_leader.unwrap().leader.unwrap();
    assert_eq!((leader.id, leader.store_id), (20, 2));
    assert!(regions.check(2, Some(&context(2, 1, 2))).is_ok());
    assert_eq!(on_both.led_by(3), None);
}
