//! Agreed: S is signed; the quorum and the committed charge are awaited.

use std::sync::Arc;

use tacita_identity::VerifiedCertificate;
use tacita_ledger::entry::Entry;
use tacita_privacy::SurplusSeed;

use super::{Effect, Joined, RecordChange, Refused, Revealed, Step};
use crate::bitmap::Bitmap;
use crate::head::{self, LedgerHead};
use crate::messages::{ClientMessage, Reveal, RevealRequest};
use crate::refusal::{Refusal, RoundError};
use crate::sharers::VerifiedSharers;
use crate::sharing::{SecretKind, SharePair};
use crate::signature::{self, Claim};
use crate::upload::SignedUpload;
use crate::{Hash, labels, ledger_entries, signers};

/// The client signed one statement.
pub struct Agreed {
    pub(super) joined: Joined,
    pub(super) sharers: VerifiedSharers,
    pub(super) held: Vec<(u16, SharePair)>,
    pub(super) own_upload: SignedUpload,
    pub(super) surplus: Option<SurplusSeed>,
    pub(super) survivors: Bitmap,
    pub(super) statement: Hash,
    pub(super) own_signature: [u8; 64],
}

impl Agreed {
    /// The survivors that were signed, by roster index.
    #[must_use]
    pub fn survivors(&self) -> &Bitmap {
        &self.survivors
    }

    /// Step 8: verifies the global quorum (and on the ring the local one), the manifest and charge entries, then
    /// reveals one share per neighbour in U1 (TAC-054 to TAC-062), and the seed of the noise that is surplus for its own S.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken; nothing was revealed then. If the request shows that another list was
    /// charged for this round, both signed lists come with it.
    pub fn handle_reveal_request(self, message: &RevealRequest, now: u64) -> Step<Revealed> {
        let statements = self.two_statements(message, now);
        self.check_and_reveal(message, now).map_err(|refused| Refused {
            statements,
            ..refused
        })
    }

    fn check_and_reveal(self, message: &RevealRequest, now: u64) -> Step<Revealed> {
        // TAC-070: above 1,000 members a list of signers is fixed first.
        if self.joined.context.manifest.is_sampled() {
            return Err(Refusal::Unexpected("reveal request").into());
        }
        self.check_quorum(message, now)?;
        self.reveal(message, now)
    }

    /// What is left once the quorum is verified.
    pub(super) fn reveal(self, message: &RevealRequest, now: u64) -> Step<Revealed> {
        let context = &self.joined.context;
        let (head, checkpoint) = head::extend(
            Some(&context.head),
            message.checkpoint.as_slice(),
            &message.consistency,
            &context.participant.log_key,
        )?;
        self.check_entries(message, &head)?;

        // One answer per round, and per neighbour one share: `reveal` consumes the pair.
        let sharers = &self.sharers.sharers;
        let survivors = &self.survivors;
        let shares: Vec<_> = self
            .held
            .into_iter()
            .filter(|(dealer, _)| sharers.contains(*dealer))
            .map(|(dealer, pair)| {
                pair.reveal(if survivors.contains(dealer) {
                    SecretKind::SelfMask
                } else {
                    SecretKind::Mask
                })
            })
            .collect();
        let surplus = self.surplus.map(SurplusSeed::reveal);
        let participant = &context.participant;
        let name = participant.certificate.name.to_string();
        let cosignature = checkpoint
            .cosign(&name, now, &participant.key)
            .map_err(|_| RoundError::from(crate::refusal::Misuse::Key))?;
        let effects = vec![
            Effect::Persist(RecordChange::Head(head.clone())),
            Effect::Send(ClientMessage::Reveal(Reveal {
                shares: shares.into(),
                noise_seed: surplus.map_or_else(Vec::new, |seed| seed.to_vec()).into(),
                cosigned_at: now,
                cosignature: cosignature.signature,
            })),
        ];
        Ok((
            Revealed {
                context: self.joined.context,
                head,
                survivors: survivors.count(),
            },
            effects,
        ))
    }

