//! What a certified bound adds where the lattice, the window or the transform end.

use super::*;

/// Losses of -1, 0 and 1 steps.
fn law(count: u64) -> StepLaw {
    StepLaw {
        first: -1,
        masses: vec![0.2, 0.5, 0.3],
        infinite: 0.0,
        moved: 0.0,
        drift: Drift::default(),
        loss_slack: 0.0,
        count,
    }
}

/// A window with nothing in it but the error of its values.
fn empty(values: &[f64], error: f64) -> TailSums<'_> {
    TailSums {
        values,
        start: -8,
        end: 7,
        step: 0.25,
        tilt: 2.0,
        total: 0.0,
        error,
    }
}

/// The epsilon from which on the window knows nothing.
const BELOW: f64 = -9.0 * 0.25;

/// Failure: transforms a little above 1 in magnitude are raised to the power of many releases, and the error of the convolution is
/// stated as if they were not.
#[test]
fn the_error_grows_with_the_power_of_what_is_transformed() {
    let length = 256;
    let error = |count: u64, excess: f64| {
        let law = law(count);
        let kappa = law.cumulant(1.0, 0.5);
        let (values, error) = convolve(&[law], &[kappa - excess], (1.0, 0.5), length).unwrap();
        (values.iter().sum::<f64>(), error)
    };
    let (mass, exact) = error(100, 0.0);
    assert!((mass - 1.0).abs() < 1e-12, "{mass}");
    for excess in [0.01, 0.05, 0.1] {
        // e^(100 excess) times as much mass, known no better.
        let (mass, stated) = error(100, excess);
        let growth = (100.0 * excess).exp();
        assert!((mass / growth - 1.0).abs() < 1e-9, "{mass}");
        assert!(stated >= exact * growth, "{stated} {exact} {growth}");
    }
    // For the most releases there are, the roundings of a transform alone come near a thousandth.
    let many = convolve(&[law(10_000_000)], &[0.0], (0.0, 0.5), 1 << 18)
        .unwrap()
        .1;
    let norm = (0.2f64 * 0.2 + 0.25 + 0.09).sqrt();
    let linear = (1e7 * (TRANSFORM * UNIT * 18.0 + 8.0 * UNIT) + TRANSFORM * UNIT * 18.0) * norm;
    assert!(
        many > linear * (1.0 + 1e-4) && many < linear * 1.1,
        "{many} {linear}"
    );
}

/// Failure: at an epsilon below the window mass that may be missing there counts as if it lay at the window's edge, where it weighs less.
#[test]
fn missing_mass_weighs_more_below_the_window() {
    let values = [0.0; 16];
    let sums = empty(&values, 1e-9);
    let edge = sums.delta_at(0.0, BELOW, 1.0);
    assert!(edge > 0.0);
    for deeper in [0.5, 1.0, 4.0] {
        let found = sums.delta_at(0.0, BELOW - deeper, 1.0);
        let least = edge * (sums.tilt * deeper).exp();
        assert!(found >= least * (1.0 - 1e-9), "{deeper}: {found} {least}");
        // Taken off, it leaves nothing.
        assert_eq!(sums.delta_at(0.0, BELOW - deeper, -1.0), 0.0);
    }
}

/// Failure: where delta is small enough in the whole window, the answer lies below it, of which nothing is known.
#[test]
fn an_upper_bound_does_not_leave_the_window() {
    let values = [0.0; 16];
    let sums = empty(&values, 1e-12);
    // Met at every label: the upper bound stays at the last point that was looked at.
    assert_eq!(sums.crossing(0.0, 1.0, 1.0, -1e9), BELOW);
    // A lower bound may claim nothing.
    assert_eq!(sums.crossing(0.0, 1.0, -1.0, -1e9), -1e9);
    // Met at none: there is no bound.
    assert_eq!(sums.crossing(0.0, 1e-300, 1.0, -1e9), f64::INFINITY);
}
