//! Step 8 above 1,000 members: the list of signers, committed to before anybody asks for a signature of it, and the sample
//! that a client draws (TAC-080 to TAC-083).
//!
//! An honest member signs one statement, so that of two statements one has at most (n + c) / 2 signatures. A list of at least
//! m >= 0.76 (n + c) signers for it is false in so many places that 66 draws miss them all with probability below 2^-40.

use rand_core::CryptoRng;
use tacita_algebra::TaggedHash;
use tacita_ledger::tree::{self, Tree};

use crate::bitmap::Bitmap;
use crate::limits::{MAX_ROUND_PROOF, SAMPLE};
use crate::messages::{Draws, Proof, SampledRequest, SignersMessage};
use crate::refusal::Refusal;
use crate::{Hash, labels};

/// leaf(u16 index || signature).
fn leaf(index: u16, signature: &[u8; 64]) -> Hash {
    tree::leaf_hash(&[&index.to_be_bytes()[..], signature].concat())
}

/// H(label, S, bitmap, root): what a client's record keeps of the list that it fixed.
pub(crate) fn digest(statement: &Hash, signers: &Bitmap, root: &Hash) -> Hash {
    TaggedHash::new(labels::SIGNERS)
        .bytes(statement)
        .bytes(signers.bytes())
        .bytes(root)
        .finish()
}

/// TAC-080: the members that a list names, all of them survivors.
pub(crate) fn check_list(bytes: &[u8], survivors: &Bitmap) -> Result<Bitmap, Refusal> {
    let signers = Bitmap::decode_or(
        survivors.size(),
        bytes,
        Refusal::Signers("bitmap length or spare bits"),
    )?;
    if signers.is_within(survivors) {
        Ok(signers)
    } else {
        Err(Refusal::Signers("not within U2"))
    }
}

/// TAC-055 and TAC-056: enough signers, distinct because they are indices of the roster, and of neighbours.
pub(crate) fn check_counts(
    signers: &Bitmap,
    needed: u16,
    neighbours: impl Iterator<Item = u16>,
    threshold: u16,
) -> Result<(), Refusal> {
    let count = signers.count();
    if count < needed {
        return Err(Refusal::NoQuorum(count, needed));
    }
    let near = neighbours.filter(|i| signers.contains(*i)).count();
    let near = u16::try_from(near).unwrap_or(u16::MAX);
    if near < threshold {
        return Err(Refusal::NoLocalQuorum(near, threshold));
    }
    Ok(())
}

/// TAC-081, by what the record holds for this round, also across a restart. Not even the same list may come again: other
/// draws would be another chance for a false one.
pub(crate) fn check_first(fixed: Option<&Hash>) -> Result<(), Refusal> {
    match fixed {
        None => Ok(()),
        Some(_) => Err(Refusal::SecondSigners),
    }
}

/// [`SAMPLE`] distinct members of a list that has as many, rising; each set of them is equally likely. The draws are sent
/// to the server, so that the time they take tells nothing.
pub(crate) fn draw(signers: &Bitmap, rng: &mut impl CryptoRng) -> Vec<u16> {
    let listed: Vec<u16> = signers.indices().collect();
    let count = u32::try_from(listed.len()).unwrap_or(u32::MAX).max(1);
    // The greatest multiple of `count` in 32 bits: above it a place would come too often.
    let bound = (1 << 32) / u64::from(count) * u64::from(count);
    let mut drawn = std::collections::BTreeSet::new();
    while drawn.len() < SAMPLE.min(listed.len()) {
        let mut word = [0; 4];
        rng.fill_bytes(&mut word);
        let word = u32::from_le_bytes(word);
        if u64::from(word) < bound {
            drawn.extend(listed.get((word % count) as usize));
        }
    }
    drawn.into_iter().collect()
}

/// Those whose signatures are shown: the draws, and the t lowest neighbours in the list.
pub(crate) fn shown(signers: &Bitmap, drawn: &[u16], neighbours: &[u16], threshold: u16) -> Bitmap {
    let near = neighbours.iter().filter(|i| signers.contains(**i));
    let near = near.take(usize::from(threshold)).chain(drawn).copied();
    Bitmap::from_indices(signers.size(), near)
}

/// The list as the server commits to it.
pub(crate) struct SignerTree {
    signers: Bitmap,
    tree: Tree,
}

impl SignerTree {
    /// Over all that signed.
    pub(crate) fn of<'a>(size: u16, signatures: impl Iterator<Item = (&'a u16, &'a [u8; 64])>) -> Self {
        let (mut signers, mut leaves) = (Bitmap::empty(size), Vec::new());
        for (index, signature) in signatures {
            signers.insert(*index);
            leaves.push(leaf(*index, signature));
        }
        Self {
            signers,
            tree: Tree::from_leaves(leaves),
        }
    }

    pub(crate) fn signers(&self) -> &Bitmap {
        &self.signers
    }

    pub(crate) fn message(&self) -> SignersMessage {
        SignersMessage {
            signers: self.signers.bytes().to_vec().into(),
            root: self.tree.root(),
        }
    }

    /// The path of a signer; empty for anybody else.
    pub(crate) fn proof(&self, index: u16) -> Proof {
        let rank = u64::from(self.signers.rank(index));
        let path = self.tree.inclusion_proof(rank).unwrap_or_default();
        path.into()
    }

    /// TAC-083: as many signers as are to be drawn, each once.
    pub(crate) fn check(&self, draws: &Draws) -> Result<(), Refusal> {
        let drawn = draws.drawn.as_slice();
        let rising = drawn.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if drawn.len() == SAMPLE && rising && drawn.iter().all(|i| self.signers.contains(*i)) {
            Ok(())
        } else {
            Err(Refusal::Draws)
        }
    }
}

/// The one list that a client fixed in a round, and what it drew from it.
pub(crate) struct FixedList {
    pub(crate) signers: Bitmap,
    pub(crate) root: Hash,
    pub(crate) drawn: Vec<u16>,
}

impl FixedList {
    /// TAC-082: exactly those expected are shown, each under the root at its rank.
    pub(crate) fn check(&self, message: &SampledRequest, expected: &Bitmap) -> Result<(), Refusal> {
        let (signatures, proofs) = (message.request.signatures.as_slice(), message.proofs.as_slice());
        let count = usize::from(expected.count());
        if message.request.signers.as_slice() != expected.bytes()
            || signatures.len() != count
            || proofs.len() != count
        {
            return Err(Refusal::NotDrawn);
        }
        let size = u64::from(self.signers.count());
        for ((index, signature), proof) in expected.indices().zip(signatures).zip(proofs) {
            let (rank, path) = (u64::from(self.signers.rank(index)), proof.as_slice());
            if path.len() > MAX_ROUND_PROOF
                || tree::verify_inclusion(&leaf(index, signature), rank, size, path, &self.root).is_err()
            {
                return Err(Refusal::NotDrawn);
            }
        }
        Ok(())
    }
}
