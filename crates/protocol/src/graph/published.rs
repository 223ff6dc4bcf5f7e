//! The published rule for a sparse graph, in exact arithmetic.
//!
//! Bell, Bonawitz, Gascón, Lepoint, Raykova, Secure single-server aggregation with (poly)logarithmic overhead, CCS 2020,
//! as the parameter finder of FCP states it for a k-regular ring over a random permutation
//! (`fcp/secagg/server/graph_parameter_finder.cc`).

use num_bigint::BigUint;
use num_traits::One;

use super::enclosure::Enclosure;
use super::tail::Quantile;

/// Bits kept below the bound on a disconnected graph; see `tail.rs`.
const GUARD_BITS: u64 = 256;

/// What the server may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerModel {
    /// It follows the protocol and pools what it sees with the corrupt clients.
    SemiHonest,
    /// It may show different clients different sets of survivors.
    Malicious,
}

/// Failure probabilities as powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticalBits {
    /// sigma: the graph reveals more than the sum with probability below 2^-sigma.
    pub security: u16,
    /// eta: too few neighbours of some client survive with probability at most 2^-eta.
    pub correctness: u16,
}

/// A k-regular graph and the threshold that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseGraph {
    /// k, even.
    pub neighbours: u32,
    /// t: shares of a secret that determine it.
    pub threshold: u32,
}

/// The least even k <= `clients` - 2, with its t, such that
///
/// - connected: n (n-k-1) / 2 x B! / (B-k)! x (n-k)! / n! < 2^-(sigma+1), where B = `corrupt` + `dropping`;
/// - t1 < t2, where t1 = min { v : P[Hyp(n, corrupt, k) > v] <= 2^-(sigma+1) / n }, for a malicious server replaced by
///   ceil((t1 + k - 1.25) / 2), and t2 = max { v : P[Hyp(n, n - dropping, k) < v] <= 2^-eta / n };
///
/// and then t = t1 + 1. `None` if there is no such k: fall back to the complete graph or refuse.
///
/// Takes microseconds where k is small, and about a second for a million clients and counts that no k can meet.
pub fn published_rule(
    clients: u32,
    corrupt: u32,
    dropping: u32,
    bits: StatisticalBits,
    server: ServerModel,
) -> Option<SparseGraph> {
    sparse_graph(clients, corrupt, dropping, bits, server, None)
}

/// [`published_rule`] for a malicious server that also chooses, with the ring before it, who drops out and who is missing: t1 is
/// at least min { v : P[Hyp(m, corrupt, k) > v] <= 2^-chosen / m^2 }, so that with w = t - k/2 no two runs of k/2 places hold
/// w corrupt ones each but with probability below 2^-chosen, over a roster of m = `clients` - `dropping`, where they are
/// densest (spec 03 section 3.4).
pub(super) fn chosen_rule(
    clients: u32,
    corrupt: u32,
    dropping: u32,
    bits: StatisticalBits,
    chosen: u16,
) -> Option<SparseGraph> {
    let least = clients
        .checked_sub(dropping)
        .filter(|least| *least >= corrupt.max(1))?;
    let pairs = u64::from(least).checked_mul(u64::from(least))?;
    let crowd = Quantile::over(least, corrupt, chosen, pairs);
    sparse_graph(
        clients,
        corrupt,
        dropping,
        bits,
        ServerModel::Malicious,
        Some((least, crowd)),
    )
}

fn sparse_graph(
    clients: u32,
    corrupt: u32,
    dropping: u32,
    bits: StatisticalBits,
    server: ServerModel,
    mut crowd: Option<(u32, Quantile)>,
) -> Option<SparseGraph> {
    let lost = corrupt.checked_add(dropping).filter(|&lost| lost < clients)?;
    // Both events that break security get half of it.
    let security = bits.security.checked_add(1)?;
    let mut connectivity = Connectivity::new(clients, lost, bits.security);
    let mut corrupt_neighbours = Quantile::new(clients, corrupt, security);
    let mut lost_neighbours = Quantile::new(clients, dropping, bits.correctness);
    for k in (2..=u64::from(clients).checked_sub(2)?).step_by(2) {
        for draw in [k - 1, k] {
            connectivity.draw();
            corrupt_neighbours.draw();
            lost_neighbours.draw();
            if let Some((least, crowd)) = &mut crowd
                && draw <= u64::from(*least)
            {
                // From there on every corrupt client is among the draws.
                crowd.draw();
            }
        }
        let chosen = crowd.as_ref().map_or(0, |(_, crowd)| crowd.value());
        let t1 = match server {
            ServerModel::SemiHonest => corrupt_neighbours.value(),
            // For an integer s = t1 + k, ceil((s - 5/4) / 2) = floor(s / 2).
            ServerModel::Malicious => (corrupt_neighbours.value().max(chosen) + k) / 2,
        };
        // Fewer than v survive when more than k - v are lost: t2 = k - min { u : P[lost > u] <= 2^-eta / n }.
        let t2 = k - lost_neighbours.value();
        if t1 < t2 && connectivity.holds() {
            // t <= k < clients, a u32.
            return Some(SparseGraph {
                neighbours: k as u32,
                threshold: t1 as u32 + 1,
            });
        }
    }
    None
}

/// t2 of [`published_rule`] for k = 1, 2, ..., as an iterator of (k, t2) with k <= `clients`.
pub(super) fn surviving_neighbours(
    clients: u32,
    dropping: u32,
    correctness: u16,
) -> impl Iterator<Item = (u32, u32)> {
    let mut lost = Quantile::new(clients, dropping, correctness);
    (1..=clients).map(move |k| {
        lost.draw();
        // The quantile is at most k.
        (k, k - lost.value() as u32)
    })
}

/// The union bound over two runs of k/2 lost clients that cut the ring.
struct Connectivity {
    clients: u64,
    lost: u64,
    bits: u16,
    drawn: u64,
    /// prod over i < k of (lost - i) / (clients - i).
    run: Enclosure,
    /// 2^-bits at the scale of the enclosure, less one unit: the comparison is strict.
    bound: BigUint,
    /// Once connected, a larger k stays so: the bound falls with k.
    connected: bool,
}

impl Connectivity {
    fn new(clients: u32, lost: u32, bits: u16) -> Self {
        Self {
            clients: u64::from(clients),
            lost: u64::from(lost),
            bits,
            drawn: 0,
            run: Enclosure::one(u64::from(bits) + GUARD_BITS),
            bound: (BigUint::one() << GUARD_BITS) - 1u32,
            connected: false,
        }
    }

    fn draw(&mut self) {
        if !self.connected {
            self.run
                .scale(self.lost.saturating_sub(self.drawn), self.clients - self.drawn);
        }
        self.drawn += 1;
    }

    fn holds(&mut self) -> bool {
        if !self.connected {
            let pairs = self.clients * (self.clients - self.drawn - 1);
            let mut probability = self.run.clone();
            probability.scale(pairs, 1);
            self.connected = probability
                .at_most(&self.bound)
                .unwrap_or_else(|| self.exactly(pairs));
        }
        self.connected
    }

    fn exactly(&self, pairs: u64) -> bool {
        let falling =
            |from: u64| (0..self.drawn).fold(BigUint::one(), |product, i| product * from.saturating_sub(i));
        let left: BigUint = (falling(self.lost) * pairs) << self.bits;
        left < falling(self.clients)
    }
}

#[cfg(test)]
#[path = "published_tests.rs"]
mod tests;
