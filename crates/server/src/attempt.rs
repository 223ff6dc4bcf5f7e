//! One attempt at a round, as the shell walks it: the protocol's phases in order, the ledger between them.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use tacita_learn::GlobalModel;
use tacita_ledger::entry::{Entry, Release, printable_reason};
use tacita_privacy::BudgetTicket;
use tacita_protocol::kem::KeyAgreement;
use tacita_protocol::ledger_entries::{self, hex_digest};
use tacita_protocol::manifest::{
    CheckedManifest, Manifest, ManifestClip, ManifestLevel, ManifestMetrics, mechanism_field,
};
use tacita_protocol::messages::{Invitation, Proof, ServerMessage};
use tacita_protocol::server::{CommittedCharge, Revealing};
use tacita_protocol::{Hash, RoundError, limits};

use crate::lobby::{MODEL_PART, Session};
use crate::papers::Papers;
use crate::server::{RoundReport, Server, ServerError, ServerEvent};

/// How an attempt ends without a result.
pub(crate) enum Failed {
    /// This attempt; another may go better.
    Attempt(String),
    /// The server cannot go on.
    Server(ServerError),
}

impl<E: Into<ServerError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Server(error.into())
    }
}

impl From<RoundError> for Failed {
    fn from(error: RoundError) -> Self {
        Self::Attempt(error.to_string())
    }
}

/// What is known of an attempt once its manifest is reserved.
pub(crate) struct Attempt<'m> {
    pub(crate) manifest: Arc<CheckedManifest>,
    reserved: (u64, Entry),
    ticket: Option<BudgetTicket>,
    ledger_size: u64,
    pub(crate) papers: Papers<'m>,
    pub(crate) started: Instant,
    pub(crate) phases: Vec<(&'static str, f64)>,
    pub(crate) received: HashMap<Hash, u64>,
}

impl Attempt<'_> {
    pub(crate) fn mark(&mut self, name: &'static str, since: Instant) {
        self.phases.push((name, since.elapsed().as_secs_f64()));
    }
}

impl Server {
    /// Plays one attempt. A failure before the charge releases the reserve; after it the charge stands.
    pub(crate) async fn attempt(
        &mut self,
        round: u32,
        model: &GlobalModel,
    ) -> Result<(RoundReport, GlobalModel), Failed> {
        let played = self.play(round, model).await;
        if played.is_err() {
            self.floor.end(None);
        }
        played
    }

    async fn play(&mut self, round: u32, model: &GlobalModel) -> Result<(RoundReport, GlobalModel), Failed> {
        let release = self.checked.plan.release();
        let ticket = self.account.reserve(release).map_err(ServerError::Budget)?;
        let (mut attempt, cohort) = match self.invite(round, model).await {
            Ok(invited) => invited,
            Err(error) => {
                self.account.release(ticket);
                return Err(error);
            }
        };
        attempt.ticket = ticket;
        let revealing = match self.until_charge(&mut attempt, &cohort).await {
            Ok(revealing) => revealing,
            Err(error) => {
                // Not charged: nothing was revealed, the reserve is given back in the ledger too.
                self.account.release(attempt.ticket.take());
                let reason = match &error {
                    Failed::Attempt(reason) => reason.clone(),
                    Failed::Server(error) => error.to_string(),
                };
                self.tell(&cohort, &ServerMessage::abort(&reason));
                // A server that fails writes nothing more; the next start releases what is open then.
                if matches!(error, Failed::Attempt(_)) {
                    let entry = Entry::Release(Release {
                        round_id: hex_digest(&attempt.manifest.fields().round_id),
                        round: u64::from(round),
                        time: self.ledger_time(),
                        reason: printable_reason(&reason),
                    });
                    self.append(&entry)?;
                }
                return Err(error);
            }
        };
        self.after_charge(attempt, revealing, &cohort).await
    }

