//! Step 5: U1, the members whose shares are dealt (TAC-030 to TAC-033).
//!
//! U1 digest = H(label, n', bitmap, Merkle root over the signed share roots of U1 by rising index).

use tacita_algebra::TaggedHash;
use tacita_ledger::tree::{self, Tree};
use tls_codec::{Serialize as _, TlsSerialize, TlsSize};

use crate::bitmap::Bitmap;
use crate::dealt::Dealt;
use crate::limits::MAX_ROUND_PROOF;
use crate::manifest::CheckedManifest;
use crate::messages::{SealedBox, ShareRoot, SharerEntry, SharersMessage};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::roster::VerifiedRoster;
use crate::share_tree::{self, CiphertextKind};
use crate::sharing::{Place, share_root_digest};
use crate::signature::{self, Claim};
use crate::spool::Stash;
use crate::{Hash, labels};

#[derive(TlsSerialize, TlsSize)]
struct Leaf<'a> {
    index: u16,
    share_root: &'a ShareRoot,
}

pub(crate) fn leaf(index: u16, share_root: &ShareRoot) -> Result<Hash, Misuse> {
    let bytes = Leaf { index, share_root }
        .tls_serialize_detached()
        .map_err(|_| Misuse::Encoding)?;
    Ok(tree::leaf_hash(&bytes))
}

pub(crate) fn digest(sharers: &Bitmap, merkle_root: &Hash) -> Hash {
    TaggedHash::new(labels::SHARERS)
        .u64(u64::from(sharers.size()))
        .bytes(sharers.bytes())
        .bytes(merkle_root)
        .finish()
}

/// The server's side: U1 fixed.
pub(crate) struct SharersList {
    pub(crate) sharers: Bitmap,
    dealt: Vec<Option<Dealt>>,
    stash: Box<dyn Stash>,
    merkle: Tree,
    digest: Hash,
}

impl SharersList {
    /// `dealt[i]` is what member i dealt, if it shared; its bytes are in `stash`.
    pub(crate) fn build(dealt: Vec<Option<Dealt>>, stash: Box<dyn Stash>) -> Result<Self, Misuse> {
        let size = u16::try_from(dealt.len()).map_err(|_| Misuse::Argument("roster too large"))?;
        let mut sharers = Bitmap::empty(size);
        let mut leaves = Vec::new();
        for (dealt, index) in dealt.iter().zip(0u16..) {
            if let Some(dealt) = dealt {
                sharers.insert(index);
                leaves.push(leaf(index, &dealt.share_root)?);
            }
        }
        let merkle = Tree::from_leaves(leaves);
        let digest = digest(&sharers, &merkle.root());
        Ok(Self {
            sharers,
            dealt,
            stash,
            merkle,
            digest,
        })
    }

    /// The U1 digest.
    pub(crate) fn digest(&self) -> &Hash {
        &self.digest
    }

    /// The members of U1.
    pub(crate) fn sharers(&self) -> &Bitmap {
        &self.sharers
    }

    pub(crate) fn root(&self, index: u16) -> Option<&ShareRoot> {
        self.dealt(index).map(|dealt| &dealt.share_root)
    }

    fn dealt(&self, index: u16) -> Option<&Dealt> {
        self.dealt.get(usize::from(index)).and_then(Option::as_ref)
    }

    /// The mask ciphertext that a dealer made for a holder; empty if it made none.
    ///
    /// # Errors
    /// [`Abort::Spool`] if it does not come back as it was dealt.
    pub(crate) fn mask_ciphertext(&self, dealer: u16, holder: u16) -> Result<Vec<u8>, RoundError> {
        let Some(dealt) = self.dealt(dealer) else {
            return Ok(Vec::new());
        };
        let piece = dealt.piece(holder, self.stash.as_ref());
        Ok(piece
            .map_err(|error| Abort::Spool(dealer, error))?
            .map_or_else(Vec::new, |piece| piece.mask_ciphertext))
    }

    /// Step 5 for one member: entries for itself and `neighbours`, and its boxes.
    ///
    /// # Errors
    /// [`Misuse`] for an index outside the roster; [`Abort::Spool`] if a box does not come back as it was dealt.
    pub(crate) fn message(&self, index: u16, neighbours: &[u16]) -> Result<SharersMessage, RoundError> {
        let mut wanted: Vec<u16> = neighbours.to_vec();
        wanted.push(index);
        wanted.sort_unstable();
        let mut entries = Vec::with_capacity(wanted.len());
        let mut boxes = Vec::with_capacity(neighbours.len());
        for i in wanted {
            let Some(dealt) = self.dealt(i) else { continue };
            let rank = u64::from(self.sharers.rank(i));
            let proof = self
                .merkle
                .inclusion_proof(rank)
                .map_err(|_| Misuse::Argument("sharer rank"))?;
            let piece = dealt.piece(index, self.stash.as_ref());
            let piece = piece.map_err(|error| Abort::Spool(i, error))?;
            let (mask_ciphertext, path) = match piece {
                Some(piece) => {
                    let path = dealt.mask_ciphertext_path(index, &piece);
                    boxes.push(SealedBox {
                        peer: i,
                        share_ciphertext: piece.share_ciphertext.into(),
                        ciphertext: piece.sealed.into(),
                    });
                    (piece.mask_ciphertext, path)
                }
                None => (Vec::new(), Vec::new()),
            };
            entries.push(SharerEntry {
                index: i,
                share_root: dealt.share_root.clone(),
                mask_ciphertext: mask_ciphertext.into(),
                ciphertext_proof: path.into(),
                proof: proof.into(),
            });
        }
        Ok(SharersMessage {
            sharers: self.sharers.bytes().to_vec().into(),
            merkle_root: self.merkle.root(),
            entries: entries.into(),
            boxes: boxes.into(),
        })
    }
}

