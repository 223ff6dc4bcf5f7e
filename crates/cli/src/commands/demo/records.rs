//! The terms of the record unit for embedded data, whose numbers of records everybody knows.

use tacita_learn::{EmbeddedData, Federation, Partition};
use tacita_privacy::{Decimal, RecordTerms};

use super::{DemoArgs, Unit};
use crate::output::usage;

/// Standard deviations of the largest client's sample that the ring has room for.
const ROOM: f64 = 4.0;

/// The terms; `None` in the client unit.
pub(super) fn of(args: &DemoArgs, data: EmbeddedData, clients: u16) -> anyhow::Result<Option<RecordTerms>> {
    if args.unit == Unit::Client {
        return match args.sampling {
            None => Ok(None),
            Some(_) => Err(usage(
                "--sampling: the server picks the cohort, so no sampling of clients can be credited; records are sampled with --unit record",
            )),
        };
    }
    let sampling = match args.sampling {
        Some(sampling) => sampling,
        None => Decimal::new(3, 1)?,
    };
    let split: Partition = args.split.name().parse()?;
    let federation = Federation::embedded(data, usize::from(clients), split, args.seed)?;
    let sizes = federation.members.iter().map(|member| member.train.rows() as f64);
    let q = sampling.to_f64();
    let expected = q * sizes.clone().sum::<f64>();
    let most = sizes.fold(0.0, f64::max);
    let largest = (q * most + ROOM * (q * (1.0 - q).max(0.0) * most).sqrt())
        .ceil()
        .min(most);
    // Both below the rows of a data set, 2^26.
    let terms = RecordTerms::new(
        sampling,
        (largest as u32).max(1),
        (expected.round() as u32).max(1),
    );
    terms
        .map(Some)
        .map_err(|error| usage(format!("--sampling: {error}")))
}
