//! The keys of one client in one round. Two uniform scalars are shared among the neighbours (step 4): from one the
//! X25519 mask key and the ML-KEM one are derived, from the other the self-mask stream key. The share keys, which open
//! boxes, are not derived from either, so that rebuilding a drop-out's mask keys opens none of its boxes.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tacita_algebra::{SecretScalar, TaggedHash};
use zeroize::{Zeroize as _, Zeroizing};

use crate::kem::{self, KEM_SEED, KemPair, KemSecret, KeyAgreement};
use crate::refusal::Misuse;
use crate::{Hash, labels};

/// 32 secret bytes, wiped on drop.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// HKDF-SHA256 with a 32-byte output; `info` is a digest of the whole context.
pub(crate) fn derive(salt: &Hash, secret: &[u8], info: &Hash) -> Key {
    let mut out = Zeroizing::new([0u8; 32]);
    expand(salt, secret, info, out.as_mut());
    out
}

/// As [`derive`], with 64 bytes.
fn derive64(salt: &Hash, secret: &[u8], info: &Hash) -> Zeroizing<[u8; KEM_SEED]> {
    let mut out = Zeroizing::new([0u8; KEM_SEED]);
    expand(salt, secret, info, out.as_mut());
    out
}

/// HKDF. The hash states between are wiped where they are dropped (features of `sha2` and its buffer); the pseudorandom key
/// is handed out and wiped here. What the library leaves on its stack are HMAC's padded key and the last block.
fn expand(salt: &Hash, secret: &[u8], info: &Hash, out: &mut [u8]) {
    let (mut key, hkdf) = Hkdf::<Sha256>::extract(Some(salt), secret);
    // Cannot fail: 64 bytes are far below HKDF's limit of 255 blocks.
    let _ = hkdf.expand(info, out);
    key.as_mut_slice().zeroize();
}

/// An X25519 key pair.
pub(crate) struct AgreementKey {
    private: PrivateKey,
    public: [u8; 32],
}

impl AgreementKey {
    pub(crate) fn from_bytes(bytes: &Key) -> Result<Self, Misuse> {
        let private = PrivateKey::from_private_key(&X25519, bytes.as_ref()).map_err(|_| Misuse::Key)?;
        let public = private.compute_public_key().map_err(|_| Misuse::Key)?;
        let public = public.as_ref().try_into().map_err(|_| Misuse::Key)?;
        Ok(Self { private, public })
    }

    pub(crate) fn random(rng: &mut impl CryptoRng) -> Result<Self, Misuse> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    pub(crate) fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The shared secret, or `None` for a peer key of small order (all-zero output, RFC 7748 section 6.1). The library
    /// refuses those as well, but does not promise it.
    pub(crate) fn agree(&self, peer: &[u8; 32]) -> Option<Key> {
        agreement::agree(
            &self.private,
            UnparsedPublicKey::new(&X25519, peer),
            (),
            |shared| {
                let mut key = Zeroizing::new([0; 32]);
                if shared.len() != key.len() || bool::from(shared.ct_eq(key.as_slice())) {
                    return Err(());
                }
                key.copy_from_slice(shared);
                Ok(key)
            },
        )
        .ok()
    }
}

/// Whether a public key is of small order: it agrees on the all-zero secret with any key, so one fixed key tells.
pub(crate) fn is_small_order(public: &[u8; 32]) -> bool {
    let probe = AgreementKey::from_bytes(&Zeroizing::new([9; 32]));
    probe.ok().is_none_or(|probe| probe.agree(public).is_none())
}

/// The scalar behind a client's mask key.
pub(crate) struct MaskSecret(pub(crate) SecretScalar);

impl MaskSecret {
    pub(crate) fn random(rng: &mut impl CryptoRng) -> Self {
        Self(SecretScalar::random(rng))
    }

    /// The X25519 mask key, derived under the manifest digest.
    pub(crate) fn key(&self, manifest: &Hash) -> Result<AgreementKey, Misuse> {
        let info = TaggedHash::new(labels::MASK_KEY).bytes(manifest).finish();
        AgreementKey::from_bytes(&derive(manifest, self.0.to_bytes().as_ref(), &info))
    }

    /// The ML-KEM mask key, derived likewise; none in a round without.
    pub(crate) fn kem_key(&self, manifest: &Hash, agreement: KeyAgreement) -> KemPair {
        match agreement {
            KeyAgreement::Classical => KemPair::none(),
            KeyAgreement::Hybrid => {
                let info = TaggedHash::new(labels::MASK_KEM_KEY).bytes(manifest).finish();
                KemPair::from_seed(&derive64(manifest, self.0.to_bytes().as_ref(), &info))
            }
        }
    }

