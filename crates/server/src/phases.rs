//! Steps 2 to 7 as the shell walks them: what is sent, who is waited for, and when a phase closes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tacita_protocol::messages::{ClientMessage, Resume, ServerMessage};
use tacita_protocol::parts::largest_shares;
use tacita_protocol::roster::{Member, Roster};
use tacita_protocol::server::{Agreeing, Collecting, Gathering, Sharing, certificate_bundles};
use tacita_protocol::{Hash, Refusal, RoundError};
use tokio::task::block_in_place;

use crate::attempt::{Attempt, Failed};
use crate::floor::{Absence, Call, Progress};
use crate::lobby::Session;
use crate::server::{Server, ServerError};
use crate::spool::FileSpool;

pub(crate) fn ms(value: u32) -> Duration {
    Duration::from_millis(u64::from(value))
}

impl Server {
    pub(crate) async fn advertise(
        &mut self,
        attempt: &mut Attempt<'_>,
        cohort: &[Arc<Session>],
    ) -> Result<Sharing, Failed> {
        let since = Instant::now();
        let mut gathering = Gathering::open(attempt.manifest.clone());
        let members: HashMap<Hash, Member> = cohort
            .iter()
            .map(|s| {
                (
                    s.certificate.identity.0,
                    Member {
                        certificate: s.certificate.clone(),
                        der: s.der.clone(),
                    },
                )
            })
            .collect();
        let expected = members.keys().copied().collect();
        let limit = ms(attempt.manifest.fields().deadlines.advertise_ms);
        self.floor
            .phase(limit, expected, |call| {
                let (identity, message) = match call {
                    Call::Said(identity, message) => (identity, *message),
                    Call::Back(session, awaited) => {
                        if awaited {
                            attempt.papers.invite_again(session);
                        }
                        attempt.papers.rest_of_model(session)?;
                        return Ok(Progress::More);
                    }
                    Call::Away(..) => return Ok(Progress::More),
                };
                let ClientMessage::Advertise(advertise) = message else {
                    return Err(Refusal::Unexpected(message.name()).into());
                };
                let member = members.get(identity).ok_or(Refusal::NotAMember)?.clone();
                gathering.handle_advertise(member, advertise)?;
                Ok(Progress::Done)
            })
            .await?;
        // At the roster: a certificate that is revoked, or ends before the round does, would make every neighbour refuse.
        let d = &attempt.manifest.fields().deadlines;
        let rest = [d.share_ms, d.upload_ms, d.agree_ms, d.reveal_ms];
        let seconds: u64 = rest.iter().map(|ms| u64::from(*ms) / 1000).sum();
        let now = crate::now();
        for (member, refusal) in
            gathering.screen(&self.standing.borrow().deny, now, now.saturating_add(seconds))
        {
            tracing::warn!(client = %member.certificate.name, %refusal, "not in the roster");
            self.floor
                .turn_away(&member.certificate.identity.0, &refusal.to_string());
        }
        let sharing = block_in_place(|| gathering.close())?;
        attempt.mark("advertise", since);
        Ok(sharing)
    }

    /// Encodes one message for each of `indices` on all cores, preceded by the certificates its reader lacks.
    pub(crate) fn deliver(
        &self,
        roster: &Roster,
        indices: &[u16],
        needed: impl Fn(u16) -> Vec<u16> + Sync,
        message: impl Fn(u16) -> Result<ServerMessage, RoundError> + Sync,
    ) -> Result<(), RoundError> {
        block_in_place(|| {
            indices.par_iter().try_for_each(|index| {
                let Some(session) = roster
                    .member(*index)
                    .and_then(|m| self.floor.lobby.get(&m.certificate.identity.0))
                    .filter(|s| !self.floor.gone.contains(&s.certificate.identity.0))
                else {
                    return Ok(());
                };
                send(session, roster, &needed(*index), &message(*index)?)
            })
        })
    }

