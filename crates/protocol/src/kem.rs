//! ML-KEM-768 (FIPS 203) beside every X25519 key, so that masks and boxes recorded today stay closed to whoever computes
//! discrete logarithms one day (spec 02 sections 3.2 to 3.6).
//!
//! Randomness is always an argument: mask keys and mask encapsulations are derived from the mask secret, so that whoever
//! rebuilds a drop-out's secret computes its key and its ciphertexts again and compares; share keys never are, so that a
//! rebuilt secret opens no box.

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PublicKey};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::Key;
use crate::refusal::Misuse;

/// Bytes of an encapsulation key.
pub const KEM_KEY: usize = 1184;
/// Bytes of a ciphertext.
pub const KEM_CIPHERTEXT: usize = 1088;
/// Bytes of d || z.
pub const KEM_SEED: usize = 64;

/// How the two ends of a pair agree on secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAgreement {
    /// X25519 alone.
    Classical,
    /// X25519 and ML-KEM-768; the secrets of both go into every derived key.
    Hybrid,
}

impl KeyAgreement {
    /// From the manifest's field.
    #[must_use]
    pub const fn from_field(field: u8) -> Option<Self> {
        match field {
            0 => Some(Self::Classical),
            1 => Some(Self::Hybrid),
            _ => None,
        }
    }

    /// The manifest's field.
    #[must_use]
    pub const fn field(self) -> u8 {
        match self {
            Self::Classical => 0,
            Self::Hybrid => 1,
        }
    }

    /// Bytes that a share ciphertext must have.
    pub(crate) const fn ciphertext_length(self) -> usize {
        match self {
            Self::Classical => 0,
            Self::Hybrid => KEM_CIPHERTEXT,
        }
    }

    /// Bytes that the mask ciphertext from one end to the other must have: only the smaller fingerprint encapsulates.
    pub(crate) fn mask_ciphertext_length(self, from: &[u8; 32], to: &[u8; 32]) -> usize {
        if from < to { self.ciphertext_length() } else { 0 }
    }
}

/// A key pair of one client in one round, or nothing in a round without.
pub struct KemPair(Option<Pair>);

struct Pair {
    private: Private,
    public: Vec<u8>,
}

/// The private key with its matrix expanded: a client decapsulates under one key dozens of times a round, which takes 10 us
/// each where a packed key takes 24. Boxed: a moved key leaves its bytes behind, and states move.
enum Private {
    #[cfg(target_arch = "x86_64")]
    Avx2(Box<mlkem768::avx2::unpacked::MlKem768KeyPairUnpacked>),
    #[cfg(target_arch = "aarch64")]
    Neon(Box<mlkem768::neon::unpacked::MlKem768KeyPairUnpacked>),
    Portable(Box<mlkem768::portable::unpacked::MlKem768KeyPairUnpacked>),
}

/// The seed of a key pair, wiped on drop. The library takes seeds and randomness by value, wipes nothing, and offers no other
/// way: each call leaves the copy that it was given, until the stack is used again.
type Seed = Zeroizing<[u8; KEM_SEED]>;

impl Private {
    fn from_seed(seed: &Seed) -> (Self, MlKem768PublicKey) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            use mlkem768::avx2::unpacked as with;
            let mut pair = Box::new(with::init_key_pair());
            with::generate_key_pair_mut(**seed, &mut pair);
            let public = with::key_pair_serialized_public_key(&pair);
            return (Self::Avx2(pair), public);
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            use mlkem768::neon::unpacked as with;
            let mut pair = Box::new(with::init_key_pair());
            with::generate_key_pair_mut(**seed, &mut pair);
            let public = with::key_pair_serialized_public_key(&pair);
            return (Self::Neon(pair), public);
        }
        Self::portable(seed)
    }

    fn portable(seed: &Seed) -> (Self, MlKem768PublicKey) {
        use mlkem768::portable::unpacked as with;
        let mut pair = Box::new(with::init_key_pair());
        with::generate_key_pair_mut(**seed, &mut pair);
        let public = with::key_pair_serialized_public_key(&pair);
        (Self::Portable(pair), public)
    }

    fn decapsulate(&self, ciphertext: &MlKem768Ciphertext) -> Key {
        Zeroizing::new(match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(pair) => mlkem768::avx2::unpacked::decapsulate(pair, ciphertext),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(pair) => mlkem768::neon::unpacked::decapsulate(pair, ciphertext),
            Self::Portable(pair) => mlkem768::portable::unpacked::decapsulate(pair, ciphertext),
        })
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // The crate shows no bytes of an expanded key: an empty one goes over it, and is looked at, so that writing it is
        // not left out.
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(pair) => {
                **pair = mlkem768::avx2::unpacked::init_key_pair();
                std::hint::black_box(pair);
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon(pair) => {
                **pair = mlkem768::neon::unpacked::init_key_pair();
                std::hint::black_box(pair);
            }
            Self::Portable(pair) => {
                **pair = mlkem768::portable::unpacked::init_key_pair();
                std::hint::black_box(pair);
            }
        }
    }
}

impl KemPair {
    /// No pair.
    pub fn none() -> Self {
        Self(None)
    }

    /// KeyGen_internal (FIPS 203 algorithm 16) of d || z.
    pub fn from_seed(seed: &Zeroizing<[u8; KEM_SEED]>) -> Self {
        let (private, public) = Private::from_seed(seed);
        let public = public.as_slice().to_vec();
        Self(Some(Pair { private, public }))
    }

