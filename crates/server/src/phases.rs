//! Steps 2 to 7 as the shell walks them: what is sent, who is waited for, and when a phase closes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tacita_protocol::messages::{ClientMessage, Resume, ServerMessage};
use tacita_protocol::parts::largest_shares;
use tacita_protocol::roster::{Member, Roster};
use tacita_protocol::server::{Agreeing, Collecting, Gathering, Sharing, certificate_bundles};
use tacita_protocol::{Hash, Refusal, RoundError};
use tokio::task::block_in_place;

use crate::attempt::{Attempt, Failed};
use crate::floor::{Absence, Call, Progress};
use crate::gate::Turn;
use crate::lobby::Session;
use crate::server::{Server, ServerError};
use crate::spool::{FileSpool, FileStash};
use crate::suspects;

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
                    Call::Away(..) | Call::Turn(..) => return Ok(Progress::More),
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
        let state = &self.config.server.state;
        let stash = FileStash::open(state).map_err(|source| ServerError::spool(state, source))?;
        let sharing = block_in_place(|| gathering.close(Box::new(stash)))?;
        attempt.mark("advertise", since);
        Ok(sharing)
    }

    /// The sessions of those of `indices` that are here.
    fn present<'a>(&'a self, roster: &'a Roster, indices: &'a [u16]) -> impl Iterator<Item = &'a Session> {
        indices.iter().filter_map(|index| {
            let identity = roster.member(*index)?.certificate.identity.0;
            let session = self.floor.lobby.get(&identity)?;
            (!self.floor.gone.contains(&identity)).then_some(&**session)
        })
    }

    /// Asks for a turn for each of `indices`: a message of its own is made when it can be sent.
    pub(crate) fn ask(&self, roster: &Roster, indices: &[u16]) {
        self.present(roster, indices).for_each(Session::ask);
    }

    /// Tells all of `indices` the same.
    pub(crate) fn tell_all(
        &self,
        roster: &Roster,
        indices: &[u16],
        message: &ServerMessage,
    ) -> Result<(), RoundError> {
        self.present(roster, indices)
            .try_for_each(|session| Ok(session.send(message)?))
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
        self.ask(roster, &everybody);
        let expected = identities(roster, everybody.iter().copied());
        let limit = ms(attempt.manifest.fields().deadlines.share_ms);
        self.floor
            .phase(limit, expected, |call| {
                let (index, message) = match called(roster, call)? {
                    Called::Said(index, message) => (index, *message),
                    Called::Back(session, index) => {
                        attempt.papers.rest_of_model(session)?;
                        if index.is_some() {
                            session.ask();
                        }
                        return Ok(Progress::More);
                    }
                    Called::Turn(session, index, turn) => {
                        let message = ServerMessage::Roster(sharing.roster_message(index)?);
                        session.expect_parts(largest);
                        send(session, roster, &roster.neighbours(index), &message, &turn)?;
                        return Ok(Progress::More);
                    }
                    Called::Away(..) => return Ok(Progress::More),
                };
                let ClientMessage::Shares(shares) = message else {
                    return Err(Refusal::Unexpected(message.name()).into());
                };
                sharing.handle_shares(index, &shares)?;
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
        self.ask(roster, &sharers);
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
                            match collecting.next_chunk(index) {
                                0 => session.ask(),
                                next => session.send(&ServerMessage::Resume(Resume { next }))?,
                            }
                        }
                        return Ok(Progress::More);
                    }
                    Called::Turn(session, index, turn) => {
                        let message = ServerMessage::Sharers(collecting.sharers_message(index)?);
                        send(session, roster, &[], &message, &turn)?;
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
        suspects::list(roster, agreeing.suspects());
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
        let limit = ms(attempt.manifest.fields().deadlines.agree_ms);
        let expected = identities(roster, survivors.iter().copied());
        self.tell_all(roster, &survivors, &request)?;
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
                    Called::Away(..) | Called::Turn(..) => return Ok(Progress::More),
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
    /// It is the turn of a member to be told what it asked for.
    Turn(&'a Session, u16, Turn),
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
        Call::Turn(session, turn) => Called::Turn(session, index_of(&session.certificate.identity.0)?, turn),
        Call::Away(identity, absence) => Called::Away(index_of(identity)?, absence),
    })
}

/// Sends a message in its turn, preceded by those of the certificates `needed` that the connection was not sent yet.
pub(crate) fn send(
    session: &Session,
    roster: &Roster,
    needed: &[u16],
    message: &ServerMessage,
    turn: &Turn,
) -> Result<(), RoundError> {
    let members = needed.iter().filter_map(|index| roster.member(*index));
    let unseen = session.unseen(members);
    for bundle in certificate_bundles(unseen.iter().map(|m| m.der.as_slice())) {
        session.send_in(&bundle, Some(turn))?;
    }
    Ok(session.send_in(message, Some(turn))?)
}

/// The name of the member at an index.
pub(crate) fn name_of(roster: &Roster, index: u16) -> String {
    let member = roster.member(index);
    member.map(|m| m.certificate.name.to_string()).unwrap_or_default()
}

pub(crate) fn identities(roster: &Roster, indices: impl Iterator<Item = u16>) -> HashSet<Hash> {
    indices
        .filter_map(|i| roster.member(i).map(|m| m.certificate.identity.0))
        .collect()
}
