//! What a round uses, from the three counts of its manifest.

use thiserror::Error;

use super::published::{StatisticalBits, chosen_rule, surviving_neighbours};

/// Smallest cohort.
pub const MIN_CLIENTS: u32 = 3;
/// Largest cohort the rule is stated for.
pub const MAX_CLIENTS: u32 = 1_000_000;
/// Up to this cohort the graph is complete.
pub const COMPLETE_MAX: u32 = 64;
/// Up to this cohort nothing about the ring's security depends on the permutation.
pub const PERMUTATION_FREE_MAX: u32 = 1_000;
/// 40 bits plus 64 that colluders can grind through their own nonces; one round in a million loses a secret for want of
/// surviving neighbours if drop-outs are as many as allowed.
pub const ROUND_BITS: StatisticalBits = StatisticalBits {
    security: 104,
    correctness: 20,
};
/// How many of the security bits a server may win above `PERMUTATION_FREE_MAX` that chooses, with the ring before it, who
/// drops out and who is missing: 95 of 104 are left (spec 03 section 3.4).
pub(super) const CHOICE_BITS: u16 = 9;

/// Shape of the neighbour graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphKind {
    /// Everybody with everybody.
    Complete,
    /// Each with the k/2 nearest on both sides of a ring.
    Ring,
}

/// Graph, thresholds and quorum of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundParameters {
    /// Shape.
    pub graph: GraphKind,
    /// k; n - 1 on the complete graph.
    pub neighbours: u32,
    /// t: shares of a secret that determine it.
    pub threshold: u32,
    /// Q: signatures on one statement before anybody reveals a share.
    pub quorum: u32,
}

/// Why three counts make no round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// n < 3: a sum of two reveals each to the other.
    #[error("a cohort of {clients} is smaller than 3")]
    TooFewClients {
        /// n.
        clients: u32,
    },
    /// n > 1,000,000.
    #[error("a cohort of {clients} is larger than 1000000")]
    TooManyClients {
        /// n.
        clients: u32,
    },
    /// m > n.
    #[error("{minimum_survivors} minimum survivors of a cohort of {clients}")]
    SurvivorsAboveCohort {
        /// m.
        minimum_survivors: u32,
        /// n.
        clients: u32,
    },
    /// c >= m: a sum could hold no honest client at all.
    #[error("{colluders} colluders can make up all of {minimum_survivors} survivors")]
    NoHonestSurvivor {
        /// c.
        colluders: u32,
        /// m.
        minimum_survivors: u32,
    },
    /// m < Q: two disjoint sets of honest clients could each complete a quorum.
    #[error("{minimum_survivors} minimum survivors are below the quorum of {quorum}")]
    SurvivorsBelowQuorum {
        /// m.
        minimum_survivors: u32,
        /// Q.
        quorum: u32,
    },
    /// m < t: the survivors could not reconstruct.
    #[error("{minimum_survivors} minimum survivors are below the threshold of {threshold}")]
    SurvivorsBelowThreshold {
        /// m.
        minimum_survivors: u32,
        /// t.
        threshold: u32,
    },
    /// No sparse graph meets the bounds; fewer colluders or drop-outs, or a cohort of at most 64, would.
    #[error("no sparse graph over {clients} clients bears {colluders} colluders and {dropouts} drop-outs")]
    NoSparseGraph {
        /// n.
        clients: u32,
        /// c.
        colluders: u32,
        /// n - m.
        dropouts: u32,
    },
}

impl RoundParameters {
    /// The parameters of a round with `clients` n, `colluders` c and `minimum_survivors` m, at [`ROUND_BITS`].
    ///
    /// # Errors
    /// A [`ParameterError`] that names the condition the counts break.
    pub fn derive(clients: u32, colluders: u32, minimum_survivors: u32) -> Result<Self, ParameterError> {
        Self::derive_at(clients, colluders, minimum_survivors, ROUND_BITS)
    }

