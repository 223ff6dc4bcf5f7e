//! The one place where this world meets the protocol room: both sides' states behind two small machines, as the shells
//! drive them. What changes in the room's calls changes here.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use sha2::{Digest as _, Sha256};
use tacita_identity::DenyList;
use tacita_ledger::entry::Entry;
use tacita_ledger::note::VerifierKey;
use tacita_privacy::{
    Budget, BudgetFilter, BudgetTicket, Decimal, DecodedMean, LocalUpdate, NoisedUpdate, SurplusSeed,
};
use tacita_protocol::client::{
    Advertised, Agreed, ClientRecord, Drawn, Effect, Invited, Masked, Participant, RecordChange, Refused,
    Revealed, Shared,
};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, Invitation, ServerMessage, UploadChunk};
use tacita_protocol::roster::{Member, Roster};
use tacita_protocol::server::{
    Agreeing, Collecting, CommittedCharge, Gathering, Revealing, Sharing, certificate_bundles,
};
use tacita_protocol::spool::MemoryStash;
use tacita_protocol::{Abort, Hash, Misuse, Refusal, RoundError};

use crate::disk::Disk;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a member does next, in this order.
pub(crate) enum Act {
    /// Make durable before going on.
    Persist(RecordChange),
    /// The first commit of a round: the change, with the masked bytes.
    Spend(RecordChange, Vec<u8>),
    /// Send.
    Send(ClientMessage),
}

/// A member's state in a round.
pub(crate) enum MemberMachine {
    /// Awaits the roster.
    Advertised(Box<Advertised>),
    /// Awaits U1.
    Shared(Box<Shared>),
    /// Awaits U2.
    Masked(Box<Masked>),
    /// Awaits quorum and charge.
    Agreed(Box<Agreed>),
    /// Fixed a list of signers and awaits those drawn.
    Drawn(Box<Drawn>),
    /// Awaits the outcome.
    Revealed(Box<Revealed>),
    /// The outcome was verified.
    Done,
}

/// What came of an invitation.
pub(crate) struct Accepted {
    /// The state.
    pub(crate) machine: MemberMachine,
    /// The manifest.
    pub(crate) manifest: Arc<CheckedManifest>,
    /// The reservation.
    pub(crate) ticket: BudgetTicket,
    /// What to do.
    pub(crate) acts: Vec<Act>,
}

/// A member's update, clipped, encoded and noised; and its integers, for the plain addition.
///
/// # Errors
/// [`Misuse`] if the update does not fit the manifest.
pub(crate) fn prepare(
    manifest: &CheckedManifest,
    update: Vec<f32>,
    ticket: &mut BudgetTicket,
    rng: &mut ChaCha20Rng,
) -> Result<(NoisedUpdate, Vec<i64>), RoundError> {
    let wrong = |_| RoundError::from(Misuse::Argument("the update does not fit the manifest"));
    let headroom = manifest.headroom().ok_or_else(|| wrong(String::new()))?;
    let noised = LocalUpdate::new(update)
        .and_then(|update| update.clip(manifest.encoding()))
        .map_err(|e| wrong(e.to_string()))?
        .encode(headroom, rng)
        .map_err(|e| wrong(e.to_string()))?
        .noise(ticket, rng)
        .map_err(|e| wrong(e.to_string()))?;
    let integers = noised.dangerous_inspect().to_signed();
    Ok((noised, integers))
}

/// A second ticket of a round, from a budget of nobody.
pub(crate) fn spare_ticket(manifest: &CheckedManifest) -> Option<BudgetTicket> {
    let Some(release) = manifest.release() else {
        return Some(BudgetTicket::without_any_privacy_promise());
    };
    let budget = Budget {
        epsilon: Decimal::new(30, 0).ok()?,
        delta: Decimal::new(1, 5).ok()?,
    };
    BudgetFilter::new(budget).ok()?.reserve(release).ok()
}