    /// The mask ciphertext for a peer, and the secret in it: a function of this secret, the round, the peer and its key, so
    /// that recovery makes it again.
    pub(crate) fn encapsulate(
        &self,
        manifest: &Hash,
        roster: &Hash,
        peer: &Hash,
        peer_key: &[u8],
    ) -> Result<(Vec<u8>, KemSecret), Misuse> {
        let info = TaggedHash::new(labels::MASK_ENCAPSULATION)
            .bytes(manifest)
            .bytes(roster)
            .bytes(peer)
            .bytes(peer_key)
            .finish();
        let randomness = derive(roster, self.0.to_bytes().as_ref(), &info);
        kem::encapsulate(peer_key, &randomness)
    }
}

/// The scalar behind a client's self mask.
pub(crate) struct SelfSecret(pub(crate) SecretScalar);

impl SelfSecret {
    pub(crate) fn random(rng: &mut impl CryptoRng) -> Self {
        Self(SecretScalar::random(rng))
    }

    /// What the dealer publishes: H(label, manifest, roster, dealer, secret).
    pub(crate) fn commitment(&self, manifest: &Hash, roster: &Hash, dealer: u16) -> Hash {
        TaggedHash::new(labels::SELF_COMMITMENT)
            .bytes(manifest)
            .bytes(roster)
            .u64(u64::from(dealer))
            .bytes(self.0.to_bytes().as_ref())
            .finish()
    }

    /// Key of the self-mask stream.
    pub(crate) fn stream_key(&self, manifest: &Hash, roster: &Hash) -> Key {
        let info = TaggedHash::new(labels::SELF_MASK)
            .bytes(manifest)
            .bytes(roster)
            .finish();
        derive(roster, self.0.to_bytes().as_ref(), &info)
    }
}

/// One end of a pair: what both sides know of it from the roster.
#[derive(Clone, Copy)]
pub(crate) struct End<'a> {
    pub(crate) index: u16,
    pub(crate) mask_key: &'a [u8; 32],
    /// Empty in a round without.
    pub(crate) mask_kem_key: &'a [u8],
    pub(crate) fingerprint: &'a Hash,
}

/// What the two ends of a pair share: by X25519, by ML-KEM, and the ciphertext that carried the second.
#[derive(Clone, Copy)]
pub(crate) struct PairSecret<'a> {
    pub(crate) shared: &'a Key,
    pub(crate) kem: &'a KemSecret,
    pub(crate) ciphertext: &'a [u8],
}

/// Everything that binds pair keys to one round (pitfalls P7 and P17).
#[derive(Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) manifest: &'a Hash,
    pub(crate) model: &'a Hash,
    pub(crate) roster: &'a Hash,
}

impl Binding<'_> {
    /// Key of the pair mask: the same at both ends, lower index first.
    pub(crate) fn pair_key(&self, secret: &PairSecret<'_>, a: End<'_>, b: End<'_>) -> Key {
        let (low, high) = if a.index < b.index { (a, b) } else { (b, a) };
        let info = TaggedHash::new(labels::PAIR_MASK)
            .bytes(self.manifest)
            .bytes(self.model)
            .bytes(self.roster)
            .bytes(low.mask_key)
            .bytes(high.mask_key)
            .bytes(low.mask_kem_key)
            .bytes(high.mask_kem_key)
            .bytes(secret.ciphertext)
            .bytes(low.fingerprint)
            .bytes(high.fingerprint)
            .finish();
        derive(self.roster, &secret.kem.behind(secret.shared), &info)
    }
}

/// One end of a box.
#[derive(Clone, Copy)]
pub(crate) struct BoxEnd<'a> {
    pub(crate) fingerprint: &'a Hash,
    pub(crate) share_key: &'a [u8; 32],
}

