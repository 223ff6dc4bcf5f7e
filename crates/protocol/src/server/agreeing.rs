//! Agreeing: survivors sign S. The round goes on only with a quorum and a committed charge.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use tacita_ledger::checkpoint::SignedCheckpoint;
use tacita_ledger::entry::Entry;
use tacita_ledger::note::VerifierKey;

use super::Revealing;
use super::unmask::MaskedSum;
use crate::bitmap::Bitmap;
use crate::head::{self, LedgerHead};
use crate::manifest::CheckedManifest;
use crate::messages::{AgreeRequest, Agreement, Proof, ProvenEntry};
use crate::refusal::{Abort, Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::upload::Transcript;
use crate::{Hash, labels, ledger_entries, signature};

/// Step 7 at the server.
pub struct Agreeing {
    pub(super) manifest: Arc<CheckedManifest>,
    pub(super) roster: Arc<Roster>,
    pub(super) sharers: SharersList,
    pub(super) survivors: Bitmap,
    pub(super) transcript: Transcript,
    pub(super) masked: MaskedSum,
    pub(super) suspects: Vec<(u16, u16)>,
    pub(super) statement: Hash,
    pub(super) signatures: BTreeMap<u16, [u8; 64]>,
}

/// What the shell brings back once the charge entry is durable in the ledger.
#[derive(Debug, Clone)]
pub struct CommittedCharge {
    /// The signed checkpoint that contains the charge.
    pub checkpoint: Vec<u8>,
    /// Consistency proof from the ledger size in the manifest.
    pub consistency: Proof,
    /// The manifest entry.
    pub manifest: ProvenEntry,
    /// The charge entry.
    pub charge: ProvenEntry,
}

impl Agreeing {
    pub(super) fn new(
        manifest: Arc<CheckedManifest>,
        roster: Arc<Roster>,
        sharers: SharersList,
        (survivors, transcript): (Bitmap, Transcript),
        masked: MaskedSum,
        suspects: Vec<(u16, u16)>,
    ) -> Self {
        let statement = tacita_ledger::entry::statement_digest(
            manifest.digest(),
            roster.root(),
            sharers.digest(),
            u64::from(roster.size()),
            survivors.bytes(),
        );
        Self {
            manifest,
            roster,
            sharers,
            survivors,
            transcript,
            masked,
            suspects,
            statement,
            signatures: BTreeMap::new(),
        }
    }

    /// The members of U2.
    #[must_use]
    pub fn survivors(&self) -> &Bitmap {
        &self.survivors
    }

    /// Pairs (dealer, holder) whose box did not open, as the holders reported with their uploads. They blame nobody.
    #[must_use]
    pub fn suspects(&self) -> &[(u16, u16)] {
        &self.suspects
    }

    /// The statement digest S.
    #[must_use]
    pub fn statement(&self) -> &Hash {
        &self.statement
    }

    /// Step 7, the same for every survivor.
    #[must_use]
    pub fn request(&self) -> AgreeRequest {
        AgreeRequest {
            survivors: self.survivors.bytes().to_vec().into(),
        }
    }

    /// Takes one signature on S.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`] or [`Refusal::StatementSignature`].
    pub fn handle_agreement(&mut self, index: u16, message: &Agreement) -> Result<(), Refusal> {
        if !self.survivors.contains(index) {
            return Err(Refusal::NotAMember);
        }
        if let Some(first) = self.signatures.get(&index) {
            return if *first == message.signature {
                Ok(())
            } else {
                Err(Refusal::Changed)
            };
        }
        let member = self.roster.member(index).ok_or(Refusal::NotAMember)?;
        let key = &member.certificate.key;
        if !signature::verify(
            key,
            labels::STATEMENT_SIGNATURE,
            &self.statement,
            &message.signature,
        ) {
            return Err(Refusal::StatementSignature);
        }
        self.signatures.insert(index, message.signature);
        Ok(())
    }

    /// How many signed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.signatures.len()
    }

    /// The charge to commit, once a quorum signed (above 1,000 members m) that can rebuild every secret.
    ///
    /// # Errors
    /// [`Abort::NoQuorum`]; [`Abort::TooFewShares`] if answers of all signers would not suffice: nothing is charged for a
    /// sum that cannot be had.
    pub fn charge(&self, time: u64) -> Result<Entry, Abort> {
        let (have, need) = (
            u16::try_from(self.signatures.len()).unwrap_or(u16::MAX),
            self.manifest.signers_needed(),
        );
        if have < need {
            return Err(Abort::NoQuorum(have, need));
        }
        self.check_holders()?;
        Ok(ledger_entries::charge(
            &self.manifest,
            self.roster.root(),
            self.sharers.digest(),
            &self.survivors,
            &self.statement,
            &self.transcript.root(),
            time,
        ))
    }

    /// Whether every member of U1 has t holders that signed, were not kept from its share by a box that did not open, and
    /// will see t signatures of their own neighbours (TAC-056).
    fn check_holders(&self) -> Result<(), Abort> {
        let need = self.manifest.threshold();
        let signed = |i: &u16| self.signatures.contains_key(i);
        let answering: Vec<bool> = (0..self.roster.size())
            .map(|i| {
                let near = || self.roster.neighbours(i).iter().filter(|n| signed(n)).count();
                signed(&i) && (self.manifest.is_complete() || near() >= usize::from(need))
            })
            .collect();
        let suspects: HashSet<(u16, u16)> = self.suspects.iter().copied().collect();
        for dealer in self.sharers.sharers().indices() {
            let holders = self.roster.holders(dealer);
            let can = |holder: &&u16| {
                answering.get(usize::from(**holder)) == Some(&true) && !suspects.contains(&(dealer, **holder))
            };
            let have = u16::try_from(holders.iter().filter(can).count()).unwrap_or(u16::MAX);
            if have < need {
                let suspect = suspects.iter().filter(|(d, _)| *d == dealer).count();
                let name = self.roster.member(dealer).map(|m| m.certificate.name.to_string());
                return Err(Abort::TooFewShares {
                    dealer,
                    name: name.unwrap_or_default(),
                    have,
                    need,
                    wrong: 0,
                    suspect: u16::try_from(suspect).unwrap_or(u16::MAX),
                });
            }
        }
        Ok(())
    }

    /// Step 8: goes on only with proof that this very charge is in the ledger, behind the reserve of this very manifest: what
    /// every member will check (TAC-011, TAC-060, TAC-061), before any is asked.
    ///
    /// # Errors
    /// [`Refusal::CheckpointSignature`], [`Refusal::LedgerInclusion`] or [`Refusal::Charge`] if what the shell brings is not
    /// that proof; as [`Agreeing::charge`].
    pub fn commit(self, committed: CommittedCharge, log_key: &VerifierKey) -> Result<Revealing, RoundError> {
        let signed = SignedCheckpoint::verify(&committed.checkpoint, log_key)
            .map_err(|_| Refusal::CheckpointSignature)?;
        let checkpoint = signed.checkpoint().clone();
        let head = LedgerHead {
            size: checkpoint.size,
            root: checkpoint.root,
            note: committed.checkpoint.clone(),
        };
        head::included(&committed.charge, &head)?;
        head::included(&committed.manifest, &head)?;
        let manifest = Entry::decode(committed.manifest.bytes.as_slice()).map_err(|_| Refusal::Charge)?;
        let charge = Entry::decode(committed.charge.bytes.as_slice()).map_err(|_| Refusal::Charge)?;
        let (Entry::Manifest(reserved), Entry::Charge(charged)) = (&manifest, &charge) else {
            return Err(Refusal::Charge.into());
        };
        if manifest != ledger_entries::reserve(&self.manifest, reserved.time)
            || charge != self.charge(charged.time)?
            || committed.manifest.index >= committed.charge.index
        {
            return Err(Refusal::Charge.into());
        }
        Ok(Revealing::new(self, committed, checkpoint))
    }
}
