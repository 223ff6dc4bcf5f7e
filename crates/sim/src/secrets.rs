//! Secrets that a member is about to draw, drawn again from a copy of its generator: what the canaries are made of. The order
//! of draws is the protocol room's own; `attacks::checker` sees that what was drawn here is what members then reveal.

use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use tacita_algebra::{SecretScalar, TaggedHash, shamir};
use tacita_protocol::Hash;
use tacita_protocol::kem::KeyAgreement;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::RosterMessage;

use crate::forge;

/// What it is, and its bytes.
pub(crate) type Secret = (&'static str, [u8; 32]);

/// The seed of a layer of noise.
pub(crate) const LAYER: &str = "the seed of a layer of noise";
/// A dealt share.
pub(crate) const SHARE: &str = "a share";

/// What a member draws when it advertises: the mask secret first.
pub(crate) fn of_advertising(mut rng: ChaCha20Rng, agreement: KeyAgreement) -> Vec<Secret> {
    let mut out = vec![("a mask secret", *SecretScalar::random(&mut rng).to_bytes())];
    let mut draw = |what| {
        let mut bytes = [0u8; 32];
        rng.fill_bytes(&mut bytes);
        out.push((what, bytes));
    };
    draw("a share key");
    if agreement == KeyAgreement::Hybrid {
        draw("a share KEM key's seed");
        draw("a share KEM key's second seed");
    }
    out
}

/// What a member draws when it deals: the self-mask secret, its shares of that and of the mask secret, and what its boxes'
/// KEM ciphertexts are made from.
pub(crate) fn of_dealing(
    mut rng: ChaCha20Rng,
    manifest: &CheckedManifest,
    roster: &RosterMessage,
    own: &Hash,
    mask: &[u8; 32],
) -> Vec<Secret> {
    let own_secret = SecretScalar::random(&mut rng);
    let mut out = vec![("a self-mask secret", *own_secret.to_bytes())];
    let identities = forge::listed(roster, manifest.fields().cohort);
    let own = identities.iter().position(|identity| own.starts_with(identity));
    let own = own.and_then(|at| u16::try_from(at).ok());
    let listed = roster.entries.as_slice().iter().map(|entry| entry.index);
    let neighbours: Vec<u16> = listed.filter(|index| Some(*index) != own).collect();
    let mut abscissae: Vec<u16> = neighbours.iter().map(|index| index.saturating_add(1)).collect();
    if manifest.is_complete() {
        abscissae.extend(own.map(|own| own.saturating_add(1)));
        abscissae.sort_unstable();
    }
    let Ok(mask) = SecretScalar::from_canonical_bytes(mask) else {
        return out;
    };
    for secret in [&own_secret, &mask] {
        // A roster that the member refuses makes no shares.
        let threshold = usize::from(manifest.threshold());
        let Ok(shares) = shamir::split(secret, threshold, &abscissae, &mut rng) else {
            return out;
        };
        out.extend(shares.iter().map(|share| (SHARE, *share.to_bytes())));
    }
    if manifest.key_agreement() == KeyAgreement::Hybrid {
        for _ in neighbours {
            let mut bytes = [0u8; 32];
            rng.fill_bytes(&mut bytes);
            out.push(("a box's KEM randomness", bytes));
        }
    }
    out
}

/// The seeds of all layers of noise, from that of the first.
pub(crate) fn chain(manifest: &CheckedManifest, first: Hash) -> Vec<Hash> {
    let noise = manifest.noise();
    let count = noise.levels().map_or(0, |levels| levels.levels().len());
    let mut chain = vec![first];
    for (number, at) in (1u64..count as u64).zip(0usize..) {
        let next = chain
            .get(at)
            .map(|seed| TaggedHash::new("tacita/1 noise chain").u64(number).bytes(seed));
        chain.extend(next.map(TaggedHash::finish));
    }
    chain
}

/// Of a chain the seed of the first layer that is surplus among so many survivors.
pub(crate) fn surplus<'a>(manifest: &CheckedManifest, chain: &'a [Hash], survivors: u32) -> Option<&'a Hash> {
    let noise = manifest.noise();
    let first = noise.levels()?.first_surplus(survivors)?;
    chain.get(first.checked_sub(1)?)
}
