//! Which function of the library gives which value.

use tacita_privacy::account::conversion::ZeroConcentrated;
use tacita_privacy::account::tree;
use tacita_privacy::audit::{OneRun, one_shot_estimate};
use tacita_privacy::{ClipNoiseSplit, DynamicRange, NoiseComponents};

use super::file::{Case, Expect, Params};
use super::{distributed, gaussian, laws};

/// The value that the library gives for one expectation.
pub(crate) fn value(case: &Case, expect: &Expect) -> Result<f64, String> {
    let params = &case.params;
    match case.name.as_str() {
        "gaussian_composed" | "gaussian_delta_of_epsilon" => {
            gaussian::plain(params, "sensitivity", case, expect)
        }
        "gaussian_composed_replace" => gaussian::plain(params, "clip", case, expect),
        "poisson_gaussian" => gaussian::poisson(params, case, expect),
        "fixed_size_gaussian" => gaussian::fixed_size(params, case, expect),
        "heterogeneous_composition" => gaussian::heterogeneous(params, case, expect),
        "calibrate_gaussian" | "calibrate_poisson_gaussian" => gaussian::calibrate(params, case, expect),
        "discrete_gaussian_exact" | "discrete_gaussian_composed" => laws::discrete_gaussian(params, expect),
        "skellam_renyi" => laws::skellam_renyi(params, expect),
        "sum_of_discrete_gaussians_renyi" => laws::sum_renyi(params, expect),
        "discrete_gaussian_pmf" | "skellam_pmf" => laws::pmf(case, expect),
        "ddp_pipeline_epsilon" => distributed::pipeline(params, expect),
        "calibrate_ddp_local_std" => distributed::calibrate(params, expect),
        "tree_aggregation_single_epoch" => tree_aggregation(params, expect),
        "one_run_audit" => one_run(params, expect),
        "one_shot_cosine_estimate" => one_shot(params, expect),
        "zcdp_to_epsilon" => zcdp(params, expect),
        "scale_from_bits" => scale(params, expect),
        "xnoise_components" => components(params, expect),
        "adaptive_clip_noise_split" => clip_split(params, expect),
        _ => Err("unknown case".to_owned()),
    }
}

/// Refusals of the library as text.
pub(crate) fn refused(error: impl std::fmt::Display) -> String {
    format!("refused: {error}")
}

fn tree_aggregation(params: &Params, expect: &Expect) -> Result<f64, String> {
    params.only("participations", 1.0)?;
    let steps = params.whole("steps")?;
    let privacy = tree::single_participation(params.number("noise_multiplier")?, steps).map_err(refused)?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("tree_height", "formula") => tree::height(steps).map(f64::from).map_err(refused),
        ("epsilon", "analytic") => privacy.epsilon(params.number("delta")?).map_err(refused),
        ("epsilon", "rdp") => {
            let curve = ZeroConcentrated::from(privacy);
            gaussian::on_grid(expect, |fine| {
                let delta = params.number("delta")?;
                if fine {
                    curve
                        .curve::<tacita_privacy::account::FineOrders>()
                        .epsilon_bound(delta)
                } else {
                    curve
                        .curve::<tacita_privacy::account::IntegerOrders>()
                        .epsilon_bound(delta)
                }
                .map_err(refused)
            })
        }
        _ => expect.unknown(),
    }
}

fn one_run(params: &Params, expect: &Expect) -> Result<f64, String> {
    let run = OneRun::new(
        params.small("canaries")?,
        params.small("guesses")?,
        params.small("correct")?,
        params.number("delta")?,
    )
    .map_err(refused)?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("epsilon", "one_run_lower_bound") => {
            run.lower_bound(params.number("significance")?).map_err(refused)
        }
        ("p_value", method) => match method.strip_prefix("at_epsilon_").map(str::parse) {
            Some(Ok(epsilon)) => Ok(run.p_value(epsilon)),
            _ => expect.unknown(),
        },
        _ => expect.unknown(),
    }
}

fn one_shot(params: &Params, expect: &Expect) -> Result<f64, String> {
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("epsilon", "estimate") => one_shot_estimate(
            params.number("observed_mean")?,
            params.number("observed_std")?,
            params.number("null_std")?,
            params.number("delta")?,
        )
        .map_err(refused),
        _ => expect.unknown(),
    }
}

fn zcdp(params: &Params, expect: &Expect) -> Result<f64, String> {
    let rho = ZeroConcentrated::new(params.number("rho")?).map_err(refused)?;
    let delta = params.number("delta")?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("epsilon", "optimised_rdp") => rho.epsilon(delta).map_err(refused),
        ("epsilon", "classic") => rho.epsilon_classic(delta).map_err(refused),
        _ => expect.unknown(),
    }
}

fn scale(params: &Params, expect: &Expect) -> Result<f64, String> {
    let range = DynamicRange {
        clients: params.small("clients")?,
        clip: params.number("clip")?,
        padded: params.small("padded_dimension")?,
        local_std: params.number("local_std")?,
        flatness: params.number("flatness")?,
        deviations: params.number("k")?,
    };
    let bits = u8::try_from(params.small("bits")?).map_err(|error| error.to_string())?;
    let scale = range.scale(bits).ok_or("no scale fits these bits");
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("scale", "formula") => Ok(scale?),
        ("aggregate_coordinate_std", "formula") => Ok(range.aggregate_std(scale?)),
        ("wrap_probability_per_coordinate", "gaussian_tail") => Ok(range.wrap_estimate()),
        ("wrap_probability_per_coordinate", "subgaussian_bound") => Ok(range.wrap_bound_subgaussian()),
        _ => expect.unknown(),
    }
}

fn components(params: &Params, expect: &Expect) -> Result<f64, String> {
    let max_dropout = params.small("max_dropout")?;
    let target = params.number("target_variance")?;
    let noise =
        NoiseComponents::new(params.small("sampled")?, max_dropout, target).ok_or("not a valid cohort")?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("base_variance_per_client", "formula") => Ok(noise.base()),
        ("component_variance", "formula") => {
            let index = expect.index.ok_or("the expectation names no component")?;
            noise
                .component(index)
                .ok_or_else(|| format!("no component {index}"))
        }
        ("variance_per_client_before_removal", "formula") => Ok(noise.per_client()),
        // The one that is furthest off.
        ("aggregate_variance_after_removal", "invariant") => (0..=max_dropout)
            .filter_map(|dropouts| noise.aggregate_after_removal(dropouts))
            .max_by(|a, b| (a - target).abs().total_cmp(&(b - target).abs()))
            .ok_or_else(|| "no drop-outs to look at".to_owned()),
        _ => expect.unknown(),
    }
}

fn clip_split(params: &Params, expect: &Expect) -> Result<f64, String> {
    let count_std = match params.number("count_std") {
        Ok(given) => given,
        Err(_) => ClipNoiseSplit::usual_count_std(params.small("expected_clients")?),
    };
    let total = params.number("total_noise_multiplier")?;
    let split = ClipNoiseSplit::of_total(total, count_std).ok_or("the count alone takes the whole budget")?;
    match (expect.metric.as_str(), expect.method.as_str()) {
        ("value_noise_multiplier", "formula") => Ok(split.value_noise_multiplier()),
        ("total_noise_multiplier", "recombined") => Ok(split.total_noise_multiplier()),
        _ => expect.unknown(),
    }
}
