//! A member that runs its own program: real certificate, real keys, its own cryptography. With it dishonest dealings are
//! made that no edit of an honest message could give.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use curve25519_dalek::montgomery::MontgomeryPoint;
use hkdf::Hkdf;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::Sha256;
use tacita_algebra::{SecretScalar, TaggedHash, shamir};
use tacita_ledger::tree::Tree;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{
    Advertise, ClientMessage, RosterMessage, SealedBox, Shares, UploadChunk, UploadEnd,
};
use tacita_protocol::{Hash, SecretKind, labels};
use tacita_sim::{CastMember, forge};

fn derive(salt: &Hash, secret: &[u8], info: &Hash) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info, &mut out)
        .unwrap();
    out
}

/// What a rogue deals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deal {
    /// What an honest client would.
    Honest,
    /// Shares of another self-mask secret than the one committed to.
    OtherSelfSecret,
    /// Shares of another mask secret than the one behind the advertised key.
    OtherMaskSecret,
    /// Shares of no polynomial of degree t - 1: every holder its own, each with a good leaf.
    NoPolynomial,
    /// To holder 0, a box whose path leads elsewhere.
    WrongPath,
    /// To holder 0, a share that is no canonical scalar.
    NotCanonical,
}

/// The member's own program.
pub(crate) struct Rogue {
    pub(crate) member: CastMember,
    pub(crate) deal: Deal,
    self_secret: SecretScalar,
    mask_secret: SecretScalar,
    share_key: [u8; 32],
    rng: ChaCha20Rng,
}

impl Rogue {
    pub(crate) fn new(member: &CastMember, deal: Deal) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(77);
        let mut share_key = [0; 32];
        rng.fill_bytes(&mut share_key);
        let (self_secret, mask_secret) = (SecretScalar::random(&mut rng), SecretScalar::random(&mut rng));
        Self {
            member: member.clone(),
            deal,
            self_secret,
            mask_secret,
            share_key,
            rng,
        }
    }

    pub(crate) fn advertise(&self, manifest: &Hash) -> Advertise {
        let info = TaggedHash::new(labels::MASK_KEY).bytes(manifest).finish();
        let mask_key = derive(manifest, self.mask_secret.to_bytes().as_ref(), &info);
        forge::advertise(
            &self.member.key,
            manifest,
            &self.member.certificate.fingerprint,
            MontgomeryPoint::mul_base_clamped(mask_key).to_bytes(),
            MontgomeryPoint::mul_base_clamped(self.share_key).to_bytes(),
            [0; 32],
        )
    }

    /// Its boxes, on a complete graph.
    pub(crate) fn shares(&mut self, manifest: &CheckedManifest, roster: &RosterMessage) -> Shares {
        let digest = manifest.digest();
        let identities = roster.identities.as_slice();
        let root = forge::roster_root(identities, &roster.merkle_root);
        let own = identities
            .iter()
            .position(|i| *i == self.member.certificate.identity.0)
            .unwrap();
        let own = u16::try_from(own).unwrap();
        let holders: Vec<u16> = (0..u16::try_from(identities.len()).unwrap()).collect();
        let abscissae: Vec<u16> = holders.iter().map(|holder| holder + 1).collect();
        let t = usize::from(manifest.threshold());

        let other = SecretScalar::random(&mut self.rng);
        let dealt_self = if self.deal == Deal::OtherSelfSecret {
            &other
        } else {
            &self.self_secret
        };
        let dealt_mask = if self.deal == Deal::OtherMaskSecret {
            &other
        } else {
            &self.mask_secret
        };
        let mut values: Vec<[[u8; 32]; 2]> = {
            let selves = shamir::split(dealt_self, t, &abscissae, &mut self.rng).unwrap();
            let masks = shamir::split(dealt_mask, t, &abscissae, &mut self.rng).unwrap();
            selves
                .iter()
                .zip(&masks)
                .map(|(s, m)| [*s.to_bytes(), *m.to_bytes()])
                .collect()
        };
        match self.deal {
            Deal::NoPolynomial => {
                for pair in &mut values {
                    *pair = [0; 2].map(|_| *SecretScalar::random(&mut self.rng).to_bytes());
                }
            }
            Deal::NotCanonical => values[0][0] = [0xff; 32],
            _ => {}
        }
        let leaves = holders.iter().zip(&values).flat_map(|(holder, pair)| {
            [SecretKind::SelfMask, SecretKind::Mask]
                .into_iter()
                .zip(pair)
                .map(|(kind, share)| forge::share_leaf(digest, &root, own, *holder, kind, share))
        });
        let tree = Tree::from_leaves(leaves.collect());
        let commitment = forge::self_commitment(digest, &root, own, &self.self_secret.to_bytes());
        let share_root = forge::share_root(&self.member.key, digest, &root, own, tree.root(), commitment);
        let mut boxes = Vec::new();
        for ((holder, pair), position) in holders.iter().zip(&values).zip(0u64..) {
            if *holder == own {
                continue;
            }
            let entry = &roster.entries[usize::from(*holder)];
            let path = tree.inclusion_proof(2 * position).unwrap();
            let mut plain = [pair[0], pair[1]].concat();
            plain.extend(path[1..].iter().flatten());
            if self.deal == Deal::WrongPath && *holder == 0 {
                plain[70] ^= 1;
            }
            let shared = MontgomeryPoint(entry.advertise.share_key)
                .mul_clamped(self.share_key)
                .to_bytes();
            let info = TaggedHash::new(labels::BOX_KEY)
                .bytes(digest)
                .bytes(&root)
                .bytes(&self.member.certificate.fingerprint)
                .bytes(&entry.fingerprint)
                .finish();
            let key = derive(&root, &shared, &info);
            let ciphertext = Aes256Gcm::new(&key.into())
                .encrypt(
                    &Nonce::default(),
                    Payload {
                        msg: &plain,
                        aad: digest,
                    },
                )
                .unwrap();
            boxes.push(SealedBox {
                peer: *holder,
                ciphertext: ciphertext.into(),
            });
        }
        Shares {
            share_root,
            boxes: boxes.into(),
        }
    }

    /// An upload of noise: whatever a dishonest member likes.
    pub(crate) fn upload(
        &mut self,
        manifest: &CheckedManifest,
        roster: &RosterMessage,
    ) -> Vec<ClientMessage> {
        let identities = roster.identities.as_slice();
        let root = forge::roster_root(identities, &roster.merkle_root);
        let own = identities
            .iter()
            .position(|i| *i == self.member.certificate.identity.0)
            .unwrap();
        let (padded, chunk) = (manifest.padded(), manifest.fields().chunk as usize);
        let mut all = Vec::new();
        let mut out = Vec::new();
        for (index, start) in (0u32..).zip((0..padded).step_by(chunk)) {
            let mut packed = vec![0; manifest.bits().packed_len(chunk.min(padded - start))];
            self.rng.fill_bytes(&mut packed);
            // Spare bits at the end are zero.
            let spare = packed.len() * 8 - chunk.min(padded - start) * usize::from(manifest.bits().get());
            *packed.last_mut().unwrap() &= 0xff >> spare;
            all.extend_from_slice(&packed);
            out.push(ClientMessage::Chunk(UploadChunk {
                index,
                packed: packed.into(),
            }));
        }
        let own = u16::try_from(own).unwrap();
        let signature = forge::upload_signature(&self.member.key, manifest.digest(), &root, own, &[], &all);
        out.push(ClientMessage::UploadEnd(UploadEnd {
            suspects: Vec::new().into(),
            signature,
        }));
        out
    }
}
