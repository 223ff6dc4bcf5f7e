//! The formulas of the spec once more, for attackers: what it takes to sign and commit to things that an honest machine
//! would never say. Written from the text of the spec, so that a slip in the protocol room does not repeat itself here.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use tacita_algebra::TaggedHash;
use tacita_ledger::tree::{Tree, leaf_hash};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::kem::KEM_KEY;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{
    Advertise, RevealRequest, RosterEntry, RosterMessage, SealedBox, ShareRoot, SharerEntry, SharersMessage,
};
use tacita_protocol::roster::identity_width;
use tacita_protocol::{Hash, SecretKind, labels};

use crate::error::SimError;
use crate::ledger::Ledger;

/// Ed25519 over label, one zero byte, digest.
pub fn sign(key: &SigningKey, label: &str, digest: &Hash) -> [u8; 64] {
    key.sign(&[label.as_bytes(), &[0], digest].concat()).to_bytes()
}

/// KEM keys that pass every check: all coefficients zero. Nobody has the private half.
pub const ANY_KEM: (&[u8], &[u8]) = (&[0; KEM_KEY], &[0; KEM_KEY]);

/// A signed advertisement.
pub fn advertise(
    key: &SigningKey,
    manifest: &Hash,
    fingerprint: &Hash,
    (mask_key, share_key): ([u8; 32], [u8; 32]),
    (mask_kem_key, share_kem_key): (&[u8], &[u8]),
    nonce: [u8; 32],
) -> Advertise {
    let digest = TaggedHash::new(labels::ADVERTISEMENT)
        .bytes(manifest)
        .bytes(fingerprint)
        .bytes(&mask_key)
        .bytes(&share_key)
        .bytes(mask_kem_key)
        .bytes(share_kem_key)
        .bytes(&nonce)
        .finish();
    Advertise {
        mask_key,
        share_key,
        mask_kem_key: mask_kem_key.to_vec().into(),
        share_kem_key: share_kem_key.to_vec().into(),
        nonce,
        signature: sign(key, labels::ADVERTISEMENT, &digest),
    }
}

/// H(label, n', H(identity list), Merkle root).
pub fn roster_root<I: AsRef<[u8]>>(identities: &[I], merkle_root: &Hash) -> Hash {
    let mut list = TaggedHash::new(labels::IDENTITY_LIST);
    for identity in identities {
        list = list.bytes(identity.as_ref());
    }
    TaggedHash::new(labels::ROSTER)
        .u64(identities.len() as u64)
        .bytes(&list.finish())
        .bytes(merkle_root)
        .finish()
}

/// The identities of a roster message as it has them in a round of `cohort`, whole or their first bytes.
pub fn listed(roster: &RosterMessage, cohort: u16) -> Vec<&[u8]> {
    let width = identity_width(cohort);
    roster.identities.as_slice().chunks(width).collect()
}

/// The identities of a roster message that has whole ones.
pub fn identities(roster: &RosterMessage) -> Vec<Hash> {
    roster.identities.as_slice().as_chunks().0.to_vec()
}

/// A roster to be tampered with and committed to anew. It must hold every entry, as a member of a complete graph sees it.
#[derive(Debug, Clone)]
pub struct ForgedRoster {
    /// Entries by index; their proofs are recomputed.
    pub entries: Vec<RosterEntry>,
}

impl ForgedRoster {
    /// Takes the entries of an honest roster message.
    pub fn of(message: &RosterMessage) -> Self {
        Self {
            entries: message.entries.as_slice().to_vec(),
        }
    }

    fn tree(&self) -> Tree {
        let leaf = |entry: &RosterEntry| {
            let a = &entry.advertise;
            let index = entry.index.to_be_bytes();
            let (mask_kem, share_kem) = (a.mask_kem_key.as_slice(), a.share_kem_key.as_slice());
            let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes();
            let fields: [&[u8]; 11] = [
                &index,
                &entry.identity,
                &entry.fingerprint,
                &a.mask_key,
                &a.share_key,
                &length(mask_kem),
                mask_kem,
                &length(share_kem),
                share_kem,
                &a.nonce,
                &a.signature,
            ];
            leaf_hash(&fields.concat())
        };
        Tree::from_leaves(self.entries.iter().map(leaf).collect())
    }

