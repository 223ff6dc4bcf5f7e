//! Chance: everything that a seed decides is drawn from one generator, so one number is one history.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// A stream of decisions.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha20Rng);

impl Chance {
    /// The decisions of a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A stream of its own for one part of the world, so that what one part draws does not shift what others draw.
    pub fn part(&mut self, label: &str) -> Self {
        let mut draw = [0u8; 32];
        self.0.fill_bytes(&mut draw);
        let seed = Sha256::new().chain_update(label).chain_update(draw).finalize();
        Self(ChaCha20Rng::from_seed(seed.into()))
    }

    /// A generator for keys, nonces and noise.
    pub fn generator(&mut self) -> ChaCha20Rng {
        let mut seed = [0u8; 32];
        self.0.fill_bytes(&mut seed);
        ChaCha20Rng::from_seed(seed)
    }

    /// A number below `bound`; 0 if that is 0. The bias of a remainder does not matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// An index into `length` things.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `rate` of a thousand cases.
    pub fn hits(&mut self, rate: u64) -> bool {
        rate > 0 && self.below(1000) < rate
    }

    /// A rate up to `most` per thousand: none in a third of all seeds, and small ones more often than large ones, because
    /// a world in which nothing ever gets through shows little.
    pub fn rate(&mut self, most: u64) -> u64 {
        if self.below(3) == 0 {
            return 0;
        }
        let half = self.below(most + 1);
        half * self.below(most + 1) / most.max(1)
    }

    /// One of `things`.
    pub fn pick<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.index(things.len()))
    }

    /// Some of the numbers below `count`, each with `rate` per thousand.
    pub fn some(&mut self, count: usize, rate: u64) -> Vec<usize> {
        (0..count).filter(|_| self.hits(rate)).collect()
    }

    /// `wanted` different ones of the numbers below `count`, in random order.
    pub fn sample(&mut self, count: usize, wanted: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, self.index(at + 1));
        }
        order.truncate(wanted);
        order
    }

    /// By how many seconds a wrong clock is wrong: up to two hours, either way.
    pub fn skew(&mut self) -> i64 {
        i64::try_from(self.below(14_400)).unwrap_or(0) - 7200
    }

    /// Flips bits in one to three bytes.
    pub fn corrupt(&mut self, bytes: &mut [u8]) {
        for _ in 0..self.between(1, 3) {
            let at = self.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << self.below(8);
            }
        }
    }
}
