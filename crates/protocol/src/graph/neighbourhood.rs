//! The graph over roster indices, and the permutation that orders the ring.
//!
//! # The permutation
//!
//! For a roster of n' entries with root R (32 bytes), all integers little-endian unless said otherwise:
//!
//! 1. K = SHA-256(len(L) || L || len(R) || R), where L is the ASCII text [`PERMUTATION_LABEL`] and len is a 64-bit
//!    big-endian byte count.
//! 2. The keystream is AES-256 in counter mode under K: block i is AES-256(K, i) with i as a 128-bit big-endian integer
//!    from 0. It is read as consecutive 32-bit words w.
//! 3. draw(b), for b >= 1: take the next word w; if w >= floor(2^32 / b) b, discard it and take the next one, and so on;
//!    give w mod b.
//! 4. order = (0, 1, ..., n' - 1). For p = n' - 1 down to 1: j = draw(p + 1); exchange order[p] and order[j].
//!
//! order[p] is the roster index at ring position p. The neighbours of the client at position p are those at positions
//! p - k/2, ..., p - 1, p + 1, ..., p + k/2 modulo n'.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use tacita_algebra::TaggedHash;
use thiserror::Error;

/// Domain of the key that drives the permutation.
pub const PERMUTATION_LABEL: &str = "tacita/1 ring permutation";

/// Why a roster carries no such graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NeighbourhoodError {
    /// Nobody to be a neighbour.
    #[error("a graph over {0} clients has no edges")]
    TooSmall(u16),
    /// k is odd or zero.
    #[error("{0} neighbours do not lie evenly on both sides of a ring")]
    OddNeighbours(u16),
    /// n' < k + 1.
    #[error("{size} clients cannot have {neighbours} neighbours each")]
    TooManyNeighbours {
        /// n'.
        size: u16,
        /// k.
        neighbours: u16,
    },
}

/// Who is whose neighbour, over indices 0 .. n'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbourhood {
    size: u16,
    ring: Option<Ring>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ring {
    /// k / 2.
    side: u16,
    /// Index at each position.
    order: Vec<u16>,
    /// Position of each index.
    position: Vec<u16>,
}

impl Neighbourhood {
    /// Everybody with everybody.
    ///
    /// # Errors
    /// [`NeighbourhoodError::TooSmall`] below two clients.
    pub fn complete(size: u16) -> Result<Self, NeighbourhoodError> {
        if size < 2 {
            Err(NeighbourhoodError::TooSmall(size))
        } else {
            Ok(Self { size, ring: None })
        }
    }

    /// The ring over `size` clients with `neighbours` k each, permuted by `root`.
    ///
    /// # Errors
    /// [`NeighbourhoodError::OddNeighbours`] if k is odd or zero, [`NeighbourhoodError::TooManyNeighbours`] unless
    /// `size` >= k + 1.
    pub fn ring(size: u16, neighbours: u16, root: &[u8; 32]) -> Result<Self, NeighbourhoodError> {
        if neighbours == 0 || neighbours % 2 == 1 {
            return Err(NeighbourhoodError::OddNeighbours(neighbours));
        }
        if size <= neighbours {
            return Err(NeighbourhoodError::TooManyNeighbours { size, neighbours });
        }
        let order = permutation(size, root);
        let mut position = vec![0; order.len()];
        for (at, &index) in (0u16..).zip(&order) {
            position[usize::from(index)] = at;
        }
        Ok(Self {
            size,
            ring: Some(Ring {
                side: neighbours / 2,
                order,
                position,
            }),
        })
    }

    /// n'.
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Whether everybody is everybody's neighbour by rule. (A ring with n' = k + 1 is not: its holders differ.)
    pub fn is_complete(&self) -> bool {
        self.ring.is_none()
    }

    /// Neighbours each client has.
    pub fn degree(&self) -> u16 {
        self.ring.as_ref().map_or(self.size - 1, |ring| 2 * ring.side)
    }

    /// Position of an index on the ring (on the complete graph the index itself); `None` outside the roster.
    pub fn position(&self, index: u16) -> Option<u16> {
        match &self.ring {
            Some(ring) => ring.position.get(usize::from(index)).copied(),
            None => (index < self.size).then_some(index),
        }
    }

    /// The neighbours of `index` in ring order, from the farthest behind it to the farthest ahead; on the complete graph
    /// rising. Empty for an index outside the roster.
    pub fn arc(&self, index: u16) -> Vec<u16> {
        let Some(own) = self.position(index) else {
            return Vec::new();
        };
        match &self.ring {
            None => (0..self.size).filter(|&other| other != index).collect(),
            Some(ring) => {
                let (size, own, side) = (usize::from(self.size), usize::from(own), usize::from(ring.side));
                // 2 x side < size, so that no position occurs twice and none is the own one.
                let behind = own + size - side..own + size;
                let ahead = own + size + 1..own + size + 1 + side;
                behind.chain(ahead).map(|at| ring.order[at % size]).collect()
            }
        }
    }

    /// The neighbours of `index`, rising. Empty for an index outside the roster.
    pub fn neighbours_of(&self, index: u16) -> Vec<u16> {
        let mut neighbours = self.arc(index);
        neighbours.sort_unstable();
        neighbours
    }

    /// Whether two indices are neighbours.
    pub fn are_neighbours(&self, left: u16, right: u16) -> bool {
        let (Some(a), Some(b)) = (self.position(left), self.position(right)) else {
            return false;
        };
        let apart = a.abs_diff(b);
        match &self.ring {
            _ if apart == 0 => false,
            None => true,
            Some(ring) => apart.min(self.size - apart) <= ring.side,
        }
    }
}

/// Fisher-Yates over 0 .. size, as the module text states it.
fn permutation(size: u16, root: &[u8; 32]) -> Vec<u16> {
    let mut words = Keystream::new(root);
    let mut order: Vec<u16> = (0..size).collect();
    for at in (1..order.len()).rev() {
        // Below 2^16 + 1.
        let other = words.draw(at as u32 + 1);
        order.swap(at, other as usize);
    }
    order
}

/// Words of the AES-256-CTR keystream.
struct Keystream {
    cipher: Ctr128BE<Aes256>,
    block: [u8; Self::BLOCK],
    used: usize,
}

impl Keystream {
    const BLOCK: usize = 256;

    fn new(root: &[u8; 32]) -> Self {
        let key = TaggedHash::new(PERMUTATION_LABEL).bytes(root).finish();
        let cipher = Ctr128BE::<Aes256>::new(&key.into(), &[0; 16].into());
        Self {
            cipher,
            block: [0; Self::BLOCK],
            used: Self::BLOCK,
        }
    }

    fn word(&mut self) -> u32 {
        if self.used == Self::BLOCK {
            self.block = [0; Self::BLOCK];
            self.cipher.apply_keystream(&mut self.block);
            self.used = 0;
        }
        let word = self.block.as_chunks::<4>().0[self.used / 4];
        self.used += 4;
        u32::from_le_bytes(word)
    }

    /// A uniform integer below `bound` (positive), by rejection.
    fn draw(&mut self, bound: u32) -> u32 {
        // The largest multiple of `bound` up to 2^32, less one.
        let last = ((1u64 << 32) / u64::from(bound) * u64::from(bound) - 1) as u32;
        loop {
            let word = self.word();
            if word <= last {
                return word % bound;
            }
        }
    }
}

#[cfg(test)]
#[path = "neighbourhood_tests.rs"]
mod tests;
