//! Step 4: dealing the two secrets, the boxes that carry the shares, and the holder's side of both.
//!
//! The self-mask secret and the mask secret are shared separately with threshold t; holder j's abscissa is its roster
//! index + 1. The share tree is that of `share_tree.rs`; the dealer signs its root. Box plaintext: self share (32), mask
//! share (32), then the path from the pair's parent to the root (32 bytes a step). A box that does not open costs that one
//! share, blames nobody and is reported.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::{SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use tacita_algebra::{SecretScalar, TaggedHash, shamir};
use tacita_ledger::tree;
use zeroize::Zeroizing;

use crate::keys::{Key, MaskSecret, SelfSecret};
use crate::limits::MAX_SHARE_PROOF;
use crate::messages::{DealtBox, RevealedShare, ShareRoot, Shares};
use crate::refusal::{Misuse, Refusal};
use crate::share_tree::{self, CiphertextKind, Group, ShareTree};
use crate::{Hash, labels, signature};

/// Which of a dealer's two secrets a share belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// The self-mask secret, revealed of survivors.
    SelfMask,
    /// The mask secret, revealed of drop-outs.
    Mask,
}

/// Where a share stands: round, dealer, holder.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) manifest: &'a Hash,
    pub(crate) roster: &'a Hash,
    pub(crate) dealer: u16,
    pub(crate) holder: u16,
}

/// Abscissa of a holder: small, non-zero.
pub(crate) fn abscissa(holder: u16) -> u16 {
    holder.saturating_add(1)
}

impl Place<'_> {
    /// H(label, manifest, roster, dealer, holder, kind, x, share).
    pub(crate) fn leaf(&self, kind: SecretKind, share: &[u8; 32]) -> Hash {
        let digest = TaggedHash::new(labels::SHARE_LEAF)
            .bytes(self.manifest)
            .bytes(self.roster)
            .u64(u64::from(self.dealer))
            .u64(u64::from(self.holder))
            .u64(match kind {
                SecretKind::SelfMask => 0,
                SecretKind::Mask => 1,
            })
            .u64(u64::from(abscissa(self.holder)))
            .bytes(share)
            .finish();
        tree::leaf_hash(&digest)
    }
}

/// Digest that a dealer signs over its share root.
pub(crate) fn share_root_digest(manifest: &Hash, roster: &Hash, dealer: u16, root: &ShareRoot) -> Hash {
    TaggedHash::new(labels::SHARE_ROOT)
        .bytes(manifest)
        .bytes(roster)
        .u64(u64::from(dealer))
        .bytes(&root.root)
        .bytes(&root.self_commitment)
        .finish()
}

pub(crate) fn verify_share_root(
    manifest: &Hash,
    roster: &Hash,
    dealer: u16,
    root: &ShareRoot,
    key: &VerifyingKey,
) -> bool {
    let digest = share_root_digest(manifest, roster, dealer, root);
    signature::verify(key, labels::SHARE_ROOT, &digest, &root.signature)
}

/// A pair of shares held for one dealer. Either may be revealed, which consumes both: the other can never follow.
pub(crate) struct SharePair {
    dealer: u16,
    self_share: Key,
    mask_share: Key,
    self_leaf: Hash,
    mask_leaf: Hash,
    path: Vec<Hash>,
}

impl SharePair {
    /// Reveals the self-mask share or the mask share, never both.
    pub(crate) fn reveal(self, kind: SecretKind) -> RevealedShare {
        let (value, sibling) = match kind {
            SecretKind::SelfMask => (*self.self_share, self.mask_leaf),
            SecretKind::Mask => (*self.mask_share, self.self_leaf),
        };
        let mut path = Vec::with_capacity(self.path.len() + 1);
        path.push(sibling);
        path.extend_from_slice(&self.path);
        RevealedShare {
            dealer: self.dealer,
            value,
            path: path.into(),
        }
    }

