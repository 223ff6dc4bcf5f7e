//! A 512-bit accumulator that postpones reduction mod l while its headroom lasts.
//!
//! A product mod l costs about 140 ns, multiplying by an integer of a few bits and adding about 5. When the headroom
//! runs out the value is folded once instead of being reduced, which makes room for 125 bits at the price of ten word
//! products. How much headroom is left depends on public sizes alone (bit lengths of abscissae, number of terms), never
//! on a secret, and every step touches all eight words.

use curve25519_dalek::Scalar;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// A scalar, or any integer below 2^253, as little-endian words.
pub(crate) type Limbs = [u64; 4];

/// Bits of a reduced value: l < 2^253.
const REDUCED_BITS: u32 = 253;
/// Bits of a folded value.
const FOLDED_BITS: u32 = 387;
/// delta = l - 2^252.
const DELTA: [u64; 2] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6];
/// 2^133 l.
const LIFT: [u64; 7] = [
    0,
    0,
    DELTA[0] << 5,
    DELTA[1] << 5 | DELTA[0] >> 59,
    DELTA[1] >> 59,
    0,
    1 << (252 + 133 - 6 * 64),
];
/// Products of two reduced values (below 2^506) that, on top of a folded value, stay below 2^512.
const PRODUCTS: usize = 32;

/// The words of a canonical encoding.
pub(crate) fn limbs(bytes: &[u8; 32]) -> Limbs {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*chunk);
    }
    limbs
}

/// An integer below 2^`bits`, `bits` <= 512.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Wide {
    limbs: [u64; 8],
    #[zeroize(skip)]
    bits: u32,
}

impl Wide {
    pub(crate) fn zero() -> Self {
        Self {
            limbs: [0; 8],
            bits: REDUCED_BITS,
        }
    }

    pub(crate) fn one() -> Self {
        let mut one = Self::zero();
        one.limbs[0] = 1;
        one
    }

    /// `self = self * factor` mod l, for `factor` < 2^`factor_bits`.
    pub(crate) fn mul(&mut self, factor: u64, factor_bits: u32) {
        self.make_room(factor_bits);
        let mut carry = 0u128;
        for limb in &mut self.limbs {
            // (2^64-1)^2 + 2^64-1 < 2^128: no overflow.
            carry = u128::from(*limb)
                .wrapping_mul(u128::from(factor))
                .wrapping_add(carry);
            *limb = carry as u64;
            carry >>= 64;
        }
    }

    /// Horner's rule: for each coefficient in turn, `self = self * x + coefficient` mod l, for reduced coefficients.
    pub(crate) fn horner(&mut self, x: u16, coefficients: &[Limbs]) {
        let growth = (u16::BITS - x.leading_zeros()).max(1);
        let mut rest = coefficients;
        while !rest.is_empty() {
            if self.bits + growth > 512 {
                self.fold();
            }
            let room = ((512 - self.bits) / growth) as usize;
            let (block, after) = rest.split_at(room.min(rest.len()));
            // The value is at most 2^bits - 1 with bits >= 253, x at most 2^growth - 1 and a coefficient below 2^253:
            // each step stays below 2^(bits + growth).
            horner_block(&mut self.limbs, u64::from(x), block);
            self.bits += growth * block.len() as u32;
            rest = after;
        }
    }

    /// Accounts for `growth` more bits, folding first if they would not fit.
    #[inline(always)]
    fn make_room(&mut self, growth: u32) {
        if self.bits + growth > 512 {
            self.fold();
        }
        self.bits += growth;
    }

    /// The sum of products of reduced pairs, mod l.
    pub(crate) fn inner_product<'a>(pairs: impl ExactSizeIterator<Item = (&'a Limbs, Limbs)>) -> Scalar {
        let mut sum = Self::zero();
        for (i, (left, right)) in pairs.enumerate() {
            if i > 0 && i % PRODUCTS == 0 {
                sum.fold();
            }
            let right = Zeroizing::new(right);
            sum.add_product(left, &right);
        }
        sum.to_scalar()
    }

    fn add_product(&mut self, left: &Limbs, right: &Limbs) {
        self.bits = 512;
        for (i, &factor) in left.iter().enumerate() {
            let mut carry = 0u128;
            for (j, limb) in self.limbs.iter_mut().enumerate().skip(i) {
                let other = if j < i + 4 { right[j - i] } else { 0 };
                carry = u128::from(factor)
                    .wrapping_mul(u128::from(other))
                    .wrapping_add(u128::from(*limb))
                    .wrapping_add(carry);
                *limb = carry as u64;
                carry >>= 64;
            }
        }
    }

    /// Subtracts a multiple of l that brings the value below 2^387.
    ///
    /// With l = 2^252 + delta, h 2^252 + r = r - h delta mod l. Below 2^512, h is below 2^260 and h delta below 2^385, so
    /// that 2^133 l, a multiple of l, keeps the difference positive: less than 2^252 + 2^386 in all.
    fn fold(&mut self) {
        let [a, b, c, d, e, f, g, h] = self.limbs;
        let high = [
            d >> 60 | e << 4,
            e >> 60 | f << 4,
            f >> 60 | g << 4,
            g >> 60 | h << 4,
            h >> 60,
        ];
        let low = [a, b, c, d & (u64::MAX >> 4), 0, 0, 0];
        let mut product = [0u64; 7];
        for (i, &factor) in DELTA.iter().enumerate() {
            let mut carry = 0u128;
            for (j, &limb) in high.iter().enumerate() {
                carry = carry
                    .wrapping_add(u128::from(limb).wrapping_mul(u128::from(factor)))
                    .wrapping_add(u128::from(product[i + j]));
                product[i + j] = carry as u64;
                carry >>= 64;
            }
            product[i + 5] = carry as u64;
        }
        // Neither the sum overflows seven words nor the difference goes below zero; what is carried in between is signed.
        let mut carry = 0i128;
        for i in 0..7 {
            carry = carry
                .wrapping_add(i128::from(low[i]))
                .wrapping_add(i128::from(LIFT[i]))
                .wrapping_sub(i128::from(product[i]));
            self.limbs[i] = carry as u64;
            carry >>= 64;
        }
        self.limbs[7] = 0;
        self.bits = FOLDED_BITS;
    }

    /// The value mod l.
    pub(crate) fn to_scalar(&self) -> Scalar {
        let mut bytes = Zeroizing::new([0u8; 64]);
        for (chunk, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.limbs) {
            *chunk = limb.to_le_bytes();
        }
        Scalar::from_bytes_mod_order_wide(&bytes)
    }
}

