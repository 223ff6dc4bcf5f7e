//! Flags of the calculator: one mechanism, released a number of times, and who accounts for it how.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use tacita_privacy::Adjacency;
use tacita_privacy::account::calibration::Accountant;
use tacita_privacy::account::domain::OutsideProof;
use tacita_privacy::account::pld::STEP;
use tacita_privacy::account::repeated::{Cost, IntegerVectors, NoiseLaw, RepeatedRelease};
use tacita_privacy::account::schedule::Sampling;

use crate::output::{refused, usage};

/// A number of the command line, and how it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub(super) value: f64,
    pub(super) text: String,
}

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
        if !value.is_finite() {
            return Err(format!("`{text}` is not a finite number"));
        }
        Ok(Self {
            value,
            text: text.to_owned(),
        })
    }
}

/// Laws of noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mechanism {
    /// Real numbers; no sum over shares
    Gaussian,
    /// Integers; one source, or a sum of shares that comes near one
    DiscreteGaussian,
    /// Integers, the difference of two Poisson variables; sums of shares have the same law
    Skellam,
}

impl Mechanism {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::DiscreteGaussian => "discrete-gaussian",
            Self::Skellam => "skellam",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AccountantName {
    /// Renyi curves; also bound what is decided round by round, with a budget filter
    Rdp,
    /// A privacy loss distribution between certified bounds: tighter, for plans and schedules fixed beforehand only
    Pld,
    /// The closed form of Gaussian noise without sampling
    Exact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AdjacencyName {
    /// One contributor's vector is replaced by zero; all noise stays
    ZeroOut,
    /// One contributor is there or not
    AddRemove,
    /// One contributor's vector is replaced by another
    ReplaceOne,
}

/// How contributors are chosen: `none`, `poisson:Q`, `fixed:M/N`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct SamplingArg(Sampling);

impl FromStr for SamplingArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is none of `none`, `poisson:Q` and `fixed:M/N`");
        let sampling = match text.split_once(':') {
            None if text == "none" => Sampling::Everyone,
            Some(("poisson", q)) => Sampling::Poisson(q.parse().map_err(|_| malformed())?),
            Some(("fixed", sizes)) => {
                let (cohort, population) = sizes.split_once('/').ok_or_else(malformed)?;
                Sampling::FixedSize {
                    cohort: cohort.parse().map_err(|_| malformed())?,
                    population: population.parse().map_err(|_| malformed())?,
                }
            }
            _ => return Err(malformed()),
        };
        Ok(Self(sampling))
    }
}

/// One mechanism, released a number of times.
#[derive(Debug, Args)]
pub(super) struct LawArgs {
    /// Law of the noise
    #[arg(long, value_enum)]
    pub(super) mechanism: Option<Mechanism>,
    /// Number of rounds, each with fresh noise [default: 1, but for a plan of a deployment]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) rounds: Option<u32>,
    /// Who takes part: `none` for everybody, `poisson:Q` by independent secret coins, `fixed:M/N` for M of N without replacement. Claim
    /// only what is carried out, unseen by the adversary [default: none]
    #[arg(long, value_name = "HOW")]
    sampling: Option<SamplingArg>,
    /// How epsilon is computed [default: rdp]
    #[arg(long, value_enum)]
    accountant: Option<AccountantName>,
    /// Which inputs are neighbours [default: zero-out]
    #[arg(long, value_enum)]
    adjacency: Option<AdjacencyName>,
    /// Integer noise: Delta2, the L2 sensitivity in integer steps [default: 1, for Renyi bounds the worst of all]
    #[arg(long, value_name = "STEPS")]
    sensitivity: Option<u32>,
    /// Integer noise: shares that add up to it, all unknown to the adversary [default: 1]
    #[arg(long, value_name = "N")]
    shares: Option<u32>,
}

/// What the flags ask for.
pub(super) struct Question {
    pub(super) release: RepeatedRelease,
    pub(super) accountant: Accountant,
    mechanism: Mechanism,
    vectors: IntegerVectors,
}

impl LawArgs {
    /// Refuses flags that a deployed round does not have, or has other values for.
    pub(super) fn of_a_round(&self) -> anyhow::Result<()> {
        let other = |flag, why| Err(usage(format!("{flag}: {why}")));
        if self.accountant.is_some_and(|name| name != AccountantName::Rdp) {
            return other(
                "--accountant",
                "rounds of a deployment are charged by Renyi curves (rdp)",
            );
        }
        if self.adjacency.is_some_and(|name| name != AdjacencyName::ZeroOut) {
            return other(
                "--adjacency",
                "rounds of a deployment are charged for zero-out: the number of contributors is public",
            );
        }
        if self.sampling.is_some_and(|arg| arg.0 != Sampling::Everyone) {
            return other(
                "--sampling",
                "no sampling of clients is credited to rounds of a deployment: the server picks the cohort; for records that their \
                 clients sample there is --record-sampling",
            );
        }
        if self.sensitivity.is_some() || self.shares.is_some() {
            return other(
                "--sensitivity, --shares",
                "follow from the grid, the dimension and the survivors of a round",
            );
        }
        Ok(())
    }

