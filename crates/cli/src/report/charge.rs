//! One charge: what its manifest promised, what survived, and how the accountant takes it.

use tacita_ledger::entry::{Adjacency, Charge, Manifest, Mechanism, Unit};
use tacita_privacy::{
    Adversary, Decimal, Encoding, Headroom, IntegerSensitivity, NoiseError, NoiseShare, Release,
    parse_dropouts,
};

use super::model::{NoReport, Round, Spent};

/// Noise per coordinate is written in units of 2^-16 squared grid steps.
const Q16: u128 = 1 << 16;

/// The noise of one charge as the accountant takes it.
#[derive(Debug)]
pub(super) struct Noise {
    pub(super) delta: Option<Decimal>,
    /// Of a whole share, and of what a survivor keeps of it.
    pub(super) share_variance_q16: u64,
    pub(super) kept_variance_q16: u64,
    pub(super) share: Option<NoiseShare>,
    pub(super) server: Option<Release>,
    pub(super) public: Option<Release>,
}

/// Turns a charge into what the accountant takes, or says which field is missing or out of its range.
pub(super) fn account(entry: u64, manifest: &Manifest, charge: &Charge) -> Result<Noise, NoReport> {
    let field = |field| NoReport::Field {
        entry,
        task: manifest.task.clone(),
        round: manifest.round,
        field,
    };
    // The accountant covers exactly these; another relation in an entry, or a sampling of clients, must not pass for one.
    let sampling: Option<Decimal> = match (manifest.unit, manifest.adjacency, &manifest.sampling) {
        (Unit::Client, Adjacency::ZeroOut, None) => None,
        (Unit::Record, Adjacency::AddRemove, Some(q)) => {
            let q: Decimal = q.parse().map_err(|_| field("sampling"))?;
            Some(q).filter(|q| !q.is_zero() && *q <= Decimal::ONE)
        }
        (Unit::Client, Adjacency::ZeroOut, Some(_)) | (Unit::Record, Adjacency::AddRemove, None) => {
            return Err(field("sampling"));
        }
        _ => return Err(field("adjacency")),
    };
    if sampling.is_none() && manifest.unit == Unit::Record {
        return Err(field("sampling"));
    }
    if manifest.mechanism == Mechanism::None {
        return Ok(Noise {
            delta: None,
            share_variance_q16: 0,
            kept_variance_q16: 0,
            share: None,
            server: None,
            public: None,
        });
    }
    let delta = manifest.budget_delta.as_ref().ok_or(NoReport::Missing {
        entry,
        task: manifest.task.clone(),
        round: manifest.round,
        field: "budget_delta",
    })?;
    let delta: Decimal = delta.parse().map_err(|_| field("budget_delta"))?;
    if delta.is_zero() || delta.to_f64() >= 1.0 {
        return Err(field("budget_delta"));
    }
    let narrow = |value: u64, name| u32::try_from(value).map_err(|_| field(name));
    let grid = narrow(manifest.grid, "grid")?;
    let dimension = narrow(manifest.dimension, "dimension")?;
    let padded = narrow(manifest.padded, "padded")?;
    if grid > Encoding::MAX_GRID {
        return Err(field("grid"));
    }
    if dimension > Encoding::MAX_DIMENSION || !Encoding::can_pad(dimension, padded) {
        return Err(field("padded"));
    }
    let share_variance_q16: u64 = manifest
        .share_variance_q16
        .parse()
        .map_err(|_| field("share_variance_q16"))?;
    let colluders = narrow(manifest.colluders, "colluders")?;
    let survivors = narrow(charge.survivor_count, "survivor_count")?;
    let cohort = narrow(manifest.cohort, "cohort")?;
    let dropouts = match &manifest.noise_levels {
        None => Vec::new(),
        Some(levels) => parse_dropouts(levels).ok_or(field("noise_levels"))?,
    };
    let counts = (
        cohort,
        narrow(manifest.minimum_survivors, "minimum_survivors")?,
        colluders,
    );
    let noise = NoiseShare::of_round(law(manifest.mechanism), share_variance_q16, counts, &dropouts)
        .map_err(|error| match error {
            NoiseError::Levels(_) => field("noise_levels"),
            _ => field("share_variance_q16"),
        })?;
    // Surplus counts as gone, whether it was revealed or not.
    let kept_variance_q16 = noise.kept_variance_q16(survivors);
    // What survived must carry what was planned; the rules of entries and levels give that, and a report rests on it.
    let honest = |count: u64| u128::from(count.saturating_sub(manifest.colluders));
    let present = u128::from(kept_variance_q16).saturating_mul(honest(charge.survivor_count));
    let planned = u128::from(share_variance_q16).saturating_mul(honest(manifest.minimum_survivors));
    if present < planned {
        return Err(NoReport::UnderPlan {
            entry,
            task: manifest.task.clone(),
            round: manifest.round,
        });
    }
    let release = |adversary: Adversary| {
        let honest = adversary.honest_shares(survivors)?;
        let whole = Release::of_integers((grid, padded), &noise, honest, cohort)?.of_records(sampling);
        Some(whole.of_survivors(&noise, honest, survivors))
    };
    Ok(Noise {
        delta: Some(delta),
        share_variance_q16,
        kept_variance_q16,
        share: Some(noise),
        server: release(Adversary::Server { colluders }),
        public: release(Adversary::Public),
    })
}

