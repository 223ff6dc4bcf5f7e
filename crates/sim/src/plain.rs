//! The plain addition: what a round must come to, computed from the integers that each client masked.

use crate::report::{Report, Sum};

/// The sum, in the open, of what `survivors` masked; `None` if one of them masked nothing.
pub fn plain_sum(report: &Report, survivors: &[usize]) -> Option<Vec<i64>> {
    let mut total = vec![0i64; report.manifest.padded()];
    for member in survivors {
        let encoded = report.clients.get(*member)?.encoded.as_ref()?;
        for (sum, value) in total.iter_mut().zip(encoded) {
            *sum = sum.wrapping_add(*value);
        }
    }
    Some(total)
}

/// Whether a sum is exactly that of its own survivors.
pub fn is_exact(report: &Report, sum: &Sum) -> bool {
    plain_sum(report, &sum.survivors).is_some_and(|plain| plain == sum.values)
}

/// How often each coordinate was counted when members contribute [`crate::Setting::unit_update`] and nobody adds
/// noise: the decoded sum, rounded. A member counted twice shows as a 2, one left out as a 0.
pub fn counts(sum: &Sum) -> Option<Vec<i64>> {
    let scale = sum.survivors.len() as f32;
    Some(
        sum.mean
            .as_ref()?
            .iter()
            .map(|mean| (mean * scale).round() as i64)
            .collect(),
    )
}
