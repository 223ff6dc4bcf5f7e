use super::{RingBits, RingVector, Words, WordsMut};
use crate::error::AlgebraError;
use proptest::prelude::*;

fn ring(bits: u8) -> RingBits {
    RingBits::new(bits).unwrap()
}

/// The packing written as its definition: bit after bit.
fn pack_by_bits(bits: RingBits, values: &[i64]) -> Vec<u8> {
    let mut out = vec![0u8; (values.len() * usize::from(bits.get())).div_ceil(8)];
    let mut at = 0;
    for &value in values {
        for bit in 0..bits.get() {
            if value >> bit & 1 == 1 {
                out[at / 8] |= 1 << (at % 8);
            }
            at += 1;
        }
    }
    out
}

#[test]
fn bits_outside_the_range_are_refused() {
    for bits in 0..=u8::MAX {
        let expected = if (8..=62).contains(&bits) {
            Ok(bits)
        } else {
            Err(AlgebraError::RingBits(bits))
        };
        assert_eq!(RingBits::new(bits).map(RingBits::get), expected);
    }
    assert!(ring(32).is_narrow() && !ring(33).is_narrow());
    assert_eq!(ring(62).packed_len(usize::MAX), usize::MAX);
    assert_eq!(
        (
            ring(9).packed_len(0),
            ring(9).packed_len(1),
            ring(9).packed_len(8)
        ),
        (0, 2, 9)
    );
}

#[test]
fn every_width_and_length_packs_by_the_definition_and_back() {
    for bits in 8..=62 {
        let bits = ring(bits);
        for len in 0..40usize {
            let values: Vec<i64> = (0..len as i64)
                .map(|i| (i + 1).wrapping_mul(-7_046_029_254_386_353_131))
                .collect();
            let vector = RingVector::from_signed(bits, &values);
            let packed = vector.pack(0..len);
            assert_eq!(
                packed,
                pack_by_bits(bits, &values),
                "b = {}, {len} coordinates",
                bits.get()
            );
            let mut back = RingVector::zeros(bits, len);
            back.unpack_into(0, len, &packed).unwrap();
            assert_eq!(back.to_signed(), vector.to_signed());
        }
    }
}

#[test]
fn spare_bits_must_be_zero_one_by_one() {
    for bits in 8..=62 {
        for count in 1..=9usize {
            let mut vector = RingVector::zeros(ring(bits), count);
            let used = count * usize::from(bits);
            let packed = vec![0; used.div_ceil(8)];
            for spare in used..packed.len() * 8 {
                let mut bad = packed.clone();
                bad[spare / 8] |= 1 << (spare % 8);
                assert_eq!(vector.unpack_into(0, count, &bad), Err(AlgebraError::SpareBits));
            }
            let mut top = packed.clone();
            top[(used - 1) / 8] |= 1 << ((used - 1) % 8);
            assert_eq!(vector.unpack_into(0, count, &top), Ok(()));
            assert_eq!(vector.to_signed()[count - 1], -1 << (bits - 1));
        }
    }
}

#[test]
fn wrong_shapes_are_refused_and_change_nothing() {
    let bits = ring(20);
    let mut vector = RingVector::from_signed(bits, &[1, 2, 3]);
    let before = vector.clone();
    for (start, count) in [(0, 4), (3, 1), (usize::MAX, 2), (1, usize::MAX), (4, 0)] {
        assert_eq!(
            vector.unpack_into(start, count, &[0; 8]),
            Err(AlgebraError::OutOfRange { start, count, len: 3 })
        );
    }
    for got in [0, 4, 6, 8] {
        assert_eq!(
            vector.unpack_into(1, 2, &vec![0; got]),
            Err(AlgebraError::PackedLength { expected: 5, got })
        );
    }
    assert_eq!(vector.unpack_into(3, 0, &[]), Ok(()));
    assert_eq!(
        vector.add_assign(&RingVector::zeros(bits, 2)),
        Err(AlgebraError::LengthMismatch { left: 3, right: 2 })
    );
    for other in [21, 40] {
        assert_eq!(
            vector.sub_assign(&RingVector::zeros(ring(other), 3)),
            Err(AlgebraError::RingMismatch {
                left: 20,
                right: other
            })
        );
    }
    assert_eq!(vector, before);
}

#[test]
fn ranges_past_the_end_are_cut() {
    let vector = RingVector::from_signed(ring(12), &[5, 6, 7]);
    assert_eq!(vector.pack(2..9), vector.pack(2..3));
    assert!(vector.pack(7..9).is_empty());
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = vector.pack(2..1);
    assert!(reversed.is_empty());
}

#[test]
fn masks_may_wrap_in_the_full_word() {
    for bits in [9, 31, 32, 33, 62] {
        let bits = ring(bits);
        let plain = RingVector::from_signed(bits, &[-3, 4]);
        let mut dirty = plain.clone();
        match dirty.words_mut() {
            WordsMut::Narrow(words) => words.iter_mut().for_each(|w| *w |= !(bits.mask() as u32)),
            WordsMut::Wide(words) => words.iter_mut().for_each(|w| *w |= !bits.mask()),
        }
        // Every reader must look at the low b bits only.
        assert_eq!(dirty, plain);
        assert_eq!(dirty.to_signed(), vec![-3, 4]);
        assert_eq!(dirty.pack(0..2), plain.pack(0..2));
        dirty.reduce();
        match dirty.words_mut() {
            WordsMut::Narrow(words) => assert!(words.iter().all(|&w| u64::from(w) <= bits.mask())),
            WordsMut::Wide(words) => assert!(words.iter().all(|&w| w <= bits.mask())),
        }
    }
}