    /// A fresh pair.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; KEM_SEED]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The encapsulation key; empty without a pair.
    pub fn public(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |pair| &pair.public)
    }

    /// The secret behind a ciphertext: `None` if it is of the wrong length, a secret of no use to anybody if it was not
    /// made for this key (implicit rejection). Without a pair, the empty secret of the empty ciphertext.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Option<KemSecret> {
        match &self.0 {
            None => ciphertext.is_empty().then(KemSecret::none),
            Some(pair) => {
                let ciphertext = MlKem768Ciphertext::try_from(ciphertext).ok()?;
                let secret = pair.private.decapsulate(&ciphertext);
                Some(KemSecret::of(secret.as_slice()))
            }
        }
    }
}

/// The secret of one encapsulation, 32 bytes, or none in a round without.
pub struct KemSecret(Zeroizing<Vec<u8>>);

impl KemSecret {
    pub(crate) fn none() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The X25519 secret, then this one: the input of the derivation.
    pub(crate) fn behind(&self, shared: &Key) -> Zeroizing<Vec<u8>> {
        let mut both = Zeroizing::new(Vec::with_capacity(64));
        both.extend_from_slice(shared.as_ref());
        both.extend_from_slice(&self.0);
        both
    }
}

/// Encaps_internal (FIPS 203 algorithm 17): ciphertext and secret for a peer's key, from `randomness`.
///
/// # Errors
/// [`Misuse::Key`] for a key that is not valid (FIPS 203 section 7.2); keys are checked when they are advertised.
pub fn encapsulate(key: &[u8], randomness: &Key) -> Result<(Vec<u8>, KemSecret), Misuse> {
    let key = checked(key).ok_or(Misuse::Key)?;
    let (ciphertext, mut secret) = mlkem768::encapsulate(&key, **randomness);
    let kept = KemSecret::of(&secret);
    secret.zeroize();
    Ok((ciphertext.as_slice().to_vec(), kept))
}

/// Whether bytes are an encapsulation key of the length that the round asks for, with every coefficient reduced (FIPS 203
/// section 7.2).
pub(crate) fn is_valid(key: &[u8], agreement: KeyAgreement) -> bool {
    match agreement {
        KeyAgreement::Classical => key.is_empty(),
        KeyAgreement::Hybrid => checked(key).is_some(),
    }
}

fn checked(key: &[u8]) -> Option<MlKem768PublicKey> {
    let key = MlKem768PublicKey::try_from(key).ok()?;
    mlkem768::validate_public_key(&key).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: u8) -> KemPair {
        KemPair::from_seed(&Zeroizing::new([seed; KEM_SEED]))
    }

    #[test]
    fn both_ends_agree_and_a_foreign_ciphertext_agrees_with_nobody() {
        let (a, b) = (pair(1), pair(2));
        let randomness = Zeroizing::new([3; 32]);
        let (ciphertext, secret) = encapsulate(a.public(), &randomness).unwrap();
        assert_eq!((a.public().len(), ciphertext.len()), (KEM_KEY, KEM_CIPHERTEXT));
        assert_eq!(*a.decapsulate(&ciphertext).unwrap().0, *secret.0);
        assert_ne!(*b.decapsulate(&ciphertext).unwrap().0, *secret.0);
        let mut changed = ciphertext.clone();
        changed[7] ^= 1;
        assert_ne!(*a.decapsulate(&changed).unwrap().0, *secret.0);
        assert!(a.decapsulate(&ciphertext[1..]).is_none());
        assert!(a.decapsulate(&[]).is_none());
        // The same randomness gives the same bytes, other randomness others: recovery depends on it.
        assert_eq!(encapsulate(a.public(), &randomness).unwrap().0, ciphertext);
        let other = encapsulate(a.public(), &Zeroizing::new([4; 32])).unwrap();
        assert_ne!(other.0, ciphertext);
    }

    /// What runs where the processor has no vector unit gives the same keys and secrets.
    #[test]
    fn the_portable_code_agrees() {
        let (private, public) = Private::portable(&Zeroizing::new([1; KEM_SEED]));
        let fast = pair(1);
        assert_eq!(public.as_slice().as_slice(), fast.public());
        let (ciphertext, secret) = encapsulate(fast.public(), &Zeroizing::new([3; 32])).unwrap();
        let ciphertext = MlKem768Ciphertext::try_from(ciphertext.as_slice()).unwrap();
        assert_eq!(private.decapsulate(&ciphertext).as_slice(), secret.0.as_slice());
    }

    #[test]
    fn keys_are_checked_for_length_and_modulus() {
        let key = pair(5).public().to_vec();
        assert!(is_valid(&key, KeyAgreement::Hybrid));
        assert!(!is_valid(&key[1..], KeyAgreement::Hybrid));
        assert!(!is_valid(&[], KeyAgreement::Hybrid));
        // A coefficient of 4095 is not reduced modulo 3329.
        let mut unreduced = key.clone();
        (unreduced[0], unreduced[1]) = (0xff, unreduced[1] | 0x0f);
        assert!(!is_valid(&unreduced, KeyAgreement::Hybrid));
        assert!(encapsulate(&unreduced, &Zeroizing::new([0; 32])).is_err());
        assert!(is_valid(&[], KeyAgreement::Classical));
        assert!(!is_valid(&key, KeyAgreement::Classical));
    }

    #[test]
    fn a_round_without_has_nothing_of_it() {
        let none = KemPair::none();
        assert!(none.public().is_empty());
        let secret = none.decapsulate(&[]).unwrap();
        assert_eq!(*secret.behind(&Zeroizing::new([9; 32])), [9; 32]);
        assert!(none.decapsulate(&[0; KEM_CIPHERTEXT]).is_none());
    }
}
