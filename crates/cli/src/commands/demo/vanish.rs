//! Who drops out, when: a function of seed and round alone.

use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tacita_client::Moment;

use super::plan::Plan;

/// The moment at which `name` vanishes in `round`, if it does.
pub(crate) fn moment(seed: u64, clients: u16, vanishing: u16, name: &str, round: u32) -> Option<Moment> {
    const MOMENTS: [Moment; 4] = [
        Moment::AfterAdvertise,
        Moment::AfterShare,
        Moment::AfterUpload,
        Moment::AfterSign,
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (u64::from(round) << 32));
    let mut order: Vec<u16> = (0..clients).collect();
    order.shuffle(&mut rng);
    let mut found = None;
    for index in order.into_iter().take(usize::from(vanishing)) {
        let moment = MOMENTS[rng.random_range(0..MOMENTS.len())];
        if Plan::client_name(index) == name {
            found = Some(moment);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asked_number_vanishes_and_not_always_the_same() {
        let gone = |round| -> Vec<String> {
            let names = (0..50).map(Plan::client_name);
            names
                .filter(|name| moment(7, 50, 10, name, round).is_some())
                .collect()
        };
        assert_eq!((gone(1).len(), gone(2).len()), (10, 10));
        assert_ne!(gone(1), gone(2));
        assert_eq!(gone(1), gone(1));
    }
}
