//! The releases that are accounted for, as the integers a manifest holds.

use serde::{Deserialize, Serialize};

use super::concentrated::Concentrated;
use super::gaussian_release::DiscreteGaussianRelease;
use super::rdp::RdpCurve;
use super::renyi;
use super::sampled::{SampledRelease, Unsampled};
use crate::decimal::Decimal;
use crate::encoding::Encoding;
use crate::noise::NoiseShare;
use crate::sensitivity::{IntegerSensitivity, PrivacyUnit};

/// Whose view a guarantee is about; decides which shares of the noise count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adversary {
    /// The server together with this many clients, whose shares it knows.
    Server {
        /// c.
        colluders: u32,
    },
    /// Anyone else: sees what is published, and may be one participant, who knows its own share.
    Public,
}

impl Adversary {
    /// Shares of noise unknown to the adversary among those of `survivors` contributors; `None` if there is none.
    pub fn honest_shares(self, survivors: u32) -> Option<u32> {
        let known = match self {
            Self::Server { colluders } => colluders,
            Self::Public => 1,
        };
        survivors.checked_sub(known).filter(|&honest| honest > 0)
    }
}

/// One sum released with Skellam noise, under zero-out adjacency of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkellamRelease {
    /// S, grid steps per clip norm.
    pub grid: u32,
    /// d, coordinates of the integer vector, padding included.
    pub padded: u32,
    /// Variance of one client's share, in units of 2^-16 squared grid steps.
    pub share_variance_q16: u64,
    /// Shares of which the adversary knows nothing: |U2| - c for the server, |U2| - 1 for the public, with |U2| = m when
    /// planning and charging.
    pub honest_shares: u32,
    /// Most shares in the sum (n x layers): each is a draw that is off the true law by at most 2^-100.
    pub shares: u32,
}

impl SkellamRelease {
    /// Total variance per coordinate that the adversary knows nothing of, in units of 2^-16.
    pub fn honest_variance_q16(&self) -> u128 {
        u128::from(self.share_variance_q16) * u128::from(self.honest_shares)
    }

    /// Its Renyi curve.
    pub fn curve(&self) -> RdpCurve {
        RdpCurve::from_integer_bound(self.bound())
    }

    /// The Renyi bound at any integer order from 2 on; infinite without variance.
    pub(crate) fn bound(&self) -> impl Fn(u32) -> f64 {
        let sensitivity = IntegerSensitivity::after_rounding(self.grid, self.padded);
        let mu = self.honest_variance_q16() as f64 / 65536.0;
        let (l2_squared, l1) = (sensitivity.squared_l2 as f64, sensitivity.l1 as f64);
        move |order| renyi::skellam(order, l2_squared, l1, mu)
    }

    /// See [`Release::concentrated`].
    fn concentrated(&self) -> Concentrated {
        let sensitivity = IntegerSensitivity::after_rounding(self.grid, self.padded);
        Concentrated::skellam(sensitivity, self.honest_variance_q16())
    }
}

/// One release of one round, the unit of charging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Release {
    /// A sum with Skellam noise.
    Skellam(SkellamRelease),
    /// A sum with noise of discrete Gaussians.
    DiscreteGaussian(DiscreteGaussianRelease),
    /// Either, as a sum over secretly sampled records.
    Sampled(SampledRelease),
}

impl Release {
    /// What a round with these parameters releases: at most `clients` vectors, of which `honest_shares` carry noise unknown
    /// to the adversary, at |U2| = m, where nothing of a layered share is surplus. `None` for a share without noise, which no budget can cover.
    pub fn of_round(
        encoding: &Encoding,
        share: &NoiseShare,
        honest_shares: u32,
        clients: u32,
    ) -> Option<Self> {
        let (grid, padded) = (encoding.grid(), encoding.padded());
        Self::of_integers((grid, padded), share, honest_shares, clients)
    }

    /// The same from the grid S and the padded dimension d alone.
    pub fn of_integers(
        (grid, padded): (u32, u32),
        share: &NoiseShare,
        honest_shares: u32,
        clients: u32,
    ) -> Option<Self> {
        match share.mechanism() {
            crate::Mechanism::None => None,
            crate::Mechanism::Skellam => Some(Self::Skellam(SkellamRelease {
                grid,
                padded,
                share_variance_q16: share.variance_q16(),
                honest_shares,
                shares: clients.saturating_mul(share.layers()),
            })),
            crate::Mechanism::DiscreteGaussian => Some(Self::DiscreteGaussian(DiscreteGaussianRelease {
                grid,
                padded,
                share_sigma_squared_q16: share.variance_q16(),
                honest_shares,
                shares: clients,
            })),
        }
    }

    /// The same release in the record unit: what was one client's vector is the vector of one record, and each record was in the sum with
    /// probability `sampling` only, by coins of the client that the adversary does not see. As it is for `None`, the client unit.
    #[must_use]
    pub fn of_records(self, sampling: Option<Decimal>) -> Self {
        match (self, sampling) {
            (Self::Skellam(of), Some(sampling)) => Self::Sampled(SampledRelease {
                of: Unsampled::Skellam(of),
                sampling,
            }),
            (Self::DiscreteGaussian(of), Some(sampling)) => Self::Sampled(SampledRelease {
                of: Unsampled::DiscreteGaussian(of),
                sampling,
            }),
            (same @ Self::Sampled(_), _) | (same, None) => same,
        }
    }

