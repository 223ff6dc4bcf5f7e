//! Suspect pairs in the log: a dishonest dealer that no share convicts can only be found by them.

use std::cmp::Reverse;
use std::collections::HashMap;

use tacita_protocol::roster::Roster;

use crate::phases::name_of;

/// Pairs of one round that the log has one by one.
const MAX_LISTED: usize = 64;

/// Lists the pairs whose box did not open, as the holders reported with their uploads. They blame nobody: the dealer may have
/// spoiled the box, or the holder only says so.
pub(crate) fn list(roster: &Roster, suspects: &[(u16, u16)]) {
    let (listed, more) = chosen(suspects);
    for (dealer, holder) in listed {
        let (dealer, holder) = (name_of(roster, dealer), name_of(roster, holder));
        tracing::warn!(%dealer, %holder, "suspect pair: a box did not open, which blames nobody");
    }
    if more > 0 {
        tracing::warn!(more, "suspect pairs that are not listed");
    }
}

/// Those that are listed, and how many are not. Dealers with most boxes that did not open come first: their secrets are the ones
/// that may be missing, and a holder that suspects everybody does not hide them.
fn chosen(suspects: &[(u16, u16)]) -> (Vec<(u16, u16)>, usize) {
    let mut boxes: HashMap<u16, usize> = HashMap::new();
    for (dealer, _) in suspects {
        *boxes.entry(*dealer).or_default() += 1;
    }
    let mut pairs = suspects.to_vec();
    pairs.sort_by_key(|(dealer, holder)| (Reverse(boxes.get(dealer).copied()), *dealer, *holder));
    let more = pairs.len().saturating_sub(MAX_LISTED);
    pairs.truncate(MAX_LISTED);
    (pairs, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_suspects_everybody_does_not_hide_a_dealer_that_many_suspect() {
        // Holder 7 suspects all others; holders 900 to 902 did not get what dealer 500 dealt.
        let everybody = (0..600).filter(|dealer| *dealer != 7).map(|dealer| (dealer, 7));
        let mut suspects: Vec<(u16, u16)> = everybody.collect();
        suspects.extend([(500, 901), (500, 900), (500, 902)]);
        let (listed, more) = chosen(&suspects);
        assert_eq!(
            listed[..5],
            [(500, 7), (500, 900), (500, 901), (500, 902), (0, 7)]
        );
        assert_eq!((listed.len(), more), (MAX_LISTED, 599 + 3 - MAX_LISTED));
        assert_eq!(chosen(&suspects[..3]), (suspects[..3].to_vec(), 0));
        assert_eq!(chosen(&[]), (Vec::new(), 0));
    }
}