/// The seed of the first layer of the noise that [`prepare`] is about to draw with this generator, if it has layers.
pub(crate) fn secret_of_noise(
    manifest: &CheckedManifest,
    update: Vec<f32>,
    mut rng: ChaCha20Rng,
) -> Option<Hash> {
    let noise = manifest.noise();
    let levels = noise.levels()?;
    let mut ticket = spare_ticket(manifest)?;
    let (mut noised, _) = prepare(manifest, update, &mut ticket, &mut rng).ok()?;
    let all = u32::from(manifest.fields().cohort);
    let first = levels.first_surplus(all) == Some(1);
    noised
        .take_layer_seeds()
        .filter(|_| first)?
        .surplus(all)
        .map(SurplusSeed::reveal)
}

impl MemberMachine {
    /// Steps 1 and 2.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn accept(
        invitation: Invitation,
        participant: Arc<Participant>,
        record: &mut impl ClientRecord,
        now: u64,
        rng: &mut ChaCha20Rng,
    ) -> Result<Accepted, Refused> {
        let (invited, ticket, effects) = Invited::accept(invitation, participant, record, now)?;
        let manifest = invited.manifest().clone();
        let (advertised, more) = invited.advertise(rng)?;
        let acts = acts(effects.into_iter().chain(more));
        Ok(Accepted {
            machine: Self::Advertised(Box::new(advertised)),
            manifest,
            ticket,
            acts,
        })
    }

    /// Whether the next message that it takes is a sharers list, for which the update has to be ready.
    pub(crate) fn wants_update(&self, message: &ServerMessage) -> bool {
        matches!((self, message), (Self::Shared(_), ServerMessage::Sharers(_)))
    }

    /// Any later step. The update and the digest of the model it was trained from go in with the sharers list.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) fn step(
        self,
        message: &ServerMessage,
        update: Option<(NoisedUpdate, Hash)>,
        record: &impl ClientRecord,
        now: u64,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Self, Vec<Act>), Refused> {
        let (next, effects) = match (self, message, update) {
            (Self::Advertised(state), ServerMessage::Roster(roster), _) => {
                let (next, effects) = state.handle_roster(roster.clone(), now, rng)?;
                (Self::Shared(Box::new(next)), effects)
            }
            (Self::Shared(state), ServerMessage::Sharers(sharers), Some((update, model))) => {
                let (next, effects) = state.handle_sharers(sharers, update, &model)?;
                (Self::Masked(Box::new(next)), effects)
            }
            (Self::Masked(state), ServerMessage::Agree(request), _) => {
                let (next, effects) = state.handle_agree(request, record)?;
                (Self::Agreed(Box::new(next)), effects)
            }
            (Self::Agreed(state), ServerMessage::Reveal(request), _) => {
                let (next, effects) = state.handle_reveal_request(request, now)?;
                (Self::Revealed(Box::new(next)), effects)
            }
            (Self::Agreed(state), ServerMessage::Signers(signers), _) => {
                let (next, effects) = state.handle_signers(signers, record, rng)?;
                (Self::Drawn(Box::new(next)), effects)
            }
            (Self::Drawn(state), ServerMessage::Sampled(request), _) => {
                let (next, effects) = state.handle_sampled_request(request, now)?;
                (Self::Revealed(Box::new(next)), effects)
            }
            (Self::Revealed(state), ServerMessage::Outcome(outcome), _) => {
                let (_, effects) = state.handle_outcome(outcome)?;
                (Self::Done, effects)
            }
            (_, other, _) => return Err(Refusal::Unexpected(other.name()).into()),
        };
        Ok((next, acts(effects)))
    }
}

/// Effects in their order; the change before an upload takes the masked bytes along.
fn acts(effects: impl IntoIterator<Item = Effect>) -> Vec<Act> {
    let mut out = Vec::new();
    for effect in effects {
        match effect {
            Effect::Persist(change) => out.push(Act::Persist(change)),
            Effect::Send(message) => out.push(Act::Send(message)),
            Effect::Upload { update, end } => {
                let chunks: Vec<Vec<u8>> = (0..update.chunks()).map(|at| update.packed(at)).collect();
                if let Some(Act::Persist(change)) = out.pop() {
                    out.push(Act::Spend(change, chunks.concat()));
                }
                for (index, packed) in (0..).zip(chunks) {
                    let packed = packed.into();
                    out.push(Act::Send(ClientMessage::Chunk(UploadChunk { index, packed })));
                }
                out.push(Act::Send(end));
            }
        }
    }
    out
}