    /// The roster as everybody on a complete graph would see it, proofs right.
    pub fn message(&self) -> RosterMessage {
        let tree = self.tree();
        let proven = |(position, entry): (u64, &RosterEntry)| RosterEntry {
            proof: tree.inclusion_proof(position).unwrap_or_default().into(),
            ..entry.clone()
        };
        let entries: Vec<RosterEntry> = (0..).zip(&self.entries).map(proven).collect();
        RosterMessage {
            identities: self
                .entries
                .iter()
                .flat_map(|e| e.identity)
                .collect::<Vec<u8>>()
                .into(),
            merkle_root: tree.root(),
            entries: entries.into(),
        }
    }
}

/// A signed share root.
pub fn share_root(
    key: &SigningKey,
    manifest: &Hash,
    roster: &Hash,
    dealer: u16,
    root: Hash,
    self_commitment: Hash,
) -> ShareRoot {
    let digest = TaggedHash::new(labels::SHARE_ROOT)
        .bytes(manifest)
        .bytes(roster)
        .u64(u64::from(dealer))
        .bytes(&root)
        .bytes(&self_commitment)
        .finish();
    ShareRoot {
        root,
        self_commitment,
        signature: sign(key, labels::SHARE_ROOT, &digest),
    }
}

/// Leaf of a dealer's share tree; the abscissa is the holder's index + 1.
pub fn share_leaf(
    manifest: &Hash,
    roster: &Hash,
    dealer: u16,
    holder: u16,
    kind: SecretKind,
    share: &[u8; 32],
) -> Hash {
    let kind = match kind {
        SecretKind::SelfMask => 0,
        SecretKind::Mask => 1,
    };
    let digest = TaggedHash::new(labels::SHARE_LEAF)
        .bytes(manifest)
        .bytes(roster)
        .u64(u64::from(dealer))
        .u64(u64::from(holder))
        .u64(kind)
        .u64(u64::from(holder) + 1)
        .bytes(share)
        .finish();
    leaf_hash(&digest)
}

/// H(label, manifest, roster, dealer, secret).
pub fn self_commitment(manifest: &Hash, roster: &Hash, dealer: u16, secret: &[u8; 32]) -> Hash {
    TaggedHash::new(labels::SELF_COMMITMENT)
        .bytes(manifest)
        .bytes(roster)
        .u64(u64::from(dealer))
        .bytes(secret)
        .finish()
}

/// A sharers list to be tampered with and committed to anew.
#[derive(Debug, Clone)]
pub struct ForgedSharers {
    /// n'.
    pub size: u16,
    /// Members of U1 with their commitments. It must hold every member of U1.
    pub roots: BTreeMap<u16, ShareRoot>,
    /// Mask ciphertexts for the member that the honest list was for, with their paths.
    ciphertexts: BTreeMap<u16, (Vec<u8>, Vec<Hash>)>,
}

impl ForgedSharers {
    /// Takes the entries of an honest list that shows all of U1, as a member of a complete graph sees it.
    pub fn of(size: u16, message: &SharersMessage) -> Self {
        let roots = message
            .entries
            .as_slice()
            .iter()
            .map(|e| (e.index, e.share_root.clone()))
            .collect();
        let ciphertexts = message.entries.as_slice().iter().map(|e| {
            let ciphertext = e.mask_ciphertext.as_slice().to_vec();
            (e.index, (ciphertext, e.ciphertext_proof.as_slice().to_vec()))
        });
        Self {
            size,
            roots,
            ciphertexts: ciphertexts.collect(),
        }
    }

