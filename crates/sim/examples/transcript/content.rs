//! What a round's vectors hold: plain updates, updates with something beside them, or sums of records.

use tacita_ledger::entry::Outcome;
use tacita_ledger::{Entry, statement_digest};
use tacita_privacy::{
    Alongside, ClipRule, Decimal, ExampleWeighting, Headroom, JointTerms, LocalFigures, MetricTerms,
    NoiseShare, RecordTerms,
};
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::ledger_entries::{self, hex_digest};
use tacita_protocol::manifest::{Manifest, ManifestClip, ManifestMetrics};
use tacita_sim::cast::NOW;
use tacita_sim::{Noise, Setting};

use super::{Draw, Failure};

/// Manifests of attempts before the round, and of the round.
pub(crate) enum Content {
    /// The update alone.
    Plain,
    /// Weights, metrics, or the bit of an adaptive clip norm.
    Beside(Box<Beside>),
    /// Sums of sampled records.
    Records(RecordTerms),
}

pub(crate) struct Beside {
    terms: JointTerms,
    /// With an adaptive clip norm: the terms of the first round of the task, its rule, and the share of updates within the clip norm that
    /// the first round published, if this is the second.
    adaptive: Option<(JointTerms, ClipRule, Option<Decimal>)>,
}

fn thousandths(draw: &mut Draw, low: u64, high: u64) -> Result<Decimal, Failure> {
    Ok(Decimal::new(draw.between(low, high), 3)?)
}

impl Content {
    /// One round in three has something beside its updates; of those with noise, one in four of the others sums records.
    pub(crate) fn draw(draw: &mut Draw, noise: Noise) -> Result<Self, Failure> {
        if draw.one_in(3) {
            return Ok(Self::Beside(Box::new(Beside::draw(draw)?)));
        }
        if noise != Noise::None && draw.one_in(4) {
            let (largest, expected) = (draw.between(1, 40), draw.between(1, 100));
            let sampling = thousandths(draw, 1, 1000)?;
            let terms = RecordTerms::new(sampling, largest.try_into()?, expected.try_into()?)?;
            return Ok(Self::Records(terms));
        }
        Ok(Self::Plain)
    }

    /// Coordinates beside the update.
    pub(crate) fn extra(&self) -> u32 {
        match self {
            Self::Beside(beside) => beside.terms.extra(),
            Self::Plain | Self::Records(_) => 0,
        }
    }

    /// The number of the round in its task, if that is not free.
    pub(crate) fn round(&self) -> Option<u32> {
        match self {
            Self::Beside(beside) => {
                let (.., published) = beside.adaptive.as_ref()?;
                Some(1 + u32::from(published.is_some()))
            }
            Self::Plain | Self::Records(_) => None,
        }
    }

    /// Writes it into the manifest of the round.
    pub(crate) fn state(&self, manifest: &mut Manifest, setting: &Setting) -> Result<(), Failure> {
        match self {
            Self::Plain => Ok(()),
            Self::Beside(beside) => {
                beside.state(manifest, &beside.terms);
                Ok(())
            }
            Self::Records(terms) => state_records(manifest, terms, setting),
        }
    }

    /// Writes it into the manifest of an attempt at the first round of the task.
    pub(crate) fn state_first(&self, manifest: &mut Manifest, setting: &Setting) -> Result<(), Failure> {
        match self {
            Self::Beside(beside) => {
                let first = beside.adaptive.as_ref().map(|(first, ..)| first);
                beside.state(manifest, first.unwrap_or(&beside.terms));
                Ok(())
            }
            Self::Plain | Self::Records(_) => self.state(manifest, setting),
        }
    }

    /// What the ledger has of the round before, where the clip norm follows from it.
    pub(crate) fn round_before(&self, mut manifest: Manifest) -> Result<Vec<Entry>, Failure> {
        let Self::Beside(beside) = self else {
            return Ok(Vec::new());
        };
        let Some((first, _, Some(within))) = &beside.adaptive else {
            return Ok(Vec::new());
        };
        beside.state(&mut manifest, first);
        let manifest = manifest.check()?;
        let fields = manifest.fields();
        let everybody = Bitmap::from_indices(fields.cohort, 0..fields.cohort);
        let (roster, sharers) = ([3; 32], [4; 32]);
        let size = u64::from(fields.cohort);
        let stated = statement_digest(manifest.digest(), &roster, &sharers, size, everybody.bytes());
        let charge = ledger_entries::charge(
            &manifest,
            &roster,
            &sharers,
            &everybody,
            &stated,
            &[5; 32],
            NOW - 55,
        );
        let figure = |there: bool| there.then(|| "0.500000".to_owned());
        let outcome = Outcome {
            round_id: hex_digest(&fields.round_id),
            round: u64::from(fields.round),
            time: NOW - 50,
            survivor_count: size,
            responders: size,
            noise_variance_q16: (u128::from(fields.share_variance_q16) * u128::from(size)).to_string(),
            sum_digest: hex_digest(&[1; 32]),
            model_digest: hex_digest(&[2; 32]),
            accuracy: None,
            loss: None,
            federated_accuracy: figure(manifest.has_metrics()),
            federated_loss: figure(manifest.has_metrics()),
            federated_error: figure(manifest.has_metrics()),
            within_clip: Some(within.to_string()),
            epsilon_server: None,
            epsilon_public: None,
        };
        Ok(vec![
            ledger_entries::reserve(&manifest, NOW - 60),
            charge,
            Entry::Outcome(outcome),
        ])
    }