/// What a message did for its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its sender is done with the phase.
    Done,
    /// More is to come.
    More,
    /// More is to come once its sender hears what the phase says to it now.
    Reply,
}

/// What a round came to.
pub(crate) struct Finished {
    /// The integers of the sum, centred.
    pub(crate) values: Vec<i64>,
    /// The digest that the outcome names.
    pub(crate) digest: Hash,
    /// Variance of the noise in it, in units of 2^-16.
    pub(crate) noise_variance_q16: u128,
    /// U2.
    pub(crate) survivors: Vec<u16>,
    /// Those that revealed.
    pub(crate) answered: Vec<u16>,
}

/// The server's state in an attempt.
pub(crate) enum HubMachine {
    /// Step 2.
    Gathering(Gathering),
    /// Step 4.
    Sharing(Sharing),
    /// Step 6.
    Collecting(Box<Collecting>, Disk),
    /// Step 7.
    Agreeing(Box<Agreeing>),
    /// Step 8.
    Revealing(Box<Revealing>),
}

impl HubMachine {
    /// Opens an attempt.
    pub(crate) fn open(manifest: Arc<CheckedManifest>) -> Self {
        Self::Gathering(Gathering::open(manifest))
    }

    /// What one roster index is told now, certificates first; empty if it has no part in the phase.
    ///
    /// # Errors
    /// [`Misuse`] never for an index of the roster; [`Abort::Spool`] never from memory.
    pub(crate) fn messages(&self, index: u16) -> Result<(Vec<u16>, Option<ServerMessage>), RoundError> {
        Ok(match self {
            Self::Gathering(_) => (Vec::new(), None),
            Self::Sharing(state) => {
                let message = ServerMessage::Roster(state.roster_message(index)?);
                (state.roster().neighbours(index), Some(message))
            }
            Self::Collecting(state, _) if state.sharers().contains(index) => {
                let message = ServerMessage::Sharers(state.sharers_message(index)?);
                (Vec::new(), Some(message))
            }
            Self::Agreeing(state) if state.survivors().contains(index) => {
                (Vec::new(), Some(ServerMessage::Agree(state.request())))
            }
            Self::Revealing(state) if state.has_signed(index) => (
                state.signers_shown_to(index).collect(),
                Some(state.message(index)),
            ),
            _ => (Vec::new(), None),
        })
    }