    /// The question, over vectors of `dimension` integers.
    pub(super) fn question(&self, dimension: Option<u32>) -> anyhow::Result<Question> {
        let Some(mechanism) = self.mechanism else {
            return Err(usage(
                "--mechanism: say which noise; or describe a round of a deployment, see --help",
            ));
        };
        let given = self.sensitivity.or(self.shares).or(dimension).is_some();
        if mechanism == Mechanism::Gaussian && given {
            return Err(usage(
                "--sensitivity, --shares, --dimension: the noise multiplier says all about Gaussian noise",
            ));
        }
        let vectors = IntegerVectors {
            sensitivity: self.sensitivity.unwrap_or(IntegerVectors::COUNT.sensitivity),
            dimension: dimension.unwrap_or(IntegerVectors::COUNT.dimension),
            shares: self.shares.unwrap_or(IntegerVectors::COUNT.shares),
        };
        let law = match mechanism {
            Mechanism::Gaussian => NoiseLaw::Gaussian,
            Mechanism::DiscreteGaussian => NoiseLaw::DiscreteGaussian(vectors),
            Mechanism::Skellam => NoiseLaw::Skellam(vectors),
        };
        let adjacency = match self.adjacency {
            None | Some(AdjacencyName::ZeroOut) => Adjacency::ZeroOut,
            Some(AdjacencyName::AddRemove) => Adjacency::AddRemove,
            Some(AdjacencyName::ReplaceOne) => Adjacency::ReplaceOne,
        };
        Ok(Question {
            release: RepeatedRelease {
                law,
                sampling: self.sampling.map_or(Sampling::Everyone, |arg| arg.0),
                count: u64::from(self.rounds.unwrap_or(1)),
                adjacency,
            },
            accountant: match self.accountant {
                None | Some(AccountantName::Rdp) => Accountant::Renyi,
                Some(AccountantName::Pld) => Accountant::LossDistribution { step: STEP },
                Some(AccountantName::Exact) => Accountant::Exact,
            },
            mechanism,
            vectors,
        })
    }
}

impl Question {
    /// How the bound was computed, with the step that it took.
    pub(super) fn method(&self, cost: Option<&Cost>) -> String {
        let step = cost.and_then(|cost| cost.step).unwrap_or(STEP);
        match (self.accountant, self.mechanism) {
            (Accountant::Exact, _) => "the closed form of the Gaussian mechanism".into(),
            (Accountant::LossDistribution { .. }, mechanism) => {
                format!(
                    "privacy loss distribution of the {} mechanism by connecting the dots, step {step}",
                    mechanism.name()
                )
            }
            (Accountant::Renyi, mechanism) => {
                let orders = match mechanism {
                    Mechanism::Gaussian => "orders 1.1 to 1024",
                    _ => "integer orders 2 to 128 and 256",
                };
                let sample = match (self.release.sampling, mechanism) {
                    (Sampling::Everyone, _) => "",
                    (Sampling::Poisson(_), Mechanism::Gaussian) => ", exact moments of a Poisson sample",
                    (Sampling::Poisson(_), _) => ", the bound of Zhu and Wang for a Poisson sample",
                    (Sampling::FixedSize { .. }, _) => {
                        ", the bound of Wang, Balle and Kasiviswanathan for a cohort of fixed size"
                    }
                };
                format!(
                    "Renyi differential privacy of the {} mechanism at {orders}{sample}",
                    mechanism.name()
                )
            }
        }
    }

    /// Everything the answer follows from.
    pub(super) fn inputs(&self) -> Map<String, Value> {
        let mut inputs = Map::new();
        let mut put = |key: &str, value: Value| {
            inputs.insert(key.to_owned(), value);
        };
        put("mechanism", json!(self.mechanism.name()));
        put("rounds", json!(self.release.count));
        put("sampling", json!(self.sampling()));
        put("adjacency", json!(self.release.adjacency.to_string()));
        put(
            "accountant",
            json!(match self.accountant {
                Accountant::Renyi => "rdp",
                Accountant::LossDistribution { .. } => "pld",
                Accountant::Exact => "exact",
            }),
        );
        if self.mechanism != Mechanism::Gaussian {
            put("sensitivity", json!(self.vectors.sensitivity));
            put("dimension", json!(self.vectors.dimension));
            put("shares", json!(self.vectors.shares));
        }
        inputs
    }

    fn sampling(&self) -> String {
        match self.release.sampling {
            Sampling::Everyone => "none".into(),
            Sampling::Poisson(q) => format!("poisson:{q}"),
            Sampling::FixedSize { cohort, population } => format!("fixed:{cohort}/{population}"),
        }
    }

    /// The same for people, as lines.
    pub(super) fn described(&self, method: &str) -> String {
        let integers = match self.mechanism {
            Mechanism::Gaussian => String::new(),
            _ => format!(
                "Integers   L2 sensitivity {} steps in {} dimensions, noise from {} shares; of the true law, a sampler's distance \
                 from it comes on top of delta\n",
                self.vectors.sensitivity, self.vectors.dimension, self.vectors.shares
            ),
        };
        let scope = match self.accountant {
            Accountant::Renyi => "",
            _ => {
                "Scope      a schedule fixed beforehand; whether to go on is for a budget filter (rdp) to decide\n"
            }
        };
        format!(
            "Method     {method}\nRounds     {}, sampling {}\nAdjacency  {}\n{integers}{scope}",
            self.release.count,
            self.sampling(),
            self.release.adjacency,
        )
    }
}

/// Outside a proof is a matter of the command line; a target that nothing meets is refused.
pub(super) fn explain(error: OutsideProof) -> anyhow::Error {
    match error {
        OutsideProof::Unreachable => refused(error),
        _ => usage(error),
    }
}

/// Rounded up to six places, for people.
pub(super) fn up(value: f64) -> String {
    let micros = (value * 1e6).ceil();
    // Beyond 2^53 millionths every number is written as it is.
    if micros < 9e15 {
        let micros = micros as u64;
        let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value}")
    }
}

/// Rounded down to six places.
pub(super) fn down(value: f64) -> String {
    let micros = (value * 1e6).floor();
    if micros < 9e15 {
        let micros = micros as u64;
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    } else {
        format!("{value}")
    }
}