    /// Parses and checks an opened box; `None` for anything wrong with it.
    fn open(plain: &[u8], place: &Place<'_>, position: u64, holders: usize, root: &Hash) -> Option<Self> {
        let (self_share, rest) = plain.split_first_chunk::<32>()?;
        let (mask_share, rest) = rest.split_first_chunk::<32>()?;
        let (path, rest) = rest.as_chunks::<32>();
        if !rest.is_empty() || path.len() >= MAX_SHARE_PROOF {
            return None;
        }
        // Canonical scalars only.
        SecretScalar::from_canonical_bytes(self_share).ok()?;
        SecretScalar::from_canonical_bytes(mask_share).ok()?;
        let self_leaf = place.leaf(SecretKind::SelfMask, self_share);
        let mask_leaf = place.leaf(SecretKind::Mask, mask_share);
        let mut proof = vec![mask_leaf];
        proof.extend_from_slice(path);
        if !share_tree::stands_under(&self_leaf, 0, position, holders, &proof, root) {
            return None;
        }
        Some(Self {
            dealer: place.dealer,
            self_share: Zeroizing::new(*self_share),
            mask_share: Zeroizing::new(*mask_share),
            self_leaf,
            mask_leaf,
            path: path.to_vec(),
        })
    }
}

/// What a dealer has for one holder besides the shares.
pub(crate) struct BoxFor {
    pub(crate) holder: u16,
    /// Key of the box.
    pub(crate) sealing: Key,
    /// Empty where the holder encapsulates, and in a round without.
    pub(crate) mask_ciphertext: Vec<u8>,
    /// Empty in a round without.
    pub(crate) share_ciphertext: Vec<u8>,
}

/// What a dealer makes.
pub(crate) struct Dealing {
    pub(crate) message: Shares,
    /// The dealer's own pair, on the complete graph.
    pub(crate) own: Option<SharePair>,
}

/// Shares of both secrets, by holder.
pub(crate) struct SplitSecrets(Vec<(u16, Key, Key)>);

impl SplitSecrets {
    /// Shares both secrets among `holders`. `dealer` is the dealer's own place (it is its own holder there).
    pub(crate) fn of(
        dealer: &Place<'_>,
        holders: &[u16],
        threshold: u16,
        (own, mask): (&SelfSecret, &MaskSecret),
        rng: &mut impl CryptoRng,
    ) -> Result<Self, Misuse> {
        debug_assert_eq!(dealer.dealer, dealer.holder);
        let algebra = |e: tacita_algebra::AlgebraError| Misuse::Algebra(e.to_string());
        let abscissae: Vec<u16> = holders.iter().map(|h| abscissa(*h)).collect();
        let threshold = usize::from(threshold);
        let self_shares = shamir::split(&own.0, threshold, &abscissae, rng).map_err(algebra)?;
        let mask_shares = shamir::split(&mask.0, threshold, &abscissae, rng).map_err(algebra)?;
        let shares = self_shares.iter().zip(&mask_shares);
        Ok(Self(
            holders
                .iter()
                .zip(shares)
                .map(|(holder, (s, m))| (*holder, s.to_bytes(), m.to_bytes()))
                .collect(),
        ))
    }