/// A client's verified view of U1. Holding one proves that TAC-030 to TAC-033 passed.
pub(crate) struct VerifiedSharers {
    pub(crate) sharers: Bitmap,
    pub(crate) digest: Hash,
    /// The neighbours in U1, by rising index.
    pub(crate) neighbours: Vec<VerifiedSharer>,
}

/// A neighbour in U1.
pub(crate) struct VerifiedSharer {
    pub(crate) index: u16,
    pub(crate) share_root: ShareRoot,
    /// Made for this client; empty if this client made the pair's, and in a round without.
    pub(crate) mask_ciphertext: Vec<u8>,
}

impl VerifiedSharers {
    pub(crate) fn verify(
        message: &SharersMessage,
        manifest: &CheckedManifest,
        roster: &VerifiedRoster,
        own_root: &ShareRoot,
        own_fingerprint: &Hash,
    ) -> Result<Self, Refusal> {
        let malformed = Refusal::Sharers;
        let sharers = Bitmap::decode_or(
            roster.size(),
            message.sharers.as_slice(),
            malformed("bitmap length or spare bits"),
        )?;
        if !sharers.contains(roster.own) {
            return Err(Refusal::NotASharer);
        }
        let mut expected: Vec<u16> = roster.neighbours.iter().map(|n| n.index).collect();
        expected.push(roster.own);
        expected.sort_unstable();
        expected.retain(|i| sharers.contains(*i));
        let entries = message.entries.as_slice();
        if entries.iter().map(|e| e.index).ne(expected.iter().copied()) {
            return Err(malformed("entries are not this client's neighbourhood within U1"));
        }
        let count = u64::from(sharers.count());
        let mut neighbours = Vec::with_capacity(entries.len());
        for entry in entries {
            let hash = leaf(entry.index, &entry.share_root).map_err(|_| Refusal::SharerEntry(entry.index))?;
            let rank = u64::from(sharers.rank(entry.index));
            let proof = entry.proof.as_slice();
            if proof.len() > MAX_ROUND_PROOF
                || tree::verify_inclusion(&hash, rank, count, proof, &message.merkle_root).is_err()
            {
                return Err(Refusal::SharerEntry(entry.index));
            }
            if entry.index == roster.own {
                // TAC-032: as this client shared, byte for byte.
                if entry.share_root != *own_root {
                    return Err(Refusal::NotASharer);
                }
            } else {
                check_mask_ciphertext(entry, manifest, roster, own_fingerprint)?;
                neighbours.push(VerifiedSharer {
                    index: entry.index,
                    share_root: entry.share_root.clone(),
                    mask_ciphertext: entry.mask_ciphertext.as_slice().to_vec(),
                });
            }
        }
        let claims: Vec<Claim<'_>> = neighbours
            .iter()
            .filter_map(|sharer| {
                let key = &roster.neighbour(sharer.index)?.certificate.key;
                let root = &sharer.share_root;
                let digest = share_root_digest(manifest.digest(), &roster.root, sharer.index, root);
                Some(Claim {
                    key,
                    digest,
                    signature: &root.signature,
                })
            })
            .collect();
        signature::verify_all(labels::SHARE_ROOT, &claims)
            .map_err(|bad| Refusal::SharerEntry(neighbours.get(bad).map_or(u16::MAX, |n| n.index)))?;
        // TAC-033: at least t holders of own shares in U1, itself included on the complete graph.
        let holders = roster
            .holders(roster.own)
            .iter()
            .filter(|h| sharers.contains(**h))
            .count();
        let holders = u16::try_from(holders).unwrap_or(u16::MAX);
        if holders < manifest.threshold() {
            return Err(Refusal::TooFewHolders(holders, manifest.threshold()));
        }
        let digest = digest(&sharers, &message.merkle_root);
        Ok(Self {
            sharers,
            digest,
            neighbours,
        })
    }
}

/// TAC-037: the ciphertext that a neighbour of smaller fingerprint made for this client is the one under its signed root;
/// where this client made the pair's, there is none.
fn check_mask_ciphertext(
    entry: &SharerEntry,
    manifest: &CheckedManifest,
    roster: &VerifiedRoster,
    own_fingerprint: &Hash,
) -> Result<(), Refusal> {
    let refuse = Refusal::MaskCiphertext(entry.index);
    let dealer = roster.neighbour(entry.index).ok_or(Refusal::Neighbourhood)?;
    let (ciphertext, path) = (
        entry.mask_ciphertext.as_slice(),
        entry.ciphertext_proof.as_slice(),
    );
    let expected = manifest
        .key_agreement()
        .mask_ciphertext_length(&dealer.certificate.fingerprint, own_fingerprint);
    if ciphertext.len() != expected {
        return Err(refuse);
    }
    if ciphertext.is_empty() {
        return if path.is_empty() { Ok(()) } else { Err(refuse) };
    }
    let place = Place {
        manifest: manifest.digest(),
        roster: &roster.root,
        dealer: entry.index,
        holder: roster.own,
    };
    let holders = roster.holders(entry.index);
    let position = holders.binary_search(&roster.own).map_err(|_| refuse.clone())? as u64;
    let leaf = place.ciphertext_leaf(CiphertextKind::Mask, ciphertext);
    if share_tree::stands_under(&leaf, 2, position, holders.len(), path, &entry.share_root.root) {
        Ok(())
    } else {
        Err(refuse)
    }
}