    /// As [`RoundParameters::derive`], at other failure probabilities. With d = n - m:
    ///
    /// - n <= 64: complete, t = floor((n + c) / 2) + 1;
    /// - n <= 1,000: the least even k with k >= c + d + 1 and t = floor((k + c) / 2) + 1 <= t2, where t2 is the greatest v
    ///   with P[Hyp(n, n - d, k) < v] <= 2^-eta / n;
    /// - above: the published sparse rule for a malicious server, with 9 of the security bits fewer where it chooses the drop-outs;
    ///
    /// and always Q = floor((n + c) / 2) + 1 and m >= max(Q, t).
    ///
    /// # Errors
    /// A [`ParameterError`] that names the condition the counts break.
    pub fn derive_at(
        clients: u32,
        colluders: u32,
        minimum_survivors: u32,
        bits: StatisticalBits,
    ) -> Result<Self, ParameterError> {
        if clients < MIN_CLIENTS {
            return Err(ParameterError::TooFewClients { clients });
        }
        if clients > MAX_CLIENTS {
            return Err(ParameterError::TooManyClients { clients });
        }
        let Some(dropouts) = clients.checked_sub(minimum_survivors) else {
            return Err(ParameterError::SurvivorsAboveCohort {
                minimum_survivors,
                clients,
            });
        };
        if colluders >= minimum_survivors {
            return Err(ParameterError::NoHonestSurvivor {
                colluders,
                minimum_survivors,
            });
        }
        let quorum = majority(clients, colluders);
        if minimum_survivors < quorum {
            return Err(ParameterError::SurvivorsBelowQuorum {
                minimum_survivors,
                quorum,
            });
        }
        let (graph, neighbours, threshold) = if clients <= COMPLETE_MAX {
            (GraphKind::Complete, clients - 1, majority(clients, colluders))
        } else {
            let sparse = if clients <= PERMUTATION_FREE_MAX {
                permutation_free(clients, colluders, dropouts, bits)
            } else {
                let chosen = bits.security.saturating_sub(CHOICE_BITS);
                chosen_rule(clients, colluders, dropouts, bits, chosen)
                    .map(|graph| (graph.neighbours, graph.threshold))
            };
            let (neighbours, threshold) = sparse.ok_or(ParameterError::NoSparseGraph {
                clients,
                colluders,
                dropouts,
            })?;
            (GraphKind::Ring, neighbours, threshold)
        };
        if minimum_survivors < threshold {
            return Err(ParameterError::SurvivorsBelowThreshold {
                minimum_survivors,
                threshold,
            });
        }
        Ok(Self {
            graph,
            neighbours,
            threshold,
            quorum,
        })
    }
}

/// The least number of answers that cannot be had twice from `size` parties of which `colluders` answer twice:
/// 2 x majority > size + colluders.
fn majority(size: u32, colluders: u32) -> u32 {
    // Both are at most a million here.
    (size + colluders) / 2 + 1
}

/// (k, t) for a ring whose security holds for every permutation.
fn permutation_free(
    clients: u32,
    colluders: u32,
    dropouts: u32,
    bits: StatisticalBits,
) -> Option<(u32, u32)> {
    surviving_neighbours(clients, dropouts, bits.correctness)
        .take_while(|&(k, _)| k < clients)
        .filter(|&(k, _)| k % 2 == 0 && k > colluders + dropouts)
        .map(|(k, t2)| (k, majority(k, colluders), t2))
        .find(|&(_, t, t2)| t <= t2)
        .map(|(k, t, _)| (k, t))
}

#[cfg(test)]
mod tests {
    use super::{GraphKind, ParameterError, RoundParameters};

    fn derive(n: u32, c: u32, m: u32) -> Result<RoundParameters, ParameterError> {
        RoundParameters::derive(n, c, m)
    }