    fn check_quorum(&self, message: &RevealRequest, now: u64) -> Result<(), Refusal> {
        let signers = Bitmap::decode_or(
            self.joined.roster.size(),
            message.signers.as_slice(),
            Refusal::StatementSignature,
        )?;
        let signatures = message.signatures.as_slice();
        if signatures.len() != usize::from(signers.count()) {
            return Err(Refusal::StatementSignature);
        }
        self.check_counts(&signers)?;
        self.check_signatures(&signers, signatures, now)
    }

    /// TAC-055 and TAC-056: enough signers, and of neighbours.
    pub(super) fn check_counts(&self, signers: &Bitmap) -> Result<(), Refusal> {
        let context = &self.joined.context;
        let roster = &self.joined.roster;
        // The local rule is the ring's.
        let threshold = if context.manifest.is_complete() {
            0
        } else {
            context.manifest.threshold()
        };
        let near = roster.neighbours.iter().map(|n| n.index);
        signers::check_counts(signers, context.manifest.signers_needed(), near, threshold)
    }

    /// TAC-054 and TAC-057: each of these signatures is one on S by the member at its index.
    pub(super) fn check_signatures(
        &self,
        signers: &Bitmap,
        signatures: &[[u8; 64]],
        now: u64,
    ) -> Result<(), Refusal> {
        let roster = &self.joined.roster;
        let certificates = self.joined.context.participant.certificates(now);
        let mut known: Vec<(Arc<VerifiedCertificate>, &[u8; 64])> = Vec::with_capacity(signatures.len());
        for (index, signed) in signers.indices().zip(signatures) {
            if index == roster.own {
                // The one that was given.
                if *signed != self.own_signature {
                    return Err(Refusal::StatementSignature);
                }
                continue;
            }
            let certificate = match roster.neighbour(index) {
                Some(neighbour) => neighbour.certificate.clone(),
                None => {
                    let identity = roster.identity(index).ok_or(Refusal::UnknownSigner(index))?;
                    certificates.signer(index, identity)?
                }
            };
            known.push((certificate, signed));
        }
        let claims: Vec<Claim<'_>> = known
            .iter()
            .map(|(certificate, signed)| Claim {
                key: &certificate.key,
                digest: self.statement,
                signature: signed,
            })
            .collect();
        signature::verify_all(labels::STATEMENT_SIGNATURE, &claims).map_err(|_| Refusal::StatementSignature)
    }

    /// TAC-060 to TAC-062: the committed charge holds S and its preimage, and the manifest was reserved.
    fn check_entries(&self, message: &RevealRequest, head: &LedgerHead) -> Result<(), Refusal> {
        let context = &self.joined.context;
        head::included(&message.manifest, head)?;
        head::included(&message.charge, head)?;
        // Both entries must say exactly what this client consented to and signed: they are rebuilt here and compared
        // whole, so the report cannot be of another round.
        let manifest = Entry::decode(message.manifest.bytes.as_slice()).map_err(|_| Refusal::Charge)?;
        let charge = Entry::decode(message.charge.bytes.as_slice()).map_err(|_| Refusal::Charge)?;
        let (Entry::Manifest(reserved), Entry::Charge(committed)) = (&manifest, &charge) else {
            return Err(Refusal::Charge);
        };
        let uploads_root = ledger_entries::uploads_root(committed).ok_or(Refusal::Charge)?;
        let expected_manifest = ledger_entries::reserve(&context.manifest, reserved.time);
        let expected_charge = ledger_entries::charge(
            &context.manifest,
            &self.joined.roster.root,
            &self.sharers.digest,
            &self.survivors,
            &self.statement,
            &uploads_root,
            committed.time,
        );
        if manifest != expected_manifest
            || charge != expected_charge
            || message.manifest.index >= message.charge.index
        {
            return Err(Refusal::Charge);
        }
        // TAC-062: what is charged, and will be summed, has this client's own upload in it.
        let own = self.joined.roster.own;
        if self
            .own_upload
            .is_under(own, &self.survivors, &message.upload_proof, &uploads_root)
        {
            Ok(())
        } else {
            Err(Refusal::NotInTranscript)
        }
    }
}
