use super::{Keystream, Neighbourhood, NeighbourhoodError, permutation};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn root() -> [u8; 32] {
    core::array::from_fn(|i| i as u8)
}

/// Values from an independent implementation of the module text (Python, AES in ECB mode over the counter).
#[test]
fn permutation_is_the_documented_one() {
    assert_eq!(permutation(12, &root()), [4, 9, 1, 6, 0, 7, 10, 3, 8, 2, 11, 5]);
    for (size, expected) in [
        (
            1_000,
            "ba9a7a6b34a24a9f9d4bf8ee9f76c7af9986c3beeed1a1478d3ba59072c3153b",
        ),
        (
            65_535,
            "48eab6737713d3345b4ab19faa63653d2c579f6cbe455c2f7a487758a28c42e0",
        ),
    ] {
        let bytes: Vec<u8> = permutation(size, &root())
            .into_iter()
            .flat_map(u16::to_le_bytes)
            .collect();
        let digest: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(digest, expected, "{size} entries");
    }
}

#[test]
fn draws_reject_instead_of_folding() {
    // With this bound a third of all words is rejected; folding them would favour the low third.
    let bound = (1u32 << 31) / 3 * 4;
    let mut words = Keystream::new(&root());
    let draws: Vec<u32> = (0..3_000).map(|_| words.draw(bound)).collect();
    assert!(draws.iter().all(|&draw| draw < bound));
    let low = draws.iter().filter(|&&draw| draw < bound / 2).count();
    // Half of them if uniform (folding gives two thirds); six standard deviations are 164.
    assert!(low.abs_diff(1_500) < 164, "{low} of 3000 in the lower half");
    assert_eq!(words.draw(1), 0);
}

#[test]
fn every_order_of_four_is_about_as_likely() {
    let mut seen = std::collections::HashMap::new();
    for i in 0..24_000u32 {
        let mut root = [0; 32];
        root[..4].copy_from_slice(&i.to_le_bytes());
        *seen.entry(permutation(4, &root)).or_insert(0u32) += 1;
    }
    assert_eq!(seen.len(), 24);
    // Expected 1,000 each, standard deviation 31.
    assert!(
        seen.values().all(|&count| count.abs_diff(1_000) < 186),
        "{seen:?}"
    );
}

#[test]
fn shapes_that_are_no_graph_are_refused() {
    assert_eq!(Neighbourhood::complete(1), Err(NeighbourhoodError::TooSmall(1)));
    assert_eq!(
        Neighbourhood::ring(9, 0, &root()),
        Err(NeighbourhoodError::OddNeighbours(0))
    );
    assert_eq!(
        Neighbourhood::ring(9, 3, &root()),
        Err(NeighbourhoodError::OddNeighbours(3))
    );
    assert_eq!(
        Neighbourhood::ring(8, 8, &root()),
        Err(NeighbourhoodError::TooManyNeighbours {
            size: 8,
            neighbours: 8
        })
    );
    assert_eq!(
        Neighbourhood::ring(9, 8, &root()).unwrap().neighbours_of(4),
        [0, 1, 2, 3, 5, 6, 7, 8]
    );
}

#[test]
fn complete_graph_joins_all() {
    let graph = Neighbourhood::complete(5).unwrap();
    assert!(graph.is_complete());
    assert_eq!(
        (graph.degree(), graph.position(4), graph.position(5)),
        (4, Some(4), None)
    );
    assert_eq!(graph.neighbours_of(2), [0, 1, 3, 4]);
    assert!(graph.neighbours_of(5).is_empty());
    assert!(graph.are_neighbours(0, 4) && !graph.are_neighbours(3, 3) && !graph.are_neighbours(0, 5));
}

#[test]
fn arc_is_the_ring_around_a_client() {
    let graph = Neighbourhood::ring(12, 4, &root()).unwrap();
    // Order 4 9 1 6 0 7 10 3 8 2 11 5, from the known answer above.
    assert_eq!(graph.arc(6), [9, 1, 0, 7]);
    assert_eq!(graph.arc(4), [11, 5, 9, 1]);
    assert_eq!(graph.arc(5), [2, 11, 4, 9]);
    assert_eq!(graph.neighbours_of(5), [2, 4, 9, 11]);
    assert_eq!(graph.position(5), Some(11));
    assert!(graph.arc(12).is_empty() && graph.position(12).is_none());
}

/// Whether the clients outside `lost` hang together.
fn connected(adjacent: &[u32], lost: u32) -> bool {
    let alive = !lost & ((1 << adjacent.len()) - 1);
    let mut reached = alive & alive.wrapping_neg();
    loop {
        let more = (0..adjacent.len())
            .filter(|i| reached >> i & 1 == 1)
            .fold(reached, |set, i| set | adjacent[i] & alive);
        if more == reached {
            return reached == alive;
        }
        reached = more;
    }
}

/// The condition k >= c + d + 1: whichever c colluders and d drop-outs are taken away, the others stay connected. It is
/// also the best possible: some k clients cut every ring that is not complete.
#[test]
fn fewer_lost_clients_than_neighbours_never_cut_the_ring() {
    for size in 3u16..=13 {
        for neighbours in (2..size).step_by(2) {
            let graph = Neighbourhood::ring(size, neighbours, &[size as u8; 32]).unwrap();
            let adjacent: Vec<u32> = (0..size)
                .map(|i| {
                    graph
                        .neighbours_of(i)
                        .into_iter()
                        .fold(0, |set, other| set | 1 << other)
                })
                .collect();
            let mut cut = false;
            for lost in 0u32..1 << size {
                if lost.count_ones() < u32::from(neighbours) {
                    assert!(
                        connected(&adjacent, lost),
                        "{size} clients, k = {neighbours}, lost {lost:b}"
                    );
                } else if lost.count_ones() == u32::from(neighbours) {
                    cut |= !connected(&adjacent, lost);
                }
            }
            assert_eq!(cut, neighbours + 1 < size, "{size} clients, k = {neighbours}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_ring_is_regular_symmetric_and_free_of_loops(
        root: [u8; 32],
        size in 3u16..400,
        half in any::<prop::sample::Index>(),
    ) {
        let neighbours = 2 * (1 + half.index(usize::from(size - 1) / 2) as u16);
        let graph = Neighbourhood::ring(size, neighbours, &root).unwrap();
        prop_assert!(!graph.is_complete());
        prop_assert_eq!((graph.size(), graph.degree()), (size, neighbours));
        let lists: Vec<Vec<u16>> = (0..size).map(|i| graph.neighbours_of(i)).collect();
        for (i, list) in (0u16..).zip(&lists) {
            prop_assert_eq!(list.len(), usize::from(neighbours));
            prop_assert!(list.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(!list.contains(&i));
            for other in 0..size {
                let listed = list.binary_search(&other).is_ok();
                prop_assert_eq!(listed, graph.are_neighbours(i, other));
                prop_assert_eq!(listed, lists[usize::from(other)].binary_search(&i).is_ok());
            }
        }
    }
}