/// Key of the box from `sender` to `receiver`, one per direction: the sender encapsulated to `receiver_kem_key`.
pub(crate) fn box_key(
    secret: &PairSecret<'_>,
    manifest: &Hash,
    roster: &Hash,
    (sender, receiver): (BoxEnd<'_>, BoxEnd<'_>),
    receiver_kem_key: &[u8],
) -> Key {
    let info = TaggedHash::new(labels::BOX_KEY)
        .bytes(manifest)
        .bytes(roster)
        .bytes(sender.fingerprint)
        .bytes(receiver.fingerprint)
        .bytes(sender.share_key)
        .bytes(receiver.share_key)
        .bytes(receiver_kem_key)
        .bytes(secret.ciphertext)
        .finish();
    derive(roster, &secret.kem.behind(secret.shared), &info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn both_ends_agree_and_every_input_matters() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
        let (m, n, r) = ([1; 32], [2; 32], [3; 32]);
        let a = MaskSecret::random(&mut rng).key(&m).unwrap();
        let b = MaskSecret::random(&mut rng).key(&m).unwrap();
        let (fa, fb) = ([4; 32], [5; 32]);
        let (ka, kb) = (vec![6; 10], vec![7; 10]);
        let end_a = End {
            index: 7,
            mask_key: a.public(),
            mask_kem_key: &ka,
            fingerprint: &fa,
        };
        let end_b = End {
            index: 2,
            mask_key: b.public(),
            mask_kem_key: &kb,
            fingerprint: &fb,
        };
        let shared = a.agree(b.public()).unwrap();
        let pair = KemPair::random(&mut rng);
        let (ciphertext, kem) = kem::encapsulate(pair.public(), &Zeroizing::new([8; 32])).unwrap();
        let secret = PairSecret {
            shared: &shared,
            kem: &kem,
            ciphertext: &ciphertext,
        };
        let key = |m, n, r, x, y| {
            *Binding {
                manifest: m,
                model: n,
                roster: r,
            }
            .pair_key(&secret, x, y)
        };
        let reference = key(&m, &n, &r, end_a, end_b);
        assert_eq!(reference, key(&m, &n, &r, end_b, end_a));
        assert_eq!(*shared, *b.agree(a.public()).unwrap());
        let other = [9; 32];
        assert_ne!(reference, key(&other, &n, &r, end_a, end_b));
        assert_ne!(
            reference,
            key(&m, &other, &r, end_a, end_b),
            "a different model must give other masks"
        );
        assert_ne!(reference, key(&m, &n, &other, end_a, end_b));
        let foreign = End {
            fingerprint: &other,
            ..end_a
        };
        assert_ne!(reference, key(&m, &n, &r, foreign, end_b));
        let unlike = End {
            mask_kem_key: &kb,
            ..end_a
        };
        assert_ne!(reference, key(&m, &n, &r, unlike, end_b));
        // Neither secret alone gives the key, and the ciphertext counts.
        let binding = Binding {
            manifest: &m,
            model: &n,
            roster: &r,
        };
        let none = KemSecret::none();
        let zero = Zeroizing::new([0; 32]);
        for changed in [
            PairSecret { kem: &none, ..secret },
            PairSecret {
                shared: &zero,
                ..secret
            },
            PairSecret {
                ciphertext: &[],
                ..secret
            },
        ] {
            assert_ne!(reference, *binding.pair_key(&changed, end_a, end_b));
        }
        let (ends, turned) = {
            let a = BoxEnd {
                fingerprint: &fa,
                share_key: a.public(),
            };
            let b = BoxEnd {
                fingerprint: &fb,
                share_key: b.public(),
            };
            ((a, b), (b, a))
        };
        let box_of = |ends, to: &[u8]| *box_key(&secret, &m, &r, ends, to);
        assert_ne!(box_of(ends, &ka), box_of(turned, &ka));
        assert_ne!(box_of(ends, &ka), box_of(ends, &kb));
    }

    #[test]
    fn what_is_derived_from_the_mask_secret_is_made_again_and_depends_on_everything() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
        let (m, r, peer) = ([1; 32], [2; 32], [3; 32]);
        let secret = MaskSecret::random(&mut rng);
        let again = MaskSecret(SecretScalar::from_canonical_bytes(&secret.0.to_bytes()).unwrap());
        let key = secret.kem_key(&m, KeyAgreement::Hybrid);
        assert_eq!(key.public(), again.kem_key(&m, KeyAgreement::Hybrid).public());
        assert_ne!(key.public(), again.kem_key(&r, KeyAgreement::Hybrid).public());
        assert!(secret.kem_key(&m, KeyAgreement::Classical).public().is_empty());
        let theirs = KemPair::random(&mut rng);
        let (ciphertext, _) = secret.encapsulate(&m, &r, &peer, theirs.public()).unwrap();
        let made = |m, r, peer| again.encapsulate(m, r, peer, theirs.public()).unwrap().0;
        assert_eq!(ciphertext, made(&m, &r, &peer));
        assert_ne!(ciphertext, made(&r, &r, &peer));
        assert_ne!(ciphertext, made(&m, &m, &peer));
        assert_ne!(ciphertext, made(&m, &r, &r));
    }

    #[test]
    fn small_order_keys_give_nothing() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([2; 32]);
        let key = AgreementKey::random(&mut rng).unwrap();
        // All of them: 0, 1, two of order 8, and p - 1, p and p + 1.
        for weak in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ] {
            let mut weak: [u8; 32] = hex::decode(weak).unwrap().try_into().unwrap();
            assert!(key.agree(&weak).is_none(), "{weak:?}");
            assert!(is_small_order(&weak));
            // The top bit is not part of the number.
            weak[31] |= 0x80;
            assert!(key.agree(&weak).is_none(), "{weak:?}");
        }
        assert!(!is_small_order(key.public()));
    }
}
