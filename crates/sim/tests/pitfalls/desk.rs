//! The desk of the server that looks at everything: what it can take out of the frames of a round by the formulas of the
//! spec, written from its text.

use std::collections::BTreeMap;

use hkdf::Hkdf;
use rand_core::{CryptoRng, SeedableRng as _};
use sha2::Sha256;
use tacita_algebra::{RingVector, SecretScalar, TaggedHash, shamir::Interpolator};
use tacita_protocol::mask::{Mask, Sign, apply};
use tacita_protocol::messages::{Advertise, ClientMessage, Reveal, RevealedShare, ServerMessage};
use tacita_protocol::{Hash, labels};
use tacita_sim::{CastMember, Plan, Report, Script, Stage, World, forge};

/// A round with all that went over the server's wires.
pub(crate) struct Seen {
    pub(crate) report: Report,
    /// The roster root, all zero if there was no roster.
    pub(crate) root: Hash,
    /// What each member was sent.
    pub(crate) shown: Vec<(usize, ServerMessage)>,
}

/// An honest round, watched.
pub(crate) fn watch(world: &mut World, plan: &Plan<'_>) -> Seen {
    let (mut root, mut shown) = ([0; 32], Vec::new());
    let mut look = Script::new().edit(|at, to, message| {
        if let Some(roster) = at.views[0].roster() {
            root = *roster.root();
        }
        shown.push((to, message.clone()));
    });
    let report = world.run(plan, &mut look).unwrap();
    drop(look);
    Seen { report, root, shown }
}

/// HKDF-SHA256 with 32 bytes of output.
pub(crate) fn derive(salt: &Hash, secret: &[u8], info: &Hash) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info, &mut out)
        .unwrap();
    out
}

/// The first coordinates of the mask of a stream key.
pub(crate) fn stream(key: &[u8; 32], like: &RingVector) -> RingVector {
    let mut vector = RingVector::zeros(like.bits(), like.len());
    apply(&mut vector, 0, &[Mask::new(key, Sign::Plus)]).unwrap();
    vector
}

/// Advertised keys of a member's own making, signed by its certificate.
pub(crate) fn advertise(
    member: &CastMember,
    manifest: &Hash,
    mask_key: [u8; 32],
    share_key: [u8; 32],
) -> Advertise {
    let fingerprint = &member.certificate.fingerprint;
    forge::advertise(
        &member.key,
        manifest,
        fingerprint,
        (mask_key, share_key),
        forge::ANY_KEM,
        [0; 32],
    )
}

impl Seen {
    /// All packed bytes of a member's upload.
    pub(crate) fn packed(&self, member: usize) -> Vec<u8> {
        packed(&self.report, member)
    }

    /// The masked vector of a member.
    pub(crate) fn upload(&self, member: usize) -> RingVector {
        let manifest = &self.report.manifest;
        let mut vector = RingVector::zeros(manifest.bits(), manifest.padded());
        vector
            .unpack_into(0, manifest.padded(), &self.packed(member))
            .unwrap();
        vector
    }

    /// Shares revealed of a dealer, by holder.
    pub(crate) fn shares_of(&self, dealer: u16) -> BTreeMap<u16, RevealedShare> {
        reveals(&self.report)
            .filter_map(|(holder, reveal)| {
                let share = reveal.shares.as_slice().iter().find(|s| s.dealer == dealer)?;
                Some((u16::try_from(holder).unwrap(), share.clone()))
            })
            .collect()
    }

    /// The secret of a dealer of which shares were revealed: of its self mask if it survived, of its mask key if not.
    pub(crate) fn rebuilt(&self, dealer: u16) -> SecretScalar {
        let shares = self.shares_of(dealer);
        interpolated(shares.iter().take(usize::from(self.report.manifest.threshold())))
    }

    /// Derive(R, s, H(label; M, R)).
    pub(crate) fn self_key(&self, secret: &[u8; 32]) -> [u8; 32] {
        let info = TaggedHash::new(labels::SELF_MASK)
            .bytes(self.report.manifest.digest())
            .bytes(&self.root)
            .finish();
        derive(&self.root, secret, &info)
    }

    /// The self mask of a survivor.
    pub(crate) fn self_mask(&self, member: usize) -> RingVector {
        let secret = self.rebuilt(u16::try_from(member).unwrap());
        stream(&self.self_key(&secret.to_bytes()), &self.upload(member))
    }

    /// What a member masked, noise included. The server does not know this; a test does.
    pub(crate) fn plain(&self, member: usize) -> RingVector {
        let encoded = self.report.clients[member].encoded.as_ref().unwrap();
        RingVector::from_signed(self.report.manifest.bits(), encoded)
    }
}

/// All packed bytes of a member's upload.
pub(crate) fn packed(report: &Report, member: usize) -> Vec<u8> {
    let chunks = sent(report, member).filter_map(|(_, message)| match message {
        ClientMessage::Chunk(chunk) => Some(chunk.packed.as_slice().to_vec()),
        _ => None,
    });
    chunks.flatten().collect()
}

/// What a member sent, in order.
pub(crate) fn sent(report: &Report, member: usize) -> impl Iterator<Item = (Stage, ClientMessage)> {
    report
        .sent
        .iter()
        .filter(move |sent| sent.from == member)
        .map(|sent| (sent.stage, sent.message().unwrap()))
}

/// The answers at Reveal, by holder.
pub(crate) fn reveals(report: &Report) -> impl Iterator<Item = (usize, Reveal)> {
    report.sent.iter().filter_map(|sent| match sent.message() {
        Ok(ClientMessage::Reveal(reveal)) => Some((sent.from, reveal)),
        _ => None,
    })
}

/// Interpolation at zero of shares by holder, whose abscissa is its index + 1.
pub(crate) fn interpolated<'a>(shares: impl Iterator<Item = (&'a u16, &'a RevealedShare)>) -> SecretScalar {
    let (abscissae, values): (Vec<u16>, Vec<SecretScalar>) = shares
        .map(|(holder, share)| {
            let value = SecretScalar::from_canonical_bytes(&share.value).unwrap();
            (holder + 1, value)
        })
        .unzip();
    let values: Vec<&SecretScalar> = values.iter().collect();
    Interpolator::new(&abscissae)
        .unwrap()
        .reconstruct(&values)
        .unwrap()
}

/// Whether some bytes occur in others.
pub(crate) fn occurs(needle: &[u8], hay: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

/// Bytes of chance for an attacker.
pub(crate) fn chance(seed: u64) -> impl CryptoRng {
    rand_chacha::ChaCha20Rng::seed_from_u64(seed)
}

/// 32 bytes of it.
pub(crate) fn random(rng: &mut impl CryptoRng) -> [u8; 32] {
    let mut out = [0; 32];
    rng.fill_bytes(&mut out);
    out
}
