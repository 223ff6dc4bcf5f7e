//! Gaussian schedules: plain, sampled, mixed, and the noise that a target needs.

use tacita_privacy::Adjacency;
use tacita_privacy::account::calibration::{self, Accountant};
use tacita_privacy::account::pld::LossDistribution;
use tacita_privacy::account::schedule::{GaussianRounds, GaussianSchedule, Sampling};
use tacita_privacy::account::{FineOrders, IntegerOrders};

use super::cases::refused;
use super::file::{Case, Expect, Params};

/// The relation of the case.
fn adjacency(case: &Case) -> Result<Adjacency, String> {
    match case.adjacency.as_str() {
        "add_remove_one" => Ok(Adjacency::AddRemove),
        "zero_out_one" => Ok(Adjacency::ZeroOut),
        "replace_one" => Ok(Adjacency::ReplaceOne),
        other => Err(format!("unknown adjacency {other}")),
    }
}

/// Evaluates on the grid that the expectation names; the fine one if it names none.
pub(crate) fn on_grid(
    expect: &Expect,
    evaluate: impl Fn(bool) -> Result<f64, String>,
) -> Result<f64, String> {
    match expect.orders.as_deref() {
        None | Some("GRID_A") => evaluate(true),
        Some("GRID_B") => evaluate(false),
        Some(other) => Err(format!("unknown orders {other}")),
    }
}

fn answer(schedule: &GaussianSchedule, params: &Params, expect: &Expect) -> Result<f64, String> {
    let (delta, epsilon) = (params.number("delta"), params.number("epsilon"));
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("epsilon", "rdp" | "rdp_wor") => on_grid(expect, |fine| {
            let delta = delta.clone()?;
            if fine {
                schedule.curve::<FineOrders>().epsilon_bound(delta)
            } else {
                schedule.curve::<IntegerOrders>().epsilon_bound(delta)
            }
            .map_err(refused)
        }),
        ("delta", "rdp") => on_grid(expect, |fine| {
            let epsilon = epsilon.clone()?;
            if fine {
                schedule.curve::<FineOrders>().delta_bound(epsilon)
            } else {
                schedule.curve::<IntegerOrders>().delta_bound(epsilon)
            }
            .map_err(refused)
        }),
        ("epsilon", "pld") => {
            let delta = delta?;
            let losses = LossDistribution::gaussian(schedule, expect.step(), delta).map_err(refused)?;
            Ok(losses.epsilon(delta).map_err(refused)?.upper)
        }
        ("delta", "pld") => {
            let losses = LossDistribution::gaussian(schedule, expect.step(), 1e-15).map_err(refused)?;
            Ok(losses.delta(epsilon?).map_err(refused)?.upper)
        }
        ("epsilon" | "delta" | "mu", "analytic" | "gdp") => {
            let privacy = schedule
                .unsampled()
                .filter(|_| schedule.sampled().count() == 0)
                .ok_or("no exact value with sampling")?;
            match expect.metric.as_str() {
                "epsilon" => privacy.epsilon(delta?).map_err(refused),
                "delta" => privacy.delta(epsilon?).map_err(refused),
                _ => Ok(privacy.mu()),
            }
        }
        _ => expect.unknown(),
    }
}

fn rounds(noise_multiplier: f64, sampling: Sampling, count: u64) -> GaussianRounds {
    GaussianRounds {
        noise_multiplier,
        sampling,
        count,
    }
}

/// Standard deviation in units of `unit`, which under replace-one is the clip norm: half of the sensitivity.
pub(crate) fn plain(params: &Params, unit: &str, case: &Case, expect: &Expect) -> Result<f64, String> {
    let adjacency = adjacency(case)?;
    let norms = f64::from(adjacency.norms());
    // A noise multiplier over the clip norm, or over a sensitivity that already is that of the relation.
    let multiplier = params.number("noise_multiplier")? / if unit == "clip" { norms } else { 1.0 };
    let plain = rounds(multiplier, Sampling::Everyone, params.whole("steps")?);
    let schedule = GaussianSchedule::new(vec![plain], adjacency).map_err(refused)?;
    answer(&schedule, params, expect)
}

pub(crate) fn poisson(params: &Params, case: &Case, expect: &Expect) -> Result<f64, String> {
    let sampling = Sampling::Poisson(params.number("sampling_probability")?);
    let one = rounds(
        params.number("noise_multiplier")?,
        sampling,
        params.whole("steps")?,
    );
    let schedule = GaussianSchedule::new(vec![one], adjacency(case)?).map_err(refused)?;
    answer(&schedule, params, expect)
}

pub(crate) fn fixed_size(params: &Params, case: &Case, expect: &Expect) -> Result<f64, String> {
    if params.text("sensitivity") != Some("replace") {
        return Err("noise over another sensitivity than that of replacing is not known".to_owned());
    }
    let sampling = Sampling::FixedSize {
        cohort: params.whole("cohort")?,
        population: params.whole("population")?,
    };
    let one = rounds(
        params.number("noise_multiplier")?,
        sampling,
        params.whole("steps")?,
    );
    let schedule = GaussianSchedule::new(vec![one], adjacency(case)?).map_err(refused)?;
    answer(&schedule, params, expect)
}

pub(crate) fn heterogeneous(params: &Params, case: &Case, expect: &Expect) -> Result<f64, String> {
    let kinds: Result<Vec<_>, String> = params
        .list("rounds")?
        .iter()
        .map(|round| {
            let sampling = Sampling::Poisson(round.number("sampling_probability")?);
            Ok(rounds(
                round.number("noise_multiplier")?,
                sampling,
                round.whole("count")?,
            ))
        })
        .collect();
    let schedule = GaussianSchedule::new(kinds?, adjacency(case)?).map_err(refused)?;
    let value = answer(&schedule, params, expect)?;
    // The order of rounds must not matter, beyond the last digits of sums.
    let mut backwards = schedule.rounds().to_vec();
    backwards.reverse();
    let backwards = GaussianSchedule::new(backwards, adjacency(case)?).map_err(refused)?;
    let again = answer(&backwards, params, expect)?;
    if (value / again - 1.0).abs() > 1e-9 {
        return Err(format!("{value} in this order of rounds, {again} in the other"));
    }
    Ok(value)
}

pub(crate) fn calibrate(params: &Params, case: &Case, expect: &Expect) -> Result<f64, String> {
    let accountant = match (expect.metric.as_str(), expect.method.as_str()) {
        ("sigma", "analytic") => Accountant::Exact,
        ("sigma", "pld") => Accountant::LossDistribution { step: expect.step() },
        ("sigma", "rdp") => Accountant::Renyi,
        _ => return expect.unknown(),
    };
    let multiplier = calibration::gaussian(
        accountant,
        params.number("epsilon")?,
        params.number("delta")?,
        Sampling::Poisson(params.number("sampling_probability")?),
        params.whole("steps")?,
        adjacency(case)?,
    )
    .map_err(refused)?;
    let sensitivity = params.number("sensitivity")?;
    // The grid decides which multiplier is the smallest that is known to be enough.
    on_grid(expect, |fine| {
        if fine || accountant != Accountant::Renyi {
            Ok(multiplier * sensitivity)
        } else {
            Err("calibration on the integer grid is not known".to_owned())
        }
    })
}