    #[test]
    fn the_values_the_design_prints() {
        // n, c, n - m: k / t.
        for (n, c, d, neighbours, threshold) in [
            (100, 5, 5, 16, 11),
            (500, 25, 25, 54, 40),
            (500, 25, 75, 102, 64),
            (500, 25, 125, 160, 93),
            (1_000, 50, 50, 102, 77),
            (10_000, 500, 500, 92, 70),
        ] {
            let quorum = (n + c) / 2 + 1;
            assert_eq!(
                derive(n, c, n - d),
                Ok(RoundParameters {
                    graph: GraphKind::Ring,
                    neighbours,
                    threshold,
                    quorum
                })
            );
        }
        for (n, c, d, threshold) in [(3, 0, 1, 2), (4, 1, 1, 3), (20, 1, 1, 11), (60, 3, 3, 32)] {
            let complete = RoundParameters {
                graph: GraphKind::Complete,
                neighbours: n - 1,
                threshold,
                quorum: threshold,
            };
            assert_eq!(derive(n, c, n - d), Ok(complete));
        }
    }

    #[test]
    fn each_refusal_is_named() {
        assert_eq!(derive(2, 0, 2), Err(ParameterError::TooFewClients { clients: 2 }));
        assert_eq!(
            derive(u32::MAX, 0, 5),
            Err(ParameterError::TooManyClients { clients: u32::MAX })
        );
        assert_eq!(
            derive(10, 0, 11),
            Err(ParameterError::SurvivorsAboveCohort {
                minimum_survivors: 11,
                clients: 10
            })
        );
        assert_eq!(
            derive(10, 8, 8),
            Err(ParameterError::NoHonestSurvivor {
                colluders: 8,
                minimum_survivors: 8
            })
        );
        assert_eq!(
            derive(10, u32::MAX, 10),
            Err(ParameterError::NoHonestSurvivor {
                colluders: u32::MAX,
                minimum_survivors: 10
            })
        );
        assert_eq!(
            derive(3, 0, 0),
            Err(ParameterError::NoHonestSurvivor {
                colluders: 0,
                minimum_survivors: 0
            })
        );
        assert_eq!(
            derive(20, 1, 10),
            Err(ParameterError::SurvivorsBelowQuorum {
                minimum_survivors: 10,
                quorum: 11
            })
        );
        assert!(derive(20, 1, 11).is_ok());
        assert_eq!(
            derive(100, 33, 67),
            Err(ParameterError::NoSparseGraph {
                clients: 100,
                colluders: 33,
                dropouts: 33
            })
        );
        assert_eq!(
            derive(10_000, 3_300, 6_651),
            Err(ParameterError::NoSparseGraph {
                clients: 10_000,
                colluders: 3_300,
                dropouts: 3_349
            })
        );
    }

    /// The inequalities behind G1 and G2, for every cohort near each border and many counts.
    #[test]
    fn what_is_derived_keeps_its_promises() {
        for n in (3..=130).chain([500, 999, 1_000]) {
            for c in (0..n / 3).step_by(1 + n as usize / 40) {
                for d in (0..n / 2).step_by(1 + n as usize / 40) {
                    let Ok(parameters) = derive(n, c, n - d) else {
                        continue;
                    };
                    let (k, t, q) = (parameters.neighbours, parameters.threshold, parameters.quorum);
                    assert!(2 * q > n + c, "two quorums share an honest signer");
                    assert!(q <= n - d && t <= n - d);
                    match parameters.graph {
                        GraphKind::Complete => {
                            assert!(n <= 64 && k == n - 1 && 2 * t > n + c);
                        }
                        GraphKind::Ring => {
                            assert!(n > 64 && k % 2 == 0 && k < n);
                            assert!(k > c + d, "no choice of lost clients cuts the ring");
                            assert!(2 * t > k + c && t <= k, "no client's two secrets can both be had");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn graph_changes_at_the_stated_cohorts() {
        assert_eq!(derive(64, 3, 61).unwrap().graph, GraphKind::Complete);
        assert_eq!(derive(65, 3, 62).unwrap().graph, GraphKind::Ring);
        // Above 1,000 the permutation carries the proof, and k falls.
        assert!(derive(1_001, 50, 951).unwrap().neighbours < derive(1_000, 50, 950).unwrap().neighbours);
    }
}
