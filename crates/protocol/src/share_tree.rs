//! The tree under a dealer's share root: four leaves for each holder, in rising order of holders (spec 02 section 3.4).
//!
//! ```text
//! 4p      share of the self-mask secret      \ the pair: its node travels beside the box, so that the server
//! 4p + 1  share of the mask secret           / can compute the root without knowing a share
//! 4p + 2  the mask ciphertext for the holder \ what travels outside the box, and what opens it
//! 4p + 3  the share ciphertext               /
//! ```
//!
//! Groups of four are whole subtrees, so a tree over their nodes has the same root and the upper part of every path.

use tacita_algebra::TaggedHash;
use tacita_ledger::tree::{self, Tree};

use crate::limits::MAX_SHARE_PROOF;
use crate::sharing::Place;
use crate::{Hash, labels};

/// Leaves of one holder.
pub(crate) const GROUP: u64 = 4;

/// Which ciphertext a leaf is of.
#[derive(Clone, Copy)]
pub(crate) enum CiphertextKind {
    /// Of the pair mask.
    Mask,
    /// Of the box.
    Share,
}

impl CiphertextKind {
    const fn field(self) -> u64 {
        match self {
            Self::Mask => 2,
            Self::Share => 3,
        }
    }
}

impl Place<'_> {
    /// Leaf of a ciphertext; empty where there is none.
    pub(crate) fn ciphertext_leaf(&self, kind: CiphertextKind, ciphertext: &[u8]) -> Hash {
        let digest = TaggedHash::new(labels::CIPHERTEXT_LEAF)
            .bytes(self.manifest)
            .bytes(self.roster)
            .u64(u64::from(self.dealer))
            .u64(u64::from(self.holder))
            .u64(kind.field())
            .bytes(ciphertext)
            .finish();
        tree::leaf_hash(&digest)
    }
}

/// What is public of one holder's group.
pub(crate) struct Group {
    /// Node over the two share leaves.
    pub(crate) pair: Hash,
    /// Leaf of the mask ciphertext.
    pub(crate) mask: Hash,
    /// Leaf of the share ciphertext.
    pub(crate) share: Hash,
}

impl Group {
    fn ciphertexts(&self) -> Hash {
        tree::node_hash(&self.mask, &self.share)
    }

    fn node(&self) -> Hash {
        tree::node_hash(&self.pair, &self.ciphertexts())
    }
}

/// The tree from its groups: what dealer and server both can compute.
pub(crate) struct ShareTree {
    groups: Vec<Group>,
    upper: Tree,
}

impl ShareTree {
    /// One group for each holder, in order.
    pub(crate) fn of(groups: Vec<Group>) -> Self {
        let upper = Tree::from_leaves(groups.iter().map(Group::node).collect());
        Self { groups, upper }
    }

    pub(crate) fn root(&self) -> Hash {
        self.upper.root()
    }

    /// Path of the pair of holder number `position`: what a box carries.
    pub(crate) fn pair_path(&self, position: u64) -> Option<Vec<Hash>> {
        let group = self.group(position)?;
        self.below(group.ciphertexts(), position)
    }

    /// Path of the mask ciphertext's leaf of holder number `position`.
    pub(crate) fn mask_ciphertext_path(&self, position: u64) -> Option<Vec<Hash>> {
        let group = self.group(position)?;
        let upper = self.below(group.pair, position)?;
        let mut path = Vec::with_capacity(upper.len() + 1);
        path.push(group.share);
        path.extend(upper);
        Some(path)
    }

    fn group(&self, position: u64) -> Option<&Group> {
        usize::try_from(position).ok().and_then(|p| self.groups.get(p))
    }

    fn below(&self, first: Hash, position: u64) -> Option<Vec<Hash>> {
        let upper = self.upper.inclusion_proof(position).ok()?;
        let mut path = Vec::with_capacity(upper.len() + 1);
        path.push(first);
        path.extend(upper);
        Some(path)
    }
}

/// Whether `leaf` stands at place `leaf_of_group` of holder number `position` among `holders` under `root`.
pub(crate) fn stands_under(
    leaf: &Hash,
    leaf_of_group: u64,
    position: u64,
    holders: usize,
    path: &[Hash],
    root: &Hash,
) -> bool {
    let index = GROUP * position + leaf_of_group;
    path.len() <= MAX_SHARE_PROOF
        && tree::verify_inclusion(leaf, index, GROUP * holders as u64, path, root).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_of_groups_is_the_tree_of_leaves() {
        for holders in 1..40u64 {
            let leaves: Vec<Hash> = (0..4 * holders)
                .map(|i| tree::leaf_hash(&i.to_be_bytes()))
                .collect();
            let groups = leaves
                .chunks(4)
                .map(|four| Group {
                    pair: tree::node_hash(&four[0], &four[1]),
                    mask: four[2],
                    share: four[3],
                })
                .collect();
            let (whole, grouped) = (Tree::from_leaves(leaves.clone()), ShareTree::of(groups));
            assert_eq!(whole.root(), grouped.root());
            for position in 0..holders {
                let at = (4 * position) as usize;
                let path = whole.inclusion_proof(4 * position).unwrap();
                assert_eq!(path[1..], grouped.pair_path(position).unwrap());
                let path = grouped.mask_ciphertext_path(position).unwrap();
                assert_eq!(path, whole.inclusion_proof(4 * position + 2).unwrap());
                let root = grouped.root();
                let count = holders as usize;
                assert!(stands_under(&leaves[at + 2], 2, position, count, &path, &root));
                assert!(!stands_under(&leaves[at + 2], 1, position, count, &path, &root));
                assert!(!stands_under(&leaves[at + 3], 2, position, count, &path, &root));
            }
        }
    }
}