    /// Step 1: reserves in the ledger, invites the cohort, sends the model.
    async fn invite<'m>(
        &mut self,
        round: u32,
        model: &'m GlobalModel,
    ) -> Result<(Attempt<'m>, Vec<Arc<Session>>), Failed> {
        let started = Instant::now();
        let wanted = usize::from(self.config.cohort.clients);
        let sessions: Vec<Arc<Session>> = self.floor.lobby.ready().cloned().collect();
        let cohort: Vec<Arc<Session>> = sessions.sample(&mut rand::rng(), wanted).cloned().collect();

        cohort.iter().for_each(|session| session.take());

        let bytes = model.to_bytes().map_err(ServerError::from)?;
        let head = self.desk.head().map_err(ServerError::from)?.clone();
        let manifest = self.manifest(round, model, head.checkpoint())?;
        let members = cohort.iter().map(|session| session.certificate.identity.0);
        self.floor.begin(manifest.round_id, members.collect());
        let signature = manifest.sign(&self.key).map_err(RoundError::from)?;
        let checked = manifest.clone().check().map_err(RoundError::from)?;
        // Proofs to the head before this manifest's own entry.
        let mut proofs: HashMap<u64, Proof> = HashMap::new();
        for session in &cohort {
            if let Slot::Vacant(slot) = proofs.entry(session.ledger_size()) {
                slot.insert(
                    self.desk
                        .consistency(session.ledger_size())
                        .map_err(ServerError::from)?,
                );
            }
        }
        // Proofs of this round's head too.
        let previous = self.clips.proven(&self.desk).map_err(ServerError::from)?;
        let entry = ledger_entries::reserve(&checked, self.ledger_time());
        let index = self.append(&entry)?;

        let parts: Vec<Arc<Vec<u8>>> = bytes
            .chunks(MODEL_PART)
            .map(|part| ServerMessage::Model(part.to_vec().into()).encode().map(Arc::new))
            .collect::<Result<_, _>>()
            .map_err(RoundError::from)?;
        let note = head.to_bytes();
        let received = cohort
            .iter()
            .map(|s| (s.certificate.identity.0, s.received.load(Ordering::Relaxed)))
            .collect();
        let mut papers = Papers::new(model, bytes.len() as u64);
        for session in &cohort {
            let invitation = Invitation {
                manifest: manifest.clone(),
                signature,
                checkpoint: note.clone().into(),
                consistency: proofs
                    .get(&session.ledger_size())
                    .cloned()
                    .unwrap_or_else(|| Vec::new().into()),
                model_length: bytes.len() as u64,
                previous: previous.clone().into(),
            };
            let message = ServerMessage::Invitation(Box::new(invitation));
            let frame = Arc::new(message.encode().map_err(RoundError::from)?);
            papers.keep(session.certificate.identity.0, frame.clone());
            session.send_frame(frame);
            parts.iter().for_each(|part| session.send_shared(part.clone()));
        }
        let mut attempt = Attempt {
            manifest: Arc::new(checked),
            reserved: (index, entry),
            ticket: None,
            ledger_size: head.checkpoint().size,
            papers,
            started,
            phases: Vec::new(),
            received,
        };
        attempt.mark("invite", started);
        self.tell_observer(ServerEvent::RoundStarted {
            round,
            cohort: cohort.len(),
        });
        Ok((attempt, cohort))
    }

    fn manifest(
        &self,
        round: u32,
        model: &GlobalModel,
        head: &tacita_ledger::Checkpoint,
    ) -> Result<Manifest, Failed> {
        let beside = &self.checked.beside;
        let update_clip = self.clips.next(self.config.privacy.clip);
        let terms = beside.terms(update_clip).map_err(Failed::Attempt)?;
        let plan = beside
            .plan_at(&self.checked.plan, update_clip)
            .map_err(Failed::Attempt)?;
        let (encoding, share) = (plan.encoding(), plan.noise_share());
        let cohort = &self.config.cohort;
        let privacy = &self.config.privacy;
        let text =
            |d: Option<tacita_privacy::Decimal>| d.map(|d| d.to_string()).unwrap_or_default().into_bytes();
        let honest = u64::from(cohort.minimum_survivors.saturating_sub(cohort.colluders));
        let p = &self.checked.parameters;
        let narrow = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        Ok(Manifest {
            version: limits::VERSION,
            task: self.config.task.name.clone().into_bytes().into(),
            round,
            round_id: rand::rng().random(),
            cohort: cohort.clients,
            colluders: cohort.colluders,
            minimum_survivors: cohort.minimum_survivors,
            neighbours: narrow(p.neighbours),
            threshold: narrow(p.threshold),
            quorum: narrow(p.quorum),
            key_agreement: KeyAgreement::from(cohort.key_agreement).field(),
            bits: encoding.bits().get(),
            dimension: encoding.dimension(),
            padded: encoding.padded(),
            block: encoding.block(),
            chunk: 16_384,
            clip: encoding.clip().to_string().into_bytes().into(),
            grid: encoding.grid(),
            mechanism: mechanism_field(share.mechanism()),
            total_variance_q16: share.variance_q16().saturating_mul(honest),
            share_variance_q16: share.variance_q16(),
            noise_levels: ManifestLevel::of(&share),
            rounds: self.config.task.rounds,
            epsilon: text(privacy.epsilon).into(),
            delta: text(privacy.delta).into(),
            unit: u8::from(plan.request().records.is_some()),
            sampling: text(plan.request().records.map(|records| records.sampling())).into(),
            largest_records: plan.request().records.map_or(0, |records| records.largest()),
            expected_records: plan.request().records.map_or(0, |records| records.expected()),
            weighting: u8::from(terms.is_some_and(|terms| terms.weighting().is_some())),
            weight_cap: terms.and_then(|terms| Some(terms.weighting()?.cap)).unwrap_or(0),
            weight_scale: text(terms.and_then(|terms| Some(terms.weighting()?.scale))).into(),
            update_clip: text(terms.map(|terms| terms.update_clip())).into(),
            metrics: terms
                .iter()
                .filter_map(|terms| terms.metrics().map(ManifestMetrics::of))
                .collect::<Vec<_>>()
                .into(),
            adaptive_clip: terms
                .iter()
                .filter_map(|terms| Some(ManifestClip::of(beside.rule()?, terms.count_scale()?)))
                .collect::<Vec<_>>()
                .into(),
            model_digest: model.digest().map_err(ServerError::from)?,
            training: self.checked.instructions.to_text().into_bytes().into(),
            deadlines: self.checked.deadlines,
            ledger_size: head.size,
            ledger_root: head.root,
            issued_at: crate::now(),
        })
    }

    /// Steps 2 to 7, then the commit.
    async fn until_charge(
        &mut self,
        attempt: &mut Attempt<'_>,
        cohort: &[Arc<Session>],
    ) -> Result<Revealing, Failed> {
        let sharing = self.advertise(attempt, cohort).await?;
        let roster = sharing.roster().clone();
        let collecting = self.share(attempt, sharing, &roster).await?;
        let agreeing = self.upload(attempt, collecting, &roster).await?;
        let agreeing = self.agree(attempt, agreeing, &roster).await?;
        let since = Instant::now();
        let entry = agreeing.charge(self.ledger_time()).map_err(RoundError::from)?;
        let index = self.append(&entry)?;
        // From here on it is final, whatever fails.
        let survivors = u32::from(agreeing.survivors().count());
        self.account
            .commit(attempt.ticket.take(), &attempt.manifest, survivors);
        let committed = CommittedCharge {
            checkpoint: self.desk.head().map_err(ServerError::from)?.to_bytes(),
            consistency: self
                .desk
                .consistency(attempt.ledger_size)
                .map_err(ServerError::from)?,
            manifest: self
                .desk
                .proven(attempt.reserved.0, &attempt.reserved.1)
                .map_err(ServerError::from)?,
            charge: self.desk.proven(index, &entry).map_err(ServerError::from)?,
        };
        let revealing = agreeing.commit(committed, self.desk.verifier())?;
        attempt.mark("charge", since);
        Ok(revealing)
    }

    /// Tells the members of a cohort, on whatever connection they are now.
    pub(crate) fn tell(&self, cohort: &[Arc<Session>], message: &ServerMessage) {
        let live = |session: &Arc<Session>| self.floor.lobby.get(&session.certificate.identity.0).cloned();
        for session in cohort.iter().filter_map(live) {
            if session.send(message).is_err() {
                tracing::warn!(client = %session.certificate.name, "could not be told");
            }
        }
    }
}