    pub(crate) async fn share(
        &mut self,
        attempt: &mut Attempt<'_>,
        mut sharing: Sharing,
        roster: &Arc<Roster>,
    ) -> Result<Collecting, Failed> {
        let since = Instant::now();
        let everybody: Vec<u16> = (0..roster.size()).collect();
        let largest = largest_shares(&attempt.manifest);
        for identity in identities(roster, everybody.iter().copied()) {
            if let Some(session) = self.floor.lobby.get(&identity) {
                session.expect_parts(largest);
            }
        }
        self.deliver(
            roster,
            &everybody,
            |i| roster.neighbours(i),
            |i| Ok(ServerMessage::Roster(sharing.roster_message(i)?)),
        )?;
        let expected = identities(roster, everybody.iter().copied());
        let limit = ms(attempt.manifest.fields().deadlines.share_ms);
        self.floor
            .phase(limit, expected, |call| {
                let (index, message) = match called(roster, call)? {
                    Called::Said(index, message) => (index, *message),
                    Called::Back(session, index) => {
                        attempt.papers.rest_of_model(session)?;
                        if let Some(index) = index {
                            let message = ServerMessage::Roster(sharing.roster_message(index)?);
                            session.expect_parts(largest);
                            send(session, roster, &roster.neighbours(index), &message)?;
                        }
                        return Ok(Progress::More);
                    }
                    Called::Away(..) => return Ok(Progress::More),
                };
                let ClientMessage::Shares(shares) = message else {
                    return Err(Refusal::Unexpected(message.name()).into());
                };
                sharing.handle_shares(index, shares)?;
                Ok(Progress::Done)
            })
            .await?;
        for identity in identities(roster, everybody.iter().copied()) {
            if let Some(session) = self.floor.lobby.get(&identity) {
                session.expect_parts(0);
            }
        }
        let collecting = block_in_place(|| sharing.close())?;
        attempt.mark("share", since);
        Ok(collecting)
    }

    pub(crate) async fn upload(
        &mut self,
        attempt: &mut Attempt<'_>,
        mut collecting: Collecting,
        roster: &Arc<Roster>,
    ) -> Result<Agreeing, Failed> {
        let since = Instant::now();
        let sharers: Vec<u16> = collecting.sharers().indices().collect();
        // Before anybody is asked: an upload may be there before this task runs again.
        let before = self.received(roster, &sharers);
        self.deliver(
            roster,
            &sharers,
            |_| Vec::new(),
            |i| Ok(ServerMessage::Sharers(collecting.sharers_message(i)?)),
        )?;
        let state = self.config.server.state.clone();
        let mut spool = FileSpool::open(&state).map_err(|source| ServerError::spool(&state, source))?;
        let limit = ms(attempt.manifest.fields().deadlines.upload_ms);
        let places = usize::from(self.config.server.uploads_in_flight);
        let expected = identities(roster, sharers.iter().copied());
        self.floor
            .phase(limit, expected, |call| {
                let (index, message) = match called(roster, call)? {
                    Called::Said(index, message) => (index, *message),
                    Called::Back(session, index) => {
                        attempt.papers.rest_of_model(session)?;
                        if let Some(index) = index {
                            // From the first chunk that is missing; from the start if none is there.
                            let message = match collecting.next_chunk(index) {
                                0 => ServerMessage::Sharers(collecting.sharers_message(index)?),
                                next => ServerMessage::Resume(Resume { next }),
                            };
                            session.send(&message)?;
                        }
                        return Ok(Progress::More);
                    }
                    Called::Away(index, absence) => {
                        // What a lost connection leaves is kept for its return, for as many as there are places.
                        if absence == Absence::Left || spool.len() > places {
                            collecting.forget(index, &mut spool);
                        }
                        return Ok(Progress::More);
                    }
                };
                match message {
                    ClientMessage::Chunk(chunk) => {
                        collecting.handle_chunk(index, &chunk, &mut spool)?;
                        Ok(Progress::More)
                    }
                    ClientMessage::UploadEnd(end) => {
                        block_in_place(|| collecting.handle_end(index, &end, &mut spool))?;
                        Ok(Progress::Done)
                    }
                    other => Err(Refusal::Unexpected(other.name()).into()),
                }
            })
            .await?;
        attempt.received = self
            .received(roster, &sharers)
            .into_iter()
            .map(|(id, after)| {
                (
                    id,
                    after.saturating_sub(before.get(&id).copied().unwrap_or(after)),
                )
            })
            .collect();
        let agreeing = collecting.close()?;
        attempt.mark("upload", since);
        Ok(agreeing)
    }

