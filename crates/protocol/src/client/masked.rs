//! Masked: the upload is out; the survivors list is awaited.

use tacita_privacy::LayerSeeds;

use super::{Agreed, ClientRecord, Effect, Joined, RecordChange, SignedStatement, Step};
use crate::bitmap::Bitmap;
use crate::messages::{AgreeRequest, Agreement, ClientMessage};
use crate::refusal::Refusal;
use crate::sharers::VerifiedSharers;
use crate::sharing::SharePair;
use crate::upload::SignedUpload;
use crate::{labels, signature};

/// The client uploaded.
pub struct Masked {
    pub(super) joined: Joined,
    pub(super) sharers: VerifiedSharers,
    pub(super) held: Vec<(u16, SharePair)>,
    pub(super) own_upload: SignedUpload,
    pub(super) seeds: Option<LayerSeeds>,
}

impl Masked {
    /// Step 7: signs S once (TAC-050 to TAC-053). That the statement's U1 equals what this client masked with holds
    /// by construction: S is computed from the U1 digest that it verified, so nothing else can be signed.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn handle_agree(self, message: &AgreeRequest, record: &impl ClientRecord) -> Step<Agreed> {
        let context = &self.joined.context;
        let roster = &self.joined.roster;
        let fields = context.manifest.fields();
        let survivors = Bitmap::decode_or(
            roster.size(),
            message.survivors.as_slice(),
            Refusal::Survivors("bitmap length or spare bits"),
        )?;
        if !survivors.is_within(&self.sharers.sharers) {
            return Err(Refusal::Survivors("not within U1").into());
        }
        if !survivors.contains(roster.own) {
            return Err(Refusal::NotASurvivor.into());
        }
        if survivors.count() < fields.minimum_survivors {
            return Err(Refusal::TooFewSurvivors(survivors.count(), fields.minimum_survivors).into());
        }
        let statement = tacita_ledger::entry::statement_digest(
            context.manifest.digest(),
            &roster.root,
            &self.sharers.digest,
            u64::from(roster.size()),
            survivors.bytes(),
        );
        // TAC-053, also across a restart.
        if record
            .signed_statement(&fields.round_id)
            .is_some_and(|signed| signed != statement)
        {
            return Err(Refusal::SecondStatement.into());
        }
        let signed = signature::sign(&context.participant.key, labels::STATEMENT_SIGNATURE, &statement);
        let effects = vec![
            Effect::Persist(RecordChange::Signed {
                round_id: fields.round_id,
                signed: Box::new(SignedStatement::own(
                    &self.joined,
                    &self.sharers,
                    &survivors,
                    statement,
                    signed,
                )),
            }),
            Effect::Send(ClientMessage::Agreement(Agreement { signature: signed })),
        ];
        let next = Agreed {
            joined: self.joined,
            sharers: self.sharers,
            held: self.held,
            own_upload: self.own_upload,
            // Of the chain of seeds only the first that is surplus for this S outlives this step.
            surplus: self
                .seeds
                .and_then(|seeds| seeds.surplus(u32::from(survivors.count()))),
            survivors,
            statement,
            own_signature: signed,
        };
        Ok((next, effects))
    }
}