    /// What a member puts beside its update.
    pub(crate) fn alongside(draw: &mut Draw) -> Alongside {
        let figure = |draw: &mut Draw, most: f64| draw.below(1001) as f64 / 1000.0 * most;
        Alongside {
            examples: draw.below(700),
            figures: LocalFigures {
                loss: Some(figure(draw, 10.0)),
                score: Some(figure(draw, 1.0)),
            },
        }
    }
}

impl Beside {
    fn draw(draw: &mut Draw) -> Result<Self, Failure> {
        // At least one of the three.
        let which = draw.between(1, 7);
        let weighting = ExampleWeighting {
            cap: draw.between(1, 500).try_into()?,
            scale: thousandths(draw, 1, 3000)?,
        };
        let metrics = MetricTerms {
            scale: thousandths(draw, 1, 2000)?,
            loss_cap: thousandths(draw, 1, 20_000)?,
        };
        let count_scale = thousandths(draw, 1, 2000)?;
        let terms = |clip: Decimal| {
            JointTerms::new(
                clip,
                (which & 1 != 0).then_some(weighting),
                (which & 2 != 0).then_some(metrics),
                (which & 4 != 0).then_some(count_scale),
            )
        };
        let initial = thousandths(draw, 100, 2000)?;
        if which & 4 == 0 {
            return Ok(Self {
                terms: terms(initial)?,
                adaptive: None,
            });
        }
        let bounds = (thousandths(draw, 1, 100)?, thousandths(draw, 2000, 9000)?);
        let rule = ClipRule::new(
            thousandths(draw, 1, 999)?,
            thousandths(draw, 1, 2000)?,
            initial,
            bounds,
        )?;
        let within = if draw.one_in(2) {
            Some(thousandths(draw, 0, 1000)?)
        } else {
            None
        };
        let clip = match within {
            Some(within) => rule.next(initial, within)?,
            None => initial,
        };
        Ok(Self {
            terms: terms(clip)?,
            adaptive: Some((terms(initial)?, rule, within)),
        })
    }

    fn state(&self, manifest: &mut Manifest, terms: &JointTerms) {
        let text = |value: Decimal| value.to_string().into_bytes();
        manifest.clip = text(terms.clip()).into();
        manifest.update_clip = text(terms.update_clip()).into();
        if let Some(weighting) = terms.weighting() {
            manifest.weighting = 1;
            manifest.weight_cap = weighting.cap;
            manifest.weight_scale = text(weighting.scale).into();
        }
        let metrics = terms.metrics().map(ManifestMetrics::of);
        manifest.metrics = Vec::from_iter(metrics).into();
        let rule = self.adaptive.as_ref().map(|(_, rule, _)| rule);
        let clip = rule
            .zip(terms.count_scale())
            .map(|(rule, scale)| ManifestClip::of(rule, scale));
        manifest.adaptive_clip = Vec::from_iter(clip).into();
    }
}

fn state_records(manifest: &mut Manifest, terms: &RecordTerms, setting: &Setting) -> Result<(), Failure> {
    let (law, variance) = setting.noise.share();
    let counts = (
        setting.cohort.into(),
        setting.minimum_survivors.into(),
        setting.colluders.into(),
    );
    let share = NoiseShare::of_round(law, variance, counts, &setting.levels)?;
    manifest.unit = 1;
    manifest.sampling = terms.sampling().to_string().into_bytes().into();
    manifest.largest_records = terms.largest();
    manifest.expected_records = terms.expected();
    let (padded, cohort) = (manifest.padded, setting.cohort.into());
    let bits = Headroom::needed_bits_of(setting.grid, padded, &share, cohort, terms.largest())?;
    manifest.bits = bits.get();
    Ok(())
}
