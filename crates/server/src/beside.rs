//! What the operator lets travel beside an update: weights, metrics, the count for adaptive clipping. One vector, one norm, one noise.
//!
//! Sizes follow the clip norm of the updates, so that a round costs the same and looks the same at every clip norm: grid, noise and ring count
//! in clip norms.

use serde::{Deserialize, Serialize};
use tacita_privacy::{ClipNoiseSplit, ClipRule, Decimal, ExampleWeighting, JointTerms, MetricTerms, Plan};

use crate::config::PrivacySection;

/// Most that the count's coordinate takes, as a multiple of the norm of all others: 5 % more noise in them.
const LARGEST_COUNT: f64 = 0.33;
/// Its size where no noise is added.
const NOISELESS_COUNT: f64 = 0.05;

/// Federated metrics: members say how the model does on their own data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSection {
    /// b as a multiple of the clip norm: larger makes metrics more exact, for more noise in everything else.
    #[serde(default = "fifth")]
    pub scale: Decimal,
    /// A larger loss counts as this.
    pub loss_cap: Decimal,
}

/// Adaptive clipping: `clip` is the first clip norm of updates, and the noisy share of updates within it moves it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveClipSection {
    /// Share of updates that shall be within the clip norm.
    #[serde(default = "half")]
    pub quantile: Decimal,
    /// Step: the clip norm is multiplied by exp(-rate (share - quantile)). 0.2 suits hundreds of rounds, 1 some tens.
    #[serde(default = "one")]
    pub rate: Decimal,
    /// Least clip norm.
    pub least: Decimal,
    /// Largest clip norm of updates.
    pub largest: Decimal,
    /// Size of the coordinate that counts as a multiple of the clip norm; absent: such that the count has a standard deviation of a
    /// twentieth of the clients, if that takes no more than a third of the other parts' norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_scale: Option<Decimal>,
}

fn decimal(digits: u64, places: u8) -> Decimal {
    // Cannot fail for the values below; zero would be refused by `Beside::of`.
    Decimal::new(digits, places).unwrap_or(Decimal::ZERO)
}

fn fifth() -> Decimal {
    decimal(2, 1)
}

fn half() -> Decimal {
    decimal(5, 1)
}

fn one() -> Decimal {
    Decimal::ONE
}

/// What travels beside an update, checked.
#[derive(Debug, Clone)]
pub struct Beside {
    clip: Decimal,
    weighting: Option<ExampleWeighting>,
    metrics: Option<MetricTerms>,
    rule: Option<ClipRule>,
    count_scale: Option<Decimal>,
}

impl Beside {
    /// Reads the operator's terms.
    ///
    /// # Errors
    /// The key, and what is expected of it.
    pub(crate) fn of(privacy: &PrivacySection) -> Result<Self, (&'static str, String)> {
        let clip = privacy.clip;
        if privacy
            .weighting
            .as_ref()
            .is_some_and(|weighting| weighting.cap == 0)
        {
            return Err(("privacy.weighting.cap", "must be at least 1".into()));
        }
        if privacy.weighting.as_ref().is_some_and(|w| w.scale.is_zero()) {
            return Err(("privacy.weighting.scale", "must be above 0".into()));
        }
        let weighting = privacy.weighting.as_ref().map(|w| ExampleWeighting {
            cap: w.cap,
            scale: w.scale,
        });
        let metrics = privacy.metrics.as_ref().map(|m| MetricTerms {
            scale: m.scale,
            loss_cap: m.loss_cap,
        });
        if metrics.is_some_and(|metrics| metrics.scale.is_zero() || metrics.loss_cap.is_zero()) {
            return Err(("privacy.metrics", "scale and loss_cap must be above 0".into()));
        }
        if metrics.is_some_and(|metrics| metrics.loss_cap.to_f64() >= 1e9) {
            return Err(("privacy.metrics.loss_cap", "must be below 10^9".into()));
        }
        let (mut rule, mut count_scale) = (None, None);
        if let Some(section) = &privacy.adaptive_clip {
            let bounds = (section.least, section.largest);
            let made = ClipRule::new(section.quantile, section.rate, clip, bounds);
            rule = Some(made.map_err(|e| ("privacy.adaptive_clip", e.to_string()))?);
            count_scale = section.count_scale;
            if count_scale.is_some_and(Decimal::is_zero) {
                return Err(("privacy.adaptive_clip.count_scale", "must be above 0".into()));
            }
        }
        Ok(Self {
            clip,
            weighting,
            metrics,
            rule,
            count_scale,
        })
    }

    /// Coordinates beside the update.
    pub(crate) fn extra(&self) -> usize {
        let metrics = if self.metrics.is_some() { 2 } else { 0 };
        usize::from(self.weighting.is_some()) + metrics + usize::from(self.rule.is_some())
    }

    /// Chooses the size of the count's coordinate for the noise of a plan of n clients, unless the operator did.
    pub(crate) fn settle(&mut self, plan: &Plan, clients: u32) -> Result<(), String> {
        if self.rule.is_none() || self.count_scale.is_some() {
            return Ok(());
        }
        let total = plan.noise_multiplier();
        let split = ClipNoiseSplit::of_total(total, ClipNoiseSplit::usual_count_std(clients));
        let of_others = match split {
            Some(split) => split.count_scale().min(LARGEST_COUNT),
            None if total > 0.0 => LARGEST_COUNT,
            None => NOISELESS_COUNT,
        };
        let others =
            JointTerms::new(self.clip, self.weighting, self.metrics, None).map_err(|e| e.to_string())?;
        let of_clip = of_others * others.clip().to_f64() / self.clip.to_f64();
        // To four places, up, and no less than the last of them.
        self.count_scale = Some(rounded_up(of_clip, 4)?);
        Ok(())
    }

    /// How the clip norm follows from round to round, if it does.
    #[must_use]
    pub fn rule(&self) -> Option<&ClipRule> {
        self.rule.as_ref()
    }

    /// The terms of a round whose updates are clipped to `update_clip`; none if nothing travels beside them. The weight's coordinate moves with
    /// the clip norm, as the others do.
    ///
    /// # Errors
    /// Norms of 10^9 and more, in words.
    pub fn terms(&self, update_clip: Decimal) -> Result<Option<JointTerms>, String> {
        if self.extra() == 0 {
            return Ok(None);
        }
        let weighting = match self.weighting {
            Some(weighting) if update_clip != self.clip => {
                let moved = weighting.scale.to_f64() * update_clip.to_f64() / self.clip.to_f64();
                Some(ExampleWeighting {
                    scale: rounded_up(moved, 9)?,
                    ..weighting
                })
            }
            unmoved => unmoved,
        };
        JointTerms::new(update_clip, weighting, self.metrics, self.count_scale)
            .map(Some)
            .map_err(|e| e.to_string())
    }

    /// A plan for updates clipped to `update_clip`: its clip norm is the joint one.
    ///
    /// # Errors
    /// As [`Beside::terms`].
    pub fn plan_at(&self, plan: &Plan, update_clip: Decimal) -> Result<Plan, String> {
        let clip = self.terms(update_clip)?.map_or(update_clip, |terms| terms.clip());
        plan.with_clip(clip).map_err(|e| e.to_string())
    }
}

/// A positive value as a decimal of so many places, rounded up.
fn rounded_up(value: f64, places: u8) -> Result<Decimal, String> {
    let unit = 10f64.powi(i32::from(places));
    let digits = (value * unit).ceil().max(1.0);
    if digits >= 1e18 {
        return Err("norms must be below 10^9".into());
    }
    Decimal::new(digits as u64, places).map_err(|e| e.to_string())
}
