//! Gathering: advertisements come in until the cohort is full or the deadline passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_identity::DenyList;

use super::Sharing;
use crate::Hash;
use crate::keys::is_small_order;
use crate::manifest::CheckedManifest;
use crate::messages::Advertise;
use crate::refusal::{Abort, Refusal, RoundError};
use crate::roster::{Member, Roster, identity_width};
use crate::spool::Stash;

/// Step 2 at the server.
pub struct Gathering {
    manifest: Arc<CheckedManifest>,
    joined: BTreeMap<Hash, (Member, Advertise)>,
}

impl Gathering {
    /// Opens a round for a checked manifest.
    #[must_use]
    pub fn open(manifest: Arc<CheckedManifest>) -> Self {
        Self {
            manifest,
            joined: BTreeMap::new(),
        }
    }

    /// Takes one advertisement from the member of an authenticated connection. One name joins once, whatever
    /// certificates it holds.
    ///
    /// # Errors
    /// [`Refusal::CohortFull`], [`Refusal::Changed`], [`Refusal::Roster`], [`Refusal::AdvertisementSignature`], [`Refusal::WeakKey`] or
    /// [`Refusal::KemKey`].
    pub fn handle_advertise(&mut self, member: Member, message: Advertise) -> Result<(), Refusal> {
        let identity = member.certificate.identity.0;
        if let Some((known, first)) = self.joined.get(&identity) {
            let same = *first == message && known.certificate.fingerprint == member.certificate.fingerprint;
            return if same { Ok(()) } else { Err(Refusal::Changed) };
        }
        if self.is_full() {
            return Err(Refusal::CohortFull);
        }
        // Where the list has prefixes no two may be the same; a name that begins like a given one takes 2^64 tries.
        let prefix = identity
            .get(..identity_width(self.manifest.fields().cohort))
            .unwrap_or(&identity);
        let next = self.joined.range(padded(prefix)..).next();
        if next.is_some_and(|(other, _)| other.starts_with(prefix)) {
            return Err(Refusal::Roster("an identity that begins so is in it"));
        }
        if !message.verify(self.manifest.digest(), &member.certificate) {
            return Err(Refusal::AdvertisementSignature(u16::MAX));
        }
        // Every neighbour would refuse the roster (TAC-026): one member must not end the round for all of them.
        if is_small_order(&message.mask_key) || is_small_order(&message.share_key) {
            return Err(Refusal::WeakKey(u16::MAX));
        }
        if !message.has_kem_keys(self.manifest.key_agreement()) {
            return Err(Refusal::KemKey(u16::MAX));
        }
        self.joined.insert(identity, (member, message));
        Ok(())
    }

    /// Turns away members whose certificate is revoked, not valid at `now` or expired by `until` (unix seconds): every
    /// neighbour would refuse the whole roster for it (TAC-024), and whoever is shown its signature in step 8 would refuse
    /// the quorum (TAC-057). To be called at the roster, before [`Gathering::close`].
    pub fn screen(&mut self, deny: &DenyList, now: u64, until: u64) -> Vec<(Member, Refusal)> {
        let refused = |member: &Member| {
            let certificate = &member.certificate;
            let why = if deny.is_revoked(certificate) {
                "is revoked"
            } else if now < certificate.not_before || now.max(until) > certificate.not_after {
                "is not valid for the whole round"
            } else {
                return None;
            };
            let text = format!("'{}' {why}", certificate.name);
            Some(Refusal::Certificate(u16::MAX, text))
        };
        let mut turned = Vec::new();
        self.joined.retain(|_, (member, _)| match refused(member) {
            Some(refusal) => {
                turned.push((member.clone(), refusal));
                false
            }
            None => true,
        });
        turned
    }

    /// Whether n members advertised.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.joined.len() >= usize::from(self.manifest.fields().cohort)
    }

    /// How many advertised.
    #[must_use]
    pub fn count(&self) -> usize {
        self.joined.len()
    }

    /// Step 3: fixes the roster. What its members deal is kept in `stash` to the end of the round.
    ///
    /// # Errors
    /// [`Abort::TooFewMembers`] below max(m, k + 1 on the ring).
    pub fn close(self, stash: Box<dyn Stash>) -> Result<Sharing, RoundError> {
        let have = u16::try_from(self.joined.len()).unwrap_or(u16::MAX);
        let need = self.manifest.smallest_roster();
        if have < need {
            return Err(Abort::TooFewMembers(have, need).into());
        }
        let roster = Roster::build(&self.manifest, self.joined.into_values().collect())?;
        Ok(Sharing::new(self.manifest, Arc::new(roster), stash))
    }
}

/// The least identity that begins so.
fn padded(prefix: &[u8]) -> Hash {
    let mut least = [0; 32];
    least.iter_mut().zip(prefix).for_each(|(to, from)| *to = *from);
    least
}