#[test]
fn equality_sees_one_changed_bit_and_debug_shows_none() {
    let vector = RingVector::from_signed(ring(40), &[1 << 39, 0]);
    assert_ne!(vector, RingVector::from_signed(ring(40), &[0, 0]));
    assert_ne!(RingVector::zeros(ring(9), 2), RingVector::zeros(ring(10), 2));
    assert_ne!(RingVector::zeros(ring(9), 2), RingVector::zeros(ring(9), 3));
    assert_eq!(format!("{vector:?}"), "RingVector { bits: 40, len: 2, .. }");
}

/// A ring, and vectors of one length over it.
fn vectors() -> impl Strategy<Value = (u8, Vec<(i64, i64)>)> {
    (8u8..=62, proptest::collection::vec(any::<(i64, i64)>(), 0..200))
}

proptest! {
    #[test]
    fn chunks_carry_a_vector_across((bits, values) in vectors(), chunk in 1usize..70) {
        let bits = ring(bits);
        let values: Vec<i64> = values.into_iter().map(|(a, _)| a).collect();
        let vector = RingVector::from_signed(bits, &values);
        let mut back = RingVector::zeros(bits, values.len());
        for start in (0..values.len()).step_by(chunk) {
            let bytes = vector.pack(start..start + chunk);
            let count = chunk.min(values.len() - start);
            prop_assert_eq!(bytes.len(), bits.packed_len(count));
            back.unpack_into(start, count, &bytes).unwrap();
        }
        prop_assert_eq!(back, vector);
    }

    #[test]
    fn arithmetic_is_that_of_the_integers_mod_two_to_the_b((bits, values) in vectors()) {
        let (left, right): (Vec<i64>, Vec<i64>) = values.into_iter().unzip();
        let modulus = 1i128 << bits;
        let centred = |value: i128| {
            let residue = value.rem_euclid(modulus);
            (if residue >= modulus / 2 { residue - modulus } else { residue }) as i64
        };
        let bits = ring(bits);
        let other = RingVector::from_signed(bits, &right);
        let mut sum = RingVector::from_signed(bits, &left);
        sum.add_assign(&other).unwrap();
        let expected: Vec<i64> =
            left.iter().zip(&right).map(|(&a, &b)| centred(i128::from(a) + i128::from(b))).collect();
        prop_assert_eq!(sum.to_signed(), expected);
        let mut difference = RingVector::from_signed(bits, &left);
        difference.sub_assign(&other).unwrap();
        let expected: Vec<i64> =
            left.iter().zip(&right).map(|(&a, &b)| centred(i128::from(a) - i128::from(b))).collect();
        prop_assert_eq!(difference.to_signed(), expected);
    }
}

#[test]
fn packed_coordinates_are_added_where_they_lie() {
    for bits in [8, 13, 24, 32, 33, 57, 58, 62] {
        let ring = RingBits::new(bits).unwrap();
        let values = |factor: i64| -> Vec<i64> { (0..200).map(|i| i * factor - 77).collect() };
        let (mut sum, other) = (
            RingVector::from_signed(ring, &values(12_345)),
            RingVector::from_signed(ring, &values(-99_991)),
        );
        let mut expected = sum.clone();
        expected.add_assign(&other).unwrap();
        let packed = other.pack(0..200);
        let add = |sum: &mut RingVector, bytes: &[u8]| sum.words_mut().add_packed(ring, bytes);
        add(&mut sum, &packed).unwrap();
        sum.reduce();
        assert_eq!(sum, expected, "b = {bits}");
        // A refused chunk changes nothing.
        let short = packed.len() - 1;
        assert!(matches!(
            add(&mut sum, &packed[..short]),
            Err(AlgebraError::PackedLength { .. })
        ));
        assert_eq!(sum, expected);
        assert_eq!(sum.signed(190).collect::<Vec<_>>(), sum.to_signed()[190..]);
        assert_eq!(sum.signed(201).count(), 0);
    }
}

#[test]
fn integers_become_coordinates_in_their_own_memory() {
    let values: Vec<i32> = (0..5000).map(|i| (i - 2500) * 77_777).collect();
    let signed: Vec<i64> = values.iter().map(|&value| i64::from(value)).collect();
    for bits in [32, 33, 40] {
        let ring = RingBits::new(bits).unwrap();
        let mut vector = RingVector::from_integers(ring, values.clone());
        vector.reduce();
        assert_eq!(vector, RingVector::from_signed(ring, &signed), "b = {bits}");
    }
    let at = values.as_ptr().addr();
    let vector = RingVector::from_integers(RingBits::new(20).unwrap(), values);
    let Words::Narrow(words) = vector.words() else {
        panic!("words of 32 bits hold b = 20");
    };
    assert_eq!(words.as_ptr().addr(), at, "copied");
}