    /// The law of its noise.
    pub fn mechanism(&self) -> crate::Mechanism {
        match self {
            Self::Skellam(_) => crate::Mechanism::Skellam,
            Self::DiscreteGaussian(_) => crate::Mechanism::DiscreteGaussian,
            Self::Sampled(release) => Self::from(release.of).mechanism(),
        }
    }

    /// Whose data it is about.
    pub fn unit(&self) -> PrivacyUnit {
        match self {
            Self::Skellam(_) | Self::DiscreteGaussian(_) => PrivacyUnit::Client,
            Self::Sampled(_) => PrivacyUnit::Record,
        }
    }

    /// With which probability each record is in the sum; `None` in the client unit.
    pub fn sampling(&self) -> Option<Decimal> {
        match self {
            Self::Skellam(_) | Self::DiscreteGaussian(_) => None,
            Self::Sampled(release) => Some(release.sampling),
        }
    }

    /// The same release as the sum of `survivors` turned out, `honest_shares` of them unknown to the adversary: each has
    /// kept at least the noise of its level. Surplus that was not revealed is not counted.
    #[must_use]
    pub fn of_survivors(self, share: &NoiseShare, honest_shares: u32, survivors: u32) -> Self {
        match self {
            Self::Skellam(release) => Self::Skellam(SkellamRelease {
                share_variance_q16: share.kept_variance_q16(survivors),
                honest_shares,
                ..release
            }),
            Self::DiscreteGaussian(release) => Self::DiscreteGaussian(DiscreteGaussianRelease {
                honest_shares,
                ..release
            }),
            Self::Sampled(release) => Self::from(release.of)
                .of_survivors(share, honest_shares, survivors)
                .of_records(Some(release.sampling)),
        }
    }

    /// Its Renyi curve.
    pub fn curve(&self) -> RdpCurve {
        match self {
            Self::Skellam(release) => release.curve(),
            Self::DiscreteGaussian(release) => release.curve(),
            Self::Sampled(release) => release.curve(),
        }
    }

    /// Its cost as concentrated privacy, at every order above 1.
    ///
    /// Sampling is not credited: a sampled sum is a mixture, by the record's coin, of the pair (P, P) and of the unsampled pair (P, Q), and
    /// no order of a mixture's divergence is above the larger of the two (van Erven, Harremoes, "Renyi Divergence and Kullback-Leibler
    /// Divergence", 2014, Theorem 13). No line through all orders would be near the amplified curve.
    pub fn concentrated(&self) -> Concentrated {
        match self {
            Self::Skellam(release) => release.concentrated(),
            Self::DiscreteGaussian(release) => release.concentrated(),
            Self::Sampled(release) => Self::from(release.of).concentrated(),
        }
    }

    /// Noise values drawn for it: coordinates x shares.
    pub fn draws(&self) -> u128 {
        match self {
            Self::Skellam(release) => u128::from(release.padded) * u128::from(release.shares),
            Self::DiscreteGaussian(release) => u128::from(release.padded) * u128::from(release.shares),
            Self::Sampled(release) => Self::from(release.of).draws(),
        }
    }

    /// Whether it describes vectors of this encoding with this noise, of clients or of records.
    pub fn matches(&self, encoding: &Encoding, share: &NoiseShare) -> bool {
        match self {
            Self::Skellam(release) => {
                share.mechanism() == crate::Mechanism::Skellam
                    && release.share_variance_q16 == share.variance_q16()
                    && release.grid == encoding.grid()
                    && release.padded == encoding.padded()
            }
            Self::DiscreteGaussian(release) => {
                share.mechanism() == crate::Mechanism::DiscreteGaussian
                    && release.share_sigma_squared_q16 == share.variance_q16()
                    && release.grid == encoding.grid()
                    && release.padded == encoding.padded()
            }
            Self::Sampled(release) => Self::from(release.of).matches(encoding, share),
        }
    }
}

impl From<Unsampled> for Release {
    fn from(of: Unsampled) -> Self {
        match of {
            Unsampled::Skellam(release) => Self::Skellam(release),
            Unsampled::DiscreteGaussian(release) => Self::DiscreteGaussian(release),
        }
    }
}

/// (1 + e^epsilon) x 2^-100 x `draws`, rounded up: what drawing noise from tables instead of the true law adds to delta.
///
/// Replacing the law of either neighbour's output by one at total variation t changes delta by at most (1 + e^epsilon) t.
pub(crate) fn sampler_delta(epsilon: f64, draws: u128) -> f64 {
    (1.0 + epsilon.exp()) * 2f64.powi(-100) * draws as f64 * (1.0 + 1e-12)
}

/// delta + (1 + e^epsilon) x 2^-100 x coordinates x layers x survivors x rounds, rounded up: the delta of a guarantee whose
/// (`epsilon`, `delta`) was computed for the true law of the noise.
pub fn delta_total(
    delta: Decimal,
    epsilon: Decimal,
    coordinates: u32,
    layers: u32,
    survivors: u32,
    rounds: u32,
) -> f64 {
    let draws = u128::from(coordinates)
        .saturating_mul(u128::from(layers))
        .saturating_mul(u128::from(survivors))
        .saturating_mul(u128::from(rounds));
    (delta.to_f64().next_up() + sampler_delta(epsilon.to_f64(), draws)).next_up()
}
