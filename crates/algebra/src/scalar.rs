//! One secret element of the scalar field of curve25519.

use core::fmt;

use curve25519_dalek::Scalar;
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::AlgebraError;

/// A secret integer mod l = 2^252 + 27742317777372353535851937790883648493.
///
/// Boxed, so that moving it leaves no copy behind, and wiped on drop. Neither `Clone` nor `Copy`; `Debug` prints
/// nothing; comparison takes constant time.
#[derive(ZeroizeOnDrop)]
pub struct SecretScalar(Box<Scalar>);

impl SecretScalar {
    /// A uniform scalar: 512 random bits mod l, off uniform by less than 2^-259.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut wide = Zeroizing::new([0u8; 64]);
        rng.fill_bytes(wide.as_mut_slice());
        Self::new(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// Decodes 32 little-endian bytes.
    ///
    /// # Errors
    /// [`AlgebraError::NonCanonicalScalar`] unless the integer is below l: each scalar has one encoding.
    pub fn from_canonical_bytes(bytes: &[u8; 32]) -> Result<Self, AlgebraError> {
        Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes))
            .map(Self::new)
            .ok_or(AlgebraError::NonCanonicalScalar)
    }

    /// The canonical encoding, 32 little-endian bytes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Whether both are equal, in constant time.
    pub fn ct_eq(&self, other: &Self) -> Choice {
        ConstantTimeEq::ct_eq(self.0.as_ref(), other.0.as_ref())
    }

    pub(crate) fn new(scalar: Scalar) -> Self {
        Self(Box::new(scalar))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl Zeroize for SecretScalar {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretScalar(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::SecretScalar;
    use crate::error::AlgebraError;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// The group order l, little-endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    fn with_byte(at: usize, value: u8) -> [u8; 32] {
        let mut bytes = ORDER;
        bytes[at] = value;
        bytes
    }

    #[test]
    fn only_integers_below_the_order_decode() {
        let below = with_byte(0, 0xec);
        assert_eq!(
            *SecretScalar::from_canonical_bytes(&below).unwrap().to_bytes(),
            below
        );
        for refused in [ORDER, with_byte(0, 0xee), [0xff; 32]] {
            assert_eq!(
                SecretScalar::from_canonical_bytes(&refused).unwrap_err(),
                AlgebraError::NonCanonicalScalar
            );
        }
    }

    #[test]
    fn every_top_byte() {
        for top in 0..=u8::MAX {
            // The order itself in the lower bytes: canonical below the order's own top byte only.
            assert_eq!(
                SecretScalar::from_canonical_bytes(&with_byte(31, top)).is_ok(),
                top < 0x10,
                "top byte {top}"
            );
            // Nothing but a top byte: 0x10 is 2^252, still below the order.
            let mut alone = [0; 32];
            alone[31] = top;
            assert_eq!(
                SecretScalar::from_canonical_bytes(&alone).is_ok(),
                top <= 0x10,
                "lone top byte {top}"
            );
        }
    }

    #[test]
    fn random_scalars_are_canonical_and_differ() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (a, b) = (SecretScalar::random(&mut rng), SecretScalar::random(&mut rng));
        assert!(!bool::from(a.ct_eq(&b)));
        let again = SecretScalar::from_canonical_bytes(&a.to_bytes()).unwrap();
        assert!(bool::from(a.ct_eq(&again)));
    }

    #[test]
    fn debug_prints_no_secret() {
        let scalar = SecretScalar::random(&mut ChaCha20Rng::seed_from_u64(2));
        assert_eq!(format!("{scalar:?}"), "SecretScalar(..)");
    }
}
