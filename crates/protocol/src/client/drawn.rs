//! Drawn: above 1,000 members a list of signers is fixed and a sample of it drawn; the signatures are awaited.

use rand_core::CryptoRng;

use super::{Agreed, ClientRecord, Effect, RecordChange, Refused, Revealed, Step};
use crate::messages::{ClientMessage, Draws, SampledRequest, SignersMessage};
use crate::refusal::Refusal;
use crate::signers::{self, FixedList};

/// The client fixed one list of signers and asked for some of its signatures.
pub struct Drawn {
    agreed: Agreed,
    list: FixedList,
}

impl Agreed {
    /// Step 8 above 1,000 members: fixes the list of signers, durably and once only, then draws (TAC-055, TAC-056, TAC-080,
    /// TAC-081). Draws are made after the list is fixed, and with this client's own randomness.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn handle_signers(
        self,
        message: &SignersMessage,
        record: &impl ClientRecord,
        rng: &mut impl CryptoRng,
    ) -> Step<Drawn> {
        let context = &self.joined.context;
        if !context.manifest.is_sampled() {
            return Err(Refusal::Unexpected("signers").into());
        }
        let signers = signers::check_list(message.signers.as_slice(), &self.survivors)?;
        self.check_counts(&signers)?;
        let round_id = context.manifest.fields().round_id;
        signers::check_first(record.fixed_signers(&round_id).as_ref())?;
        let drawn = signers::draw(&signers, rng);
        let effects = vec![
            Effect::Persist(RecordChange::FixedSigners {
                round_id,
                signers: signers::digest(&self.statement, &signers, &message.root),
            }),
            Effect::Send(ClientMessage::Draws(Draws {
                drawn: drawn.clone().into(),
            })),
        ];
        let list = FixedList {
            signers,
            root: message.root,
            drawn,
        };
        Ok((Drawn { agreed: self, list }, effects))
    }
}

impl Drawn {
    /// Step 8 above 1,000 members: verifies what was drawn and t of its neighbours, then the charge, and reveals (TAC-054,
    /// TAC-057, TAC-060 to TAC-062, TAC-082).
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken; nothing was revealed then, and there is no second try. If the request
    /// shows that another list of survivors was charged for this round, both signed ones come with it.
    pub fn handle_sampled_request(self, message: &SampledRequest, now: u64) -> Step<Revealed> {
        let statements = self.agreed.two_statements(&message.request, now);
        self.check_and_reveal(message, now).map_err(|refused| Refused {
            statements,
            ..refused
        })
    }

    fn check_and_reveal(self, message: &SampledRequest, now: u64) -> Step<Revealed> {
        let joined = &self.agreed.joined;
        let near: Vec<u16> = joined.roster.neighbours.iter().map(|n| n.index).collect();
        let threshold = joined.context.manifest.threshold();
        let expected = signers::shown(&self.list.signers, &self.list.drawn, &near, threshold);
        self.list.check(message, &expected)?;
        self.agreed
            .check_signatures(&expected, message.request.signatures.as_slice(), now)?;
        self.agreed.reveal(&message.request, now)
    }
}
