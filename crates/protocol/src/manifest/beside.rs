//! The fields of a manifest about what travels beside the update in the one vector (spec 04 sections 3 and 13; TAC-003).

use tacita_privacy::{ClipRule, Decimal, ExampleWeighting, JointTerms, MetricTerms};
use tls_codec::{TlsByteVecU8, TlsDeserialize, TlsSerialize, TlsSize};

use super::{Manifest, decimal, text};
use crate::limits;
use crate::refusal::Refusal;

/// Federated metrics: loss and accuracy of the model received, as noised coordinates.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct ManifestMetrics {
    /// b as a multiple of the update clip, decimal.
    pub scale: TlsByteVecU8,
    /// Largest loss that counts, decimal.
    pub loss_cap: TlsByteVecU8,
}

/// Adaptive clipping: a noised coordinate counts the updates within the clip, and the next one follows.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct ManifestClip {
    /// Text of the [`ClipRule`], the same in all rounds of a task.
    pub rule: TlsByteVecU8,
    /// Size of the coordinate as a multiple of the update clip, decimal.
    pub count_scale: TlsByteVecU8,
}

/// What the fields mean.
pub(super) struct Beside {
    pub(super) terms: Option<JointTerms>,
    pub(super) rule: Option<ClipRule>,
}

impl ManifestMetrics {
    /// As a manifest states it.
    #[must_use]
    pub fn of(terms: &MetricTerms) -> Self {
        Self {
            scale: terms.scale.to_string().into_bytes().into(),
            loss_cap: terms.loss_cap.to_string().into_bytes().into(),
        }
    }
}

impl ManifestClip {
    /// As a manifest states it.
    #[must_use]
    pub fn of(rule: &ClipRule, count_scale: Decimal) -> Self {
        Self {
            rule: rule.to_string().into_bytes().into(),
            count_scale: count_scale.to_string().into_bytes().into(),
        }
    }
}

fn positive(bytes: &[u8], field: &'static str) -> Result<Decimal, Refusal> {
    let value = decimal(bytes, field)?;
    if value.is_zero() {
        return Err(Refusal::ManifestField(field));
    }
    Ok(value)
}

/// The one element of a list, or none.
fn one<'a, T>(list: &'a [T], field: &'static str) -> Result<Option<&'a T>, Refusal> {
    match list {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(Refusal::ManifestField(field)),
    }
}

impl Manifest {
    pub(super) fn check_beside(&self, clip: Decimal) -> Result<Beside, Refusal> {
        let field = Refusal::ManifestField;
        let weighting = match self.weighting {
            0 if self.weight_cap == 0 && self.weight_scale.as_slice().is_empty() => None,
            1 if self.weight_cap > 0 => Some(ExampleWeighting {
                cap: self.weight_cap,
                scale: positive(self.weight_scale.as_slice(), "weight scale")?,
            }),
            _ => return Err(field("weighting")),
        };
        let limit = Decimal::new(limits::MAX_LOSS_CAP, 0).map_err(|_| field("metrics"))?;
        let metrics = match one(self.metrics.as_slice(), "metrics")? {
            None => None,
            Some(stated) => Some(MetricTerms {
                scale: positive(stated.scale.as_slice(), "metrics")?,
                loss_cap: Some(positive(stated.loss_cap.as_slice(), "metrics")?)
                    .filter(|cap| *cap < limit)
                    .ok_or(field("metrics"))?,
            }),
        };
        let adaptive = match one(self.adaptive_clip.as_slice(), "adaptive clip")? {
            None => None,
            Some(stated) => {
                let rule = text(stated.rule.as_slice()).and_then(|text| ClipRule::parse(text).ok());
                let rule = rule.ok_or(field("adaptive clip"))?;
                Some((rule, positive(stated.count_scale.as_slice(), "adaptive clip")?))
            }
        };
        if weighting.is_none() && metrics.is_none() && adaptive.is_none() {
            return if self.update_clip.as_slice().is_empty() {
                Ok(Beside {
                    terms: None,
                    rule: None,
                })
            } else {
                Err(field("weighting"))
            };
        }
        let update_clip = positive(self.update_clip.as_slice(), "update clip")?;
        let terms = JointTerms::new(update_clip, weighting, metrics, adaptive.map(|(_, scale)| scale))
            .map_err(|_| field("update clip"))?;
        if terms.clip() != clip {
            return Err(field("weighting"));
        }
        if self.dimension <= terms.extra() {
            return Err(field("dimension"));
        }
        let rule = adaptive.map(|(rule, _)| rule);
        if rule.is_some_and(|rule| !rule.allows(update_clip)) {
            return Err(field("update clip"));
        }
        Ok(Beside {
            terms: Some(terms),
            rule,
        })
    }
}
