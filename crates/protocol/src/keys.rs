//! The keys of one client in one round. Two uniform scalars are shared among the neighbours (step 4): from one the
//! X25519 mask key is derived, from the other the self-mask stream key. The share key, which opens boxes, is not
//! derived from either, so that rebuilding a drop-out's mask key opens none of its boxes.

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey, X25519};
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use tacita_algebra::{SecretScalar, TaggedHash};
use zeroize::Zeroizing;

use crate::refusal::Misuse;
use crate::{Hash, labels};

/// 32 secret bytes, wiped on drop.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// HKDF-SHA256 with a 32-byte output; `info` is a digest of the whole context.
pub(crate) fn derive(salt: &Hash, secret: &[u8], info: &Hash) -> Key {
    let mut out = Zeroizing::new([0u8; 32]);
    // Cannot fail: 32 bytes is far below HKDF's limit of 255 blocks.
    let _ = Hkdf::<Sha256>::new(Some(salt), secret).expand(info, out.as_mut());
    out
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

    /// The shared secret, or `None` for a peer key of small order (all-zero output, RFC 7748 section 6.1).
    pub(crate) fn agree(&self, peer: &[u8; 32]) -> Option<Key> {
        agreement::agree(
            &self.private,
            UnparsedPublicKey::new(&X25519, peer),
            (),
            |shared| {
                let shared: [u8; 32] = shared.try_into().map_err(|_| ())?;
                if shared == [0; 32] {
                    Err(())
                } else {
                    Ok(Zeroizing::new(shared))
                }
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
    pub(crate) fingerprint: &'a Hash,
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
    pub(crate) fn pair_key(&self, shared: &Key, a: End<'_>, b: End<'_>) -> Key {
        let (low, high) = if a.index < b.index { (a, b) } else { (b, a) };
        let info = TaggedHash::new(labels::PAIR_MASK)
            .bytes(self.manifest)
            .bytes(self.model)
            .bytes(self.roster)
            .bytes(low.mask_key)
            .bytes(high.mask_key)
            .bytes(low.fingerprint)
            .bytes(high.fingerprint)
            .finish();
        derive(self.roster, shared.as_ref(), &info)
    }
}

/// Key of the box from `sender` to `receiver`: one per direction.
pub(crate) fn box_key(shared: &Key, manifest: &Hash, roster: &Hash, sender: &Hash, receiver: &Hash) -> Key {
    let info = TaggedHash::new(labels::BOX_KEY)
        .bytes(manifest)
        .bytes(roster)
        .bytes(sender)
        .bytes(receiver)
        .finish();
    derive(roster, shared.as_ref(), &info)
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
        let end_a = End {
            index: 7,
            mask_key: a.public(),
            fingerprint: &fa,
        };
        let end_b = End {
            index: 2,
            mask_key: b.public(),
            fingerprint: &fb,
        };
        let shared = a.agree(b.public()).unwrap();
        let key = |m, n, r, x, y| {
            *Binding {
                manifest: m,
                model: n,
                roster: r,
            }
            .pair_key(&shared, x, y)
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
        assert_ne!(
            *box_key(&shared, &m, &r, &fa, &fb),
            *box_key(&shared, &m, &r, &fb, &fa)
        );
    }

    #[test]
    fn small_order_keys_give_nothing() {
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([2; 32]);
        let key = AgreementKey::random(&mut rng).unwrap();
        let mut one = [0u8; 32];
        one[0] = 1;
        for weak in [[0u8; 32], one] {
            assert!(key.agree(&weak).is_none());
            assert!(is_small_order(&weak));
        }
        assert!(!is_small_order(key.public()));
    }
}
