//! Discrete laws in one dimension: probabilities, moments, exact divergences.

use tacita_privacy::account::conversion::ZeroConcentrated;
use tacita_privacy::account::law::{DiscreteLaw, LawTable};
use tacita_privacy::account::pld::LossDistribution;
use tacita_privacy::account::renyi::{self, DiscreteGaussianSum};
use tacita_privacy::account::{FineOrders, IntegerOrders};

use super::cases::refused;
use super::file::{Case, Expect, Params};
use super::gaussian::on_grid;

fn table(law: DiscreteLaw, reach: u64) -> Result<LawTable, String> {
    law.table(reach).map_err(refused)
}

pub(crate) fn discrete_gaussian(params: &Params, expect: &Expect) -> Result<f64, String> {
    params.only("dimension", 1.0)?;
    let (sigma, shift, steps) = (
        params.number("sigma")?,
        params.whole("shift")?,
        params.whole("steps")?,
    );
    let delta = params.number("delta")?;
    let law = DiscreteLaw::DiscreteGaussian { sigma };
    let rho = ZeroConcentrated::of_gaussian(sigma / shift as f64).map_err(refused)?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("epsilon", "exact_sum") => {
            params.only("steps", 1.0)?;
            table(law, 0)?.epsilon(shift, delta).map_err(refused)
        }
        ("epsilon", "pld") => {
            let losses =
                LossDistribution::discrete(law, shift, 1.0, steps, expect.step(), delta).map_err(refused)?;
            Ok(losses.epsilon(delta).map_err(refused)?.upper)
        }
        ("epsilon", "rdp") => on_grid(expect, |fine| {
            if fine {
                rho.curve::<FineOrders>().times(steps).epsilon_bound(delta)
            } else {
                rho.curve::<IntegerOrders>().times(steps).epsilon_bound(delta)
            }
            .map_err(refused)
        }),
        ("rho", "zcdp") => Ok(rho.times(steps).map_err(refused)?.rho()),
        _ => expect.unknown(),
    }
}

/// An order at which only integers are proved.
fn whole_order(expect: &Expect) -> Result<u32, String> {
    let order = expect.order()?;
    if order >= 2.0 && order.fract() == 0.0 && order < 1e6 {
        Ok(order as u32)
    } else {
        Err(format!("the bound is not proved at order {order}"))
    }
}

pub(crate) fn skellam_renyi(params: &Params, expect: &Expect) -> Result<f64, String> {
    params.only("dimension", 1.0)?;
    let (variance, shift) = (params.number("variance")?, params.whole("shift")?);
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("rdp", "exact_sum") => {
            let order = expect.order()?;
            let reach = (order * shift as f64) as u64 + (40.0 * variance.sqrt()) as u64 + 100;
            let law = DiscreteLaw::Skellam { variance };
            table(law, reach)?.divergence(order, shift).map_err(refused)
        }
        ("rdp", "skellam_bound") => {
            let (l2, l1) = (params.number("l2")?, params.number("l1")?);
            Ok(renyi::skellam(whole_order(expect)?, l2 * l2, l1, variance))
        }
        _ => expect.unknown(),
    }
}

pub(crate) fn sum_renyi(params: &Params, expect: &Expect) -> Result<f64, String> {
    params.only("dimension", 1.0)?;
    let sum = DiscreteGaussianSum {
        sigma: params.number("local_sigma")?,
        shares: params.small("clients")?,
    };
    let shift = params.whole("shift")?;
    // One coordinate: both norms are the shift.
    let norm = shift as f64;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("rdp", "exact_sum") => {
            let single = table(DiscreteLaw::DiscreteGaussian { sigma: sum.sigma }, 0)?;
            let all = single.sum_of(sum.shares).map_err(refused)?;
            all.divergence(expect.order()?, shift).map_err(refused)
        }
        ("rdp", "ddg_bound") => Ok(sum.rdp(expect.order()?, norm, norm, 1.0)),
        ("tau", "formula") => Ok(sum.tau()),
        ("rho", "ddg_bound") => Ok(sum.rho(norm, 1.0)),
        _ => expect.unknown(),
    }
}

pub(crate) fn pmf(case: &Case, expect: &Expect) -> Result<f64, String> {
    let law = if case.name == "skellam_pmf" {
        DiscreteLaw::Skellam {
            variance: case.params.number("variance")?,
        }
    } else {
        DiscreteLaw::DiscreteGaussian {
            sigma: case.params.number("sigma")?,
        }
    };
    let reach = expect.x.map_or(0, i64::unsigned_abs);
    let table = table(law, reach)?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("pmf", "exact" | "direct") => Ok(table.ln_probability(expect.x()?).exp()),
        ("variance", _) => Ok(table.moment(2)),
        ("fourth_moment", _) => Ok(table.moment(4)),
        ("two_sided_tail", _) => Ok(table.two_sided_tail(expect.x()?.unsigned_abs())),
        _ => expect.unknown(),
    }
}
