use tacita_privacy::{DiscreteGaussianRelease, SkellamRelease};

use super::*;

fn skellam(honest_shares: u32) -> Release {
    Release::Skellam(SkellamRelease {
        grid: 256,
        padded: 1024,
        share_variance_q16: (400 * 400) << 16,
        honest_shares,
        shares: 50,
    })
}

fn gaussian(honest_shares: u32) -> Release {
    Release::DiscreteGaussian(DiscreteGaussianRelease {
        grid: 256,
        padded: 1024,
        share_sigma_squared_q16: (400 * 400) << 16,
        honest_shares,
        shares: 50,
    })
}

fn accounts(of: fn(u32) -> Release, and: fn(u32) -> Release) -> Accounts {
    let mut accounts = Accounts::default();
    for (round, of) in (1..).zip([of, and, of, and]) {
        accounts.charge(&Noise {
            delta: "0.00001".parse().ok(),
            share_variance_q16: 0,
            kept_variance_q16: 0,
            share: None,
            server: Some(of(20)),
            public: Some(of(24)),
        });
        accounts.rounds.insert(round);
    }
    accounts
}

/// Failure: the report gives a larger bound than one that is proved, says that another accountant gave it, or states a method that does
/// not cover the noise.
#[test]
fn the_smallest_proved_bound_is_reported_and_named() {
    type Law = fn(u32) -> Release;
    let by_line: [(_, Law, Law, bool); 3] = [
        (method::SKELLAM, skellam, skellam, false),
        (method::SUMS, gaussian, gaussian, true),
        (method::BOTH, skellam, gaussian, false),
    ];
    for (name, of, and, line_wins) in by_line {
        let accounts = accounts(of, and);
        let spent = accounts.spent(accounts.delta);
        let Guarantee { methods, curve, .. } = accounts.guarantee();
        assert_eq!((methods[0].name, methods[1].name), (name, method::LINES));
        let [renyi, line] = [0, 1].map(|at: usize| methods[at].epsilon_server.unwrap());
        assert_eq!(line < renyi, line_wins, "{name}: {line} {renyi}");
        assert_eq!(spent.epsilon_server, Some(line.min(renyi)));
        assert_eq!(
            (methods[0].is_tightest, methods[1].is_tightest),
            (!line_wins, line_wins)
        );
        for (at, point) in curve.iter().enumerate() {
            let found = methods.iter().map(|method| method.curve[at].epsilon_public).min();
            assert_eq!(point.epsilon_public, found.unwrap(), "{name} {:?}", point.delta);
            assert!(point.epsilon_public < point.epsilon_server);
        }
        assert!(curve.is_sorted_by(|a, b| a.epsilon_server <= b.epsilon_server && a.delta > b.delta));
    }
}

/// Failure: rounds of one law are left out of a sum of both.
#[test]
fn both_laws_count() {
    let curve = [skellam(20), gaussian(20)]
        .iter()
        .fold(RdpCurve::zero(), |sum, release| {
            sum.plus(&release.curve().times(2))
        });
    let draws = 2 * (skellam(20).draws() + gaussian(20).draws());
    let delta: Decimal = "0.00001".parse().unwrap();
    let both = accounts(skellam, gaussian).guarantee();
    let expected = curve.epsilon_with_sampler(delta, draws).unwrap();
    assert_eq!(both.methods[0].epsilon_server, Some(expected));
    let bound = both.renyi.iter().find(|bound| bound.order == 8).unwrap();
    assert!((bound.server.unwrap() / curve.at(8u32).unwrap() - 1.0).abs() < 1e-12);
}

/// Failure: what is no guarantee is called one, or an equivalent is stated where nothing is bounded.
#[test]
fn equivalents_say_whether_they_are_proven() {
    let mut accounts = accounts(gaussian, gaussian);
    let equivalents = accounts.guarantee().equivalents;
    let of = |at: usize| (equivalents[at].name, equivalents[at].proven);
    assert_eq!(
        [of(0), of(1), of(2)],
        [("zCDP rho", true), ("zCDP xi", true), ("GDP mu", false)]
    );
    // rho of four Gaussian releases of B2 / (2 x 20 x 400^2).
    let squared = f64::from(256 * 256 + 256 + (1024 + 64) / 4);
    let rho = 4.0 * squared / (2.0 * 20.0 * 400.0 * 400.0);
    let stated = equivalents[0].server.unwrap();
    assert!(stated >= rho && stated < rho * (1.0 + 1e-9), "{stated} {rho}");
    assert_eq!(equivalents[1].server, Some(0.0));
    let mu = equivalents[2].server.unwrap();
    // zCDP is implied by GDP and is weaker: the Gaussian mechanism of the same epsilon has more mu than sqrt(2 rho).
    assert!(
        mu > (2.0 * rho).sqrt() && mu < 1.3 * (2.0 * rho).sqrt(),
        "{mu} {rho}"
    );
    accounts.server.charge(None);
    let bare = accounts.guarantee();
    assert!(
        bare.equivalents
            .iter()
            .all(|notion| notion.server.is_none() && notion.public.is_some())
    );
    assert!(
        bare.methods
            .iter()
            .all(|method| method.epsilon_server.is_none() && !method.is_tightest)
    );
}
