//! The RFC 6962 Merkle tree: hashes, proofs and their checks.
//!
//! Leaves are hashed as `SHA-256(0x00 || bytes)` and nodes as `SHA-256(0x01 || left || right)` (RFC 6962
//! section 2.1), so no leaf can pass for a node. Proof checks follow RFC 9162 sections 2.1.3.2 and 2.1.4.2,
//! which bind a proof to its index and size and accept exactly one length.

use sha2::{Digest, Sha256};

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// What is wrong with a proof, or with the request for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// A leaf index at or beyond the tree size.
    #[error("leaf {index} is outside a tree of size {size}")]
    IndexOutOfRange {
        /// The index asked for.
        index: u64,
        /// The tree size.
        size: u64,
    },
    /// A tree size that is larger than the tree it is asked of.
    #[error("size {old} is larger than the tree of size {new}")]
    SizeOutOfRange {
        /// The older (smaller) size.
        old: u64,
        /// The newer (larger) size.
        new: u64,
    },
    /// A proof with too few or too many hashes for its index and sizes.
    #[error("the proof holds {found} hashes, which is not the length that its sizes require")]
    ProofLength {
        /// Number of hashes in the proof.
        found: usize,
    },
    /// A proof that leads to another root.
    #[error("the proof leads to another root")]
    RootMismatch,
}

/// `SHA-256(0x00 || bytes)`.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0u8])
        .chain_update(bytes)
        .finalize()
        .into()
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1u8])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of the empty tree: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The root over a list of leaf hashes, in O(log n) memory.
pub fn root(leaves: &[Hash]) -> Hash {
    // One entry per complete subtree seen so far, as (height, hash): the binary digits of the count.
    let mut stack: Vec<(u32, Hash)> = Vec::new();
    for leaf in leaves {
        let (mut height, mut hash) = (0, *leaf);
        while let Some(&(top, left)) = stack.last()
            && top == height
        {
            stack.pop();
            hash = node_hash(&left, &hash);
            height = height.saturating_add(1);
        }
        stack.push((height, hash));
    }
    let Some((_, mut hash)) = stack.pop() else {
        return empty_root();
    };
    while let Some((_, left)) = stack.pop() {
        hash = node_hash(&left, &hash);
    }
    hash
}