fn law(mechanism: Mechanism) -> tacita_privacy::Mechanism {
    match mechanism {
        Mechanism::None => tacita_privacy::Mechanism::None,
        Mechanism::Skellam => tacita_privacy::Mechanism::Skellam,
        Mechanism::DiscreteGaussian => tacita_privacy::Mechanism::DiscreteGaussian,
    }
}

pub(super) fn row(entry: u64, manifest: &Manifest, charge: &Charge, noise: &Noise, spent: Spent) -> Round {
    let shares = |count: u64| u128::from(noise.kept_variance_q16).saturating_mul(u128::from(count));
    let honest = u128::from(manifest.minimum_survivors.saturating_sub(manifest.colluders));
    let planned = u128::from(noise.share_variance_q16).saturating_mul(honest);
    let present = shares(charge.survivor_count.saturating_sub(manifest.colluders));
    // With noise, `account` has bounded both.
    let sensitivity = match (u32::try_from(manifest.grid), u32::try_from(manifest.padded)) {
        (Ok(grid), Ok(padded)) => Some(IntegerSensitivity::after_rounding(grid, padded)),
        _ => None,
    };
    Round {
        entry,
        task: manifest.task.clone(),
        round: charge.round,
        round_id: charge.round_id.clone(),
        time: charge.time,
        repeated: false,
        cohort: manifest.cohort,
        roster: charge.roster_size,
        survivors: charge.survivor_count,
        minimum_survivors: manifest.minimum_survivors,
        colluders: manifest.colluders,
        quorum: manifest.quorum,
        planned_rounds: manifest.planned_rounds,
        budget_epsilon: manifest.budget_epsilon.clone(),
        statement: charge.statement.clone(),
        mechanism: manifest.mechanism,
        unit: manifest.unit,
        adjacency: manifest.adjacency,
        sampling: manifest.sampling.clone(),
        largest_records: manifest.largest_records,
        dimension: manifest.dimension,
        padded: manifest.padded,
        bits: manifest.bits,
        clip: manifest.clip.clone(),
        update_clip: manifest.update_clip.clone(),
        metrics: manifest.metrics.clone(),
        clip_rule: manifest.clip_rule.clone(),
        count_scale: manifest.count_scale.clone(),
        grid: manifest.grid,
        needed_bits: needed_bits(manifest, noise),
        noise_levels: manifest.noise_levels.clone(),
        left_epsilon: left(manifest.budget_epsilon.as_deref(), spent.epsilon_server),
        squared_l2_sensitivity: sensitivity.map(|sensitivity| sensitivity.squared_l2.to_string()),
        l1_sensitivity: sensitivity.map(|sensitivity| sensitivity.l1.to_string()),
        share_variance_q16: manifest.share_variance_q16.clone(),
        kept_variance_q16: noise.kept_variance_q16.to_string(),
        planned_variance_q16: planned.to_string(),
        present_variance_q16: present.to_string(),
        present_variance_public_q16: shares(charge.survivor_count.saturating_sub(1)).to_string(),
        planned_noise_multiplier: noise_multiplier(planned, manifest.grid),
        present_noise_multiplier: noise_multiplier(present, manifest.grid),
        spent,
        outcome: None,
    }
}

/// The ring that the sum needs so as not to wrap but with probability 2^-40, worst case over clients.
fn needed_bits(manifest: &Manifest, noise: &Noise) -> Option<u8> {
    let narrow = |value: u64| u32::try_from(value).ok();
    let (grid, padded) = (narrow(manifest.grid)?, narrow(manifest.padded)?);
    let share = noise.share?;
    let vectors = narrow(manifest.largest_records.unwrap_or(1))?;
    let bits = Headroom::needed_bits_of(grid, padded, &share, narrow(manifest.cohort)?, vectors);
    bits.ok().map(|bits| bits.get())
}

/// A budget less what is spent, in millionths rounded down; `None` without both, 0 when it is passed.
pub(super) fn left(budget: Option<&str>, spent: Option<Decimal>) -> Option<String> {
    let left = micros(budget?)?.saturating_sub(micros(&spent?.to_string())?);
    let text = format!("{}.{:06}", left / 1_000_000, left % 1_000_000);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

/// Millionths of a plain decimal, rounded down; what was spent is a whole number of them.
fn micros(decimal: &str) -> Option<u128> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole: u128 = whole.parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?)
}

/// Standard deviation over the clip norm, rounded down to four places: sqrt(V / 2^16) / S.
fn noise_multiplier(variance_q16: u128, grid: u64) -> String {
    let grid = u128::from(grid.max(1));
    let squared = variance_q16.saturating_mul(100_000_000) / Q16.saturating_mul(grid.saturating_mul(grid));
    let root = squared.isqrt();
    format!("{}.{:04}", root / 10_000, root % 10_000)
}
