use super::ServerModel::{Malicious, SemiHonest};
use super::{Connectivity, ServerModel, SparseGraph, StatisticalBits, published_rule};
use num_bigint::BigUint;
use num_traits::{One, Zero};

fn choose(n: u64, k: u64) -> BigUint {
    if k > n {
        return BigUint::zero();
    }
    (0..k).fold(BigUint::one(), |c, i| c * (n - i) / (i + 1))
}

/// Outcomes, of C(n, k), with more than `u` marked items.
fn above(n: u64, m: u64, k: u64, u: u64) -> BigUint {
    (u + 1..=m.min(k)).fold(BigUint::zero(), |sum, j| {
        sum + choose(m, j) * choose(n - m, k - j)
    })
}

/// The rule as its text reads, without any of the recurrences.
fn by_definition(
    n: u64,
    corrupt: u64,
    dropping: u64,
    bits: StatisticalBits,
    server: ServerModel,
) -> Option<SparseGraph> {
    let lost = corrupt + dropping;
    let (sigma, eta) = (u32::from(bits.security), u32::from(bits.correctness));
    (2..n.saturating_sub(1)).step_by(2).find_map(|k| {
        let falling = |from: u64| (0..k).fold(BigUint::one(), |p, i| p * from.saturating_sub(i));
        // n (n-k-1) / 2 x lost falling k / n falling k < 2^-(sigma + 1)
        let connected = BigUint::from(n * (n - k - 1)) * falling(lost) * (BigUint::one() << (sigma + 1))
            < falling(n) * 2u32;
        let all = choose(n, k);
        let t1 = (0..).find(|&v| above(n, corrupt, k, v) * n * (BigUint::one() << (sigma + 1)) <= all)?;
        let t1 = match server {
            SemiHonest => t1,
            // ceil((t1 + k - 1.25) / 2) in quarters.
            Malicious => (4 * (t1 + k) - 5).div_ceil(8),
        };
        let fewer_than = |v: u64| {
            (0..v).fold(BigUint::zero(), |sum, j| {
                sum + if j > k {
                    BigUint::zero()
                } else {
                    choose(n - dropping, j) * choose(dropping, k - j)
                }
            })
        };
        let t2 = (0..=k).rfind(|&v| fewer_than(v) * n * (BigUint::one() << eta) <= all)?;
        (connected && t1 < t2).then(|| SparseGraph {
            neighbours: k as u32,
            threshold: t1 as u32 + 1,
        })
    })
}

#[test]
fn agrees_with_the_text_for_small_cohorts() {
    let mut found = 0;
    for n in [3u32, 4, 5, 8, 13, 20, 27] {
        for corrupt in (0..n / 2).step_by(1 + n as usize / 12) {
            for dropping in (0..n - corrupt).step_by(1 + n as usize / 8) {
                for (security, correctness) in [(0, 0), (2, 1), (10, 5)] {
                    let bits = StatisticalBits {
                        security,
                        correctness,
                    };
                    for server in [SemiHonest, Malicious] {
                        let rule = published_rule(n, corrupt, dropping, bits, server);
                        let text = by_definition(n.into(), corrupt.into(), dropping.into(), bits, server);
                        assert_eq!(rule, text, "{n} {corrupt} {dropping} {bits:?} {server:?}");
                        found += usize::from(rule.is_some());
                    }
                }
            }
        }
    }
    assert!(
        found > 200,
        "the comparison must not be between refusals only: {found}"
    );
}

/// The bound on a disconnected graph is strict and met exactly by some small cohorts.
#[test]
fn connectivity_is_decided_exactly() {
    let mut ties = 0;
    for n in 4u32..40 {
        for lost in 0..n {
            for bits in [0u16, 1, 2, 5, 20] {
                let mut connectivity = Connectivity::new(n, lost, bits);
                for k in 1..=n - 2 {
                    connectivity.draw();
                    let falling = |from: u32| (0..k).fold(BigUint::one(), |p, i| p * from.saturating_sub(i));
                    let left = (falling(lost) * n * (n - k - 1)) << bits;
                    let right = falling(n);
                    ties += usize::from(left == right);
                    assert_eq!(connectivity.holds(), left < right, "{n} {lost} {bits} {k}");
                    let pairs = u64::from(n * (n - k - 1));
                    assert_eq!(connectivity.exactly(pairs), left < right, "{n} {lost} {bits} {k}");
                }
            }
        }
    }
    assert!(ties > 0);
}

#[test]
fn more_lost_than_there_are_has_no_graph() {
    let bits = StatisticalBits {
        security: 40,
        correctness: 20,
    };
    for (n, corrupt, dropping) in [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
        (3, 0, 0),
        (100, 60, 40),
        (100, 101, 0),
    ] {
        assert_eq!(
            published_rule(n, corrupt, dropping, bits, SemiHonest),
            None,
            "{n} {corrupt} {dropping}"
        );
    }
    assert_eq!(published_rule(100, u32::MAX, u32::MAX, bits, Malicious), None);
    let too_many = StatisticalBits {
        security: u16::MAX,
        correctness: 20,
    };
    assert_eq!(published_rule(100, 5, 5, too_many, Malicious), None);
}

/// The table printed in the paper's restatement that this project works from: sigma = 40 and eta = 20 except in the last
/// row (80, 40); columns 100, 1,000, 10,000 and 100,000 clients; k / t.
#[test]
fn the_published_table() {
    type Row = (u32, u32, ServerModel, [(u32, u32); 4]);
    const TABLE: [Row; 12] = [
        (5, 5, SemiHonest, [(12, 6), (30, 17), (34, 20), (36, 21)]),
        (10, 10, SemiHonest, [(22, 11), (48, 27), (54, 31), (58, 33)]),
        (5, 20, SemiHonest, [(20, 6), (50, 21), (60, 25), (64, 27)]),
        (20, 10, SemiHonest, [(32, 21), (68, 44), (80, 51), (88, 55)]),
        (33, 10, SemiHonest, [(42, 32), (102, 72), (126, 88), (138, 96)]),
        (33, 33, SemiHonest, [(68, 34), (286, 150), (422, 221), (480, 251)]),
        (5, 5, Malicious, [(16, 11), (52, 37), (62, 44), (68, 48)]),
        (10, 10, Malicious, [(32, 22), (96, 67), (122, 85), (134, 93)]),
        (5, 20, Malicious, [(44, 25), (148, 90), (202, 123), (230, 140)]),
        (20, 10, Malicious, [(42, 32), (140, 104), (184, 136), (204, 150)]),
        (20, 20, Malicious, [(62, 42), (302, 206), (482, 328), (552, 375)]),
        (33, 10, Malicious, [(54, 44), (218, 171), (310, 242), (348, 271)]),
    ];
    let check = |corrupt, dropping, bits, server, row: [(u32, u32); 4]| {
        for (n, (neighbours, threshold)) in [100, 1_000, 10_000, 100_000].into_iter().zip(row) {
            assert_eq!(
                published_rule(n, corrupt * (n / 100), dropping * (n / 100), bits, server),
                Some(SparseGraph {
                    neighbours,
                    threshold
                }),
                "{corrupt} % and {dropping} % of {n}, {server:?}"
            );
        }
    };
    for (corrupt, dropping, server, row) in TABLE {
        check(
            corrupt,
            dropping,
            StatisticalBits {
                security: 40,
                correctness: 20,
            },
            server,
            row,
        );
    }
    let bits = StatisticalBits {
        security: 80,
        correctness: 40,
    };
    check(
        20,
        10,
        bits,
        Malicious,
        [(42, 32), (218, 162), (308, 228), (340, 251)],
    );
}