/// An append-only tree that keeps the hash of every complete subtree (64 bytes a leaf), so that roots and
/// proofs of the present and of every past size cost O(log^2 n) hashes at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// `levels[h][i]` is the hash of leaves `i * 2^h .. (i + 1) * 2^h`; `levels[0]` always exists.
    levels: Vec<Vec<Hash>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Self {
        Self {
            levels: vec![Vec::new()],
        }
    }

    /// The tree over these leaf hashes, in order.
    pub fn from_leaves(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last()
            && below.len() >= 2
        {
            let level: Vec<Hash> = below
                .chunks_exact(2)
                .filter_map(|pair| Some(node_hash(pair.first()?, pair.get(1)?)))
                .collect();
            levels.push(level);
        }
        Self { levels }
    }

    /// Appends one leaf hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut height = 0usize;
        loop {
            if height == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let Some(level) = self.levels.get_mut(height) else {
                return;
            };
            level.push(hash);
            // An even count completes a pair, whose parent is appended one level up.
            match level.as_slice() {
                [.., left, right] if level.len().is_multiple_of(2) => hash = node_hash(left, right),
                _ => return,
            }
            height = height.saturating_add(1);
        }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The hash of leaf `index`.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.subtree(0, index)
    }

    /// The hash of the complete subtree of `2^height` leaves that starts at leaf `index * 2^height`.
    pub fn subtree(&self, height: u32, index: u64) -> Option<Hash> {
        let level = self.levels.get(usize::try_from(height).ok()?)?;
        level.get(usize::try_from(index).ok()?).copied()
    }

    /// The root at the present size.
    pub fn root(&self) -> Hash {
        self.range(0, self.size())
    }

    /// The root that the tree had at `size`.
    ///
    /// # Errors
    /// [`TreeError::SizeOutOfRange`] beyond the present size.
    pub fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        self.check_size(size)?;
        Ok(self.range(0, size))
    }

    /// The inclusion proof of leaf `index` at the present size (RFC 6962 section 2.1.1), deepest hash first.
    ///
    /// # Errors
    /// [`TreeError::IndexOutOfRange`].
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Hash>, TreeError> {
        self.inclusion_proof_at(index, self.size())
    }

    /// The inclusion proof of leaf `index` in the tree as it was at `size`.
    ///
    /// # Errors
    /// [`TreeError::IndexOutOfRange`], [`TreeError::SizeOutOfRange`].
    pub fn inclusion_proof_at(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        self.check_size(size)?;
        if index >= size {
            return Err(TreeError::IndexOutOfRange { index, size });
        }
        let (mut start, mut end) = (0u64, size);
        let mut proof = Vec::new();
        while end.saturating_sub(start) > 1 {
            let middle = start.saturating_add(split(end.saturating_sub(start)));
            if index < middle {
                proof.push(self.range(middle, end));
                end = middle;
            } else {
                proof.push(self.range(start, middle));
                start = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The proof that the tree at `old` is a prefix of the tree at `new` (RFC 6962 section 2.1.2). Empty for
    /// `old == 0` and `old == new`.
    ///
    /// # Errors
    /// [`TreeError::SizeOutOfRange`] unless `old <= new <= size`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError> {
        self.check_size(new)?;
        if old > new {
            return Err(TreeError::SizeOutOfRange { old, new });
        }
        let mut proof = Vec::new();
        if old == 0 || old == new {
            return Ok(proof);
        }
        // `old` ends inside start..end throughout; `known` says that start..end is a complete old subtree
        // whose hash the verifier has (SUBPROOF's flag b).
        let (mut start, mut end, mut known) = (0u64, new, true);
        while old != end {
            let middle = start.saturating_add(split(end.saturating_sub(start)));
            if old <= middle {
                proof.push(self.range(middle, end));
                end = middle;
            } else {
                proof.push(self.range(start, middle));
                start = middle;
                known = false;
            }
        }
        if !known {
            proof.push(self.range(start, end));
        }
        proof.reverse();
        Ok(proof)
    }

    fn check_size(&self, size: u64) -> Result<(), TreeError> {
        if size > self.size() {
            return Err(TreeError::SizeOutOfRange {
                old: size,
                new: self.size(),
            });
        }
        Ok(())
    }

    /// MTH(D[start:end]); `start` is a multiple of the largest power of two not above `end - start`, as in
    /// every range that RFC 6962 forms, and `end` is at most the tree size.
    fn range(&self, start: u64, end: u64) -> Hash {
        // The complete subtrees that make up the range, largest first, folded from the right.
        let mut parts = Vec::new();
        let mut at = start;
        while at < end {
            let height = end.saturating_sub(at).ilog2();
            // Present because the whole subtree lies below the tree size; without it the result is a wrong
            // hash, never a panic.
            parts.push(self.subtree(height, at >> height).unwrap_or_default());
            at = at.saturating_add(1u64 << height);
        }
        let Some(mut hash) = parts.pop() else {
            return empty_root();
        };
        while let Some(left) = parts.pop() {
            hash = node_hash(&left, &hash);
        }
        hash
    }
}

/// The largest power of two strictly below `n`, for `n >= 2`.
fn split(n: u64) -> u64 {
    1u64 << n.saturating_sub(1).max(1).ilog2()
}

/// Checks that the leaf with hash `leaf` is number `index` of the tree of `size` leaves with root `root`
/// (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`TreeError::IndexOutOfRange`], [`TreeError::ProofLength`], [`TreeError::RootMismatch`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), TreeError> {
    if index >= size {
        return Err(TreeError::IndexOutOfRange { index, size });
    }
    let wrong_length = TreeError::ProofLength { found: proof.len() };
    let (mut node, mut last) = (index, size.saturating_sub(1));
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // A right edge without siblings has no node at these heights.
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if hash != *root {
        return Err(TreeError::RootMismatch);
    }
    Ok(())
}

/// Checks that the tree of `old_size` leaves with root `old_root` is a prefix of the tree of `new_size` leaves
/// with root `new_root` (RFC 9162 section 2.1.4.2). Between equal sizes, and from the empty tree, the proof is
/// empty and the roots themselves are checked.
///
/// # Errors
/// [`TreeError::SizeOutOfRange`], [`TreeError::ProofLength`], [`TreeError::RootMismatch`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), TreeError> {
    if old_size > new_size {
        return Err(TreeError::SizeOutOfRange {
            old: old_size,
            new: new_size,
        });
    }
    let wrong_length = TreeError::ProofLength { found: proof.len() };
    if old_size == 0 || old_size == new_size {
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        let empty = empty_root();
        let same = if old_size == new_size {
            old_root == new_root
        } else {
            true
        };
        let empty_is_empty = old_size != 0 || *old_root == empty;
        return if same && empty_is_empty {
            Ok(())
        } else {
            Err(TreeError::RootMismatch)
        };
    }
    let (mut node, mut last) = (old_size.saturating_sub(1), new_size.saturating_sub(1));
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    // When the old tree is one complete subtree, the proof leaves out its hash: the verifier has it.
    let (seed, rest) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else {
            return Err(wrong_length);
        };
        (*first, rest)
    };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(wrong_length);
    }
    if old_hash != *old_root || new_hash != *new_root {
        return Err(TreeError::RootMismatch);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