    /// The list as shown to a member whose neighbourhood, itself included, is `shown`.
    pub fn message(&self, shown: impl Fn(u16) -> bool, boxes: Vec<SealedBox>) -> SharersMessage {
        let leaf = |(index, root): (&u16, &ShareRoot)| {
            let index = index.to_be_bytes();
            let fields: [&[u8]; 4] = [&index, &root.root, &root.self_commitment, &root.signature];
            leaf_hash(&fields.concat())
        };
        let tree = Tree::from_leaves(self.roots.iter().map(leaf).collect());
        let entries: Vec<SharerEntry> = (0..)
            .zip(&self.roots)
            .filter(|(_, (index, _))| shown(**index))
            .map(|(rank, (index, root))| {
                let (ciphertext, path) = self.ciphertexts.get(index).cloned().unwrap_or_default();
                SharerEntry {
                    index: *index,
                    share_root: root.clone(),
                    mask_ciphertext: ciphertext.into(),
                    ciphertext_proof: path.into(),
                    proof: tree.inclusion_proof(rank).unwrap_or_default().into(),
                }
            })
            .collect();
        SharersMessage {
            sharers: Bitmap::from_indices(self.size, self.roots.keys().copied())
                .bytes()
                .to_vec()
                .into(),
            merkle_root: tree.root(),
            entries: entries.into(),
            boxes: boxes.into(),
        }
    }
}

/// H(label, n', bitmap of U1, Merkle root over its signed share roots).
pub fn sharers_digest(size: u16, message: &SharersMessage) -> Hash {
    TaggedHash::new(labels::SHARERS)
        .u64(u64::from(size))
        .bytes(message.sharers.as_slice())
        .bytes(&message.merkle_root)
        .finish()
}

/// A reveal request over any signatures, with proofs under any ledger that extends the manifest's head.
///
/// # Errors
/// [`SimError::Log`] if the ledger lacks an entry named.
pub fn reveal_request(
    manifest: &CheckedManifest,
    ledger: &Ledger,
    entries: (u64, u64),
    roster_size: u16,
    signatures: &BTreeMap<u16, [u8; 64]>,
) -> Result<RevealRequest, SimError> {
    let signers = Bitmap::from_indices(roster_size, signatures.keys().copied());
    Ok(RevealRequest {
        signers: signers.bytes().to_vec().into(),
        signatures: signatures.values().copied().collect::<Vec<_>>().into(),
        checkpoint: ledger.checkpoint().into(),
        consistency: ledger.consistency(manifest.fields().ledger_size)?,
        manifest: ledger.proven(entries.0)?,
        charge: ledger.proven(entries.1)?,
        upload_proof: Vec::new().into(),
    })
}

/// Leaf of a ciphertext in a dealer's tree; `kind` is 2 for masks, 3 for boxes.
pub fn ciphertext_leaf(
    manifest: &Hash,
    roster: &Hash,
    dealer: u16,
    holder: u16,
    kind: u64,
    ciphertext: &[u8],
) -> Hash {
    let digest = TaggedHash::new(labels::CIPHERTEXT_LEAF)
        .bytes(manifest)
        .bytes(roster)
        .u64(u64::from(dealer))
        .u64(u64::from(holder))
        .u64(kind)
        .bytes(ciphertext)
        .finish();
    leaf_hash(&digest)
}

/// H(label, manifest, roster, U1, index, suspects, no noise anchor, SHA-256 of all packed bytes).
pub fn upload_digest(
    manifest: &Hash,
    (roster, sharers): (&Hash, &Hash),
    index: u16,
    suspects: &[u16],
    packed: &[u8],
) -> Hash {
    let list: Vec<u8> = suspects.iter().flat_map(|s| s.to_be_bytes()).collect();
    TaggedHash::new(labels::UPLOAD)
        .bytes(manifest)
        .bytes(roster)
        .bytes(sharers)
        .u64(u64::from(index))
        .bytes(&list)
        .bytes(&[])
        .bytes(&Sha256::digest(packed))
        .finish()
}

/// That digest, signed.
pub fn upload_signature(
    key: &SigningKey,
    manifest: &Hash,
    round: (&Hash, &Hash),
    index: u16,
    suspects: &[u16],
    packed: &[u8],
) -> [u8; 64] {
    let digest = upload_digest(manifest, round, index, suspects, packed);
    sign(key, labels::UPLOAD, &digest)
}

/// Tree over signed uploads by rising index: leaf(u16 index || digest || signature).
pub fn uploads_tree(uploads: &BTreeMap<u16, (Hash, [u8; 64])>) -> Tree {
    let leaf = |(index, (digest, signature)): (&u16, &(Hash, [u8; 64]))| {
        leaf_hash(&[&index.to_be_bytes()[..], digest, signature].concat())
    };
    Tree::from_leaves(uploads.iter().map(leaf).collect())
}