    /// Bytes received so far from members that are connected.
    fn received(&self, roster: &Roster, indices: &[u16]) -> HashMap<Hash, u64> {
        identities(roster, indices.iter().copied())
            .into_iter()
            .filter_map(|id| {
                let session = self.floor.lobby.get(&id)?;
                Some((id, session.received.load(Ordering::Relaxed)))
            })
            .collect()
    }

    pub(crate) async fn agree(
        &mut self,
        attempt: &mut Attempt<'_>,
        mut agreeing: Agreeing,
        roster: &Arc<Roster>,
    ) -> Result<Agreeing, Failed> {
        let since = Instant::now();
        let survivors: Vec<u16> = agreeing.survivors().indices().collect();
        let request = ServerMessage::Agree(agreeing.request());
        self.deliver(roster, &survivors, |_| Vec::new(), |_| Ok(request.clone()))?;
        let limit = ms(attempt.manifest.fields().deadlines.agree_ms);
        let expected = identities(roster, survivors.iter().copied());
        self.floor
            .phase(limit, expected, |call| {
                let (index, message) = match called(roster, call)? {
                    Called::Said(index, message) => (index, *message),
                    Called::Back(session, index) => {
                        if index.is_some() {
                            session.send(&request)?;
                        }
                        return Ok(Progress::More);
                    }
                    Called::Away(..) => return Ok(Progress::More),
                };
                let ClientMessage::Agreement(agreement) = message else {
                    return Err(Refusal::Unexpected(message.name()).into());
                };
                agreeing.handle_agreement(index, &agreement)?;
                Ok(Progress::Done)
            })
            .await?;
        attempt.mark("agree", since);
        Ok(agreeing)
    }
}

/// A call of the floor, by roster index.
pub(crate) enum Called<'a> {
    /// A member said something.
    Said(u16, Box<ClientMessage>),
    /// A member is back; its index if something is awaited from it.
    Back(&'a Session, Option<u16>),
    /// A member is away.
    Away(u16, Absence),
}

/// Who that is in the roster.
///
/// # Errors
/// [`Refusal::NotAMember`].
pub(crate) fn called<'a>(roster: &Roster, call: Call<'a>) -> Result<Called<'a>, Refusal> {
    let index_of = |identity: &Hash| roster.index_of(identity).ok_or(Refusal::NotAMember);
    Ok(match call {
        Call::Said(identity, message) => Called::Said(index_of(identity)?, message),
        Call::Back(session, awaited) => {
            let index = index_of(&session.certificate.identity.0)?;
            Called::Back(session, awaited.then_some(index))
        }
        Call::Away(identity, absence) => Called::Away(index_of(identity)?, absence),
    })
}

/// Sends a message, preceded by those of the certificates `needed` that the connection was not sent yet.
pub(crate) fn send(
    session: &Session,
    roster: &Roster,
    needed: &[u16],
    message: &ServerMessage,
) -> Result<(), RoundError> {
    let members = needed.iter().filter_map(|index| roster.member(*index));
    let unseen = session.unseen(members);
    for bundle in certificate_bundles(unseen.iter().map(|m| m.der.as_slice())) {
        session.send(&bundle)?;
    }
    Ok(session.send(message)?)
}

pub(crate) fn identities(roster: &Roster, indices: impl Iterator<Item = u16>) -> HashSet<Hash> {
    indices
        .filter_map(|i| roster.member(i).map(|m| m.certificate.identity.0))
        .collect()
}