    /// Takes a message.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn receive(
        &mut self,
        member: &Member,
        index: Option<u16>,
        message: ClientMessage,
    ) -> Result<Progress, RoundError> {
        let name = message.name();
        if let (Self::Gathering(state), ClientMessage::Advertise(advertise)) = (&mut *self, &message) {
            state.handle_advertise(member.clone(), advertise.clone())?;
            return Ok(Progress::Done);
        }
        if matches!(self, Self::Gathering(_)) {
            return Err(Refusal::Unexpected(name).into());
        }
        let index = index.ok_or(Refusal::NotAMember)?;
        match (self, message) {
            (Self::Sharing(state), ClientMessage::Shares(shares)) => state.handle_shares(index, &shares)?,
            (Self::Collecting(state, disk), ClientMessage::Chunk(chunk)) => {
                state.handle_chunk(index, &chunk, disk)?;
                return Ok(Progress::More);
            }
            (Self::Collecting(state, disk), ClientMessage::UploadEnd(end)) => {
                state.handle_end(index, &end, disk)?;
            }
            (Self::Agreeing(state), ClientMessage::Agreement(agreement)) => {
                state.handle_agreement(index, &agreement)?;
            }
            (Self::Revealing(state), ClientMessage::Draws(draws)) => {
                state.handle_draws(index, &draws)?;
                return Ok(Progress::Reply);
            }
            (Self::Revealing(state), ClientMessage::Reveal(reveal)) => state.handle_reveal(index, &reveal)?,
            _ => return Err(Refusal::Unexpected(name).into()),
        }
        Ok(Progress::Done)
    }

    /// Turns away members whose certificate neighbours would refuse, when the roster is about to be fixed.
    pub(crate) fn screen(&mut self, deny: &DenyList, now: u64, until: u64) -> Vec<(Member, Refusal)> {
        match self {
            Self::Gathering(state) => state.screen(deny, now, until),
            _ => Vec::new(),
        }
    }

    /// Closes a phase before the charge; from Agreeing on, the charge has to be committed first.
    ///
    /// # Errors
    /// Why the attempt cannot go on.
    pub(crate) fn close(self) -> Result<Self, RoundError> {
        Ok(match self {
            Self::Gathering(state) => Self::Sharing(state.close(Box::new(MemoryStash::default()))?),
            Self::Sharing(state) => Self::Collecting(Box::new(state.close()?), Disk::default()),
            Self::Collecting(state, _) => Self::Agreeing(Box::new(state.close()?)),
            other => other,
        })
    }

    /// The charge that a quorum allows.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn charge(&self, time: u64) -> Result<Entry, RoundError> {
        match self {
            Self::Agreeing(state) => Ok(state.charge(time)?),
            _ => Err(Misuse::Argument("no statement is being agreed on").into()),
        }
    }

    /// Goes on to the reveal with a committed charge.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn commit(self, committed: CommittedCharge, key: &VerifierKey) -> Result<Self, RoundError> {
        match self {
            Self::Agreeing(state) => Ok(Self::Revealing(Box::new(state.commit(committed, key)?))),
            _ => Err(Misuse::Argument("no statement is being agreed on").into()),
        }
    }

    /// The sum, and what is made of it.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn finish(self, manifest: &CheckedManifest) -> Result<Finished, RoundError> {
        let sum = match self {
            Self::Revealing(state) => state.close()?,
            _ => return Err(Misuse::Argument("nothing was revealed").into()),
        };
        let count = sum.survivors().count();
        DecodedMean::from_sum(
            sum.vector(),
            manifest.encoding(),
            &manifest.noise(),
            u32::from(count),
            manifest.terms(),
        )
        .map_err(|_| Abort::Implausible)?;
        Ok(Finished {
            values: sum.vector().to_signed(),
            digest: Sha256::digest(sum.vector().pack(0..sum.vector().len())).into(),
            noise_variance_q16: sum.noise_variance_q16(),
            survivors: sum.survivors().indices().collect(),
            answered: sum.answered().indices().collect(),
        })
    }

    /// The roster, once there is one.
    pub(crate) fn roster(&self) -> Option<Arc<Roster>> {
        match self {
            Self::Sharing(state) => Some(state.roster().clone()),
            Self::Revealing(state) => Some(state.roster().clone()),
            _ => None,
        }
    }

    /// Indices from which the phase awaits something.
    pub(crate) fn awaited(&self, roster: &Roster) -> Vec<u16> {
        match self {
            Self::Gathering(_) => Vec::new(),
            Self::Sharing(_) => (0..roster.size()).collect(),
            Self::Collecting(state, _) => state.sharers().indices().collect(),
            Self::Agreeing(state) => state.survivors().indices().collect(),
            Self::Revealing(state) => state.signers().collect(),
        }
    }

    /// S and U2, while agreeing.
    pub(crate) fn statement(&self) -> Option<(Hash, Vec<u16>)> {
        match self {
            Self::Agreeing(state) => Some((*state.statement(), state.survivors().indices().collect())),
            _ => None,
        }
    }

    /// Holders that revealed another share than the committed one.
    pub(crate) fn blamed(&self) -> &[Refusal] {
        match self {
            Self::Revealing(state) => state.blamed(),
            _ => &[],
        }
    }

    /// The phase's name, for the history.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Gathering(_) => "gathering",
            Self::Sharing(_) => "sharing",
            Self::Collecting(..) => "collecting",
            Self::Agreeing(_) => "agreeing",
            Self::Revealing(_) => "revealing",
        }
    }
}

/// Certificates in as few messages as possible.
pub(crate) fn bundles(members: &[Member]) -> Vec<ServerMessage> {
    certificate_bundles(members.iter().map(|member| member.der.as_slice()))
}
