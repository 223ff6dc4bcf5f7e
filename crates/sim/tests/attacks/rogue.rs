//! A member that runs its own program: real certificate, real keys, its own cryptography. With it dishonest dealings are
//! made that no edit of an honest message could give.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use curve25519_dalek::montgomery::MontgomeryPoint;
use hkdf::Hkdf;
use ml_kem::kem::{Decapsulate as _, KeyExport as _};
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem768};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::Sha256;
use tacita_algebra::{SecretScalar, TaggedHash, shamir};
use tacita_ledger::tree::{Tree, node_hash};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{
    Advertise, ClientMessage, DealtBox, RosterEntry, RosterMessage, SharersMessage, Shares, UploadChunk,
    UploadEnd,
};
use tacita_protocol::{Hash, SecretKind, labels};
use tacita_sim::{CastMember, forge};

fn derive<const N: usize>(salt: &Hash, secret: &[u8], info: &Hash) -> [u8; N] {
    let mut out = [0; N];
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
    /// Mask ciphertexts of other randomness than the mask secret gives.
    OtherRandomness,
    /// A mask KEM key of another seed than the mask secret gives.
    OtherKemKey,
}

/// The member's own program.
pub(crate) struct Rogue {
    pub(crate) member: CastMember,
    pub(crate) deal: Deal,
    self_secret: SecretScalar,
    mask_secret: SecretScalar,
    share_key: [u8; 32],
    share_kem: DecapsulationKey<MlKem768>,
    rng: ChaCha20Rng,
}

fn public(key: &DecapsulationKey<MlKem768>) -> Vec<u8> {
    key.encapsulation_key().to_bytes().to_vec()
}

/// Ciphertext and secret for a key.
fn encapsulate(key: &[u8], randomness: [u8; 32]) -> (Vec<u8>, Vec<u8>) {
    let key = EncapsulationKey::<MlKem768>::new(key.try_into().unwrap()).unwrap();
    let (ciphertext, secret) = key.encapsulate_deterministic(&randomness.into());
    (ciphertext.to_vec(), secret.to_vec())
}

