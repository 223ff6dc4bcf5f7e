//! Shares of discrete noise added up by secure aggregation, after rounding.

use tacita_privacy::RoundedSensitivity;
use tacita_privacy::account::distributed::{DistributedRelease, ShareLaw};

use super::cases::refused;
use super::file::{Expect, Params};

fn sensitivity(params: &Params) -> Result<RoundedSensitivity, String> {
    let norm = params.number("clip")? * params.number("scale")?;
    let (padded, beta) = (params.small("padded_dimension")?, params.number("beta")?);
    RoundedSensitivity::new(norm, padded, beta).ok_or_else(|| "no sensitivity".to_owned())
}

fn release(params: &Params, law: ShareLaw, local_std: f64) -> Result<DistributedRelease, String> {
    Ok(DistributedRelease {
        law,
        sensitivity: sensitivity(params)?,
        padded: params.small("padded_dimension")?,
        shares: params.small("clients")?,
        share_std: local_std * params.number("scale")?,
    })
}

pub(crate) fn pipeline(params: &Params, expect: &Expect) -> Result<f64, String> {
    let (q, steps, delta) = (
        params.number("sampling_probability")?,
        params.whole("steps")?,
        params.number("delta")?,
    );
    if params.text("orders").is_some_and(|orders| orders != "GRID_B") {
        return Err("distributed noise is accounted for at integer orders only".to_owned());
    }
    let local_std = params.number("local_std")?;
    let of = |law| release(params, law, local_std);
    let epsilon = |law| -> Result<f64, String> {
        let curve = of(law)?.curve(q).map_err(refused)?;
        curve.times(steps).epsilon_bound(delta).map_err(refused)
    };
    let sum = of(ShareLaw::DiscreteGaussian)?.discrete_gaussians();
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("l2_sensitivity_int", "conditional_rounding") => Ok(sensitivity(params)?.l2),
        ("l1_sensitivity_int", "formula") => Ok(sensitivity(params)?.l1),
        ("tau", "formula") => Ok(sum.tau()),
        ("epsilon", "ddgauss_rdp") => epsilon(ShareLaw::DiscreteGaussian),
        ("epsilon", "skellam_rdp") => epsilon(ShareLaw::Skellam),
        ("rho", "ddgauss_single_round") => Ok(sum.rho(
            sensitivity(params)?.l2,
            f64::from(params.small("padded_dimension")?),
        )),
        _ => expect.unknown(),
    }
}

pub(crate) fn calibrate(params: &Params, expect: &Expect) -> Result<f64, String> {
    let law = match (expect.metric.as_str(), expect.method.as_str()) {
        ("local_std", "ddgauss") => ShareLaw::DiscreteGaussian,
        ("local_std", "skellam") => ShareLaw::Skellam,
        _ => return expect.unknown(),
    };
    let share_std = release(params, law, 1.0)?
        .smallest_share_std(
            params.number("epsilon")?,
            params.number("delta")?,
            params.number("sampling_probability")?,
            params.whole("steps")?,
        )
        .map_err(refused)?;
    Ok(share_std / params.number("scale")?)
}
