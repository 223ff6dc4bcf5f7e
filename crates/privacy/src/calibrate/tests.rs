//! Plans meet their target exactly, waste little, and refuse what cannot be.

use super::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn request() -> PlanRequest {
    PlanRequest {
        noise_levels: Vec::new(),
        mechanism: Mechanism::Skellam,
        records: None,
        epsilon: Some(d("8")),
        delta: d("0.00001"),
        rounds: 40,
        clients: 100,
        minimum_survivors: 80,
        colluders: 5,
        dimension: 12_345,
        block: None,
        clip: d("1.5"),
    }
}

#[test]
fn a_plan_meets_its_target_and_no_smaller_share_does() {
    let plan = Plan::calibrate(request()).unwrap();
    let epsilon = plan.epsilon_planned().unwrap();
    assert!(epsilon <= d("8") && epsilon > d("7.99"), "{epsilon}");
    let budget = Budget {
        epsilon: d("8"),
        delta: d("0.00001"),
    };
    let mut filter = BudgetFilter::new(budget).unwrap();
    assert_eq!(filter.rounds_left(&plan.release().unwrap()), 40);
    for _ in 0..40 {
        let ticket = filter.reserve(plan.release().unwrap()).unwrap();
        filter.commit(ticket).unwrap();
    }
    assert!(filter.reserve(plan.release().unwrap()).is_err());
    // One unit of variance less and the last round no longer fits.
    let Some(Release::Skellam(mut short)) = plan.release() else {
        panic!("a plan with noise releases Skellam")
    };
    assert_eq!((short.honest_shares, short.shares), (75, 100));
    short.share_variance_q16 -= 1;
    assert!(
        BudgetFilter::new(budget)
            .unwrap()
            .rounds_left(&Release::Skellam(short))
            < 40
    );
}

#[test]
fn noise_is_close_to_that_of_a_continuous_gaussian() {
    // Zero-concentrated bound for T Gaussian rounds: the same translation with r(a) = a T / (2 z^2).
    let plan = Plan::calibrate(request()).unwrap();
    let z = plan.noise_multiplier();
    let gaussian = (2..=128u32)
        .map(|a| {
            let (a, delta) = (f64::from(a), 1e-5f64);
            a * 40.0 / (2.0 * z * z) + (-1.0 / a).ln_1p() - (delta.ln() + a.ln()) / (a - 1.0)
        })
        .fold(f64::INFINITY, f64::min);
    // Rounding inflates the squared sensitivity by under 1 %, hence epsilon by little more.
    assert!(gaussian < 8.0 && gaussian > 8.0 * 0.985, "{gaussian}");
    let encoding = plan.encoding();
    let inflation = encoding.squared_l2_sensitivity() as f64 / f64::from(encoding.grid()).powi(2);
    assert!(inflation < 1.01, "{inflation}");
}

#[test]
fn views_differ_by_the_shares_they_know() {
    let plan = Plan::calibrate(request()).unwrap();
    let server = plan
        .epsilon_for(Adversary::Server { colluders: 5 })
        .unwrap()
        .unwrap();
    let public = plan.epsilon_for(Adversary::Public).unwrap().unwrap();
    assert!(public < server);
    assert_eq!(Some(server), plan.epsilon_planned());
    let mut more = request();
    more.colluders = 40;
    assert!(Plan::calibrate(more).unwrap().noise_multiplier() < plan.noise_multiplier() * 1.01);
    // The guaranteed sum needs the same noise, so each of the fewer honest shares is larger.
    let mut half = request();
    half.colluders = 40;
    let half = Plan::calibrate(half).unwrap();
    let ratio = half.noise_share().variance_q16() as f64 / plan.noise_share().variance_q16() as f64;
    assert!((ratio - 75.0 / 40.0).abs() < 0.02, "{ratio}");
}

#[test]
fn wide_sums_get_a_coarser_grid_before_a_wider_ring() {
    let mut large = request();
    large.dimension = 1 << 24;
    large.clients = 100_000;
    large.minimum_survivors = 80_000;
    let plan = Plan::calibrate(large.clone()).unwrap();
    // 100,000 x 8 x 4,096 would take 33 bits.
    assert_eq!((plan.bits().get(), plan.encoding().grid()), (32, 4 * 4096));
    // Nothing narrow exists here; the finest grid is kept and the ring widened.
    large.dimension = 1 << 26;
    large.epsilon = None;
    let plan = Plan::calibrate(large).unwrap();
    assert_eq!((plan.bits().get(), plan.encoding().grid()), (36, 32 * 8192));
}

#[test]
fn without_epsilon_there_is_no_noise_and_a_fine_grid() {
    let mut bare = request();
    bare.epsilon = None;
    let plan = Plan::calibrate(bare).unwrap();
    assert_eq!(plan.noise_share(), NoiseShare::none());
    assert_eq!(plan.epsilon_planned(), None);
    assert_eq!(plan.release(), None);
    assert_eq!(plan.noise_multiplier(), 0.0);
    assert!(plan.encoding().grid() >= 1 << 16 && plan.bits().is_narrow());
}

#[test]
fn seeds_change_the_rotation_only() {
    let plan = Plan::calibrate(request()).unwrap();
    let round = plan.for_round([9; 32]);
    assert_eq!(round.encoding().rotation_seed(), &[9; 32]);
    assert_eq!(round.encoding().grid(), plan.encoding().grid());
    assert_eq!(round.client().unwrap().clients(), 100);
}

#[test]
fn impossible_requests_are_named() {
    let with = |change: &dyn Fn(&mut PlanRequest)| {
        let mut request = request();
        change(&mut request);
        Plan::calibrate(request).map(|_| ())
    };
    assert!(matches!(
        with(&|r| r.minimum_survivors = 101),
        Err(PlanError::Cohort { .. })
    ));
    assert!(matches!(
        with(&|r| r.minimum_survivors = 0),
        Err(PlanError::Cohort { .. })
    ));
    assert!(matches!(
        with(&|r| r.colluders = 80),
        Err(PlanError::Colluders { .. })
    ));
    assert_eq!(with(&|r| r.rounds = 0), Err(PlanError::Rounds(0)));
    assert!(matches!(
        with(&|r| r.dimension = 0),
        Err(PlanError::Encoding(EncodingError::Dimension(0)))
    ));
    assert!(matches!(
        with(&|r| r.clip = Decimal::ZERO),
        Err(PlanError::Encoding(EncodingError::Clip))
    ));
    assert!(matches!(
        with(&|r| r.delta = Decimal::ZERO),
        Err(PlanError::Budget(BudgetRefusal::Range { .. }))
    ));
    assert!(matches!(
        with(&|r| r.epsilon = Some(d("90"))),
        Err(PlanError::Budget(BudgetRefusal::SamplerError { .. }))
    ));
    let starving = with(&|r| {
        r.epsilon = Some(d("0.5"));
        r.rounds = 10_000_000;
        r.minimum_survivors = 6;
    });
    assert_eq!(starving, Err(PlanError::TooMuchNoise));
}