/// Both private keys that a mask secret gives.
pub(crate) fn mask_keys(manifest: &Hash, secret: &SecretScalar) -> ([u8; 32], DecapsulationKey<MlKem768>) {
    let secret = secret.to_bytes();
    let info = TaggedHash::new(labels::MASK_KEY).bytes(manifest).finish();
    let agreement = derive(manifest, secret.as_ref(), &info);
    let info = TaggedHash::new(labels::MASK_KEM_KEY).bytes(manifest).finish();
    let seed: [u8; 64] = derive(manifest, secret.as_ref(), &info);
    (agreement, DecapsulationKey::from_seed(seed.into()))
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
            share_kem: DecapsulationKey::from_seed([7; 64].into()),
            rng,
        }
    }

    pub(crate) fn advertise(&self, manifest: &Hash) -> Advertise {
        let (mask_key, mut mask_kem) = mask_keys(manifest, &self.mask_secret);
        if self.deal == Deal::OtherKemKey {
            mask_kem = DecapsulationKey::from_seed([8; 64].into());
        }
        forge::advertise(
            &self.member.key,
            manifest,
            &self.member.certificate.fingerprint,
            (
                MontgomeryPoint::mul_base_clamped(mask_key).to_bytes(),
                MontgomeryPoint::mul_base_clamped(self.share_key).to_bytes(),
            ),
            (&public(&mask_kem), &public(&self.share_kem)),
            [0; 32],
        )
    }

    /// Its boxes, on a complete graph.
    pub(crate) fn shares(&mut self, manifest: &CheckedManifest, roster: &RosterMessage) -> Shares {
        let digest = manifest.digest();
        let identities = forge::identities(roster);
        let root = forge::roster_root(&identities, &roster.merkle_root);
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
        let made: Vec<[(Vec<u8>, Vec<u8>); 2]> = holders
            .iter()
            .map(|holder| self.ciphertexts(digest, &root, own, &roster.entries[usize::from(*holder)]))
            .collect();
        let leaves = holders
            .iter()
            .zip(values.iter().zip(&made))
            .flat_map(|(holder, (pair, made))| {
                let share = |kind, share| forge::share_leaf(digest, &root, own, *holder, kind, share);
                let sealed =
                    |kind, at: usize| forge::ciphertext_leaf(digest, &root, own, *holder, kind, &made[at].0);
                [
                    share(SecretKind::SelfMask, &pair[0]),
                    share(SecretKind::Mask, &pair[1]),
                    sealed(2, 0),
                    sealed(3, 1),
                ]
            });
        let leaves: Vec<Hash> = leaves.collect();
        let pair_node = |position: usize| node_hash(&leaves[4 * position], &leaves[4 * position + 1]);
        let nodes: Vec<Hash> = (0..holders.len()).map(pair_node).collect();
        let tree = Tree::from_leaves(leaves);
        let commitment = forge::self_commitment(digest, &root, own, &self.self_secret.to_bytes());
        let share_root = forge::share_root(&self.member.key, digest, &root, own, tree.root(), commitment);
        let own_share_key = MontgomeryPoint::mul_base_clamped(self.share_key).to_bytes();
        let mut boxes = Vec::new();
        for ((holder, pair), position) in holders.iter().zip(&values).zip(0usize..) {
            if *holder == own {
                continue;
            }
            let entry = &roster.entries[usize::from(*holder)];
            let path = tree.inclusion_proof(4 * position as u64).unwrap();
            let mut plain = [pair[0], pair[1]].concat();
            plain.extend(path[1..].iter().flatten());
            if self.deal == Deal::WrongPath && *holder == 0 {
                plain[70] ^= 1;
            }
            let shared = MontgomeryPoint(entry.advertise.share_key)
                .mul_clamped(self.share_key)
                .to_bytes();
            let [mask, share] = &made[position];
            let info = TaggedHash::new(labels::BOX_KEY)
                .bytes(digest)
                .bytes(&root)
                .bytes(&self.member.certificate.fingerprint)
                .bytes(&entry.fingerprint)
                .bytes(&own_share_key)
                .bytes(&entry.advertise.share_key)
                .bytes(entry.advertise.share_kem_key.as_slice())
                .bytes(&share.0)
                .finish();
            let key: [u8; 32] = derive(&root, &[&shared[..], &share.1].concat(), &info);
            let ciphertext = Aes256Gcm::new(&key.into())
                .encrypt(
                    &Nonce::default(),
                    Payload {
                        msg: &plain,
                        aad: digest,
                    },
                )
                .unwrap();
            boxes.push(DealtBox {
                peer: *holder,
                pair: nodes[position],
                mask_ciphertext: mask.0.clone().into(),
                share_ciphertext: share.0.clone().into(),
                ciphertext: ciphertext.into(),
            });
        }
        Shares {
            share_root,
            own_pair: vec![nodes[usize::from(own)]].into(),
            boxes: boxes.into(),
        }
    }

    /// Its private share keys, from which nothing but boxes is opened.
    pub(crate) fn share_keys(&self) -> ([u8; 32], DecapsulationKey<MlKem768>) {
        (self.share_key, self.share_kem.clone())
    }

    /// Whether a box for this member opens with these private keys in the place of its share keys.
    pub(crate) fn opens(
        &self,
        manifest: &Hash,
        roster: &RosterMessage,
        sender: u16,
        sealed: &DealtBox,
        (agreement, kem): (&[u8; 32], &DecapsulationKey<MlKem768>),
    ) -> bool {
        let root = forge::roster_root(&forge::identities(roster), &roster.merkle_root);
        let theirs = &roster.entries[usize::from(sender)];
        let own = self.advertise(manifest);
        let shared = MontgomeryPoint(theirs.advertise.share_key)
            .mul_clamped(*agreement)
            .to_bytes();
        let encapsulated = sealed.share_ciphertext.as_slice();
        let secret = kem.decapsulate(encapsulated.try_into().unwrap());
        let info = TaggedHash::new(labels::BOX_KEY)
            .bytes(manifest)
            .bytes(&root)
            .bytes(&theirs.fingerprint)
            .bytes(&self.member.certificate.fingerprint)
            .bytes(&theirs.advertise.share_key)
            .bytes(&own.share_key)
            .bytes(own.share_kem_key.as_slice())
            .bytes(encapsulated)
            .finish();
        let key: [u8; 32] = derive(&root, &[&shared[..], secret.as_slice()].concat(), &info);
        let payload = Payload {
            msg: sealed.ciphertext.as_slice(),
            aad: manifest,
        };
        Aes256Gcm::new(&key.into())
            .decrypt(&Nonce::default(), payload)
            .is_ok()
    }

    /// Ciphertexts and secrets of mask and box for one holder; empty where there is none.
    fn ciphertexts(
        &mut self,
        manifest: &Hash,
        root: &Hash,
        own: u16,
        entry: &RosterEntry,
    ) -> [(Vec<u8>, Vec<u8>); 2] {
        if entry.index == own {
            return Default::default();
        }
        let mut fresh = [0; 32];
        self.rng.fill_bytes(&mut fresh);
        let share = encapsulate(entry.advertise.share_kem_key.as_slice(), fresh);
        if self.member.certificate.fingerprint >= entry.fingerprint {
            return [Default::default(), share];
        }
        let key = entry.advertise.mask_kem_key.as_slice();
        let info = TaggedHash::new(labels::MASK_ENCAPSULATION)
            .bytes(manifest)
            .bytes(root)
            .bytes(&entry.fingerprint)
            .bytes(key)
            .finish();
        let mut randomness: [u8; 32] = derive(root, self.mask_secret.to_bytes().as_ref(), &info);
        if self.deal == Deal::OtherRandomness {
            randomness[0] ^= 1;
        }
        [encapsulate(key, randomness), share]
    }

    /// An upload of noise: whatever a dishonest member likes.
    pub(crate) fn upload(
        &mut self,
        manifest: &CheckedManifest,
        roster: &RosterMessage,
        sharers: &SharersMessage,
    ) -> Vec<ClientMessage> {
        let identities = forge::identities(roster);
        let root = forge::roster_root(&identities, &roster.merkle_root);
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
        let signature = {
            let size = u16::try_from(identities.len()).unwrap();
            let sharers = forge::sharers_digest(size, sharers);
            forge::upload_signature(
                &self.member.key,
                manifest.digest(),
                (&root, &sharers),
                own,
                &[],
                &all,
            )
        };
        out.push(ClientMessage::UploadEnd(UploadEnd {
            suspects: Vec::new().into(),
            noise_anchor: Vec::new().into(),
            signature,
        }));
        out
    }
}
