//! How epsilon is computed: the sentences of reports, and which of them is true of a set of releases.

use tacita_privacy::Release;

/// Skellam noise, whole clients.
pub(crate) const SKELLAM: &str = "Renyi differential privacy of the Skellam mechanism at orders 2 to 128 and 256, exact integer sensitivities";
/// The same for discrete Gaussian noise.
pub(crate) const SUMS: &str = "Renyi differential privacy of sums of discrete Gaussians, tau included, at orders 2 to 128 and 256, exact integer sensitivities";
/// The same for rounds of both.
pub(crate) const BOTH: &str = "Renyi differential privacy of the Skellam mechanism and of sums of discrete Gaussians, tau included, added order by order at orders 2 to 128 and 256, exact integer sensitivities";
/// Skellam noise in the record unit.
pub(crate) const SAMPLED_SKELLAM: &str = "Renyi differential privacy of the Skellam mechanism on Poisson-sampled records (Mironov, Talwar and Zhang 2019, Theorem 5) at orders 2 to 128 and 256, exact integer sensitivities";
/// The same for discrete Gaussian noise.
pub(crate) const SAMPLED_SUMS: &str = "Renyi differential privacy of sums of discrete Gaussians, tau included, on Poisson-sampled records (Mironov, Talwar and Zhang 2019, Theorem 5) at orders 2 to 128 and 256, exact integer sensitivities";
/// The same for rounds of both.
pub(crate) const SAMPLED_BOTH: &str = "Renyi differential privacy of the Skellam mechanism and of sums of discrete Gaussians, tau included, on Poisson-sampled records (Mironov, Talwar and Zhang 2019, Theorem 5), added order by order at orders 2 to 128 and 256, exact integer sensitivities";
/// From concentrated privacy.
pub(crate) const LINES: &str = "zero-concentrated differential privacy, xi + rho a at every order a above 1, exact integer sensitivities";
/// The same in the record unit.
pub(crate) const UNSAMPLED_LINES: &str = "zero-concentrated differential privacy, xi + rho a at every order a above 1, exact integer sensitivities, as if no record had been left out of a sample";
/// How the report chooses among them.
pub(crate) const SMALLEST: &str = "the smallest upper bound of the accountants that are proved for a task's noise, each listed with the task";
/// What rho and xi say.
pub(crate) const LINE: &str = "the Renyi divergence is at most xi + rho a at every order a above 1";
/// What mu says.
pub(crate) const GAUSSIAN: &str = "the Gaussian mechanism that has the same epsilon at this delta; not proven for this noise, and no bound at other deltas";

/// Which laws and units a set of releases has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kinds {
    gaussian: bool,
    skellam: bool,
    sampled: bool,
}

impl Kinds {
    /// Of these releases.
    pub(crate) fn of<'a>(releases: impl IntoIterator<Item = &'a Release>) -> Self {
        let mut kinds = Self::default();
        for release in releases {
            let law = release.mechanism();
            kinds.gaussian |= law == tacita_privacy::Mechanism::DiscreteGaussian;
            kinds.skellam |= law == tacita_privacy::Mechanism::Skellam;
            kinds.sampled |= release.sampling().is_some();
        }
        kinds
    }

    /// How Renyi curves bound them.
    pub(crate) fn renyi(self) -> &'static str {
        match (self.sampled, self.skellam, self.gaussian) {
            (false, true, true) => BOTH,
            (false, false, true) => SUMS,
            (false, ..) => SKELLAM,
            (true, true, true) => SAMPLED_BOTH,
            (true, false, true) => SAMPLED_SUMS,
            (true, ..) => SAMPLED_SKELLAM,
        }
    }

    /// How concentrated privacy bounds them.
    pub(crate) fn lines(self) -> &'static str {
        if self.sampled { UNSAMPLED_LINES } else { LINES }
    }
}