    /// Commits to the shares and the ciphertexts, and seals one box for each holder other than the dealer; `boxes` by
    /// rising holder.
    pub(crate) fn deal(
        self,
        dealer: &Place<'_>,
        holders: &[u16],
        self_secret: &SelfSecret,
        signing: &SigningKey,
        boxes: Vec<BoxFor>,
    ) -> Result<Dealing, Misuse> {
        let (manifest, roster) = (dealer.manifest, dealer.roster);
        let made_for = |holder: u16| {
            let at = boxes.binary_search_by_key(&holder, |b| b.holder).ok()?;
            boxes.get(at)
        };
        let mut groups = Vec::with_capacity(self.0.len());
        for (holder, self_share, mask_share) in &self.0 {
            let place = Place {
                holder: *holder,
                ..*dealer
            };
            let made = made_for(*holder);
            groups.push(place.group(
                tree::node_hash(
                    &place.leaf(SecretKind::SelfMask, self_share),
                    &place.leaf(SecretKind::Mask, mask_share),
                ),
                made.map_or(&[], |b| &b.mask_ciphertext),
                made.map_or(&[], |b| &b.share_ciphertext),
            ));
        }
        let pairs: Vec<Hash> = groups.iter().map(|group| group.pair).collect();
        let shares_tree = ShareTree::of(groups);
        let mut share_root = ShareRoot {
            root: shares_tree.root(),
            self_commitment: self_secret.commitment(manifest, roster, dealer.dealer),
            signature: [0; 64],
        };
        let digest = share_root_digest(manifest, roster, dealer.dealer, &share_root);
        share_root.signature = signature::sign(signing, labels::SHARE_ROOT, &digest);

        let (mut own, mut own_pair) = (None, Vec::new());
        let mut sealed = Vec::with_capacity(boxes.len());
        for (((holder, self_share, mask_share), pair), position) in self.0.into_iter().zip(pairs).zip(0u64..)
        {
            let path = shares_tree
                .pair_path(position)
                .ok_or(Misuse::Argument("share position"))?;
            let mut plain = Zeroizing::new(Vec::with_capacity(64 + 32 * path.len()));
            plain.extend_from_slice(self_share.as_ref());
            plain.extend_from_slice(mask_share.as_ref());
            path.iter().for_each(|hash| plain.extend_from_slice(hash));
            if holder == dealer.dealer {
                own = SharePair::open(&plain, dealer, position, holders.len(), &share_root.root);
                own_pair.push(pair);
                continue;
            }
            let made = made_for(holder).ok_or(Misuse::Argument("holder without a box key"))?;
            sealed.push(DealtBox {
                peer: holder,
                pair,
                mask_ciphertext: made.mask_ciphertext.clone().into(),
                share_ciphertext: made.share_ciphertext.clone().into(),
                ciphertext: seal(&made.sealing, manifest, &plain)?.into(),
            });
        }
        Ok(Dealing {
            message: Shares {
                share_root,
                own_pair: own_pair.into(),
                boxes: sealed.into(),
            },
            own,
        })
    }
}

impl Place<'_> {
    pub(crate) fn group(&self, pair: Hash, mask_ciphertext: &[u8], share_ciphertext: &[u8]) -> Group {
        Group {
            pair,
            mask: self.ciphertext_leaf(CiphertextKind::Mask, mask_ciphertext),
            share: self.ciphertext_leaf(CiphertextKind::Share, share_ciphertext),
        }
    }
}

// The nonce is zero: a box key is derived from fresh share keys for one direction, and seals one box.
pub(crate) fn seal(key: &Key, manifest: &Hash, plain: &[u8]) -> Result<Vec<u8>, Misuse> {
    let cipher = Aes256Gcm::new((&**key).into());
    cipher
        .encrypt(
            &Nonce::default(),
            Payload {
                msg: plain,
                aad: manifest,
            },
        )
        .map_err(|_| Misuse::Encoding)
}

/// Opens the box of one dealer. `None`: tag, path, position or scalar is wrong; the pair becomes suspect.
pub(crate) fn open_box(
    key: &Key,
    place: &Place<'_>,
    dealer_holders: &[u16],
    root: &Hash,
    ciphertext: &[u8],
) -> Option<SharePair> {
    let position = dealer_holders.binary_search(&place.holder).ok()? as u64;
    let cipher = Aes256Gcm::new((&**key).into());
    let payload = Payload {
        msg: ciphertext,
        aad: place.manifest,
    };
    let plain = Zeroizing::new(cipher.decrypt(&Nonce::default(), payload).ok()?);
    SharePair::open(&plain, place, position, dealer_holders.len(), root)
}

/// Server side: checks a revealed share against the dealer's root (TAC-073); the holder is to blame if it fails.
pub(crate) fn check_revealed(
    share: &RevealedShare,
    place: &Place<'_>,
    kind: SecretKind,
    dealer_holders: &[u16],
    root: &Hash,
) -> Result<SecretScalar, Refusal> {
    let blame = Refusal::ShareCommitment {
        dealer: place.dealer,
        holder: place.holder,
    };
    let position = dealer_holders
        .binary_search(&place.holder)
        .map_err(|_| blame.clone())? as u64;
    let of_group = match kind {
        SecretKind::SelfMask => 0,
        SecretKind::Mask => 1,
    };
    let path = share.path.as_slice();
    let leaf = place.leaf(kind, &share.value);
    if !share_tree::stands_under(&leaf, of_group, position, dealer_holders.len(), path, root) {
        return Err(blame);
    }
    SecretScalar::from_canonical_bytes(&share.value).map_err(|_| blame)
}