/// The steps of Horner's rule without any reduction; the caller has seen to the headroom.
#[inline(never)]
fn horner_block(limbs: &mut [u64; 8], x: u64, coefficients: &[Limbs]) {
    // A local array, so that the words stay in registers across steps.
    let mut value = *limbs;
    for coefficient in coefficients {
        let mut carry = 0u128;
        for (i, limb) in value.iter_mut().enumerate() {
            let add = if i < 4 { coefficient[i] } else { 0 };
            // (2^64-1)^2 + 2 (2^64-1) = 2^128 - 1: no overflow.
            carry = u128::from(*limb)
                .wrapping_mul(u128::from(x))
                .wrapping_add(u128::from(add))
                .wrapping_add(carry);
            *limb = carry as u64;
            carry >>= 64;
        }
    }
    *limbs = value;
}

#[cfg(test)]
mod tests {
    use super::{Limbs, Wide, limbs};
    use curve25519_dalek::Scalar;

    /// l - 1, the largest reduced value, drives every bound to its edge.
    fn largest() -> (Scalar, Limbs) {
        let scalar = -Scalar::ONE;
        (scalar, limbs(scalar.as_bytes()))
    }

    #[test]
    fn horner_agrees_at_the_edge_of_the_headroom() {
        let (scalar, words) = largest();
        for x in [1u16, 2, 3, 100, 255, 256, 4_095, 65_535] {
            let mut plain = Scalar::ZERO;
            for steps in 1..300 {
                plain = plain * Scalar::from(x) + scalar;
                let mut lazy = Wide::zero();
                lazy.horner(x, &vec![words; steps]);
                assert_eq!(lazy.to_scalar(), plain, "x {x}, {steps} steps");
            }
        }
    }

    #[test]
    fn mul_agrees_at_the_edge_of_the_headroom() {
        for factor in [1u64, 2, 65_535, u64::from(u32::MAX), u64::MAX] {
            let mut lazy = Wide::one();
            let mut plain = Scalar::ONE;
            for step in 0..1_000 {
                lazy.mul(factor, 64 - factor.leading_zeros());
                plain *= Scalar::from(factor);
                assert_eq!(lazy.to_scalar(), plain, "factor {factor}, step {step}");
            }
        }
    }

    #[test]
    fn folding_keeps_the_residue_and_stays_within_its_bits() {
        let mut value = Wide {
            limbs: [u64::MAX; 8],
            bits: 512,
        };
        for step in 0..2_000u64 {
            let before = value.to_scalar();
            value.fold();
            assert_eq!(value.to_scalar(), before, "step {step}");
            assert!(
                value.limbs[7] == 0 && value.limbs[6] < 8,
                "step {step}: below 2^387"
            );
            // Other words each time, the extremes among them; the top word always large.
            for (i, limb) in value.limbs.iter_mut().enumerate() {
                let mixed = limb
                    .rotate_left(17)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .wrapping_add(step + i as u64);
                *limb = match mixed % 5 {
                    0 => 0,
                    1 => u64::MAX,
                    _ => mixed,
                };
            }
            value.limbs[7] |= 1 << 63;
        }
    }

    #[test]
    fn inner_product_agrees_for_every_length_around_a_reduction() {
        let (scalar, words) = largest();
        for terms in [0u64, 1, 31, 32, 33, 63, 64, 65, 96, 97, 1_000] {
            let left = vec![words; terms as usize];
            let lazy = Wide::inner_product(left.iter().map(|left| (left, words)));
            assert_eq!(lazy, Scalar::from(terms) * scalar * scalar, "{terms} terms");
        }
    }
}
