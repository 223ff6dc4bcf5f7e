use super::{Interpolator, split};
use crate::error::AlgebraError;
use crate::scalar::SecretScalar;
use curve25519_dalek::Scalar;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn plain(scalar: &SecretScalar) -> Scalar {
    Scalar::from_canonical_bytes(*scalar.to_bytes()).unwrap()
}

/// Distinct non-zero abscissae, and a threshold for them.
fn sharings() -> impl Strategy<Value = (Vec<u16>, usize, u64)> {
    (
        proptest::collection::hash_set(1u16.., 2..60),
        any::<prop::sample::Index>(),
        any::<u64>(),
    )
        .prop_map(|(abscissae, threshold, seed)| {
            let abscissae: Vec<u16> = abscissae.into_iter().collect();
            let threshold = 2 + threshold.index(abscissae.len() - 1);
            (abscissae, threshold, seed)
        })
}

#[test]
fn bad_arguments_are_named() {
    let mut rng = rng(1);
    let secret = SecretScalar::random(&mut rng);
    let mut refuse =
        |threshold, abscissae: &[u16]| split(&secret, threshold, abscissae, &mut rng).unwrap_err();
    assert_eq!(refuse(2, &[1, 0, 3]), AlgebraError::ZeroAbscissa);
    assert_eq!(refuse(2, &[7, 1, 7]), AlgebraError::DuplicateAbscissa(7));
    for threshold in [0, 1, 4] {
        assert_eq!(
            refuse(threshold, &[1, 2, 3]),
            AlgebraError::Threshold {
                threshold,
                holders: 3
            }
        );
    }
    assert_eq!(Interpolator::new(&[]).err(), Some(AlgebraError::NoAbscissae));
    assert_eq!(Interpolator::new(&[0]).err(), Some(AlgebraError::ZeroAbscissa));
    assert_eq!(
        Interpolator::new(&[5, 9, 5]).err(),
        Some(AlgebraError::DuplicateAbscissa(5))
    );
    let interpolator = Interpolator::new(&[1, 2, 3]).unwrap();
    assert_eq!(
        interpolator.reconstruct(&[&secret, &secret]).unwrap_err(),
        AlgebraError::ShareCount { needed: 3, given: 2 }
    );
    assert_eq!(
        interpolator.reconstruct(&[&secret; 4]).unwrap_err(),
        AlgebraError::ShareCount { needed: 3, given: 4 }
    );
}

#[test]
fn extreme_abscissae_and_a_large_sharing() {
    let mut rng = rng(2);
    let secret = SecretScalar::random(&mut rng);
    let abscissae: Vec<u16> = (u16::MAX - 299..=u16::MAX).collect();
    let shares = split(&secret, 263, &abscissae, &mut rng).unwrap();
    let interpolator = Interpolator::new(&abscissae[37..]).unwrap();
    let used: Vec<&SecretScalar> = shares[37..].iter().collect();
    assert!(bool::from(
        interpolator.reconstruct(&used).unwrap().ct_eq(&secret)
    ));
}

#[test]
fn fewer_values_fit_every_secret() {
    // With one value less than the threshold there is a consistent polynomial for any secret whatever: pick one,
    // interpolate the missing value at x = 4 from (0, other) and the two known values, and it reconstructs.
    let mut rng = rng(3);
    let secret = SecretScalar::random(&mut rng);
    let other = SecretScalar::random(&mut rng);
    let shares = split(&secret, 3, &[1, 2, 3], &mut rng).unwrap();
    let at = |x: i64| {
        if x < 0 {
            -Scalar::from(x.unsigned_abs())
        } else {
            Scalar::from(x.unsigned_abs())
        }
    };
    let points = [(0, plain(&other)), (1, plain(&shares[0])), (2, plain(&shares[1]))];
    let mut missing = Scalar::ZERO;
    for (x, y) in points {
        let weight = points
            .iter()
            .filter(|(z, _)| *z != x)
            .fold(Scalar::ONE, |w, (z, _)| w * at(4 - z) * at(x - z).invert());
        missing += y * weight;
    }
    let missing = SecretScalar::new(missing);
    let found = Interpolator::new(&[1, 2, 4])
        .unwrap()
        .reconstruct(&[&shares[0], &shares[1], &missing])
        .unwrap();
    assert!(bool::from(found.ct_eq(&other)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_are_those_of_the_polynomial((abscissae, threshold, seed) in sharings()) {
        let secret = SecretScalar::random(&mut rng(!seed));
        let shares = split(&secret, threshold, &abscissae, &mut rng(seed)).unwrap();
        // The same coefficients, highest degree first, evaluated by plain field arithmetic.
        let mut source = rng(seed);
        let mut coefficients: Vec<Scalar> =
            (1..threshold).map(|_| plain(&SecretScalar::random(&mut source))).collect();
        coefficients.push(plain(&secret));
        for (&x, share) in abscissae.iter().zip(&shares) {
            let expected = coefficients.iter().fold(Scalar::ZERO, |value, c| value * Scalar::from(x) + c);
            prop_assert_eq!(plain(share), expected);
        }
    }

    #[test]
    fn any_threshold_of_the_holders_reconstruct_and_one_less_do_not(
        (abscissae, threshold, seed) in sharings(),
        order in any::<u64>(),
    ) {
        use rand::seq::SliceRandom;
        let mut rng = rng(seed);
        let secret = SecretScalar::random(&mut rng);
        let shares = split(&secret, threshold, &abscissae, &mut rng).unwrap();
        let mut chosen: Vec<usize> = (0..abscissae.len()).collect();
        chosen.shuffle(&mut super::tests::rng(order));
        for count in [threshold - 1, threshold, abscissae.len()] {
            let points: Vec<u16> = chosen[..count].iter().map(|&i| abscissae[i]).collect();
            let values: Vec<&SecretScalar> = chosen[..count].iter().map(|&i| &shares[i]).collect();
            let found = Interpolator::new(&points).unwrap().reconstruct(&values).unwrap();
            prop_assert_eq!(bool::from(found.ct_eq(&secret)), count >= threshold);
        }
    }
}
